/* A run from its options to its directory: results, equal bytes, intervals, news, early stopping, divergence.
 */
#include "run_world.h"

#include <math.h>

#include "data/dataset.h"

/* ---- what a run comes to ---- */

static void check_against_census(const relume_run *run, const relume_run *opened)
{
    const relume_census *counted = relume_run_get_census(run), *stored = relume_run_get_census(opened);
    assert_non_null(counted);
    assert_non_null(stored);
    assert_true(relume_census_get_loss(counted) == relume_census_get_loss(stored));
    for (size_t l = 0; l < 2; l++) {
        relume_layer_account a = relume_census_get_layer(counted, l), b = relume_census_get_layer(stored, l);
        relume_run_layer life = relume_run_get_layer(run, l);
        double share[8];
        assert_int_equal(life.born_dead + life.deaths - life.revivals, a.dead);
        assert_int_equal(life.dead_at_end, a.dead);
        assert_int_equal(relume_run_get_dead_share(run, l, share, 8), 4);
        assert_true(share[3] == (double)a.dead / (double)a.units);
        assert_int_equal(a.units, b.units);
        assert_int_equal(a.mute, b.mute);
        for (size_t u = 0; u < a.units; u++) {
            assert_int_equal(a.unit[u].active, b.unit[u].active);
            assert_true(a.unit[u].margin == b.unit[u].margin && a.unit[u].dormancy == b.unit[u].dormancy);
            assert_int_equal(a.unit[u].state, b.unit[u].state);
        }
    }
}

static void test_run_and_open(void **state)
{
    (void)state;
    char path[128], file[160];
    relume_error error = {0};
    relume_engine *engine = world_engine(NULL, 0, NULL);
    relume_run_options options = run_options(run_path(path, "plain"));
    relume_run *run = NULL, *opened = NULL;
    assert_ok(relume_run_train(engine, &options, &run, &error), error);
    const relume_run_result *result = relume_run_get_result(run);
    assert_true(result->finished && !result->was_finished && result->stopped_by == 0);
    assert_int_equal(result->epochs, 3);
    assert_int_equal(result->steps, 9);
    relume_score score;
    assert_ok(relume_network_evaluate(relume_run_get_network(run), relume_run_get_dataset(run),
                                      RELUME_SPLIT_TEST, &score, &error),
              error);
    assert_true(score.loss == result->test.loss && score.accuracy == result->test.accuracy);
    assert_ok(relume_run_open(engine, path, &opened, &error), error);
    assert_true(relume_run_get_result(opened)->train.loss == result->train.loss);
    assert_true(world_networks_equal(relume_run_get_network(run), relume_run_get_network(opened)));
    check_against_census(run, opened);
    size_t events, again;
    (void)relume_run_get_events(run, &events);
    (void)relume_run_get_events(opened, &again);
    assert_int_equal(events, again);
    assert_int_equal(events, result->total.born_dead + result->total.deaths + result->total.revivals);
    assert_null(relume_run_get_dataset(opened));
    assert_ok(relume_run_load_dataset(opened, &error), error);
    assert_int_equal(relume_dataset_get_samples(relume_run_get_dataset(opened), RELUME_SPLIT_TEST), 359);
    relume_network *network = NULL;
    assert_ok(relume_run_load_network(engine, path, &network, &error), error);
    assert_true(world_networks_equal(relume_run_get_network(run), network));
    relume_network_destroy(network);
    (void)snprintf(file, sizeof file, "%s/model.safetensors", path);
    assert_ok(relume_run_load_network(engine, file, &network, &error), error);
    relume_network_destroy(network);
    assert_true(relume_run_exists(path) && !relume_run_exists(file) && !relume_run_exists("/nonexistent"));
    relume_run_destroy(run);
    relume_run_destroy(opened);
    relume_engine_destroy(engine);
    run_remove(path);
}

/* ---- equal bytes ---- */

static void test_threads_and_levels_give_equal_bytes(void **state)
{
    (void)state;
    char path[128];
    const char *levels[RLM_CPU_LEVELS];
    size_t count = world_levels(levels);
    static const size_t batches[] = {1, 7, 128};
    for (size_t b = 0; b < 3; b += check_rounds(1, 2)) {
        char *first = NULL;
        for (size_t i = 0; i < count + 3; i++) {
            static const size_t threads[] = {2, 3, 8};
            relume_engine *engine =
                i < count ? world_engine(levels[i], 1, NULL) : world_engine(NULL, threads[i - count], NULL);
            relume_run_options options = run_options(run_path(path, "bytes"));
            options.data_options.holdout = 0.9; /* 180 samples: a short last batch */
            options.trainer.batch_size = batches[b];
            options.trainer.epochs = 2;
            run_train(engine, &options, RELUME_OK);
            if (first)
                run_assert_tells(path, first, "another level or thread count");
            else
                first = run_tell(path);
            relume_engine_destroy(engine);
            run_remove(path);
        }
        rlm_free(first);
    }
}

/* ---- intervals ---- */

static uint64_t query(const char *path, const char *text)
{
    char file[160];
    sqlite3 *database;
    sqlite3_stmt *row;
    (void)snprintf(file, sizeof file, "%s/history.sqlite", path);
    assert_int_equal(sqlite3_open_v2(file, &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(database, text, -1, &row, NULL) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(database));
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    uint64_t number = (uint64_t)sqlite3_column_int64(row, 0);
    (void)sqlite3_finalize(row);
    (void)sqlite3_close(database);
    return number;
}

static bool has_checkpoint(const char *path, unsigned step)
{
    char file[200];
    (void)snprintf(file, sizeof file, "%s/checkpoints/step-%u.safetensors", path, step);
    return access(file, R_OK) == 0;
}

static void test_intervals(void **state)
{
    (void)state;
    char path[128];
    relume_engine *engine = world_engine(NULL, 1, NULL);
    static const struct {
        relume_interval census, checkpoint;
        const char *census_steps;
        unsigned checkpoints; /* bit N: step-N */
    } cases[] = {
        {{RELUME_EVERY_EPOCH, 0}, {RELUME_EVERY_EPOCH, 0}, "0,3,6,9", 1u << 0 | 1u << 3 | 1u << 6 | 1u << 9},
        {{RELUME_FINAL, 0}, {RELUME_EVERY_STEPS, 4}, "0,9", 1u << 0 | 1u << 4 | 1u << 8 | 1u << 9},
        {{RELUME_EVERY_STEPS, 2}, {RELUME_FINAL, 0}, "0,2,4,6,8,9", 1u << 0 | 1u << 9},
        {{RELUME_EVERY_STEPS, 100}, {RELUME_EVERY_STEPS, 100}, "0,9", 1u << 0 | 1u << 9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        relume_run_options options = run_options(run_path(path, "intervals"));
        options.census = cases[i].census;
        options.checkpoint = cases[i].checkpoint;
        run_train(engine, &options, RELUME_OK);
        (void)snprintf(text, sizeof text,
                       "SELECT group_concat(step) = '%s' FROM (SELECT step FROM census ORDER BY step)",
                       cases[i].census_steps);
        assert_int_equal(query(path, text), 1);
        for (unsigned step = 0; step < 12; step++)
            assert_int_equal(has_checkpoint(path, step), cases[i].checkpoints >> step & 1);
        /* births, deaths and revivals add up at every census */
        assert_int_equal(query(path,
                               "SELECT count(*) FROM census_layer AS c WHERE dead <> (SELECT"
                               " coalesce(sum(CASE kind WHEN 'revived' THEN -1 ELSE 1 END), 0) FROM event"
                               " WHERE event.layer = c.layer AND event.census_step <= c.step)"),
                         0);
        run_remove(path);
    }
    relume_engine_destroy(engine);
}

static void test_ledger_off(void **state)
{
    (void)state;
    char path[128];
    relume_error error = {0};
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "off"));
    options.ledger_off = 1;
    relume_run *run = NULL;
    assert_ok(relume_run_train(engine, &options, &run, &error), error);
    assert_null(relume_run_get_census(run));
    assert_false(isnan(relume_run_get_result(run)->train.loss));
    relume_run_destroy(run);
    assert_int_equal(query(path, "SELECT count(*) FROM census"), 0);
    relume_engine_destroy(engine);
    run_remove(path);
}

/* ---- news ---- */

struct listener {
    uint64_t steps, epoch_ends;
    size_t dead_at_end;
};

static void listen(void *user, const relume_run_news *news)
{
    struct listener *listener = user;
    listener->steps++;
    assert_int_equal(news->progress.step, listener->steps);
    assert_int_equal(news->epoch_end != 0, news->progress.step % 3 == 0);
    listener->epoch_ends += news->epoch_end != 0;
    listener->dead_at_end = news->dead;
    assert_int_equal(news->hidden_units, 21);
}

static void test_news(void **state)
{
    (void)state;
    char path[128];
    relume_error error = {0};
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "news"));
    struct listener listener = {0};
    options.news = listen;
    options.user = &listener;
    relume_run *run = NULL;
    assert_ok(relume_run_train(engine, &options, &run, &error), error);
    assert_int_equal(listener.steps, 9);
    assert_int_equal(listener.epoch_ends, 3);
    assert_int_equal(listener.dead_at_end, relume_run_get_result(run)->total.dead_at_end);
    relume_run_destroy(run);
    relume_engine_destroy(engine);
    run_remove(path);
}

/* ---- early stopping ---- */

static void test_early_stop_keeps_the_best(void **state)
{
    (void)state;
    char path[128], file[200];
    relume_error error = {0};
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "early"));
    options.trainer.epochs = 50;
    options.trainer.learning_rate = 0.8;
    options.early_stop = 2;
    options.census = (relume_interval){RELUME_FINAL, 0};
    options.checkpoint = (relume_interval){RELUME_FINAL, 0};
    relume_run *run = NULL;
    assert_ok(relume_run_train(engine, &options, &run, &error), error);
    const relume_run_result *result = relume_run_get_result(run);
    assert_true(result->finished && result->epochs < 50 && result->best_epoch > 0);
    assert_int_equal(result->epochs, result->best_epoch + 2);
    assert_int_equal(query(path,
                           "SELECT best_epoch = (SELECT epoch FROM epoch WHERE epoch > 0 ORDER BY test_loss,"
                           " epoch LIMIT 1) FROM run"),
                     1);
    relume_score score;
    assert_ok(relume_network_evaluate(relume_run_get_network(run), relume_run_get_dataset(run),
                                      RELUME_SPLIT_TEST, &score, &error),
              error);
    assert_true(score.loss == result->test.loss);
    relume_network *best = NULL;
    (void)snprintf(file, sizeof file, "%s/checkpoints/step-%u.safetensors", path,
                   (unsigned)result->best_epoch * 3);
    assert_ok(relume_network_load(engine, file, &best, &error), error);
    assert_true(world_networks_equal(best, relume_run_get_network(run)));
    relume_census *census = NULL;
    assert_ok(
        relume_census_create(best, relume_run_get_dataset(run), RELUME_SPLIT_TRAIN, NULL, &census, &error),
        error);
    assert_ok(relume_census_count(census, &error), error);
    assert_int_equal(relume_census_get_dead(census), result->total.dead_at_end);
    assert_true(relume_census_get_loss(census) == result->train.loss);
    relume_census_destroy(census);
    relume_network_destroy(best);
    relume_run_destroy(run);
    relume_engine_destroy(engine);
    run_remove(path);
}

/* ---- divergence ---- */

static void test_divergence_is_recorded_and_repeats(void **state)
{
    (void)state;
    char path[128];
    relume_error error = {0}, again = {0};
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "diverge"));
    options.trainer.optimizer = RELUME_SGD;
    options.trainer.learning_rate = 1e18;
    relume_run *run = NULL;
    assert_status(relume_run_train(engine, &options, &run, &error), RELUME_DIVERGED);
    assert_non_null(run);
    assert_false(relume_run_get_result(run)->finished);
    assert_true(relume_run_get_result(run)->diverged);
    assert_true(strlen(error.item) > 0);
    relume_run_destroy(run);
    assert_true(has_checkpoint(path, 0));
    assert_int_equal(query(path, "SELECT status = 'diverged' AND message LIKE '%step%' FROM run"), 1);
    char *text = run_tell(path);
    options.resume = 1;
    run = NULL;
    assert_status(relume_run_train(engine, &options, &run, &again), RELUME_DIVERGED);
    assert_string_equal(error.message, again.message);
    relume_run_destroy(run);
    run_assert_tells(path, text, "a diverged run, resumed");
    rlm_free(text);
    run = NULL;
    assert_ok(relume_run_open(engine, path, &run, &error), error);
    relume_run_destroy(run);
    relume_engine_destroy(engine);
    run_remove(path);
}

/* A census finds what the update before it left, and says which update that was; nothing of it is entered. */
static void test_divergence_found_by_a_census_names_the_step(void **state)
{
    (void)state;
    char path[128];
    relume_error error = {0};
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "counted"));
    options.trainer.optimizer = RELUME_SGD;
    options.trainer.learning_rate = 1e30;
    options.census = (relume_interval){RELUME_EVERY_STEPS, 1};
    options.checkpoint = (relume_interval){RELUME_EVERY_STEPS, 1};
    relume_run *run = NULL;
    assert_status(relume_run_train(engine, &options, &run, &error), RELUME_DIVERGED);
    relume_run_destroy(run);
    assert_int_equal(strncmp(error.message, "after step 1 (epoch 1): counting: ", 34), 0);
    assert_non_null(strstr(error.message, error.item));
    assert_true(has_checkpoint(path, 0) && !has_checkpoint(path, 1));
    assert_int_equal(query(path, "SELECT count(*) FROM census"), 1);
    assert_int_equal(query(path, "SELECT count(*) FROM event WHERE kind <> 'born dead'"), 0);
    relume_engine_destroy(engine);
    run_remove(path);
}

/* ---- buffers ---- */

/* Counting and evaluating work in the buffers of the steps (rlm_trainer_lend), where units that are left out
 * of the steps are to hold 0: some are dead on the training split and fire on the other one. */
static void test_shared_buffers_change_nothing(void **state)
{
    (void)state;
    static const size_t hidden[] = {64, 48};
    relume_engine *engine = world_engine(NULL, 1, NULL);
    for (uint64_t seed = 1; seed <= check_rounds(3, 1); seed++) {
        char path[128];
        relume_run_options options = run_options(run_path(path, "shared"));
        options.data_options.holdout = 0.3;
        options.hidden = hidden;
        options.trainer.optimizer = RELUME_SGD;
        options.trainer.learning_rate = 0.8;
        options.trainer.batch_size = 128;
        options.trainer.epochs = 12;
        options.trainer.seed = seed;
        char *expected = run_undisturbed(engine, options);
        options.trainer.dense = 1;
        run_train(engine, &options, RELUME_OK);
        run_assert_tells(path, expected, "dead units left out, and not");
        rlm_free(expected);
        run_remove(path);
    }
    relume_engine_destroy(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_and_open),
        cmocka_unit_test(test_threads_and_levels_give_equal_bytes),
        cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_ledger_off),
        cmocka_unit_test(test_news),
        cmocka_unit_test(test_early_stop_keeps_the_best),
        cmocka_unit_test(test_divergence_is_recorded_and_repeats),
        cmocka_unit_test(test_divergence_found_by_a_census_names_the_step),
        cmocka_unit_test(test_shared_buffers_change_nothing),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
