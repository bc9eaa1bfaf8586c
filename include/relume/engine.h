/* The machine a computation runs on: the kernels chosen for the CPU, the threads, and the allocator.
 *
 * An engine decides how fast a result comes, never which: every level and thread count gives the same bytes.
 * Create one a program; datasets, networks, trainers and censuses made with it keep a pointer to it and must
 * be destroyed first. */
#ifndef RELUME_ENGINE_H
#define RELUME_ENGINE_H

#include <stddef.h>

#include "relume/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where memory comes from. `alloc` returns `size` bytes aligned to `align` (a power of two, at most 64) or
 * NULL; `free` takes what `alloc` returned, with the same size. Both may be called from the thread that calls
 * into relume only. */
typedef struct relume_allocator {
    void *(*alloc)(void *user, size_t size, size_t align);
    void (*free)(void *user, void *memory, size_t size);
    void *user;
} relume_allocator;

typedef struct relume_engine relume_engine;

typedef struct relume_engine_options {
    size_t threads; /* = 0: as many as the cores this process may use (affinity and cgroup quota) */
    const char
        *cpu; /* = NULL: the best level of this CPU, capped by $RELUME_CPU; else ref|avx2|avx512|neon */
    const relume_allocator *allocator; /* = NULL: the C library's; copied */
} relume_engine_options;

/* Fills in the defaults named above. */
RELUME_API void relume_engine_options_default(relume_engine_options *options);

/* Creates an engine. `options` may be NULL (the defaults). USAGE for a CPU level that is unknown or that this
 * CPU lacks, NO_MEMORY, RESOURCE when the threads cannot be started. */
RELUME_API relume_status relume_engine_create(const relume_engine_options *options, relume_engine **engine,
                                              relume_error *error) RELUME_MUST_CHECK;
RELUME_API void relume_engine_destroy(relume_engine *engine);

/* The kernel level in use ("ref", "avx2", "avx512", "neon") and the number of threads that work, the caller's
 * among them. */
RELUME_API const char *relume_engine_get_kernel(const relume_engine *engine);
RELUME_API size_t relume_engine_get_threads(const relume_engine *engine);

/* One sentence each: why this level, why this many threads. Valid as long as the engine. */
RELUME_API const char *relume_engine_get_kernel_reason(const relume_engine *engine);
RELUME_API const char *relume_engine_get_threads_reason(const relume_engine *engine);

#ifdef __cplusplus
}
#endif
#endif
