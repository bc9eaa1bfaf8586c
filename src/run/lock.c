/* See lock.h. flock() rather than fcntl(): it also keeps two runs of one process apart, and is not lost when
 * some other code of the process closes the file. A child forked while the run is open shares the lock until
 * it ends or calls exec. */
#define _DEFAULT_SOURCE /* flock */
#include "run/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

enum { ROOM = 32 }; /* a number, a newline, 0 */

/* The number the holder wrote, as text; "unknown" in the moment before it is written. */
static void read_holder(int descriptor, char *text, size_t size)
{
    ssize_t length = pread(descriptor, text, size - 1, 0);
    text[length > 0 ? (size_t)length : 0] = '\0';
    text[strspn(text, "0123456789")] = '\0';
    if (!*text)
        (void)snprintf(text, size, "unknown");
}

static relume_status refuse(int descriptor, const char *path, relume_error *error)
{
    char holder[ROOM];
    read_holder(descriptor, holder, sizeof holder);
    rlm_error_at_file(error, path);
    return rlm_error_set(error, RELUME_LOCKED, "%s: process %s is writing this run", path, holder);
}

/* Whether a file is empty or holds a process's number: a lock left behind, and nobody's text. */
static bool is_left_behind(int descriptor)
{
    char text[ROOM];
    struct stat about;
    if (fstat(descriptor, &about) != 0 || !S_ISREG(about.st_mode) || about.st_size >= (off_t)sizeof text)
        return false;
    ssize_t length = pread(descriptor, text, sizeof text - 1, 0);
    if (length < 0)
        return false;
    text[length] = '\0';
    size_t digits = strspn(text, "0123456789");
    return digits == (size_t)length || (digits > 0 && strcmp(text + digits, "\n") == 0);
}

bool rlm_lock_is_left_behind(const char *path)
{
    int file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return errno != ELOOP; /* whoever takes the lock will say what is wrong */
    bool left = is_left_behind(file);
    (void)close(file);
    return left;
}

/* The number of the holder is written over what is there, so it must be nothing that anybody wants to keep: a
 * link may lead out of the run directory to any file of the user's. */
static relume_status open_lock(const char *path, int *descriptor, relume_error *error)
{
    int file = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (file < 0 && errno != ELOOP)
        return rlm_error_system(error, RELUME_IO, errno, "cannot open %s", path);
    if (file >= 0 && is_left_behind(file)) {
        *descriptor = file;
        return RELUME_OK;
    }
    if (file >= 0)
        (void)close(file);
    return rlm_error_set(error, RELUME_BAD_FORMAT,
                         "%s: is %s; a file with the number of a process was expected: move it away", path,
                         file < 0 ? "a symbolic link" : "not the lock of a run");
}

relume_status rlm_lock_take(const char *path, int *descriptor, relume_error *error)
{
    int file = -1;
    rlm_error_clear(error);
    rlm_error_at_file(error, path);
    RLM_TRY(open_lock(path, &file, error));
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
        int reason = errno;
        relume_status status = reason == EWOULDBLOCK
                                   ? refuse(file, path, error)
                                   : rlm_error_system(error, RELUME_IO, reason, "cannot lock %s", path);
        (void)close(file);
        return status;
    }
    char number[ROOM];
    int length = snprintf(number, sizeof number, "%ld\n", (long)getpid());
    /* the number is for messages only: the lock holds without it, on a full disk too */
    if (ftruncate(file, 0) == 0 && pwrite(file, number, (size_t)length, 0) < 0)
        (void)ftruncate(file, 0);
    *descriptor = file;
    return RELUME_OK;
}

void rlm_lock_release(int descriptor)
{
    if (descriptor >= 0)
        (void)close(descriptor);
}
