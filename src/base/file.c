/* See file.h. Plain system calls: each return value is looked at, interrupted calls are repeated, short ones
 * continued. */
#define _GNU_SOURCE /* gettid; realpath */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"

#define FIRST_ROOM 4096

bool rlm_file_exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

bool rlm_file_is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* `status` for a system call on `path` that failed with `code`. */
static relume_status failed_as(relume_error *error, relume_status status, const char *path, int code,
                               const char *what)
{
    rlm_error_clear(error);
    rlm_error_at_file(error, path);
    return rlm_error_system(error, status, code, "%s: cannot %s", path, what);
}

static relume_status system_failed(relume_error *error, const char *path, int code, const char *what)
{
    bool missing = code == ENOENT || code == ENOTDIR;
    return failed_as(error, missing ? RELUME_NOT_FOUND : RELUME_IO, path, code, what);
}

static int open_again(const char *path, int flags, mode_t mode)
{
    int descriptor;
    do
        descriptor = open(path, flags, mode);
    while (descriptor < 0 && errno == EINTR);
    return descriptor;
}

static ssize_t read_again(int descriptor, void *to, size_t size)
{
    ssize_t got;
    do
        got = read(descriptor, to, size);
    while (got < 0 && errno == EINTR);
    return got;
}

static relume_status too_large(relume_error *error, const char *path, size_t limit)
{
    rlm_error_clear(error);
    rlm_error_at_file(error, path);
    return rlm_error_set(error, RELUME_BAD_DATA,
                         "%s: larger than %zu bytes, the most that is read of such a file", path, limit);
}

/* The room to begin with: the size of a regular file and one byte more, so that its end is seen at once. */
static relume_status first_room(int descriptor, const char *path, size_t limit, size_t *room,
                                relume_error *error)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return system_failed(error, path, errno, "read");
    if (S_ISDIR(status.st_mode)) {
        rlm_error_clear(error);
        rlm_error_at_file(error, path);
        return rlm_error_set(error, RELUME_BAD_DATA, "%s: is a folder; a file was expected", path);
    }
    if (S_ISREG(status.st_mode) && (uintmax_t)status.st_size > limit)
        return too_large(error, path, limit);
    *room = rlm_size_max(S_ISREG(status.st_mode) ? (size_t)status.st_size + 1 : 0, FIRST_ROOM);
    return RELUME_OK;
}

/* Reads to the end into bytes->data, which has `room` bytes and grows. */
static relume_status read_to_end(int descriptor, const relume_allocator *allocator, const char *path,
                                 size_t limit, size_t room, struct rlm_bytes *bytes, relume_error *error)
{
    for (;;) {
        if (bytes->size == room) {
            void *larger = NULL;
            if (rlm_size_multiply(room, 2, &room))
                larger = rlm_realloc(allocator, bytes->data, room, 1);
            if (!larger)
                return rlm_error_memory(error, room, path);
            bytes->data = larger;
        }
        ssize_t got = read_again(descriptor, bytes->data + bytes->size, room - bytes->size);
        if (got < 0)
            return system_failed(error, path, errno, "read");
        if (got == 0)
            return RELUME_OK;
        bytes->size += (size_t)got;
        if (bytes->size > limit)
            return too_large(error, path, limit);
    }
}

relume_status rlm_file_read(const relume_allocator *allocator, int descriptor, const char *path, size_t limit,
                            struct rlm_bytes *bytes, relume_error *error)
{
    size_t room = 0;
    struct rlm_bytes made = {NULL, 0};
    RLM_TRY(first_room(descriptor, path, limit, &room, error));
    made.data = rlm_alloc(allocator, room, 1);
    if (!made.data)
        return rlm_error_memory(error, room, path);
    relume_status status = read_to_end(descriptor, allocator, path, limit, room, &made, error);
    if (status == RELUME_OK)
        *bytes = made;
    else
        rlm_free(made.data);
    return status;
}

/* What `path` is now: *mode becomes the permissions a new file gets (those of the old one, where there is
 * one). */
static relume_status target_look(const char *path, mode_t *mode, relume_error *error)
{
    struct stat status;
    *mode = 0;
    if (stat(path, &status) != 0)
        return errno == ENOENT ? RELUME_OK : system_failed(error, path, errno, "write");
    if (!S_ISREG(status.st_mode)) {
        rlm_error_clear(error);
        rlm_error_at_file(error, path);
        return rlm_error_set(error, RELUME_USAGE, "%s: is a %s; only a regular file can be replaced", path,
                             S_ISDIR(status.st_mode) ? "folder" : "device, pipe or socket");
    }
    *mode = status.st_mode & 0777;
    return RELUME_OK;
}

/* Fills in writer->path (a symbolic link followed, so that the link stays) and writer->temporary, which bears
 * the thread's number: another thread may be replacing the same file at this moment. */
static relume_status names_make(const relume_allocator *allocator, struct rlm_file_writer *writer,
                                const char *path, relume_error *error)
{
    char *real = realpath(path, NULL); /* NULL where there is no such file yet */
    const char *target = real ? real : path;
    size_t length = strlen(target), room = length + 32;
    writer->path = rlm_strdup(allocator, target);
    writer->temporary = rlm_alloc(allocator, room, 1);
    if (writer->temporary)
        (void)snprintf(writer->temporary, room, "%s.tmp-%ld", target, (long)gettid());
    free(real);
    return writer->path && writer->temporary ? RELUME_OK : rlm_error_memory(error, room, path);
}

/* Opens the temporary file afresh. One that is there is left from a thread that had this number and died. */
static relume_status temporary_open(struct rlm_file_writer *writer, mode_t mode, relume_error *error)
{
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    writer->descriptor = open_again(writer->temporary, flags, 0666);
    if (writer->descriptor < 0 && errno == EEXIST && unlink(writer->temporary) == 0)
        writer->descriptor = open_again(writer->temporary, flags, 0666);
    if (writer->descriptor < 0)
        return system_failed(error, writer->path, errno, "create a file beside it");
    if (mode != 0 && fchmod(writer->descriptor, mode) != 0)
        return system_failed(error, writer->path, errno, "keep its permissions");
    return RELUME_OK;
}

relume_status rlm_file_open(const relume_allocator *allocator, struct rlm_file_writer *writer,
                            const char *path, relume_error *error)
{
    *writer = (struct rlm_file_writer){.descriptor = -1};
    mode_t mode;
    RLM_TRY(target_look(path, &mode, error));
    relume_status status = names_make(allocator, writer, path, error);
    if (status == RELUME_OK)
        status = temporary_open(writer, mode, error);
    if (status != RELUME_OK)
        rlm_file_abort(writer);
    return status;
}

/* Describes the failure of the writer's file, and gives the writer up. */
static relume_status writer_failed(struct rlm_file_writer *writer, int code, const char *what,
                                   relume_error *error)
{
    /* what is not there any more was taken away while it was written */
    relume_status status = failed_as(error, RELUME_IO, writer->path, code, what);
    rlm_file_abort(writer);
    return status;
}

relume_status rlm_file_write(struct rlm_file_writer *writer, const void *bytes, size_t size,
                             relume_error *error)
{
    const unsigned char *at = bytes;
    if (writer->descriptor < 0)
        return rlm_error_set(error, RELUME_IO, "the file was given up after an earlier failure");
    while (size > 0) {
        ssize_t put = write(writer->descriptor, at, rlm_size_min(size, SSIZE_MAX));
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            char what[64];
            (void)snprintf(what, sizeof what, "write after byte %" PRIu64, writer->written);
            return writer_failed(writer, errno, what, error);
        }
        at += put;
        size -= (size_t)put;
        writer->written += (uint64_t)put;
    }
    return RELUME_OK;
}

/* Flushes the folder that holds `path`, so that the new name survives a loss of power. File systems that
 * cannot do this say EINVAL: they have nothing to flush. */
static int folder_flush(char *path)
{
    char *slash = strrchr(path, '/');
    char kept = '\0';
    if (slash) {
        slash += slash == path; /* the root keeps its slash */
        kept = *slash;
        *slash = '\0';
    }
    int descriptor = open_again(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (slash)
        *slash = kept;
    if (descriptor < 0)
        return errno;
    int code = fsync(descriptor) == 0 || errno == EINVAL ? 0 : errno;
    (void)close(descriptor);
    return code;
}

relume_status rlm_file_commit(struct rlm_file_writer *writer, relume_error *error)
{
    if (writer->descriptor < 0)
        return rlm_error_set(error, RELUME_IO, "the file was given up after an earlier failure");
    if (fsync(writer->descriptor) != 0)
        return writer_failed(writer, errno, "flush to disk", error);
    int closed = close(writer->descriptor);
    writer->descriptor = -1;
    if (closed != 0 && errno != EINTR)
        return writer_failed(writer, errno, "close", error);
    if (rename(writer->temporary, writer->path) != 0)
        return writer_failed(writer, errno, "replace", error);
    int code = folder_flush(writer->path);
    relume_status status = RELUME_OK;
    if (code != 0)
        status = failed_as(error, RELUME_IO, writer->path, code, "flush its folder");
    rlm_free(writer->temporary); /* renamed: there is nothing to remove */
    writer->temporary = NULL;
    rlm_file_abort(writer);
    return status;
}

void rlm_file_abort(struct rlm_file_writer *writer)
{
    if (writer->descriptor >= 0)
        (void)close(writer->descriptor);
    if (writer->temporary)
        (void)unlink(writer->temporary);
    rlm_free(writer->path);
    rlm_free(writer->temporary);
    *writer = (struct rlm_file_writer){.descriptor = -1};
}

relume_status rlm_folder_create(const relume_allocator *allocator, const char *path, relume_error *error)
{
    char *copy = rlm_strdup(allocator, path); /* folder_flush cuts it for a moment */
    if (!copy)
        return rlm_error_memory(error, strlen(path) + 1, "the name of a folder");
    for (size_t end = strlen(copy); end > 1 && copy[end - 1] == '/'; end--)
        copy[end - 1] = '\0';
    int code = mkdir(path, 0777) == 0 ? folder_flush(copy) : errno;
    rlm_free(copy);
    if (code == 0 || (code == EEXIST && rlm_file_is_folder(path)))
        return RELUME_OK;
    return system_failed(error, path, code, "make the folder");
}
