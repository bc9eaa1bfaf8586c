/* Memory through the injected allocator: aligned to 64 bytes, counts checked for overflow.
 *
 * A block remembers its size and allocator in front of itself, so that it is freed with one argument. */
#ifndef RLM_BASE_ALLOC_H
#define RLM_BASE_ALLOC_H

#include <stddef.h>

#include "relume/engine.h"

/* The C library's aligned_alloc and free. */
extern const relume_allocator rlm_allocator_default;

/* count · size bytes, aligned to 64, contents unset (zeroed); NULL when the product overflows or memory is
 * refused. A count of 0 gives a valid block. `allocator` NULL: the default. */
void *rlm_alloc(const relume_allocator *allocator, size_t count, size_t size);
void *rlm_alloc_zero(const relume_allocator *allocator, size_t count, size_t size);

/* A block of at least count · size bytes with the first bytes of `block` (NULL allowed); on failure NULL,
 * `block` still valid. */
void *rlm_realloc(const relume_allocator *allocator, void *block, size_t count, size_t size);

/* A copy of a text or of its first `length` bytes. */
char *rlm_strdup(const relume_allocator *allocator, const char *text);
char *rlm_strndup(const relume_allocator *allocator, const char *text, size_t length);

/* NULL allowed. */
void rlm_free(void *block);

#endif
