/* Every file call of a training run failed in turn (EIO, ENOSPC, EDQUOT, an interrupted call, a short write),
 * once and from there on: the right message and exit status, what was there is whole, and resuming comes to
 * the bytes of an undisturbed run.
 *
 * The short version fails a sample of the calls, RELUME_LONG=1 every one. */
#include "run_world.h"

#include <errno.h>

#include "command.h"

static struct command_outcome outcome;
static char path[128], line[512];

static const char *train(const char *more)
{
    (void)snprintf(line, sizeof line,
                   "train digits --hidden 12,9 --epochs 2 --batch 500 --lr 0.5 --checkpoint 2 --census 2 "
                   "--threads 1 --seed 3 -o %s %s",
                   path, more);
    return line;
}

/* The system's words, or SQLite's for the same thing, and the place. */
static bool says_why(int number, const char *said)
{
    static const char *const sqlite[] = {"disk I/O error", "database or disk is full",
                                         "unable to open database file", "readonly"};
    bool why = strstr(said, strerror(number)) != NULL;
    for (size_t i = 0; i < sizeof sqlite / sizeof *sqlite; i++)
        why = why || strstr(said, sqlite[i]);
    return why && strstr(said, path) && strstr(said, "IO: ");
}

struct tally {
    size_t calls, failures, refused;
};

static void fail_one(size_t call, int number, bool after, const char *expected, struct tally *tally)
{
    char what[160];
    struct layer armed = {.folder = path, .fail_at = call, .fail_errno = number, .fail_after = after};
    run_remove(path);
    command_run(train("--resume"), &armed, &outcome);
    (void)snprintf(what, sizeof what, "call %zu, %s%s", call,
                   number == LAYER_SHORT ? "short" : strerror(number), after ? " from there on" : "");
    if (outcome.status != 0 && outcome.status != 4)
        fail_msg("%s: exit status %d, signal %d: %s", what, outcome.status, outcome.signal, outcome.err);
    if (outcome.status == 4 && !says_why(number, outcome.err))
        fail_msg("%s: says %s", what, outcome.err);
    if (number == LAYER_SHORT && outcome.status != 0)
        fail_msg("%s: a short write is to be continued: %s", what, outcome.err);
    tally->failures++;
    tally->refused += outcome.status == 4;
    command_run_well(train("--resume"));
    run_assert_tells(path, expected, what);
}

static void fail_each(int number, bool after)
{
    static const struct layer counting = {0};
    struct layer armed = counting;
    struct tally tally = {0};
    command_run_well((run_remove(run_path(path, "run")), train("")));
    char *expected = run_tell(path);
    run_remove(path);
    armed.folder = path;
    command_run(train(""), &armed, &outcome);
    tally.calls = outcome.calls;
    size_t stride = getenv("RELUME_LONG") ? 1 : tally.calls / 25 + 1;
    for (size_t call = 1; call <= tally.calls; call += stride)
        fail_one(call, number, after, expected, &tally);
    print_message("# %s%s: %zu calls, %zu failed, %zu runs refused\n",
                  number == LAYER_SHORT ? "short write" : strerror(number), after ? " from there on" : "",
                  tally.calls, tally.failures, tally.refused);
    rlm_free(expected);
    run_remove(path);
}

static void test_input_output_error(void **state)
{
    (void)state;
    fail_each(EIO, false);
    fail_each(EIO, true);
}

static void test_no_space(void **state)
{
    (void)state;
    fail_each(ENOSPC, false);
    fail_each(ENOSPC, true);
}

static void test_quota(void **state)
{
    (void)state;
    fail_each(EDQUOT, true);
}

static void test_interrupted_and_short(void **state)
{
    (void)state;
    fail_each(EINTR, false);
    fail_each(LAYER_SHORT, false);
}

/* Setting the clock while training, backwards and forwards: durations are of the monotonic clock, so nothing
 * is negative, and the results are the same. */
static void test_a_clock_that_jumps(void **state)
{
    (void)state;
    static const double jumps[] = {-86400, 86400, -1e9};
    command_run_well((run_remove(run_path(path, "run")), train("")));
    char *expected = run_tell(path);
    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        struct layer armed = {.realtime_jump = jumps[i]};
        run_remove(path);
        command_run(train("--json"), &armed, &outcome);
        assert_int_equal(outcome.status, 0);
        assert_null(strstr(outcome.out, "econds\": -"));
        assert_null(strstr(outcome.out, "second\": -"));
        assert_null(strstr(outcome.err, "  -"));
        run_assert_tells(path, expected, "the clock jumped");
    }
    rlm_free(expected);
    run_remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_input_output_error),
        cmocka_unit_test(test_no_space),
        cmocka_unit_test(test_quota),
        cmocka_unit_test(test_interrupted_and_short),
        cmocka_unit_test(test_a_clock_that_jumps),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
