/* What a docket takes from a census at a checkpoint: the dead are those that it found at these very weights,
 * and none where it was held at others. */
#include "run_world.h"

#include "run/autopsy.h"

static const size_t wide[] = {48, 48};

/* A run of many checkpoints, few of which a census was held at. */
static relume_run *train(relume_engine *engine)
{
    char path[128];
    relume_error error = {0};
    relume_run *run = NULL;
    relume_run_options options = run_options(run_path(path, "docket"));
    options.trainer.optimizer = RELUME_ADAM;
    options.trainer.learning_rate = 0.05;
    options.trainer.batch_size = 100;
    options.trainer.epochs = 4;
    options.hidden = wide;
    options.census = (relume_interval){.kind = RELUME_EVERY_STEPS, .steps = 6};
    options.checkpoint = (relume_interval){.kind = RELUME_EVERY_STEPS, .steps = 4};
    run_train(engine, &options, RELUME_OK);
    assert_ok(relume_run_open(engine, options.path, &run, &error), error);
    assert_ok(relume_run_load_dataset(run, &error), error);
    return run;
}

/* Units of the first layer that no training sample opens at a checkpoint. */
static void count_dead(relume_run *run, uint64_t step, uint8_t *dead)
{
    relume_error error = {0};
    relume_network *network = NULL;
    relume_census *census = NULL;
    assert_ok(relume_network_load(run->engine, rlm_paths_checkpoint(&run->paths, step), &network, &error),
              error);
    assert_ok(relume_census_create(network, run->dataset, RELUME_SPLIT_TRAIN, NULL, &census, &error), error);
    assert_ok(relume_census_count(census, &error), error);
    relume_layer_account layer = relume_census_get_layer(census, 0);
    for (size_t u = 0; u < wide[0]; u++)
        dead[u] = layer.unit[u].active == 0;
    relume_census_destroy(census);
    relume_network_destroy(network);
}

static void check_checkpoint(const struct rlm_docket *docket, size_t index, size_t *counted, size_t *listed)
{
    uint8_t told[48], truth[48];
    uint64_t step = docket->checkpoint[index];
    rlm_docket_list_dead(docket, step, told);
    count_dead(docket->run, step, truth);
    for (size_t u = 0; u < wide[0]; u++) {
        assert_int_equal(told[u], docket->counted[index] && truth[u]);
        *listed += told[u];
    }
    *counted += docket->counted[index];
}

static void test_dead_at_checkpoints(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 2, NULL);
    relume_run *run = train(engine);
    relume_error error = {0};
    struct rlm_history history = {0};
    relume_autopsy_options options;
    relume_autopsy_options_default(&options);
    assert_ok(rlm_history_open(&history, run->paths.history, false, &error), error);
    struct rlm_target none;
    struct rlm_docket docket = {.run = run,
                                .history = &history,
                                .options = &options,
                                .target = &none,
                                .layers = 1,
                                .as_of = run->result.steps};
    assert_ok(rlm_docket_clear(&docket, &error), error);
    size_t counted = 0, listed = 0;
    for (size_t i = 0; i < docket.checkpoints; i++)
        check_checkpoint(&docket, i, &counted, &listed);
    assert_true(counted >= 3 && counted < docket.checkpoints && listed > 0);
    rlm_docket_deinit(&docket);
    rlm_history_close(&history);
    relume_run_destroy(run);
    relume_engine_destroy(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dead_at_checkpoints)};
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
