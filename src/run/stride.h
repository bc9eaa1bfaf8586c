/* How far an update moves the weights: ‖Δw‖ / ‖w‖ of each layer's weights, biases left out, by an epoch's
 * last update. The weights are copied before that update and compared after it, so that training itself is
 * not touched; the sums are doubles, added in one order, the same on every machine. */
#ifndef RLM_RUN_STRIDE_H
#define RLM_RUN_STRIDE_H

#include "base/arena.h"
#include "network/network.h"

struct rlm_stride {
    size_t layers;  /* 0: nothing is measured */
    bool known;     /* `ratio` is of the last update made */
    double *ratio;  /* [layers]; NaN where the weights were all 0 */
    float **before; /* [layers][units · stride] */
    struct rlm_arena arena;
};

/* Room for the copy. NO_MEMORY. */
relume_status rlm_stride_init(struct rlm_stride *stride, const relume_network *network, relume_error *error);
void rlm_stride_deinit(struct rlm_stride *stride); /* a zeroed one is fine */

void rlm_stride_keep(struct rlm_stride *stride, const relume_network *network);
void rlm_stride_measure(struct rlm_stride *stride, const relume_network *network);

#endif
