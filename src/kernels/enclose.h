/* Bounds on sums of products of which one factor is known, and the other lies in an interval: for
 * autopsy/intervals.h. No kernel makes a result: each gives bounds, and how sums are rounded on the way is
 * its own affair. */
#ifndef RLM_KERNELS_ENCLOSE_H
#define RLM_KERNELS_ENCLOSE_H

#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

/* A factor at each of 32 samples, two panels: no further than slack + error · sum[sample] from its middle
 * there, and not below 0. */
struct rlm_enclosed {
    const float *first, *second; /* [16] each: its middles, by panel */
    float slack, error;
    uint32_t k; /* the place of its weight in a row */
};

struct rlm_enclose {
    const struct rlm_enclosed *factor; /* [factors] */
    size_t factors, rows, stride;
    const float *sum;    /* [32] */
    const float *weight; /* [rows, stride] */
    float *most;         /* [2][rows][16]: Σ w · the upper end where w > 0, the lower end where w < 0 */
    float *size;         /* [2][rows][16]: Σ |w| · the upper end */
};
typedef void rlm_enclose_kernel(const struct rlm_enclose *arguments);

/* The middles of a factor that is a whole number times a scale, and a constant: middle[32]; returns the
 * largest middle + error · sum. */
typedef float rlm_middles_kernel(const int32_t *number, float scale, float constant, float error,
                                 const float *sum, float *middle);

/* rise[groups] = (first + Σ over blocks of by[block] · reach[block][group]) · upward. */
typedef void rlm_rise_kernel(const float *by, size_t blocks, const float *reach, size_t groups, float first,
                             float upward, float *rise);

struct rlm_enclosing {
    rlm_enclose_kernel *enclose;
    rlm_middles_kernel *middles;
    rlm_rise_kernel *rise;
};
/* The kernels of this CPU, where computing goes on at `level`; at RLM_CPU_REF plain loops: the meaning. */
const struct rlm_enclosing *rlm_enclosing_find(enum rlm_cpu_level level);

#endif
