/* The forward pass, predictions and scores against plain loops, and what they do with numbers that are not
 * finite. */
#include "world.h"

#include <math.h>

#include "network/forward.h"

/* Logits of one sample by the definition: fma chains in order, bias last. Widths up to 64. */
static void naive_logits(const relume_network *network, const float *x, float *logits)
{
    float in[64], out[64];
    memcpy(in, x, relume_network_get_in_features(network) * sizeof *in);
    for (size_t l = 0; l < relume_network_get_layers(network); l++) {
        relume_layer layer = relume_network_get_layer(network, l);
        for (size_t n = 0; n < layer.out_features; n++) {
            float p = 0;
            for (size_t k = 0; k < layer.in_features; k++)
                p = fmaf(in[k], layer.weight[n * layer.weight_stride + k], p);
            p += layer.bias[n];
            out[n] = layer.relu && p <= 0 ? 0 : p;
        }
        memcpy(in, out, layer.out_features * sizeof *in);
    }
    memcpy(logits, in, relume_network_get_out_features(network) * sizeof *logits);
}

static void test_predict_equals_plain_loops(void **state)
{
    (void)state;
    const char *levels[RLM_CPU_LEVELS];
    size_t count = world_levels(levels);
    for (size_t i = 0; i < count; i++) {
        relume_engine *engine = world_engine(levels[i], 2, NULL);
        relume_dataset *dataset =
            world_dataset(engine, 300, 19, 5, 0, 11); /* more than one batch, the last one short */
        relume_network *network =
            world_network(engine, (const size_t[]){19, 33, 17, 5, 0}, RELUME_LOSS_SOFTMAX, 2);
        float *logits = malloc((size_t)300 * 5 * sizeof *logits), expected[5];
        relume_error error = {0};
        assert_ok(relume_network_predict(network, dataset, RELUME_SPLIT_TRAIN, logits, &error), error);
        for (size_t s = 0; s < 300; s++) {
            naive_logits(network, (const float *)dataset->x + s * 19, expected);
            for (size_t n = 0; n < 5; n++)
                assert_true(expected[n] == logits[s * 5 + n]);
        }
        free(logits);
        relume_network_destroy(network);
        relume_dataset_destroy(dataset);
        relume_engine_destroy(engine);
    }
}

/* Loss and accuracy in double from the same logits. The kernel's float loss is within a few units in the last
 * place of values below 8: 1e-5 is far above 300-fold averaging of that and far below any mistake. */
static void test_evaluate_softmax(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_dataset *dataset = world_dataset(engine, 300, 19, 5, 0, 12);
    relume_network *network = world_network(engine, (const size_t[]){19, 33, 5, 0}, RELUME_LOSS_SOFTMAX, 3);
    double loss = 0, correct = 0;
    for (size_t s = 0; s < 300; s++) {
        float logits[64];
        double sum = 0;
        size_t best = 0;
        naive_logits(network, (const float *)dataset->x + s * 19, logits);
        for (size_t n = 0; n < 5; n++) {
            sum += exp((double)logits[n]);
            best = logits[n] > logits[best] ? n : best;
        }
        loss += log(sum) - (double)logits[dataset->labels[s]];
        correct += best == dataset->labels[s];
    }
    relume_score score;
    relume_error error = {0};
    assert_ok(relume_network_evaluate(network, dataset, RELUME_SPLIT_TRAIN, &score, &error), error);
    assert_true(fabs(score.loss - loss / 300) < 1e-5);
    assert_true(score.accuracy == correct / 300);
    assert_ok(relume_network_evaluate(network, dataset, RELUME_SPLIT_TEST, &score, &error), error);
    assert_true(isnan(score.loss) && isnan(score.accuracy)); /* no such samples */
    relume_network_destroy(network);
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
}

static void test_evaluate_regression_and_one_hot(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_error error = {0};
    for (int classes = 0; classes < 2; classes++) {
        relume_dataset *dataset = world_dataset(engine, 50, 6, classes ? 3 : 0, 3, 13);
        relume_network *network = world_network(engine, (const size_t[]){6, 9, 3, 0}, RELUME_LOSS_MSE, 4);
        double loss = 0;
        for (size_t s = 0; s < 50; s++) {
            float logits[64];
            naive_logits(network, (const float *)dataset->x + s * 6, logits);
            for (size_t n = 0; n < 3; n++) {
                double target = classes ? (dataset->labels[s] == n) : (double)dataset->targets[s * 3 + n];
                loss += ((double)logits[n] - target) * ((double)logits[n] - target) / (50 * 3);
            }
        }
        relume_score score;
        assert_ok(relume_network_evaluate(network, dataset, RELUME_SPLIT_TRAIN, &score, &error), error);
        assert_true(fabs(score.loss - loss) < 1e-5 * (1 + loss)); /* some ten float roundings */
        assert_int_equal(isnan(score.accuracy), !classes);
        relume_network_destroy(network);
        relume_dataset_destroy(dataset);
    }
    relume_engine_destroy(engine);
}

static void test_loss_and_data_that_do_not_fit(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_dataset *classes = world_dataset(engine, 20, 6, 4, 0, 1),
                   *targets = world_dataset(engine, 20, 6, 0, 3, 1),
                   *bare = world_dataset(engine, 20, 6, 0, 0, 1),
                   *wide = world_dataset(engine, 20, 7, 3, 0, 1);
    relume_network *softmax = world_network(engine, (const size_t[]){6, 3, 0}, RELUME_LOSS_SOFTMAX, 0);
    relume_network *bce = world_network(engine, (const size_t[]){6, 3, 0}, RELUME_LOSS_BCE, 0);
    relume_score score = {7, 7};
    relume_error error = {0};
    assert_status(relume_network_evaluate(softmax, classes, RELUME_SPLIT_TRAIN, &score, &error),
                  RELUME_MISMATCH);
    assert_non_null(strstr(error.message, "4 classes"));
    assert_status(relume_network_evaluate(softmax, targets, RELUME_SPLIT_TRAIN, &score, &error),
                  RELUME_MISMATCH);
    assert_non_null(strstr(error.message, "softmax"));
    assert_status(relume_network_evaluate(softmax, bare, RELUME_SPLIT_TRAIN, &score, &error),
                  RELUME_MISMATCH);
    assert_status(relume_network_evaluate(softmax, wide, RELUME_SPLIT_TRAIN, &score, &error),
                  RELUME_MISMATCH);
    assert_non_null(strstr(error.message, "7 features"));
    assert_ok(relume_network_evaluate(bce, targets, RELUME_SPLIT_TRAIN, &score, &error), error);
    targets->targets[7] = 1.5f;
    assert_status(relume_network_evaluate(bce, targets, RELUME_SPLIT_TRAIN, &score, &error), RELUME_MISMATCH);
    assert_non_null(strstr(error.message, "row 2, column 1"));
    assert_status(relume_network_predict(softmax, wide, RELUME_SPLIT_TRAIN, NULL, &error), RELUME_MISMATCH);
    relume_network_destroy(softmax);
    relume_network_destroy(bce);
    relume_dataset_destroy(classes);
    relume_dataset_destroy(targets);
    relume_dataset_destroy(bare);
    relume_dataset_destroy(wide);
    relume_engine_destroy(engine);
}

static void test_fault_is_found_and_named(void **state)
{
    (void)state;
    const float bad[] = {NAN, INFINITY, -INFINITY}; /* −∞ would become a quiet 0 behind the gate */
    const char *levels[RLM_CPU_LEVELS];
    size_t count = world_levels(levels);
    for (size_t i = 0; i < count * 3; i++) {
        relume_engine *engine = world_engine(levels[i / 3], 2, NULL);
        relume_dataset *dataset = world_dataset(engine, 300, 6, 3, 0, 1);
        relume_network *network =
            world_network(engine, (const size_t[]){6, 40, 50, 3, 0}, RELUME_LOSS_SOFTMAX, 0);
        relume_layer h2 = relume_network_get_layer(network, 1);
        float logits[300 * 3];
        relume_error error = {0};
        h2.bias[37] = bad[i % 3];
        h2.bias[41] = NAN;
        assert_status(relume_network_predict(network, dataset, RELUME_SPLIT_TRAIN, logits, &error),
                      RELUME_DIVERGED);
        assert_non_null(strstr(error.message, "h2.37"));
        assert_non_null(strstr(error.message, "sample 0,"));
        assert_string_equal(error.item, "h2.37");
        relume_score score;
        assert_status(relume_network_evaluate(network, dataset, RELUME_SPLIT_TRAIN, &score, NULL),
                      RELUME_DIVERGED);
        relume_network_destroy(network);
        relume_dataset_destroy(dataset);
        relume_engine_destroy(engine);
    }
}

/* Gates, counts, margins and sums of a pass over several batches, against plain loops over single samples. */
static void test_what_a_pass_keeps(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 2, NULL);
    relume_dataset *dataset = world_dataset(engine, 40, 6, 3, 0, 21);
    relume_network *network = world_network(engine, (const size_t[]){6, 20, 3, 0}, RELUME_LOSS_SOFTMAX, 5);
    relume_layer h1 = relume_network_get_layer(network, 0);
    struct rlm_pass pass;
    relume_error error = {0};
    uint64_t active[20] = {0};
    unsigned wants = RLM_PASS_GATES | RLM_PASS_ACTIVE | RLM_PASS_MARGIN | RLM_PASS_SUM | RLM_PASS_FEATURES;
    assert_ok(rlm_pass_init(&pass, network, 16, wants, &error), error);
    for (size_t first = 0; first < 40; first += 16) {
        struct rlm_batch batch = {
            .dataset = dataset, .first = first, .count = first + 16 <= 40 ? 16 : 40 - first};
        assert_true(rlm_pass_run(&pass, &batch, NULL));
        const float *turned = rlm_pass_features(&pass, 1, NULL, 20);
        for (size_t n = 0; n < 20; n++) {
            active[n] += pass.layer[0].active[n];
            for (size_t b = 0; b < 16; b++) {
                float z = pass.layer[0].z[n * 16 + b];
                assert_int_equal(pass.layer[0].gates[n] >> b & 1, b < batch.count && z > 0);
                assert_true(turned[(n / 16 * 16 + b) * 16 + n % 16] == z);
            }
        }
    }
    for (size_t n = 0; n < 20; n++) {
        uint64_t count = 0;
        float margin = -INFINITY;
        double sum = 0, lanes = 0;
        for (size_t s = 0; s < 40; s++) {
            float p = 0;
            for (size_t k = 0; k < 6; k++)
                p = fmaf(((const float *)dataset->x)[s * 6 + k], h1.weight[n * h1.weight_stride + k], p);
            p += h1.bias[n];
            count += p > 0;
            margin = p > margin ? p : margin;
            sum += p > 0 ? (double)p : 0;
        }
        for (size_t b = 0; b < 16; b++)
            lanes += pass.layer[0].sum[n * 16 + b];
        assert_int_equal(active[n], count);
        assert_true(pass.layer[0].margin[n] == margin);
        assert_true(fabs(lanes - sum) <= 40 * 0x1p-52 * sum); /* forty additions in another order */
    }
    rlm_pass_reset(&pass);
    assert_true(pass.layer[0].margin[19] == -INFINITY && pass.layer[0].sum[19 * 16 + 15] == 0);
    assert_null(pass.layer[1].gates);
    rlm_pass_deinit(&pass);
    relume_network_destroy(network);
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
}

static void test_failed_allocations(void **state)
{
    (void)state;
    struct world_memory memory = {0};
    relume_engine *engine = world_engine(NULL, 1, &memory);
    relume_dataset *dataset = world_dataset(engine, 20, 6, 3, 0, 1);
    relume_network *network = world_network(engine, (const size_t[]){6, 8, 3, 0}, RELUME_LOSS_MSE, 0);
    relume_status status = RELUME_NO_MEMORY;
    relume_score score = {7, 7};
    size_t held = memory.held;
    for (size_t call = 1; status != RELUME_OK; call++) {
        memory.calls = 0;
        memory.refuse_from = call;
        status = relume_network_evaluate(network, dataset, RELUME_SPLIT_TRAIN, &score, NULL);
        assert_true(status == RELUME_OK || (status == RELUME_NO_MEMORY && score.loss == 7));
        assert_int_equal(memory.held, held);
        assert_true(call < 20);
    }
    memory.refuse_from = 0;
    relume_network_destroy(network);
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_predict_equals_plain_loops),
        cmocka_unit_test(test_evaluate_softmax),
        cmocka_unit_test(test_evaluate_regression_and_one_hot),
        cmocka_unit_test(test_loss_and_data_that_do_not_fit),
        cmocka_unit_test(test_fault_is_found_and_named),
        cmocka_unit_test(test_what_a_pass_keeps),
        cmocka_unit_test(test_failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
