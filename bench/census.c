/* What counting costs a pass over the training images: the census against the same forward pass that keeps
 * nothing, in pairs of alternating order over the same memory, on the net 784-512-512-10.
 *
 *     bench_census [THREADS]
 *
 * Prints the median of the pairs' ratios with the quartiles. */
#define BENCH "bench_census"

#include <stdlib.h>

#include "base/checked.h"
#include "base/clock.h"
#include "bench.h"
#include "network/forward.h"
#include "relume/relume.h"

#define PAIRS 31

static double time_census(relume_census *census)
{
    double begin = rlm_clock_now();
    check(relume_census_count(census, &error));
    return rlm_clock_now() - begin;
}

static double time_forward(struct rlm_pass *pass, const relume_dataset *dataset)
{
    size_t samples = relume_dataset_get_samples(dataset, RELUME_SPLIT_TRAIN);
    double begin = rlm_clock_now();
    for (size_t first = 0; first < samples; first += pass->capacity) {
        struct rlm_batch batch = {
            .dataset = dataset, .first = first, .count = rlm_size_min(pass->capacity, samples - first)};
        if (!rlm_pass_run(pass, &batch, NULL))
            exit(1);
    }
    return rlm_clock_now() - begin;
}

static void bench(const relume_network *network, const relume_dataset *dataset)
{
    relume_census *census = NULL;
    struct rlm_pass pass = {0};
    double ratio[PAIRS];
    check(relume_census_create(network, dataset, RELUME_SPLIT_TRAIN, NULL, &census, &error));
    check(rlm_pass_init(&pass, network, rlm_pass_capacity(60000), 0, &error));
    for (size_t i = 0; i < PAIRS; i++) {
        double counting = 0, plain = 0;
        for (size_t turn = 0; turn < 2; turn++)
            if ((i + turn) & 1)
                counting = time_census(census);
            else
                plain = time_forward(&pass, dataset);
        ratio[i] = counting / plain;
    }
    sort(ratio, PAIRS);
    (void)printf("census / forward pass: %.3f (quartiles %.3f to %.3f; %d pairs)\n", ratio[PAIRS / 2],
                 ratio[PAIRS / 4], ratio[PAIRS - 1 - PAIRS / 4], PAIRS);
    rlm_pass_deinit(&pass);
    relume_census_destroy(census);
}

int main(int count, char **arguments)
{
    static const size_t hidden[] = {512, 512};
    relume_engine_options options;
    relume_engine *engine = NULL;
    relume_dataset *dataset = NULL;
    relume_engine_options_default(&options);
    options.threads = count > 1 ? strtoul(arguments[1], NULL, 10) : 1;
    check(relume_engine_create(&options, &engine, &error));
    check(relume_dataset_load(engine, "fashion-mnist", NULL, &dataset, &error));
    relume_network *network = network_of(engine, dataset, 2, hidden);
    bench(network, dataset);
    relume_network_destroy(network);
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
    return 0;
}
