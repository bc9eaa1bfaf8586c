/* Files: reading whole ones with a limit, and replacing one so that a crash leaves the old or the new, never
 * a mixture. */
#ifndef RLM_BASE_FILE_H
#define RLM_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relume/engine.h"

/* Bytes in memory, allocated by rlm_alloc. */
struct rlm_bytes {
    unsigned char *data;
    size_t size;
};

/* Whether `path` exists (of any kind), and is a folder. */
bool rlm_file_exists(const char *path);
bool rlm_file_is_folder(const char *path);

/* Reads a whole regular file, or pipe, of at most `limit` bytes, which is open at its beginning; `path` is
 * for messages. IO (with the system's words), BAD_DATA above the limit or for a folder, NO_MEMORY. */
relume_status rlm_file_read(const relume_allocator *allocator, int descriptor, const char *path, size_t limit,
                            struct rlm_bytes *bytes, relume_error *error);

/* A file being replaced: written as `path` + ".tmp-THREAD", flushed, renamed over `path`, its folder flushed.
 */
struct rlm_file_writer {
    char *path, *temporary; /* by rlm_alloc */
    int descriptor;         /* −1: closed */
    uint64_t written;
};
/* NULL-safe pattern: open, write…, then commit or abort. After any failure the writer is aborted: the
 * temporary file is gone and the old one untouched. A failed fsync is never retried on the same file. */
relume_status rlm_file_open(const relume_allocator *allocator, struct rlm_file_writer *writer,
                            const char *path, relume_error *error);
relume_status rlm_file_write(struct rlm_file_writer *writer, const void *bytes, size_t size,
                             relume_error *error);
relume_status rlm_file_commit(struct rlm_file_writer *writer, relume_error *error);
void rlm_file_abort(struct rlm_file_writer *writer);

/* Makes a folder (its parent must exist) and flushes its parent, so that it survives a loss of power; one
 * that is already there is fine. */
relume_status rlm_folder_create(const relume_allocator *allocator, const char *path, relume_error *error);

#endif
