/* See forward.h. Packing is cut by panels of 16 samples, each layer by ranges of 16 units. */
#include "network/forward.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "network/range.h"
#include "network/terms.h"

static size_t panel_elements(struct rlm_arena *arena, size_t a, size_t b)
{
    size_t elements = 0;
    if (a > SIZE_MAX - RLM_LANES || b > SIZE_MAX - RLM_LANES ||
        !rlm_size_multiply(rlm_round_up(a, RLM_LANES), rlm_round_up(b, RLM_LANES), &elements))
        arena->overflow = true;
    return elements;
}

/* `lent`: room for z; NULL: it is to be taken. */
static void layer_layout(struct rlm_arena *arena, struct rlm_pass_layer *layer, float *lent, size_t capacity,
                         size_t units, unsigned wants)
{
    size_t elements = panel_elements(arena, capacity, units);
    *layer = (struct rlm_pass_layer){.z = lent ? lent : rlm_arena_take(arena, elements, sizeof(float))};
    if (wants & RLM_PASS_GATES)
        layer->gates = rlm_arena_take(arena, elements / RLM_LANES, sizeof(uint16_t));
    if (wants & RLM_PASS_ACTIVE)
        layer->active = rlm_arena_take(arena, units, sizeof(uint32_t));
    if (wants & RLM_PASS_LIVE) {
        layer->live = rlm_arena_take(arena, units, sizeof(uint32_t));
        layer->asked = rlm_arena_take(arena, units, sizeof(uint32_t));
    }
    if (wants & RLM_PASS_MARGIN)
        layer->margin = rlm_arena_take(arena, units, sizeof(float));
}

/* The sums of all layers, in turn: in the lender's x_features, which it alone uses, where these have room. */
static void sums_layout(struct rlm_arena *arena, struct rlm_pass *pass)
{
    const relume_network *network = pass->network;
    const struct rlm_pass *lender = pass->lender;
    size_t units = 0, done = 0, room = 0;
    for (size_t l = 0; l + 1 < network->layer_count; l++)
        units += network->layers[l].out_features;
    if (lender && lender->x_features)
        room = rlm_round_up(lender->capacity, RLM_LANES) * network->layers[0].in_features * sizeof(float);
    bool lent = units <= room / (RLM_LANES * sizeof(double));
    double *sums = lent ? (double *)(void *)lender->x_features
                        : rlm_arena_take(arena, units, RLM_LANES * sizeof(double));
    for (size_t l = 0; sums && l + 1 < network->layer_count; done += network->layers[l++].out_features)
        pass->layer[l].sum = sums + done * RLM_LANES;
}

/* What all copies of the packed batch may take beside the first, in bytes. */
#define COPIES_MOST ((size_t)1 << 20)

/* A line that another core has just written takes some 6 ns to be read, and a core that writes a line has to
 * take it from the others first: that costs more than packing it oneself, where the first layer is small. A
 * larger one works on its batch for so long that it does not matter, and its copies would need memory.
 * Measured: docs/performance.md. */
static size_t copies_count(const struct rlm_pass *pass, size_t elements, unsigned wants)
{
    const struct rlm_layer *first = &pass->network->layers[0];
    struct rlm_pool *pool = pass->network->engine->pool;
    size_t copies = rlm_pool_threads(pool);
    bool pays = wants & RLM_PASS_FEATURES && !pass->lender &&
                elements <= COPIES_MOST / (2 * sizeof(float)) / rlm_size_max(copies - 1, 1) &&
                rlm_range_is_cut(pool, first->out_features,
                                 pass->capacity * first->in_features * first->out_features);
    return pays ? copies : 1;
}

/* Room for the widest layer's activations as feature panels. Lists of terms are no longer read when these are
 * made, and have more. */
static float *features_layout(struct rlm_arena *arena, const struct rlm_pass *pass, unsigned wants)
{
    size_t widest = 0;
    if (wants & RLM_PASS_LIVE)
        return pass->terms.value;
    for (size_t l = 0; l + 1 < pass->network->layer_count; l++)
        widest = rlm_size_max(widest, pass->network->layers[l].out_features);
    return rlm_arena_take(arena, panel_elements(arena, pass->capacity, widest), sizeof(float));
}

/* Room for the packed batch, and for a gradient of every layer that is to lie there (rlm_pass_holds_dz). */
static float *batch_layout(struct rlm_arena *arena, const struct rlm_pass *pass, size_t elements,
                           unsigned wants)
{
    const relume_network *network = pass->network;
    for (size_t l = 0; wants & RLM_PASS_FEATURES && l + 1 < network->layer_count; l++)
        if (rlm_pass_holds_dz(pass, l))
            elements = rlm_size_max(elements,
                                    panel_elements(arena, pass->capacity, network->layers[l].out_features));
    return rlm_arena_take(arena, elements, sizeof(float));
}

static void pass_layout(struct rlm_arena *arena, struct rlm_pass *pass, unsigned wants)
{
    const relume_network *network = pass->network;
    size_t elements = panel_elements(arena, pass->capacity, network->layers[0].in_features);
    const struct rlm_pass *lender = pass->lender;
    pass->copies = copies_count(pass, elements, wants);
    pass->copy_elements = elements;
    elements *= pass->copies;
    pass->x = lender ? lender->x : batch_layout(arena, pass, elements, wants);
    pass->x_features = wants & RLM_PASS_FEATURES ? rlm_arena_take(arena, elements, sizeof(float)) : NULL;
    if (wants & RLM_PASS_LIVE && lender && lender->terms.value)
        pass->terms = lender->terms;
    else if (wants & RLM_PASS_LIVE)
        rlm_terms_layout(arena, pass);
    if (wants & RLM_PASS_FEATURES)
        pass->features = features_layout(arena, pass, wants);
    for (size_t l = 0; l < network->layer_count; l++)
        layer_layout(arena, &pass->layer[l], lender ? lender->layer[l].z : NULL, pass->capacity,
                     network->layers[l].out_features, network->layers[l].relu ? wants : 0);
    if (wants & RLM_PASS_SUM)
        sums_layout(arena, pass);
}

/* A batch this large reads the weights seldom enough. */
#define LENT_LEAST 128

relume_status rlm_pass_init_beside(struct rlm_pass *pass, const relume_network *network, size_t capacity,
                                   unsigned wants, const struct rlm_pass *lender, relume_error *error)
{
    const relume_allocator *allocator = &network->engine->allocator;
    size_t room = lender ? rlm_round_up(lender->capacity, RLM_LANES) : 0;
    bool lent = room >= rlm_size_min(capacity, LENT_LEAST);
    struct rlm_pass made = {.network = network,
                            .capacity = lent ? rlm_size_min(capacity, room) : capacity,
                            .lender = lent ? lender : NULL,
                            .eager = wants & RLM_PASS_EAGER};
    made.layer = rlm_alloc_zero(allocator, network->layer_count, sizeof *made.layer);
    if (!made.layer)
        return rlm_error_memory(error, network->layer_count * sizeof *made.layer, "a forward pass");
    pass_layout(&made.arena, &made, wants);
    size_t bytes = made.arena.overflow ? SIZE_MAX : made.arena.used;
    if (!rlm_arena_init(&made.arena, allocator)) {
        rlm_free(made.layer);
        return rlm_error_memory(error, bytes, "the activations of a batch");
    }
    pass_layout(&made.arena, &made, wants);
    rlm_pass_reset(&made);
    *pass = made;
    return RELUME_OK;
}

relume_status rlm_pass_init(struct rlm_pass *pass, const relume_network *network, size_t capacity,
                            unsigned wants, relume_error *error)
{
    return rlm_pass_init_beside(pass, network, capacity, wants, NULL, error);
}

void rlm_pass_deinit(struct rlm_pass *pass)
{
    rlm_free(pass->layer);
    rlm_arena_deinit(&pass->arena);
    *pass = (struct rlm_pass){0};
}

void rlm_pass_reset(struct rlm_pass *pass)
{
    for (size_t l = 0; l < pass->network->layer_count; l++) {
        struct rlm_pass_layer *layer = &pass->layer[l];
        size_t units = pass->network->layers[l].out_features;
        for (size_t n = 0; layer->margin && n < units; n++)
            layer->margin[n] = -INFINITY;
        for (size_t i = 0; layer->sum && i < units * RLM_LANES; i++)
            layer->sum[i] = 0.0;
    }
}

size_t rlm_pass_capacity(size_t samples)
{
    return rlm_round_up(rlm_size_min(rlm_size_max(samples, 1), 256), RLM_LANES);
}

bool rlm_pass_holds_dz(const struct rlm_pass *pass, size_t layer)
{
    size_t above = pass->network->layer_count - 1 - layer;
    return above % 2 == 1;
}

/* ---- running ---- */

size_t rlm_pass_copy(const struct rlm_pass *pass, size_t begin, size_t count)
{
    return begin > 0 ? begin * pass->copies / count * pass->copy_elements
                     : 0; /* no unit at all is a part, too */
}

const float *rlm_pass_input(const struct rlm_pass *pass, size_t layer)
{
    return layer == 0 ? pass->x : pass->layer[layer - 1].z;
}

/* A batch of more bytes would push out of the second-level cache what the step needs before it. */
#define FETCH_MOST ((size_t)256 << 10)
#define CACHE_LINE 64

struct pack_region {
    const struct rlm_kernels *kernels;
    struct rlm_pack arguments;
    size_t begin, end; /* samples of the batch, `begin` a multiple of 16 */
    size_t copies, copy_elements;
};

static void pack_range(void *context, size_t begin, size_t end)
{
    const struct pack_region *region = context;
    region->kernels->pack(&region->arguments, (region->begin + begin) / RLM_LANES,
                          rlm_divide_up(region->begin + end, RLM_LANES));
}

static void copy_pack(void *context, size_t copy, size_t thread)
{
    (void)thread;
    const struct pack_region *region = context;
    struct rlm_pack arguments = region->arguments;
    arguments.x += copy * region->copy_elements;
    arguments.x_features += copy * region->copy_elements;
    region->kernels->pack(&arguments, region->begin / RLM_LANES, rlm_divide_up(region->end, RLM_LANES));
}

static void rows_pack(struct pack_region *region, const relume_network *network)
{
    size_t count = region->end - region->begin;
    if (region->copies > 1) {
        rlm_pool_run(network->engine->pool, copy_pack, region, region->copies);
        return;
    }
    /* an element costs some eight multiply-adds: a read out of order, a division, two writes */
    rlm_range_run(network->engine->pool, count, count * region->arguments.features * 8, pack_range, region);
}

/* A batch of rows that stay in their file, in pieces of equal size that the reader can hold. */
static relume_status pieces_pack(struct pack_region *region, const relume_network *network,
                                 const struct rlm_batch *batch, relume_error *error)
{
    const relume_dataset *dataset = batch->dataset;
    size_t piece = rlm_dataset_piece(dataset), pieces = rlm_divide_up(batch->count, piece);
    piece = rlm_round_up(rlm_divide_up(batch->count, pieces), RLM_LANES);
    region->arguments.index = NULL;
    for (size_t begin = 0, count; begin < batch->count; begin += count) {
        count = rlm_size_min(piece, batch->count - begin);
        size_t follow = batch->count - begin - count;
        struct rlm_request request = {.index = batch->index ? batch->index + begin : NULL,
                                      .first = batch->first + begin,
                                      .count = count,
                                      .after = follow + batch->after,
                                      .next = rlm_size_min(piece, follow ? follow : batch->count)};
        RLM_TRY(rlm_dataset_read(dataset, &request, &region->arguments.raw, error));
        region->arguments.first = (size_t)0 - begin; /* sample b of the batch is row b − begin of these */
        region->begin = begin;
        region->end = begin + count;
        rows_pack(region, network);
    }
    return RELUME_OK;
}

static relume_status batch_pack(struct rlm_pass *pass, const struct rlm_batch *batch, relume_error *error)
{
    const relume_network *network = pass->network;
    const relume_dataset *dataset = batch->dataset;
    struct pack_region region = {
        .kernels = network->kernels,
        .arguments = {.batch = batch->count,
                      .features = dataset->features,
                      .raw = dataset->x,
                      .is_u8 = dataset->element == RELUME_U8,
                      .index = batch->index,
                      .first = batch->first,
                      .uniform = network->scaling.uniform != 0,
                      .offset = network->scaling.offset,
                      .divisor = network->scaling.divisor,
                      .x = pass->x,
                      .x_features = pass->x_features},
        .end = batch->count,
        .copies = pass->copies,
        .copy_elements = pass->copy_elements,
    };
    if (dataset->reader)
        return pieces_pack(&region, network, batch, error);
    rows_pack(&region, network);
    return RELUME_OK;
}

/* Asks for a row's lines, and for its label. */
static inline void row_fetch(const relume_dataset *dataset, size_t place, size_t bytes)
{
    const char *row = (const char *)dataset->x + place * bytes, *end = row + bytes;
    for (row -= (uintptr_t)row % CACHE_LINE; row < end; row += CACHE_LINE)
        __builtin_prefetch(row, 0, 2); /* the second level: 2 % faster than the first */
    if (dataset->labels)
        __builtin_prefetch(dataset->labels + place);
}

void rlm_batch_fetch(const struct rlm_batch *batch, size_t begin, size_t end)
{
    const relume_dataset *dataset = batch->dataset;
    size_t bytes = rlm_dataset_row_bytes(dataset);
    if (dataset->reader ||
        bytes * batch->count > FETCH_MOST) /* a reader has been told; else all are in memory */
        return;
    for (size_t i = begin; i < end; i++)
        row_fetch(dataset, batch->index ? batch->index[i] : batch->first + i, bytes);
}

/* Lists cost little beside what they save: the sums of forward and dW are as fast with a list of all units as
 * without, those of dX need the weights packed number by number, which a small batch does not make up for,
 * and the tiles of small layers have no lists at all. Measured: docs/performance.md. */
static bool list_pays(const struct rlm_pass *pass, size_t index, size_t live)
{
    const struct rlm_layer *layer = &pass->network->layers[index];
    size_t units = layer->out_features;
    if (pass->eager)
        return live < units;
    if (pass->capacity <= RLM_LANES && units * layer->stride <= RLM_SMALL_WEIGHTS)
        return live * 2 <= units;
    return live * 16 <= units * (pass->capacity > 64 ? 15 : 12);
}

/* What a unit that is not worked out is to hold, in every panel that a batch may reach. */
static void unit_clear(const struct rlm_pass *pass, struct rlm_pass_layer *layer, size_t units, size_t n)
{
    layer->active[n] = 0;
    for (size_t panel = 0; panel < rlm_divide_up(pass->capacity, RLM_LANES); panel++) {
        memset(layer->z + (panel * units + n) * RLM_LANES, 0, RLM_LANES * sizeof *layer->z);
        if (layer->gates)
            layer->gates[panel * units + n] = 0;
    }
}

void rlm_pass_leave_out(struct rlm_pass *pass, size_t layer, const uint8_t *out)
{
    struct rlm_pass_layer *kept = &pass->layer[layer];
    size_t units = pass->network->layers[layer].out_features;
    kept->asked_count = 0;
    for (size_t n = 0; n < units; n++)
        if (!out[n])
            kept->asked[kept->asked_count++] = (uint32_t)n;
    kept->asks = list_pays(pass, layer, kept->asked_count);
    for (size_t n = 0; kept->asks && n < units; n++)
        if (out[n])
            unit_clear(pass, kept, units, n);
}

/* Sorts a layer's units by whether the batch opened them. Whether that pays is asked of a whole batch, so
 * that the shorter one at an epoch's end is not treated otherwise. */
static void live_list(const struct rlm_pass *pass, size_t index)
{
    struct rlm_pass_layer *layer = &pass->layer[index];
    size_t units = pass->network->layers[index].out_features, live = 0, dead = 0;
    layer->open = 0;
    for (size_t n = 0; n < units; n++) {
        live += layer->active[n] > 0;
        layer->open += layer->active[n];
    }
    layer->live_count = live;
    layer->listed = list_pays(pass, index, live);
    if (!layer->listed)
        return;
    for (size_t n = 0; n < units; n++)
        if (layer->active[n] > 0)
            layer->live[n - dead] = (uint32_t)n;
        else
            layer->live[live + dead++] = (uint32_t)n;
}

struct forward_region {
    const struct rlm_kernels *kernels;
    struct rlm_forward arguments;
    const struct rlm_pass *copied; /* whose packed batch x is; NULL: x is something else */
    atomic_bool finite;
};

static void forward_range(void *context, size_t begin, size_t end)
{
    struct forward_region *region = context;
    struct rlm_forward arguments = region->arguments;
    if (region->copied)
        arguments.x += rlm_pass_copy(region->copied, begin, arguments.out_features);
    if (!region->kernels->forward(&arguments, begin, end))
        atomic_store_explicit(&region->finite, false, memory_order_relaxed);
}

static bool layer_forward(struct rlm_pass *pass, size_t index)
{
    const relume_network *network = pass->network;
    const struct rlm_layer *layer = &network->layers[index];
    struct rlm_pass_layer *kept = &pass->layer[index];
    const struct rlm_pass_layer *below = index > 0 ? kept - 1 : NULL;
    bool listed = below && below->listed;
    size_t steps = listed ? below->live_count : layer->in_features;
    size_t units = kept->asks ? kept->asked_count : layer->out_features;
    struct rlm_terms terms;
    bool few = kept->live && !kept->asks && rlm_terms_forward(pass, index, &terms);
    struct forward_region region = {
        .kernels = network->kernels,
        .arguments = {.batch = pass->batch,
                      .in_features = layer->in_features,
                      .out_features = layer->out_features,
                      .x = rlm_pass_input(pass, index),
                      .weight = layer->weight,
                      .stride = layer->stride,
                      .inputs = listed ? below->live : NULL,
                      .input_count = steps,
                      .units = kept->asks ? kept->asked : NULL,
                      .unit_count = units,
                      .terms = few ? &terms : NULL,
                      .bias = layer->bias,
                      .z = kept->z,
                      .relu = layer->relu,
                      .gates = kept->gates,
                      .active = kept->active,
                      .margin = kept->margin,
                      .sum = kept->sum},
        .copied = index == 0 ? pass : NULL,
    };
    atomic_init(&region.finite, true);
    rlm_range_run(network->engine->pool, layer->out_features, pass->batch * steps * units, forward_range,
                  &region);
    if (kept->live)
        live_list(pass, index);
    return atomic_load_explicit(&region.finite, memory_order_relaxed);
}

struct features_region {
    const struct rlm_kernels *kernels;
    struct rlm_pick arguments;
};

static void features_range(void *context, size_t begin, size_t end)
{
    const struct features_region *region = context;
    region->kernels->pick(&region->arguments, begin, end);
}

const float *rlm_pass_features(const struct rlm_pass *pass, size_t layer, const uint32_t *list, size_t count)
{
    if (layer == 0)
        return pass->x_features;
    struct features_region region = {
        .kernels = pass->network->kernels,
        .arguments = {.batch = pass->batch,
                      .columns = pass->network->layers[layer].in_features,
                      .in = rlm_pass_input(pass, layer),
                      .list = list,
                      .count = count,
                      .out = pass->features},
    };
    /* a number costs some eight multiply-adds: read, turned, written */
    if (count > 0)
        rlm_range_run(pass->network->engine->pool, count, pass->batch * count * 8, features_range, &region);
    return pass->features;
}

/* The pre-activation of one unit and sample once more, as the kernel's definition says. */
static float preactivation(const struct rlm_pass *pass, size_t index, size_t unit, size_t place)
{
    const struct rlm_layer *layer = &pass->network->layers[index];
    const float *x =
        rlm_pass_input(pass, index) + place / RLM_LANES * layer->in_features * RLM_LANES + place % RLM_LANES;
    float sum = 0.0f;
    for (size_t k = 0; k < layer->in_features; k++)
        sum = fmaf(x[k * RLM_LANES], layer->weight[unit * layer->stride + k], sum);
    return sum + layer->bias[unit];
}

static void fault_find(const struct rlm_pass *pass, size_t layer, const struct rlm_batch *batch,
                       struct rlm_fault *fault)
{
    *fault = (struct rlm_fault){.layer = layer, .value = NAN};
    for (size_t unit = 0; unit < pass->network->layers[layer].out_features; unit++)
        for (size_t place = 0; place < pass->batch; place++) {
            float value = preactivation(pass, layer, unit, place);
            if (!isfinite(value)) {
                size_t sample = batch->index ? batch->index[place] : batch->first + place;
                fault->unit = unit;
                fault->sample = sample;
                fault->value = value;
                return;
            }
        }
}

bool rlm_pass_run(struct rlm_pass *pass, const struct rlm_batch *batch, struct rlm_fault *fault)
{
    pass->batch = batch->count;
    relume_status reading = batch_pack(pass, batch, fault ? &fault->why : NULL);
    if (reading != RELUME_OK) {
        if (fault)
            fault->reading = reading;
        return false;
    }
    for (size_t l = 0; l < pass->network->layer_count; l++)
        if (!layer_forward(pass, l)) {
            if (fault)
                fault_find(pass, l, batch, fault);
            return false;
        }
    return true;
}

relume_status rlm_fault_report(const struct rlm_fault *fault, const relume_network *network, const char *when,
                               relume_error *error)
{
    char unit[64];
    if (fault->reading != RELUME_OK) {
        if (error)
            *error = fault->why;
        return fault->reading;
    }
    (void)snprintf(unit, sizeof unit, "%s.%zu", network->layers[fault->layer].name, fault->unit);
    rlm_error_at_item(error, unit);
    return rlm_error_set(error, RELUME_DIVERGED,
                         "%s: the pre-activation of unit %s is %g for sample %zu, expected a finite number",
                         when, unit, (double)fault->value, fault->sample);
}

relume_status rlm_pass_check(const relume_network *network, const relume_dataset *dataset,
                             relume_error *error)
{
    if (dataset->features == network->layers[0].in_features)
        return RELUME_OK;
    return rlm_error_set(error, RELUME_MISMATCH, "dataset %s has %zu features, the network takes %zu",
                         dataset->name, dataset->features, network->layers[0].in_features);
}
