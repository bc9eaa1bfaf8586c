/* Samples kept as bytes: the kernels against their meaning, and the sketch's bounds against sums in double.
 * Where the CPU has no such kernel, the sketch is tested with the plain loop. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "kernels/bytes.h"
#include "network/sketch.h"
#include "world.h"

#define GROUPS ((size_t)3)
#define MOST_QUADS 12

static void test_dots(void **state)
{
    relume_engine *engine = *state;
    rlm_dots_kernel *dots = rlm_dots_find(engine->level);
    struct rlm_rng rng = {1, RLM_RNG_TEST, 5};
    _Alignas(64) uint8_t x[RLM_SKETCH_SAMPLES * 4 * MOST_QUADS];
    int8_t row[RLM_DOTS_ROWS][4 * MOST_QUADS];
    if (!dots)
        print_message("# no kernel for this CPU\n");
    for (uint64_t turn = 0; dots && turn < 200; turn++) {
        int32_t told[RLM_DOTS_ROWS * RLM_SKETCH_SAMPLES], meant[RLM_DOTS_ROWS * RLM_SKETCH_SAMPLES];
        struct rlm_dots a = {.quads = 1 + turn % MOST_QUADS, .rows = 1 + turn % RLM_DOTS_ROWS, .x = x};
        uint16_t list[MOST_QUADS];
        a.used.list = turn % 3 == 0 ? NULL : list;
        for (size_t i = 0; i < sizeof x;
             i++) /* also all at the ends, where a product of 16 bits would not do */
            x[i] = turn % 5 == 0 ? 255 : (uint8_t)rlm_rng_below(&rng, turn * 9999 + i, 256);
        for (size_t r = 0; r < a.rows; r++) {
            for (size_t k = 0; k < 4 * a.quads; k++)
                row[r][k] = turn % 5 == 0
                                ? (r % 2 ? 127 : -127)
                                : (int8_t)((int)rlm_rng_below(&rng, turn * 9999 + r * 99 + k, 255) - 127);
            a.row[r] = row[r];
        }
        for (size_t quad = 0; turn % 3 && quad < a.quads; quad++)
            if (rlm_rng_below(&rng, turn * 9999 + 9000 + quad, 3) > 0)
                list[a.used.count++] = (uint16_t)quad;
        a.out = meant;
        rlm_dots_ref(&a);
        a.out = told;
        dots(&a);
        assert_memory_equal(told, meant, a.rows * RLM_SKETCH_SAMPLES * sizeof *told);
    }
}

static void check_widened(const float *x, size_t features, size_t k)
{
    for (size_t lane = 0; lane < RLM_SKETCH_SAMPLES; lane++)
        assert_float_equal(x[(lane / RLM_LANES * features + k) * RLM_LANES + lane % RLM_LANES],
                           (float)(uint8_t)(lane * 8 + k * 13) / 255.0f, 0.0f);
}

static void test_widen(void **state)
{
    relume_engine *engine = *state;
    rlm_widen_kernel *widen = rlm_widen_find(engine->level);
    if (!widen)
        print_message("# no kernel for this CPU\n");
    for (size_t features = 1; widen && features <= 17; features++) {
        size_t quads = (features + 3) / 4;
        uint8_t *bytes = calloc((size_t)RLM_SKETCH_SAMPLES * 4 * quads, 1);
        float *x = calloc(RLM_SKETCH_SAMPLES * features + 3 * (size_t)RLM_LANES, sizeof *x);
        for (size_t lane = 0; lane < RLM_SKETCH_SAMPLES; lane++)
            for (size_t k = 0; k < features; k++) /* every byte in turn */
                bytes[(k / 4 * RLM_SKETCH_SAMPLES + lane) * 4 + k % 4] = (uint8_t)(lane * 8 + k * 13);
        uint16_t list[5];
        struct rlm_quads some = {list, 0};
        for (size_t quad = features % 3; quad < quads; quad += 1 + features % 2)
            list[some.count++] = (uint16_t)quad;
        uint8_t *few = calloc((size_t)RLM_SKETCH_SAMPLES * 4 * quads, 1);
        for (size_t i = 0; i < some.count; i++)
            memcpy(few + i * RLM_QUAD_BYTES, bytes + list[i] * RLM_QUAD_BYTES, RLM_QUAD_BYTES);
        widen(few, features, some, x);
        free(few);
        for (size_t i = 0; i < some.count; i++)
            for (size_t k = (size_t)4 * list[i]; k < (size_t)4 * list[i] + 4 && k < features; k++)
                check_widened(x, features, k);
        widen(bytes, features, (struct rlm_quads){NULL, 0}, x);
        for (size_t k = 0; k < features; k++)
            check_widened(x, features, k);
        free(bytes);
        free(x);
    }
}

/* ---- bounds ---- */

#define FEATURES 30
#define QUADS ((FEATURES + 3) / 4)

struct scene {
    _Alignas(64) uint8_t x[GROUPS * RLM_SKETCH_SAMPLES * 4 * QUADS];
    float sum[GROUPS * RLM_SKETCH_SAMPLES], heaviest[GROUPS], longest[GROUPS];
    float offset[FEATURES], divisor[FEATURES];
    float input[GROUPS * RLM_SKETCH_SAMPLES][FEATURES]; /* as pack makes them */
};

static void draw_scene(struct scene *s, struct rlm_rng *rng, bool uniform)
{
    memset(s, 0, sizeof *s);
    for (size_t k = 0; k < FEATURES; k++) {
        s->offset[k] = uniform ? 0.0f : (float)rlm_rng_below(rng, k, 200);
        s->divisor[k] = uniform ? 255.0f : 1.0f + (float)rlm_rng_below(rng, 100 + k, 90);
    }
    for (size_t place = 0; place < GROUPS * RLM_SKETCH_SAMPLES; place++) {
        double norm1 = 1.0;
        for (size_t k = 0; k < FEATURES; k++) {
            uint8_t u = (uint8_t)rlm_rng_below(rng, 1000 + place * FEATURES + k, 256);
            s->x[((place / RLM_SKETCH_SAMPLES * QUADS + k / 4) * RLM_SKETCH_SAMPLES +
                  place % RLM_SKETCH_SAMPLES) *
                     4 +
                 k % 4] = u;
            s->sum[place] += (float)u;
            s->input[place][k] = ((float)u - s->offset[k]) / s->divisor[k];
            norm1 += fabs((double)s->input[place][k]);
        }
        size_t group = place / RLM_SKETCH_SAMPLES;
        s->heaviest[group] = fmaxf(s->heaviest[group], s->sum[place]);
        s->longest[group] = fmaxf(s->longest[group], (float)(norm1 * (1.0 + 0x1p-22)));
    }
}

/* A unit as it is, and rounded. */
struct asked {
    const float *weight;
    float bias;
    const int8_t *q;
    const struct rlm_sketched *unit;
};

static double preactivate(const struct scene *s, const struct asked *asked, size_t place)
{
    double p = (double)asked->bias;
    for (size_t k = 0; k < FEATURES; k++)
        p += (double)asked->weight[k] * (double)s->input[place][k];
    return p;
}

/* No sample's pre-activation is further from its value than is said, nor the value's end above the bound but
 * for the three roundings of that, each by 2⁻²⁴ of what comes out. */
static void check_values(const struct scene *s, const struct rlm_sketch *sketch,
                         const struct rlm_sketch_group *samples, const struct asked *asked, size_t group)
{
    float value[RLM_SKETCH_SAMPLES], slack, bound;
    rlm_sketch_values(sketch, samples, &asked->q, &asked->unit, 1, value, &slack, &bound);
    for (size_t lane = 0; lane < RLM_SKETCH_SAMPLES; lane++) {
        double p = preactivate(s, asked, group * RLM_SKETCH_SAMPLES + lane);
        double half = (double)asked->unit->error * (double)samples->sum[lane] + (double)slack;
        assert_true(fabs(p - (double)value[lane]) <= half);
        double rounding = 0x1p-22 * (fabs((double)value[lane]) + half);
        assert_true((double)value[lane] + half <= (double)bound + rounding);
    }
}

/* Every bound is above the largest pre-activation of its group, in double, whose own error is far below the
 * slack; and above it by no more than twice what the rounding of the weights can make, max|ω|/254 · Σu, and a
 * little. */
static void check_bounds(const struct scene *s, const struct rlm_sketch *sketch, const float *weight,
                         float bias)
{
    int8_t q[4 * QUADS];
    struct rlm_sketched unit;
    rlm_sketch_round(sketch, weight, bias, q, &unit);
    for (size_t group = 0; group < GROUPS; group++) {
        const int8_t *rows[] = {q};
        const struct rlm_sketched *units[] = {&unit};
        float bound;
        double highest = -INFINITY;
        struct rlm_sketch_group samples = {.x = s->x + group * RLM_SKETCH_SAMPLES * 4 * QUADS,
                                           .sum = s->sum + group * RLM_SKETCH_SAMPLES,
                                           .heaviest = s->heaviest[group],
                                           .longest = s->longest[group]};
        rlm_sketch_bound(sketch, &samples, rows, units, 1, &bound);
        check_values(s, sketch, &samples, &(struct asked){weight, bias, q, &unit}, group);
        for (size_t place = group * RLM_SKETCH_SAMPLES; place < (group + 1) * RLM_SKETCH_SAMPLES; place++) {
            highest = fmax(highest, preactivate(s, &(struct asked){.weight = weight, .bias = bias}, place));
        }
        double most = (double)unit.largest / 127.0 * (double)s->heaviest[group];
        double little = (double)unit.largest * (double)s->heaviest[group] + (double)unit.size +
                        (double)unit.weight * (double)s->longest[group];
        assert_true(highest <= (double)bound);
        assert_true((double)bound <= highest + most * 1.001 + 0x1p-18 * little + 1e-30);
    }
}

static void test_bounds(void **state)
{
    relume_engine *engine = *state;
    rlm_dots_kernel *dots = rlm_dots_find(engine->level);
    struct scene *s = aligned_alloc(64, (sizeof *s + 63) / 64 * 64);
    for (uint64_t turn = 0; turn < 300; turn++) {
        struct rlm_rng rng = {turn, RLM_RNG_TEST, 6};
        bool uniform = turn % 2 == 0;
        draw_scene(s, &rng, uniform);
        bool native = dots && turn % 3;
        struct rlm_sketch sketch = {.dots = native ? dots : rlm_dots_ref,
                                    .middles =
                                        rlm_enclosing_find(native ? engine->level : RLM_CPU_REF)->middles,
                                    .scaling = {uniform, s->offset, s->divisor},
                                    .features = FEATURES,
                                    .quads = QUADS};
        float weight[FEATURES], size = ldexpf(1.0f, (int)(turn % 40) - 30);
        for (size_t k = 0; k < FEATURES; k++)
            weight[k] = turn % 7 == 3 ? 0.0f : size * (float)rlm_rng_normal(&rng, 5000 + k);
        check_bounds(s, &sketch, weight, size * (float)rlm_rng_normal(&rng, 6000));
    }
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dots), cmocka_unit_test(test_widen),
                                       cmocka_unit_test(test_bounds)};
    return cmocka_run_group_tests(tests, world_begin, world_end);
}
