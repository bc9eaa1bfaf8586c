/* When a parameter is at rest: for the kernels, which save work then, and for the trainer, which leaves whole
 * units out.
 *
 * With a gradient that stays 0 a parameter w never moves again once
 *
 *     |w| > limit   and   |s1| · state < |w| · D,        D = 1 for momentum, √s2 + epsilon for Adam
 *
 * Half the distance from w to its neighbour is at least 2⁻²⁵ of it, where a move by less than that changes no
 * bit. `state` is 2²⁷ times the largest rate there will be, for Adam that over 1 − beta1, so that this move
 * is below 2⁻²⁷ of |w|; the other 2² cover what follows.
 *
 * Later moves are no larger. Momentum: s1 only shrinks. Adam: its correction of s2 is a factor of at least 1
 * on √s2 (args.inc), and while both states are normal numbers, |s1| / √s2 shrinks by beta1 / √beta2 a step,
 * which the bound wants to be below 1 − 2⁻²⁰, far more than their roundings take, and so |s1| / (√s2 +
 * epsilon) shrinks as well. Once s2 is denormal √s2 has shrunk to 2⁻⁶³, and |s1| by that factor at least:
 * |s1| / epsilon is then at most 1 + 2⁻⁶³ / epsilon ≤ 9/8 of the first |s1| / (√s2 + epsilon), for epsilon ≥
 * 2⁻⁶⁰. Once s1 is denormal it may stay what it is, but a move is below 2⁻¹²⁶ times the rate, for Adam over
 * epsilon: `limit` is 2²⁷ times that. */
#ifndef RLM_KERNELS_REST_H
#define RLM_KERNELS_REST_H

#include <math.h>
#include <stdbool.h>

#include "kernels/kernels.h"

/* The limit alone, for parameters whose s1 is 0 or denormal. `factor` is the learning rate, under Adam the
 * step size over epsilon; `keep` and under Adam `keep2` are what a step leaves of the states. Infinite where
 * that argument does not hold, or the one of simd/update.inc's decayed(). */
static inline float rlm_rest_limit(double factor, bool adam, float keep, float keep2)
{
    bool holds = keep > 0 && keep < 1 && (!adam || (keep2 > 0 && keep2 < 1)) && factor >= 0;
    return holds ? (float)(factor * 0x1p-99) : INFINITY;
}

/* Both, infinite where nothing is known. `rate` is the largest there will be. */
static inline struct rlm_rest_bound rlm_rest_bound_momentum(double rate, float momentum)
{
    return (struct rlm_rest_bound){rlm_rest_limit(rate, false, momentum, 0), (float)(rate * 0x1p27)};
}

/* Here `rate` is the largest over 1 − beta1. */
static inline struct rlm_rest_bound rlm_rest_bound_adam(double rate, float beta1, float beta2, float epsilon)
{
    bool holds = epsilon >= 0x1p-60F && beta1 < sqrt((double)beta2) * (1 - 0x1p-20);
    float limit = rlm_rest_limit(rate / (double)epsilon, true, beta1, beta2);
    return (struct rlm_rest_bound){limit, holds ? (float)(rate * 0x1p27) : INFINITY};
}

#endif
