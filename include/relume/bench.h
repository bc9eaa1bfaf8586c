/* How fast this machine trains and counts, beside the multiply-add peak measured in the same run: on a
 * machine that drifts only ratios of one run mean anything. */
#ifndef RELUME_BENCH_H
#define RELUME_BENCH_H

#include "relume/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A figure measured several times. */
typedef struct relume_bench_figure {
    double median, least, most;
} relume_bench_figure;

typedef struct relume_bench_options {
    double seconds; /* = 3: measured time in all, after a warm-up of a sixth of it */
    size_t repeats; /* = 7: pieces that time is cut into; the figures are over the pieces */
    int ledger_off; /* = 0; 1: without the silence counters of the ledger */
} relume_bench_options;
RELUME_API void relume_bench_options_default(relume_bench_options *options);

typedef struct relume_bench_result {
    relume_bench_figure samples_per_second;
    relume_bench_figure
        gflops; /* dense-equivalent: every multiply-add of the net counted as 2, skipped or not */
    relume_bench_figure peak_gflops; /* of all threads, measured in turn with the work */
    double peak_share;               /* median of gflops / peak, piece by piece */
    uint64_t steps;                  /* or passes over the split */
} relume_bench_result;

/* Times training steps of `network` (whose weights move) on `dataset` under `trainer`. Work a sample: 4 K N
 * for the first layer, 6 K N for the others. */
RELUME_API relume_status relume_bench_train(relume_network *network, const relume_dataset *dataset,
                                            const relume_trainer_options *trainer,
                                            const relume_bench_options *options, relume_bench_result *result,
                                            relume_error *error) RELUME_MUST_CHECK;

/* Times census after census over the training split. Work a sample: 2 K N a layer. */
RELUME_API relume_status relume_bench_census(const relume_network *network, const relume_dataset *dataset,
                                             const relume_bench_options *options, relume_bench_result *result,
                                             relume_error *error) RELUME_MUST_CHECK;

/* One kernel, alone on one thread: all of a layer's work for one batch. */
typedef struct relume_bench_kernel {
    const char *name; /* "forward", "backward_weights" (with the update of plain SGD), "backward_input" */
    relume_bench_figure seconds; /* of one call */
    double gflops, peak_share;   /* medians; the peak is that of one thread */
} relume_bench_kernel;

#define RELUME_BENCH_KERNELS 3

typedef struct relume_bench_shape {
    size_t batch, in_features, out_features;
} relume_bench_shape;

/* Times the kernels at the heart of a step on a layer of this shape, with drawn numbers. USAGE for a size of
 * 0, NO_MEMORY. */
RELUME_API relume_status relume_bench_kernels(relume_engine *engine, const relume_bench_shape *shape,
                                              const relume_bench_options *options,
                                              relume_bench_kernel result[RELUME_BENCH_KERNELS],
                                              relume_error *error) RELUME_MUST_CHECK;

/* The multiply-add peak of all threads, in GFLOP/s: the mean over some `seconds`. */
RELUME_API double relume_bench_peak(relume_engine *engine, double seconds);

#ifdef __cplusplus
}
#endif
#endif
