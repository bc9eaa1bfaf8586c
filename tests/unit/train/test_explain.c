/* An explanation against a step of training: one sample, plain SGD, the same bytes. */
#include "check.h"

#include <math.h>
#include <string.h>

#include "relume/explain.h"
#include "relume/trainer.h"

static relume_engine *engine;
static relume_dataset *digits;

static int start(void **state)
{
    (void)state;
    relume_engine_options options;
    relume_engine_options_default(&options);
    options.threads = 1;
    return relume_engine_create(&options, &engine, NULL) ||
           relume_dataset_load(engine, "digits", NULL, &digits, NULL);
}

static int stop(void **state)
{
    (void)state;
    relume_dataset_destroy(digits);
    relume_engine_destroy(engine);
    return 0;
}

static relume_network *make_network(relume_loss loss)
{
    const size_t hidden[] = {13, 9, 17};
    relume_network_options options;
    relume_network_options_default(&options);
    options.in_features = 64;
    options.hidden = hidden;
    options.hidden_layers = 3;
    options.out_features = 10;
    options.loss = loss;
    options.seed = 7;
    options.dataset = digits;
    relume_network *network = NULL;
    relume_error error;
    assert_ok(relume_network_create(engine, &options, &network, &error), error);
    return network;
}

/* w after one step of batch 1 on sample 0 is fma(−lr, dw, w) with the explanation's dw. */
static void test_gradient_is_that_of_training(void **state)
{
    (void)state;
    const relume_loss losses[] = {RELUME_LOSS_SOFTMAX, RELUME_LOSS_MSE, RELUME_LOSS_BCE};
    for (size_t l = 0; l < 3; l++) {
        relume_network *before = make_network(losses[l]), *after = make_network(losses[l]);
        relume_trainer_options options;
        relume_trainer_options_default(&options);
        options.optimizer = RELUME_SGD;
        options.learning_rate = 0.25;
        options.batch_size = 1;
        options.no_shuffle = 1;
        relume_trainer *trainer = NULL;
        relume_error error;
        assert_ok(relume_trainer_create(after, digits, &options, &trainer, &error), error);
        assert_ok(relume_trainer_step(trainer, &error), error);
        for (size_t k = 0; k < relume_network_get_layers(before); k++) {
            relume_layer old = relume_network_get_layer(before, k), new = relume_network_get_layer(after, k);
            for (size_t n = 0; n < old.out_features; n++) {
                relume_explanation e;
                assert_ok(relume_explain(before, digits, RELUME_SPLIT_TRAIN, k, n, 0, &e, &error), error);
                assert_int_equal(e.inputs, old.in_features);
                for (size_t i = 0; i < e.inputs; i++) {
                    float w = old.weight[n * old.weight_stride + i];
                    assert_true(fmaf(-0.25f, e.dweight[i], w) == new.weight[n * new.weight_stride + i]);
                }
                assert_true(fmaf(-0.25f, e.dbias, old.bias[n]) == new.bias[n]);
                relume_explanation_deinit(&e);
            }
        }
        relume_trainer_destroy(trainer);
        relume_network_destroy(after);
        relume_network_destroy(before);
    }
}

static void test_numbers_hang_together(void **state)
{
    (void)state;
    relume_network *network = make_network(RELUME_LOSS_SOFTMAX);
    relume_error error;
    size_t closed = 0;
    for (size_t n = 0; n < 9; n++) {
        relume_explanation e;
        assert_ok(relume_explain(network, digits, RELUME_SPLIT_TRAIN, 1, n, 100, &e, &error), error);
        float p = 0.0f, upstream = 0.0f;
        for (size_t k = 0; k < e.inputs; k++)
            p = fmaf(e.x[k], e.weight[k], p);
        assert_true(p + e.bias == e.preactivation);
        assert_true(e.activation == (e.preactivation > 0.0f ? e.preactivation : 0.0f));
        for (size_t m = 0; m < e.above; m++)
            upstream = fmaf(e.above_dz[m], e.above_weight[m], upstream);
        assert_true(upstream == e.upstream);
        assert_true(e.dz == (e.open ? e.upstream : 0.0f));
        closed += !e.open;
        for (size_t k = 0; k < e.inputs; k++)
            assert_true(e.dweight[k] == e.dz * e.x[k]);
        assert_true(e.label < 10 && e.predicted < 10 && e.loss > 0.0f);
        relume_explanation_deinit(&e);
    }
    assert_true(closed > 0 && closed < 9); /* both sides of the gate were seen */
    relume_network_destroy(network);
}

static void test_places_that_are_not_there(void **state)
{
    (void)state;
    relume_network *network = make_network(RELUME_LOSS_SOFTMAX);
    relume_explanation e;
    relume_error error;
    assert_status(relume_explain(network, digits, RELUME_SPLIT_TRAIN, 4, 0, 0, &e, &error), RELUME_NOT_FOUND);
    assert_status(relume_explain(network, digits, RELUME_SPLIT_TRAIN, 1, 9, 0, &e, &error), RELUME_NOT_FOUND);
    assert_non_null(strstr(error.message, "h2.9"));
    assert_status(relume_explain(network, digits, RELUME_SPLIT_TRAIN, 0, 0, 1797, &e, &error),
                  RELUME_NOT_FOUND);
    assert_status(relume_explain(network, digits, RELUME_SPLIT_TEST, 0, 0, 0, &e, &error), RELUME_NOT_FOUND);
    relume_network_destroy(network);
}

/* The choice against explaining every sample: how many fire, the largest p, the largest loss among those that
 * fire, the nearest where none does. */
static void test_choice_is_the_best_of_all(void **state)
{
    (void)state;
    relume_network *network = make_network(RELUME_LOSS_SOFTMAX);
    relume_layer first = relume_network_get_layer(network, 0);
    first.bias[3] = -100.0f; /* dead: |w.x| is far below that */
    relume_error error;
    for (size_t n = 2; n < 4; n++) {
        relume_explain_choice choice;
        assert_ok(relume_explain_choose(network, digits, RELUME_SPLIT_TRAIN, 0, n, &choice, &error), error);
        size_t active = 0, best = SIZE_MAX, nearest = 0;
        float margin = -INFINITY, loss = 0.0f;
        for (size_t i = 0; i < choice.samples; i++) {
            relume_explanation e;
            assert_ok(relume_explain(network, digits, RELUME_SPLIT_TRAIN, 0, n, i, &e, &error), error);
            if (e.preactivation > margin) {
                margin = e.preactivation;
                nearest = i;
            }
            if (e.preactivation > 0.0f && (active++ == 0 || e.loss > loss)) {
                loss = e.loss;
                best = i;
            }
            relume_explanation_deinit(&e);
        }
        assert_int_equal(choice.samples, 1797);
        assert_int_equal(choice.active, active);
        assert_true(choice.margin == margin);
        assert_int_equal(choice.sample, active > 0 ? best : nearest);
        assert_true((n == 3) == (active == 0));
    }
    relume_explain_choice choice;
    assert_status(relume_explain_choose(network, digits, RELUME_SPLIT_TEST, 0, 0, &choice, &error),
                  RELUME_NOT_FOUND);
    assert_status(relume_explain_choose(network, digits, RELUME_SPLIT_TRAIN, 0, 13, &choice, &error),
                  RELUME_NOT_FOUND);
    relume_network_destroy(network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient_is_that_of_training),
        cmocka_unit_test(test_numbers_hang_together),
        cmocka_unit_test(test_places_that_are_not_there),
        cmocka_unit_test(test_choice_is_the_best_of_all),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
