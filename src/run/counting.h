/* A census between two updates of a training, where each side saves the other work: the trainer knows which
 * units no update has touched since the last census, the census which units the trainer may leave out of its
 * steps. */
#ifndef RLM_RUN_COUNTING_H
#define RLM_RUN_COUNTING_H

#include "census/census.h"
#include "train/trainer.h"

/* Counts over the training split, on which `census` was created, at the parameters the trainer has come to.
 * The account is that of a whole count. What rlm_census_count returns. */
relume_status rlm_count_between(relume_census *census, relume_trainer *trainer, const volatile int *stop,
                                relume_error *error);

#endif
