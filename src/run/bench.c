/* Throughput of training and counting: pieces of equal work, the machine's peak measured between them. See
 * relume/bench.h. */
#include "relume/bench.h"

#include <math.h>
#include <stdlib.h>

#include "base/checked.h"
#include "base/clock.h"
#include "base/error.h"
#include "census/ledger.h"
#include "kernels/peak.h"
#include "network/network.h"
#include "relume/census.h"
#include "run/bench.h"
#include "train/trainer.h"

#define MAX_THREADS 256 /* whose peak is added up */

/* Work and the peak take turns in slices this short, and both are means over the same stretch of time: what
 * other users take from the machine they take from both. */
#define WORK_SECONDS 0.01
#define PEAK_SECONDS 0.001

void relume_bench_options_default(relume_bench_options *options)
{
    *options = (relume_bench_options){.seconds = 3.0, .repeats = 7};
}

struct peak_task {
    enum rlm_cpu_level level;
    size_t steps;
    double flop[MAX_THREADS];
};

static void peak_task_run(void *context, size_t task, size_t thread)
{
    (void)thread;
    struct peak_task *peak = context;
    float sink = 0.0f;
    double flop = rlm_peak_run(peak->level, peak->steps, &sink);
    peak->flop[task] = sink == 12345.0f ? 0.0 : flop; /* the sink is used, so the chains are run */
}

double relume_bench_peak(relume_engine *engine, double seconds)
{
    size_t threads = rlm_size_min(rlm_pool_threads(engine->pool), MAX_THREADS);
    struct peak_task peak = {.level = engine->level, .steps = 1 << 16};
    double begin = rlm_clock_now(), flop = 0.0, spent;
    do {
        rlm_pool_run(engine->pool, peak_task_run, &peak, threads);
        for (size_t i = 0; i < threads; i++)
            flop += peak.flop[i];
        spent = rlm_clock_now() - begin;
    } while (spent < seconds);
    return flop / spent * 1e-9;
}

/* One unit of work being timed; returns the samples it took, 0 on failure with `status` set. */
struct workload {
    relume_engine *engine;
    size_t (*run)(struct workload *workload, relume_error *error);
    double flop_per_sample;
    relume_trainer *trainer;
    relume_census *census;
    relume_status status;
};

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

relume_bench_figure rlm_bench_figure(const double *values, size_t count)
{
    double sorted[RLM_BENCH_REPEATS] = {0};
    for (size_t i = 0; i < count; i++)
        sorted[i] = values[i];
    qsort(sorted, count, sizeof *sorted, compare_doubles);
    return (relume_bench_figure){.median = sorted[count / 2], .least = sorted[0], .most = sorted[count - 1]};
}

/* A stretch of time in which work and peak took turns. */
struct piece {
    double samples_per_second, peak_gflops; /* 0: the work failed */
};

/* Works for about `seconds`; returns the samples done, 0 on failure. Between two looks at the clock, which
 * are much beside a step of a small net, it does more work as long as that stays far below the time there is.
 */
static double work_for(struct workload *workload, double seconds, double *spent, uint64_t *rounds,
                       relume_error *error)
{
    double begin = rlm_clock_now(), samples = 0.0;
    size_t each = 1;
    *spent = 0.0;
    do {
        for (size_t i = 0; i < each; i++, ++*rounds) {
            size_t done = workload->run(workload, error);
            if (done == 0)
                return 0.0;
            samples += (double)done;
        }
        double before = *spent;
        *spent = rlm_clock_now() - begin;
        each = *spent - before < seconds / 128 ? 2 * each : each;
    } while (*spent < seconds);
    return samples;
}

static struct piece piece_measure(struct workload *workload, double seconds, uint64_t *rounds,
                                  relume_error *error)
{
    double samples = 0.0, worked = 0.0, peaks = 0.0, spent = 0.0;
    size_t slices = 0;
    do {
        double done = work_for(workload, fmin(WORK_SECONDS, seconds), &spent, rounds, error);
        if (done == 0.0)
            return (struct piece){0};
        samples += done;
        worked += spent;
        peaks += relume_bench_peak(workload->engine, PEAK_SECONDS);
        slices++;
    } while (worked < seconds);
    return (struct piece){samples / worked, peaks / (double)slices};
}

relume_status rlm_bench_check(const relume_bench_options *options, relume_error *error)
{
    if (!(options->seconds > 0.0) || options->repeats == 0 || options->repeats > RLM_BENCH_REPEATS)
        return rlm_error_set(error, RELUME_USAGE,
                             "a benchmark wants seconds above 0 and 1 to %d repeats, found %g and %zu",
                             RLM_BENCH_REPEATS, options->seconds, options->repeats);
    return RELUME_OK;
}

static relume_status measure(struct workload *workload, const relume_bench_options *options,
                             relume_bench_result *result, relume_error *error)
{
    RLM_TRY(rlm_bench_check(options, error));
    double rate[RLM_BENCH_REPEATS], gflops[RLM_BENCH_REPEATS], peak[RLM_BENCH_REPEATS],
        share[RLM_BENCH_REPEATS];
    relume_bench_result made = {0};
    uint64_t warm = 0;
    if (piece_measure(workload, options->seconds / 6.0, &warm, error).samples_per_second == 0.0)
        return workload->status;
    for (size_t i = 0; i < options->repeats; i++) {
        struct piece piece =
            piece_measure(workload, options->seconds / (double)options->repeats, &made.steps, error);
        if (piece.samples_per_second == 0.0)
            return workload->status;
        rate[i] = piece.samples_per_second;
        peak[i] = piece.peak_gflops;
        gflops[i] = rate[i] * workload->flop_per_sample * 1e-9;
        share[i] = gflops[i] / peak[i];
    }
    made.samples_per_second = rlm_bench_figure(rate, options->repeats);
    made.gflops = rlm_bench_figure(gflops, options->repeats);
    made.peak_gflops = rlm_bench_figure(peak, options->repeats);
    made.peak_share = rlm_bench_figure(share, options->repeats).median;
    *result = made;
    return RELUME_OK;
}

/* Multiply-adds of a layer's matrix count 2 each: forward, dW, and dX for all layers but the first. */
static double flop_per_sample(const relume_network *network, bool training)
{
    double flop = 0.0;
    for (size_t k = 0; k < network->layer_count; k++) {
        const struct rlm_layer *layer = &network->layers[k];
        double factor = !training ? 2.0 : k == 0 ? 4.0 : 6.0;
        flop += factor * (double)layer->in_features * (double)layer->out_features;
    }
    return flop;
}

static size_t train_once(struct workload *workload, relume_error *error)
{
    uint64_t before = rlm_trainer_get_samples(workload->trainer);
    workload->status = relume_trainer_step(workload->trainer, error);
    return workload->status == RELUME_OK ? (size_t)(rlm_trainer_get_samples(workload->trainer) - before) : 0;
}

static size_t count_once(struct workload *workload, relume_error *error)
{
    workload->status = relume_census_count(workload->census, error);
    return workload->status == RELUME_OK ? (size_t)relume_census_get_samples(workload->census) : 0;
}

relume_status relume_bench_train(relume_network *network, const relume_dataset *dataset,
                                 const relume_trainer_options *trainer, const relume_bench_options *options,
                                 relume_bench_result *result, relume_error *error)
{
    relume_trainer_options endless = *trainer;
    endless.epochs = UINT32_MAX; /* the clock ends the run, not the count */
    struct workload workload = {.engine = network->engine, .run = train_once};
    workload.flop_per_sample = flop_per_sample(network, true);
    RLM_TRY(relume_trainer_create(network, dataset, &endless, &workload.trainer, error));
    struct rlm_ledger ledger = {0};
    relume_status status = RELUME_OK;
    if (!options->ledger_off) {
        status = rlm_ledger_init(&ledger, network, false, error);
        struct rlm_observer observer = rlm_ledger_observer(&ledger);
        if (status == RELUME_OK)
            rlm_trainer_observe(workload.trainer, &observer);
    }
    if (status == RELUME_OK)
        status = measure(&workload, options, result, error);
    relume_trainer_destroy(workload.trainer);
    rlm_ledger_deinit(&ledger);
    return status;
}

relume_status relume_bench_census(const relume_network *network, const relume_dataset *dataset,
                                  const relume_bench_options *options, relume_bench_result *result,
                                  relume_error *error)
{
    struct workload workload = {.engine = network->engine, .run = count_once};
    workload.flop_per_sample = flop_per_sample(network, false);
    RLM_TRY(relume_census_create(network, dataset, RELUME_SPLIT_TRAIN, NULL, &workload.census, error));
    relume_status status = measure(&workload, options, result, error);
    relume_census_destroy(workload.census);
    return status;
}
