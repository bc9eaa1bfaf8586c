/* Filling in a relume_error: a status, a place and one formatted sentence.
 *
 * Every function takes a NULL error and does nothing but return the status, so that `return
 * rlm_error_set(...)` is the usual way out. Place first: `rlm_error_at_byte(error, path, 12); return
 * rlm_error_set(error, ...)`. The message must name the place itself too: the fields are for programs, the
 * sentence for people. */
#ifndef RLM_BASE_ERROR_H
#define RLM_BASE_ERROR_H

#include <stddef.h>
#include <stdint.h>

#include "relume/status.h"

/* Sets the status and the formatted message, keeps the place already given, returns `status`. */
relume_status rlm_error_set(relume_error *error, relume_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Like rlm_error_set, with `: ` and the text of `errno_value` at the end ("no space left on device"). IO
 * becomes NO_MEMORY or RESOURCE where `errno_value` says so. */
relume_status rlm_error_system(relume_error *error, relume_status status, int errno_value, const char *format,
                               ...) __attribute__((format(printf, 4, 5)));

/* Forgets all: call it where an error begins to be described, before the place. */
void rlm_error_clear(relume_error *error);

/* Puts the place in (file may be NULL: unchanged). */
void rlm_error_at_file(relume_error *error, const char *file);
void rlm_error_at_byte(relume_error *error, const char *file, uint64_t byte);
void rlm_error_at_line(relume_error *error, const char *file, uint64_t line, uint64_t column);
void rlm_error_at_item(relume_error *error, const char *item);

/* The usual words for memory that could not be had: "cannot allocate N bytes for WHAT". */
static inline relume_status rlm_error_memory(relume_error *error, size_t bytes, const char *what)
{
    (void)rlm_error_set(error, RELUME_NO_MEMORY, "cannot allocate %zu bytes for %s", bytes, what);
    return RELUME_NO_MEMORY; /* here, so that analysers of one file see that it is no success */
}

/* Leaves the function when `call` fails, and hands its status on. */
#define RLM_TRY(call)                                                                                        \
    do {                                                                                                     \
        relume_status rlm_try_status = (call);                                                               \
        if (rlm_try_status != RELUME_OK)                                                                     \
            return rlm_try_status;                                                                           \
    } while (0)

#endif
