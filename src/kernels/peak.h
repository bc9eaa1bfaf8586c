/* The machine's multiply-add peak, to say what share of it a computation reaches. Not a kernel: it computes
 * nothing of use. */
#ifndef RLM_KERNELS_PEAK_H
#define RLM_KERNELS_PEAK_H

#include <stddef.h>

#include "base/cpu.h"

/* Runs independent chains of fused multiply-adds in registers, at the widest vectors of `level`, for `steps`
 * links each. Returns the floating point operations done (2 a lane and link). `sink` receives a value so that
 * no compiler drops the work. */
double rlm_peak_run(enum rlm_cpu_level level, size_t steps, float *sink);

#endif
