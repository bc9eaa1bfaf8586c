/* See source.h. */
#include "formats/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

/* One pread takes at most this much; Linux itself stops at 2 GiB − 4 KiB. */
#define READ_MOST ((size_t)1 << 30)

struct rlm_limits rlm_limits_default(void)
{
    struct rlm_limits limits = {.free_bytes = (uint64_t)64 << 20, .ratio = 200, .memory = (uint64_t)1 << 40};
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (pages > 0 && page > 0)
        limits.memory = (uint64_t)pages * (uint64_t)page;
    return limits;
}

uint64_t rlm_limits_expanded(const struct rlm_limits *limits, uint64_t compressed)
{
    /* deflate: at best 258 bytes for 2 bits, so 1,032 to 1, and a little for the first block */
    uint64_t possible, allowed;
    if (__builtin_mul_overflow(compressed, 1032, &possible) ||
        __builtin_add_overflow(possible, 1032, &possible))
        possible = UINT64_MAX;
    if (__builtin_mul_overflow(compressed, limits->ratio, &allowed) || allowed > limits->memory)
        allowed = limits->memory;
    if (allowed < limits->free_bytes)
        allowed = limits->free_bytes;
    return possible < allowed ? possible : allowed;
}

static relume_status system_refuse(relume_error *error, int number, const char *path)
{
    rlm_error_clear(error);
    rlm_error_at_file(error, path);
    relume_status status = number == ENOENT || number == ENOTDIR  ? RELUME_NOT_FOUND
                           : number == EMFILE || number == ENFILE ? RELUME_RESOURCE
                                                                  : RELUME_IO;
    return rlm_error_system(error, status, number, "%s: cannot open", path);
}

/* A stream without a size (a pipe, a device) becomes bytes, and the descriptor is closed. */
static relume_status stream_slurp(const relume_allocator *allocator, struct rlm_source *source,
                                  relume_error *error)
{
    struct rlm_bytes bytes;
    size_t limit = source->limits.memory > SIZE_MAX ? SIZE_MAX : (size_t)source->limits.memory;
    relume_status status = rlm_file_read(allocator, source->descriptor, source->name, limit, &bytes, error);
    (void)close(source->descriptor);
    source->descriptor = -1;
    if (status != RELUME_OK)
        return status;
    source->owned_bytes = bytes.data;
    source->bytes = bytes.data;
    source->size = bytes.size;
    return RELUME_OK;
}

/* What it is, is asked of the file that is open: the name may lead to another by then. */
static relume_status source_open(const relume_allocator *allocator, struct rlm_source *source,
                                 relume_error *error)
{
    struct stat about;
    do
        source->descriptor = open(source->name, O_RDONLY | O_CLOEXEC);
    while (source->descriptor < 0 && errno == EINTR);
    if (source->descriptor < 0 || fstat(source->descriptor, &about) != 0)
        return system_refuse(error, errno, source->name);
    if (!S_ISREG(about.st_mode))
        return stream_slurp(allocator, source, error);
    source->size = (uint64_t)about.st_size;
    return RELUME_OK;
}

relume_status rlm_source_open(const relume_allocator *allocator, struct rlm_source *source, const char *path,
                              relume_error *error)
{
    struct rlm_source opened = {.limits = rlm_limits_default(), .descriptor = -1};
    opened.owned_name = rlm_strdup(allocator, path);
    if (!opened.owned_name)
        return rlm_error_memory(error, strlen(path) + 1, "a path");
    opened.name = opened.owned_name;
    relume_status status = source_open(allocator, &opened, error);
    if (status != RELUME_OK) {
        rlm_source_close(&opened);
        return status;
    }
    *source = opened;
    return RELUME_OK;
}

struct rlm_source rlm_source_of_bytes(const char *name, const void *bytes, size_t size)
{
    return (struct rlm_source){
        .name = name, .size = size, .limits = rlm_limits_default(), .bytes = bytes, .descriptor = -1};
}

relume_status rlm_source_copy(const relume_allocator *allocator, const struct rlm_source *source,
                              struct rlm_source *copy, relume_error *error)
{
    struct rlm_source made = {.size = source->size, .limits = source->limits};
    if (source->descriptor < 0)
        return rlm_refuse_file(error, RELUME_USAGE, source->name, "is no file that could be kept open");
    made.owned_name = rlm_strdup(allocator, source->name);
    if (!made.owned_name)
        return rlm_error_memory(error, strlen(source->name) + 1, "a path");
    made.name = made.owned_name;
    made.descriptor = fcntl(source->descriptor, F_DUPFD_CLOEXEC, 0);
    if (made.descriptor < 0) {
        rlm_free(made.owned_name);
        return system_refuse(error, errno, source->name);
    }
    *copy = made;
    return RELUME_OK;
}

void rlm_source_close(struct rlm_source *source)
{
    /* a zeroed source has descriptor 0, which is not its own: only one opened by path has a name of its own
     */
    if (source->owned_name && source->descriptor >= 0)
        (void)close(source->descriptor);
    rlm_free(source->owned_name);
    rlm_free(source->owned_bytes);
    *source = (struct rlm_source){.descriptor = -1};
}

relume_status rlm_source_read(const struct rlm_source *source, uint64_t offset, void *to, size_t size,
                              relume_error *error)
{
    if (offset > source->size || size > source->size - offset)
        return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, source->name, source->size,
                                  "the file ends here; %zu bytes were expected at byte %llu", size,
                                  (unsigned long long)offset);
    if (source->bytes) {
        if (size)
            memcpy(to, source->bytes + offset, size);
        return RELUME_OK;
    }
    for (unsigned char *at = to; size;) {
        ssize_t got = pread(source->descriptor, at, size < READ_MOST ? size : READ_MOST, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            int number = errno;
            rlm_error_clear(error);
            rlm_error_at_byte(error, source->name, offset);
            return rlm_error_system(error, RELUME_IO, number, "%s, byte %llu: cannot read", source->name,
                                    (unsigned long long)offset);
        }
        if (got == 0)
            return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, source->name, offset,
                                      "the file has become shorter while it was read");
        at += got;
        size -= (size_t)got;
        offset += (uint64_t)got;
    }
    return RELUME_OK;
}

size_t rlm_source_peek(const struct rlm_source *source, uint64_t offset, void *to, size_t size)
{
    if (offset >= source->size)
        return 0;
    if (size > source->size - offset)
        size = (size_t)(source->size - offset);
    return rlm_source_read(source, offset, to, size, NULL) == RELUME_OK ? size : 0;
}

/* The sentence after the place. */
#define REASON_SIZE 512

relume_status rlm_refuse_at_byte(relume_error *error, relume_status status, const char *file, uint64_t byte,
                                 const char *format, ...)
{
    if (!error)
        return status;
    char reason[REASON_SIZE];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(reason, sizeof reason, format, list);
    va_end(list);
    rlm_error_clear(error);
    rlm_error_at_byte(error, file, byte);
    return rlm_error_set(error, status, "%.200s, byte %llu: %s", error->file, (unsigned long long)byte,
                         reason);
}

relume_status rlm_refuse_at_line(relume_error *error, relume_status status, const char *file, uint64_t line,
                                 uint64_t column, const char *format, ...)
{
    if (!error)
        return status;
    char reason[REASON_SIZE], place[32] = "";
    va_list list;
    va_start(list, format);
    (void)vsnprintf(reason, sizeof reason, format, list);
    va_end(list);
    rlm_error_clear(error);
    rlm_error_at_line(error, file, line, column);
    if (column)
        (void)snprintf(place, sizeof place, ", column %llu", (unsigned long long)column);
    return rlm_error_set(error, status, "%.160s, line %llu%s: %s", error->file, (unsigned long long)line,
                         place, reason);
}

relume_status rlm_refuse_file(relume_error *error, relume_status status, const char *file, const char *format,
                              ...)
{
    if (!error)
        return status;
    char reason[REASON_SIZE];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(reason, sizeof reason, format, list);
    va_end(list);
    rlm_error_clear(error);
    rlm_error_at_file(error, file);
    return rlm_error_set(error, status, "%.240s: %s", error->file, reason);
}
