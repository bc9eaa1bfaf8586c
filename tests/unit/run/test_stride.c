/* How far an epoch's last update moved each layer: counted again from checkpoints of every step. */
#include "run_world.h"

#include <math.h>

#include "run/run.h"

static relume_network *load(relume_engine *engine, const char *path, uint64_t step)
{
    char file[200];
    relume_network *network = NULL;
    relume_error error = {0};
    (void)snprintf(file, sizeof file, "%s/checkpoints/step-%llu.safetensors", path, (unsigned long long)step);
    assert_ok(relume_network_load(engine, file, &network, &error), error);
    return network;
}

static void test_last_update_of_each_epoch(void **state)
{
    (void)state;
    char path[128], file[160];
    double ratio[4 * 3];
    struct rlm_history history = {0};
    relume_error error = {0};
    relume_engine *engine = world_engine(NULL, 2, NULL);
    relume_run_options options = run_options(run_path(path, "stride"));
    options.checkpoint = (relume_interval){RELUME_EVERY_STEPS, 1};
    run_train(engine, &options, RELUME_OK);
    (void)snprintf(file, sizeof file, "%s/history.sqlite", path);
    assert_ok(rlm_history_open(&history, file, false, &error), error);
    assert_ok(rlm_history_get_ratios(&history, 3, 3, ratio, &error), error);
    rlm_history_close(&history);
    for (size_t l = 0; l < 3; l++)
        assert_true(isnan(ratio[l])); /* the start has no update */
    for (uint64_t epoch = 1; epoch <= 3; epoch++) {
        relume_network *before = load(engine, path, 3 * epoch - 1), *after = load(engine, path, 3 * epoch);
        for (size_t l = 0; l < 3; l++) {
            double plain = world_moved_ratio(before, after, l), kept = ratio[epoch * 3 + l];
            /* sums of at most 768 squares in two orders: each within 768 · 2⁻⁵³ of the real one, their
             * quotient's root within twice that, so the two within 4 · 768 · 2⁻⁵³ of each other */
            assert_true(plain > 0 && fabs(kept - plain) <= 4 * 768 * ldexp(1, -53) * plain);
        }
        relume_network_destroy(before);
        relume_network_destroy(after);
    }
    relume_engine_destroy(engine);
    run_remove(path);
}

/* A history from before these tables reads as one without ratios, and training on adds them. */
static void test_older_history(void **state)
{
    (void)state;
    char path[128], file[160];
    double ratio[4 * 3];
    sqlite3 *database;
    struct rlm_history history = {0};
    relume_error error = {0};
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "older"));
    run_train(engine, &options, RELUME_OK);
    (void)snprintf(file, sizeof file, "%s/history.sqlite", path);
    assert_int_equal(sqlite3_open(file, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database,
                                  "DROP TABLE update_ratio; DROP TABLE forecast; DROP TABLE forecast_layer",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
    assert_ok(rlm_history_open(&history, file, false, &error), error);
    assert_ok(rlm_history_get_ratios(&history, 3, 3, ratio, &error), error);
    for (size_t i = 0; i < 12; i++)
        assert_true(isnan(ratio[i]));
    rlm_history_close(&history);
    options.resume = 1;
    run_train(engine, &options, RELUME_OK);
    relume_engine_destroy(engine);
    run_remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_update_of_each_epoch),
        cmocka_unit_test(test_older_history),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
