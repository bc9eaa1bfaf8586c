/* What the sentences of a verdict share: verdict.c has the frame, verdict_autopsy.c those that rest on the
 * autopsy. */
#ifndef RLM_REPORT_VERDICT_H
#define RLM_REPORT_VERDICT_H

#include "report/gather.h"
#include "report/words.h"

/* What the deaths that last have in common. */
struct rlm_deaths_sum {
    size_t born;           /* of the dead: dead from the start, without a return */
    size_t killed;         /* of the dead: killed */
    uint64_t median, last; /* steps of the killed ones' deaths */
    size_t worst;          /* the layer with the most dead */
    size_t silent_layer;   /* a layer without a living unit; layers: none */
    size_t first_layer;    /* dead in h1 */
};

/* A further point, its text to be filled. */
char **rlm_verdict_add(struct rlm_facts *facts, const char *about);

#define RLM_SAY(facts, about, error, ...)                                                                    \
    rlm_facts_print(facts, rlm_verdict_add(facts, about), error, __VA_ARGS__)

/* With an autopsy: the main cause, whether they return, and what to do about it. */
relume_status rlm_verdict_cause(struct rlm_facts *facts, relume_error *error);
relume_status rlm_verdict_prognosis(struct rlm_facts *facts, relume_error *error);
relume_status rlm_verdict_remedy(struct rlm_facts *facts, const struct rlm_deaths_sum *sum,
                                 relume_error *error);

#endif
