/* See backward.h. */
#include "train/backward.h"

#include "base/checked.h"
#include "base/error.h"
#include "network/range.h"

static void backward_layout(struct rlm_arena *arena, struct rlm_backward *backward,
                            const relume_network *network, size_t capacity)
{
    size_t widest = 0, elements = 0;
    for (size_t l = 0; l < network->layer_count; l++)
        widest = rlm_size_max(widest, network->layers[l].out_features);
    if (capacity > SIZE_MAX - RLM_LANES ||
        !rlm_size_multiply(rlm_round_up(capacity, RLM_LANES), widest, &elements))
        arena->overflow = true;
    for (int i = 0; i < 2; i++)
        backward->dz[i] = rlm_arena_take(arena, elements, sizeof(float));
    backward->layer = rlm_arena_take(arena, network->layer_count, sizeof *backward->layer);
    backward->dlogits = backward->dz[0];
}

relume_status rlm_backward_init(struct rlm_backward *backward, const relume_network *network, size_t capacity,
                                relume_error *error)
{
    struct rlm_backward made = {0};
    backward_layout(&made.arena, &made, network, capacity);
    size_t bytes = made.arena.overflow ? SIZE_MAX : made.arena.used;
    if (!rlm_arena_init(&made.arena, &network->engine->allocator))
        return rlm_error_memory(error, bytes, "the gradients of a batch");
    backward_layout(&made.arena, &made, network, capacity);
    *backward = made;
    return RELUME_OK;
}

void rlm_backward_deinit(struct rlm_backward *backward)
{
    rlm_arena_deinit(&backward->arena);
    *backward = (struct rlm_backward){0};
}

/* ---- one layer ---- */

struct weights_region {
    const struct rlm_kernels *kernels;
    struct rlm_backward_weights arguments;
    const uint32_t *active; /* open gates a unit; NULL: no unit may be passed over */
};

static bool block_active(const uint32_t *active, size_t begin, size_t end)
{
    uint32_t any = 0;
    for (size_t n = begin; n < end; n++)
        any |= active[n];
    return any != 0;
}

/* Units that no sample of the batch opened have a gradient of +0; plain SGD then leaves w + (−lr · 0) = w as
 * it is, to the bit. So whole blocks of such units are left out. */
static void weights_range(void *context, size_t begin, size_t end)
{
    const struct weights_region *region = context;
    size_t from = begin;
    for (size_t block = begin; region->active && block < end; block += RLM_LANES) {
        size_t block_end = rlm_size_min(block + RLM_LANES, end);
        if (block_active(region->active, block, block_end))
            continue;
        if (from < block)
            region->kernels->backward_weights(&region->arguments, from, block);
        from = block_end;
    }
    if (from < end)
        region->kernels->backward_weights(&region->arguments, from, end);
}

static bool update_is_idle_at_zero(const struct rlm_update *update)
{
    return update->kind == RLM_UPDATE_SGD && update->decay == 0.0f;
}

static void layer_weights(const struct rlm_backward *backward, const struct rlm_pass *pass, size_t index,
                          const float *dz)
{
    const relume_network *network = pass->network;
    const struct rlm_layer *layer = &network->layers[index];
    const struct rlm_layer_update *update = &backward->layer[index];
    struct weights_region region = {
        .kernels = network->kernels,
        .arguments = {.batch = pass->batch,
                      .in_features = layer->in_features,
                      .out_features = layer->out_features,
                      .dz = dz,
                      .x_features = index == 0 ? pass->x_features : pass->layer[index - 1].z_features,
                      .weight_update = update->weight,
                      .bias_update = update->bias,
                      .stride = layer->stride,
                      .weight = layer->weight,
                      .bias = layer->bias,
                      .weight_s1 = update->weight_s1,
                      .weight_s2 = update->weight_s2,
                      .bias_s1 = update->bias_s1,
                      .bias_s2 = update->bias_s2,
                      .dweight = update->dweight,
                      .dbias = update->dbias},
    };
    if (!backward->dense && update_is_idle_at_zero(&update->weight) && update_is_idle_at_zero(&update->bias))
        region.active = pass->layer[index].active;
    rlm_range_run(network->engine->pool, layer->out_features,
                  pass->batch * layer->in_features * layer->out_features, weights_range, &region);
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

static void layer_input_gradient(const struct rlm_pass *pass, size_t index, const float *dz, float *dx)
{
    const relume_network *network = pass->network;
    const struct rlm_layer *layer = &network->layers[index];
    struct input_region region = {
        .kernels = network->kernels,
        .arguments = {.batch = pass->batch,
                      .in_features = layer->in_features,
                      .out_features = layer->out_features,
                      .dz = dz,
                      .weight = layer->weight,
                      .stride = layer->stride,
                      .gates = pass->layer[index - 1].gates,
                      .dx = dx},
    };
    rlm_range_run(network->engine->pool, layer->in_features,
                  pass->batch * layer->in_features * layer->out_features, input_range, &region);
}

void rlm_backward_run(struct rlm_backward *backward, const struct rlm_pass *pass)
{
    float *dz = backward->dz[0], *dx = backward->dz[1];
    for (size_t l = pass->network->layer_count; l-- > 0;) {
        if (l > 0)
            layer_input_gradient(pass, l, dz,
                                 dx); /* before the update: it needs the weights of the forward pass */
        layer_weights(backward, pass, l, dz);
        float *done = dz;
        dz = dx;
        dx = done;
    }
}
