/* The bytes of D as network/sketch.h wants them: groups of 32 samples, with the sum of each. */
#ifndef RLM_AUTOPSY_BYTE_SUMS_H
#define RLM_AUTOPSY_BYTE_SUMS_H

#include "autopsy/inputs.h"
#include "network/sketch.h"

struct rlm_byte_sums {
    struct rlm_sketch sketch; /* without dots: there is none, and no sums */
    size_t samples;
    const struct rlm_inputs *inputs;
    const uint8_t *x; /* byte groups, those of the inputs */
    float *sum;       /* [samples rounded up to 32]: Σ u, exact */
    float *heaviest;  /* [⌈samples/32⌉]: the largest of a group */
    int8_t *ones;     /* [4·quads] */
    struct rlm_arena arena;
};

/* For the first layer of this network. None is made of inputs without bytes, or without the memory: it is for
 * speed alone. */
void rlm_byte_sums_init(struct rlm_byte_sums *sums, const relume_network *network,
                        const struct rlm_inputs *inputs);
/* A zeroed struct is fine. */
void rlm_byte_sums_deinit(struct rlm_byte_sums *sums);

/* longest: as of struct rlm_sketch_group. */
struct rlm_sketch_group rlm_byte_sums_group(const struct rlm_byte_sums *sums, size_t group, float longest);

#endif
