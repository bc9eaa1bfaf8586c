/* Lethal learning rates against brute force: the update made and counted at many rates. */
#include "check.h"

#include <float.h>
#include <math.h>

#include "layer_case.h"

#define UNITS 10000
#define RATES 40

static bool dead_at(const struct layer_case *c, float rate)
{
    float after[CASE_STRIDE];
    rlm_move_make(&c->move, 0, (double)rate, after);
    return case_dead(c, after);
}

static bool lethal_holds(const struct rlm_lethal *lethal, float rate)
{
    return lethal->some && rate >= lethal->low && rate <= lethal->high;
}

static void check_rate(const struct layer_case *c, const struct rlm_lethal *lethal, float rate, uint64_t seed)
{
    if (dead_at(c, rate) != lethal_holds(lethal, rate))
        fail_msg("seed %llu: at rate %a the unit is %s, the interval is %d [%a, %a]",
                 (unsigned long long)seed, (double)rate, dead_at(c, rate) ? "dead" : "alive", lethal->some,
                 (double)lethal->low, (double)lethal->high);
}

/* A scan over eleven decades, and the floats on both sides of both ends. */
static void check_case(const struct layer_case *c, const struct rlm_lethal *lethal, uint64_t seed)
{
    for (int i = 0; i <= RATES; i++)
        check_rate(c, lethal, (float)pow(10.0, -7.0 + 11.0 * i / RATES), seed);
    if (!lethal->some)
        return;
    check_rate(c, lethal, lethal->low, seed);
    if (lethal->low > 0.0f) {
        check_rate(c, lethal, lethal->safe, seed);
        assert_true(nextafterf(lethal->safe, FLT_MAX) == lethal->low);
    }
    if (isfinite(lethal->high)) {
        check_rate(c, lethal, lethal->high, seed);
        check_rate(c, lethal, nextafterf(lethal->high, FLT_MAX), seed);
    }
}

static void test_interval_is_brute_forces(void **state)
{
    size_t lethal_units = 0, finite = 0;
    for (uint64_t seed = 0; seed < UNITS; seed++) {
        struct layer_case c;
        struct rlm_bench bench;
        struct rlm_lethal lethal;
        relume_error error;
        case_begin(&c, *state, seed);
        assert_ok(rlm_bench_init(&bench, &c.inputs, &error), error);
        double anchor = seed % 2 == 0 && dead_at(&c, (float)c.move.rate) ? c.move.rate : 0.0;
        rlm_lethal_find(&c.inputs, &c.move, anchor, &bench, &lethal);
        check_case(&c, &lethal, seed);
        lethal_units += lethal.some;
        finite += lethal.some && isfinite(lethal.high);
        rlm_bench_deinit(&bench);
        case_end(&c);
    }
    print_message("# %d units: %zu can be killed, %zu of them only up to some rate\n", UNITS, lethal_units,
                  finite);
    assert_true(lethal_units > UNITS / 10 && finite > 100);
}

static void test_distance_is_the_smallest(void **state)
{
    for (uint64_t seed = 0; seed < 500; seed++) {
        struct layer_case c;
        struct rlm_bench bench;
        relume_error error;
        case_begin(&c, *state, seed);
        assert_ok(rlm_bench_init(&bench, &c.inputs, &error), error);
        rlm_variants_put(&bench.variants, 0, c.before);
        rlm_variants_count(&bench.variants, 1, &c.inputs);
        struct rlm_distance distance = rlm_distance_find(&c.inputs, &bench.variants, 0);
        struct rlm_tally tally = rlm_variants_tally(&bench.variants, 0, &c.inputs);
        assert_true(distance.margin == -(double)tally.margin);
        assert_int_equal(tally.active == 0, case_dead(&c, c.before));
        double p = (double)rlm_inputs_preactivate(&c.inputs, distance.sample, c.before);
        assert_true(distance.parameters == -p / c.inputs.norm2[distance.sample]);
        rlm_bench_deinit(&bench);
        case_end(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interval_is_brute_forces),
        cmocka_unit_test(test_distance_is_the_smallest),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}
