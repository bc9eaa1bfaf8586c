/* See arena.h. */
#include "base/arena.h"

#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"

#define PIECE 64

void *rlm_arena_take(struct rlm_arena *arena, size_t count, size_t size)
{
    size_t bytes, used;
    if (arena->overflow || !rlm_size_multiply(count, size, &bytes) ||
        !rlm_size_add(bytes, PIECE - 1, &bytes) || !rlm_size_add(arena->used, bytes / PIECE * PIECE, &used) ||
        (arena->base && used > arena->size)) {
        arena->overflow = true;
        return NULL;
    }
    void *piece = arena->base ? arena->base + arena->used : NULL;
    arena->used = used;
    return piece;
}

bool rlm_arena_init(struct rlm_arena *arena, const relume_allocator *allocator)
{
    if (arena->overflow)
        return false;
    if (!rlm_arena_init_unset(arena, allocator))
        return false;
    memset(arena->base, 0, arena->size);
    return true;
}

bool rlm_arena_init_unset(struct rlm_arena *arena, const relume_allocator *allocator)
{
    if (arena->overflow)
        return false;
    arena->base = rlm_alloc(allocator, arena->used, 1);
    arena->size = arena->used;
    arena->used = 0;
    return arena->base != NULL;
}

void rlm_arena_deinit(struct rlm_arena *arena)
{
    rlm_free(arena->base);
    *arena = (struct rlm_arena){0};
}
