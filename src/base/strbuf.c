/* See strbuf.h. */
#include "base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"

/* Room for `more` bytes and the final 0. */
static bool strbuf_reserve(struct rlm_strbuf *buffer, size_t more)
{
    size_t wanted;
    if (buffer->failed || !rlm_size_add(buffer->length, more, &wanted) || !rlm_size_add(wanted, 1, &wanted)) {
        buffer->failed = true;
        return false;
    }
    if (wanted <= buffer->capacity)
        return true;
    size_t capacity = rlm_size_max(wanted, buffer->capacity + buffer->capacity / 2 + 64);
    char *text = rlm_realloc(buffer->allocator, buffer->text, capacity, 1);
    if (!text) {
        buffer->failed = true;
        return false;
    }
    buffer->text = text;
    buffer->capacity = capacity;
    return true;
}

void rlm_strbuf_append(struct rlm_strbuf *buffer, const char *bytes, size_t length)
{
    if (!strbuf_reserve(buffer, length))
        return;
    memcpy(buffer->text + buffer->length, bytes, length);
    buffer->length += length;
    buffer->text[buffer->length] = '\0';
}

void rlm_strbuf_print(struct rlm_strbuf *buffer, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int length = vsnprintf(NULL, 0, format, list);
    va_end(list);
    if (length < 0) {
        buffer->failed = true;
        return;
    }
    if (!strbuf_reserve(buffer, (size_t)length))
        return;
    va_start(list, format);
    (void)vsnprintf(buffer->text + buffer->length, (size_t)length + 1, format, list);
    va_end(list);
    buffer->length += (size_t)length;
}

void rlm_strbuf_reset(struct rlm_strbuf *buffer)
{
    buffer->length = 0;
    buffer->failed = false;
    if (buffer->text)
        buffer->text[0] = '\0';
}

void rlm_strbuf_deinit(struct rlm_strbuf *buffer)
{
    rlm_free(buffer->text);
    *buffer = (struct rlm_strbuf){.allocator = buffer->allocator};
}
