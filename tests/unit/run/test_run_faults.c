/* A system that refuses: no room on the disk, no memory. The run fails with the right words, what was there
 * stays whole, and resuming when there is room again comes to the same bytes. */
#include "run_world.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* Resumes in a child in which no file may grow beyond `limit` bytes. Returns the status it ended with. */
static relume_status train_with_limit(relume_run_options options, rlim_t limit)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        relume_engine *engine = world_engine(NULL, 1, NULL);
        struct rlimit size = {limit, limit};
        (void)signal(SIGXFSZ, SIG_IGN); /* then write() says EFBIG, as it says ENOSPC on a full disk */
        if (setrlimit(RLIMIT_FSIZE, &size) != 0)
            _exit(100);
        relume_run *run = NULL;
        relume_error error = {0};
        relume_status status = relume_run_train(engine, &options, &run, &error);
        bool told = status == RELUME_OK || strlen(error.message) > 0;
        _exit(told ? (int)status : 101);
    }
    int outcome = 0;
    assert_int_equal(waitpid(child, &outcome, 0), child);
    assert_true(WIFEXITED(outcome));
    return (relume_status)WEXITSTATUS(outcome);
}

static void stop_at_four(void *user, const relume_run_news *news)
{
    if (news->progress.step == 4)
        *(volatile int *)user = 2;
}

static void test_disk_full(void **state)
{
    (void)state;
    char path[128], what[80];
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "full"));
    char *expected = run_undisturbed(engine, options);
    unsigned refused = 0;
    for (rlim_t limit = 0; limit < 120000; limit = limit * 3 / 2 + 500)
        for (int begun = 0; begun < 2; begun++) {
            volatile int stop = 0;
            options = run_options(path);
            options.news = stop_at_four;
            options.user = (void *)&stop;
            options.stop = &stop;
            if (begun)
                run_train(engine, &options, RELUME_INTERRUPTED);
            options = run_options(path);
            options.resume = 1;
            relume_status status = train_with_limit(options, limit);
            if (status != RELUME_OK && status != RELUME_IO)
                fail_msg("limit %lu: %s", (unsigned long)limit, relume_status_name(status));
            refused += status == RELUME_IO;
            run_train(engine, &options, RELUME_OK);
            (void)snprintf(what, sizeof what, "after a limit of %lu bytes", (unsigned long)limit);
            run_assert_tells(path, expected, what);
            run_remove(path);
        }
    assert_true(refused > 10);
    print_message("# refused %u times\n", refused);
    rlm_free(expected);
    relume_engine_destroy(engine);
}

/* Every allocation fails in turn, alone and with all after it. A sample of them here: each is a whole run. */
static void test_no_memory(void **state)
{
    (void)state;
    char path[128];
    relume_engine *calm = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "memory"));
    options.trainer.epochs = 1;
    char *expected = run_undisturbed(calm, options);
    options.resume = 1;
    bool done = false;
    for (size_t call = 2; !done; call += 1 + call / 10) {
        struct world_memory memory = {0};
        relume_engine *engine = world_engine(NULL, 1, &memory);
        memory.refuse_from = memory.calls + call;
        memory.refuse_once = call % 2 == 0;
        relume_run *run = NULL;
        relume_error error = {0};
        relume_status status = relume_run_train(engine, &options, &run, &error);
        done = memory.calls < memory.refuse_from;
        assert_int_equal(status == RELUME_OK, run != NULL);
        if (status != RELUME_OK && status != RELUME_NO_MEMORY)
            fail_msg("allocation %zu: %s: %s", call, relume_status_name(status), error.message);
        relume_run_destroy(run);
        memory.refuse_from = 0;
        relume_engine_destroy(engine);
        assert_int_equal(memory.held, 0);
        run_train(calm, &options, RELUME_OK);
        run_assert_tells(path, expected, "after an allocation was refused");
        run_remove(path);
    }
    rlm_free(expected);
    relume_engine_destroy(calm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
