/* See vet.h. Looks at what the names stand for; nothing is read here but the end of a journal. */
#define _DEFAULT_SOURCE /* lstat */
#include "run/vet.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

static relume_status refuse(const char *path, const char *found, relume_error *error)
{
    rlm_error_clear(error);
    rlm_error_at_file(error, path);
    return rlm_error_set(error, RELUME_BAD_FORMAT,
                         "%.400s: is %s; the run's own file or folder was expected: move it away, or ask "
                         "whoever sent the run for the folder as relume train made it",
                         path, found);
}

/* A pipe or socket may keep its reader waiting for ever, a device may feed him for ever. */
static bool may_never_end(const struct stat *about)
{
    return !S_ISREG(about->st_mode) && !S_ISDIR(about->st_mode);
}

/* What is missing is for whoever opens it to tell. */
static relume_status refuse_endless(const char *path, relume_error *error)
{
    struct stat about;
    if (stat(path, &about) != 0 || !may_never_end(&about))
        return RELUME_OK;
    return refuse(path, "a device, pipe or socket", error);
}

static relume_status refuse_link(const char *path, relume_error *error)
{
    struct stat about;
    if (lstat(path, &about) != 0 || !S_ISLNK(about.st_mode))
        return RELUME_OK;
    return refuse(path, "a symbolic link", error);
}

/* ---- the history ---- */

/* Whether a journal ends with the name of another one, by the eight bytes that SQLite ends it with. Once such
 * a journal is rolled back, SQLite takes the file of that name for the journal of several databases and
 * removes it, wherever it lies. A run has one database, and its journal names no other. */
static bool names_another(const char *journal)
{
    static const unsigned char mark[] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
    unsigned char end[sizeof mark] = {0};
    int file = open(journal, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return false;
    off_t size = lseek(file, 0, SEEK_END);
    bool another = size >= (off_t)sizeof end &&
                   pread(file, end, sizeof end, size - (off_t)sizeof end) == (ssize_t)sizeof end &&
                   memcmp(end, mark, sizeof mark) == 0;
    (void)close(file);
    return another;
}

relume_status rlm_vet_history(const char *path, relume_error *error)
{
    static const char *const beside[] = {"", "-journal", "-wal", "-shm"};
    char name[PATH_MAX];
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        int length = snprintf(name, sizeof name, "%s%s", path, beside[i]);
        if (length < 0 || (size_t)length >= sizeof name)
            return rlm_error_set(error, RELUME_IO, "%.300s…: the path is too long", path);
        RLM_TRY(refuse_link(name, error)); /* SQLite would look beside the file it leads to */
        RLM_TRY(refuse_endless(name, error));
        if (i == 1 && names_another(name))
            return refuse(name, "a journal that names another file, which SQLite would remove", error);
    }
    return RELUME_OK;
}

/* ---- weights ---- */

static relume_status vet_checkpoints(const struct rlm_paths *paths, relume_error *error)
{
    char name[PATH_MAX];
    relume_status status = RELUME_OK;
    DIR *folder = opendir(paths->checkpoints);
    struct dirent *entry;
    while (folder && status == RELUME_OK && (entry = readdir(folder)) != NULL) {
        int length = snprintf(name, sizeof name, "%s/%s", paths->checkpoints, entry->d_name);
        if (strncmp(entry->d_name, "step-", 5) == 0 && length > 0 && (size_t)length < sizeof name)
            status = refuse_endless(name, error);
    }
    if (folder)
        (void)closedir(folder);
    return status;
}

relume_status rlm_vet_states(const struct rlm_paths *paths, relume_error *error)
{
    RLM_TRY(refuse_endless(paths->model, error));
    return vet_checkpoints(paths, error);
}

/* ---- data ---- */

relume_status rlm_vet_data(const char *path, relume_error *error)
{
    struct stat about;
    if (!path || stat(path, &about) != 0 || !may_never_end(&about))
        return RELUME_OK;
    rlm_error_clear(error);
    rlm_error_at_file(error, path);
    return rlm_error_set(
        error, RELUME_BAD_FORMAT,
        "%.400s: the run names it as its data, and it is a device, pipe or socket; a file or "
        "folder was expected",
        path);
}
