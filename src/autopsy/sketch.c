/* See sketch.h. */
#include "autopsy/sketch.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/larger.h"

#define LARGEST 127 /* of q */

static float offset_of(const struct rlm_sketch *sketch, size_t k)
{
    return sketch->scaling.offset[sketch->scaling.uniform ? 0 : k];
}

static float divisor_of(const struct rlm_sketch *sketch, size_t k)
{
    return sketch->scaling.divisor[sketch->scaling.uniform ? 0 : k];
}

/* ---- the data ---- */

static void layout(struct rlm_arena *arena, struct rlm_sketch *sketch)
{
    size_t groups = rlm_divide_up(sketch->samples, RLM_GROUP);
    sketch->sum = rlm_arena_take(arena, groups * RLM_GROUP, sizeof *sketch->sum);
    sketch->heaviest = rlm_arena_take(arena, groups, sizeof *sketch->heaviest);
}

/* The sums of a group; bytes beyond the last sample are 0. */
static void sum_group(void *context, size_t group, size_t thread)
{
    (void)thread;
    const struct rlm_sketch *sketch = context;
    for (size_t lane = 0; lane < RLM_GROUP; lane++) {
        const uint8_t *panel = sketch->x + (group * 2 + lane / RLM_LANES) * sketch->quads * RLM_LANES * 4;
        size_t sum = 0;
        for (size_t k = 0; k < 4 * sketch->quads; k++)
            sum += panel[(k / 4 * RLM_LANES + lane % RLM_LANES) * 4 + k % 4];
        sketch->sum[group * RLM_GROUP + lane] = (float)sum;
        if ((float)sum > sketch->heaviest[group])
            sketch->heaviest[group] = (float)sum;
    }
}

void rlm_sketch_init(struct rlm_sketch *sketch, const relume_network *network,
                     const struct rlm_inputs *inputs)
{
    struct rlm_sketch made = {.dots = rlm_dots_find(inputs->engine->level),
                              .scaling = network->scaling,
                              .samples = inputs->samples,
                              .features = inputs->features,
                              .quads = rlm_divide_up(inputs->features, 4),
                              .x = inputs->bytes};
    *sketch = (struct rlm_sketch){0};
    if (!made.dots || !made.x)
        return;
    layout(&made.arena, &made);
    if (!rlm_arena_init(&made.arena, &inputs->engine->allocator))
        return;
    layout(&made.arena, &made);
    rlm_pool_run(inputs->engine->pool, sum_group, &made, rlm_divide_up(made.samples, RLM_GROUP));
    *sketch = made;
}

void rlm_sketch_deinit(struct rlm_sketch *sketch)
{
    rlm_arena_deinit(&sketch->arena);
    *sketch = (struct rlm_sketch){0};
}

/* ---- units ---- */

/* A double as a float that is no smaller in magnitude. */
static float at_least(double value)
{
    return (float)(value * (1.0 + 0x1p-22));
}

void rlm_sketch_round(const struct rlm_sketch *sketch, const float *weight, float bias, int8_t *q,
                      struct rlm_sketched *unit)
{
    double largest = 0.0, parameter = fabs((double)bias), size = parameter, constant = (double)bias;
    for (size_t k = 0; k < sketch->features; k++) {
        double w = (double)weight[k],
               shift = w * (double)offset_of(sketch, k) / (double)divisor_of(sketch, k);
        largest = rlm_larger(largest, fabs(w / (double)divisor_of(sketch, k)));
        parameter = rlm_larger(parameter, fabs(w));
        size += fabs(shift);
        constant -= shift;
    }
    double scale = (double)(float)(largest / LARGEST), error = 0.0; /* the very number that is worked with */
    memset(q, 0, 4 * sketch->quads);
    for (size_t k = 0; k < sketch->features; k++) {
        double omega = (double)weight[k] / (double)divisor_of(sketch, k);
        double times = scale > 0.0 ? omega / scale : 0.0;
        times = times > LARGEST ? LARGEST : times < -LARGEST ? -LARGEST : times;
        q[k] = (int8_t)(times < 0.0 ? times - 0.5 : times + 0.5);
        error = rlm_larger(error, fabs(omega - scale * (double)q[k]));
    }
    *unit = (struct rlm_sketched){.scale = (float)scale,
                                  .error = at_least(error),
                                  .constant = (float)constant,
                                  .largest = at_least(largest),
                                  .size = at_least(size),
                                  .weight = at_least(parameter)};
}

/* What the floats here may miss. A value is made of four products and sums of numbers no larger than
 * 2·max|ω|·Σu and |b| + Σ|w·o/d|, each rounded by at most 2⁻²⁴ of its result, and of a sum and a constant
 * rounded to floats before: together below 2⁻²⁰ of the two. An input x is the quotient rounded twice, which
 * moves p by less than 4 · 2⁻²⁴ · max|w| · Σ|x|. */
static float slack(const struct rlm_sketch *sketch, const struct rlm_sketched *unit, size_t group,
                   float longest)
{
    return 0x1p-20f * (unit->largest * sketch->heaviest[group] + unit->size) +
           0x1p-21f * unit->weight * longest + FLT_MIN;
}

void rlm_sketch_bound(const struct rlm_sketch *sketch, size_t group, float longest, const int8_t *const *q,
                      const struct rlm_sketched *const *unit, size_t count, float *bound)
{
    int32_t product[RLM_DOTS_ROWS * RLM_GROUP] = {0};
    const float *sum = sketch->sum + group * RLM_GROUP;
    struct rlm_dots dots = {.quads = sketch->quads,
                            .rows = count,
                            .x = sketch->x + group * RLM_GROUP * 4 * sketch->quads,
                            .out = product};
    for (size_t i = 0; i < count; i++)
        dots.row[i] = q[i];
    sketch->dots(&dots);
    for (size_t i = 0; i < count; i++) {
        const struct rlm_sketched *u = unit[i];
        float highest[RLM_LANES], top = -INFINITY;
        for (size_t lane = 0; lane < RLM_LANES; lane++) {
            float one = u->scale * (float)product[i * RLM_GROUP + lane] + u->error * sum[lane];
            float two = u->scale * (float)product[i * RLM_GROUP + RLM_LANES + lane] +
                        u->error * sum[RLM_LANES + lane];
            highest[lane] = one > two ? one : two;
        }
        for (size_t lane = 0; lane < RLM_LANES; lane++)
            top = highest[lane] > top ? highest[lane] : top;
        bound[i] = top + u->constant + slack(sketch, u, group, longest);
    }
}
