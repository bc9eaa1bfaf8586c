/* What the two benchmarks share: the limits of their options, and figures from repeated measurements. */
#ifndef RLM_RUN_BENCH_H
#define RLM_RUN_BENCH_H

#include "relume/bench.h"

#define RLM_BENCH_REPEATS 101 /* at most */

/* USAGE unless `seconds` is above 0 and `repeats` from 1 to RLM_BENCH_REPEATS. */
relume_status rlm_bench_check(const relume_bench_options *options, relume_error *error);

/* The median (of an even number the upper one), the least and the greatest of `count` values. */
relume_bench_figure rlm_bench_figure(const double *values, size_t count);

#endif
