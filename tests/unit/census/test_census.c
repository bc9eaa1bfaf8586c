/* The census: a network counted by hand, equal bytes whatever counts it, memory, divergence, and what is
 * refused. The comparison with brute force over thousands of networks is
 * tests/property/test_census_property.c. */
#include "world.h"

#include <math.h>

#include "census/census.h"

static relume_census *census_of(const relume_network *network, const relume_dataset *dataset,
                                relume_split split, size_t batch_size)
{
    relume_census *census = NULL;
    relume_error error = {0};
    relume_census_options options;
    relume_census_options_default(&options);
    options.batch_size = batch_size;
    assert_ok(relume_census_create(network, dataset, split, &options, &census, &error), error);
    return census;
}

/* ---- by hand ---- */

/* Four samples 0, 1, 2, 4 of one feature; five units with (w, b) of
 *     (−1, 0)   p = 0, −1, −2, −4    exactly 0 is closed: dead, margin 0
 *     (1, −3)   p = −3, −2, −1, 1    active 1, margin 1, mean ¼
 *     (1, 1)    p = 1, 2, 3, 5       always on, mean 11/4
 *     (2, 0)    p = 0, 2, 4, 8       active 3, margin 8, mean 14/4; its outgoing weights are +0 and −0: mute
 *     (0, −2)   p = −2 …             dead, margin −2; mute says nothing of a dead unit
 * The layer's mean activation is (¼ + 11/4 + 14/4) / 5 = 1.3, so s of the second unit is 0.25 / 1.3 > 0.1. */
static void test_by_hand(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    const float x[] = {0, 1, 2, 4};
    const uint32_t labels[] = {0, 1, 0, 1};
    relume_matrix matrix = {.samples = 4, .features = 1, .element = RELUME_F32, .x = x, .labels = labels};
    relume_dataset *dataset = NULL;
    relume_error error = {0};
    assert_ok(relume_dataset_create(engine, "hand", &matrix, NULL, &dataset, &error), error);
    relume_network *network = world_network(engine, (const size_t[]){1, 5, 2, 0}, RELUME_LOSS_SOFTMAX, 0);
    relume_layer h1 = relume_network_get_layer(network, 0), out = relume_network_get_layer(network, 1);
    const float weight[] = {-1, 1, 1, 2, 0}, bias[] = {0, -3, 1, 0, -2};
    for (size_t u = 0; u < 5; u++) {
        h1.weight[u * h1.weight_stride] = weight[u];
        h1.bias[u] = bias[u];
        for (size_t n = 0; n < 2; n++)
            out.weight[n * out.weight_stride + u] = u < 3 ? 0.5F : n == 0 ? 0.0F : -0.0F;
    }
    relume_census *census = census_of(network, dataset, RELUME_SPLIT_TRAIN, 0);
    assert_ok(relume_census_count(census, &error), error);
    relume_layer_account account = relume_census_get_layer(census, 0);
    static const uint64_t active[] = {0, 1, 4, 3, 0};
    static const float margin[] = {0, 1, 5, 8, -2};
    static const double mean[] = {0, 0.25, 2.75, 3.5, 0};
    static const relume_unit_state states[] = {RELUME_DEAD, RELUME_ALIVE, RELUME_ALWAYS_ON, RELUME_ALIVE,
                                               RELUME_DEAD};
    for (size_t u = 0; u < 5; u++) {
        assert_int_equal(account.unit[u].active, active[u]);
        assert_true(account.unit[u].margin == margin[u] && account.unit[u].mean_activation == mean[u]);
        assert_true(account.unit[u].firing_rate == (double)active[u] / 4);
        assert_true(account.unit[u].dormancy == mean[u] / (6.5 / 5));
        assert_int_equal(account.unit[u].state, states[u]);
    }
    assert_string_equal(account.name, "h1");
    assert_int_equal(account.dead, 2);
    assert_int_equal(account.always_on, 1);
    assert_int_equal(account.mute, 1);
    assert_true(account.mean_firing_rate == 0.4);
    for (size_t t = 0; t < RELUME_TAUS; t++)
        assert_int_equal(account.dormant[t], 2);
    assert_int_equal(relume_census_get_units(census), 5);
    assert_int_equal(relume_census_get_dead(census), 2);
    assert_int_equal(relume_census_get_layers(census), 1);
    assert_int_equal(relume_census_get_layer(census, 1).units, 0);
    relume_score score;
    assert_ok(relume_network_evaluate(network, dataset, RELUME_SPLIT_TRAIN, &score, &error), error);
    assert_true(score.loss == relume_census_get_loss(census) &&
                score.accuracy == relume_census_get_accuracy(census));
    relume_census_destroy(census);
    relume_network_destroy(network);
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(relume_unit_state_name(RELUME_NEARLY_DEAD), "nearly dead");
    assert_string_equal(relume_unit_state_name(RELUME_ALWAYS_ON), "always on");
    assert_null(relume_unit_state_name((relume_unit_state)4));
    assert_string_equal(relume_event_kind_name(RELUME_BORN_DEAD), "born dead");
    assert_string_equal(relume_event_kind_name(RELUME_REVIVED), "revived");
    assert_null(relume_event_kind_name((relume_event_kind)3));
    assert_true(relume_census_get_tau(0) == 0 && relume_census_get_tau(1) == 0.025 &&
                relume_census_get_tau(2) == 0.1);
}

/* ---- equal bytes ---- */

static void assert_equal_accounts(const relume_census *a, const relume_census *b)
{
    assert_true(relume_census_get_loss(a) == relume_census_get_loss(b));
    assert_true(relume_census_get_accuracy(a) == relume_census_get_accuracy(b));
    for (size_t l = 0; l < relume_census_get_layers(a); l++) {
        relume_layer_account first = relume_census_get_layer(a, l), second = relume_census_get_layer(b, l);
        assert_memory_equal(first.unit, second.unit, first.units * sizeof *first.unit);
        assert_true(first.mean_firing_rate == second.mean_firing_rate);
    }
}

static void test_equal_bytes_whatever_counts(void **state)
{
    (void)state;
    relume_error error = {0};
    const char *levels[RLM_CPU_LEVELS];
    size_t count = world_levels(levels);
    relume_engine *plain = world_engine("ref", 1, NULL);
    relume_dataset *data = world_dataset(plain, 403, 33, 5, 0, 3);
    relume_network *net = world_network(plain, (const size_t[]){33, 70, 19, 5, 0}, RELUME_LOSS_SOFTMAX, 4);
    relume_census *expected = census_of(net, data, RELUME_SPLIT_TRAIN, 16);
    assert_ok(relume_census_count(expected, &error), error);
    for (size_t i = 0; i < count + 3; i++) {
        static const size_t threads[] = {2, 3, 8}, batches[] = {0, 1, 48, 403, 5000};
        relume_engine *engine =
            i < count ? world_engine(levels[i], 1, NULL) : world_engine(NULL, threads[i - count], NULL);
        relume_dataset *dataset = world_dataset(engine, 403, 33, 5, 0, 3);
        relume_network *network =
            world_network(engine, (const size_t[]){33, 70, 19, 5, 0}, RELUME_LOSS_SOFTMAX, 4);
        for (size_t b = 0; b < 5; b++) {
            relume_census *census = census_of(network, dataset, RELUME_SPLIT_TRAIN, batches[b]);
            assert_ok(relume_census_count(census, &error), error);
            assert_ok(relume_census_count(census, &error),
                      error); /* again: nothing is left of the first count */
            assert_equal_accounts(expected, census);
            relume_census_destroy(census);
        }
        relume_network_destroy(network);
        relume_dataset_destroy(dataset);
        relume_engine_destroy(engine);
    }
    relume_census_destroy(expected);
    relume_network_destroy(net);
    relume_dataset_destroy(data);
    relume_engine_destroy(plain);
}

/* ---- memory ---- */

static void test_counting_allocates_nothing(void **state)
{
    (void)state;
    relume_error error = {0};
    struct world_memory memory = {0};
    relume_engine *engine = world_engine(NULL, 2, &memory);
    relume_dataset *dataset = world_dataset(engine, 100, 9, 3, 0, 1);
    relume_network *network = world_network(engine, (const size_t[]){9, 20, 3, 0}, RELUME_LOSS_SOFTMAX, 1);
    relume_census *census = census_of(network, dataset, RELUME_SPLIT_TRAIN, 0);
    memory.refuse_from = memory.calls + 1;
    assert_ok(relume_census_count(census, &error), error);
    memory.refuse_from = 0;
    relume_census_destroy(census);
    size_t held = memory.held;
    for (size_t call = 1;; call++) { /* every allocation of create fails in turn */
        memory.refuse_from = memory.calls + call;
        census = NULL;
        relume_status status =
            relume_census_create(network, dataset, RELUME_SPLIT_TRAIN, NULL, &census, &error);
        if (status == RELUME_OK)
            break;
        assert_int_equal(status, RELUME_NO_MEMORY);
        assert_null(census);
        assert_int_equal(memory.held, held);
    }
    memory.refuse_from = 0;
    relume_census_destroy(census);
    relume_network_destroy(network);
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
    assert_int_equal(memory.held, 0);
}

/* ---- divergence ---- */

static void test_divergence_names_the_unit_and_keeps_the_account(void **state)
{
    (void)state;
    static const float bad[] = {(float)NAN, (float)INFINITY, -(float)INFINITY};
    relume_error error = {0};
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_dataset *dataset = world_dataset(engine, 50, 4, 3, 0, 1);
    relume_network *network = world_network(engine, (const size_t[]){4, 8, 6, 3, 0}, RELUME_LOSS_SOFTMAX, 1);
    relume_census *census = census_of(network, dataset, RELUME_SPLIT_TRAIN, 16);
    assert_ok(relume_census_count(census, &error), error);
    size_t dead = relume_census_get_dead(census);
    double loss = relume_census_get_loss(census);
    relume_unit_account before = relume_census_get_layer(census, 1).unit[5];
    for (size_t i = 0; i < 3; i++) {
        float *bias = &relume_network_get_layer(network, 1).bias[5], kept = *bias;
        *bias = bad[i];
        assert_status(relume_census_count(census, &error), RELUME_DIVERGED);
        assert_non_null(strstr(error.message, "h2.5"));
        assert_int_equal(relume_census_get_dead(census), dead);
        assert_true(relume_census_get_loss(census) == loss);
        assert_memory_equal(&relume_census_get_layer(census, 1).unit[5], &before, sizeof before);
        *bias = kept;
    }
    volatile int stop = 15;
    assert_status(rlm_census_count(census, &stop, &error), RELUME_INTERRUPTED);
    assert_int_equal(relume_census_get_dead(census), dead);
    relume_census_destroy(census);
    relume_network_destroy(network);
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
}

/* ---- data ---- */

static void test_splits_and_data_without_targets(void **state)
{
    (void)state;
    relume_error error = {0};
    relume_census *census = NULL;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_dataset_options options;
    relume_dataset_options_default(&options);
    options.holdout = 0.25;
    relume_dataset *digits = NULL;
    assert_ok(relume_dataset_load(engine, "digits", &options, &digits, &error), error);
    relume_network *network = world_network(engine, (const size_t[]){64, 10, 10, 0}, RELUME_LOSS_SOFTMAX, 1);
    uint64_t active[3] = {0};
    static const relume_split splits[] = {RELUME_SPLIT_TRAIN, RELUME_SPLIT_TEST, RELUME_SPLIT_ALL};
    for (size_t s = 0; s < 3; s++) {
        census = census_of(network, digits, splits[s], 0);
        assert_ok(relume_census_count(census, &error), error);
        assert_int_equal(relume_census_get_samples(census), relume_dataset_get_samples(digits, splits[s]));
        for (size_t u = 0; u < 10; u++)
            active[s] += relume_census_get_layer(census, 0).unit[u].active;
        relume_census_destroy(census);
    }
    assert_int_equal(active[0] + active[1], active[2]);
    relume_dataset *bare = world_dataset(engine, 20, 64, 0, 0, 1);
    census = census_of(network, bare, RELUME_SPLIT_TRAIN, 0);
    assert_ok(relume_census_count(census, &error), error);
    assert_true(isnan(relume_census_get_loss(census)) && isnan(relume_census_get_accuracy(census)));
    relume_census_destroy(census);
    census = NULL;
    assert_status(relume_census_create(network, bare, RELUME_SPLIT_TEST, NULL, &census, &error),
                  RELUME_NOT_FOUND);
    relume_dataset *narrow = world_dataset(engine, 20, 63, 0, 0, 1);
    assert_status(relume_census_create(network, narrow, RELUME_SPLIT_TRAIN, NULL, &census, &error),
                  RELUME_MISMATCH);
    relume_census_options wrong = {.nearly_dead = 1.5};
    assert_status(relume_census_create(network, bare, RELUME_SPLIT_TRAIN, &wrong, &census, &error),
                  RELUME_USAGE);
    assert_null(census);
    relume_dataset_destroy(narrow);
    relume_dataset_destroy(bare);
    relume_dataset_destroy(digits);
    relume_network_destroy(network);
    relume_engine_destroy(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_equal_bytes_whatever_counts),
        cmocka_unit_test(test_counting_allocates_nothing),
        cmocka_unit_test(test_divergence_names_the_unit_and_keeps_the_account),
        cmocka_unit_test(test_splits_and_data_without_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
