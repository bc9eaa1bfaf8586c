/* The closed forms of born-dead units against values known without integration. */
#include "check.h"

#include <math.h>

#include "census/closed_forms.h"

/* The trapezoid rule over ±12 cuts off a mass below 4e-33 and, for an integrand analytic in a strip of
 * half-width ≥ 1, errs by less than exp(−2π·1/step), step = 24/4096: nothing. What is left is rounding: 4,097
 * terms, each within some 1e-14 relative of exp(n·log Φ) for n ≤ 60,000 (the logarithm's rounding, 1e-16,
 * times n·|log Φ| where the term matters, ≤ 40, and the rounding of n·log Φ itself). */
#define ROUNDING 1e-11

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) <= ROUNDING * fmax(expected, 1e-3)))
        fail_msg("%.17g, expected %.17g", value, expected);
}

static void test_half_correlation_gives_one_in_n_plus_one(void **state)
{
    (void)state;
    const uint64_t counts[] = {1, 2, 3, 10, 100, 1797, 60000};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        assert_near(rlm_born_dead(0.5, counts[i]), 1.0 / ((double)counts[i] + 1.0));
}

static void test_no_correlation_gives_coin_tosses(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 30; n++)
        assert_near(rlm_born_dead(0.0, n), exp2(-(double)n));
}

static void test_two_samples_match_the_orthant_formula(void **state)
{
    (void)state;
    /* P(both off) = 1/4 + asin(ρ) / 2π (Sheppard 1899) */
    for (int i = 0; i < 10; i++) {
        double rho = 0.09 * i;
        assert_near(rlm_born_dead(rho, 2), 0.25 + asin(rho) / (2.0 * acos(-1.0)));
    }
}

static void test_ceiling_is_one_half(void **state)
{
    (void)state;
    assert_near(rlm_born_dead(1.0, 1000000), 0.5);
    assert_true(rlm_born_dead(0.999999, 100) < 0.5);
    assert_true(rlm_born_dead(0.999999, 100) > 0.49);
}

static void test_correlation_after_relu(void **state)
{
    (void)state;
    double pi = acos(-1.0);
    assert_near(rlm_relu_correlation(0.0), 1.0 / pi);
    assert_near(rlm_relu_correlation(1.0), 1.0);
    assert_near(rlm_relu_correlation(-1.0), 0.0);
    /* ρ = 1/2: (√3/2 + (1/2)(2π/3)) / π */
    assert_near(rlm_relu_correlation(0.5), (sqrt(3.0) / 2.0 + pi / 3.0) / pi);
    for (double rho = -0.99; rho < 0.99; rho += 0.01)
        assert_true(rlm_relu_correlation(rho) > rho);
}

static void test_narrow_deep_networks_are_born_dead(void **state)
{
    (void)state;
    assert_near(rlm_network_born_dead(1, 1), 0.5);
    assert_near(rlm_network_born_dead(2, 10), 1.0 - pow(0.75, 10));
    assert_true(rlm_network_born_dead(512, 2) > 0.0);
    assert_true(rlm_network_born_dead(512, 2) < 1e-100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_correlation_gives_one_in_n_plus_one),
        cmocka_unit_test(test_no_correlation_gives_coin_tosses),
        cmocka_unit_test(test_two_samples_match_the_orthant_formula),
        cmocka_unit_test(test_ceiling_is_one_half),
        cmocka_unit_test(test_correlation_after_relu),
        cmocka_unit_test(test_narrow_deep_networks_are_born_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
