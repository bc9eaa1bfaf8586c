/* The words of causes and verdicts. */
#include "relume/autopsy.h"

const char *relume_cause_name(relume_cause cause)
{
    switch (cause) {
    case RELUME_CAUSE_GRADIENT:
        return "gradient";
    case RELUME_CAUSE_MOMENTUM:
        return "momentum";
    case RELUME_CAUSE_DECAY:
        return "decay";
    case RELUME_CAUSE_BELOW:
        return "below";
    case RELUME_CAUSE_BIAS:
        return "bias";
    case RELUME_CAUSE_UNCENTRED:
        return "uncentred inputs";
    case RELUME_CAUSE_CHANCE:
        return "chance";
    }
    return NULL;
}

const char *relume_verdict_name(relume_verdict verdict)
{
    static const char *const names[] = {"frozen", "coasting", "revivable", "structural"};
    return (unsigned)verdict < sizeof names / sizeof *names ? names[verdict] : NULL;
}
