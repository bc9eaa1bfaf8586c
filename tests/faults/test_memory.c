/* Every allocation of every command refused in turn, once and from there on, those of SQLite, jansson, zlib,
 * libzip and the C library included: no crash, no leak, exit status 5. A refusal that the C library makes up
 * for itself (an unbuffered stream, for instance) may pass, if the results are the same.
 *
 * The short version takes a sample of the allocations of each command, RELUME_LONG=1 every one. */
#define _GNU_SOURCE /* dladdr */
#include "run_world.h"

#include <dlfcn.h>

#include "command.h"

static struct command_outcome calm, outcome;

/* The callers whose blocks stay to the end of an undisturbed command too: streams, the locale, SQLite's one
 * list of mutexes. */
static size_t allowed(void *caller)
{
    for (size_t i = 0; i < calm.left.callers; i++)
        if (calm.left.by[i].caller == caller)
            return calm.left.by[i].blocks;
    return 0;
}

static void assert_nothing_left(const char *line, size_t call, bool after)
{
    for (size_t i = 0; i < outcome.left.callers; i++) {
        Dl_info at = {0};
        if (outcome.left.by[i].blocks <= allowed(outcome.left.by[i].caller))
            continue;
        (void)dladdr(outcome.left.by[i].caller, &at);
        fail_msg("relume %s: allocation %zu refused%s: %zu blocks, %zu bytes are left, of %s, %s", line, call,
                 after ? ", and all after it" : "", outcome.left.by[i].blocks, outcome.left.by[i].bytes,
                 at.dli_fname ? at.dli_fname : "?", at.dli_sname ? at.dli_sname : "?");
    }
}

struct tally {
    size_t refusals, passed;
};

/* `fixed`: what the command prints does not depend on time. */
static void refuse(const char *line, bool fixed, size_t call, bool after, struct tally *tally)
{
    struct layer armed = {.refuse_at = call, .refuse_after = after};
    command_run(line, &armed, &outcome);
    if (outcome.status != 5 && outcome.status != 0)
        fail_msg("relume %s: allocation %zu refused%s: exit status %d, signal %d: %s", line, call,
                 after ? ", and all after it" : "", outcome.status, outcome.signal, outcome.err);
    if (outcome.status == 5 && !strstr(outcome.err, "NO_MEMORY") && !strstr(outcome.err, "RESOURCE"))
        fail_msg("relume %s: allocation %zu refused%s: says %s", line, call,
                 after ? ", and all after it" : "", outcome.err);
    if (outcome.status == 0 && fixed && strcmp(outcome.out, calm.out) != 0)
        fail_msg("relume %s: allocation %zu refused: exit status 0, and other results:\n%s", line, call,
                 outcome.out);
    assert_nothing_left(line, call, after);
    tally->refusals++;
    tally->passed += outcome.status == 0;
}

/* `fresh`: the run directory is removed before each time. */
static void refuse_each(const char *line, bool fixed, const char *fresh)
{
    static const struct layer unarmed;
    bool every = getenv("RELUME_LONG") != NULL;
    struct tally tally = {0};
    if (fresh)
        run_remove(fresh);
    command_run(line, &unarmed, &calm);
    if (calm.status != 0)
        fail_msg("relume %s: %s", line, calm.err);
    size_t total = calm.allocations, stride = every ? 1 : 1 + total / 40;
    for (size_t call = 1; call <= total; call += call < 40 ? 1 : stride)
        for (int after = 0; after < 2; after++) {
            if (fresh)
                run_remove(fresh);
            refuse(line, fixed, call, after != 0, &tally);
        }
    print_message("# %s: %zu allocations, %zu refusals, %zu of them made up for\n", line, total,
                  tally.refusals, tally.passed);
}

/* `text` with each @ replaced by the tests' folder. */
static const char *in_root(const char *text)
{
    static char line[1024];
    size_t used = 0;
    for (; *text && used < sizeof line - sizeof run_root; text++)
        if (*text == '@')
            used += (size_t)snprintf(line + used, sizeof line - used, "%s", run_root);
        else
            line[used++] = *text;
    line[used] = '\0';
    return line;
}

static int prepare(void **state)
{
    if (run_setup(state) != 0)
        return -1;
    char path[200];
    (void)snprintf(path, sizeof path, "%s/t.csv", run_root);
    FILE *csv = fopen(path, "w");
    if (!csv)
        return -1;
    (void)fputs("a,b,price\n1,2,3.5\n4,5,6.5\n7,8,9\n2,1,4\n", csv);
    if (fclose(csv) != 0)
        return -1;
    command_run_well(in_root("train digits --hidden 12,8 --epochs 2 --holdout 20% --threads 2 -o @/run"));
    command_run_well(in_root("predict @/run digits -o @/p.npy --probabilities"));
    return 0;
}

static void test_train(void **state)
{
    (void)state;
    char fresh[128];
    refuse_each(in_root("train digits --hidden 6 --epochs 1 --batch 900 --threads 2 -o @/new"), false,
                run_path(fresh, "new"));
    refuse_each(in_root("train @/t.csv --target price --standardize --hidden 3 --epochs 1 -o @/new"), false,
                run_path(fresh, "new"));
}

static void test_resume(void **state)
{
    (void)state;
    refuse_each(in_root("train digits --hidden 12,8 --epochs 2 --holdout 20% --threads 2 -o @/run --resume"),
                false, NULL);
}

static void test_census_and_predict(void **state)
{
    (void)state;
    refuse_each(in_root("census @/run digits"), true, NULL);
    refuse_each(in_root("census @/run digits --json --units"), true, NULL);
    refuse_each(in_root("predict @/run digits --split all --threads 1"), true, NULL);
    refuse_each(in_root("predict @/run digits -o @/out.npy"), true, NULL);
    refuse_each(in_root("predict @/run digits --json --threads 1"), true, NULL);
}

static void test_inspect_and_report(void **state)
{
    (void)state;
    refuse_each(in_root("inspect @/run"), true, NULL);
    refuse_each(in_root("inspect @/run/model.safetensors --json"), true, NULL);
    refuse_each(in_root("inspect @/t.csv"), true, NULL);
    refuse_each(in_root("inspect @/p.npy --json"), true, NULL);
    refuse_each(in_root("report @/run"), false, NULL);
    refuse_each(in_root("report @/run --json"), false, NULL);
}

static void test_gradcheck_and_help(void **state)
{
    (void)state;
    refuse_each("gradcheck --hidden 4 --parameters 3 --batch 2", true, NULL);
    refuse_each("gradcheck --hidden 4 --parameters 3 --batch 2 --json", true, NULL);
    refuse_each("help train", true, NULL);
    refuse_each("--version", true, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_train),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_census_and_predict),
        cmocka_unit_test(test_inspect_and_report),
        cmocka_unit_test(test_gradcheck_and_help),
    };
    return cmocka_run_group_tests(tests, prepare, run_teardown);
}
