/* What dead units save: a step of the net 784-2048-2048-10, batch 128, plain SGD on Fashion-MNIST, with a
 * share of each hidden layer dead, against the same net all alive; and what looking for dead units costs
 * where there are none. The four trainers take turns, so that every turn of a round meets the same machine.
 *
 *     bench_dead [THREADS]
 *
 * Prints the medians of the rounds' ratios with the quartiles. */
#define BENCH "bench_dead"

#include <stdlib.h>

#include "base/clock.h"
#include "bench.h"
#include "census/census.h"
#include "network/network.h"
#include "relume/relume.h"
#include "run/counting.h"

#define ROUNDS 15
#define WIDTH 2048
#define STEPS 8

struct side {
    const char *name;
    size_t alive_every; /* one unit in so many is alive */
    int dense;
    relume_network *network;
    relume_trainer *trainer;
    double seconds, ratio[ROUNDS];
};

static struct side sides[] = {
    {.name = "all alive", .alive_every = 1},
    {.name = "all alive, --dense", .alive_every = 1, .dense = 1},
    {.name = "50 % dead", .alive_every = 2},
    {.name = "90 % dead", .alive_every = 10},
};
#define SIDES (sizeof sides / sizeof *sides)

/* Kills by the bias, and counts once, as a run does between epochs. */
static void side_begin(struct side *side, relume_engine *engine, const relume_dataset *dataset)
{
    static const size_t hidden[] = {WIDTH, WIDTH};
    relume_trainer_options options = plain_training(128);
    relume_census *census = NULL;
    side->network = network_of(engine, dataset, 2, hidden);
    for (size_t l = 0; l < 2; l++)
        for (size_t n = 0; n < WIDTH; n++)
            if (n % side->alive_every != 0)
                side->network->layers[l].bias[n] = -1e6F;
    options.dense = side->dense;
    check(relume_trainer_create(side->network, dataset, &options, &side->trainer, &error));
    check(relume_census_create(side->network, dataset, RELUME_SPLIT_TRAIN, NULL, &census, &error));
    check(rlm_count_between(census, side->trainer, NULL, &error));
    relume_census_destroy(census);
}

static double turn(struct side *side)
{
    check(relume_trainer_step(side->trainer, &error)); /* to have its memory near */
    double begin = rlm_clock_now();
    for (size_t step = 0; step < STEPS; step++)
        check(relume_trainer_step(side->trainer, &error));
    return rlm_clock_now() - begin;
}

int main(int count, char **arguments)
{
    relume_engine_options options;
    relume_engine *engine = NULL;
    relume_dataset *dataset = NULL;
    relume_engine_options_default(&options);
    options.threads = count > 1 ? strtoul(arguments[1], NULL, 10) : 1;
    check(relume_engine_create(&options, &engine, &error));
    check(relume_dataset_load(engine, "fashion-mnist", NULL, &dataset, &error));
    for (size_t i = 0; i < SIDES; i++)
        side_begin(&sides[i], engine, dataset);
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < SIDES; i++) {
            struct side *side = &sides[(i + round) % SIDES];
            side->seconds = turn(side);
        }
        for (size_t i = 0; i < SIDES; i++)
            sides[i].ratio[round] = sides[0].seconds / sides[i].seconds;
    }
    for (size_t i = 1; i < SIDES; i++) {
        sort(sides[i].ratio, ROUNDS);
        (void)printf("%-18s %.2f times the speed of the net all alive (quartiles %.2f to %.2f; %d rounds)\n",
                     sides[i].name, sides[i].ratio[ROUNDS / 2], sides[i].ratio[ROUNDS / 4],
                     sides[i].ratio[ROUNDS - 1 - ROUNDS / 4], ROUNDS);
    }
    for (size_t i = 0; i < SIDES; i++) {
        relume_trainer_destroy(sides[i].trainer);
        relume_network_destroy(sides[i].network);
    }
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
    return 0;
}
