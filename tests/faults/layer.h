/* A layer between relume and the C library that refuses, records and lies on demand.
 *
 * A test program linked with layer.c has its own malloc, write, fsync, rename and the like: the linker
 * prefers them to the C library's for the program and for every library it loads, so the allocations and file
 * calls of SQLite, jansson, zlib and libzip pass through here as well, and the code under test is the code
 * that ships. All state is in `layer`, armed in a child process that runs one command and ends. */
#ifndef RLM_TESTS_FAULT_LAYER_H
#define RLM_TESTS_FAULT_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- recorded file calls ---- */

enum layer_kind {
    LAYER_CREATE,
    LAYER_WRITE,
    LAYER_TRUNCATE,
    LAYER_SYNC,
    LAYER_SYNC_FOLDER,
    LAYER_RENAME,
    LAYER_UNLINK,
    LAYER_MKDIR
};

enum { LAYER_PATH = 160, LAYER_CALLS = 20000, LAYER_BYTES = 64 << 20 };

struct layer_call {
    enum layer_kind kind;
    uint64_t file;                 /* inode */
    uint64_t offset, length, data; /* WRITE: data is a place in layer_log.bytes; TRUNCATE: length */
    char path[LAYER_PATH], to[LAYER_PATH];
};

struct layer_log {
    size_t count, used;
    struct layer_call call[LAYER_CALLS];
    unsigned char bytes[LAYER_BYTES];
};

/* ---- what the layer does ---- */

enum { LAYER_SHORT = -1 }; /* an error number: writes half, then goes on as if nothing were */

enum { LAYER_LEFT = 64 };

struct layer {
    /* memory: calls are counted while `counting`; call number refuse_at (from 1), or each from there on, gets
     * NULL */
    bool counting, refuse_after;
    size_t allocations, refuse_at;
    /* files: calls that open for writing, write, sync, truncate, rename, unlink or make something under
     * `folder` are counted; call number fail_at, or each from there on, fails with fail_errno */
    const char *folder;
    size_t calls, fail_at;
    bool fail_after;
    int fail_errno;
    struct layer_log *log; /* NULL: nothing is recorded */
    /* the clock: seconds that each look at CLOCK_REALTIME and CLOCK_MONOTONIC adds, such as −3600 */
    double realtime_jump;
};
extern struct layer layer;

/* Blocks allocated while counting and not freed, by who called: fills up to LAYER_LEFT callers. */
struct layer_left {
    size_t callers;
    struct {
        void *caller;
        size_t blocks, bytes;
    } by[LAYER_LEFT];
};
void layer_count_left(struct layer_left *left);

#endif
