/* What every fuzz target starts from: an allocator that knows how much an input may cost, and what must hold
 * of every refusal. A target is one function over bytes in memory; libFuzzer, or replay.c in an ordinary
 * build, calls it. Whatever must not be, aborts. docs/fuzzing.md tells how they are run. */
#ifndef RLM_FUZZ_H
#define RLM_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "formats/source.h"
#include "formats/text.h"
#include "relume/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_MUST(condition)                                                                                 \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);             \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

/* The name every input has in messages. */
#define FUZZ_NAME "input"

/* ---- memory ---- */

/* Bytes held through the allocator now, and the most an input may make it hold. */
struct fuzz_memory {
    size_t held, most;
};

static inline void *fuzz_alloc(void *user, size_t size, size_t align)
{
    struct fuzz_memory *memory = user;
    FUZZ_MUST(size <= memory->most && memory->held <= memory->most - size);
    memory->held += size;
    return rlm_allocator_default.alloc(NULL, size, align);
}

static inline void fuzz_free(void *user, void *block, size_t size)
{
    struct fuzz_memory *memory = user;
    memory->held -= size;
    rlm_allocator_default.free(NULL, block, size);
}

static inline relume_allocator fuzz_allocator(struct fuzz_memory *memory)
{
    return (relume_allocator){fuzz_alloc, fuzz_free, memory};
}

/* What an input of this size may make us hold: `factor` bytes for each byte of it, or, where deflate may be
 * at work in it, for each of the 1,032 bytes it can become; and half a MiB for buffers. */
static inline struct fuzz_memory fuzz_budget(size_t size, size_t factor, bool compressed)
{
    return (struct fuzz_memory){.most = ((size_t)1 << 19) + size * factor * (compressed ? 1032 : 1)};
}

static inline bool fuzz_is_gzip(const uint8_t *data, size_t size)
{
    return size >= 2 && data[0] == 0x1f && data[1] == 0x8b;
}

/* ---- refusals ---- */

static inline bool fuzz_is_line(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

/* A refusal is one line of UTF-8 fit for a terminal that begins with the file, and its status is one that a
 * file can be to blame for. */
static inline void fuzz_check_refusal_of(const char *name, relume_status status, const relume_error *error)
{
    if (getenv("FUZZ_TELL"))
        (void)fprintf(stderr, "%s: %s\n", relume_status_name(status), error->message);
    FUZZ_MUST(status == error->status);
    FUZZ_MUST(status == RELUME_BAD_FORMAT || status == RELUME_BAD_DATA || status == RELUME_MISMATCH ||
              status == RELUME_NOT_FOUND || status == RELUME_USAGE);
    FUZZ_MUST(strncmp(error->message, name, strlen(name)) == 0);
    FUZZ_MUST(strlen(error->message) > strlen(name) + 10);
    FUZZ_MUST(rlm_utf8_is_valid(error->message) && fuzz_is_line(error->message));
    FUZZ_MUST(strncmp(error->file, name, strlen(name)) == 0);
}
static inline void fuzz_check_refusal(relume_status status, const relume_error *error)
{
    fuzz_check_refusal_of(FUZZ_NAME, status, error);
}

/* ---- values ---- */

/* Reads every byte, so that a sanitizer sees each, and gives a number that depends on all of them. */
static inline uint64_t fuzz_touch(const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    uint64_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = sum * 31 + at[i];
    return sum;
}

#endif
