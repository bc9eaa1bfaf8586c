/* An allocator for tests, that counts and can refuse. */
#ifndef RLM_TESTS_MEMORY_H
#define RLM_TESTS_MEMORY_H

#include <stdbool.h>

#include "base/alloc.h"

/* Refuses from call number `refuse_from` on, or that one alone; 0: never. */
struct world_memory {
    size_t calls, held, refuse_from;
    bool refuse_once;
};

static inline void *world_alloc(void *user, size_t size, size_t align)
{
    struct world_memory *memory = user;
    memory->calls++;
    if (memory->refuse_from > 0 &&
        (memory->refuse_once ? memory->calls == memory->refuse_from : memory->calls >= memory->refuse_from))
        return NULL;
    memory->held += size;
    return rlm_allocator_default.alloc(NULL, size, align);
}

static inline void world_free(void *user, void *block, size_t size)
{
    struct world_memory *memory = user;
    memory->held -= size;
    rlm_allocator_default.free(NULL, block, size);
}

static inline relume_allocator world_allocator(struct world_memory *memory)
{
    return (relume_allocator){world_alloc, world_free, memory};
}

#endif
