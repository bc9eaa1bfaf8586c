/* When a parameter is at rest: for the kernels, which save work then, and for the trainer, which leaves whole
 * units out. */
#ifndef RLM_KERNELS_REST_H
#define RLM_KERNELS_REST_H

#include <math.h>
#include <stdbool.h>

/* A parameter larger than this never moves again once its first state is 0 or denormal and its gradient stays
 * 0: a move is below 2⁻¹²⁶ · factor, and less than half the distance of the parameter to its neighbour, which
 * is at least 2⁻²⁶ of it; one 2 more covers the roundings. `factor` is the learning rate, under Adam the step
 * size over epsilon; `keep` and under Adam `keep2` are what a step leaves of the states. Infinite where that
 * argument does not hold, or the one of simd/update.inc's decayed(). */
static inline float rlm_rest_limit(double factor, bool adam, float keep, float keep2)
{
    bool holds = keep > 0 && keep < 1 && (!adam || (keep2 > 0 && keep2 < 1)) && factor >= 0;
    return holds ? (float)(factor * 0x1p-99) : INFINITY;
}

#endif
