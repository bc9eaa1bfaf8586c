/* See sieve.h. */
#include "autopsy/sieve.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"

static void layout(struct rlm_arena *arena, struct rlm_sieve *s, size_t threads)
{
    const struct rlm_ceilings *c = s->ceilings;
    s->rounded = rlm_arena_take(arena, s->capacity * 4 * c->ground->sums.sketch.quads, 1);
    s->sketched = rlm_arena_take(arena, s->capacity, sizeof *s->sketched);
    s->work = rlm_arena_take(arena, threads, sizeof *s->work);
    for (size_t thread = 0; thread < threads; thread++) {
        struct rlm_sieve_work work = {
            .row = rlm_arena_take(arena, s->capacity * c->stride, sizeof(float)),
            .bias = rlm_arena_take(arena, rlm_round_up(s->capacity, RLM_LANES), sizeof(float)),
            .p = rlm_arena_take(arena, RLM_GROUP * s->capacity, sizeof(float)),
            .open = rlm_arena_take(arena, s->capacity, sizeof(uint32_t))};
        if (s->work)
            s->work[thread] = work;
    }
}

relume_status rlm_sieve_init(struct rlm_sieve *sieve, const struct rlm_ceilings *ceilings, size_t capacity,
                             relume_error *error)
{
    struct rlm_sieve made = {.ceilings = ceilings, .capacity = capacity};
    relume_engine *engine = ceilings->inputs->engine;
    if (ceilings->ground->sums.sketch.dots) {
        layout(&made.arena, &made, rlm_pool_threads(engine->pool));
        size_t bytes = made.arena.overflow ? SIZE_MAX : made.arena.used;
        if (!rlm_arena_init(&made.arena, &engine->allocator))
            return rlm_error_memory(error, bytes, "bounds on what some units make of the data");
        layout(&made.arena, &made, rlm_pool_threads(engine->pool));
    }
    *sieve = made;
    return RELUME_OK;
}

void rlm_sieve_deinit(struct rlm_sieve *sieve)
{
    rlm_arena_deinit(&sieve->arena);
    *sieve = (struct rlm_sieve){0};
}

struct take_region {
    struct rlm_sieve *sieve;
    const struct rlm_variants *variants;
};

static void take_one(void *context, size_t task, size_t thread)
{
    (void)thread;
    const struct take_region *region = context;
    const struct rlm_variants *variants = region->variants;
    struct rlm_sieve *s = region->sieve;
    const struct rlm_sketch *sketch = &s->ceilings->ground->sums.sketch;
    rlm_sketch_round(sketch, variants->weight + task * variants->stride, variants->bias[task],
                     s->rounded + task * 4 * sketch->quads, &s->sketched[task]);
}

void rlm_sieve_take(struct rlm_sieve *sieve, const struct rlm_variants *variants, size_t count)
{
    struct take_region region = {sieve, variants};
    if (sieve->ceilings->ground->sums.sketch.dots &&
        variants->features == sieve->ceilings->ground->sums.sketch.features)
        rlm_pool_run(sieve->ceilings->inputs->engine->pool, take_one, &region, count);
}

struct count_region {
    const struct rlm_sieve *sieve;
    struct rlm_variants *variants;
    struct rlm_span span;
    const float *floor;
    size_t together;
};

/* bound[count]: above every float pre-activation of the group, and five times its rounding more. */
static void bound_some(const struct rlm_sieve *s, size_t first, size_t count, size_t group, float *bound)
{
    const struct rlm_ceilings *c = s->ceilings;
    const int8_t *rounded[RLM_DOTS_ROWS];
    const struct rlm_sketched *sketched[RLM_DOTS_ROWS];
    float longest = c->ground->heaviest[group];
    for (size_t i = 0; i < count; i++) {
        rounded[i] = s->rounded + (first + i) * 4 * c->ground->sums.sketch.quads;
        sketched[i] = &s->sketched[first + i];
    }
    struct rlm_sketch_group samples = rlm_byte_sums_group(&c->ground->sums, group, longest);
    rlm_sketch_bound(&c->ground->sums.sketch, &samples, rounded, sketched, count, bound);
    for (size_t i = 0; i < count; i++)
        bound[i] = rlm_raised(bound[i], 6.0f * rlm_ceilings_rounding(c, sketched[i]->weight, group));
}

/* Lists the variants that have to be computed for a group; how many. A bound that is no number is above any
 * floor. */
static size_t find_open(const struct count_region *region, size_t group, uint32_t *open)
{
    size_t count = region->variants->count, listed = 0;
    for (size_t first = 0; first < count; first += RLM_DOTS_ROWS) {
        size_t some = rlm_size_min(RLM_DOTS_ROWS, count - first);
        float bound[RLM_DOTS_ROWS];
        bound_some(region->sieve, first, some, group, bound);
        for (size_t i = 0; i < some; i += region->together) {
            bool above = false;
            for (size_t j = i; j < i + region->together; j++)
                above = above || !(bound[j] < (region->floor ? region->floor[first + j] : 0.0f));
            for (size_t j = i; above && j < i + region->together; j++)
                open[listed++] = (uint32_t)(first + j);
        }
    }
    return listed;
}

static void forward(const struct count_region *region, size_t group, size_t thread, size_t count,
                    const float *row, const float *bias, float *p)
{
    const struct rlm_inputs *inputs = region->sieve->ceilings->inputs;
    struct rlm_dense dense = {row, region->variants->stride, bias};
    struct rlm_forward forward = rlm_inputs_group(inputs, group, thread, &dense, count, p);
    (void)rlm_kernels_get(inputs->engine->level)->forward(&forward, 0, count);
}

/* Computes those that are listed, and hands them to their places. */
static void count_open(const struct count_region *region, size_t group, size_t thread, size_t count)
{
    const struct rlm_sieve_work *work = &region->sieve->work[thread];
    const struct rlm_variants *v = region->variants;
    size_t samples = region->sieve->ceilings->inputs->samples - group * RLM_GROUP;
    size_t panels = rlm_divide_up(rlm_size_min(RLM_GROUP, samples), RLM_LANES);
    float *p = v->p + group * RLM_GROUP * v->count;
    for (size_t i = 0; i < panels * RLM_LANES * v->count; i++)
        p[i] = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        memcpy(work->row + i * v->stride, v->weight + work->open[i] * v->stride, v->stride * sizeof(float));
        work->bias[i] = v->bias[work->open[i]];
    }
    if (count > 0)
        forward(region, group, thread, count, work->row, work->bias, work->p);
    for (size_t panel = 0; panel < panels; panel++)
        for (size_t i = 0; i < count; i++)
            memcpy(p + (panel * v->count + work->open[i]) * RLM_LANES,
                   work->p + (panel * count + i) * RLM_LANES, RLM_LANES * sizeof *p);
}

static void count_chunk(void *context, size_t task, size_t thread)
{
    const struct count_region *region = context;
    const struct rlm_variants *v = region->variants;
    size_t first = region->span.first + task * RLM_INPUTS_CHUNK;
    size_t last = rlm_size_min(region->span.last, first + RLM_INPUTS_CHUNK);
    for (size_t group = first / RLM_GROUP; group * RLM_GROUP < last; group++) {
        size_t count = find_open(region, group, region->sieve->work[thread].open);
        if (count < v->count)
            count_open(region, group, thread, count);
        else
            forward(region, group, thread, count, v->weight, v->bias, v->p + group * RLM_GROUP * v->count);
    }
}

void rlm_sieve_count(const struct rlm_sieve *sieve, struct rlm_variants *variants, size_t count,
                     const struct rlm_inputs *inputs, struct rlm_span span, const float *floor,
                     size_t together)
{
    if (!sieve->ceilings->ground->sums.sketch.dots || inputs != sieve->ceilings->inputs) {
        rlm_variants_count_span(variants, count, inputs, span);
        return;
    }
    struct count_region region = {sieve, variants, span, floor, together};
    variants->count = count;
    rlm_pool_run(inputs->engine->pool, count_chunk, &region,
                 rlm_divide_up(span.last - span.first, RLM_INPUTS_CHUNK));
}
