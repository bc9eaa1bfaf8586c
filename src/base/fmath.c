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

/* The same for lanes side by side: each a chain of its own, so that none waits for another. */
static void polynomial_lanes(const double *coefficients, int count, const double x[RLM_MATH_LANES],
                             double sum[RLM_MATH_LANES])
{
    for (int j = 0; j < RLM_MATH_LANES; j++)
        sum[j] = coefficients[count - 1];
    for (int i = count - 2; i >= 0; i--)
        for (int j = 0; j < RLM_MATH_LANES; j++)
            sum[j] = sum[j] * x[j] + coefficients[i];
}

#define POLYNOMIAL(series, x) polynomial(series, sizeof(series) / sizeof *(series), x)
#define POLYNOMIAL_LANES(series, x, sum) polynomial_lanes(series, sizeof(series) / sizeof *(series), x, sum)

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
    double result = 1.0 + (r + r * r * POLYNOMIAL(series, r));
    /* in two steps: 2ᵏ itself may be out of range where the result is not */
    return result * power_of_two(k / 2) * power_of_two(k - k / 2);
}

/* √2 is 1 and this many parts of 2⁵². */
#define SQRT2_FRACTION 0x6a09e667f3bcdu

/* x = 2ᵏ (1 + f). Of a significand above √2 the half is taken, so that |f| is small on both sides; by
 * arithmetic, for half of such branches would be mispredicted. */
static double log_split(double x, double *f)
{
    uint64_t bits = double_bits(x), fraction = bits & 0xfffffffffffff, above = fraction > SQRT2_FRACTION;
    *f = bits_double(fraction | (1023 - above) << 52) - 1.0;
    return (double)((int)(bits >> 52) - 1023 + (int)above);
}

/* With s = f / (2 + f): log(1 + f) = 2 artanh s = 2s + s R, R = 2s²/3 + 2s⁴/5 + …, and 2s = f − s f; so
 * log(1 + f) = f − s (f − R), where f is exact and large and the rest is small. */
static const double log_series[] = {
    0,        2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11,
    2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21, 2.0 / 23,
};

static double log_join(double k, double f, double s, double r)
{
    return k * LN2_HIGH + (f - (s * (f - r) - k * LN2_LOW));
}

double rlm_log(double x)
{
    double f, k = log_split(x, &f), s = f / (2.0 + f);
    return log_join(k, f, s, POLYNOMIAL(log_series, s * s));
}

void rlm_log_lanes(double x[RLM_MATH_LANES])
{
    double k[RLM_MATH_LANES], f[RLM_MATH_LANES], s[RLM_MATH_LANES], square[RLM_MATH_LANES], r[RLM_MATH_LANES];
    for (int i = 0; i < RLM_MATH_LANES; i++)
        k[i] = log_split(x[i], &f[i]);
    for (int i = 0; i < RLM_MATH_LANES; i++) {
        s[i] = f[i] / (2.0 + f[i]);
        square[i] = s[i] * s[i];
    }
    POLYNOMIAL_LANES(log_series, square, r);
    for (int i = 0; i < RLM_MATH_LANES; i++)
        x[i] = log_join(k[i], f[i], s[i], r[i]);
}

/* 2π in two parts; the first has 27 bits. */
#define TURN_HIGH 0x1.921fb54p+2
#define TURN_LOW 0x1.10b4611a62633p-28

/* sin θ and cos θ for θ = high + low, |θ| ≤ π/4, |low| far below |high|. */
static const double sine_series[] = {
    -1.0 / 6,
    1.0 / 120,
    -1.0 / 5040,
    1.0 / 362880,
    -1.0 / 39916800.0,
    1.0 / 6227020800.0,
    -1.0 / 1307674368000.0,
    1.0 / 355687428096000.0,
};
static const double cosine_series[] = {
    1.0 / 24,
    -1.0 / 720,
    1.0 / 40320,
    -1.0 / 3628800,
    1.0 / 479001600.0,
    -1.0 / 87178291200.0,
    1.0 / 20922789888000.0,
};

static double sine_join(double high, double low, double r)
{
    double angle = high + low, square = angle * angle;
    return high + (low + angle * square * r);
}

static double cosine_join(double high, double low, double r)
{
    double angle = high + low, square = angle * angle;
    return 1.0 - (0.5 * square - square * square * r);
}

/* 2πx as a whole number of quarter turns and an angle high + low. */
static int turn_split(double x, double *high, double *low)
{
    int quarter = (int)(4.0 * x + 0.5);
    double t = x - 0.25 * quarter; /* exact: |t| ≤ 1/8, and both lie close together */
    /* the first 26 bits of t: times TURN_HIGH they are exact */
    double head = bits_double(double_bits(t) & ~(uint64_t)0x7ffffff);
    *high = head * TURN_HIGH;
    *low = head * TURN_LOW + (t - head) * (TURN_HIGH + TURN_LOW);
    return quarter;
}

/* Cosine, −sine, −cosine, sine: chosen by bits, for a branch on random angles is mispredicted. */
static double turn_join(int quarter, double sine, double cosine)
{
    uint64_t odd = -(uint64_t)(quarter & 1), sign = (uint64_t)((quarter + 1) >> 1 & 1) << 63;
    return bits_double(((double_bits(sine) & odd) | (double_bits(cosine) & ~odd)) ^ sign);
}

double rlm_cos_turn(double x)
{
    double high, low;
    int quarter = turn_split(x, &high, &low);
    double angle = high + low, square = angle * angle;
    return turn_join(quarter, sine_join(high, low, POLYNOMIAL(sine_series, square)),
                     cosine_join(high, low, POLYNOMIAL(cosine_series, square)));
}

void rlm_cos_turn_lanes(double x[RLM_MATH_LANES])
{
    double high[RLM_MATH_LANES], low[RLM_MATH_LANES], square[RLM_MATH_LANES];
    double sine[RLM_MATH_LANES], cosine[RLM_MATH_LANES];
    int quarter[RLM_MATH_LANES];
    for (int i = 0; i < RLM_MATH_LANES; i++) {
        quarter[i] = turn_split(x[i], &high[i], &low[i]);
        double angle = high[i] + low[i];
        square[i] = angle * angle;
    }
    POLYNOMIAL_LANES(sine_series, square, sine);
    POLYNOMIAL_LANES(cosine_series, square, cosine);
    for (int i = 0; i < RLM_MATH_LANES; i++) {
        double s = sine_join(high[i], low[i], sine[i]), c = cosine_join(high[i], low[i], cosine[i]);
        x[i] = turn_join(quarter[i], s, c);
    }
}
