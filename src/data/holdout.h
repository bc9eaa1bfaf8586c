/* Setting some training samples aside as the test split. */
#ifndef RLM_DATA_HOLDOUT_H
#define RLM_DATA_HOLDOUT_H

#include "data/dataset.h"

/* Moves round(share · samples) training samples, at least one, behind the others and makes them the test
 * split: those that a permutation drawn by `seed` names first. Both splits keep the order of the file.
 * BAD_DATA when no training sample would be left, NO_MEMORY. */
relume_status rlm_dataset_hold_out(relume_dataset *dataset, double share, uint64_t seed, relume_error *error);

#endif
