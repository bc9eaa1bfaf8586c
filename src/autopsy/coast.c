/* See coast.h.
 *
 * Counting over all samples at every step would be dear. The way is cut into stretches. Between its ends a
 * and b the variant is nearly on a straight line: v_k = v_a + c_k (v_b − v_a) + r_k with 0 ≤ c_k ≤ 1, so the
 * pre-activation of a sample lies between those at a and at b, give or take max|r| · norm1 and rounding.
 * Samples far below the gate at both ends cannot open in between; a sample far above it at both ends keeps
 * the unit alive throughout. The few others are computed exactly at every step. */
#include "autopsy/coast.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/larger.h"
#include "train/optimizer.h"
#include "train/trainer.h"

/* ---- one step ---- */

static double coast_rate(const struct rlm_coast *coast, uint64_t step)
{
    return rlm_schedule_rate(coast->options, coast->steps > 0 && step > coast->steps ? coast->steps : step,
                             coast->steps);
}

static void apply(const struct rlm_kernels *kernels, const struct rlm_update *update, size_t count,
                  const float *zeros, float *parameter, float *s1, float *s2)
{
    struct rlm_apply arguments = {.rows = 1,
                                  .columns = count,
                                  .stride = rlm_round_up(count, RLM_LANES),
                                  .gradient = zeros,
                                  .gradient_scale = 1.0f,
                                  .update = *update,
                                  .parameter = parameter,
                                  .s1 = s1,
                                  .s2 = s2};
    kernels->apply(&arguments, 0, 1);
}

/* The bias lies where the weights' padding would be: it is moved aside, and back. */
void rlm_coast_step(struct rlm_coast *coast, const float *zeros)
{
    uint64_t step = coast->step + 1;
    double rate = coast_rate(coast, step);
    size_t features = coast->inputs->features;
    struct rlm_update weight = rlm_optimizer_update(coast->options, rate, step, false);
    struct rlm_update bias = rlm_optimizer_update(coast->options, rate, step, true);
    float b = coast->variant[features], b1 = 0.0f, b2 = 0.0f, none = 0.0f;
    if (coast->s1)
        b1 = coast->s1[features];
    if (coast->s2)
        b2 = coast->s2[features];
    apply(rlm_kernels_get(coast->inputs->engine->level), &weight, features, zeros, coast->variant, coast->s1,
          coast->s2);
    apply(rlm_kernels_get(RLM_CPU_REF), &bias, 1, &none, &b, &b1, &b2);
    coast->variant[features] = b;
    if (coast->s1)
        coast->s1[features] = b1;
    if (coast->s2)
        coast->s2[features] = b2;
    coast->step = step;
}

/* Adam's step without gradient is α_t · m / (√v·c_t + ε). From one step to the next m shrinks by β1, √v by
 * √β2, c by √((1−β2ᵗ)/(1−β2ᵗ⁺¹)), α (at a constant rate) by (1−β1ᵗ)/(1−β1ᵗ⁺¹): the step shrinks when the
 * quotient below is under 1, which once true stays true. */
static bool adam_shrinks(const relume_trainer_options *options, uint64_t step)
{
    double b1 = rlm_optimizer_power(options->beta1, step), b2 = rlm_optimizer_power(options->beta2, step);
    double c = sqrt((1.0 - b2 * options->beta2) / (1.0 - b2));
    double alpha = (1.0 - b1) / (1.0 - b1 * options->beta1);
    return options->beta1 / sqrt(options->beta2) * c * alpha < 1.0 - 1e-5;
}

bool rlm_coast_settled(const struct rlm_coast *coast)
{
    const relume_trainer_options *o = coast->options;
    bool constant =
        coast->step >= coast->steps || (o->schedule == RELUME_SCHEDULE_CONSTANT && coast->step > o->warmup);
    bool coupled = o->weight_decay != 0.0 && o->optimizer != RELUME_ADAMW;
    if (o->optimizer == RELUME_SGD && !coupled)
        return true; /* at no rate does anything move */
    if (!constant)
        return false;
    switch (o->optimizer) {
    case RELUME_SGD:
        return true; /* the same map of the same weights */
    case RELUME_MOMENTUM:
    case RELUME_NESTEROV:
        return !coupled; /* the velocity shrinks, and its last step was already too small to move a weight */
    case RELUME_ADAM:
    case RELUME_ADAMW: /* a pull to 0 that the moments just balance would win later */
        return o->weight_decay == 0.0 && coast->step > 0 && adam_shrinks(o, coast->step);
    case RELUME_OPTIMIZER_COUNT:
        break;
    }
    return false;
}

/* ---- a stretch ---- */

/* The rows a … b of the bench, and the samples in doubt between them. */
struct stretch {
    const struct rlm_inputs *inputs;
    struct rlm_bench *bench;
    size_t a, b;
    size_t listed;
    bool surely_alive;
};

static float *bench_row(const struct rlm_bench *bench, size_t row, size_t features)
{
    return bench->row + row * rlm_variant_stride(features);
}

/* max|r| over the rows between a and b: how far they leave the straight line, each with its best place on it.
 */
static double stretch_bend(const struct stretch *s)
{
    size_t n = s->inputs->features + 1;
    const float *a = bench_row(s->bench, s->a, n - 1), *b = bench_row(s->bench, s->b, n - 1);
    double length = 0.0, bend = 0.0;
    for (size_t i = 0; i < n; i++)
        length += ((double)b[i] - (double)a[i]) * ((double)b[i] - (double)a[i]);
    for (size_t row = s->a + 1; row < s->b; row++) {
        const float *v = bench_row(s->bench, row, n - 1);
        double along = 0.0;
        for (size_t i = 0; i < n; i++)
            along += ((double)v[i] - (double)a[i]) * ((double)b[i] - (double)a[i]);
        double c = length > 0.0 ? fmin(fmax(along / length, 0.0), 1.0) : 0.0;
        for (size_t i = 0; i < n; i++)
            bend = rlm_larger(bend, fabs((double)v[i] - ((double)a[i] + c * ((double)b[i] - (double)a[i]))));
    }
    return bend * (1.0 + 0x1p-40); /* its own arithmetic in double */
}

static double stretch_largest(const struct stretch *s)
{
    double largest = 0.0;
    for (size_t row = s->a; row <= s->b; row++)
        largest = rlm_larger(
            largest, rlm_variant_largest(bench_row(s->bench, row, s->inputs->features), s->inputs->features));
    return largest;
}

/* Lists the samples that may open, or close, between a and b. Rounding counts three times: at a, at b, and in
 * between. */
static void stretch_narrow(struct stretch *s)
{
    struct rlm_variants *ends = &s->bench->variants;
    size_t features = s->inputs->features;
    rlm_variants_put(ends, 0, bench_row(s->bench, s->a, features));
    rlm_variants_put(ends, 1, bench_row(s->bench, s->b, features));
    rlm_variants_count(ends, 2, s->inputs);
    double bend = stretch_bend(s), largest = stretch_largest(s);
    s->listed = 0;
    s->surely_alive = false;
    for (size_t sample = 0; sample < s->inputs->samples; sample++) {
        double slack =
            bend * s->inputs->norm1[sample] + 3.0 * rlm_inputs_rounding(s->inputs, largest, sample);
        double at_a = (double)rlm_variants_get(ends, 0, sample),
               at_b = (double)rlm_variants_get(ends, 1, sample);
        s->surely_alive = s->surely_alive || fmin(at_a, at_b) > slack;
        if (fmax(at_a, at_b) + slack > 0.0)
            s->bench->list[s->listed++] = (uint32_t)sample;
    }
}

/* Whether any listed sample opens the gate of the row; the one that does moves to the front, where it is
 * tried first next time. */
static bool row_alive(struct stretch *s, size_t row)
{
    const float *variant = bench_row(s->bench, row, s->inputs->features);
    uint32_t *list = s->bench->list;
    for (size_t i = 0; i < s->listed; i++) {
        if (!(rlm_inputs_preactivate(s->inputs, list[i], variant) > 0.0f))
            continue;
        uint32_t opener = list[i];
        list[i] = list[0];
        list[0] = opener;
        return true;
    }
    return false;
}

/* ---- the scan ---- */

static void course_add(struct rlm_course *course, uint64_t step, bool alive)
{
    course->step = step;
    if (alive == course->alive)
        return;
    course->alive = alive;
    course->last = (struct rlm_turn){step, alive};
    if (course->turn_count < course->turn_capacity)
        course->turn[course->turn_count] = course->last;
    course->turn_count++;
}

/* Rows a+1 … b into the course; row r is the state after step first + r. In halves while too many samples are
 * in doubt. */
static void stretch_scan(const struct rlm_inputs *inputs, struct rlm_bench *bench, size_t a, size_t b,
                         uint64_t first, bool one, struct rlm_course *course)
{
    struct stretch s = {.inputs = inputs, .bench = bench, .a = a, .b = b};
    stretch_narrow(&s);
    if (b - a > 4 && !s.surely_alive && s.listed * (b - a) > inputs->samples) {
        size_t middle = a + (b - a) / 2;
        stretch_scan(inputs, bench, a, middle, first, one, course);
        if (!(one && course->turn_count > 0))
            stretch_scan(inputs, bench, middle, b, first, one, course);
        return;
    }
    for (size_t row = a + 1; row <= b && !(one && course->turn_count > 0); row++)
        course_add(course, first + row, s.surely_alive || row_alive(&s, row));
}

/* Steps on until the bench is full, `until` is reached or nothing moves any more; returns the last row. */
static size_t fill_rows(struct rlm_coast *coast, uint64_t until, struct rlm_bench *bench, bool *settled)
{
    size_t bytes = (coast->inputs->features + 1) * sizeof(float), features = coast->inputs->features;
    float *zeros = bench_row(bench, bench->rows - 1, features);
    memset(zeros, 0, bytes);
    memcpy(bench_row(bench, 0, features), coast->variant, bytes);
    size_t row = 0;
    while (row + 2 < bench->rows && coast->step < until && !*settled) {
        rlm_coast_step(coast, zeros);
        memcpy(bench_row(bench, ++row, features), coast->variant, bytes);
        *settled = memcmp(bench_row(bench, row - 1, features), coast->variant, bytes) == 0 &&
                   rlm_coast_settled(coast);
    }
    return row;
}

void rlm_coast_scan(struct rlm_coast *coast, bool alive, uint64_t until, bool first, struct rlm_bench *bench,
                    struct rlm_course *course)
{
    struct rlm_course made = {
        .turn = course->turn, .turn_capacity = course->turn_capacity, .alive = alive, .step = coast->step};
    while (coast->step < until && !made.settled && !(first && made.turn_count > 0)) {
        uint64_t begin = coast->step;
        size_t rows = fill_rows(coast, until, bench, &made.settled);
        stretch_scan(coast->inputs, bench, 0, rows, begin, first, &made);
    }
    if (first && made.turn_count > 0)
        made.settled = false;
    *course = made;
}
