/* See bounds.h.
 *
 * A sample's pre-activation after the update is p + lr·push up to rounding. Where |p + lr·push| is above the
 * bound on that rounding, the sign is certain; the few samples below it are computed exactly. So a verdict at
 * one learning rate costs a pass over two columns of numbers and a handful of dot products, and equals a
 * count over the whole of D. */
#include "autopsy/bounds.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/bits.h"
#include "base/checked.h"
#include "base/error.h"

static void bench_layout(struct rlm_arena *arena, struct rlm_bench *bench, const struct rlm_inputs *inputs)
{
    bench->row =
        rlm_arena_take(arena, bench->rows * rlm_variant_stride(inputs->features), sizeof *bench->row);
    bench->list = rlm_arena_take(arena, (size_t)RLM_BENCH_PLACES * 2 * inputs->samples, sizeof *bench->list);
}

relume_status rlm_bench_init(struct rlm_bench *bench, const struct rlm_inputs *inputs, relume_error *error)
{
    struct rlm_bench made = {.rows = RLM_BENCH_ROWS};
    RLM_TRY(rlm_variants_init(&made.variants, inputs, 4, error));
    bench_layout(&made.arena, &made, inputs);
    size_t bytes = made.arena.used;
    if (!rlm_arena_init_unset(&made.arena, &inputs->engine->allocator)) {
        rlm_variants_deinit(&made.variants);
        return rlm_error_memory(error, bytes, "the work of an autopsy");
    }
    bench_layout(&made.arena, &made, inputs);
    *bench = made;
    return RELUME_OK;
}

void rlm_bench_deinit(struct rlm_bench *bench)
{
    rlm_variants_deinit(&bench->variants);
    rlm_arena_deinit(&bench->arena);
    *bench = (struct rlm_bench){0};
}

/* One search: the two columns, and the samples it looks at. */
struct search {
    const struct rlm_inputs *inputs;
    const struct rlm_move *move;
    const struct rlm_variants *columns;
    size_t before, push; /* places in it: before the update; what a rate of 1 adds */
    double largest_before, largest_push;
    float *variant;      /* [features + 1] */
    uint32_t *list;      /* [listed]: the samples in question */
    uint32_t *candidate; /* [candidates]: those that may open at some rate */
    size_t listed, candidates;
};

static double search_value(const struct search *search, size_t sample, double rate)
{
    return (double)rlm_variants_get(search->columns, search->before, sample) +
           rate * (double)rlm_variants_get(search->columns, search->push, sample);
}

/* Bounds what separates search_value from the engine's pre-activation at `rate`. Four sources: the chains of
 * the two columns and of the variant, γ each, and the rounding of the variant's own elements and of the
 * rate's coefficients, at most 4 u a term. With n ≥ 1 features, 3 γ(n+1) + 4u ≤ 5 γ(n+1), all of it times
 * (|before| + rate·|push|)·norm1. */
static double search_rounding(const struct search *search, size_t sample, double rate)
{
    return 5.0 *
           rlm_inputs_rounding(search->inputs, search->largest_before + rate * search->largest_push, sample);
}

/* Takes all candidates into question. */
static void search_widen(struct search *search)
{
    memcpy(search->list, search->candidate, search->candidates * sizeof *search->list);
    search->listed = search->candidates;
}

/* Leaves out the samples at which the value is below −rounding at every rate from 0 up. The rounding is a +
 * r·b with a and b those of the two columns, so it is enough that p < −a and push < −b: both terms of the
 * value are then negative, which keeps its own roundings, and those of a and b, to a few 2⁻⁵² of it. */
static void search_begin(struct search *search)
{
    const double upward = 1.0 + 0x1p-30;
    search->candidates = 0;
    for (size_t sample = 0; sample < search->inputs->samples; sample++) {
        if (sample % RLM_LANES == 0 &&
            !rlm_variants_above(search->columns, search->before, sample, -INFINITY)) {
            sample += RLM_LANES - 1;
            continue;
        }
        double a = 5.0 * rlm_inputs_rounding(search->inputs, search->largest_before, sample);
        double b = 5.0 * rlm_inputs_rounding(search->inputs, search->largest_push, sample);
        double p = (double)rlm_variants_get(search->columns, search->before, sample);
        double push = (double)rlm_variants_get(search->columns, search->push, sample);
        search->candidate[search->candidates] = (uint32_t)sample;
        search->candidates += !(p < -a * upward && push < -b * upward);
    }
    search_widen(search);
}

/* The verdict at a rate: no sample in question opens the gate. */
static bool dead_at(const struct search *search, float rate)
{
    rlm_move_make(search->move, 0, (double)rate, search->variant);
    for (size_t i = 0; i < search->listed; i++) {
        size_t sample = search->list[i];
        double value = search_value(search, sample, (double)rate);
        double rounding = search_rounding(search, sample, (double)rate);
        if (value < -rounding)
            continue;
        if (value > rounding || rlm_inputs_preactivate(search->inputs, sample, search->variant) > 0.0f)
            return false;
    }
    return true;
}

/* Keeps the samples that might open at some rate between a and b: value + rounding is linear in the rate, so
 * its ends decide. */
static void search_narrow(struct search *search, float a, float b)
{
    search->listed = 0;
    for (size_t i = 0; i < search->candidates; i++) {
        size_t sample = search->candidate[i];
        double at_a = search_value(search, sample, (double)a) + search_rounding(search, sample, (double)a);
        double at_b = search_value(search, sample, (double)b) + search_rounding(search, sample, (double)b);
        if (at_a >= 0.0 || at_b >= 0.0)
            search->list[search->listed++] = (uint32_t)sample;
    }
}

/* The neighbouring floats between `alive` and `dead` at which the verdict changes. Floats from 0 up are
 * ordered as their bits. */
static void bisect(struct search *search, float *alive, float *dead)
{
    search_narrow(search, *alive, *dead);
    uint32_t a = rlm_float_bits(*alive), b = rlm_float_bits(*dead);
    while ((a > b ? a - b : b - a) > 1) {
        uint32_t middle = a / 2 + b / 2 + (a & b & 1);
        if (dead_at(search, rlm_bits_float(middle)))
            b = middle;
        else
            a = middle;
    }
    search_widen(search);
    *alive = rlm_bits_float(a);
    *dead = rlm_bits_float(b);
}

/* The interval in real numbers; low > high when no rate kills. A sample that is no candidate has p < 0 < d
 * and bounds it nowhere. */
static void real_interval(const struct search *search, double *low, double *high)
{
    *low = 0.0;
    *high = (double)INFINITY;
    for (size_t i = 0; i < search->candidates; i++) {
        size_t sample = search->candidate[i];
        double p = (double)rlm_variants_get(search->columns, search->before, sample);
        double d = -(double)rlm_variants_get(search->columns, search->push, sample);
        if (d > 0.0)
            *low = fmax(*low, p / d);
        else if (d < 0.0)
            *high = fmin(*high, p / d);
        else if (p > 0.0)
            *high = -(double)INFINITY;
    }
}

/* A rate that kills by the engine's verdict, from the real interval: its middle; where rounding is as wide as
 * the interval, a scan across. */
static bool find_anchor(const struct search *search, double low, double high, float *anchor)
{
    if (!(low <= high) || low > (double)FLT_MAX)
        return false;
    double end = fmin(high, fmax(2.0 * low, 1.0));
    *anchor = (float)(0.5 * (low + end));
    if (dead_at(search, *anchor))
        return true;
    for (int i = 0; i <= 64; i++) {
        *anchor = (float)(low + (end - low) * i / 64.0);
        if (dead_at(search, *anchor))
            return true;
    }
    return false;
}

/* A rate near `end` on the far side from `anchor` at which the unit lives, `end` being where it should begin
 * to in real numbers; NaN when there is none up to `limit`. */
static float find_alive(const struct search *search, double end, float limit, int side)
{
    for (double step = 0x1p-16; step < 4.0; step *= 8.0) {
        float rate = (float)(end * (1.0 + side * step));
        if (side < 0 ? rate <= limit : rate >= limit)
            break;
        if (!dead_at(search, rate))
            return rate;
    }
    return dead_at(search, limit) ? NAN : limit;
}

static void find_low(struct search *search, double end, float anchor, struct rlm_lethal *lethal)
{
    float alive = find_alive(search, end, 0.0f, -1), dead = anchor;
    if (isnan(alive))
        return;
    float near = (float)(end * (1.0 + 0x1p-16)); /* a short bracket keeps few samples in doubt */
    if (near > alive && near < anchor && dead_at(search, near))
        dead = near;
    bisect(search, &alive, &dead);
    lethal->low = dead;
    lethal->safe = alive;
}

static void find_high(struct search *search, double end, float anchor, struct rlm_lethal *lethal)
{
    lethal->high = INFINITY;
    if (end > (double)RLM_HIGHEST_RATE)
        return;
    float alive = find_alive(search, end, RLM_HIGHEST_RATE, 1), dead = anchor;
    if (isnan(alive))
        return;
    float near = (float)(end * (1.0 - 0x1p-16));
    if (near < alive && near > anchor && dead_at(search, near))
        dead = near;
    bisect(search, &alive, &dead);
    lethal->high = dead;
}

void rlm_lethal_search(const struct rlm_inputs *inputs, const struct rlm_move *move,
                       const struct rlm_columns *columns, double anchor, const struct rlm_bench *bench,
                       size_t place, struct rlm_lethal *lethal)
{
    *lethal = (struct rlm_lethal){0};
    size_t stride = rlm_variant_stride(inputs->features);
    float *push = bench->row + 2 * place * stride, *variant = push + stride;
    rlm_move_push(move, push);
    struct search search = {.inputs = inputs,
                            .move = move,
                            .columns = columns->variants,
                            .before = columns->before,
                            .push = columns->push,
                            .largest_before = rlm_variant_largest(move->before, inputs->features),
                            .largest_push = rlm_variant_largest(push, inputs->features),
                            .variant = variant,
                            .list = bench->list + 2 * place * inputs->samples,
                            .candidate = bench->list + (2 * place + 1) * inputs->samples};
    double low, high;
    search_begin(&search);
    real_interval(&search, &low, &high);
    float dead = (float)anchor;
    if (!(dead > 0.0f && dead_at(&search, dead)) && !find_anchor(&search, low, high, &dead))
        return;
    lethal->some = true;
    find_low(&search, low, dead, lethal);
    find_high(&search, high, dead, lethal);
}

void rlm_lethal_find(const struct rlm_inputs *inputs, const struct rlm_move *move, double anchor,
                     struct rlm_bench *bench, struct rlm_lethal *lethal)
{
    float *push = bench->row;
    struct rlm_columns columns = {&bench->variants, 0, 1};
    rlm_move_push(move, push);
    rlm_variants_put(&bench->variants, 0, move->before);
    rlm_variants_put(&bench->variants, 1, push);
    rlm_variants_count(&bench->variants, 2, inputs);
    rlm_lethal_search(inputs, move, &columns, anchor, bench, 0, lethal);
}

/* Whether any of 16 samples may be nearer. A quotient rounded to below `parameters` is below it, so that -p
 * is below parameters · norm2, for which the product of the number just above it is large enough. */
static bool is_nearer(const struct rlm_inputs *inputs, const struct rlm_variants *variants, size_t index,
                      size_t first, const struct rlm_distance *distance)
{
    const float *p = variants->p + (first / RLM_LANES * variants->count + index) * RLM_LANES;
    const double *norm2 = inputs->norm2 + first;
    double above = distance->parameters + fabs(distance->parameters) * 0x1p-50;
    unsigned nearer = 0;
    for (size_t lane = 0; lane < RLM_LANES; lane++) {
        double away = -(double)p[lane];
        nearer += away < distance->margin;
        nearer += away < above * norm2[lane];
    }
    return nearer > 0;
}

struct rlm_distance rlm_distance_find(const struct rlm_inputs *inputs, const struct rlm_variants *variants,
                                      size_t index)
{
    struct rlm_distance distance = {(double)INFINITY, (double)INFINITY, 0};
    for (size_t sample = 0; sample < inputs->samples; sample++) {
        if (sample % RLM_LANES == 0 && sample + RLM_LANES <= inputs->samples &&
            !is_nearer(inputs, variants, index, sample, &distance)) {
            sample += RLM_LANES - 1;
            continue;
        }
        double p = (double)rlm_variants_get(variants, index, sample);
        distance.margin = -p < distance.margin ? -p : distance.margin;
        if (-p / inputs->norm2[sample] < distance.parameters) {
            distance.parameters = -p / inputs->norm2[sample];
            distance.sample = sample;
        }
    }
    distance.margin += 0.0;
    return distance;
}
