/* The ground that strata stand on: the whole training split D, packed once in an order that suits it, and
 * what is known of it whatever the weights are. Several strata, each at weights of its own and in a thread of
 * its own, may stand on one ground: after it has been made, nobody writes to it. */
#ifndef RLM_AUTOPSY_GROUND_H
#define RLM_AUTOPSY_GROUND_H

#include "autopsy/byte_sums.h"

struct rlm_ground {
    struct rlm_inputs data;  /* D, by place */
    uint32_t *order, *where; /* [samples]: those of all inputs; of `data` NULL where D is as it comes */
    size_t longest;          /* the place with the largest norm1 */
    size_t groups, blocks;   /* of RLM_GROUP samples; of 16 features */
    float *reach;    /* [blocks, groups]: the largest ‖x‖ of the block among the group's samples */
    float *heaviest; /* [groups]: the largest norm1 */
    struct rlm_byte_sums sums; /* of the same data */
    struct rlm_arena arena;
};

/* For networks of this shape and scaling. NO_MEMORY; RESOURCE for data that are read from their file. */
relume_status rlm_ground_init(struct rlm_ground *ground, const relume_network *network,
                              const relume_dataset *dataset, relume_error *error);
/* A zeroed struct is fine. */
void rlm_ground_deinit(struct rlm_ground *ground);

/* A double sum of float magnitudes as a float that is no smaller. */
static inline float rlm_at_least(double sum)
{
    return (float)(sum * (1.0 + 0x1p-22));
}

#endif
