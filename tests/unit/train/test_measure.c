/* Steps that are measured (train/stride.h): the same weights as without, and ratios that say how far each
 * layer has moved, the same bits for every number of threads, with dead units left out or not. */
#include "world.h"

#include <math.h>

#include "network/network.h"
#include "train/stride.h"
#include "train/trainer.h"

#define SAMPLES 150
#define LAYERS 3
#define STEPS 6 /* at most */

/* A row of the first layer is 3,648 bytes and more, so that its 330 take three strips. */
static const size_t widths[] = {900, 330, 40, 5, 0};

struct setting {
    relume_optimizer optimizer;
    double clip;
};

static relume_trainer *trainer_of(relume_network *network, const relume_dataset *dataset,
                                  const struct setting *setting, int dense)
{
    relume_trainer_options options;
    relume_trainer *trainer = NULL;
    relume_error error = {0};
    relume_trainer_options_default(&options);
    options.epochs = 2;
    options.batch_size = SAMPLES / 3;
    options.optimizer = setting->optimizer;
    options.learning_rate = 0.01;
    options.clip_norm = setting->clip;
    options.dense = dense;
    assert_ok(relume_trainer_create(network, dataset, &options, &trainer, &error), error);
    return trainer;
}

static relume_network *network_with_dead(relume_engine *engine)
{
    relume_network *network = world_network(engine, widths, RELUME_LOSS_SOFTMAX, 5);
    for (size_t n = 100; n < 250; n++)
        network->layers[0].bias[n] = -1000;
    return network;
}

/* Every second step measured, beside a training none of whose steps is. `ratio` has [STEPS][LAYERS]. */
static void train_both(size_t threads, const struct setting *setting, int dense, double *ratio)
{
    relume_error error = {0};
    relume_engine *engine = world_engine(NULL, threads, NULL);
    relume_dataset *dataset = world_dataset(engine, SAMPLES, widths[0], widths[3], 0, 3);
    relume_network *network = network_with_dead(engine), *plain = network_with_dead(engine);
    relume_trainer *trainer = trainer_of(network, dataset, setting, dense);
    relume_trainer *other = trainer_of(plain, dataset, setting, dense);
    struct rlm_stride stride = {0};
    assert_ok(rlm_stride_init(&stride, network, &error), error);
    assert_true(stride.strip * 2 < widths[1]);
    for (size_t step = 0; step < check_rounds(STEPS, 2); step++) {
        bool measured = step % 2 == 1;
        stride.known = false;
        rlm_trainer_measure(trainer, measured ? &stride : NULL);
        assert_ok(relume_trainer_step(trainer, &error), error);
        assert_true(stride.known == measured);
        for (size_t l = 0; measured && l < LAYERS; l++) {
            double truth = world_moved_ratio(plain, network, l);
            ratio[step * LAYERS + l] = stride.ratio[l];
            /* sums of 300,000 squares at most in two orders: each within 300,000 · 2⁻⁵³ of the real one */
            assert_true(fabs(stride.ratio[l] - truth) <= 4 * 3e5 * ldexp(1, -53) * truth);
            assert_true(truth > 0);
        }
        assert_ok(relume_trainer_step(other, &error), error);
        assert_true(world_networks_equal(network, plain));
    }
    rlm_stride_deinit(&stride);
    relume_trainer_destroy(trainer);
    relume_trainer_destroy(other);
    relume_network_destroy(network);
    relume_network_destroy(plain);
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
}

static void test_measured_steps(void **state)
{
    (void)state;
    static const struct setting settings[] = {
        {RELUME_SGD, 0}, {RELUME_SGD, 0.5}, {RELUME_MOMENTUM, 0}, {RELUME_ADAM, 0}, {RELUME_ADAM, 0.5},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i += check_rounds(1, 2)) {
        double ratio[4][STEPS * LAYERS] = {{0}};
        train_both(1, &settings[i], 0, ratio[0]);
        train_both(3, &settings[i], 0, ratio[1]);
        train_both(2, &settings[i], 1, ratio[2]);
        train_both(2, &settings[i], -1, ratio[3]);
        for (size_t k = 1; k < 4; k++)
            assert_memory_equal(ratio[0], ratio[k], sizeof ratio[0]);
    }
}

static void test_weights_of_zero(void **state)
{
    (void)state;
    relume_error error = {0};
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_network *network = world_network(engine, widths, RELUME_LOSS_SOFTMAX, 5);
    struct rlm_stride stride = {0};
    assert_ok(rlm_stride_init(&stride, network, &error), error);
    struct rlm_layer *layer = &network->layers[1];
    memset(layer->weight, 0, layer->out_features * layer->stride * sizeof *layer->weight);
    rlm_stride_begin(&stride, layer);
    rlm_stride_end(&stride, layer, 1);
    assert_true(isnan(stride.ratio[1]));
    rlm_stride_deinit(&stride);
    relume_network_destroy(network);
    relume_engine_destroy(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measured_steps),
        cmocka_unit_test(test_weights_of_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
