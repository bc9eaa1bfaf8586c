/* See fmath.h. Each function reduces its argument exactly, sums a Taylor series from its smallest term, and
 * adds the largest term last, so that all but the last rounding fall on a small part of the result. Only + −
 * · / are used, each rounded once: the compiler does not contract them (meson.build), so the bytes are the
 * same on every machine. */
#include "base/fmath.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* ln 2 in two parts; the first has 42 bits, so that its product with a whole number up to 2¹¹ is exact. */
#define LN2_HIGH 0x1.62e42fefa38p-1
#define LN2_LOW 0x1.ef35793c7673p-45

static uint64_t double_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double bits_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* 2ᵏ for −1022 ≤ k ≤ 1023. */
static double power_of_two(int k)
{
    return bits_double((uint64_t)(k + 1023) << 52);
}

/* Σ coefficients[i] · xⁱ, from the highest power down. */
static double polynomial(const double *coefficients, int count, double x)
{
    double sum = coefficients[count - 1];
    for (int i = count - 2; i >= 0; i--)
        sum = sum * x + coefficients[i];
    return sum;
}

double rlm_exp(double x)
{
    /* eʳ = 1 + r + r² (1/2! + r/3! + …): the first term left out is below 2⁻⁵⁷ for |r| ≤ ln 2 / 2 */
    static const double series[] = {
        1.0 / 2,         1.0 / 6,          1.0 / 24,          1.0 / 120,
        1.0 / 720,       1.0 / 5040,       1.0 / 40320.0,     1.0 / 362880.0,
        1.0 / 3628800.0, 1.0 / 39916800.0, 1.0 / 479001600.0, 1.0 / 6227020800.0,
    };
    if (isnan(x))
        return x;
    if (x > 709.782712893384) /* ln of the largest double */
        return INFINITY;
    if (x < -745.1332191019412) /* ln of half the smallest double */
        return 0;
    int k = (int)(x * 0x1.71547652b82fep+0 + (x < 0 ? -0.5 : 0.5));
    double r = (x - k * LN2_HIGH) - k * LN2_LOW;
    double result = 1.0 + (r + r * r * polynomial(series, sizeof series / sizeof *series, r));
    /* in two steps: 2ᵏ itself may be out of range where the result is not */
    return result * power_of_two(k / 2) * power_of_two(k - k / 2);
}

double rlm_log(double x)
{
    /* With x = 2ᵏ (1 + f) and s = f / (2 + f): log(1 + f) = 2 artanh s = 2s + s R, R = 2s²/3 + 2s⁴/5 + …, and
     * 2s = f − s f; so log(1 + f) = f − s (f − R), where f is exact and large and the rest is small. */
    static const double series[] = {
        0,        2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11,
        2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21, 2.0 / 23,
    };
    uint64_t bits = double_bits(x);
    int k = (int)(bits >> 52) - 1023;
    double m = bits_double((bits & 0xfffffffffffff) | (uint64_t)1023 << 52); /* [1, 2) */
    if (m > 0x1.6a09e667f3bcdp+0) { /* √2: so that |f| is small on both sides */
        m *= 0.5;
        k++;
    }
    double f = m - 1.0, s = f / (2.0 + f);
    double rest = s * (f - polynomial(series, sizeof series / sizeof *series, s * s));
    return k * LN2_HIGH + (f - (rest - k * LN2_LOW));
}

/* 2π in two parts; the first has 27 bits. */
#define TURN_HIGH 0x1.921fb54p+2
#define TURN_LOW 0x1.10b4611a62633p-28

/* sin θ and cos θ for θ = high + low, |θ| ≤ π/4, |low| far below |high|. */
static double small_sine(double high, double low)
{
    static const double series[] = {
        -1.0 / 6,
        1.0 / 120,
        -1.0 / 5040,
        1.0 / 362880,
        -1.0 / 39916800.0,
        1.0 / 6227020800.0,
        -1.0 / 1307674368000.0,
        1.0 / 355687428096000.0,
    };
    double angle = high + low, square = angle * angle;
    return high + (low + angle * square * polynomial(series, sizeof series / sizeof *series, square));
}

static double small_cosine(double high, double low)
{
    static const double series[] = {
        1.0 / 24,
        -1.0 / 720,
        1.0 / 40320,
        -1.0 / 3628800,
        1.0 / 479001600.0,
        -1.0 / 87178291200.0,
        1.0 / 20922789888000.0,
    };
    double angle = high + low, square = angle * angle;
    return 1.0 -
           (0.5 * square - square * square * polynomial(series, sizeof series / sizeof *series, square));
}

double rlm_cos_turn(double x)
{
    int quarter = (int)(4.0 * x + 0.5);
    double t = x - 0.25 * quarter; /* exact: |t| ≤ 1/8, and both lie close together */
    /* the first 26 bits of t: times TURN_HIGH they are exact */
    double head = bits_double(double_bits(t) & ~(uint64_t)0x7ffffff);
    double high = head * TURN_HIGH, low = head * TURN_LOW + (t - head) * (TURN_HIGH + TURN_LOW);
    switch (quarter & 3) {
    case 0:
        return small_cosine(high, low);
    case 1:
        return -small_sine(high, low);
    case 2:
        return -small_cosine(high, low);
    default:
        return small_sine(high, low);
    }
}
