/* How far a step goes past the dense limit: the net 784-512-512-10, batch 128, one thread, with its ledger,
 * in dense-equivalent work over the multiply-add peak, epoch by epoch. Work counts every multiply-add as 2,
 * done or left out; steps and peak take turns, so that both meet the same machine. After each epoch there is
 * a census, as in a run, which is not timed.
 *
 *     bench_limit [DATA [EPOCHS]]
 *
 * Adam at 0.001 and 0.01 on DATA (fashion-mnist, bytes), then plain SGD at 0.1 on the same with its darkest
 * pixels set to 0 until 81 % are. */
#define BENCH "bench_limit"

#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "bench.h"
#include "data/dataset.h"
#include "relume/relume.h"
#include "run/counting.h"

#define BATCH 128
#define TURN 40
#define PEAK_SECONDS 0.004
#define DARK_PERCENT 81

static const size_t hidden[] = {512, 512};

/* The training images with every pixel below a threshold at 0: the least that leaves enough of them. */
static relume_dataset *darkened(relume_engine *engine, const relume_dataset *from)
{
    size_t count = from->train_samples * from->features, seen = 0, threshold = 0, histogram[256] = {0};
    unsigned char *x = malloc(count);
    relume_dataset *dataset = NULL;
    if (!x || from->element != RELUME_U8 || !from->x || !from->labels) {
        (void)fprintf(stderr, BENCH ": expected labelled bytes in memory, such as fashion-mnist\n");
        exit(1);
    }
    memcpy(x, from->x, count);
    for (size_t i = 0; i < count; i++)
        histogram[x[i]]++;
    while (threshold < 255 && seen * 100 < count * DARK_PERCENT)
        seen += histogram[threshold++];
    for (size_t i = 0; i < count; i++)
        if (x[i] < threshold)
            x[i] = 0;
    relume_matrix matrix = {.samples = from->train_samples,
                            .features = from->features,
                            .element = RELUME_U8,
                            .x = x,
                            .labels = from->labels};
    check(relume_dataset_create(engine, "darkened", &matrix, NULL, &dataset, &error));
    free(x);
    return dataset;
}

/* The multiply-adds of a step, times 2. */
static double dense_work(const relume_network *network)
{
    double work = 0;
    for (size_t l = 0; l < relume_network_get_layers(network); l++) {
        relume_layer layer = relume_network_get_layer(network, l);
        work += (l > 0 ? 6.0 : 4.0) * (double)layer.in_features * (double)layer.out_features;
    }
    return work;
}

static void measure(relume_engine *engine, const relume_dataset *dataset, const char *name,
                    relume_optimizer optimizer, double rate, size_t epochs)
{
    relume_trainer_options options = plain_training(BATCH);
    relume_network *network = network_of(engine, dataset, 2, hidden);
    relume_trainer *trainer = NULL;
    relume_census *census = NULL;
    double work = dense_work(network), share_sum = 0;
    options.optimizer = optimizer;
    options.learning_rate = rate;
    check(relume_trainer_create(network, dataset, &options, &trainer, &error));
    check(relume_census_create(network, dataset, RELUME_SPLIT_TRAIN, NULL, &census, &error));
    size_t samples = relume_dataset_get_samples(dataset, RELUME_SPLIT_TRAIN);
    size_t steps = (samples + BATCH - 1) / BATCH;
    (void)printf("%s\n", name);
    for (size_t epoch = 1; epoch <= epochs; epoch++) {
        double seconds = 0, peak = 0;
        size_t turns = 0;
        for (size_t step = 0; step < steps; turns++) {
            double begin = rlm_clock_now();
            for (size_t i = 0; i < TURN && step < steps; i++, step++)
                check(relume_trainer_step(trainer, &error));
            seconds += rlm_clock_now() - begin;
            peak += relume_bench_peak(engine, PEAK_SECONDS);
        }
        double share = work * (double)samples / seconds / 1e9 / (peak / (double)turns);
        share_sum += 1 / share;
        (void)printf("  epoch %zu   %6.0f us a step   %.2f of the peak\n", epoch,
                     seconds / (double)steps * 1e6, share);
        (void)fflush(stdout);
        check(rlm_count_between(census, trainer, NULL, &error));
    }
    (void)printf("  all of them              %.2f\n", (double)epochs / share_sum);
    relume_census_destroy(census);
    relume_trainer_destroy(trainer);
    relume_network_destroy(network);
}

int main(int argc, char **argv)
{
    size_t epochs = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 3;
    relume_engine_options options;
    relume_engine *engine = NULL;
    relume_dataset *dataset = NULL;
    relume_engine_options_default(&options);
    options.threads = 1;
    check(relume_engine_create(&options, &engine, &error));
    check(relume_dataset_load(engine, argc > 1 ? argv[1] : "fashion-mnist", NULL, &dataset, &error));
    relume_dataset *dark = darkened(engine, dataset);
    measure(engine, dataset, "Adam at 0.001", RELUME_ADAM, 0.001, epochs);
    measure(engine, dataset, "Adam at 0.01", RELUME_ADAM, 0.01, epochs);
    measure(engine, dark, "81 % zeros, plain SGD at 0.1", RELUME_SGD, 0.1, epochs);
    relume_dataset_destroy(dark);
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
    return 0;
}
