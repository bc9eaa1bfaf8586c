/* Learning rates by step, for every schedule, with warmup. */
#include "world.h"

#include <math.h>

#include "train/trainer.h"

static double rate(const relume_trainer_options *options, uint64_t step, uint64_t steps)
{
    return rlm_schedule_rate(options, step, steps);
}

static void test_constant(void **state)
{
    (void)state;
    relume_trainer_options options;
    relume_trainer_options_default(&options);
    options.learning_rate = 0.25;
    assert_true(rate(&options, 1, 100) == 0.25 && rate(&options, 100, 100) == 0.25);
}

static void test_step_divides_after_half_and_three_quarters(void **state)
{
    (void)state;
    relume_trainer_options options;
    relume_trainer_options_default(&options);
    options.schedule = RELUME_SCHEDULE_STEP;
    options.learning_rate = 1;
    const double hundred[][2] = {{1, 1}, {50, 1}, {51, 0.1}, {75, 0.1}, {76, 0.01}, {100, 0.01}};
    for (size_t i = 0; i < 6; i++)
        assert_true(rate(&options, (uint64_t)hundred[i][0], 100) == hundred[i][1]);
    /* 2·step > steps and 4·step > 3·steps for every odd case */
    for (uint64_t steps = 1; steps < 40; steps++)
        for (uint64_t step = 1; step <= steps; step++) {
            double expected = 4 * step > 3 * steps ? 0.01 : 2 * step > steps ? 0.1 : 1;
            assert_true(rate(&options, step, steps) == expected);
        }
    assert_true(rate(&options, UINT64_MAX, UINT64_MAX) == 0.01);
}

static void test_cosine(void **state)
{
    (void)state;
    relume_trainer_options options;
    relume_trainer_options_default(&options);
    options.schedule = RELUME_SCHEDULE_COSINE;
    options.learning_rate = 0.4;
    assert_true(rate(&options, 1, 60) == 0.4);
    for (uint64_t step = 1; step <= 60; step++) {
        /* rlm_cos_turn is within 2 units in the last place of values up to 1: 1e-15 is above that */
        double expected = 0.2 * (1 + cos(3.14159265358979323846 * (double)(step - 1) / 60));
        assert_true(fabs(rate(&options, step, 60) - expected) < 1e-15);
        assert_true(step == 1 || rate(&options, step, 60) < rate(&options, step - 1, 60));
    }
    assert_true(rate(&options, 60, 60) > 0);
}

static void test_points(void **state)
{
    (void)state;
    const relume_schedule_point points[] = {{3, 0.5}, {10, 0.0}, {11, 2.0}};
    relume_trainer_options options;
    relume_trainer_options_default(&options);
    options.schedule = RELUME_SCHEDULE_POINTS;
    options.learning_rate = 0.125; /* until the first point */
    options.points = points;
    options.point_count = 3;
    const double expected[] = {0.125, 0.125, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.0, 2.0, 2.0};
    for (uint64_t step = 1; step <= 12; step++)
        assert_true(rate(&options, step, 12) == expected[step - 1]);
}

static void test_warmup_rises_linearly(void **state)
{
    (void)state;
    relume_trainer_options options;
    relume_trainer_options_default(&options);
    options.learning_rate = 1;
    options.warmup = 4;
    const double expected[] = {0.2, 0.4, 3.0 / 5.0, 0.8, 1, 1};
    for (uint64_t step = 1; step <= 6; step++)
        assert_true(rate(&options, step, 6) == expected[step - 1]);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(relume_schedule_name(RELUME_SCHEDULE_COSINE), "cosine");
    assert_string_equal(relume_optimizer_name(RELUME_NESTEROV), "nesterov");
    assert_null(relume_schedule_name(RELUME_SCHEDULE_COUNT));
    assert_null(relume_optimizer_name(RELUME_OPTIMIZER_COUNT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant),
        cmocka_unit_test(test_step_divides_after_half_and_three_quarters),
        cmocka_unit_test(test_cosine),
        cmocka_unit_test(test_points),
        cmocka_unit_test(test_warmup_rises_linearly),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
