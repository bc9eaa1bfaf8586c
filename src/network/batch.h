/* From rows of a dataset to the packed batch of a pass. */
#ifndef RLM_NETWORK_BATCH_H
#define RLM_NETWORK_BATCH_H

#include "data/dataset.h"
#include "network/pass.h"

/* The samples of one batch: rows index[0 … count−1] of `dataset`, or first … first + count − 1 where index is
 * NULL. */
struct rlm_batch {
    const relume_dataset *dataset;
    const uint32_t *index;
    size_t first, count;
    size_t after; /* = 0: entries behind those of index, of batches to come */
};

/* How rows of the dataset are scaled for the network: its own way, or the data's where it states none. */
const relume_scaling *rlm_batch_scaling(const relume_network *network, const relume_dataset *dataset);

/* Gathers the rows, widens and scales them into x and x_features of the pass, every copy. Fails where rows
 * cannot be read from their file. */
relume_status rlm_batch_pack(struct rlm_pass *pass, const struct rlm_batch *batch, relume_error *error);

/* Asks for samples begin … end−1 of a batch that is to be run later: their rows lie anywhere in the dataset,
 * and have come to the cache by then. A core waits once it has asked for some 16 lines that have not come
 * yet: so not for all of them in one go. */
void rlm_batch_fetch(const struct rlm_batch *batch, size_t begin, size_t end);

#endif
