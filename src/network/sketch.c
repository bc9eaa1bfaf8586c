/* See sketch.h. */
#include "network/sketch.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/checked.h"
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

bool rlm_sketch_init(struct rlm_sketch *sketch, const relume_network *network, const relume_scaling *scaling)
{
    size_t features = network->layers[0].in_features;
    *sketch = (struct rlm_sketch){.dots = rlm_dots_find(network->engine->level),
                                  .middles = rlm_enclosing_find(network->engine->level)->middles,
                                  .scaling = *scaling,
                                  .features = features,
                                  .quads = rlm_divide_up(features, 4)};
    if (features > RLM_SKETCH_LONGEST)
        sketch->dots = NULL;
    return sketch->dots != NULL;
}

void rlm_sketch_weigh(const struct rlm_sketch *sketch, const int8_t *ones, float *sum,
                      struct rlm_sketch_group *group)
{
    int32_t product[RLM_DOTS_ROWS * RLM_SKETCH_SAMPLES] = {0};
    struct rlm_dots dots = {.quads = sketch->quads,
                            .rows = 1,
                            .x = group->x,
                            .row = {ones},
                            .out = product,
                            .used = group->quads};
    sketch->dots(&dots);
    group->sum = sum;
    group->heaviest = 0.0f;
    for (size_t i = 0; i < RLM_SKETCH_SAMPLES; i++) {
        sum[i] = (float)product[i];
        group->heaviest = sum[i] > group->heaviest ? sum[i] : group->heaviest;
    }
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
        double w = (double)weight[k], offset = (double)offset_of(sketch, k);
        double shift = offset != 0.0 ? w * offset / (double)divisor_of(sketch, k) : 0.0;
        largest = rlm_larger(largest, fabs(w / (double)divisor_of(sketch, k)));
        parameter = rlm_larger(parameter, fabs(w));
        size += fabs(shift);
        constant -= shift;
    }
    double scale = (double)(float)(largest / LARGEST), error = 0.0; /* the very number that is worked with */
    double inverse = scale > 0.0 ? 1.0 / scale : 0.0;
    memset(q, 0, 4 * sketch->quads);
    for (size_t k = 0; k < sketch->features; k++) {
        double omega = (double)weight[k] / (double)divisor_of(sketch, k);
        double times = omega * inverse;
        times = times > LARGEST ? LARGEST : times < -LARGEST ? -LARGEST : times;
        q[k] = (int8_t)(times + copysign(0.5, times)); /* no branch: signs cannot be foreseen */
        error = rlm_larger(error, fabs(omega - scale * (double)q[k]));
    }
    *unit = (struct rlm_sketched){.scale = (float)scale,
                                  .error = at_least(error),
                                  .constant = (float)constant,
                                  .largest = at_least(largest),
                                  .size = at_least(size),
                                  .weight = at_least(parameter)};
}

/* What the floats here may miss. A bound is made of six products and sums of numbers no larger than
 * 2·max|ω|·Σu and |b| + Σ|w·o/d|, each rounded by at most 2⁻²⁴ of its result, and of a sum and a constant
 * rounded to floats before: together below 2⁻²⁰ of the two. An input x is the quotient rounded twice, which
 * moves p by less than 4 · 2⁻²⁴ · max|w| · Σ|x|. */
static float slack_of(const struct rlm_sketched *unit, const struct rlm_sketch_group *group)
{
    return 0x1p-20f * (unit->largest * group->heaviest + unit->size) +
           0x1p-21f * unit->weight * group->longest + FLT_MIN;
}

/* product[RLM_DOTS_ROWS · 32] */
static void multiply(const struct rlm_sketch *sketch, const struct rlm_sketch_group *group,
                     const int8_t *const *q, size_t count, int32_t *product)
{
    struct rlm_dots dots = {
        .quads = sketch->quads, .rows = count, .x = group->x, .out = product, .used = group->quads};
    for (size_t i = 0; i < count; i++)
        dots.row[i] = q[i];
    sketch->dots(&dots);
}

void rlm_sketch_bound(const struct rlm_sketch *sketch, const struct rlm_sketch_group *group,
                      const int8_t *const *q, const struct rlm_sketched *const *unit, size_t count,
                      float *bound)
{
    float value[RLM_DOTS_ROWS * RLM_SKETCH_SAMPLES], slack[RLM_DOTS_ROWS];
    rlm_sketch_values(sketch, group, q, unit, count, value, slack, bound);
}

void rlm_sketch_values(const struct rlm_sketch *sketch, const struct rlm_sketch_group *group,
                       const int8_t *const *q, const struct rlm_sketched *const *unit, size_t count,
                       float *value, float *slack, float *bound)
{
    int32_t product[RLM_DOTS_ROWS * RLM_SKETCH_SAMPLES];
    multiply(sketch, group, q, count, product);
    for (size_t i = 0; i < count; i++) {
        const struct rlm_sketched *u = unit[i];
        size_t at = i * RLM_SKETCH_SAMPLES;
        float top = sketch->middles(product + at, u->scale, u->constant, u->error, group->sum, value + at);
        slack[i] = slack_of(u, group);
        bound[i] = top + slack[i];
    }
}
