/* See temporary.h. The folder must go even where no memory is left, so it is not read by opendir, which
 * allocates, but by the system call beneath. */
#define _GNU_SOURCE /* getdents64: for this file only */
#include "temporary.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program.h"

relume_status cli_temporary_make(struct cli_temporary *folder, const char *word, relume_error *error)
{
    const char *parent = getenv("TMPDIR");
    snprintf(folder->path, sizeof folder->path, "%.3900s/relume-%.60s-XXXXXX",
             parent && *parent ? parent : "/tmp", word);
    if (mkdtemp(folder->path))
        return RELUME_OK;
    int number = errno;
    return cli_error(error, RELUME_IO, "cannot make a temporary folder %.300s: %s", folder->path,
                     strerror(number));
}

static void remove_all_in(int folder);

/* Whether it is gone. */
static bool remove_entry(int folder, const char *name)
{
    if (unlinkat(folder, name, 0) == 0)
        return true;
    int inner = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner < 0)
        return false;
    remove_all_in(inner);
    (void)close(inner);
    return unlinkat(folder, name, AT_REMOVEDIR) == 0;
}

/* How many of the entries in a buffer that getdents64 has filled are gone now. */
static size_t remove_entries(int folder, const char *entries, size_t size)
{
    size_t gone = 0;
    for (size_t at = 0; at < size;) {
        const struct dirent64 *entry = (const void *)(entries + at);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            gone += remove_entry(folder, entry->d_name);
        at += entry->d_reclen;
    }
    return gone;
}

/* Removing while reading may pass entries over: it is read again until nothing more goes. */
static void remove_all_in(int folder) /* NOLINT(misc-no-recursion): as deep as a run directory */
{
    size_t gone;
    do {
        alignas(struct dirent64) char entries[4096];
        ssize_t size;
        gone = 0;
        if (lseek(folder, 0, SEEK_SET) != 0)
            return;
        while ((size = getdents64(folder, entries, sizeof entries)) > 0)
            gone += remove_entries(folder, entries, (size_t)size);
    } while (gone > 0);
}

void cli_temporary_remove(const struct cli_temporary *folder)
{
    int descriptor = open(folder->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor >= 0) {
        remove_all_in(descriptor);
        (void)close(descriptor);
    }
    (void)rmdir(folder->path);
}
