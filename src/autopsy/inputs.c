/* See inputs.h. Work is cut by samples, so that a single variant keeps every thread busy. */
#include "autopsy/inputs.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/larger.h"

#define CHUNK RLM_INPUTS_CHUNK /* samples a task: 16 panels */

static void inputs_layout(struct rlm_arena *arena, struct rlm_inputs *inputs)
{
    size_t padded = rlm_round_up(inputs->samples, RLM_LANES), elements = 0;
    if (!rlm_size_multiply(padded, inputs->features, &elements))
        arena->overflow = true;
    inputs->x = rlm_arena_take(arena, elements, sizeof *inputs->x);
    inputs->norm1 = rlm_arena_take(arena, padded, sizeof *inputs->norm1);
    inputs->norm2 = rlm_arena_take(arena, padded, sizeof *inputs->norm2);
}

relume_status rlm_inputs_init(struct rlm_inputs *inputs, relume_engine *engine, size_t samples,
                              size_t features, relume_error *error)
{
    struct rlm_inputs made = {.engine = engine, .samples = samples, .features = features, .width = features};
    inputs_layout(&made.arena, &made);
    size_t bytes = made.arena.overflow ? SIZE_MAX : made.arena.used;
    if (!rlm_arena_init_unset(&made.arena, &engine->allocator))
        return rlm_error_memory(error, bytes, "the inputs of a layer over the whole training split");
    inputs_layout(&made.arena, &made);
    *inputs = made;
    return RELUME_OK;
}

void rlm_inputs_deinit(struct rlm_inputs *inputs)
{
    rlm_arena_deinit(&inputs->arena);
    rlm_arena_deinit(&inputs->lists);
    rlm_arena_deinit(&inputs->raw);
    *inputs = (struct rlm_inputs){0};
}

static size_t chunk_samples(size_t samples, size_t task)
{
    return rlm_size_min(CHUNK, samples - task * CHUNK);
}

/* ---- norms ---- */

/* A sum of n positive doubles is low by at most n u of itself; the factor makes norm1 an upper bound. */
void rlm_inputs_put_norms(struct rlm_inputs *inputs, size_t panel, const double *sum, const double *squares)
{
    double upward = 1.0 + (double)(inputs->width + 2) * 0x1p-52;
    for (size_t lane = 0; lane < RLM_LANES; lane++) {
        inputs->norm1[panel * RLM_LANES + lane] = (sum[lane] + 1.0) * upward;
        inputs->norm2[panel * RLM_LANES + lane] = sqrt(squares[lane] + 1.0);
    }
}

static void measure_panel(struct rlm_inputs *inputs, size_t panel)
{
    double sum[RLM_LANES] = {0}, squares[RLM_LANES] = {0};
    const float *x = inputs->x + panel * inputs->features * RLM_LANES;
    for (size_t k = 0; k < inputs->features; k++)
        for (size_t lane = 0; lane < RLM_LANES; lane++) {
            double value = (double)x[k * RLM_LANES + lane];
            sum[lane] += fabs(value);
            squares[lane] += value * value;
        }
    rlm_inputs_put_norms(inputs, panel, sum, squares);
}

double rlm_inputs_norm1(const struct rlm_inputs *inputs, size_t place)
{
    double sum = 0.0;
    for (size_t k = 0; k < inputs->features; k++)
        sum += fabs((double)rlm_inputs_get(inputs, place, k));
    return (sum + 1.0) * (1.0 + (double)(inputs->width + 2) * 0x1p-52);
}

static void measure_chunk(void *context, size_t task, size_t thread)
{
    (void)thread;
    struct rlm_inputs *inputs = context;
    size_t first = task * CHUNK / RLM_LANES;
    size_t panels = rlm_divide_up(chunk_samples(inputs->samples, task), RLM_LANES);
    for (size_t panel = first; panel < first + panels; panel++)
        measure_panel(inputs, panel);
}

void rlm_inputs_measure(struct rlm_inputs *inputs)
{
    rlm_pool_run(inputs->engine->pool, measure_chunk, inputs, rlm_divide_up(inputs->samples, CHUNK));
}

/* ---- filling ---- */

struct pack_region {
    struct rlm_inputs *inputs;
    const relume_network *network;
    const relume_dataset *dataset;
    struct rlm_rows rows;
};

static void pack_chunk(void *context, size_t task, size_t thread)
{
    (void)thread;
    const struct pack_region *region = context;
    const relume_dataset *dataset = region->dataset;
    const relume_scaling *scaling = &region->network->scaling;
    size_t count = chunk_samples(region->inputs->samples, task);
    const uint32_t *order = region->inputs->order; /* training rows come first in a dataset */
    struct rlm_pack pack = {.batch = count,
                            .features = dataset->features,
                            .raw = dataset->x,
                            .is_u8 = dataset->element == RELUME_U8,
                            .index = order ? order + task * CHUNK : NULL,
                            .first = region->rows.first + task * CHUNK,
                            .uniform = scaling->uniform != 0,
                            .offset = scaling->offset,
                            .divisor = scaling->divisor,
                            .x = region->inputs->x + task * CHUNK * dataset->features};
    rlm_kernels_get(region->inputs->engine->level)->pack(&pack, 0, rlm_divide_up(count, RLM_LANES));
}

void rlm_inputs_pack(struct rlm_inputs *inputs, const relume_network *network, const relume_dataset *dataset)
{
    struct pack_region region = {inputs, network, dataset, rlm_dataset_rows(dataset, RELUME_SPLIT_TRAIN)};
    rlm_pool_run(inputs->engine->pool, pack_chunk, &region, rlm_divide_up(inputs->samples, CHUNK));
}

struct forward_region {
    const struct rlm_inputs *inputs;
    struct rlm_dense dense;
    size_t units;
    bool relu;
    float *z; /* sample panels [samples, units] */
    struct rlm_span span;
};

static void forward_chunk(void *context, size_t task, size_t thread)
{
    const struct forward_region *region = context;
    const struct rlm_inputs *inputs = region->inputs;
    size_t first = region->span.first + task * CHUNK, last = rlm_size_min(first + CHUNK, region->span.last);
    for (; first < last; first += RLM_GROUP) {
        struct rlm_forward forward = rlm_inputs_group(inputs, first / RLM_GROUP, thread, &region->dense,
                                                      region->units, region->z + first * region->units);
        forward.batch = rlm_size_min(RLM_GROUP, last - first);
        forward.relu = region->relu;
        (void)rlm_kernels_get(inputs->engine->level)
            ->forward(&forward, 0, region->units); /* weights of a run are finite: checked by it */
    }
}

static void forward_run(struct forward_region *region)
{
    rlm_pool_run(region->inputs->engine->pool, forward_chunk, region,
                 rlm_divide_up(region->span.last - region->span.first, CHUNK));
}

void rlm_inputs_forward(const struct rlm_inputs *inputs, struct rlm_span span, const struct rlm_dense *dense,
                        struct rlm_inputs *next)
{
    struct forward_region region = {inputs, *dense, next->features, true, next->x, span};
    forward_run(&region);
}

/* ---- variants ---- */

static void variants_layout(struct rlm_arena *arena, struct rlm_variants *variants, size_t samples)
{
    size_t elements = 0;
    if (!rlm_size_multiply(rlm_round_up(samples, RLM_LANES), variants->capacity, &elements))
        arena->overflow = true;
    variants->weight = rlm_arena_take(arena, variants->capacity * variants->stride, sizeof(float));
    variants->bias = rlm_arena_take(arena, variants->capacity, sizeof(float));
    variants->p = rlm_arena_take(arena, elements, sizeof(float));
}

relume_status rlm_variants_init(struct rlm_variants *variants, const struct rlm_inputs *inputs,
                                size_t capacity, relume_error *error)
{
    struct rlm_variants made = {.capacity = capacity,
                                .features = inputs->features,
                                .stride = rlm_round_up(inputs->features, RLM_LANES)};
    variants_layout(&made.arena, &made, inputs->samples);
    size_t bytes = made.arena.overflow ? SIZE_MAX : made.arena.used;
    if (!rlm_arena_init_unset(&made.arena, &inputs->engine->allocator))
        return rlm_error_memory(error, bytes, "the pre-activations of a unit over the whole training split");
    variants_layout(&made.arena, &made, inputs->samples);
    *variants = made;
    return RELUME_OK;
}

void rlm_variants_deinit(struct rlm_variants *variants)
{
    rlm_arena_deinit(&variants->arena);
    *variants = (struct rlm_variants){0};
}

void rlm_variants_put(struct rlm_variants *variants, size_t index, const float *variant)
{
    float *row = variants->weight + index * variants->stride;
    memcpy(row, variant, variants->features * sizeof *row);
    memset(row + variants->features, 0, (variants->stride - variants->features) * sizeof *row);
    variants->bias[index] = variant[variants->features];
}

static struct rlm_dense variants_dense(const struct rlm_variants *variants)
{
    return (struct rlm_dense){variants->weight, variants->stride, variants->bias};
}

void rlm_variants_count_span(struct rlm_variants *variants, size_t count, const struct rlm_inputs *inputs,
                             struct rlm_span span)
{
    variants->count = count;
    struct forward_region region = {inputs, variants_dense(variants), count, false, variants->p, span};
    forward_run(&region);
}

void rlm_variants_count(struct rlm_variants *variants, size_t count, const struct rlm_inputs *inputs)
{
    rlm_variants_count_span(variants, count, inputs, (struct rlm_span){0, inputs->samples});
}

void rlm_variants_clear(struct rlm_variants *variants, size_t count, struct rlm_span span)
{
    float *p = variants->p;
    variants->count = count;
    for (size_t i = span.first * count; i < rlm_round_up(span.last, RLM_LANES) * count; i++)
        p[i] = -INFINITY;
}

struct groups_region {
    const struct rlm_variants *variants;
    const struct rlm_inputs *inputs;
    const uint32_t *list;
};

static void count_group(void *context, size_t task, size_t thread)
{
    const struct groups_region *region = context;
    const struct rlm_inputs *inputs = region->inputs;
    const struct rlm_variants *variants = region->variants;
    size_t group = region->list[task];
    float *p = variants->p + group * RLM_GROUP * variants->count;
    struct rlm_dense dense = variants_dense(variants);
    struct rlm_forward forward = rlm_inputs_group(inputs, group, thread, &dense, variants->count, p);
    (void)rlm_kernels_get(inputs->engine->level)->forward(&forward, 0, variants->count);
}

void rlm_variants_count_groups(struct rlm_variants *variants, const struct rlm_inputs *inputs,
                               const uint32_t *list, size_t listed)
{
    struct groups_region region = {variants, inputs, list};
    rlm_pool_run(inputs->engine->pool, count_group, &region, listed);
}

/* What the last count gave for one variant and one panel of samples; beyond the last sample it is 0. */
static const float *panel_of(const struct rlm_variants *variants, size_t index, size_t sample)
{
    return variants->p + (sample / RLM_LANES * variants->count + index) * RLM_LANES;
}

bool rlm_variants_alive(const struct rlm_variants *variants, size_t index, struct rlm_span span)
{
    for (size_t place = span.first; place < span.last; place += RLM_LANES) {
        const float *p = panel_of(variants, index, place);
        unsigned open = 0;
        for (size_t lane = 0; lane < RLM_LANES; lane++)
            open += p[lane] > 0.0f;
        if (open > 0)
            return true;
    }
    return false;
}

/* A unit that lives is often opened far on in D, and what comes after that in the same look was for nothing.
 * Sixteen tasks are enough for the threads of most machines. */
#define LOOK_MOST (16 * (size_t)CHUNK)

struct rlm_span rlm_span_next(struct rlm_span span, size_t samples)
{
    size_t first_look = 8 * (size_t)CHUNK, done = span.last, most = LOOK_MOST;
    size_t more = done > 0 ? rlm_size_min(done, most) : first_look;
    return (struct rlm_span){done, rlm_size_min(samples, done + more)};
}

void rlm_tally_add(struct rlm_tally *tally, const struct rlm_variants *variants, size_t index,
                   const struct rlm_inputs *inputs, struct rlm_span span)
{
    for (size_t place = span.first; place < span.last; place += RLM_LANES) {
        const float *p = panel_of(variants, index, place);
        size_t lanes = rlm_size_min(RLM_LANES, span.last - place);
        float floor = tally->margin < 0.0f ? tally->margin : 0.0f;
        unsigned high = 0;
        for (size_t lane = 0; lane < RLM_LANES; lane++) /* beyond the last sample there are zeros */
            high += p[lane] >= floor;
        for (size_t lane = 0; high > 0 && lane < lanes; lane++) {
            tally->active += p[lane] > 0.0f;
            size_t sample = rlm_inputs_sample(inputs, place + lane);
            if (p[lane] > tally->margin || (p[lane] == tally->margin && sample < tally->nearest))
                tally->nearest = sample;
            tally->margin = p[lane] > tally->margin ? p[lane] : tally->margin;
        }
    }
    tally->margin += 0.0f;
}

struct rlm_tally rlm_variants_tally(const struct rlm_variants *variants, size_t index,
                                    const struct rlm_inputs *inputs)
{
    struct rlm_tally tally = RLM_TALLY_NONE;
    rlm_tally_add(&tally, variants, index, inputs, (struct rlm_span){0, inputs->samples});
    return tally;
}

float rlm_inputs_preactivate(const struct rlm_inputs *inputs, size_t place, const float *variant)
{
    const float *x = inputs->x + place / RLM_LANES * inputs->features * RLM_LANES + place % RLM_LANES;
    float p = 0.0f;
    for (size_t k = 0; k < inputs->features; k++)
        p = fmaf(x[k * RLM_LANES], variant[k], p);
    return p + variant[inputs->features];
}

double rlm_variant_largest(const float *variant, size_t features)
{
    double largest = 0.0;
    for (size_t i = 0; i <= features; i++)
        largest = rlm_larger(largest, (double)fabsf(variant[i]));
    return largest;
}
