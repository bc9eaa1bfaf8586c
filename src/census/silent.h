/* Which hidden units no sample of a split opens: the census's answer to one question, with an early end. A
 * unit is struck off as soon as one sample opens it, and counting stops when no unit is left, which with
 * living units takes a few batches of the whole split. What remains at the end is dead on the split, exactly.
 */
#ifndef RLM_CENSUS_SILENT_H
#define RLM_CENSUS_SILENT_H

#include "network/forward.h"

struct rlm_silent {
    struct rlm_pass pass;
    const relume_dataset *dataset;
    struct rlm_rows rows;
    size_t layers;  /* hidden layers */
    uint8_t **dead; /* [layers][units]: 1 where no sample opened the unit */
    size_t *count;  /* [layers]: how many of them */
    /* [layers][units]: 1 where the caller does not ask: such a unit's mark is then only an upper bound, and
     * the search does not go on for its sake. NULL: all are asked for */
    uint8_t *const *ignore;
    size_t start; /* the sample to begin with: of the batch that struck off the last unit of the last search
                     for all */
};

/* Allocates; network and dataset must outlive it. NO_MEMORY, MISMATCH. */
relume_status rlm_silent_init(struct rlm_silent *silent, const relume_network *network,
                              const relume_dataset *dataset, relume_split split, relume_error *error);
void rlm_silent_deinit(struct rlm_silent *silent);

/* Finds the dead units at the network's current weights. DIVERGED when a pre-activation is not finite.
 * Allocates nothing. */
relume_status rlm_silent_find(struct rlm_silent *silent, relume_error *error);

#endif
