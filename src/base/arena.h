/* One block of memory, measured first and handed out in 64-byte-aligned pieces.
 *
 *     layout(&arena)  with arena.base NULL: every take returns NULL and adds to arena.used   (measure)
 *     rlm_arena_init(&arena, allocator)     allocates arena.used bytes, zeroed, and starts over
 *     layout(&arena)  again, the same takes: now they return memory                          (hand out)
 *
 * Writing the layout once, as a function called twice, keeps the measure and the use from drifting apart.
 *
 *     base ──┬──────────┬───────────────┬─────┬─ size
 *            │ piece 0  │ piece 1       │ …   │      each rounded up to 64 bytes
 */
#ifndef RLM_BASE_ARENA_H
#define RLM_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "relume/engine.h"

struct rlm_arena {
    char *base;
    size_t size, used;
    bool overflow; /* a product did not fit, or a take went past the measure */
};

/* count · size bytes, or NULL while measuring or after an overflow. */
void *rlm_arena_take(struct rlm_arena *arena, size_t count, size_t size);

/* Allocates what was measured. False: no memory, or a product overflowed. */
bool rlm_arena_init(struct rlm_arena *arena, const relume_allocator *allocator);
/* The same with nothing set: for much memory of which little may be used. */
bool rlm_arena_init_unset(struct rlm_arena *arena, const relume_allocator *allocator);
void rlm_arena_deinit(struct rlm_arena *arena);

#endif
