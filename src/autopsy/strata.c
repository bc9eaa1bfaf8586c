/* See strata.h. */
#include "autopsy/strata.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/larger.h"

static size_t dead_stride(const relume_network *network)
{
    return network->layers[0].stride + RLM_LANES;
}

/* Flags of one side. */
static size_t flags(const relume_network *network)
{
    return rlm_pool_threads(network->engine->pool) * network->layers[0].out_features;
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
    strata->verdict = rlm_arena_take(arena, units, 1);
    strata->dead_margin = rlm_arena_take(arena, units, sizeof(float));
    for (int side = 0; side < 2; side++) {
        strata->opened[side] = rlm_arena_take(arena, flags(network), 1);
        strata->there[side] = rlm_arena_take(arena, strata->ground->groups, 1);
    }
    strata->need = rlm_arena_take(arena, strata->ground->groups, 1);
    strata->dead_row = rlm_arena_take(arena, units * dead_stride(network), sizeof(float));
    if (strata->layers > 2)
        strata->row =
            rlm_arena_take(arena, network->layers[1].out_features * network->layers[1].stride, sizeof(float));
}

/* Inputs of a deeper layer, one side: what the ceilings make of the second layer's is listed. */
static relume_status open_inputs(struct rlm_strata *strata, size_t index, int side, relume_error *error)
{
    const struct rlm_inputs *data = &strata->ground->data;
    struct rlm_inputs *inputs = &strata->layer[index].inputs[side];
    RLM_TRY(rlm_inputs_init(inputs, strata->network[0]->engine, data->samples, strata->layer[index].width,
                            error));
    inputs->order = data->order;
    inputs->where = data->where;
    if (index == 1)
        rlm_inputs_make_lists(inputs);
    return RELUME_OK;
}

static relume_status open_layers(struct rlm_strata *strata, relume_error *error)
{
    const relume_network *network = strata->network[0];
    struct rlm_stratum *first = &strata->layer[0];
    for (size_t l = 0; l < strata->layers; l++)
        for (size_t k = 0; k < strata->layer[l].width; k++)
            strata->layer[l].live[k] = (uint32_t)k;
    RLM_TRY(rlm_inputs_share(&first->inputs[0], &strata->ground->data, network->engine, error));
    first->filled[0] = first->filled[1] = first->inputs[0].samples;
    first->measured[0] = first->measured[1] = true;
    for (size_t l = 1; l < strata->layers; l++)
        for (int side = 0; side < 2; side++)
            RLM_TRY(open_inputs(strata, l, side, error));
    return rlm_ceilings_init(&strata->ceilings, network, strata->ground, &first->inputs[0], error);
}

/* They point to the ceilings, and so are made where those stay. */
static relume_status open_intervals(struct rlm_strata *strata, relume_error *error)
{
    for (int side = 0; side < 2 && strata->layers > 1; side++)
        RLM_TRY(rlm_intervals_init(&strata->intervals[side], &strata->ceilings, error));
    return RELUME_OK;
}

relume_status rlm_strata_init(struct rlm_strata *strata, const relume_network *network,
                              const struct rlm_ground *ground, size_t layers, relume_error *error)
{
    struct rlm_strata made = {.network = {network, network}, .ground = ground, .layers = layers};
    strata_layout(&made.arena, &made, network);
    size_t bytes = made.arena.overflow ? SIZE_MAX : made.arena.used;
    if (!rlm_arena_init(&made.arena, &network->engine->allocator))
        return rlm_error_memory(error, bytes, "the account of what feeds each layer");
    strata_layout(&made.arena, &made, network);
    relume_status status = open_layers(&made, error);
    if (status != RELUME_OK) {
        rlm_strata_deinit(&made);
        return status;
    }
    made.step[0] = made.step[1] = made.settled = UINT64_MAX;
    *strata = made;
    status = open_intervals(strata, error);
    if (status != RELUME_OK)
        rlm_strata_deinit(strata);
    return status;
}

void rlm_strata_deinit(struct rlm_strata *strata)
{
    for (size_t l = 0; strata->layer && l < strata->layers; l++)
        for (int side = 0; side < 2; side++)
            rlm_inputs_deinit(&strata->layer[l].inputs[side]);
    for (int side = 0; side < 2; side++)
        rlm_intervals_deinit(&strata->intervals[side]);
    rlm_ceilings_deinit(&strata->ceilings);
    rlm_arena_deinit(&strata->arena);
    *strata = (struct rlm_strata){0};
}

/* ---- which units of the first layer are proved dead ---- */

/* How far the parameters have moved from the row kept, and how large any of both is. */
struct moved {
    double change, largest;
};

static struct moved moved_since(const float *kept, const float *row, size_t count)
{
    float change[RLM_LANES] = {0}, largest[RLM_LANES] = {0};
    struct moved moved = {0};
    for (size_t k = 0; k < count; k += RLM_LANES) /* rows are padded with 0 */
        for (size_t lane = 0; lane < RLM_LANES; lane++) {
            float was = fabsf(kept[k + lane]), is = fabsf(row[k + lane]);
            float by = fabsf(row[k + lane] - kept[k + lane]);
            float size = was > is ? was : is;
            change[lane] = by > change[lane] ? by : change[lane];
            largest[lane] = size > largest[lane] ? size : largest[lane];
        }
    for (size_t lane = 0; lane < RLM_LANES; lane++) {
        moved.change = rlm_larger(moved.change, (double)change[lane]);
        moved.largest = rlm_larger(moved.largest, (double)largest[lane]);
    }
    return moved;
}

/* A unit counted dead, with the largest pre-activation M, is still dead where nothing has moved; and where
 *
 *     M + max|Δ| · norm1 + rounding ≤ 0
 *
 * at the longest sample: M is a ceiling of real values (ceiling.h), those rise by Δ·(x, 1), and the float
 * pre-activation now is within the rounding of inputs.h of them. Each |Δ| is a float difference, low by half
 * a unit in its last place at most; a factor makes up for that and for the sums here. */
static bool is_surely_dead(const struct rlm_strata *strata, const relume_network *network, size_t unit)
{
    const struct rlm_layer *layer = &network->layers[0];
    const struct rlm_inputs *inputs = &strata->layer[0].inputs[0];
    const float *kept = strata->dead_row + unit * dead_stride(network);
    if (!strata->dead[unit])
        return false;
    const float *row = layer->weight + unit * layer->stride;
    double bias = (double)layer->bias[unit], was = (double)kept[layer->stride];
    if (bias == was && memcmp(kept, row, layer->in_features * sizeof *row) == 0)
        return true;
    struct moved moved = moved_since(kept, row, layer->in_features);
    moved.change = rlm_larger(moved.change, fabs(bias - was));
    moved.largest = rlm_larger(moved.largest, rlm_larger(fabs(bias), fabs(was)));
    if (moved.change == 0.0) /* a 0 may have become a −0 */
        return true;
    double rise = moved.change * inputs->norm1[strata->ground->longest] +
                  rlm_inputs_rounding(inputs, moved.largest, strata->ground->longest);
    return (double)strata->dead_margin[unit] + rise * (1.0 + 0x1p-22) <= 0.0;
}

static void remember_dead(struct rlm_strata *strata, const relume_network *network, size_t unit, float margin)
{
    const struct rlm_layer *layer = &network->layers[0];
    float *kept = strata->dead_row + unit * dead_stride(network);
    memcpy(kept, layer->weight + unit * layer->stride, layer->in_features * sizeof *kept);
    kept[layer->stride] = layer->bias[unit];
    strata->dead_margin[unit] = margin;
    strata->dead[unit] = 1;
}

void rlm_strata_note_dead(struct rlm_strata *strata, const relume_network *network, size_t unit, float margin)
{
    const struct rlm_layer *layer = &network->layers[0];
    const struct rlm_inputs *inputs = &strata->layer[0].inputs[0];
    float largest = fabsf(layer->bias[unit]);
    for (size_t k = 0; k < layer->in_features; k++) {
        float size = fabsf(layer->weight[unit * layer->stride + k]);
        largest = size > largest ? size : largest;
    }
    double highest = (double)margin + rlm_inputs_rounding(inputs, (double)largest, strata->ground->longest);
    remember_dead(strata, network, unit, (float)(highest + fabs(highest) * 0x1p-22));
}

void rlm_strata_list_dead(const struct rlm_strata *strata, const relume_network *network, uint8_t *dead)
{
    for (size_t unit = 0; unit < network->layers[0].out_features; unit++)
        dead[unit] = is_surely_dead(strata, network, unit);
}

static void forget_side(struct rlm_strata *strata, enum rlm_side side)
{
    for (size_t l = 1; l < strata->layers; l++)
        strata->layer[l].filled[side] = 0;
    strata->enclosed[side] = 0;
    memset(strata->there[side], 0, strata->ground->groups);
}

static void map_live(struct rlm_stratum *layer, const uint8_t *wanted)
{
    layer->live_count = 0;
    for (size_t unit = 0; unit < layer->width; unit++)
        if (wanted[unit])
            layer->live[layer->live_count++] = (uint32_t)unit;
    layer->inputs[RLM_BEFORE].features = layer->inputs[RLM_AFTER].features = layer->live_count;
}

/* Settles the map of the second layer's features: all but units proved dead at both sides. One is always
 * left: a layer of no features is no layer. A new map throws away what has been computed with the old one: it
 * is made where a unit left out may live, where there is nothing to be thrown away, or where it saves an
 * eighth. */
static void choose_live(struct rlm_strata *strata)
{
    struct rlm_stratum *layer = &strata->layer[1];
    size_t back = 0, out = 0;
    for (size_t unit = 1; unit < layer->width; unit++) {
        bool dead = is_surely_dead(strata, strata->network[RLM_BEFORE], unit) &&
                    is_surely_dead(strata, strata->network[RLM_AFTER], unit);
        back += !dead && !strata->wanted[unit];
        out += dead && strata->wanted[unit];
        strata->verdict[unit] = !dead;
    }
    strata->verdict[0] = 1;
    strata->chosen = true;
    bool lost = layer->filled[RLM_BEFORE] > 0 || strata->enclosed[RLM_BEFORE] > 0;
    if (back == 0 && (out == 0 || (lost && 8 * out < layer->live_count)))
        return;
    memcpy(strata->wanted, strata->verdict, layer->width);
    map_live(layer, strata->wanted);
    strata->settled = UINT64_MAX;
    layer->held[RLM_BEFORE] = layer->held[RLM_AFTER] = 0; /* laid out by the old map */
    strata->kept[RLM_BEFORE] = strata->kept[RLM_AFTER] = 0;
    forget_side(strata, RLM_BEFORE);
    forget_side(strata, RLM_AFTER);
}

static void swap_bytes(uint8_t **pair)
{
    uint8_t *kept = pair[RLM_BEFORE];
    pair[RLM_BEFORE] = pair[RLM_AFTER];
    pair[RLM_AFTER] = kept;
}

static void swap_sizes(size_t *pair)
{
    size_t kept = pair[RLM_BEFORE];
    pair[RLM_BEFORE] = pair[RLM_AFTER];
    pair[RLM_AFTER] = kept;
}

static void swap_sides(struct rlm_strata *strata)
{
    for (size_t l = 1; l < strata->layers; l++) {
        struct rlm_stratum *layer = &strata->layer[l];
        struct rlm_inputs kept = layer->inputs[RLM_BEFORE];
        layer->inputs[RLM_BEFORE] = layer->inputs[RLM_AFTER];
        layer->inputs[RLM_AFTER] = kept;
        swap_sizes(layer->held);
        layer->filled[RLM_BEFORE] = layer->filled[RLM_AFTER];
        layer->measured[RLM_BEFORE] = layer->measured[RLM_AFTER];
    }
    struct rlm_intervals kept = strata->intervals[RLM_BEFORE];
    strata->intervals[RLM_BEFORE] = strata->intervals[RLM_AFTER];
    strata->intervals[RLM_AFTER] = kept;
    swap_sizes(strata->enclosed);
    swap_sizes(strata->kept);
    swap_bytes(strata->there);
    swap_bytes(strata->opened);
}

void rlm_strata_move(struct rlm_strata *strata, const relume_network *before, const relume_network *after,
                     uint64_t step)
{
    strata->network[RLM_BEFORE] = before;
    strata->network[RLM_AFTER] = after;
    if (before != after && strata->step[RLM_AFTER] == step - 1)
        swap_sides(strata);
    else
        forget_side(strata, RLM_BEFORE);
    forget_side(strata, RLM_AFTER);
    strata->chosen = strata->layers < 2;
    strata->looked = false;
    strata->step[RLM_BEFORE] = before == after ? step : step - 1;
    strata->step[RLM_AFTER] = step;
}

/* ---- inputs ---- */

/* All samples have passed the first layer: remembers the units that none opened. */
static void find_dead(struct rlm_strata *strata, enum rlm_side side)
{
    const relume_network *network = strata->network[side];
    const struct rlm_stratum *layer = &strata->layer[1];
    size_t threads = rlm_pool_threads(network->engine->pool), units = network->layers[0].out_features;
    for (size_t k = 0; k < layer->live_count; k++) {
        size_t unit = layer->live[k], opened = 0;
        for (size_t thread = 0; thread < threads; thread++)
            opened += strata->opened[side][thread * units + unit];
        if (opened == 0)
            remember_dead(strata, network, unit, rlm_ceilings_highest(&strata->ceilings, unit));
    }
}

struct rlm_live rlm_strata_live(const struct rlm_strata *strata, enum rlm_side side)
{
    const struct rlm_stratum *layer = &strata->layer[1];
    return (struct rlm_live){&strata->network[side]->layers[0], layer->live, layer->live_count};
}

/* A pass over the data by the live units of one side begins, or goes on. */
static struct rlm_live begin_pass(struct rlm_strata *strata, enum rlm_side side, struct rlm_span span)
{
    struct rlm_live live = rlm_strata_live(strata, side);
    if (span.first == 0)
        memset(strata->opened[side], 0, flags(strata->network[side]));
    if (strata->settled != strata->step[side]) {
        rlm_ceilings_settle(&strata->ceilings, &live);
        strata->looked = false;
    }
    strata->settled = strata->step[side];
    return live;
}

/* The second layer's inputs: the live units over the data. */
static void forward_first(struct rlm_strata *strata, enum rlm_side side, struct rlm_span span)
{
    struct rlm_inputs *to = &strata->layer[1].inputs[side];
    struct rlm_live live = begin_pass(strata, side, span);
    rlm_ceilings_forward(&strata->ceilings, &live, span, strata->opened[side], to);
    if (span.last == to->samples)
        find_dead(strata, side);
}

/* The third layer's inputs: the second layer's weights of the features that are left. */
static void forward_second(struct rlm_strata *strata, enum rlm_side side, struct rlm_span span)
{
    const struct rlm_layer *shape = &strata->network[side]->layers[1];
    const struct rlm_stratum *layer = &strata->layer[1];
    for (size_t n = 0; n < shape->out_features; n++)
        for (size_t k = 0; k < layer->live_count; k++)
            strata->row[n * shape->stride + k] = shape->weight[n * shape->stride + layer->live[k]];
    struct rlm_dense dense = {strata->row, shape->stride, shape->bias};
    rlm_inputs_forward(&layer->inputs[side], span, &dense, &strata->layer[2].inputs[side]);
}

static void forward_layer(struct rlm_strata *strata, size_t layer, enum rlm_side side, struct rlm_span span)
{
    const struct rlm_layer *shape = &strata->network[side]->layers[layer - 1];
    struct rlm_dense dense = {shape->weight, shape->stride, shape->bias};
    rlm_inputs_forward(&strata->layer[layer - 1].inputs[side], span, &dense,
                       &strata->layer[layer].inputs[side]);
}

/* Computes the inputs of the layers up to `layer` for the samples up to `samples`. */
static void fill(struct rlm_strata *strata, size_t layer, enum rlm_side side, size_t samples)
{
    size_t all = strata->layer[0].inputs[0].samples;
    if (layer > 0 && !strata->chosen)
        choose_live(strata);
    for (size_t l = 1; l <= layer; l++) {
        size_t *filled = &strata->layer[l].filled[side];
        struct rlm_span span = {*filled, rlm_size_min(all, rlm_round_up(samples, RLM_INPUTS_CHUNK))};
        if (span.first >= span.last)
            continue;
        if (l == 1)
            forward_first(strata, side, span);
        else if (l == 2)
            forward_second(strata, side, span);
        else
            forward_layer(strata, l, side, span);
        strata->layer[l].measured[side] = l == 1; /* the first layer's ceilings measure on their way */
        *filled = span.last;
        strata->layer[l].held[side] = rlm_size_max(span.last, strata->layer[l].held[side]);
    }
}

const struct rlm_inputs *rlm_strata_recall(const struct rlm_strata *strata, size_t layer)
{
    const struct rlm_stratum *stratum = &strata->layer[layer];
    for (int side = RLM_AFTER; side >= RLM_BEFORE; side--)
        if (stratum->held[side] == stratum->inputs[side].samples)
            return &stratum->inputs[side];
    return NULL;
}

static enum rlm_side side_of(const struct rlm_strata *strata, size_t layer, enum rlm_side side)
{
    if (layer == 0)
        return RLM_BEFORE;
    return strata->network[RLM_BEFORE] == strata->network[RLM_AFTER] ? RLM_AFTER : side;
}

const struct rlm_inputs *rlm_strata_at(struct rlm_strata *strata, size_t layer, enum rlm_side side)
{
    return &strata->layer[layer].inputs[side_of(strata, layer, side)];
}

/* ---- intervals, and inputs here and there ---- */

static size_t samples_of(const struct rlm_strata *strata)
{
    return strata->ground->data.samples;
}

const struct rlm_inputs *rlm_strata_open(struct rlm_strata *strata, size_t layer)
{
    if (layer > 0 && !strata->chosen)
        choose_live(strata);
    return rlm_strata_at(strata, layer, RLM_AFTER);
}

/* By the sketch, at the side's own weights. */
static void enclose(struct rlm_strata *strata, enum rlm_side side, size_t samples)
{
    size_t all = samples_of(strata);
    struct rlm_span span = {strata->enclosed[side],
                            rlm_size_min(all, rlm_round_up(samples, RLM_INPUTS_CHUNK))};
    if (span.first >= span.last)
        return;
    struct rlm_live live = begin_pass(strata, side, span);
    rlm_intervals_make(&strata->intervals[side], &live, span, strata->opened[side]);
    strata->enclosed[side] = span.last;
    strata->kept[side] = rlm_size_max(span.last, strata->kept[side]);
    if (span.last == all)
        find_dead(strata, side);
}

/* Whether intervals or inputs after the update tell of those before it, which then are looked at. */
static bool look_before(struct rlm_strata *strata)
{
    size_t all = samples_of(strata);
    bool computed = strata->layer[1].filled[RLM_AFTER] == all;
    if (strata->network[RLM_BEFORE] == strata->network[RLM_AFTER] ||
        strata->settled != strata->step[RLM_AFTER] || (!computed && strata->enclosed[RLM_AFTER] < all))
        return false;
    struct rlm_live live = rlm_strata_live(strata, RLM_BEFORE);
    if (!strata->looked)
        rlm_ceilings_look(&strata->ceilings, &live);
    strata->looked = true;
    return true;
}

bool rlm_strata_enclose(struct rlm_strata *strata, enum rlm_side side, size_t samples,
                        struct rlm_enclosure *enclosure)
{
    struct rlm_stratum *stratum = &strata->layer[1];
    size_t all = samples_of(strata);
    side = side_of(strata, 1, side);
    (void)rlm_strata_open(strata, 1);
    if (stratum->filled[side] >= samples)
        return false;
    *enclosure =
        (struct rlm_enclosure){.intervals = &strata->intervals[side], .live = rlm_strata_live(strata, side)};
    if (side == RLM_BEFORE && strata->enclosed[side] < all) {
        enclosure->intervals = &strata->intervals[RLM_AFTER];
        enclosure->outputs = stratum->filled[RLM_AFTER] == all ? &stratum->inputs[RLM_AFTER] : NULL;
        enclosure->apart = true;
        return look_before(strata);
    }
    if (!strata->ground->sums.sketch.dots)
        return false;
    enclose(strata, side, samples);
    return true;
}

/* The groups that are asked for and not there yet; whether there are any. */
static bool find_need(struct rlm_strata *strata, enum rlm_side side, const uint8_t *open)
{
    bool any = false;
    for (size_t group = 0; group < strata->ground->groups; group++) {
        strata->need[group] = open[group] && !strata->there[side][group];
        any = any || strata->need[group];
        strata->there[side][group] |= open[group];
    }
    return any;
}

void rlm_strata_expose(struct rlm_strata *strata, size_t layer, enum rlm_side side, const uint8_t *open)
{
    side = side_of(strata, layer, side);
    struct rlm_stratum *stratum = &strata->layer[layer];
    size_t all = samples_of(strata);
    bool enclosed = side == RLM_AFTER ? strata->enclosed[side] > 0 : strata->enclosed[side] == all;
    if (layer != 1 || stratum->filled[side] == all ||
        (!enclosed && (side == RLM_AFTER || !look_before(strata)))) {
        (void)rlm_strata_get(strata, layer, side);
        return;
    }
    if (!find_need(strata, side, open))
        return;
    struct rlm_live live = rlm_strata_live(strata, side);
    struct rlm_openings openings = {0};
    if (enclosed)
        openings = rlm_intervals_openings(&strata->intervals[side]);
    stratum->held[side] = stratum->filled[side] = 0;
    rlm_ceilings_forward_some(&strata->ceilings, &live, strata->need, enclosed ? &openings : NULL,
                              &stratum->inputs[side]);
}

bool rlm_strata_recall_enclosure(const struct rlm_strata *strata, size_t layer,
                                 struct rlm_enclosure *enclosure)
{
    for (int side = RLM_AFTER; side >= RLM_BEFORE && layer == 1; side--)
        if (strata->kept[side] == samples_of(strata)) {
            *enclosure = (struct rlm_enclosure){.intervals = &strata->intervals[side],
                                                .live = rlm_strata_live(strata, side)};
            return true;
        }
    return false;
}

const struct rlm_inputs *rlm_strata_peek(struct rlm_strata *strata, size_t layer, enum rlm_side side,
                                         size_t samples)
{
    side = side_of(strata, layer, side);
    fill(strata, layer, side, samples);
    return &strata->layer[layer].inputs[side];
}

const struct rlm_inputs *rlm_strata_get(struct rlm_strata *strata, size_t layer, enum rlm_side side)
{
    side = side_of(strata, layer, side);
    struct rlm_stratum *stratum = &strata->layer[layer];
    fill(strata, layer, side, stratum->inputs[side].samples);
    if (!stratum->measured[side])
        rlm_inputs_measure(&stratum->inputs[side]);
    stratum->measured[side] = true;
    return &stratum->inputs[side];
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
