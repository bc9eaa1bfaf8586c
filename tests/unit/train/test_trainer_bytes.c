/* The same bytes, whatever computes them: every level this CPU can run, 1, 2, 3 and 8 threads, skipping or
 * dense, at batch sizes 1, 7 and 128 with a short last batch, for every optimizer and loss. */
#include "world.h"

#include "data/dataset.h"
#include "network/network.h"

#define SAMPLES 143 /* 128 + 15, 20 · 7 + 3 */

struct setting {
    size_t batch;
    relume_optimizer optimizer;
    relume_loss loss;
    double clip;
    bool u8;
    size_t dead_every; /* of the second hidden layer every so many units are dead; 0: none */
    bool first_dead;   /* the whole first hidden layer, not a block of it alone */
};

/* Wide enough that threads get ranges of their own: 160 · 70 · 128 multiply-adds make ten tasks. */
static const size_t widths[] = {70, 160, 90, 5, 0};

static relume_dataset *dataset_of(relume_engine *engine, bool u8)
{
    if (!u8)
        return world_dataset(engine, SAMPLES, 70, 5, 0, 3);
    relume_dataset *dataset = world_bytes(
        engine,
        &(struct world_bytes){.samples = SAMPLES, .features = 70, .classes = 5, .rng = {3, RLM_RNG_TEST, 7}});
    assert_int_equal(dataset->element, RELUME_U8); /* and is trained on as it is */
    return dataset;
}

static relume_network *trained(relume_engine *engine, const struct setting *setting, int dense, double *loss)
{
    relume_dataset *dataset = dataset_of(engine, setting->u8);
    relume_network_options network_options;
    relume_network *network = NULL;
    relume_error error = {0};
    relume_network_options_default(&network_options);
    network_options.in_features = widths[0];
    network_options.hidden_layers = 2;
    network_options.hidden = widths + 1;
    network_options.out_features = widths[3];
    network_options.loss = setting->loss;
    network_options.dataset = dataset;
    assert_ok(relume_network_create(engine, &network_options, &network, &error), error);
    for (size_t n = setting->first_dead ? 0 : 32; n < (setting->first_dead ? widths[1] : 48); n++)
        network->layers[0].bias[n] = -1000; /* a block of dead units */
    for (size_t n = 0; setting->dead_every > 0 && n < widths[2]; n += setting->dead_every)
        network->layers[1].bias[n] = -1000; /* scattered ones */
    relume_trainer_options options;
    relume_trainer_options_default(&options);
    options.epochs = setting->batch == 128 ? 2 : 1;
    options.batch_size = setting->batch;
    options.optimizer = setting->optimizer;
    options.learning_rate = 0.003;
    options.weight_decay = 0.01;
    options.clip_norm = setting->clip;
    options.dense = dense;
    if (setting->optimizer == RELUME_SGD) {
        options.weight_decay = 0;  /* so that dead blocks are passed over */
        options.learning_rate = 2; /* lethal enough to make some */
        if (setting->loss == RELUME_LOSS_MSE)
            options.learning_rate = 0.02;
    }
    relume_trainer *trainer = NULL;
    assert_ok(relume_trainer_create(network, dataset, &options, &trainer, &error), error);
    relume_progress progress = relume_trainer_get_progress(trainer);
    while (progress.step < progress.steps) {
        assert_ok(relume_trainer_step(trainer, &error), error);
        progress = relume_trainer_get_progress(trainer);
    }
    *loss = progress.loss;
    relume_trainer_destroy(trainer);
    relume_dataset_destroy(dataset);
    return network;
}

static void compare(const struct setting *setting)
{
    static const size_t threads[] = {1, 2, 3, 8};
    const char *levels[RLM_CPU_LEVELS];
    size_t level_count = world_levels(levels);
    relume_engine *reference = world_engine("ref", 1, NULL);
    double expected, loss;
    relume_network *network = trained(reference, setting, 1, &expected);
    for (size_t l = check_rounds(0, level_count - 1); l < level_count;
         l++) /* brief: the best, on 2 threads */
        for (size_t t = 0; t < 4; t++) {
            if (strcmp(levels[l], "ref") == 0 && threads[t] != 2)
                continue; /* slow, and the cut is the same for every level */
            if (threads[t] != check_rounds(threads[t], 2))
                continue;
            relume_engine *engine = world_engine(levels[l], threads[t], NULL);
            relume_network *other = trained(engine, setting, t % 2 ? 0 : -1, &loss);
            if (!world_networks_equal(network, other) || loss != expected)
                fail_msg("%s with %zu threads differs: batch %zu, %s, %s", levels[l], threads[t],
                         setting->batch, relume_optimizer_name(setting->optimizer),
                         relume_loss_name(setting->loss));
            relume_network_destroy(other);
            relume_engine_destroy(engine);
        }
    relume_network_destroy(network);
    relume_engine_destroy(reference);
}

static void test_batch_sizes(void **state)
{
    (void)state;
    const size_t batches[] = {1, 7, 128};
    for (size_t i = 0; i < 3; i++)
        compare(&(struct setting){batches[i], RELUME_MOMENTUM, RELUME_LOSS_SOFTMAX, 0, true, 0, false});
}

static void test_optimizers_and_losses(void **state)
{
    (void)state;
    for (int optimizer = 0; optimizer < RELUME_OPTIMIZER_COUNT; optimizer++)
        compare(&(struct setting){128, (relume_optimizer)optimizer,
                                  (relume_loss)(optimizer % RELUME_LOSS_COUNT), 0, false, 0, false});
}

static void test_clipping(void **state)
{
    (void)state;
    compare(&(struct setting){128, RELUME_NESTEROV, RELUME_LOSS_BCE, 0.1, true, 0, false});
    compare(&(struct setting){7, RELUME_SGD, RELUME_LOSS_SOFTMAX, 0.5, false, 0, false});
}

static void test_dead_units(void **state)
{
    (void)state;
    for (int optimizer = 0; optimizer < RELUME_OPTIMIZER_COUNT; optimizer += (int)check_rounds(1, 2)) {
        compare(&(struct setting){128, (relume_optimizer)optimizer, RELUME_LOSS_SOFTMAX, 0, true, 3, false});
        compare(&(struct setting){7, (relume_optimizer)optimizer, RELUME_LOSS_BCE, 0.1, false, 2, false});
    }
    compare(&(struct setting){128, RELUME_SGD, RELUME_LOSS_SOFTMAX, 0, true, 1, false}); /* the whole layer */
    compare(&(struct setting){128, RELUME_SGD, RELUME_LOSS_SOFTMAX, 0, true, 0, true});
    compare(&(struct setting){128, RELUME_ADAM, RELUME_LOSS_MSE, 0, true, 1, false});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_sizes),
        cmocka_unit_test(test_optimizers_and_losses),
        cmocka_unit_test(test_clipping),
        cmocka_unit_test(test_dead_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
