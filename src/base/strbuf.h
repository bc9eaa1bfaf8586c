/* A text that grows. After a failed allocation it stays as it is and `failed` is set: append freely, ask once
 * at the end. */
#ifndef RLM_BASE_STRBUF_H
#define RLM_BASE_STRBUF_H

#include <stdbool.h>
#include <stddef.h>

#include "relume/engine.h"

struct rlm_strbuf {
    const relume_allocator *allocator; /* NULL: the default */
    char *text;                        /* ends in a 0 byte; NULL while empty */
    size_t length, capacity;
    bool failed;
};

void rlm_strbuf_append(struct rlm_strbuf *buffer, const char *bytes, size_t length);
void rlm_strbuf_print(struct rlm_strbuf *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Empties it and keeps the memory; frees it. */
void rlm_strbuf_reset(struct rlm_strbuf *buffer);
void rlm_strbuf_deinit(struct rlm_strbuf *buffer);

#endif
