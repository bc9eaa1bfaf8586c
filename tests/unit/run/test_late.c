/* A run trained without a census says that nothing was counted, and counted late it tells what the same
 * training tells that counted at its start and its end: every unit, event and share, and the autopsy. */
#include "run_world.h"

static relume_run_options options_with(const char *path, int census)
{
    relume_run_options options = run_options(path);
    options.trainer.learning_rate = 3.0; /* many units die, some return */
    options.census.kind = census;
    return options;
}

/* Trains, and opens the run from its directory. */
static relume_run *trained(relume_engine *engine, const relume_run_options *options)
{
    relume_run *run = NULL;
    relume_error error = {0};
    run_train(engine, options, RELUME_OK);
    assert_ok(relume_run_open(engine, options->path, &run, &error), error);
    return run;
}

static void count(relume_run *run)
{
    relume_error error = {0};
    assert_ok(relume_run_count(run, NULL, &error), error);
    assert_true(relume_run_is_counted(run));
}

static void assert_same_events(const relume_run *a, const relume_run *b)
{
    size_t count_a, count_b;
    const relume_event *x = relume_run_get_events(a, &count_a), *y = relume_run_get_events(b, &count_b);
    assert_int_equal(count_a, count_b);
    for (size_t i = 0; i < count_a; i++)
        assert_true(x[i].layer == y[i].layer && x[i].unit == y[i].unit && x[i].kind == y[i].kind &&
                    x[i].after_step == y[i].after_step && x[i].step == y[i].step &&
                    !x[i].exact == !y[i].exact);
}

static void assert_same_layers(const relume_run *a, const relume_run *b)
{
    for (size_t l = 0; l < 2; l++) {
        relume_run_layer x = relume_run_get_layer(a, l), y = relume_run_get_layer(b, l);
        relume_layer_account p = relume_census_get_layer(relume_run_get_census(a), l),
                             q = relume_census_get_layer(relume_run_get_census(b), l);
        double share[2][8];
        size_t epochs = relume_run_get_dead_share(a, l, share[0], 8);
        assert_int_equal(relume_run_get_dead_share(b, l, share[1], 8), epochs);
        assert_memory_equal(share[0], share[1], epochs * sizeof share[0][0]);
        assert_memory_equal(&x, &y, sizeof x);
        assert_true(p.dead == q.dead && p.nearly_dead == q.nearly_dead && p.always_on == q.always_on &&
                    p.mute == q.mute);
        assert_memory_equal(p.unit, q.unit, p.units * sizeof *p.unit);
    }
}

static void assert_same_autopsies(relume_run *a, relume_run *b)
{
    relume_autopsy *x = NULL, *y = NULL;
    relume_error error = {0};
    relume_autopsy_options options;
    relume_autopsy_options_default(&options);
    options.all = 1;
    assert_ok(relume_autopsy_hold(a, &options, &x, &error), error);
    assert_ok(relume_autopsy_hold(b, &options, &y, &error), error);
    assert_int_equal(x->deaths, y->deaths);
    assert_int_equal(x->as_of, y->as_of);
    assert_int_equal(x->steps_repeated, y->steps_repeated);
    for (size_t i = 0; i < x->deaths; i++) {
        const relume_death *p = &x->death[i], *q = &y->death[i];
        assert_true(p->layer == q->layer && p->unit == q->unit && p->step == q->step &&
                    p->causes == q->causes && p->returned == q->returned && !p->drift == !q->drift &&
                    p->drift_from == q->drift_from && p->fired_before == q->fired_before &&
                    p->margin_after == q->margin_after);
        assert_string_equal(p->prognosis.because, q->prognosis.because);
    }
    relume_autopsy_destroy(x);
    relume_autopsy_destroy(y);
}

static void test_counted_late_is_counted(void **state)
{
    (void)state;
    static const relume_optimizer optimizers[] = {RELUME_SGD, RELUME_MOMENTUM, RELUME_ADAM};
    relume_engine *engine = world_engine(NULL, 2, NULL);
    size_t events = 0;
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++) {
        char path[2][128];
        relume_run_options off = options_with(run_path(path[0], "off"), RELUME_OFF),
                           final = options_with(run_path(path[1], "final"), RELUME_FINAL);
        off.trainer.optimizer = final.trainer.optimizer = optimizers[i];
        off.trainer.epochs = final.trainer.epochs = 6;
        if (optimizers[i] == RELUME_ADAM)
            off.trainer.learning_rate = final.trainer.learning_rate = 0.1;
        relume_run *late = trained(engine, &off), *early = trained(engine, &final);
        const relume_run_result *x = relume_run_get_result(late), *y = relume_run_get_result(early);
        assert_false(relume_run_is_counted(late));
        assert_true(relume_run_is_counted(early));
        count(late);
        size_t some;
        (void)relume_run_get_events(late, &some);
        events += some;
        assert_memory_equal(&x->total, &y->total, sizeof x->total);
        assert_memory_equal(&x->train, &y->train, sizeof x->train);
        assert_same_events(late, early);
        assert_same_layers(late, early);
        assert_same_autopsies(late, early);
        relume_run_destroy(late);
        relume_run_destroy(early);
        run_remove(path[0]);
        run_remove(path[1]);
    }
    assert_true(events > 40);
    relume_engine_destroy(engine);
}

/* Nothing is claimed, and counting writes nothing. */
static void test_nothing_is_counted_before(void **state)
{
    (void)state;
    char path[128];
    size_t events;
    relume_error error = {0};
    relume_run *run = NULL;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = options_with(run_path(path, "before"), RELUME_OFF);
    options.early_stop = 2; /* which asks for scores, not for counts */
    assert_ok(relume_run_train(engine, &options, &run, &error), error);
    char *text = run_tell(path);
    assert_null(strstr(text, "\ncensus") || strstr(text, "\nevent") ? text : NULL);
    for (int opened = 0; opened < 2; opened++) {
        assert_false(relume_run_is_counted(run));
        assert_null(relume_run_get_census(run));
        assert_null(relume_run_get_last_census(run));
        (void)relume_run_get_events(run, &events);
        assert_int_equal(events, 0);
        assert_int_equal(relume_run_get_dead_share(run, 0, NULL, 0), 0);
        count(run);
        count(run);
        (void)relume_run_get_events(run, &events);
        assert_true(events > 0 && relume_run_get_census(run) != NULL);
        assert_int_equal(relume_run_get_dead_share(run, 0, NULL, 0), relume_run_get_result(run)->epochs + 1);
        relume_run_destroy(run);
        assert_ok(relume_run_open(engine, path, &run, &error), error);
    }
    relume_run_destroy(run);
    run_assert_tells(path, text, "a run that was counted late");
    rlm_free(text);
    relume_engine_destroy(engine);
    run_remove(path);
}

static volatile int stop_number;

static void stop_at(void *user, const relume_run_news *news)
{
    const uint64_t *step = user;
    stop_number = news->progress.step == *step ? 15 : stop_number;
}

/* Stopped and resumed it is the run it would have been, and what it has come to can be counted meanwhile. */
static void test_stopped_and_resumed(void **state)
{
    (void)state;
    char path[128];
    uint64_t step = 4;
    relume_run *run = NULL;
    relume_error error = {0};
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = options_with(run_path(path, "stopped"), RELUME_OFF);
    char *text = run_undisturbed(engine, options);
    options.news = stop_at;
    options.user = &step;
    options.stop = &stop_number;
    run_train(engine, &options, RELUME_INTERRUPTED);
    assert_ok(relume_run_open(engine, path, &run, &error), error);
    count(run);
    assert_int_equal(relume_run_get_result(run)->steps, 5); /* the update after the news is made, and saved */
    assert_int_equal(relume_census_get_dead(relume_run_get_census(run)),
                     relume_run_get_result(run)->total.dead_at_end);
    relume_run_destroy(run);
    stop_number = 0;
    options.news = NULL;
    options.resume = 1;
    run_train(engine, &options, RELUME_OK);
    run_assert_tells(path, text, "without a census, stopped and resumed");
    options.census.kind = RELUME_FINAL;
    run_train(engine, &options, RELUME_MISMATCH);
    rlm_free(text);
    relume_engine_destroy(engine);
    run_remove(path);
}

static void remove_file(const char *path, const char *name)
{
    char file[200];
    (void)snprintf(file, sizeof file, "%s/%s", path, name);
    assert_int_equal(unlink(file), 0);
}

static void test_refusals(void **state)
{
    (void)state;
    char path[128];
    int stop = 15;
    relume_error error = {0};
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = options_with(run_path(path, "refused"), RELUME_EVERY_EPOCH);
    options.checkpoint.kind = RELUME_OFF;
    run_train(engine, &options, RELUME_USAGE);
    options = options_with(path, RELUME_OFF);
    relume_run *run = trained(engine, &options);
    assert_status(relume_run_count(run, &stop, &error), RELUME_INTERRUPTED);
    assert_false(relume_run_is_counted(run));
    stop = 0;
    assert_ok(relume_run_count(run, &stop, &error), error);
    relume_run_destroy(run);
    remove_file(path, "checkpoints/step-9.safetensors");
    assert_ok(relume_run_open(engine, path, &run, &error), error);
    assert_status(relume_run_count(run, NULL, &error), RELUME_NOT_FOUND);
    assert_non_null(strstr(error.message, "lacks the checkpoint of step 9"));
    remove_file(path, "checkpoints/step-0.safetensors");
    assert_status(relume_run_count(run, NULL, &error), RELUME_NOT_FOUND);
    relume_run_destroy(run);
    relume_engine_destroy(engine);
    run_remove(path);
}

/* Every block refused in turn: NO_MEMORY, nothing is left behind, and the run still answers and can be
 * counted. */
static void test_each_block_refused(void **state)
{
    (void)state;
    char path[128];
    static struct world_memory memory;
    relume_error error = {0};
    relume_engine *engine = world_engine(NULL, 1, &memory);
    relume_run_options options = options_with(run_path(path, "blocks"), RELUME_OFF);
    relume_run *run = trained(engine, &options);
    assert_ok(relume_run_load_dataset(run, &error), error);
    size_t call = 1, held = memory.held;
    relume_status status;
    do {
        memory.calls = 0;
        memory.refuse_from = call++;
        memory.refuse_once = true;
        status = relume_run_count(run, NULL, &error);
        memory.refuse_from = 0;
        if (status == RELUME_OK)
            break;
        assert_status(status, RELUME_NO_MEMORY);
        assert_false(relume_run_is_counted(run));
        assert_int_equal(relume_run_get_result(run)->total.born_dead, 0);
        assert_int_equal(memory.held, held);
    } while (call < 1000);
    assert_int_equal(status, RELUME_OK);
    assert_true(call > 10 && relume_run_get_census(run));
    print_message("# %zu blocks\n", call - 2);
    relume_run_destroy(run);
    relume_engine_destroy(engine);
    assert_int_equal(memory.held, 0);
    run_remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counted_late_is_counted), cmocka_unit_test(test_nothing_is_counted_before),
        cmocka_unit_test(test_stopped_and_resumed),     cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_each_block_refused),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
