/* An update taken apart equals the kernel's update; its parts add up to it. */
#include "check.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "layer_case.h"
#include "train/optimizer.h"

#define CASES 3000

static void kernel_update(const struct layer_case *c, size_t at, size_t count, float *after)
{
    float s1[CASE_STRIDE], s2[CASE_STRIDE];
    memcpy(s1, c->s1, sizeof s1);
    memcpy(s2, c->s2, sizeof s2);
    struct rlm_apply apply = {
        .rows = 1,
        .columns = count,
        .stride = CASE_STRIDE,
        .gradient = c->gradient + at,
        .gradient_scale = 1.0f,
        .update = rlm_optimizer_update(&c->options, c->move.rate, c->move.step, at == c->move.features),
        .parameter = after + at,
        .s1 = s1 + at,
        .s2 = s2 + at};
    rlm_kernels_get(RLM_CPU_REF)->apply(&apply, 0, 1);
}

static void test_whole_move_is_the_kernels(void **state)
{
    for (uint64_t seed = 0; seed < CASES; seed++) {
        struct layer_case c;
        case_begin(&c, *state, seed);
        float expected[CASE_STRIDE], after[CASE_STRIDE];
        memcpy(expected, c.before, sizeof expected);
        kernel_update(&c, 0, c.move.features, expected);
        kernel_update(&c, c.move.features, 1, expected);
        rlm_move_make(&c.move, 0, c.move.rate, after);
        assert_memory_equal(after, expected, (c.move.features + 1) * sizeof *after);
        case_end(&c);
    }
}

/* Each of the parts is a product of at most five float coefficients' doubles, so the sum differs from the
 * float update by the update's own roundings: at most five, each of half an ulp of a value no larger than |w|
 * + Σ|part|. */
static void test_parts_add_up(void **state)
{
    for (uint64_t seed = 0; seed < CASES; seed++) {
        struct layer_case c;
        case_begin(&c, *state, seed);
        float after[CASE_STRIDE];
        rlm_move_make(&c.move, 0, c.move.rate, after);
        for (size_t i = 0; i <= c.move.features; i++) {
            struct rlm_parts parts = rlm_move_parts(&c.move, i);
            double sum = parts.gradient + parts.momentum + parts.decay;
            double size =
                fabs((double)c.before[i]) + fabs(parts.gradient) + fabs(parts.momentum) + fabs(parts.decay);
            double change = (double)after[i] - (double)c.before[i];
            assert_true(fabs(change - sum) <= 5.0 * 0x1p-24 * size * (1.0 + 0x1p-20));
        }
        case_end(&c);
    }
}

static void test_nothing_left_nothing_moves(void **state)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct layer_case c;
        case_begin(&c, *state, seed);
        float after[CASE_STRIDE];
        rlm_move_make(&c.move, RLM_PART_GRADIENT | RLM_PART_MOMENTUM | RLM_PART_DECAY, c.move.rate, after);
        assert_memory_equal(after, c.before, (c.move.features + 1) * sizeof *after);
        rlm_move_make(&c.move, RLM_PART_WEIGHTS | RLM_PART_BIAS, c.move.rate, after);
        assert_memory_equal(after, c.before, (c.move.features + 1) * sizeof *after);
        assert_true(rlm_move_ratio(c.before, after, c.move.features) == 0.0);
        case_end(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_move_is_the_kernels),
        cmocka_unit_test(test_parts_add_up),
        cmocka_unit_test(test_nothing_left_nothing_moves),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}
