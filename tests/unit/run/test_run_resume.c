/* A run that was stopped, killed or damaged and resumed must come to the same bytes as one left alone: model,
 * checkpoints and every row of its history but the machine's. */
#include "run_world.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

/* ---- stopping ---- */

struct stopper {
    uint64_t after; /* stop once this many steps were told of */
    volatile int stop;
};

static void stop_later(void *user, const relume_run_news *news)
{
    struct stopper *stopper = user;
    if (news->progress.step >= stopper->after)
        stopper->stop = 15;
}

/* Stops in the step after `after`, or before the first one. */
static void train_and_stop(relume_engine *engine, relume_run_options options, uint64_t after,
                           relume_status expected)
{
    struct stopper stopper = {.after = after, .stop = after == 0 ? 2 : 0};
    options.news = stop_later;
    options.user = &stopper;
    options.stop = &stopper.stop;
    run_train(engine, &options, expected);
}

static relume_run_options variant(const char *path, size_t number)
{
    relume_run_options options = run_options(path);
    switch (number) {
    case 1:
        options.census = (relume_interval){RELUME_EVERY_STEPS, 2};
        options.trainer.optimizer = RELUME_ADAM;
        options.trainer.learning_rate = 0.05;
        break;
    case 2:
        options.checkpoint = (relume_interval){RELUME_EVERY_STEPS, 4};
        options.census = (relume_interval){RELUME_FINAL, 0};
        options.trainer.optimizer = RELUME_SGD;
        options.trainer.learning_rate = 2;
        break;
    case 3:
        options.early_stop = 2;
        options.checkpoint = (relume_interval){RELUME_FINAL, 0};
        options.trainer.epochs = 12;
        options.trainer.learning_rate = 0.8;
        break;
    case 4:
        options.ledger_off = 1;
        options.early_stop = 3;
        break;
    default:
        break;
    }
    return options;
}

static void test_stop_at_every_step(void **state)
{
    (void)state;
    char path[128], what[80];
    relume_engine *engine = world_engine(NULL, 1, NULL);
    for (size_t v = 0; v < 5; v++) {
        relume_run_options options = variant(run_path(path, "stop"), v);
        char *expected = run_undisturbed(engine, options);
        for (uint64_t after = 0; after < (v == 3 ? 36 : 9); after += check_rounds(1, 3)) {
            options.resume = 0;
            struct stopper stopper = {.after = after, .stop = after == 0 ? 2 : 0};
            options.news = stop_later;
            options.user = &stopper;
            options.stop = &stopper.stop;
            relume_run *run = NULL;
            relume_error error = {0};
            relume_status status = relume_run_train(engine, &options, &run, &error);
            relume_run_destroy(run);
            if (status != RELUME_INTERRUPTED) { /* early stopping or the end came first */
                assert_int_equal(status, RELUME_OK);
                run_remove(path);
                continue;
            }
            options.stop = NULL;
            options.resume = 1;
            run_train(engine, &options, RELUME_OK);
            (void)snprintf(what, sizeof what, "variant %zu, stopped after step %u", v, (unsigned)after);
            run_assert_tells(path, expected, what);
            run_remove(path);
        }
        rlm_free(expected);
    }
    relume_engine_destroy(engine);
}

/* Stopped again and again, one step at a time, on other thread counts each time; resume also begins the run.
 */
static void test_one_step_a_call(void **state)
{
    (void)state;
    char path[128];
    relume_engine *one = world_engine("ref", 1, NULL), *three = world_engine(NULL, 3, NULL);
    relume_run_options options = variant(run_path(path, "crawl"), 1);
    options.resume = 1;
    char *expected = run_undisturbed(one, options);
    for (uint64_t step = 0; step < 9; step++)
        train_and_stop(step % 2 ? one : three, options, step, RELUME_INTERRUPTED);
    run_train(one, &options, RELUME_OK);
    run_assert_tells(path, expected, "one step a call");
    rlm_free(expected);
    relume_engine_destroy(one);
    relume_engine_destroy(three);
    run_remove(path);
}

static void test_interrupted_run_tells_how_far_it_is(void **state)
{
    (void)state;
    char path[128];
    relume_error error = {0};
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "half"));
    train_and_stop(engine, options, 4, RELUME_INTERRUPTED);
    relume_run *run = NULL;
    assert_ok(relume_run_open(engine, path, &run, &error), error);
    const relume_run_result *result = relume_run_get_result(run);
    assert_false(result->finished);
    assert_int_equal(result->steps, 5);
    assert_int_equal(result->epochs, 1);
    assert_null(relume_run_get_census(run)); /* none was held after 5 steps */
    relume_run_destroy(run);
    relume_engine_destroy(engine);
    run_remove(path);
}

/* ---- being killed ---- */

/* Trains in a child, which is killed after `microseconds`. Returns whether it had ended before. */
static bool train_and_kill(relume_run_options options, unsigned microseconds)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        relume_engine *engine = world_engine(NULL, 1, NULL);
        relume_run *run = NULL;
        relume_status status = relume_run_train(engine, &options, &run, NULL);
        _exit(status == RELUME_OK ? 0 : 1);
    }
    struct timespec pause = {0, (long)microseconds * 1000};
    (void)nanosleep(&pause, NULL);
    (void)kill(child, SIGKILL);
    int outcome = 0;
    assert_int_equal(waitpid(child, &outcome, 0), child);
    assert_true(WIFSIGNALED(outcome) || WEXITSTATUS(outcome) == 0);
    return WIFEXITED(outcome);
}

static void test_killed_at_random_moments(void **state)
{
    (void)state;
    char path[128], what[80];
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = variant(run_path(path, "killed"), 1);
    options.resume = 1;
    char *expected = run_undisturbed(engine, options);
    struct rlm_rng rng = {11, RLM_RNG_TEST, 0};
    unsigned kills = 0;
    for (unsigned trial = 0; trial < check_rounds(15, 5); trial++) {
        for (unsigned attempt = 0; attempt < 3; attempt++) /* killed up to three times in one run */
            if (train_and_kill(options, 1000 + (unsigned)rlm_rng_below(&rng, 3 * trial + attempt, 12000)))
                break;
            else
                kills++;
        run_train(engine, &options, RELUME_OK);
        (void)snprintf(what, sizeof what, "seed 11, trial %u", trial);
        run_assert_tells(path, expected, what);
        run_remove(path);
    }
    print_message("# killed %u times\n", kills);
    rlm_free(expected);
    relume_engine_destroy(engine);
}

/* ---- one writer ---- */

struct holder {
    int told, wait; /* ends of pipes */
};

static void hold(void *user, const relume_run_news *news)
{
    struct holder *holder = user;
    char byte = 1;
    if (news->progress.step == 4) {
        (void)!write(holder->told, &byte, 1);
        (void)!read(holder->wait, &byte, 1);
    }
}

static void test_a_second_writer_is_refused(void **state)
{
    (void)state;
    char path[128], number[32], byte;
    int told[2] = {-1, -1}, wait[2] = {-1, -1};
    relume_error error = {0};
    assert_int_equal(pipe(told), 0);
    assert_int_equal(pipe(wait), 0);
    relume_run_options options = run_options(run_path(path, "locked"));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct holder holder = {told[1], wait[0]};
        options.news = hold;
        options.user = &holder;
        relume_engine *engine = world_engine(NULL, 1, NULL);
        relume_run *run = NULL;
        _exit(relume_run_train(engine, &options, &run, NULL) == RELUME_OK ? 0 : 1);
    }
    assert_int_equal(read(told[0], &byte, 1), 1);
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run *run = NULL;
    options.resume = 1;
    assert_status(relume_run_train(engine, &options, &run, &error), RELUME_LOCKED);
    (void)snprintf(number, sizeof number, "process %ld ", (long)child);
    assert_non_null(strstr(error.message, number));
    assert_ok(relume_run_open(engine, path, &run, &error), error); /* a reader is welcome */
    assert_int_equal(relume_run_get_result(run)->steps, 3);
    relume_run_destroy(run);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    run_train(engine, &options, RELUME_OK); /* the lock went with the process */
    for (int i = 0; i < 2; i++) {
        (void)close(told[i]);
        (void)close(wait[i]);
    }
    relume_engine_destroy(engine);
    run_remove(path);
}

static void train_inside(void *user, const relume_run_news *news)
{
    relume_engine *engine = user;
    char path[128];
    relume_run_options options = run_options(run_path(path, "inside"));
    options.resume = 1;
    if (news->progress.step == 2)
        run_train(engine, &options, RELUME_LOCKED);
}

static void test_a_second_writer_of_the_same_process_is_refused(void **state)
{
    (void)state;
    char path[128];
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "inside"));
    options.news = train_inside;
    options.user = engine;
    run_train(engine, &options, RELUME_OK);
    relume_engine_destroy(engine);
    run_remove(path);
}

/* ---- damage ---- */

static void test_a_damaged_checkpoint_is_passed_over(void **state)
{
    (void)state;
    char path[128], file[200];
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "damaged"));
    char *expected = run_undisturbed(engine, options);
    train_and_stop(engine, options, 6, RELUME_INTERRUPTED); /* checkpoints 0, 3, 6 and 7 */
    for (unsigned step = 6; step <= 7; step++) {
        (void)snprintf(file, sizeof file, "%s/checkpoints/step-%u.safetensors", path, step);
        assert_int_equal(truncate(file, 3000), 0);
    }
    (void)snprintf(file, sizeof file, "%s/checkpoints/step-9.safetensors.tmp-1", path);
    FILE *left = fopen(file, "w");
    assert_non_null(left);
    (void)fclose(left);
    options.resume = 1;
    run_train(engine, &options, RELUME_OK);
    run_assert_tells(path, expected, "resumed from an older checkpoint");
    rlm_free(expected);
    relume_engine_destroy(engine);
    run_remove(path);
}

static void test_a_lost_model_is_written_again(void **state)
{
    (void)state;
    char path[128], file[200];
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = variant(run_path(path, "lost"), 3);
    run_train(engine, &options, RELUME_OK);
    char *expected = run_tell(path);
    (void)snprintf(file, sizeof file, "%s/model.safetensors", path);
    assert_int_equal(remove(file), 0);
    options.resume = 1;
    run_train(engine, &options, RELUME_OK);
    run_assert_tells(path, expected, "the model was removed");
    rlm_free(expected);
    relume_engine_destroy(engine);
    run_remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stop_at_every_step),
        cmocka_unit_test(test_one_step_a_call),
        cmocka_unit_test(test_interrupted_run_tells_how_far_it_is),
        cmocka_unit_test(test_killed_at_random_moments),
        cmocka_unit_test(test_a_second_writer_is_refused),
        cmocka_unit_test(test_a_second_writer_of_the_same_process_is_refused),
        cmocka_unit_test(test_a_damaged_checkpoint_is_passed_over),
        cmocka_unit_test(test_a_lost_model_is_written_again),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
