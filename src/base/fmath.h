/* exp, log and cosine in double with one fixed order of operations, for initial weights and schedules:
 * results must not depend on the C library. Within 2 ulp over the ranges stated (docs/numerics.md has the
 * derivation, tests/unit the check). The float exp and log of the losses are kernels (kernels/ref.c), with
 * SIMD twins. */
#ifndef RLM_BASE_FMATH_H
#define RLM_BASE_FMATH_H

double rlm_exp(double x);      /* any x; 0 below −745.13, inf above 709.78, NaN for NaN */
double rlm_log(double x);      /* normal x > 0 */
double rlm_cos_turn(double x); /* cos(2πx) for 0 ≤ x ≤ 1 */

/* The same of each of 16 numbers in place, to the same bits, several times as fast. */
#define RLM_MATH_LANES 16
void rlm_log_lanes(double x[RLM_MATH_LANES]);
void rlm_cos_turn_lanes(double x[RLM_MATH_LANES]);

#endif
