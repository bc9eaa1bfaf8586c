/* An autopsy repeats stretches of a run side by side where it has threads for it. What it tells must not
 * depend on how many: deaths, causes, prognoses, and the count of updates repeated, to the bit. And it must
 * be seen that several did work at once, for else the test would compare one thread with itself. */
#include "run_world.h"

#include <time.h>

static const size_t wide[] = {48, 48};

static relume_run *train_deadly(relume_engine *engine, relume_optimizer optimizer, const char *name)
{
    char path[128];
    relume_error error = {0};
    relume_run *run = NULL;
    relume_run_options options = run_options(run_path(path, name));
    options.trainer.optimizer = optimizer;
    options.hidden = wide;
    options.trainer.learning_rate = optimizer == RELUME_ADAM ? 0.05 : 1.5;
    options.trainer.batch_size = 100;
    options.trainer.epochs = 8;
    run_train(engine, &options, RELUME_OK);
    assert_ok(relume_run_open(engine, options.path, &run, &error), error);
    return run;
}

/* Progress as the caller of an autopsy sees it: of all, told in the caller's thread, for each update that
 * this one repeats, and now and then while only others do. */
struct watch {
    uint64_t calls, done, total;
};

/* The first calls give the others time to begin. */
static void watch(void *user, uint64_t done, uint64_t total)
{
    struct watch *watch = user;
    const struct timespec while_others_begin = {.tv_nsec = 20000000};
    watch->calls++;
    assert_true(done >= watch->done && done <= total);
    watch->done = done;
    watch->total = total;
    if (watch->calls < 10)
        (void)nanosleep(&while_others_begin, NULL);
}

static relume_autopsy *hold(size_t threads, const char *name, bool episodes, struct watch *seen)
{
    char path[128];
    relume_error error = {0};
    relume_run *run = NULL;
    relume_autopsy *autopsy = NULL;
    relume_engine *engine = world_engine(NULL, threads, NULL);
    relume_autopsy_options options;
    relume_autopsy_options_default(&options);
    options.all = 1;
    options.episodes = episodes;
    options.progress = watch;
    options.user = seen;
    assert_ok(relume_run_open(engine, run_path(path, name), &run, &error), error);
    assert_ok(relume_autopsy_hold(run, &options, &autopsy, &error), error);
    relume_run_destroy(run);
    relume_engine_destroy(engine);
    return autopsy;
}

#define SAME(field) assert_memory_equal(&a->field, &b->field, sizeof a->field)

static void assert_same_prognosis(const relume_prognosis *a, const relume_prognosis *b)
{
    SAME(verdict);
    SAME(as_of);
    SAME(revives_at);
    SAME(never);
    SAME(looked_to);
    SAME(margin);
    SAME(distance);
    assert_string_equal(a->because, b->because);
}

static void assert_same_pushers(const relume_death *a, const relume_death *b)
{
    SAME(pushers);
    for (size_t i = 0; i < a->pushers; i++) {
        SAME(pusher[i].sample);
        SAME(pusher[i].push);
        SAME(pusher[i].norm_ratio);
        SAME(pusher[i].decisive);
    }
    SAME(outlier);
}

static void assert_same_change(const relume_death *a, const relume_death *b)
{
    SAME(own_weights);
    SAME(own_bias);
    SAME(below);
    SAME(gradient);
    SAME(momentum);
    SAME(decay);
    SAME(rounding);
    SAME(causes);
    SAME(overdetermined);
    SAME(input_gamma);
    SAME(bias);
    SAME(update_ratio);
    SAME(update_percentile);
    SAME(run_percentile);
    SAME(batch_loss);
    SAME(gradient_norm);
    SAME(lethal);
    SAME(lethal_low);
    SAME(lethal_high);
    SAME(largest_safe_rate);
}

static void assert_same_death(const relume_death *a, const relume_death *b)
{
    SAME(layer);
    SAME(unit);
    SAME(kind);
    SAME(step);
    SAME(epoch);
    SAME(returned);
    SAME(learning_rate);
    SAME(layer_deaths);
    SAME(samples);
    SAME(fired_before);
    SAME(margin_before);
    SAME(margin_after);
    SAME(sample);
    SAME(before);
    SAME(after);
    SAME(drift);
    SAME(drift_from);
    SAME(drift_margin);
    SAME(drift_fired);
    assert_same_change(a, b);
    assert_same_pushers(a, b);
    assert_same_prognosis(&a->prognosis, &b->prognosis);
    SAME(episodes);
    for (size_t i = 0; i < a->episodes; i++) {
        SAME(episode[i].from);
        SAME(episode[i].to);
    }
}

static void assert_same_autopsy(const relume_autopsy *a, const relume_autopsy *b)
{
    SAME(as_of);
    SAME(steps_repeated);
    SAME(temporary);
    SAME(deaths);
    for (size_t i = 0; i < a->deaths; i++)
        assert_same_death(&a->death[i], &b->death[i]);
}

/* Two in one update, or in one stretch, or both born dead, must come in one order. */
static size_t count_kinds(const relume_autopsy *autopsy)
{
    size_t births = 0, epochs = 0;
    uint64_t last = 0;
    for (size_t i = 0; i < autopsy->deaths; i++) {
        births += autopsy->death[i].kind == RELUME_BORN_DEAD;
        epochs += autopsy->death[i].epoch != last;
        last = autopsy->death[i].epoch;
    }
    return births > 0 && epochs > 2 ? autopsy->deaths : 0;
}

static void test_threads_decide_nothing(void **state)
{
    (void)state;
    static const relume_optimizer optimizers[] = {RELUME_SGD, RELUME_ADAM};
    static const size_t threads[] = {2, 3, 5};
    relume_engine *engine = world_engine(NULL, 1, NULL);
    size_t told = 0, beside = 0;
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++) {
        const char *name = relume_optimizer_name(optimizers[i]);
        relume_run_destroy(train_deadly(engine, optimizers[i], name));
        struct watch alone = {0};
        relume_autopsy *one = hold(1, name, false, &alone);
        assert_int_equal(alone.calls, one->steps_repeated);
        told += count_kinds(one);
        for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
            struct watch seen = {0};
            relume_autopsy *many = hold(threads[t], name, false, &seen);
            assert_same_autopsy(one, many);
            beside += seen.calls < many->steps_repeated; /* others have repeated the rest */
            assert_true(seen.calls == 0 || seen.total == alone.total);
            relume_autopsy_destroy(many);
        }
        relume_autopsy_destroy(one);
    }
    assert_true(told > 0);
    assert_true(beside >= 4); /* where one stretch holds most deaths, all threads together may do it sooner */
    print_message("# %zu deaths\n", told);
    relume_engine_destroy(engine);
}

/* Episodes are followed through the whole run by one. */
static void test_episodes(void **state)
{
    (void)state;
    struct watch alone = {0}, seen = {0};
    relume_autopsy *one = hold(1, "sgd", true, &alone), *two = hold(2, "sgd", true, &seen);
    assert_same_autopsy(one, two);
    assert_int_equal(alone.done, alone.total);
    relume_autopsy_destroy(one);
    relume_autopsy_destroy(two);
}

static volatile int stop_now;

static void stop_soon(void *user, uint64_t done, uint64_t total)
{
    (void)user;
    (void)total;
    __atomic_store_n(&stop_now, done >= 5, __ATOMIC_RELAXED);
}

static void test_stopped(void **state)
{
    (void)state;
    char path[128];
    relume_engine *engine = world_engine(NULL, 2, NULL);
    relume_error error = {0};
    relume_run *run = NULL;
    relume_autopsy *autopsy = NULL;
    relume_autopsy_options options;
    relume_autopsy_options_default(&options);
    options.progress = stop_soon;
    options.stop = &stop_now;
    assert_ok(relume_run_open(engine, run_path(path, "sgd"), &run, &error), error);
    assert_int_equal(relume_autopsy_hold(run, &options, &autopsy, &error), RELUME_INTERRUPTED);
    assert_null(autopsy);
    assert_non_null(strstr(error.message, "stopped at step"));
    relume_run_destroy(run);
    relume_engine_destroy(engine);
}

/* A checkpoint that cannot be read ends all, and is what is told, whoever met it. */
static void test_broken_checkpoint(void **state)
{
    (void)state;
    char path[128], file[200];
    relume_engine *engine = world_engine(NULL, 2, NULL);
    relume_error error = {0};
    relume_run *run = NULL;
    relume_autopsy *autopsy = NULL;
    (void)run_path(path, "sgd");
    assert_ok(relume_run_open(engine, path, &run, &error), error);
    (void)snprintf(file, sizeof file, "%s/checkpoints/step-15.safetensors", path);
    assert_int_equal(truncate(file, 100), 0);
    relume_status status = relume_autopsy_hold(run, NULL, &autopsy, &error);
    assert_int_equal(status, RELUME_BAD_FORMAT);
    assert_null(autopsy);
    assert_non_null(strstr(error.message, "step-15.safetensors"));
    relume_run_destroy(run);
    relume_engine_destroy(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_decide_nothing),
        cmocka_unit_test(test_episodes),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_broken_checkpoint),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
