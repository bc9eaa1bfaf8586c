/* Deaths proved ahead of time: units near the gate on both sides of it, against exact counts, and training
 * that proves some against training that leaves nothing out. Only CPUs with instructions for bytes prove any.
 */
#include "world.h"

#include <math.h>

#include "census/census.h"
#include "network/network.h"
#include "train/state.h"

#define SAMPLES 1507
#define FEATURES 45
#define UNITS 150

static relume_dataset *bytes_create(relume_engine *engine, bool standardize, uint64_t seed)
{
    return world_bytes(engine, &(struct world_bytes){.samples = SAMPLES,
                                                     .features = FEATURES,
                                                     .classes = 4,
                                                     .rng = {seed, RLM_RNG_TEST, 11},
                                                     .holdout = 0.1,
                                                     .standardize = standardize});
}

static relume_network *network_create(relume_engine *engine, const relume_dataset *dataset)
{
    relume_network_options options;
    relume_network *network = NULL;
    relume_error error = {0};
    relume_network_options_default(&options);
    options.in_features = FEATURES;
    options.hidden_layers = 1;
    options.hidden = (const size_t[]){UNITS};
    options.out_features = 4;
    options.dataset = dataset;
    assert_ok(relume_network_create(engine, &options, &network, &error), error);
    return network;
}

static relume_trainer_options options_of(relume_optimizer optimizer, int dense)
{
    relume_trainer_options options;
    relume_trainer_options_default(&options);
    options.optimizer = optimizer;
    options.learning_rate = optimizer == RELUME_ADAM ? 0.001 : 0.02;
    options.momentum = options.beta1 = 0.5;
    options.batch_size = 4; /* 340 steps an epoch */
    options.epochs = 3;
    options.dense = dense;
    return options;
}

/* Units whose highest pre-activation is `above` + bias: the bias puts it at a distance from the gate, from
 * far below through some roundings to above. */
static float distance_of(size_t n)
{
    static const float steps[] = {-3.0f, -0.3f, -0.03f, -1e-3f, -1e-5f, -1e-7f, 1e-7f, 1e-5f, 1e-3f, 0.1f};
    return steps[n % (sizeof steps / sizeof *steps)];
}

static void set_biases(relume_network *network, relume_census *census)
{
    relume_error error = {0};
    for (size_t n = 0; n < UNITS; n++)
        network->layers[0].bias[n] = 0;
    assert_ok(relume_census_count(census, &error), error);
    relume_layer_account account = relume_census_get_layer(census, 0);
    for (size_t n = 0; n < UNITS; n++)
        network->layers[0].bias[n] = -(float)account.unit[n].margin + distance_of(n);
    assert_ok(relume_census_count(census, &error), error);
}

/* No unit that any sample opens is proved dead, and all that are far enough below are. */
static void check_near_gate(relume_engine *engine, bool standardize, bool stated, uint64_t seed)
{
    relume_dataset *dataset = bytes_create(engine, standardize, seed);
    relume_network *network = network_create(engine, dataset);
    relume_trainer_options options = options_of(RELUME_SGD, -1);
    relume_error error = {0};
    relume_scaling as_it_is = {1, (const float[]){0}, (const float[]){1}};
    if (!stated) { /* as from a file that says nothing of it: the data's is used */
        assert_ok(rlm_network_set_scaling(network, &as_it_is, &error), error);
        network->scaling_unstated = true;
    }
    relume_trainer *trainer = NULL;
    relume_census *census = NULL;
    assert_ok(relume_census_create(network, dataset, RELUME_SPLIT_TRAIN, NULL, &census, &error), error);
    set_biases(network, census);
    assert_ok(relume_trainer_create(network, dataset, &options, &trainer, &error), error);
    assert_int_equal(trainer->proof.units, UNITS);
    size_t found = rlm_proof_look(&trainer->proof, &trainer->pass, &trainer->rest, trainer->sleep, 64),
           dead = 0;
    relume_layer_account account = relume_census_get_layer(census, 0);
    for (size_t n = 0; n < UNITS; n++) {
        bool proved = trainer->rest.proved[n];
        dead += proved;
        assert_int_equal(trainer->proof.failed[n] != 0, !proved); /* which is not asked again */
        if (proved && account.unit[n].active > 0)
            fail_msg("a unit at %g from the gate is called dead, and %llu samples open it",
                     (double)distance_of(n), (unsigned long long)account.unit[n].active);
        if (!standardize && distance_of(n) <= -0.3f && !proved)
            fail_msg("a unit %g below the gate is not proved dead", (double)-distance_of(n));
    }
    assert_int_equal(dead, found);
    relume_trainer_destroy(trainer);
    relume_census_destroy(census);
    relume_network_destroy(network);
    relume_dataset_destroy(dataset);
}

static bool proves(const relume_engine *engine)
{
    return rlm_dots_find(engine->level) != NULL;
}

static void test_near_gate(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 2, NULL);
    for (uint64_t seed = 0; proves(engine) && seed < 10; seed++)
        check_near_gate(engine, seed % 2 == 1, seed % 3 != 0, seed);
    relume_engine_destroy(engine);
}

/* Steps to just before the end of the first epoch, when nothing else could have told of a death. */
static void test_bytes(void **state)
{
    (void)state;
    static const relume_optimizer optimizers[] = {RELUME_SGD, RELUME_MOMENTUM, RELUME_ADAM};
    relume_engine *engine = world_engine(NULL, 2, NULL);
    relume_dataset *dataset = bytes_create(engine, false, 5);
    for (size_t o = 0; o < sizeof optimizers / sizeof *optimizers; o++) {
        relume_network *network[2];
        relume_trainer *trainer[2];
        relume_error error = {0};
        size_t proved = 0;
        for (size_t i = 0; i < 2; i++) {
            relume_trainer_options options = options_of(optimizers[o], i == 0 ? 0 : 1);
            network[i] = network_create(engine, dataset);
            for (size_t n = 0; n < UNITS; n += 3)
                network[i]->layers[0].bias[n] = -6;
            assert_ok(relume_trainer_create(network[i], dataset, &options, &trainer[i], &error), error);
        }
        for (size_t step = 0; step < 500; step++) {
            for (size_t i = 0; i < 2; i++)
                assert_ok(relume_trainer_step(trainer[i], &error), error);
            if (step == 330)
                for (size_t n = 0; n < UNITS; n++)
                    proved += trainer[0]->rest.proved[n];
            assert_true(world_networks_equal(network[0], network[1]));
        }
        if (proves(engine) && proved < UNITS / 6)
            fail_msg("%s: %zu units were proved dead before an epoch was over",
                     relume_optimizer_name(optimizers[o]), proved);
        for (size_t i = 0; i < 2; i++) {
            relume_trainer_destroy(trainer[i]);
            relume_network_destroy(network[i]);
        }
    }
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_near_gate),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
