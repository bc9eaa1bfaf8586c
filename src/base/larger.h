/* The larger of two numbers, for maxima over arrays.
 *
 * gcc 12 for 64-bit Arm ends with an internal error where it turns a loop over fmax() into vectors; a plain
 * comparison it compiles. The two differ for NaN alone, which no caller has. */
#ifndef RLM_BASE_LARGER_H
#define RLM_BASE_LARGER_H

static inline double rlm_larger(double a, double b)
{
    return a > b ? a : b;
}

#endif
