/* Offsets and divisors that bring raw features into the range a network is fed with. */
#ifndef RLM_DATA_SCALING_H
#define RLM_DATA_SCALING_H

#include "data/dataset.h"

/* Sets dataset->scaling to x / divisor for every feature. NO_MEMORY. */
relume_status rlm_scaling_uniform(relume_dataset *dataset, float divisor, relume_error *error);
/* Sets it to (x − mean) / deviation, a feature each, over the training split: sums in double in row order,
 * the deviation divided by the number of samples. A feature that is constant there, or whose deviation rounds
 * to 0, gets the divisor 1. NO_MEMORY. */
relume_status rlm_scaling_standardize(relume_dataset *dataset, relume_error *error);

#endif
