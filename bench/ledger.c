/* What the ledger costs a training step: pieces of equal work with the ledger watching and without it, in
 * pairs of alternating order, by the same trainer on the same memory. The nets and batches are those of
 * bench/peers.
 *
 *     bench_ledger [NETS] [THREADS]      such as: bench_ledger abcd 1
 *
 * Prints for each net the median of the pairs' ratios minus 1, with the quartiles; ends with 1 when a median
 * is above 3 %. What the forward kernel does for every step, counted or not (gate bits, active counts), is in
 * both pieces. */
#define BENCH "bench_ledger"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench.h"
#include "census/ledger.h"
#include "data/dataset.h"
#include "relume/relume.h"
#include "train/trainer.h"

#define PIECE_SECONDS 0.003 /* short, so that both pieces of a pair meet the same machine */
#define PAIRS_MAX 2001
#define NET_SECONDS 6.0
#define MOST 0.03

static const struct net {
    char name;
    size_t features, hidden_layers, hidden[3], batch;
} nets[] = {
    {'a', 784, 2, {512, 512}, 128},
    {'b', 784, 1, {128}, 32},
    {'c', 784, 3, {2048, 2048, 2048}, 256},
    {'d', 64, 1, {32}, 16},
};

/* Centre crop of 24 × 24, means of 3 × 3: 64 features, as bench/peers/peerlib.py makes them. */
static relume_dataset *shrink(relume_engine *engine, const relume_dataset *images)
{
    size_t samples = images->train_samples;
    const unsigned char *pixel = images->x;
    float *x = calloc(samples * 64, sizeof *x);
    if (!x)
        exit(1);
    for (size_t s = 0; s < samples; s++)
        for (size_t i = 0; i < 576; i++) {
            size_t row = i / 24, column = i % 24;
            x[s * 64 + row / 3 * 8 + column / 3] +=
                (float)pixel[s * 784 + (row + 2) * 28 + column + 2] / (9.0F * 255.0F);
        }
    relume_matrix matrix = {.samples = samples,
                            .features = 64,
                            .element = RELUME_F32,
                            .x = x,
                            .labels = images->labels,
                            .classes = 10};
    relume_dataset *made = NULL;
    check(relume_dataset_create(engine, "8 x 8 means", &matrix, NULL, &made, &error));
    free(x);
    return made;
}

struct trial {
    relume_trainer *trainer;
    struct rlm_ledger ledger;
    size_t steps; /* of a piece */
};

/* Seconds of a piece, with the ledger or without. */
static double piece(struct trial *trial, bool counts)
{
    struct rlm_observer observer = rlm_ledger_observer(&trial->ledger);
    rlm_trainer_observe(trial->trainer, counts ? &observer : NULL);
    double begin = rlm_clock_now();
    for (size_t step = 0; step < trial->steps; step++)
        check(relume_trainer_step(trial->trainer, &error));
    return rlm_clock_now() - begin;
}

/* Warms up, finds how many steps make a piece, and measures pairs until the time is up; the ratios come out
 * sorted. Returns how many there are. */
static size_t measure(struct trial *trial, double *ratio)
{
    double spent = 0, end = rlm_clock_now() + NET_SECONDS;
    for (trial->steps = 1; (spent = piece(trial, true)) < PIECE_SECONDS;)
        trial->steps = spent > PIECE_SECONDS / 8 ? trial->steps + 1 + trial->steps / 8 : 2 * trial->steps;
    size_t pairs = 0;
    for (; pairs < PAIRS_MAX && (pairs < 3 || rlm_clock_now() < end); pairs++) {
        double with = 0, without = 0;
        for (size_t turn = 0; turn < 2; turn++) {
            bool counts = ((pairs + turn) & 1) != 0;
            *(counts ? &with : &without) = piece(trial, counts);
        }
        ratio[pairs] = with / without - 1;
    }
    sort(ratio, pairs);
    return pairs;
}

static bool bench(relume_engine *engine, const relume_dataset *images, const struct net *net)
{
    relume_dataset *small = net->features == 64 ? shrink(engine, images) : NULL;
    const relume_dataset *dataset = small ? small : images;
    relume_network *network = network_of(engine, dataset, net->hidden_layers, net->hidden);
    relume_trainer_options training = plain_training(net->batch);
    struct trial trial = {0};
    double ratio[PAIRS_MAX];
    check(relume_trainer_create(network, dataset, &training, &trial.trainer, &error));
    check(rlm_ledger_init(&trial.ledger, network, true, &error));
    size_t pairs = measure(&trial, ratio);
    (void)printf("%c  batch %3zu  %6.2f %%   (quartiles %.2f to %.2f %%; %zu pairs of %zu steps)\n",
                 net->name, net->batch, 100 * ratio[pairs / 2], 100 * ratio[pairs / 4],
                 100 * ratio[pairs - 1 - pairs / 4], pairs, trial.steps);
    (void)fflush(stdout);
    rlm_ledger_deinit(&trial.ledger);
    relume_trainer_destroy(trial.trainer);
    relume_network_destroy(network);
    relume_dataset_destroy(small);
    return ratio[pairs / 2] <= MOST;
}

int main(int count, char **arguments)
{
    const char *chosen = count > 1 ? arguments[1] : "abcd";
    relume_engine_options options;
    relume_engine *engine = NULL;
    relume_dataset *images = NULL;
    relume_engine_options_default(&options);
    options.threads = count > 2 ? strtoul(arguments[2], NULL, 10) : 1;
    check(relume_engine_create(&options, &engine, &error));
    check(relume_dataset_load(engine, "fashion-mnist", NULL, &images, &error));
    (void)printf("the ledger's share of a step: plain SGD on fashion-mnist, %s, %zu threads\n",
                 relume_engine_get_kernel(engine), relume_engine_get_threads(engine));
    bool good = true;
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
        if (strchr(chosen, nets[i].name))
            good = bench(engine, images, &nets[i]) && good;
    relume_dataset_destroy(images);
    relume_engine_destroy(engine);
    return good ? 0 : 1;
}
