/* Gathering units one by one: a pass over the training split that looks at every pre-activation of the units
 * that have room in a report, and keeps a histogram, the samples with the highest, and the weights.
 *
 * The pass computes pre-activations with the kernel that training uses, so they are the same bits. Where
 * there is not room for all units, dead ones come first, then those with a past, then the nearly dead. */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "network/forward.h"
#include "network/range.h"
#include "report/gather.h"

#define TOP 6                 /* samples with the highest pre-activation, of each unit */
enum { HALF = RLM_BINS / 2 }; /* bins on each side of 0 */
#define NONE UINT32_MAX       /* a unit that has no room */

/* What is kept of one unit. */
struct watch {
    size_t layer, unit;
    double width; /* of a bin; 0 before the first pre-activation that is not 0 */
    uint32_t bin[RLM_BINS];
    size_t top; /* samples kept so far, the highest first */
    uint32_t sample[TOP];
    float p[TOP];
};

struct watches {
    size_t count, each; /* units watched; samples to be kept of each, TOP or as many as there are */
    struct watch *watch;
    uint32_t **slot; /* [layer][unit]: index into watch, or NONE */
};

/* ---- looking at one pre-activation ---- */

/* Twice the width: neighbours add up in pairs, away from the 0 between bins HALF − 1 and HALF. */
static void widen(struct watch *watch)
{
    uint32_t bin[RLM_BINS] = {0};
    for (int i = 0; i < HALF; i++) {
        bin[HALF + i / 2] += watch->bin[HALF + i];
        bin[HALF - 1 - i / 2] += watch->bin[HALF - 1 - i];
    }
    memcpy(watch->bin, bin, sizeof bin);
    watch->width *= 2;
}

/* The first width is a power of two at which |p| falls into the outer half, so that all later ones are powers
 * of two and every bin's ends are exact. */
static void count_bin(struct watch *watch, float p)
{
    if (watch->width == 0) {
        if (p == 0) {
            watch->bin[HALF - 1]++;
            return;
        }
        int exponent;
        (void)frexp(fabs((double)p), &exponent);
        watch->width = ldexp(1.0, exponent) / HALF;
    }
    while (fabs((double)p) > watch->width * HALF)
        widen(watch);
    int i = (int)ceil((double)p / watch->width) - 1 + HALF;
    watch->bin[i < 0 ? 0 : i]++; /* the left end of the lowest bin belongs to it */
}

static void keep_top(struct watch *watch, size_t each, uint32_t sample, float p)
{
    if (watch->top == each && p <= watch->p[each - 1])
        return;
    size_t at = watch->top < each ? watch->top++ : each - 1;
    for (; at > 0 && watch->p[at - 1] < p; at--) {
        watch->p[at] = watch->p[at - 1];
        watch->sample[at] = watch->sample[at - 1];
    }
    watch->p[at] = p;
    watch->sample[at] = sample;
}

/* ---- the pass ---- */

struct region {
    const struct rlm_kernels *kernels;
    struct rlm_forward arguments;
    struct watches *watches;
    const uint32_t *slot;
    size_t first; /* sample at place 0 of the batch */
    atomic_bool finite;
};

static void look_range(void *context, size_t begin, size_t end)
{
    struct region *region = context;
    size_t units = region->arguments.out_features;
    if (!region->kernels->forward(&region->arguments, begin, end))
        atomic_store_explicit(&region->finite, false, memory_order_relaxed);
    for (size_t u = begin; u < end; u++) {
        if (region->slot[u] == NONE)
            continue;
        struct watch *watch = &region->watches->watch[region->slot[u]];
        for (size_t b = 0; b < region->arguments.batch; b++) {
            float p = region->arguments.z[(b / RLM_LANES * units + u) * RLM_LANES + b % RLM_LANES];
            if (!isfinite(p))
                return;
            count_bin(watch, p);
            keep_top(watch, region->watches->each, (uint32_t)(region->first + b), p);
        }
    }
}

static bool look_layer(const struct rlm_pass *pass, size_t l, size_t first, float *p, struct watches *watches)
{
    const struct rlm_layer *layer = &pass->network->layers[l];
    struct region region = {
        .kernels = pass->network->kernels,
        .arguments = {.batch = pass->batch,
                      .in_features = layer->in_features,
                      .out_features = layer->out_features,
                      .x = l == 0 ? pass->x : pass->layer[l - 1].z,
                      .weight = layer->weight,
                      .stride = layer->stride,
                      .bias = layer->bias,
                      .z = p},
        .watches = watches,
        .slot = watches->slot[l],
        .first = first,
    };
    atomic_init(&region.finite, true);
    rlm_range_run(pass->network->engine->pool, layer->out_features,
                  pass->batch * layer->in_features * layer->out_features, look_range, &region);
    return atomic_load_explicit(&region.finite, memory_order_relaxed);
}

static relume_status look_everywhere(struct rlm_gather *gather, struct rlm_pass *pass, float *p,
                                     struct watches *watches, bool *finite, relume_error *error)
{
    struct rlm_fault fault;
    size_t samples = relume_dataset_get_samples(gather->dataset, RELUME_SPLIT_TRAIN);
    for (size_t first = 0; first < samples; first += pass->capacity) {
        if (gather->stop && *gather->stop)
            return rlm_error_set(error, RELUME_INTERRUPTED, "stopped while going through the data");
        struct rlm_batch batch = {.dataset = gather->dataset,
                                  .first = first,
                                  .count = rlm_size_min(pass->capacity, samples - first)};
        *finite = rlm_pass_run(pass, &batch, &fault);
        if (!*finite)
            return fault.reading == RELUME_OK ? RELUME_OK
                                              : rlm_fault_report(&fault, gather->network, "", error);
        for (size_t l = 0; l < gather->facts->layers && *finite; l++)
            *finite = look_layer(pass, l, first, p, watches);
        if (!*finite)
            break;
    }
    return RELUME_OK;
}

static relume_status run_pass(struct rlm_gather *gather, struct watches *watches, bool *finite,
                              relume_error *error)
{
    size_t widest = 0,
           capacity = rlm_pass_capacity(relume_dataset_get_samples(gather->dataset, RELUME_SPLIT_TRAIN));
    struct rlm_pass pass = {0};
    for (size_t l = 0; l < gather->facts->layers; l++)
        widest = rlm_size_max(widest, gather->facts->layer[l].units);
    RLM_TRY(rlm_pass_init(&pass, gather->network, capacity, 0, error));
    float *p = rlm_alloc(gather->facts->bag.allocator, rlm_round_up(capacity, RLM_LANES) * widest, sizeof *p);
    relume_status status = RELUME_OK;
    if (p)
        status = look_everywhere(gather, &pass, p, watches, finite, error);
    else
        status = rlm_error_memory(error, capacity * widest * sizeof *p, "a batch's pre-activations");
    rlm_free(p);
    rlm_pass_deinit(&pass);
    return status;
}

/* ---- which units ---- */

struct rank {
    size_t layer, unit;
    int rank;
};

static int by_rank(const void *left, const void *right)
{
    const struct rank *a = left, *b = right;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (a->layer != b->layer)
        return a->layer < b->layer ? -1 : 1;
    return a->unit < b->unit ? -1 : a->unit > b->unit;
}

static int by_place(const void *left, const void *right)
{
    const struct watch *a = left, *b = right;
    if (a->layer != b->layer)
        return a->layer < b->layer ? -1 : 1;
    return a->unit < b->unit ? -1 : a->unit > b->unit;
}

static relume_status rank_units(struct rlm_facts *facts, struct rank **ranks, relume_error *error)
{
    struct rank *rank;
    size_t *first, i = 0;
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, rank, facts->hidden_units, "a report's choice of units", error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, first, facts->layers, "a report's choice of units", error));
    for (size_t l = 0; l < facts->layers; l++) {
        first[l] = i;
        for (size_t u = 0; u < facts->layer[l].units; u++) {
            relume_unit_state state = facts->layer[l].unit[u].state;
            rank[i++] = (struct rank){l, u, state == RELUME_DEAD ? 0 : state == RELUME_NEARLY_DEAD ? 2 : 3};
        }
    }
    for (size_t e = 0; e < facts->events.count; e++) {
        struct rank *had = &rank[first[facts->event[e].layer] + facts->event[e].unit];
        had->rank = had->rank > 1 ? 1 : had->rank;
    }
    qsort(rank, facts->hidden_units, sizeof *rank, by_rank);
    *ranks = rank;
    return RELUME_OK;
}

/* Characters a unit takes: a histogram that compresses to half, six samples, a few numbers, and the first
 * layer's weights. */
static size_t unit_cost(const struct rlm_facts *facts, size_t layer)
{
    return (2 * RLM_BINS + 8 * TOP + 20 + (layer == 0 ? facts->features : 0)) * 4 / 3;
}

static relume_status choose_units(struct rlm_facts *facts, struct watches *watches, relume_error *error)
{
    struct rank *rank = NULL;
    size_t room = rlm_facts_room(facts->hidden_units).units;
    RLM_TRY(rank_units(facts, &rank, error));
    while (watches->count < facts->hidden_units && unit_cost(facts, rank[watches->count].layer) <= room)
        room -= unit_cost(facts, rank[watches->count++].layer);
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, watches->watch, watches->count, "a report's units", error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, watches->slot, facts->layers, "a report's units", error));
    for (size_t i = 0; i < watches->count; i++) {
        watches->watch[i].layer = rank[i].layer;
        watches->watch[i].unit = rank[i].unit;
    }
    qsort(watches->watch, watches->count, sizeof *watches->watch, by_place);
    for (size_t l = 0; l < facts->layers; l++) {
        RLM_TRY(
            RLM_BAG_TAKE(&facts->bag, watches->slot[l], facts->layer[l].units, "a report's units", error));
        for (size_t u = 0; u < facts->layer[l].units; u++)
            watches->slot[l][u] = NONE;
    }
    for (size_t i = 0; i < watches->count; i++)
        watches->slot[watches->watch[i].layer][watches->watch[i].unit] = (uint32_t)i;
    return RELUME_OK;
}

/* ---- packing ---- */

/* The columns before they are packed: one array for each field, as the page reads them, not one struct a
 * unit. `rows` units, those of the first layer, have weights. */
struct columns {
    uint32_t *layer, *unit, *histogram, *sample;
    float *width, *bias, *norm, *p, *scale;
    int8_t *weight;
};

static relume_status take_columns(struct rlm_facts *facts, size_t count, size_t rows, struct columns *to,
                                  relume_error *error)
{
    static const char what[] = "a report's units";
    size_t each = facts->units.each;
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, to->layer, count, what, error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, to->unit, count, what, error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, to->histogram, count * RLM_BINS, what, error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, to->sample, count * each, what, error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, to->p, count * each, what, error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, to->width, count, what, error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, to->bias, count, what, error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, to->norm, count, what, error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, to->scale, rows, what, error));
    return RLM_BAG_TAKE(&facts->bag, to->weight, rows * facts->features, what, error);
}

/* The 2-norm of a row; its weights in 255 steps of the largest, with `to` not NULL. */
static float squeeze_row(const float *row, size_t columns, float *scale, int8_t *to)
{
    double squares = 0, largest = 0;
    for (size_t k = 0; k < columns; k++) {
        squares += (double)row[k] * (double)row[k];
        largest = fmax(largest, fabs((double)row[k]));
    }
    if (to) {
        *scale = (float)largest;
        for (size_t k = 0; k < columns; k++)
            to[k] = (int8_t)(largest > 0 ? floor(127 * (double)row[k] / largest + 0.5) : 0);
    }
    return (float)sqrt(squares);
}

static void fill_columns(const struct rlm_gather *gather, const struct watches *watches, struct columns *to)
{
    size_t each = watches->each, features = gather->facts->features;
    for (size_t i = 0; i < watches->count; i++) {
        const struct watch *watch = &watches->watch[i];
        relume_layer layer = relume_network_get_layer(gather->network, watch->layer);
        bool first = watch->layer == 0; /* these come first, so i is their row */
        to->layer[i] = (uint32_t)watch->layer;
        to->unit[i] = (uint32_t)watch->unit;
        to->width[i] = (float)watch->width;
        to->bias[i] = layer.bias[watch->unit];
        to->norm[i] = squeeze_row(layer.weight + watch->unit * layer.weight_stride, layer.in_features,
                                  first ? &to->scale[i] : NULL, first ? to->weight + i * features : NULL);
        memcpy(to->histogram + i * RLM_BINS, watch->bin, sizeof watch->bin);
        memcpy(to->sample + i * each, watch->sample, each * sizeof *to->sample);
        memcpy(to->p + i * each, watch->p, each * sizeof *to->p);
    }
}

static relume_status pack_columns(struct rlm_facts *facts, const struct columns *from, relume_error *error)
{
    struct rlm_facts_units *u = &facts->units;
    struct rlm_bag *bag = &facts->bag;
    RLM_TRY(rlm_pack_u32(bag, from->layer, u->count, &u->layer, error));
    RLM_TRY(rlm_pack_u32(bag, from->unit, u->count, &u->unit, error));
    RLM_TRY(rlm_pack_f32(bag, from->width, u->count, &u->width, error));
    RLM_TRY(rlm_pack_u32(bag, from->histogram, u->count * RLM_BINS, &u->histogram, error));
    RLM_TRY(rlm_pack_f32(bag, from->bias, u->count, &u->bias, error));
    RLM_TRY(rlm_pack_f32(bag, from->norm, u->count, &u->weight_norm, error));
    RLM_TRY(rlm_pack_u32(bag, from->sample, u->count * u->each, &u->sample, error));
    RLM_TRY(rlm_pack_f32(bag, from->p, u->count * u->each, &u->p, error));
    RLM_TRY(rlm_pack_f32(bag, from->scale, u->weight_rows, &u->weight_scale, error));
    return rlm_pack_i8(bag, from->weight, u->weight_rows * u->weight_columns, &u->weight, error);
}

static relume_status keep_units(struct rlm_gather *gather, const struct watches *watches, relume_error *error)
{
    struct rlm_facts_units *u = &gather->facts->units;
    struct columns columns = {0};
    u->of = gather->facts->hidden_units;
    u->count = watches->count;
    u->each = watches->each;
    u->weight_columns = gather->facts->features;
    while (u->weight_rows < u->count && watches->watch[u->weight_rows].layer == 0)
        u->weight_rows++;
    RLM_TRY(take_columns(gather->facts, u->count, u->weight_rows, &columns, error));
    fill_columns(gather, watches, &columns);
    return pack_columns(gather->facts, &columns, error);
}

/* ---- the samples they name ---- */

/* Raw features as grey values: 0 … largest, or smallest … largest where some are negative. */
static relume_status paint(const relume_dataset *dataset, const uint32_t *index, size_t count, uint8_t *image,
                           relume_error *error)
{
    size_t features = dataset->features;
    double low = 0, high = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < count; i++) {
            const void *row;
            size_t one = 1;
            RLM_TRY(rlm_dataset_read_some(dataset, index[i], &one, &row, error));
            for (size_t f = 0; f < features; f++) {
                double raw = dataset->element == RELUME_U8 ? (double)((const uint8_t *)row)[f]
                                                           : (double)((const float *)row)[f];
                if (pass == 1)
                    image[i * features + f] =
                        (uint8_t)(high > low ? floor(255 * (raw - low) / (high - low) + 0.5) : 0);
                low = fmin(low, raw);
                high = fmax(high, raw);
            }
        }
    return RELUME_OK;
}

/* Samples by rank over all units until there is no room: every unit's first comes before any unit's second.
 */
static relume_status choose_samples(struct rlm_facts *facts, const struct watches *watches, size_t samples,
                                    uint32_t **chosen, size_t *count, relume_error *error)
{
    bool image = facts->image_rows > 0;
    size_t most = rlm_facts_room(facts->hidden_units).images * 3 / 4 / (8 + (image ? facts->features : 0));
    bool *taken;
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, taken, samples, "a report's samples", error));
    for (size_t rank = 0; rank < watches->each; rank++)
        for (size_t i = 0; i < watches->count && *count < most; i++) {
            bool *it = &taken[watches->watch[i].sample[rank]];
            *count += !*it;
            *it = true;
        }
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, *chosen, *count, "a report's samples", error));
    for (size_t s = 0, to = 0; s < samples; s++)
        if (taken[s])
            (*chosen)[to++] = (uint32_t)s;
    return RELUME_OK;
}

static relume_status keep_samples(struct rlm_gather *gather, const struct watches *watches,
                                  relume_error *error)
{
    struct rlm_facts *facts = gather->facts;
    const relume_dataset *dataset = gather->dataset;
    uint32_t *index = NULL, *label;
    uint8_t *image;
    size_t count = 0;
    RLM_TRY(choose_samples(facts, watches, relume_dataset_get_samples(dataset, RELUME_SPLIT_TRAIN), &index,
                           &count, error));
    facts->sample.count = count;
    RLM_TRY(rlm_pack_u32(&facts->bag, index, count, &facts->sample.index, error));
    if (dataset->labels) {
        RLM_TRY(RLM_BAG_TAKE(&facts->bag, label, count, "a report's labels", error));
        for (size_t i = 0; i < count; i++)
            label[i] = dataset->labels[index[i]];
        RLM_TRY(rlm_pack_u32(&facts->bag, label, count, &facts->sample.label, error));
    }
    if (facts->image_rows == 0)
        return RELUME_OK;
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, image, count * dataset->features, "a report's images", error));
    RLM_TRY(paint(dataset, index, count, image, error));
    return rlm_pack_u8(&facts->bag, image, count * dataset->features, &facts->sample.image, error);
}

relume_status rlm_gather_units(struct rlm_gather *gather, relume_error *error)
{
    struct rlm_facts *facts = gather->facts;
    size_t samples = relume_dataset_get_samples(gather->dataset, RELUME_SPLIT_TRAIN);
    struct watches watches = {.each = rlm_size_min(TOP, samples)};
    bool finite = false;
    facts->units.each = watches.each;
    if (facts->hidden_units == 0 || samples == 0 || samples >= NONE)
        return RELUME_OK;
    RLM_TRY(choose_units(facts, &watches, error));
    if (watches.count == 0)
        return RELUME_OK;
    RLM_TRY(run_pass(gather, &watches, &finite, error));
    if (!finite)
        return rlm_facts_print(facts, &facts->dataset_trouble, error,
                               "a pre-activation of the model is not finite on %s", facts->dataset);
    RLM_TRY(keep_units(gather, &watches, error));
    return keep_samples(gather, &watches, error);
}
