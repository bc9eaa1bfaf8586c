/* See layer.h. The C library's own functions are reached as __libc_malloc and the like, and by dlsym. */
#undef _FILE_OFFSET_BITS /* so that open and open64 are two names here */
#define _GNU_SOURCE      /* RTLD_NEXT, O_TMPFILE */
#include "layer.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

struct layer layer;

/* The parameters have names of their own here, not those of the system's headers. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

/* ---- memory ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *block);

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

/* Blocks that were allocated while counting: a hash table without deletion marks, so removal shifts back. */
enum { TABLE = 1 << 18 };
static struct {
    void *block, *caller;
    size_t size;
} table[TABLE];

static size_t place_of(const void *block)
{
    return (size_t)(((uintptr_t)block >> 4) * 0x9E3779B97F4A7C15u >> 40) % TABLE;
}

static void remember(void *block, size_t size, void *caller)
{
    if (!layer.counting || !block)
        return;
    (void)pthread_mutex_lock(&guard);
    size_t at = place_of(block);
    while (table[at].block)
        at = (at + 1) % TABLE;
    table[at].block = block;
    table[at].size = size;
    table[at].caller = caller;
    (void)pthread_mutex_unlock(&guard);
}

static void forget(void *block)
{
    if (!layer.counting || !block)
        return;
    (void)pthread_mutex_lock(&guard);
    size_t at = place_of(block);
    while (table[at].block && table[at].block != block)
        at = (at + 1) % TABLE;
    if (table[at].block) {
        size_t hole = at;
        for (size_t next = (at + 1) % TABLE; table[next].block; next = (next + 1) % TABLE) {
            size_t home = place_of(table[next].block);
            if ((next - home) % TABLE >= (next - hole) % TABLE) {
                table[hole] = table[next];
                hole = next;
            }
        }
        table[hole].block = NULL;
    }
    (void)pthread_mutex_unlock(&guard);
}

static bool refused(void)
{
    if (!layer.counting)
        return false;
    size_t number = __atomic_add_fetch(&layer.allocations, 1, __ATOMIC_RELAXED);
    bool no = layer.refuse_at > 0 &&
              (number == layer.refuse_at || (layer.refuse_after && number > layer.refuse_at));
    if (no)
        errno = ENOMEM;
    return no;
}

void *malloc(size_t size)
{
    void *block = refused() ? NULL : __libc_malloc(size);
    remember(block, size, __builtin_return_address(0));
    return block;
}

void *calloc(size_t count, size_t size)
{
    void *block = refused() ? NULL : __libc_calloc(count, size);
    remember(block, count * size, __builtin_return_address(0));
    return block;
}

void *realloc(void *old, size_t size)
{
    if (refused())
        return NULL;
    forget(old);
    void *block = __libc_realloc(old, size);
    remember(block, size, __builtin_return_address(0));
    return block;
}

static void *align_to(size_t align, size_t size, void *caller)
{
    void *block = refused() ? NULL : __libc_memalign(align, size);
    remember(block, size, caller);
    return block;
}

void *memalign(size_t align, size_t size);
void *memalign(size_t align, size_t size)
{
    return align_to(align, size, __builtin_return_address(0));
}

void *aligned_alloc(size_t align, size_t size)
{
    return align_to(align, size, __builtin_return_address(0));
}

int posix_memalign(void **block, size_t align, size_t size)
{
    void *made = align_to(align, size, __builtin_return_address(0));
    if (!made)
        return ENOMEM;
    *block = made;
    return 0;
}

void free(void *block)
{
    forget(block);
    __libc_free(block);
}

void layer_count_left(struct layer_left *left)
{
    layer.counting = false;
    left->callers = 0;
    for (size_t i = 0; i < TABLE; i++) {
        if (!table[i].block)
            continue;
        size_t c = 0;
        while (c < left->callers && left->by[c].caller != table[i].caller)
            c++;
        if (c == LAYER_LEFT)
            continue;
        if (c == left->callers) {
            left->callers++;
            left->by[c].caller = table[i].caller;
            left->by[c].blocks = left->by[c].bytes = 0;
        }
        left->by[c].blocks++;
        left->by[c].bytes += table[i].size;
    }
}

/* ---- files ---- */

/* The C library's function of this name. */
static void *find_real(const char *name)
{
    bool counting = layer.counting;
    layer.counting = false;
    void *found = dlsym(RTLD_NEXT, name);
    layer.counting = counting;
    return found;
}

/* A function pointer through memcpy: ISO C has no cast for it. */
#define REAL(type, name)                                                                                     \
    static __typeof__(type) real;                                                                            \
    if (!real) {                                                                                             \
        void *found = find_real(name);                                                                       \
        memcpy(&real, &found, sizeof real);                                                                  \
    }

static bool is_ours(const char *path)
{
    return layer.folder && strncmp(path, layer.folder, strlen(layer.folder)) == 0;
}

/* The path of a descriptor under the folder; false for any other. */
static bool path_of(int descriptor, char path[LAYER_PATH])
{
    char link[40];
    if (!layer.folder)
        return false;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, LAYER_PATH - 1);
    if (length < 0)
        return false;
    path[length] = '\0';
    return is_ours(path);
}

/* Counts a call; whether it must fail now, with errno set. */
static bool fails(void)
{
    layer.calls++;
    if (layer.fail_at == 0 || layer.fail_errno == LAYER_SHORT ||
        !(layer.calls == layer.fail_at || (layer.fail_after && layer.calls > layer.fail_at)))
        return false;
    errno = layer.fail_errno;
    return true;
}

static struct layer_call *record(enum layer_kind kind, const char *path)
{
    static struct layer_call ignored;
    if (!layer.log || layer.log->count == LAYER_CALLS)
        return &ignored;
    struct layer_call *call = &layer.log->call[layer.log->count++];
    *call = (struct layer_call){.kind = kind};
    (void)snprintf(call->path, sizeof call->path, "%s", path);
    return call;
}

static uint64_t inode_of(int descriptor)
{
    struct stat status;
    return fstat(descriptor, &status) == 0 ? (uint64_t)status.st_ino : 0;
}

static uint64_t inode_at(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 ? (uint64_t)status.st_ino : 0;
}

static void record_write(int descriptor, const char *path, const void *bytes, size_t size, uint64_t offset)
{
    if (!layer.log || layer.log->used + size > LAYER_BYTES)
        return;
    struct layer_call *call = record(LAYER_WRITE, path);
    call->file = inode_of(descriptor);
    call->offset = offset;
    call->length = size;
    call->data = layer.log->used;
    memcpy(layer.log->bytes + layer.log->used, bytes, size);
    layer.log->used += size;
}

static int open_file(const char *path, int flags, mode_t mode)
{
    REAL(int (*)(const char *, int, ...), "open64")
    if (!is_ours(path) || (flags & (O_CREAT | O_WRONLY | O_RDWR | O_TRUNC)) == 0)
        return real(path, flags, mode);
    if (fails())
        return -1;
    bool there = access(path, F_OK) == 0;
    int descriptor = real(path, flags, mode);
    if (descriptor >= 0 && !there)
        record(LAYER_CREATE, path)->file = inode_of(descriptor);
    else if (descriptor >= 0 && (flags & O_TRUNC))
        record(LAYER_TRUNCATE, path)->file = inode_of(descriptor);
    return descriptor;
}

static mode_t mode_of(int flags, va_list list)
{
    return (flags & O_CREAT) != 0 ? (mode_t)va_arg(list, int) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_of(flags, list);
    va_end(list);
    return open_file(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_of(flags, list);
    va_end(list);
    return open_file(path, flags, mode);
}

/* Bytes to write now: half of them where this call is to be a short one. */
static size_t shorten(size_t size)
{
    bool now = layer.fail_errno == LAYER_SHORT && layer.calls == layer.fail_at;
    return now && size > 1 ? size / 2 : size;
}

ssize_t write(int descriptor, const void *bytes, size_t size)
{
    REAL(ssize_t(*)(int, const void *, size_t), "write")
    char path[LAYER_PATH];
    if (!path_of(descriptor, path))
        return real(descriptor, bytes, size);
    if (fails())
        return -1;
    off_t offset = lseek(descriptor, 0, SEEK_CUR);
    ssize_t put = real(descriptor, bytes, shorten(size));
    if (put > 0)
        record_write(descriptor, path, bytes, (size_t)put, (uint64_t)offset);
    return put;
}

static ssize_t write_at(int descriptor, const void *bytes, size_t size, off_t offset)
{
    REAL(ssize_t(*)(int, const void *, size_t, off_t), "pwrite64")
    char path[LAYER_PATH];
    if (!path_of(descriptor, path))
        return real(descriptor, bytes, size, offset);
    if (fails())
        return -1;
    ssize_t put = real(descriptor, bytes, shorten(size), offset);
    if (put > 0)
        record_write(descriptor, path, bytes, (size_t)put, (uint64_t)offset);
    return put;
}

ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t offset)
{
    return write_at(descriptor, bytes, size, offset);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t size, off64_t offset)
{
    return write_at(descriptor, bytes, size, offset);
}

static int sync_file(int descriptor)
{
    REAL(int (*)(int), "fsync")
    char path[LAYER_PATH];
    if (!path_of(descriptor, path))
        return real(descriptor);
    if (fails())
        return -1;
    struct stat status;
    bool folder = fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode);
    record(folder ? LAYER_SYNC_FOLDER : LAYER_SYNC, path)->file = inode_of(descriptor);
    return 0; /* a folder in memory has nothing to flush, and a disk would take its time */
}

int fsync(int descriptor)
{
    return sync_file(descriptor);
}

int fdatasync(int descriptor)
{
    return sync_file(descriptor);
}

static int truncate_file(int descriptor, off_t length)
{
    REAL(int (*)(int, off_t), "ftruncate64")
    char path[LAYER_PATH];
    if (!path_of(descriptor, path))
        return real(descriptor, length);
    if (fails())
        return -1;
    int result = real(descriptor, length);
    if (result == 0) {
        struct layer_call *call = record(LAYER_TRUNCATE, path);
        call->file = inode_of(descriptor);
        call->length = (uint64_t)length;
    }
    return result;
}

int ftruncate(int descriptor, off_t length)
{
    return truncate_file(descriptor, length);
}

int ftruncate64(int descriptor, off64_t length)
{
    return truncate_file(descriptor, length);
}

int rename(const char *from, const char *to)
{
    REAL(int (*)(const char *, const char *), "rename")
    if (!is_ours(from))
        return real(from, to);
    if (fails())
        return -1;
    uint64_t file = inode_at(from);
    int result = real(from, to);
    if (result == 0) {
        struct layer_call *call = record(LAYER_RENAME, from);
        call->file = file;
        (void)snprintf(call->to, sizeof call->to, "%s", to);
    }
    return result;
}

int unlink(const char *path)
{
    REAL(int (*)(const char *), "unlink")
    if (!is_ours(path))
        return real(path);
    if (fails())
        return -1;
    int result = real(path);
    if (result == 0)
        (void)record(LAYER_UNLINK, path);
    return result;
}

int mkdir(const char *path, mode_t mode)
{
    REAL(int (*)(const char *, mode_t), "mkdir")
    if (!is_ours(path))
        return real(path, mode);
    if (fails())
        return -1;
    int result = real(path, mode);
    if (result == 0)
        (void)record(LAYER_MKDIR, path);
    return result;
}

/* The C library keeps what it loads here for good, and makes up for what it cannot load: not our subject. */
char *setlocale(int category, const char *name)
{
    REAL(char *(*)(int, const char *), "setlocale")
    bool counting = layer.counting;
    layer.counting = false;
    char *result = real(category, name);
    mbstate_t none = {0};
    (void)mbrtowc(NULL, "a", 1, &none); /* loads the conversion of the locale's characters */
    layer.counting = counting;
    return result;
}

/* ---- the clock ---- */

static double jumped;

int clock_gettime(clockid_t clock, struct timespec *time)
{
    REAL(int (*)(clockid_t, struct timespec *), "clock_gettime")
    int result = real(clock, time);
    if (result == 0 && layer.realtime_jump != 0 && clock == CLOCK_REALTIME) {
        jumped += layer.realtime_jump;
        time->tv_sec += (time_t)jumped;
    }
    return result;
}

time_t time(time_t *to)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (to)
        *to = now.tv_sec;
    return now.tv_sec;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
