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
#include <unistd.h>

#include "base/error.h"

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
    char holder[32];
    read_holder(descriptor, holder, sizeof holder);
    rlm_error_at_file(error, path);
    return rlm_error_set(error, RELUME_LOCKED, "%s: process %s is writing this run", path, holder);
}

relume_status rlm_lock_take(const char *path, int *descriptor, relume_error *error)
{
    rlm_error_clear(error);
    rlm_error_at_file(error, path);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0)
        return rlm_error_system(error, RELUME_IO, errno, "cannot open %s", path);
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
        int reason = errno;
        relume_status status = reason == EWOULDBLOCK
                                   ? refuse(file, path, error)
                                   : rlm_error_system(error, RELUME_IO, reason, "cannot lock %s", path);
        (void)close(file);
        return status;
    }
    char number[32];
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
