/* The cliff of a sweep, on made-up rows. That rows equal runs is tested through the program. */
#include "check.h"

#include <math.h>

#include "relume/sweep.h"

static relume_sweep_row row(double accuracy, uint64_t deaths, uint64_t dead, int diverged)
{
    relume_sweep_row made = {
        .units = 100, .diverged = diverged, .train = {1.0, 0.5}, .test = {1.0, accuracy}};
    made.total = (relume_run_layer){.born_dead = 2, .deaths = deaths, .dead_at_end = dead};
    if (diverged)
        made.train = made.test = (relume_score){(double)NAN, (double)NAN};
    return made;
}

static void test_each_place(void **state)
{
    (void)state;
    /* 12 dead at the end are 10 killed: not yet more than a tenth. 0.80 is ten points below 0.90: not more.
     */
    const relume_sweep_row rows[] = {row(0.7, 0, 2, 0),   row(0.9, 0, 2, 0),   row(0.81, 4, 12, 0),
                                     row(0.85, 9, 13, 0), row(0.79, 0, 50, 0), row(0, 0, 2, 1)};
    relume_sweep_cliff cliff = relume_sweep_find_cliff(rows, 6);
    assert_int_equal(cliff.safe, 1);
    assert_int_equal(cliff.deaths, 2);
    assert_int_equal(cliff.dead, 3);
    assert_int_equal(cliff.best, 1);
    assert_int_equal(cliff.fall, 4);
    assert_int_equal(cliff.diverged, 5);
}

static void test_nowhere(void **state)
{
    (void)state;
    relume_sweep_cliff cliff = relume_sweep_find_cliff(NULL, 0);
    assert_int_equal(cliff.safe, SIZE_MAX);
    assert_int_equal(cliff.best, SIZE_MAX);
    const relume_sweep_row bad[] = {row(0, 0, 2, 1), row(0.5, 0, 2, 0)};
    cliff = relume_sweep_find_cliff(bad, 2); /* divergence ends what is safe, though nothing died */
    assert_int_equal(cliff.safe, SIZE_MAX);
    assert_int_equal(cliff.deaths, SIZE_MAX);
    assert_int_equal(cliff.best, 1);
    assert_int_equal(cliff.fall, SIZE_MAX);
}

static void test_regression_goes_by_loss(void **state)
{
    (void)state;
    relume_sweep_row rows[] = {row(0, 0, 2, 0), row(0, 0, 2, 0), row(0, 0, 2, 0)};
    const double losses[] = {3.0, 1.0, 2.5};
    for (size_t i = 0; i < 3; i++)
        rows[i].test = (relume_score){losses[i], (double)NAN};
    relume_sweep_cliff cliff = relume_sweep_find_cliff(rows, 3);
    assert_int_equal(cliff.best, 1);
    assert_int_equal(cliff.fall, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_place),
        cmocka_unit_test(test_nowhere),
        cmocka_unit_test(test_regression_goes_by_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
