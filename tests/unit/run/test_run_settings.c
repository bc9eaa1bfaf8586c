/* What a run is told: settings that are kept and compared when it is resumed, data that changed or moved, a
 * model to start from, and beginnings that fail. */
#include "run_world.h"

#include <math.h>

static void test_options_are_remembered(void **state)
{
    (void)state;
    char path[128];
    relume_error error = {0};
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "options"));
    const relume_schedule_point points[] = {{1, 0.1}, {5, 1e-300}};
    options.trainer.schedule = RELUME_SCHEDULE_POINTS;
    options.trainer.points = points;
    options.trainer.point_count = 2;
    options.trainer.optimizer = RELUME_ADAMW;
    options.trainer.weight_decay = 1.0 / 3;
    options.census = (relume_interval){RELUME_EVERY_STEPS, 4};
    options.checkpoint = (relume_interval){RELUME_FINAL, 0};
    options.trainer.seed = UINT64_MAX;
    run_train(engine, &options, RELUME_OK);
    relume_run *run = NULL;
    assert_ok(relume_run_open(engine, path, &run, &error), error);
    const relume_run_options *read = relume_run_get_options(run);
    assert_string_equal(read->data, "digits");
    assert_true(read->data_options.holdout == 0.2);
    assert_int_equal(read->hidden_layers, 2);
    assert_int_equal(read->hidden[1], 9);
    assert_int_equal(read->loss, RELUME_LOSS_SOFTMAX);
    assert_int_equal(read->trainer.optimizer, RELUME_ADAMW);
    assert_true(read->trainer.weight_decay == 1.0 / 3);
    assert_int_equal(read->trainer.point_count, 2);
    assert_true(read->trainer.points[1].step == 5 && read->trainer.points[1].learning_rate == 1e-300);
    assert_true(read->census.kind == RELUME_EVERY_STEPS && read->census.steps == 4);
    assert_true(read->checkpoint.kind == RELUME_FINAL);
    assert_true(read->trainer.seed == UINT64_MAX);
    assert_string_equal(relume_run_get_setting(run, "learning_rate"), "0.5");
    assert_null(relume_run_get_setting(run, "no such"));
    relume_run_destroy(run);
    relume_engine_destroy(engine);
    run_remove(path);
}

static void test_mismatch_names_the_setting(void **state)
{
    (void)state;
    char path[128];
    relume_error error = {0};
    relume_run *run = NULL;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "mismatch"));
    run_train(engine, &options, RELUME_OK);
    char *text = run_tell(path);
    options.resume = 1;
    options.trainer.learning_rate = 0.25;
    assert_status(relume_run_train(engine, &options, &run, &error), RELUME_MISMATCH);
    assert_string_equal(error.item, "learning_rate");
    assert_non_null(strstr(error.message, "learning_rate was 0.5, now 0.25"));
    options = run_options(path);
    options.resume = 1;
    options.hidden_layers = 1;
    assert_status(relume_run_train(engine, &options, &run, &error), RELUME_MISMATCH);
    assert_non_null(strstr(error.message, "hidden was 12,9, now 12"));
    options = run_options(path);
    options.resume = 1;
    options.data_options.seed = 1;
    assert_status(relume_run_train(engine, &options, &run, &error), RELUME_MISMATCH);
    assert_string_equal(error.item, "data_seed");
    options = run_options(path);
    options.resume = 1;
    options.data_options.holdout = 0.25; /* which changes the fingerprint: the cause is named, not that */
    assert_status(relume_run_train(engine, &options, &run, &error), RELUME_MISMATCH);
    assert_string_equal(error.item, "holdout");
    options = run_options(path);
    options.resume = 1;
    options.data_options.standardize = 1;
    assert_status(relume_run_train(engine, &options, &run, &error), RELUME_MISMATCH);
    assert_string_equal(error.item, "standardize");
    run_assert_tells(path, text, "a run after refusals");
    options = run_options(path);
    options.resume = 1;
    assert_ok(relume_run_train(engine, &options, &run, &error), error);
    assert_true(relume_run_get_result(run)->was_finished && relume_run_get_result(run)->finished);
    assert_non_null(relume_run_get_census(run));
    relume_run_destroy(run);
    run_assert_tells(path, text, "a finished run, resumed");
    rlm_free(text);
    relume_engine_destroy(engine);
    run_remove(path);
}

static void test_changed_data_are_refused(void **state)
{
    (void)state;
    char path[128], file[128];
    relume_error error = {0};
    relume_run *run = NULL;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "changed"));
    options.data = run_path(file, "data.csv");
    options.data_options.target = "y";
    options.data_options.holdout = 0;
    run_write(file, "a,b,y\n1,2,0\n3,4,1\n5,6,0\n7,8,1\n");
    run_train(engine, &options, RELUME_OK);
    assert_ok(relume_run_open(engine, path, &run, &error), error);
    run_write(file, "a,b,y\n1,2,0\n3,4,1\n5,6,0\n7,9,1\n");
    assert_status(relume_run_load_dataset(run, &error), RELUME_MISMATCH);
    relume_run_destroy(run);
    options.resume = 1;
    run_train(engine, &options, RELUME_MISMATCH);
    relume_engine_destroy(engine);
    run_remove(path);
}

/* Resumed with the same data at another place, a run that has ended remembers that place. */
static void test_moved_data_are_found_again(void **state)
{
    (void)state;
    char path[128], file[128], other[128];
    relume_error error = {0};
    relume_run *run = NULL;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "moved"));
    options.data = run_path(file, "here.csv");
    options.data_options.target = "y";
    options.data_options.holdout = 0;
    run_write(file, "a,b,y\n1,2,0\n3,4,1\n5,6,0\n7,8,1\n");
    run_train(engine, &options, RELUME_OK);
    assert_int_equal(rename(file, run_path(other, "there.csv")), 0);
    assert_ok(relume_run_open(engine, path, &run, &error), error);
    assert_status(relume_run_load_dataset(run, &error), RELUME_NOT_FOUND);
    assert_non_null(strstr(error.message, "not there any more"));
    relume_run_destroy(run);
    run = NULL;
    options.data = other;
    options.resume = 1;
    run_train(engine, &options, RELUME_OK);
    assert_ok(relume_run_open(engine, path, &run, &error), error);
    assert_ok(relume_run_load_dataset(run, &error), error);
    assert_string_equal(relume_run_get_setting(run, "data"), other);
    relume_run_destroy(run);
    relume_engine_destroy(engine);
    run_remove(path);
}

static void test_a_start_that_fails_leaves_nothing(void **state)
{
    (void)state;
    char path[128];
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "nothing"));
    options.trainer.learning_rate = -1;
    run_train(engine, &options, RELUME_USAGE);
    options = run_options(path);
    options.data = "/nonexistent/data.csv";
    run_train(engine, &options, RELUME_NOT_FOUND);
    options = run_options(path);
    options.census = (relume_interval){RELUME_EVERY_STEPS, 0};
    run_train(engine, &options, RELUME_USAGE);
    options = run_options(path);
    options.nearly_dead = (double)NAN;
    run_train(engine, &options, RELUME_USAGE);
    options = run_options(path);
    options.path = "";
    run_train(engine, &options, RELUME_USAGE);
    assert_int_not_equal(access(path, F_OK), 0);
    options = run_options("/nonexistent/folder/run");
    run_train(engine, &options, RELUME_NOT_FOUND);
    relume_engine_destroy(engine);
}

static void test_init_from(void **state)
{
    (void)state;
    char path[128], from[128], model[160];
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(from, "from"));
    run_train(engine, &options, RELUME_OK);
    (void)snprintf(model, sizeof model, "%s/model.safetensors", from);
    options = run_options(run_path(path, "on"));
    options.init_from = model;
    options.trainer.epochs = 1;
    run_train(engine, &options, RELUME_OK);
    run_remove(path);
    options.hidden_layers = 1;
    run_train(engine, &options, RELUME_MISMATCH);
    options.hidden_layers = 0;
    options.init_from = from; /* the run stands for its model */
    run_train(engine, &options, RELUME_OK);
    relume_network *start = NULL, *given = NULL;
    relume_error error = {0};
    char file[200];
    (void)snprintf(file, sizeof file, "%s/checkpoints/step-0.safetensors", path);
    assert_ok(relume_network_load(engine, file, &start, &error), error);
    assert_ok(relume_network_load(engine, model, &given, &error), error);
    assert_true(world_networks_equal(start, given));
    relume_network_destroy(start);
    relume_network_destroy(given);
    relume_engine_destroy(engine);
    run_remove(path);
    run_remove(from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_are_remembered),
        cmocka_unit_test(test_mismatch_names_the_setting),
        cmocka_unit_test(test_changed_data_are_refused),
        cmocka_unit_test(test_moved_data_are_found_again),
        cmocka_unit_test(test_a_start_that_fails_leaves_nothing),
        cmocka_unit_test(test_init_from),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
