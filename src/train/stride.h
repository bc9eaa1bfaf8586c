/* How far an update moves the weights: ‖Δw‖ / ‖w‖ of each layer's weights, biases left out. A measured step
 * updates a layer strip by strip: the rows of a strip are copied, updated, and compared, so that no more than
 * a strip is ever held twice. Every update is that of a step which is not measured. Each row's squares are
 * added up by themselves and then in the order of the rows, as doubles, so the ratio is the same on every
 * machine, for every number of threads, and whichever rows are left out or done later. */
#ifndef RLM_TRAIN_STRIDE_H
#define RLM_TRAIN_STRIDE_H

#include "base/arena.h"
#include "network/network.h"
#include "network/range.h"

struct rlm_stride {
    size_t layers; /* 0: nothing is measured */
    bool known;    /* `ratio` is of the last update made */
    double *ratio; /* [layers]; NaN where the weights were all 0 */
    /* private */
    size_t strip;         /* rows */
    float *before;        /* [strip][largest row] */
    double *moved, *were; /* [rows of the widest layer]: Σ Δw², Σ w² before, of the layer under way */
    struct rlm_arena arena;
};

/* Room for a strip. NO_MEMORY. */
relume_status rlm_stride_init(struct rlm_stride *stride, const relume_network *network, relume_error *error);
void rlm_stride_deinit(struct rlm_stride *stride); /* a zeroed one is fine */

/* For the step. Around all updates of a layer's weights; `stride` may be NULL. */
void rlm_stride_begin(struct rlm_stride *stride, const struct rlm_layer *layer);
void rlm_stride_end(struct rlm_stride *stride, const struct rlm_layer *layer, size_t index);

/* Rows of a layer that a task updates: all of it at once, as rlm_range_run, with `stride` NULL, else by
 * strips.
 */
struct rlm_stride_task {
    struct rlm_pool *pool;
    const struct rlm_layer *layer;
    const uint32_t *units; /* [count]: the rows, ascending; NULL: 0 … count − 1 */
    size_t count, work;
    rlm_range_task *task;
    void *context;
    size_t
        *first; /* in the context: the place in `units`, or the row, at which the ranges of the task begin */
};
void rlm_stride_run(struct rlm_stride *stride, const struct rlm_stride_task *task);

#endif
