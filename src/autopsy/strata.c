/* See strata.h. */
#include "autopsy/strata.h"

#include <string.h>

#include "base/error.h"

static size_t dead_stride(const relume_network *network)
{
    return network->layers[0].stride + RLM_LANES;
}

static void strata_layout(struct rlm_arena *arena, struct rlm_strata *strata, const relume_network *network)
{
    const struct rlm_layer *first = &network->layers[0];
    size_t units = first->out_features;
    strata->layer = rlm_arena_take(arena, strata->layers, sizeof *strata->layer);
    for (size_t l = 0; l < strata->layers; l++) {
        size_t width = network->layers[l].in_features;
        struct rlm_stratum made = {.live_count = width, .width = width};
        made.live = rlm_arena_take(arena, width, sizeof *made.live);
        if (strata->layer)
            strata->layer[l] = made;
    }
    strata->dead = rlm_arena_take(arena, units, 1);
    strata->wanted = rlm_arena_take(arena, units, 1);
    strata->dead_row = rlm_arena_take(arena, units * dead_stride(network), sizeof(float));
    size_t row = units * first->stride;
    if (strata->layers > 2)
        row = rlm_size_max(row, network->layers[1].out_features * network->layers[1].stride);
    strata->row = rlm_arena_take(arena, row, sizeof(float));
    strata->row_bias = rlm_arena_take(arena, rlm_round_up(units, RLM_LANES), sizeof(float));
}

relume_status rlm_strata_init(struct rlm_strata *strata, const relume_network *network,
                              const relume_dataset *dataset, size_t layers, relume_error *error)
{
    struct rlm_strata made = {.network = {network, network}, .layers = layers};
    size_t samples = dataset->train_samples;
    strata_layout(&made.arena, &made, network);
    size_t bytes = made.arena.overflow ? SIZE_MAX : made.arena.used;
    if (!rlm_arena_init(&made.arena, &network->engine->allocator))
        return rlm_error_memory(error, bytes, "the account of what feeds each layer");
    strata_layout(&made.arena, &made, network);
    relume_status status = RELUME_OK;
    for (size_t l = 0; status == RELUME_OK && l < layers; l++) {
        struct rlm_stratum *layer = &made.layer[l];
        for (size_t k = 0; k < layer->width; k++)
            layer->live[k] = (uint32_t)k;
        for (int side = 0; status == RELUME_OK && side < (l == 0 ? 1 : 2); side++)
            status = rlm_inputs_init(&layer->inputs[side], network->engine, samples, layer->width, error);
    }
    if (status != RELUME_OK) {
        rlm_strata_deinit(&made);
        return status;
    }
    if (layers > 0)
        rlm_inputs_pack(&made.layer[0].inputs[0], network, dataset);
    made.reached[0] = made.reached[1] = 1;
    made.step[0] = made.step[1] = UINT64_MAX;
    *strata = made;
    return RELUME_OK;
}

void rlm_strata_deinit(struct rlm_strata *strata)
{
    for (size_t l = 0; strata->layer && l < strata->layers; l++)
        for (int side = 0; side < 2; side++)
            rlm_inputs_deinit(&strata->layer[l].inputs[side]);
    rlm_arena_deinit(&strata->arena);
    *strata = (struct rlm_strata){0};
}

/* ---- which units of the first layer are proved dead ---- */

static bool is_as_counted(const struct rlm_strata *strata, const relume_network *network, size_t unit)
{
    const struct rlm_layer *layer = &network->layers[0];
    const float *kept = strata->dead_row + unit * dead_stride(network);
    return memcmp(kept, layer->weight + unit * layer->stride, layer->in_features * sizeof *kept) == 0 &&
           memcmp(kept + layer->stride, layer->bias + unit, sizeof *kept) == 0;
}

static void remember_dead(struct rlm_strata *strata, const relume_network *network, size_t unit)
{
    const struct rlm_layer *layer = &network->layers[0];
    float *kept = strata->dead_row + unit * dead_stride(network);
    memcpy(kept, layer->weight + unit * layer->stride, layer->in_features * sizeof *kept);
    kept[layer->stride] = layer->bias[unit];
    strata->dead[unit] = 1;
}

/* The map of the second layer's features: all but those proved dead at both sides. One is always left: a
 * layer of no features is no layer. False when it is the map there was. */
static bool choose_live(struct rlm_strata *strata)
{
    struct rlm_stratum *layer = &strata->layer[1];
    bool changed = false;
    for (size_t unit = 0; unit < layer->width; unit++) {
        uint8_t wanted = unit == 0 || !strata->dead[unit] ||
                         !is_as_counted(strata, strata->network[RLM_BEFORE], unit) ||
                         !is_as_counted(strata, strata->network[RLM_AFTER], unit);
        changed = changed || wanted != strata->wanted[unit];
        strata->wanted[unit] = wanted;
    }
    layer->live_count = 0;
    for (size_t unit = 0; unit < layer->width; unit++)
        if (strata->wanted[unit])
            layer->live[layer->live_count++] = (uint32_t)unit;
    return changed;
}

static void swap_sides(struct rlm_strata *strata)
{
    for (size_t l = 1; l < strata->layers; l++) {
        struct rlm_inputs kept = strata->layer[l].inputs[RLM_BEFORE];
        strata->layer[l].inputs[RLM_BEFORE] = strata->layer[l].inputs[RLM_AFTER];
        strata->layer[l].inputs[RLM_AFTER] = kept;
    }
    size_t reached = strata->reached[RLM_BEFORE];
    strata->reached[RLM_BEFORE] = strata->reached[RLM_AFTER];
    strata->reached[RLM_AFTER] = reached;
}

void rlm_strata_move(struct rlm_strata *strata, const relume_network *before, const relume_network *after,
                     uint64_t step)
{
    strata->network[RLM_BEFORE] = before;
    strata->network[RLM_AFTER] = after;
    bool follows = before != after && strata->step[RLM_AFTER] == step - 1;
    bool changed = strata->layers < 2 || choose_live(strata);
    if (follows && !changed)
        swap_sides(strata);
    else
        strata->reached[RLM_BEFORE] = 1;
    strata->reached[RLM_AFTER] = 1;
    strata->step[RLM_BEFORE] = before == after ? step : step - 1;
    strata->step[RLM_AFTER] = step;
}

/* ---- inputs ---- */

/* Which of the first layer's outputs are 0 for every sample, remembered. The list of those still silent
 * shrinks quickly, and with it the work. */
static void find_dead(struct rlm_strata *strata, const struct rlm_inputs *inputs,
                      const relume_network *network)
{
    const struct rlm_stratum *layer = &strata->layer[1];
    uint8_t *silent = strata->wanted; /* borrowed: 2 marks a unit seen to fire */
    size_t panels = rlm_divide_up(inputs->samples, RLM_LANES), left = layer->live_count;
    for (size_t panel = 0; panel < panels && left > 0; panel++) {
        const float *x = inputs->x + panel * inputs->features * RLM_LANES;
        for (size_t k = 0; k < layer->live_count; k++) {
            if (silent[layer->live[k]] == 2)
                continue;
            float sum = 0.0f;
            for (size_t lane = 0; lane < RLM_LANES; lane++)
                sum += x[k * RLM_LANES + lane];
            if (sum > 0.0f) {
                silent[layer->live[k]] = 2;
                left--;
            }
        }
    }
    for (size_t k = 0; k < layer->live_count; k++) {
        if (silent[layer->live[k]] == 1)
            remember_dead(strata, network, layer->live[k]);
        silent[layer->live[k]] = 1;
    }
}

/* The second layer's inputs: rows of the live units, gathered, over the data. */
static void forward_first(struct rlm_strata *strata, enum rlm_side side)
{
    const relume_network *network = strata->network[side];
    const struct rlm_layer *shape = &network->layers[0];
    const struct rlm_stratum *layer = &strata->layer[1];
    struct rlm_inputs *to = &strata->layer[1].inputs[side];
    for (size_t k = 0; k < layer->live_count; k++) {
        memcpy(strata->row + k * shape->stride, shape->weight + layer->live[k] * shape->stride,
               shape->stride * sizeof(float));
        strata->row_bias[k] = shape->bias[layer->live[k]];
    }
    to->features = layer->live_count;
    rlm_inputs_forward(&strata->layer[0].inputs[0], strata->row, shape->stride, strata->row_bias, to);
    find_dead(strata, to, network);
}

/* The third layer's inputs: the second layer's weights of the features that are left. */
static void forward_second(struct rlm_strata *strata, enum rlm_side side)
{
    const struct rlm_layer *shape = &strata->network[side]->layers[1];
    const struct rlm_stratum *layer = &strata->layer[1];
    for (size_t n = 0; n < shape->out_features; n++)
        for (size_t k = 0; k < layer->live_count; k++)
            strata->row[n * shape->stride + k] = shape->weight[n * shape->stride + layer->live[k]];
    rlm_inputs_forward(&layer->inputs[side], strata->row, shape->stride, shape->bias,
                       &strata->layer[2].inputs[side]);
}

static void forward_layer(struct rlm_strata *strata, size_t layer, enum rlm_side side)
{
    const struct rlm_layer *shape = &strata->network[side]->layers[layer - 1];
    const struct rlm_inputs *from = &strata->layer[layer - 1].inputs[side];
    struct rlm_inputs *to = &strata->layer[layer].inputs[side];
    rlm_inputs_forward(from, shape->weight, shape->stride, shape->bias, to);
}

const struct rlm_inputs *rlm_strata_get(struct rlm_strata *strata, size_t layer, enum rlm_side side)
{
    if (layer == 0)
        return &strata->layer[0].inputs[0];
    if (strata->network[RLM_BEFORE] == strata->network[RLM_AFTER])
        side = RLM_AFTER;
    for (; strata->reached[side] <= layer; strata->reached[side]++) {
        if (strata->reached[side] == 1)
            forward_first(strata, side);
        else if (strata->reached[side] == 2)
            forward_second(strata, side);
        else
            forward_layer(strata, strata->reached[side], side);
    }
    return &strata->layer[layer].inputs[side];
}

void rlm_strata_gather(const struct rlm_strata *strata, size_t layer, const float *full, float bias,
                       float *variant)
{
    const struct rlm_stratum *stratum = &strata->layer[layer];
    for (size_t k = 0; k < stratum->live_count; k++)
        variant[k] = full[stratum->live[k]];
    variant[stratum->live_count] = bias;
}

void rlm_variants_fit(struct rlm_variants *variants, const struct rlm_inputs *inputs)
{
    variants->features = inputs->features;
    variants->stride = rlm_round_up(inputs->features, RLM_LANES);
}
