/* Prognosis: whether a dead unit returns if training goes on. A verdict is proved or says what is not;
 * docs/autopsy.md lists the cases, which are those of docs/definitions.md. */
#ifndef RLM_AUTOPSY_PROGNOSIS_H
#define RLM_AUTOPSY_PROGNOSIS_H

#include "autopsy/cause.h"

/* The state a prognosis is of. The strata's later side stands at the same weights. */
struct rlm_standing {
    relume_trainer *trainer;
    const relume_trainer_options *options;
    const char *data; /* the name of D */
    size_t still; /* without decay and momentum, dead units of the first so many layers are fed by what does
                     not move */
};

/* Fills the prognoses of dead units of one layer. */
void rlm_prognosis_find(struct rlm_causes *causes, struct rlm_strata *strata,
                        const struct rlm_standing *standing, relume_death *const *deaths, size_t count);

#endif
