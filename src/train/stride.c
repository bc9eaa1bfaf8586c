/* See stride.h. */
#include "train/stride.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"

/* Rows of this many bytes are held twice, or 32 where they are longer: enough for two threads. */
#define STRIP_BYTES ((size_t)128 << 10)
enum { STRIP_LEAST = 32 };

static void stride_layout(struct rlm_stride *stride, const relume_network *network)
{
    struct rlm_arena *arena = &stride->arena;
    size_t widest = 0, longest = 1;
    for (size_t l = 0; l < network->layer_count; l++) {
        widest = rlm_size_max(widest, network->layers[l].out_features);
        longest = rlm_size_max(longest, network->layers[l].stride);
    }
    /* whole panels of rows, as the kernels want their ranges */
    size_t fit = STRIP_BYTES / sizeof(float) / longest / RLM_LANES * RLM_LANES;
    stride->strip = rlm_size_min(rlm_size_max(fit, STRIP_LEAST), rlm_round_up(widest, RLM_LANES));
    stride->ratio = rlm_arena_take(arena, network->layer_count, sizeof *stride->ratio);
    stride->before = rlm_arena_take(arena, stride->strip * longest, sizeof *stride->before);
    stride->moved = rlm_arena_take(arena, widest, sizeof *stride->moved);
    stride->were = rlm_arena_take(arena, widest, sizeof *stride->were);
}

relume_status rlm_stride_init(struct rlm_stride *stride, const relume_network *network, relume_error *error)
{
    stride_layout(stride, network);
    size_t bytes = stride->arena.overflow ? SIZE_MAX : stride->arena.used;
    if (!rlm_arena_init(&stride->arena, &network->engine->allocator)) {
        *stride = (struct rlm_stride){0};
        return rlm_error_memory(error, bytes, "the rows before an update");
    }
    stride_layout(stride, network);
    stride->layers = network->layer_count;
    return RELUME_OK;
}

void rlm_stride_deinit(struct rlm_stride *stride)
{
    rlm_arena_deinit(&stride->arena);
    *stride = (struct rlm_stride){0};
}

/* ---- squares ---- */

enum { LANES = 8 }; /* sums that are added side by side, so that the compiler may use vectors */

static double add_lanes(const double sum[LANES])
{
    double total = 0;
    for (size_t k = 0; k < LANES; k++)
        total += sum[k];
    return total;
}

static double row_squares(const float *row, size_t count)
{
    double sum[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            sum[k] += (double)row[i + k] * (double)row[i + k];
    for (size_t k = 0; i + k < count; k++)
        sum[k] += (double)row[i + k] * (double)row[i + k];
    return add_lanes(sum);
}

static double row_moved(const float *before, const float *after, size_t count)
{
    double sum[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (size_t k = 0; k < LANES; k++) {
            double moved = (double)after[i + k] - (double)before[i + k];
            sum[k] += moved * moved;
        }
    for (size_t k = 0; i + k < count; k++) {
        double moved = (double)after[i + k] - (double)before[i + k];
        sum[k] += moved * moved;
    }
    return add_lanes(sum);
}

/* ---- around an update ---- */

void rlm_stride_begin(struct rlm_stride *stride, const struct rlm_layer *layer)
{
    for (size_t u = 0; stride && u < layer->out_features; u++) {
        stride->were[u] = row_squares(layer->weight + u * layer->stride, layer->in_features);
        stride->moved[u] = 0;
    }
}

void rlm_stride_end(struct rlm_stride *stride, const struct rlm_layer *layer, size_t index)
{
    double moved = 0, were = 0;
    if (!stride)
        return;
    for (size_t u = 0; u < layer->out_features; u++) {
        moved += stride->moved[u];
        were += stride->were[u];
    }
    stride->ratio[index] = were > 0 ? sqrt(moved / were) : (double)NAN;
}

static size_t row_at(const struct rlm_stride_task *task, size_t place)
{
    return task->units ? task->units[place] : place;
}

static void strip_keep(const struct rlm_stride *stride, const struct rlm_stride_task *task, size_t first,
                       size_t count)
{
    const struct rlm_layer *layer = task->layer;
    for (size_t i = 0; i < count; i++)
        memcpy(stride->before + i * layer->stride, layer->weight + row_at(task, first + i) * layer->stride,
               layer->in_features * sizeof *stride->before);
}

static void strip_compare(const struct rlm_stride *stride, const struct rlm_stride_task *task, size_t first,
                          size_t count)
{
    const struct rlm_layer *layer = task->layer;
    for (size_t i = 0; i < count; i++) {
        size_t row = row_at(task, first + i);
        stride->moved[row] = row_moved(stride->before + i * layer->stride,
                                       layer->weight + row * layer->stride, layer->in_features);
    }
}

void rlm_stride_run(struct rlm_stride *stride, const struct rlm_stride_task *task)
{
    size_t some;
    *task->first = 0;
    if (!stride) {
        rlm_range_run(task->pool, task->count, task->work, task->task, task->context);
        return;
    }
    for (size_t first = 0; first < task->count; first += some) {
        some = rlm_size_min(stride->strip, task->count - first);
        *task->first = first;
        strip_keep(stride, task, first, some);
        rlm_range_run(task->pool, some, task->work / task->count * some, task->task, task->context);
        strip_compare(stride, task, first, some);
    }
}
