/* See inputs.h. Work is cut by samples, so that a single variant keeps every thread busy. */
#include "autopsy/inputs.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/larger.h"

#define CHUNK 256 /* samples a task: 16 panels */

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
    struct rlm_inputs made = {.engine = engine, .samples = samples, .features = features};
    inputs_layout(&made.arena, &made);
    size_t bytes = made.arena.overflow ? SIZE_MAX : made.arena.used;
    if (!rlm_arena_init(&made.arena, &engine->allocator))
        return rlm_error_memory(error, bytes, "the inputs of a layer over the whole training split");
    inputs_layout(&made.arena, &made);
    *inputs = made;
    return RELUME_OK;
}

void rlm_inputs_deinit(struct rlm_inputs *inputs)
{
    rlm_arena_deinit(&inputs->arena);
    *inputs = (struct rlm_inputs){0};
}

static size_t chunk_samples(size_t samples, size_t task)
{
    return rlm_size_min(CHUNK, samples - task * CHUNK);
}

/* ---- norms ---- */

/* A sum of n positive doubles is low by at most n u of itself; the factor makes norm1 an upper bound. */
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
    double upward = 1.0 + (double)(inputs->features + 2) * 0x1p-52;
    for (size_t lane = 0; lane < RLM_LANES; lane++) {
        inputs->norm1[panel * RLM_LANES + lane] = (sum[lane] + 1.0) * upward;
        inputs->norm2[panel * RLM_LANES + lane] = sqrt(squares[lane] + 1.0);
    }
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
    struct rlm_pack pack = {.batch = count,
                            .features = dataset->features,
                            .raw = dataset->x,
                            .is_u8 = dataset->element == RELUME_U8,
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
    rlm_inputs_measure(inputs);
}

struct forward_region {
    const struct rlm_inputs *inputs;
    const float *weight, *bias;
    size_t stride, units;
    bool relu;
    float *z; /* sample panels [samples, units] */
};

static void forward_chunk(void *context, size_t task, size_t thread)
{
    (void)thread;
    const struct forward_region *region = context;
    const struct rlm_inputs *inputs = region->inputs;
    struct rlm_forward forward = {.batch = chunk_samples(inputs->samples, task),
                                  .in_features = inputs->features,
                                  .out_features = region->units,
                                  .x = inputs->x + task * CHUNK * inputs->features,
                                  .weight = region->weight,
                                  .stride = region->stride,
                                  .bias = region->bias,
                                  .z = region->z + task * CHUNK * region->units,
                                  .relu = region->relu};
    (void)rlm_kernels_get(inputs->engine->level)
        ->forward(&forward, 0, region->units); /* weights of a run are finite: checked by it */
}

void rlm_inputs_forward(const struct rlm_inputs *inputs, const float *weight, size_t stride,
                        const float *bias, struct rlm_inputs *next)
{
    struct forward_region region = {inputs, weight, bias, stride, next->features, true, next->x};
    rlm_pool_run(inputs->engine->pool, forward_chunk, &region, rlm_divide_up(inputs->samples, CHUNK));
    rlm_inputs_measure(next);
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
    if (!rlm_arena_init(&made.arena, &inputs->engine->allocator))
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

void rlm_variants_count(struct rlm_variants *variants, size_t count, const struct rlm_inputs *inputs)
{
    variants->count = count;
    struct forward_region region = {inputs, variants->weight, variants->bias, variants->stride, count,
                                    false,  variants->p};
    rlm_pool_run(inputs->engine->pool, forward_chunk, &region, rlm_divide_up(inputs->samples, CHUNK));
}

struct rlm_tally rlm_variants_tally(const struct rlm_variants *variants, size_t index, size_t samples)
{
    struct rlm_tally tally = {.margin = -INFINITY};
    for (size_t sample = 0; sample < samples; sample++) {
        float p = rlm_variants_get(variants, index, sample);
        tally.active += p > 0.0f;
        if (p > tally.margin) {
            tally.margin = p;
            tally.nearest = sample;
        }
    }
    tally.margin += 0.0f;
    return tally;
}

float rlm_inputs_preactivate(const struct rlm_inputs *inputs, size_t sample, const float *variant)
{
    const float *x = inputs->x + sample / RLM_LANES * inputs->features * RLM_LANES + sample % RLM_LANES;
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
