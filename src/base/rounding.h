/* How far float32 results lie from real ones (docs/numerics.md; Higham, Accuracy and Stability of Numerical
 * Algorithms, §3.1). */
#ifndef RLM_BASE_ROUNDING_H
#define RLM_BASE_ROUNDING_H

#include <stddef.h>

/* γ(m) = m u / (1 − m u), u = 2⁻²⁴: what m roundings can do to a product, relative to it. */
static inline double rlm_gamma(size_t roundings)
{
    double m = (double)roundings * 0x1p-24;
    return m / (1.0 - m);
}

#endif
