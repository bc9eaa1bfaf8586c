/* exp, log and cosine against the C library in long double (64 bits of mantissa or more): at most 2 ulp
 * apart, ends included. */
#include "check.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#include "base/fmath.h"

#define TURN 6.283185307179586476925286766559005768L

/* The distance in units of the last place that a double next to `exact` has. */
static double ulps(double found, long double exact)
{
    int exponent;
    (void)frexpl(exact, &exponent);
    long double ulp = ldexpl(1.0L, exponent - DBL_MANT_DIG < -1074 ? -1074 : exponent - DBL_MANT_DIG);
    return (double)(fabsl((long double)found - exact) / ulp);
}

static void note_worst(const char *name, double worst)
{
    printf("# %s: at most %.3f ulp\n", name, worst);
    assert_true(worst <= 2);
}

static void test_exp(void **state)
{
    (void)state;
    double worst = 0;
    for (double x = -745.1; x < 709.78; x += 0.00731)
        worst = fmax(worst, ulps(rlm_exp(x), expl((long double)x)));
    for (double x = -1; x < 1; x += (double)check_rounds(1, 8) * 0x1.23p-17)
        worst = fmax(worst, ulps(rlm_exp(x), expl((long double)x)));
    note_worst("exp", worst);
}

static void test_exp_ends(void **state)
{
    (void)state;
    assert_true(rlm_exp(0) == 1 && rlm_exp(-0.0) == 1);
    assert_true(isinf(rlm_exp(709.7827128933841)) && isinf(rlm_exp(INFINITY)));
    assert_true(isfinite(rlm_exp(709.782712893384)));
    assert_true(rlm_exp(-745.133219101941) == 0x1p-1074);
    assert_true(rlm_exp(-745.1332191019413) == 0 && rlm_exp(-INFINITY) == 0);
    assert_true(isnan(rlm_exp(NAN)));
}

static void test_log(void **state)
{
    (void)state;
    double worst = 0;
    for (int exponent = -1022; exponent < 1024; exponent += 7)
        for (double x = 1; x < 2; x += 0.00137)
            worst = fmax(worst, ulps(rlm_log(ldexp(x, exponent)), logl((long double)ldexp(x, exponent))));
    for (double x = 0.25; x < 4; x += 0x1.23p-16)
        worst = fmax(worst, ulps(rlm_log(x), logl((long double)x)));
    for (double x = 1 - 0x1p-40; x < 1 + 0x1p-40; x += 0x1.1p-52)
        worst = fmax(worst, ulps(rlm_log(x), logl((long double)x)));
    note_worst("log", worst);
    assert_true(rlm_log(1) == 0);
    assert_true(ulps(rlm_log(DBL_MIN), logl(DBL_MIN)) <= 2 && ulps(rlm_log(DBL_MAX), logl(DBL_MAX)) <= 2);
    assert_true(ulps(rlm_log(0x1p-53), logl(0x1p-53L)) <= 2);
}

/* The angle is reduced to an eighth of a turn before the long double function sees it: 2π x itself, rounded,
 * would be too coarse near the zeros. */
static long double exact_cosine(double x)
{
    int quarter = (int)(4 * x + 0.5);
    long double angle = TURN * ((long double)x - 0.25L * quarter);
    switch (quarter & 3) {
    case 0:
        return cosl(angle);
    case 1:
        return -sinl(angle);
    case 2:
        return -cosl(angle);
    default:
        return sinl(angle);
    }
}

static void test_cos_turn(void **state)
{
    (void)state;
    double worst = 0;
    for (double x = 0; x <= 1; x += (double)check_rounds(1, 8) * 0x1.23p-19)
        worst = fmax(worst, ulps(rlm_cos_turn(x), exact_cosine(x)));
    for (int quarter = 0; quarter < 4; quarter++)
        for (int i = -2000; i < 2000; i++) {
            double x = fabs(0.25 * quarter + i * 0x1p-53);
            worst = fmax(worst, ulps(rlm_cos_turn(x), exact_cosine(x)));
        }
    note_worst("cosine", worst);
    assert_true(rlm_cos_turn(0) == 1 && rlm_cos_turn(0.25) == 0 && rlm_cos_turn(0.5) == -1);
    assert_true(rlm_cos_turn(0.75) == 0 && rlm_cos_turn(1) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp),
        cmocka_unit_test(test_exp_ends),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_cos_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
