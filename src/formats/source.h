/* Where bytes come from: a file read with pread, or memory. Every parser reads through this, so that tests
 * and fuzzers need no disk. Nothing is mapped: a file that shrinks under a map is a SIGBUS.
 *
 * A source also carries the limits on what compressed data may expand to, and this header the words every
 * refusal begins with: the file, then the byte or the line and column. */
#ifndef RLM_FORMATS_SOURCE_H
#define RLM_FORMATS_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "relume/engine.h"

/* How far compressed data may expand. Expansion is refused beyond `free_bytes` as soon as it is more than
 * `ratio` times the compressed bytes, and beyond `memory` in any case. docs/formats.md states the defaults.
 */
struct rlm_limits {
    uint64_t free_bytes; /* = 64 MiB */
    uint64_t ratio;      /* = 200 */
    uint64_t memory;     /* = this machine's memory */
};
struct rlm_limits rlm_limits_default(void);

/* Most bytes that `compressed` bytes of deflate may become: the smaller of what the limits allow and what
 * deflate can do at all (1,032 to 1). */
uint64_t rlm_limits_expanded(const struct rlm_limits *limits, uint64_t compressed);

struct rlm_source {
    const char *name; /* the path as given; for messages */
    uint64_t size;
    struct rlm_limits limits;
    /* private */
    const unsigned char *bytes; /* NULL: pread from descriptor */
    int descriptor;             /* −1: none */
    char *owned_name;
    unsigned char *owned_bytes;
};

/* Opens a regular file; a pipe or another stream is read into memory first, at most limits.memory bytes.
 * NOT_FOUND, IO, RESOURCE, BAD_DATA for a folder, NO_MEMORY. */
relume_status rlm_source_open(const relume_allocator *allocator, struct rlm_source *source, const char *path,
                              relume_error *error);
/* Bytes the caller keeps alive as long as the source; `name` likewise. Needs no close. */
struct rlm_source rlm_source_of_bytes(const char *name, const void *bytes, size_t size);
/* Another source of the same open file, with limits and name; closing one leaves the other. Of bytes in
 * memory: USAGE, for nothing keeps those. RESOURCE, NO_MEMORY. */
relume_status rlm_source_copy(const relume_allocator *allocator, const struct rlm_source *source,
                              struct rlm_source *copy, relume_error *error);
/* Closing twice, or a zeroed source that was never opened by path, is fine. */
void rlm_source_close(struct rlm_source *source);

/* Reads exactly `size` bytes at `offset`. BAD_FORMAT when the file ends before (it may have shrunk), IO. */
relume_status rlm_source_read(const struct rlm_source *source, uint64_t offset, void *to, size_t size,
                              relume_error *error);
/* Reads up to `size` bytes at `offset` and returns how many there were; for looking at a file's first bytes.
 * 0 on errors. */
size_t rlm_source_peek(const struct rlm_source *source, uint64_t offset, void *to, size_t size);

/* Clears `error`, fills in place and message: "FILE, byte N: …", "FILE, line L, column C: …" (column 0: left
 * out), "FILE: …". */
relume_status rlm_refuse_at_byte(relume_error *error, relume_status status, const char *file, uint64_t byte,
                                 const char *format, ...) __attribute__((format(printf, 5, 6)));
relume_status rlm_refuse_at_line(relume_error *error, relume_status status, const char *file, uint64_t line,
                                 uint64_t column, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
relume_status rlm_refuse_file(relume_error *error, relume_status status, const char *file, const char *format,
                              ...) __attribute__((format(printf, 4, 5)));

#endif
