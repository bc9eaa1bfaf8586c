/* See dissection.h. */
#include "autopsy/dissection.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "network/range.h"
#include "train/squares.h"

static void dissection_layout(struct rlm_arena *arena, struct rlm_dissection *d, size_t capacity)
{
    size_t widest = 1, panels = rlm_round_up(capacity, RLM_LANES);
    d->layer = rlm_arena_take(arena, d->network->layer_count, sizeof *d->layer);
    for (size_t l = 0; l < d->network->layer_count; l++) {
        const struct rlm_layer *layer = &d->network->layers[l];
        struct rlm_dissected_layer made = {
            .dz = rlm_arena_take(arena, panels * layer->out_features, sizeof(float)),
            .dweight = rlm_arena_take(arena, layer->out_features * layer->stride, sizeof(float)),
            .dbias = rlm_arena_take(arena, rlm_round_up(layer->out_features, RLM_LANES), sizeof(float))};
        if (d->layer)
            d->layer[l] = made;
        widest = rlm_size_max(widest, layer->out_features);
    }
    d->squares = rlm_arena_take(arena, widest, sizeof *d->squares);
    d->index = rlm_arena_take(arena, capacity, sizeof *d->index);
}

relume_status rlm_dissection_init(struct rlm_dissection *dissection, const relume_network *network,
                                  const relume_dataset *dataset, size_t capacity, relume_error *error)
{
    struct rlm_dissection made = {.network = network};
    relume_status status =
        rlm_pass_init(&made.pass, network, capacity,
                      RLM_PASS_GATES | RLM_PASS_FEATURES | RLM_PASS_ACTIVE | RLM_PASS_LIVE, error);
    if (status == RELUME_OK)
        status = rlm_loss_init(&made.loss, network, dataset, capacity, error);
    if (status == RELUME_OK) {
        dissection_layout(&made.arena, &made, capacity);
        size_t bytes = made.arena.overflow ? SIZE_MAX : made.arena.used;
        if (!rlm_arena_init(&made.arena, &network->engine->allocator))
            status = rlm_error_memory(error, bytes, "the gradients of a batch");
    }
    if (status != RELUME_OK) {
        rlm_dissection_deinit(&made);
        return status;
    }
    dissection_layout(&made.arena, &made, capacity);
    *dissection = made;
    return RELUME_OK;
}

void rlm_dissection_deinit(struct rlm_dissection *dissection)
{
    rlm_pass_deinit(&dissection->pass);
    rlm_loss_deinit(&dissection->loss);
    rlm_arena_deinit(&dissection->arena);
    *dissection = (struct rlm_dissection){0};
}

/* ---- backward, the gradients stored ---- */

struct weights_region {
    const struct rlm_kernels *kernels;
    struct rlm_backward_weights arguments;
};

static void weights_range(void *context, size_t begin, size_t end)
{
    const struct weights_region *region = context;
    region->kernels->backward_weights(&region->arguments, begin, end);
}

static void layer_weights(const struct rlm_dissection *d, size_t l)
{
    const struct rlm_layer *layer = &d->network->layers[l];
    struct weights_region region = {
        .kernels = d->network->kernels,
        .arguments = {.batch = d->pass.batch,
                      .in_features = layer->in_features,
                      .out_features = layer->out_features,
                      .dz = d->layer[l].dz,
                      .x_features = rlm_pass_features(&d->pass, l, NULL, layer->in_features),
                      .skip_zeros =
                          true, /* the activations of a run are finite: rlm_pass_run has seen to it */
                      .weight_update = {.kind = RLM_UPDATE_STORE},
                      .bias_update = {.kind = RLM_UPDATE_STORE},
                      .stride = layer->stride,
                      .weight = layer->weight,
                      .bias = layer->bias,
                      .dweight = d->layer[l].dweight,
                      .dbias = d->layer[l].dbias}};
    rlm_range_run(d->network->engine->pool, layer->out_features,
                  d->pass.batch * layer->in_features * layer->out_features, weights_range, &region);
}

struct input_region {
    const struct rlm_kernels *kernels;
    struct rlm_backward_input arguments;
};

static void input_range(void *context, size_t begin, size_t end)
{
    const struct input_region *region = context;
    region->kernels->backward_input(&region->arguments, begin, end);
}

static void layer_input(const struct rlm_dissection *d, size_t l)
{
    const struct rlm_layer *layer = &d->network->layers[l];
    struct input_region region = {.kernels = d->network->kernels,
                                  .arguments = {.batch = d->pass.batch,
                                                .in_features = layer->in_features,
                                                .out_features = layer->out_features,
                                                .dz = d->layer[l].dz,
                                                .weight = layer->weight,
                                                .stride = layer->stride,
                                                .gates = d->pass.layer[l - 1].gates,
                                                .dx = d->layer[l - 1].dz}};
    rlm_range_run(d->network->engine->pool, layer->in_features,
                  d->pass.batch * layer->in_features * layer->out_features, input_range, &region);
}

/* The trainer's own order: layers in order, a layer's weight rows, then its bias. */
static double gradient_norm(struct rlm_dissection *d)
{
    double sum = 0.0;
    for (size_t l = 0; l < d->network->layer_count; l++) {
        const struct rlm_layer *layer = &d->network->layers[l];
        double bias;
        rlm_squares_find(d->network, l, d->layer[l].dweight, d->layer[l].dbias, d->squares, &bias);
        for (size_t row = 0; row < layer->out_features; row++)
            sum += d->squares[row];
        sum += bias;
    }
    return sqrt(sum);
}

relume_status rlm_dissection_run(struct rlm_dissection *d, const struct rlm_batch *batch, double clip_norm,
                                 const uint8_t *dead, relume_error *error)
{
    struct rlm_fault fault;
    if (dead)
        rlm_pass_leave_out(&d->pass, 0, dead);
    if (!rlm_pass_run(&d->pass, batch, &fault))
        return rlm_fault_report(&fault, d->network, "repeating a step", error);
    rlm_loss_run(&d->loss, &d->pass, batch, d->layer[d->network->layer_count - 1].dz);
    struct rlm_loss_sum sum = {0};
    rlm_loss_add(&d->loss, batch->count, &sum);
    for (size_t l = d->network->layer_count; l-- > 0;) {
        if (l > 0)
            layer_input(d, l);
        layer_weights(d, l);
    }
    d->batch_loss = rlm_loss_mean(&sum);
    d->norm = gradient_norm(d);
    d->scale = clip_norm > 0.0 && d->norm > clip_norm ? (float)(clip_norm / d->norm) : 1.0f;
    d->count = batch->count;
    for (size_t i = 0; i < batch->count; i++)
        d->index[i] = batch->index ? batch->index[i] : (uint32_t)(batch->first + i);
    return RELUME_OK;
}

void rlm_dissection_gradient(const struct rlm_dissection *dissection, size_t layer, size_t unit,
                             float *gradient)
{
    const struct rlm_layer *shape = &dissection->network->layers[layer];
    const float *row = dissection->layer[layer].dweight + unit * shape->stride;
    memcpy(gradient, row, shape->in_features * sizeof *gradient);
    gradient[shape->in_features] = dissection->layer[layer].dbias[unit];
    for (size_t i = 0; dissection->scale != 1.0f && i <= shape->in_features; i++)
        gradient[i] *= dissection->scale;
}

float rlm_dissection_dz(const struct rlm_dissection *dissection, size_t layer, size_t unit, size_t place)
{
    size_t units = dissection->network->layers[layer].out_features;
    return dissection->layer[layer].dz[(place / RLM_LANES * units + unit) * RLM_LANES + place % RLM_LANES];
}
