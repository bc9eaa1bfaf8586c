/* Different texts, each kept once and numbered in the order they first appear. */
#ifndef RLM_FORMATS_INTERN_H
#define RLM_FORMATS_INTERN_H

#include <stddef.h>
#include <stdint.h>

#include "relume/engine.h"

struct rlm_intern {
    const relume_allocator *allocator;
    size_t most; /* texts it takes */
    size_t count;
    char **texts;    /* [count], each by rlm_alloc */
    uint32_t *slots; /* number + 1 of a text by its hash; 0: empty */
    size_t slot_count;
};

/* The number of a text of `length` bytes, which it is given when it is new. RELUME_BAD_DATA when it would be
 * one too many, NO_MEMORY; both without a message. */
relume_status rlm_intern_add(struct rlm_intern *intern, const char *text, size_t length, uint32_t *number);
void rlm_intern_deinit(struct rlm_intern *intern);

#endif
