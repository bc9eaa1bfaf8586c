/* The engine: which level and how many threads it takes, why, and what it refuses. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/engine.h"
#include "memory.h"

static relume_error error;

/* Every test begins and ends with the variable as the test run has it. */
static char *kept;

static int keep_variable(void **state)
{
    (void)state;
    const char *value = getenv("RELUME_CPU");
    kept = value ? rlm_strdup(NULL, value) : NULL;
    return unsetenv("RELUME_CPU");
}

static int restore_variable(void **state)
{
    (void)state;
    int failed = kept ? setenv("RELUME_CPU", kept, 1) : unsetenv("RELUME_CPU");
    rlm_free(kept);
    return failed;
}

static relume_engine *engine_of(const relume_engine_options *options)
{
    relume_engine *engine = NULL;
    assert_ok(relume_engine_create(options, &engine, &error), error);
    return engine;
}

static void test_defaults(void **state)
{
    (void)state;
    char reason[256], wanted[128];
    relume_engine *engine = engine_of(NULL);
    const char *best = rlm_cpu_level_name(rlm_cpu_detect());
    assert_string_equal(relume_engine_get_kernel(engine), best);
    (void)snprintf(wanted, sizeof wanted, "%s is the best level of this CPU", best);
    assert_string_equal(relume_engine_get_kernel_reason(engine), wanted);
    assert_int_equal(relume_engine_get_threads(engine), rlm_cpu_cores(reason, sizeof reason));
    assert_string_equal(relume_engine_get_threads_reason(engine), reason);
    relume_engine_destroy(engine);
    relume_engine_destroy(NULL);
}

static void test_threads_asked_for(void **state)
{
    (void)state;
    relume_engine_options options;
    relume_engine_options_default(&options);
    options.threads = 5;
    relume_engine *engine = engine_of(&options);
    assert_int_equal(relume_engine_get_threads(engine), 5);
    assert_int_equal(strncmp(relume_engine_get_threads_reason(engine), "5 asked for; ", 13), 0);
    relume_engine_destroy(engine);
    options.threads = 1000000;
    relume_engine *none = NULL;
    assert_status(relume_engine_create(&options, &none, &error), RELUME_USAGE);
    assert_null(none);
}

static void test_level_asked_for(void **state)
{
    (void)state;
    relume_engine_options options;
    relume_engine_options_default(&options);
    options.threads = 1;
    options.cpu = "ref";
    assert_int_equal(setenv("RELUME_CPU", "nonsense", 1), 0); /* an option goes before the variable */
    relume_engine *engine = engine_of(&options);
    assert_string_equal(relume_engine_get_kernel(engine), "ref");
    assert_int_equal(strncmp(relume_engine_get_kernel_reason(engine), "ref was asked for; the best", 27), 0);
    relume_engine_destroy(engine);
}

static void test_variable_caps_the_level(void **state)
{
    (void)state;
    assert_int_equal(setenv("RELUME_CPU", "ref", 1), 0);
    relume_engine *engine = engine_of(NULL);
    assert_string_equal(relume_engine_get_kernel(engine), "ref");
    if (rlm_cpu_detect() > RLM_CPU_REF)
        assert_int_equal(strncmp(relume_engine_get_kernel_reason(engine), "RELUME_CPU=ref; ", 16), 0);
    relume_engine_destroy(engine);
    const char *best = rlm_cpu_level_name(rlm_cpu_detect());
#if defined(__x86_64__)
    assert_int_equal(setenv("RELUME_CPU", "avx512", 1), 0); /* a cap above what the CPU has changes nothing */
#else
    assert_int_equal(setenv("RELUME_CPU", "neon", 1), 0);
#endif
    engine = engine_of(NULL);
    assert_string_equal(relume_engine_get_kernel(engine), best);
    relume_engine_destroy(engine);
    assert_int_equal(setenv("RELUME_CPU", "", 1), 0);
    engine = engine_of(NULL);
    assert_string_equal(relume_engine_get_kernel(engine), best);
    relume_engine_destroy(engine);
}

static void test_levels_refused(void **state)
{
    (void)state;
    relume_engine *engine = NULL;
    relume_engine_options options;
    relume_engine_options_default(&options);
    assert_int_equal(setenv("RELUME_CPU", "sse2", 1), 0);
    assert_status(relume_engine_create(&options, &engine, &error), RELUME_USAGE);
    assert_string_equal(error.message, "RELUME_CPU is \"sse2\"; it can be ref, neon, avx2 or avx512");
    assert_string_equal(error.item, "RELUME_CPU");
#if defined(__x86_64__)
    options.cpu = "neon";
#else
    options.cpu = "avx2";
#endif
    assert_status(relume_engine_create(&options, &engine, &error), RELUME_USAGE);
    assert_non_null(strstr(error.message, "a level of another kind of CPU"));
#if defined(__x86_64__)
    options.cpu = "avx512";
    if (!rlm_cpu_supports(RLM_CPU_AVX512)) {
        assert_status(relume_engine_create(&options, &engine, &error), RELUME_USAGE);
        assert_non_null(strstr(error.message, "which this CPU lacks; its best is "));
    }
#endif
    assert_null(engine);
}

static void test_allocator(void **state)
{
    (void)state;
    struct world_memory memory = {0};
    relume_allocator allocator = world_allocator(&memory);
    relume_engine_options options;
    relume_engine_options_default(&options);
    options.threads = 2;
    options.allocator = &allocator;
    relume_engine *engine = NULL;
    for (size_t refused = 1; refused <= 2; refused++) {
        memory = (struct world_memory){.refuse_from = refused};
        assert_status(relume_engine_create(&options, &engine, &error), RELUME_NO_MEMORY);
        assert_int_equal(memory.held, 0);
        assert_null(engine);
    }
    memory = (struct world_memory){0};
    engine = engine_of(&options);
    assert_true(memory.held > 0);
    relume_engine_destroy(engine);
    assert_int_equal(memory.held, 0);
    allocator.free = NULL;
    assert_status(relume_engine_create(&options, &engine, NULL), RELUME_USAGE);
}

#define WITH_VARIABLE(test) cmocka_unit_test_setup_teardown(test, keep_variable, restore_variable)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_VARIABLE(test_defaults),        WITH_VARIABLE(test_threads_asked_for),
        WITH_VARIABLE(test_level_asked_for), WITH_VARIABLE(test_variable_caps_the_level),
        WITH_VARIABLE(test_levels_refused),  WITH_VARIABLE(test_allocator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
