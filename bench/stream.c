/* What it costs to train on data that stay in their file: the same steps on rows in memory and on rows that
 * are read from x.npy as training goes, in turns in one process. The file is in the page cache once it has
 * been read.
 *
 *     bench_stream NETS THREADS X.npy LABELS.npy       such as: bench_stream ab 1 x.npy y.npy
 *
 * Prints the median of the pairs' ratios with the quartiles: time on the clock, and processor time of all
 * threads, that of the one that reads included. Where there is a core for it, the first is what counts. */
#define BENCH "bench_stream"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "bench.h"
#include "relume/relume.h"

#define PIECE_SECONDS 0.05
#define PAIRS 61

static const struct net {
    char name;
    size_t hidden_layers, hidden[3], batch;
} nets[] = {
    {'a', 2, {512, 512}, 128},
    {'b', 1, {128}, 32},
    {'c', 3, {2048, 2048, 2048}, 256},
};

static double processor_seconds(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

struct spent {
    double clock, processor;
};

static struct spent piece(relume_trainer *trainer, size_t steps)
{
    struct spent spent = {rlm_clock_now(), processor_seconds()};
    for (size_t step = 0; step < steps; step++)
        check(relume_trainer_step(trainer, &error));
    return (struct spent){rlm_clock_now() - spent.clock, processor_seconds() - spent.processor};
}

static relume_dataset *load(relume_engine *engine, const char *stream, char **arguments)
{
    relume_dataset_options options;
    relume_dataset *dataset = NULL;
    relume_dataset_options_default(&options);
    options.labels = arguments[4];
    if (setenv("RELUME_STREAM", stream, 1) != 0)
        exit(1);
    check(relume_dataset_load(engine, arguments[3], &options, &dataset, &error));
    return dataset;
}

static relume_trainer *trainer_of(relume_engine *engine, const relume_dataset *dataset, const struct net *net,
                                  relume_network **network)
{
    relume_trainer_options training = plain_training(net->batch);
    relume_trainer *trainer = NULL;
    *network = network_of(engine, dataset, net->hidden_layers, net->hidden);
    check(relume_trainer_create(*network, dataset, &training, &trainer, &error));
    return trainer;
}

static void print(const char *what, double ratio[PAIRS])
{
    sort(ratio, PAIRS);
    (void)printf("  %s %.3f (%.3f to %.3f)", what, ratio[PAIRS / 2], ratio[PAIRS / 4],
                 ratio[PAIRS - 1 - PAIRS / 4]);
}

static void bench(relume_engine *engine, const relume_dataset *data[2], const struct net *net)
{
    relume_network *network[2] = {NULL, NULL};
    relume_trainer *trainer[2];
    double on_clock[PAIRS], of_processor[PAIRS];
    size_t steps = 1;
    for (size_t i = 0; i < 2; i++)
        trainer[i] = trainer_of(engine, data[i], net, &network[i]);
    while (piece(trainer[0], steps).clock < PIECE_SECONDS)
        steps *= 2;
    (void)piece(trainer[1], steps);
    for (size_t pair = 0; pair < PAIRS; pair++) {
        struct spent spent[2];
        for (size_t turn = 0; turn < 2; turn++)
            spent[(pair + turn) & 1] = piece(trainer[(pair + turn) & 1], steps);
        on_clock[pair] = spent[1].clock / spent[0].clock;
        of_processor[pair] = spent[1].processor / spent[0].processor;
    }
    (void)printf("%c  batch %zu, %d pairs of %zu steps, read / in memory:", net->name, net->batch, PAIRS,
                 steps);
    print("clock", on_clock);
    print("processor", of_processor);
    (void)printf("\n");
    (void)fflush(stdout);
    for (size_t i = 0; i < 2; i++) {
        relume_trainer_destroy(trainer[i]);
        relume_network_destroy(network[i]);
    }
}

int main(int count, char **arguments)
{
    relume_engine_options options;
    relume_engine *engine = NULL;
    if (count < 5) {
        (void)fprintf(stderr, "usage: bench_stream NETS THREADS X.npy LABELS.npy\n");
        return 2;
    }
    relume_engine_options_default(&options);
    options.threads = strtoul(arguments[2], NULL, 10);
    check(relume_engine_create(&options, &engine, &error));
    relume_dataset *memory = load(engine, "never", arguments), *stays = load(engine, "always", arguments);
    const relume_dataset *data[] = {memory, stays};
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
        if (strchr(arguments[1], nets[i].name))
            bench(engine, data, &nets[i]);
    relume_dataset_destroy(stays);
    relume_dataset_destroy(memory);
    relume_engine_destroy(engine);
    return 0;
}
