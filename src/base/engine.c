/* The engine (relume/engine.h): which kernel level, how many threads, whose memory; and one sentence why, for
 * each. */
#include "base/engine.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"

void relume_engine_options_default(relume_engine_options *options)
{
    *options = (relume_engine_options){0};
}

/* The level that a name stands for, on this architecture. `source` is what gave the name ("--cpu" or
 * "RELUME_CPU"). */
static relume_status level_find(const char *source, const char *name, enum rlm_cpu_level *level,
                                relume_error *error)
{
    enum rlm_cpu_level found = rlm_cpu_level_find(name);
    if (found == RLM_CPU_LEVELS) {
        rlm_error_at_item(error, source);
        return rlm_error_set(error, RELUME_USAGE, "%s is \"%.40s\"; it can be ref, neon, avx2 or avx512",
                             source, name);
    }
#if defined(__aarch64__)
    int foreign = found == RLM_CPU_AVX2 || found == RLM_CPU_AVX512;
#else
    int foreign = found == RLM_CPU_NEON;
#endif
    if (foreign) {
        rlm_error_at_item(error, source);
        return rlm_error_set(error, RELUME_USAGE,
                             "%s is \"%s\", which is a level of another kind of CPU; here it can be %s",
                             source, name, found == RLM_CPU_NEON ? "ref, avx2 or avx512" : "ref or neon");
    }
    *level = found;
    return RELUME_OK;
}

/* Takes exactly the level that the options ask for. */
static relume_status level_take(struct relume_engine *engine, const char *name, relume_error *error)
{
    enum rlm_cpu_level level = RLM_CPU_REF;
    RLM_TRY(level_find("the CPU level", name, &level, error));
    if (!rlm_cpu_supports(level)) {
        rlm_error_at_item(error, name);
        return rlm_error_set(error, RELUME_USAGE,
                             "the CPU level is \"%s\", which this CPU lacks; its best is %s", name,
                             rlm_cpu_level_name(rlm_cpu_detect()));
    }
    engine->level = level;
    (void)snprintf(engine->level_reason, sizeof engine->level_reason,
                   "%s was asked for; the best level of this CPU is %s", name,
                   rlm_cpu_level_name(rlm_cpu_detect()));
    return RELUME_OK;
}

/* Takes the best level of this CPU, or the lower one that $RELUME_CPU names. */
static relume_status level_choose(struct relume_engine *engine, relume_error *error)
{
    enum rlm_cpu_level best = rlm_cpu_detect(), cap = RLM_CPU_LEVELS;
    const char *wish = getenv("RELUME_CPU");
    if (wish && *wish)
        RLM_TRY(level_find("RELUME_CPU", wish, &cap, error));
    engine->level = cap < best ? cap : best;
    if (cap < best)
        (void)snprintf(engine->level_reason, sizeof engine->level_reason,
                       "RELUME_CPU=%s; the best level of this CPU is %s", wish, rlm_cpu_level_name(best));
    else
        (void)snprintf(engine->level_reason, sizeof engine->level_reason, "%s is the best level of this CPU",
                       rlm_cpu_level_name(best));
    return RELUME_OK;
}

static relume_status threads_start(struct relume_engine *engine, size_t wanted, relume_error *error)
{
    char limit[sizeof engine->threads_reason - 64];
    size_t cores = rlm_cpu_cores(limit, sizeof limit);
    if (wanted == 0) {
        (void)snprintf(engine->threads_reason, sizeof engine->threads_reason, "%s", limit);
        wanted = cores < RLM_POOL_THREADS_MAX ? cores : RLM_POOL_THREADS_MAX;
    } else {
        (void)snprintf(engine->threads_reason, sizeof engine->threads_reason, "%zu asked for; %s", wanted,
                       limit);
    }
    return rlm_pool_create(&engine->allocator, wanted, &engine->pool, error);
}

static relume_status engine_fill(struct relume_engine *engine, const relume_engine_options *options,
                                 relume_error *error)
{
    if (options->cpu)
        RLM_TRY(level_take(engine, options->cpu, error));
    else
        RLM_TRY(level_choose(engine, error));
    return threads_start(engine, options->threads, error);
}

relume_status relume_engine_create(const relume_engine_options *options, relume_engine **engine,
                                   relume_error *error)
{
    relume_engine_options defaults;
    rlm_error_clear(error);
    if (!options) {
        relume_engine_options_default(&defaults);
        options = &defaults;
    }
    const relume_allocator *allocator = options->allocator ? options->allocator : &rlm_allocator_default;
    if (!allocator->alloc || !allocator->free)
        return rlm_error_set(error, RELUME_USAGE, "the allocator has no %s function",
                             allocator->alloc ? "free" : "alloc");
    struct relume_engine *made = rlm_alloc_zero(allocator, 1, sizeof *made);
    if (!made)
        return rlm_error_memory(error, sizeof *made, "the engine");
    made->allocator = *allocator;
    relume_status status = engine_fill(made, options, error);
    if (status != RELUME_OK) {
        rlm_free(made);
        return status;
    }
    *engine = made;
    return RELUME_OK;
}

void relume_engine_destroy(relume_engine *engine)
{
    if (!engine)
        return;
    rlm_pool_destroy(engine->pool);
    rlm_free(engine);
}

const char *relume_engine_get_kernel(const relume_engine *engine)
{
    return rlm_cpu_level_name(engine->level);
}

size_t relume_engine_get_threads(const relume_engine *engine)
{
    return rlm_pool_threads(engine->pool);
}

const char *relume_engine_get_kernel_reason(const relume_engine *engine)
{
    return engine->level_reason;
}

const char *relume_engine_get_threads_reason(const relume_engine *engine)
{
    return engine->threads_reason;
}
