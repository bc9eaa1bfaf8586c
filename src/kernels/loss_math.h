/* exp, log and log1p in float for the losses: a fixed list of operations, so that no C library decides the
 * bits and a SIMD lane can do exactly the same (simd_loss.h does). Within 1.1 ulp on the domains stated;
 * docs/numerics.md derives and measures it.
 *
 * The polynomials are minimax fits, lowest power first:
 *     exp r     = 1 + r + r² Q(r)        |r| ≤ ½ ln 2
 *     log(1+f)  = f − f²/2 + f³ P(f)     √½ − 1 ≤ f ≤ ½ */
#ifndef RLM_KERNELS_LOSS_MATH_H
#define RLM_KERNELS_LOSS_MATH_H

#include <math.h>

#include "base/bits.h"

#define RLM_EXP_TERMS 5
static const float rlm_exp_q[RLM_EXP_TERMS] = {0x1.fffffcp-2f, 0x1.555490p-3f, 0x1.5558f4p-5f, 0x1.123a6cp-7f,
                                               0x1.6a2352p-10f};
#define RLM_LOG_TERMS 9
static const float rlm_log_p[RLM_LOG_TERMS] = {0x1.55554cp-2f,  -0x1.0000b6p-2f, 0x1.99a300p-3f,
                                               -0x1.551318p-3f, 0x1.232454p-3f,  -0x1.02cbb8p-3f,
                                               0x1.f0dd52p-4f,  -0x1.ac70dep-4f, 0x1.89f370p-5f};

#define RLM_LOG2_E 0x1.715476p+0f
#define RLM_LN2_HIGH 0x1.62e430p-1f    /* ln 2 rounded to float … */
#define RLM_LN2_LOW (-0x1.05c610p-29f) /* … and what is left */
#define RLM_ROUND 0x1.8p23f            /* adding it rounds to an integer, which is then in the low bits */
#define RLM_ROUND_BITS 0x4b400000u
#define RLM_SQRT_HALF_BITS 0x3f3504f3u
#define RLM_MANTISSA_BITS 0x007fffffu
#define RLM_EXP_LOWEST (-104.0f) /* exp gives 0 from here down, */
#define RLM_EXP_HIGHEST 89.0f    /* infinity from here up */

/* Any x; NaN gives NaN. x = k ln 2 + r, and 2^k is multiplied in two halves so that a denormal result is
 * rounded once. */
static inline float rlm_loss_exp(float x)
{
    x = x < RLM_EXP_LOWEST ? RLM_EXP_LOWEST : x;
    x = x > RLM_EXP_HIGHEST ? RLM_EXP_HIGHEST : x;
    float rounded = fmaf(x, RLM_LOG2_E, RLM_ROUND);
    float n = rounded - RLM_ROUND;
    float r = fmaf(n, -RLM_LN2_HIGH, x);
    r = fmaf(n, -RLM_LN2_LOW, r);
    float q = rlm_exp_q[RLM_EXP_TERMS - 1];
    for (int i = RLM_EXP_TERMS - 2; i >= 0; i--)
        q = fmaf(q, r, rlm_exp_q[i]);
    float power = fmaf(q, r * r, r) + 1.0f;
    uint32_t k = rlm_float_bits(rounded) - RLM_ROUND_BITS;
    uint32_t half = (k + 256u) >> 1; /* k/2 + 128: not negative, so the shift is plain */
    return power * rlm_bits_float((half - 1u) << 23) * rlm_bits_float((k + 255u - half) << 23);
}

/* log(1 + f) + k ln 2 */
static inline float rlm_loss_log_near_1(float f, float k)
{
    float p = rlm_log_p[RLM_LOG_TERMS - 1];
    for (int i = RLM_LOG_TERMS - 2; i >= 0; i--)
        p = fmaf(p, f, rlm_log_p[i]);
    float r = fmaf(f * f, fmaf(p, f, -0.5f), f);
    return fmaf(k, RLM_LN2_HIGH, fmaf(k, RLM_LN2_LOW, r));
}

/* 1 ≤ x < ∞; NaN and infinity give NaN. */
static inline float rlm_loss_log(float x)
{
    uint32_t bits = rlm_float_bits(x) - RLM_SQRT_HALF_BITS;
    float m = rlm_bits_float((bits & RLM_MANTISSA_BITS) + RLM_SQRT_HALF_BITS); /* √½ ≤ m < √2 */
    float k = rlm_bits_float((bits >> 23) + RLM_ROUND_BITS) - RLM_ROUND;
    return fmaf(x, 0.0f, rlm_loss_log_near_1(m - 1.0f, k));
}

/* log(1 + x) for 0 ≤ x ≤ 1; NaN gives NaN. Above ½ it is ln 2 + log(1 + (x − 1)/2), where x − 1 is exact. */
static inline float rlm_loss_log1p(float x)
{
    bool large = x > 0.5f;
    return rlm_loss_log_near_1(large ? (x - 1.0f) * 0.5f : x, large ? 1.0f : 0.0f);
}

#endif
