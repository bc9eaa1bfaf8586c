/* See stride.h. */
#include "run/stride.h"

#include <math.h>
#include <string.h>

#include "base/error.h"

static void stride_layout(struct rlm_stride *stride, const relume_network *network)
{
    struct rlm_arena *arena = &stride->arena;
    stride->ratio = rlm_arena_take(arena, network->layer_count, sizeof *stride->ratio);
    stride->before = rlm_arena_take(arena, network->layer_count, sizeof *stride->before);
    for (size_t l = 0; l < network->layer_count; l++) {
        const struct rlm_layer *layer = &network->layers[l];
        float *before = rlm_arena_take(arena, layer->out_features * layer->stride, sizeof *before);
        if (stride->before)
            stride->before[l] = before;
    }
}

relume_status rlm_stride_init(struct rlm_stride *stride, const relume_network *network, relume_error *error)
{
    stride_layout(stride, network);
    size_t bytes = stride->arena.overflow ? SIZE_MAX : stride->arena.used;
    if (!rlm_arena_init(&stride->arena, &network->engine->allocator)) {
        *stride = (struct rlm_stride){0};
        return rlm_error_memory(error, bytes, "the weights before an update");
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

void rlm_stride_keep(struct rlm_stride *stride, const relume_network *network)
{
    for (size_t l = 0; l < stride->layers; l++) {
        const struct rlm_layer *layer = &network->layers[l];
        memcpy(stride->before[l], layer->weight, layer->out_features * layer->stride * sizeof(float));
    }
}

#define LANES 8 /* sums that are added side by side, so that the compiler may use vectors */

struct squares {
    double moved[LANES], were[LANES];
};

static void add_row(struct squares *sum, const float *before, const float *after, size_t count)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (size_t k = 0; k < LANES; k++) {
            double was = (double)before[i + k], moved = (double)after[i + k] - was;
            sum->moved[k] += moved * moved;
            sum->were[k] += was * was;
        }
    for (size_t k = 0; i + k < count; k++) {
        double was = (double)before[i + k], moved = (double)after[i + k] - was;
        sum->moved[k] += moved * moved;
        sum->were[k] += was * was;
    }
}

static double ratio_of(const struct rlm_layer *layer, const float *before)
{
    struct squares sum = {{0}, {0}};
    double moved = 0, were = 0;
    for (size_t u = 0; u < layer->out_features; u++)
        add_row(&sum, before + u * layer->stride, layer->weight + u * layer->stride, layer->in_features);
    for (size_t k = 0; k < LANES; k++) {
        moved += sum.moved[k];
        were += sum.were[k];
    }
    return were > 0 ? sqrt(moved / were) : (double)NAN;
}

void rlm_stride_measure(struct rlm_stride *stride, const relume_network *network)
{
    for (size_t l = 0; l < stride->layers; l++)
        stride->ratio[l] = ratio_of(&network->layers[l], stride->before[l]);
    stride->known = stride->layers > 0;
}
