/* Every block an autopsy asks its engine for refused in turn, once and from there on. What is for speed
 * alone, the order of the samples, the lists of what is not 0 and the bytes, is done without: the same
 * account. The rest is NO_MEMORY. The faults suite refuses all other allocations of the command as well. */
#include "base/engine.h"
#include "kernels/bytes.h"
#include "run_world.h"

static struct world_memory memory;

/* A run in whose few updates many units die. */
static relume_run *dying_run(relume_engine *engine)
{
    char path[128];
    relume_run *run = NULL;
    relume_error error = {0};
    relume_run_options options = run_options(run_path(path, "dying"));
    options.trainer.learning_rate = 3.0;
    run_train(engine, &options, RELUME_OK);
    assert_ok(relume_run_open(engine, path, &run, &error), error);
    assert_ok(relume_run_load_dataset(run, &error), error);
    return run;
}

static void assert_same_death(const relume_death *a, const relume_death *b)
{
    assert_true(a->layer == b->layer && a->unit == b->unit && a->step == b->step && a->causes == b->causes);
    assert_true(a->fired_before == b->fired_before && a->margin_after == b->margin_after);
    assert_memory_equal(&a->before, &b->before, sizeof a->before); /* NaN where it does not apply */
    assert_memory_equal(&a->after, &b->after, sizeof a->after);
    assert_true(a->lethal == b->lethal && a->prognosis.verdict == b->prognosis.verdict);
    assert_string_equal(a->prognosis.because, b->prognosis.because);
}

static void assert_same_account(const relume_autopsy *a, const relume_autopsy *b)
{
    assert_int_equal(a->deaths, b->deaths);
    for (size_t i = 0; i < a->deaths; i++)
        assert_same_death(&a->death[i], &b->death[i]);
}

/* Whether the autopsy was held all the same. */
static bool hold(relume_run *run, const relume_autopsy *calm, size_t call, bool once)
{
    relume_autopsy *autopsy = NULL;
    relume_error error = {0};
    size_t held = memory.held;
    memory.calls = 0;
    memory.refuse_from = call;
    memory.refuse_once = once;
    relume_status status = relume_autopsy_hold(run, NULL, &autopsy, &error);
    memory.refuse_from = 0;
    if (status == RELUME_OK)
        assert_same_account(calm, autopsy);
    else if (status != RELUME_NO_MEMORY)
        fail_msg("block %zu refused: %s, %s", call, relume_status_name(status), error.message);
    relume_autopsy_destroy(autopsy);
    assert_int_equal(memory.held, held);
    return status == RELUME_OK;
}

static void test_each_block_refused(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, &memory);
    relume_run *run = dying_run(engine);
    relume_autopsy *calm = NULL;
    relume_error error = {0};
    memory.calls = 0;
    assert_ok(relume_autopsy_hold(run, NULL, &calm, &error), error);
    size_t total = memory.calls, done_without = 0;
    assert_in_range(calm->deaths, 10, 21);
    for (size_t call = 1; call <= total; call++) {
        done_without += hold(run, calm, call, true);
        assert_false(hold(run, calm, call, false) && call < total);
    }
    print_message("# %zu blocks, %zu of them done without\n", total, done_without);
    /* the order's variants and the lists, at the one pack of the data; the bytes and their sums, for a CPU of
     * use */
    size_t bytes = rlm_widen_find(engine->level) || rlm_dots_find(engine->level);
    assert_int_equal(done_without, 4 + bytes + (rlm_dots_find(engine->level) != NULL));
    relume_autopsy_destroy(calm);
    relume_run_destroy(run);
    relume_engine_destroy(engine);
    assert_int_equal(memory.held, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_block_refused)};
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
