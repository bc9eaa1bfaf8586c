/* See folder.h. Goes by names alone: what stands in a history is for history.c, in a checkpoint for
 * checkpoint.c, and whether a name is a pipe for vet.c. */
#include "run/folder.h"

#include <dirent.h>
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
#include "base/error.h"
#include "base/file.h"
#include "run/lock.h"

#define STEP_PREFIX "step-"
#define STEP_SUFFIX ".safetensors"
#define STEP_ROOM 48 /* a slash, prefix, 20 digits, suffix, 0 */

static char *join(const relume_allocator *allocator, const char *folder, const char *name)
{
    size_t room = strlen(folder) + strlen(name) + 2;
    char *path = rlm_alloc(allocator, room, 1);
    if (path)
        (void)snprintf(path, room, "%s/%s", folder, name);
    return path;
}

relume_status rlm_paths_init(struct rlm_paths *paths, const relume_allocator *allocator, const char *folder,
                             relume_error *error)
{
    struct rlm_paths made = {.folder = rlm_strdup(allocator, folder),
                             .lock = join(allocator, folder, "lock"),
                             .history = join(allocator, folder, "history.sqlite"),
                             .model = join(allocator, folder, "model.safetensors"),
                             .checkpoints = join(allocator, folder, "checkpoints")};
    if (made.checkpoints) {
        made.checkpoint_room = strlen(made.checkpoints) + STEP_ROOM;
        made.checkpoint = rlm_alloc(allocator, made.checkpoint_room, 1);
    }
    if (made.folder && made.lock && made.history && made.model && made.checkpoint) {
        *paths = made;
        return RELUME_OK;
    }
    rlm_paths_deinit(&made);
    return rlm_error_memory(error, strlen(folder), "the names of a run's files");
}

void rlm_paths_deinit(struct rlm_paths *paths)
{
    rlm_free(paths->folder);
    rlm_free(paths->lock);
    rlm_free(paths->history);
    rlm_free(paths->model);
    rlm_free(paths->checkpoints);
    rlm_free(paths->checkpoint);
    *paths = (struct rlm_paths){0};
}

const char *rlm_paths_checkpoint(struct rlm_paths *paths, uint64_t step)
{
    (void)snprintf(paths->checkpoint, paths->checkpoint_room, "%s/" STEP_PREFIX "%" PRIu64 STEP_SUFFIX,
                   paths->checkpoints, step);
    return paths->checkpoint;
}

static relume_status cannot(const char *path, const char *what, int code, relume_error *error)
{
    rlm_error_clear(error);
    rlm_error_at_file(error, path);
    return rlm_error_system(error, RELUME_IO, code, "%s: cannot %s", path, what);
}

/* The next name in a folder but "." and ".."; NULL at the end or, with errno not 0, after a failure. */
static const char *next_name(DIR *folder)
{
    struct dirent *entry;
    do {
        errno = 0;
        entry = readdir(folder);
    } while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    return entry ? entry->d_name : NULL;
}

static bool folder_is_empty(const char *path)
{
    DIR *folder = opendir(path);
    bool empty = folder && !next_name(folder) && errno == 0;
    if (folder)
        (void)closedir(folder);
    return empty;
}

/* What a beginning that was cut off, or a loss of power in it, may leave without a history. */
static bool is_of_a_beginning(const struct rlm_paths *paths, const char *name)
{
    return (strcmp(name, "lock") == 0 && rlm_lock_is_left_behind(paths->lock)) ||
           strcmp(name, "history.sqlite-journal") == 0 ||
           (strcmp(name, "checkpoints") == 0 && folder_is_empty(paths->checkpoints));
}

relume_status rlm_folder_classify(const struct rlm_paths *paths, enum rlm_folder_kind *kind,
                                  relume_error *error)
{
    DIR *folder = opendir(paths->folder);
    if (!folder && errno == ENOENT) {
        *kind = RLM_FOLDER_MISSING;
        return RELUME_OK;
    }
    if (!folder && errno == ENOTDIR) {
        *kind = RLM_FOLDER_FOREIGN;
        return RELUME_OK;
    }
    if (!folder)
        return cannot(paths->folder, "read the folder", errno, error);
    enum rlm_folder_kind found = RLM_FOLDER_EMPTY;
    const char *name;
    while ((name = next_name(folder)) != NULL)
        if (strcmp(name, "history.sqlite") == 0)
            found = RLM_FOLDER_RUN;
        else if (found == RLM_FOLDER_EMPTY && !is_of_a_beginning(paths, name))
            found = RLM_FOLDER_FOREIGN;
    int code = errno;
    (void)closedir(folder);
    if (code != 0)
        return cannot(paths->folder, "read the folder", code, error);
    *kind = found;
    return RELUME_OK;
}

/* Whether `name` is exactly step-N.safetensors as this program writes it. */
static bool read_step(const char *name, uint64_t *step)
{
    if (strncmp(name, STEP_PREFIX, strlen(STEP_PREFIX)) != 0)
        return false;
    const char *digits = name + strlen(STEP_PREFIX);
    size_t count = strspn(digits, "0123456789");
    if (count == 0 || count > 19 || (digits[0] == '0' && count > 1) ||
        strcmp(digits + count, STEP_SUFFIX) != 0)
        return false;
    *step = strtoull(digits, NULL, 10);
    return true;
}

static int compare_steps(const void *a, const void *b)
{
    uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;
    return (first > second) - (first < second);
}

struct step_list {
    const relume_allocator *allocator;
    uint64_t *step;
    size_t count, capacity;
};

static bool list_add(struct step_list *list, uint64_t step)
{
    if (list->count == list->capacity) {
        size_t capacity = 2 * list->capacity + 16;
        uint64_t *larger = rlm_realloc(list->allocator, list->step, capacity, sizeof *larger);
        if (!larger)
            return false;
        list->step = larger;
        list->capacity = capacity;
    }
    list->step[list->count++] = step;
    return true;
}

static relume_status list_fill(struct step_list *list, DIR *folder, const char *path, relume_error *error)
{
    const char *name;
    uint64_t step;
    while ((name = next_name(folder)) != NULL)
        if (read_step(name, &step) && !list_add(list, step))
            return rlm_error_memory(error, list->count * sizeof step, "the list of checkpoints");
    return errno == 0 ? RELUME_OK : cannot(path, "read the folder", errno, error);
}

relume_status rlm_checkpoint_list(const struct rlm_paths *paths, const relume_allocator *allocator,
                                  uint64_t **steps, size_t *count, relume_error *error)
{
    struct step_list list = {.allocator = allocator};
    DIR *folder = opendir(paths->checkpoints);
    relume_status status = RELUME_OK;
    if (folder) {
        status = list_fill(&list, folder, paths->checkpoints, error);
        (void)closedir(folder);
    } else if (errno != ENOENT) {
        status = cannot(paths->checkpoints, "read the folder", errno, error);
    }
    if (status != RELUME_OK) {
        rlm_free(list.step);
        return status;
    }
    if (list.count > 0)
        qsort(list.step, list.count, sizeof *list.step, compare_steps);
    *steps = list.step;
    *count = list.count;
    return RELUME_OK;
}

static bool is_link(int folder, const char *name)
{
    struct stat about;
    return fstatat(folder, name, &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(about.st_mode);
}

static relume_status refuse_link(const char *folder, const char *name, relume_error *error)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s%s%s", folder, *name ? "/" : "", name);
    rlm_error_clear(error);
    rlm_error_at_file(error, path);
    return rlm_error_set(error, RELUME_BAD_FORMAT,
                         "%.400s: is a symbolic link; a run writes in its own folder only: put what the link "
                         "leads to in its place, or take it away",
                         path);
}

static relume_status refuse_checkpoints(DIR *folder, const char *path, relume_error *error)
{
    const char *name;
    uint64_t step;
    while ((name = next_name(folder)) != NULL)
        if (read_step(name, &step) && is_link(dirfd(folder), name))
            return refuse_link(path, name, error);
    return errno == 0 ? RELUME_OK : cannot(path, "read the folder", errno, error);
}

relume_status rlm_folder_refuse_links(const struct rlm_paths *paths, relume_error *error)
{
    char journal[PATH_MAX];
    (void)snprintf(journal, sizeof journal, "%s-journal", paths->history);
    const char *const own[] = {paths->history, journal, paths->model, paths->checkpoints};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (is_link(AT_FDCWD, own[i]))
            return refuse_link(own[i], "", error);
    DIR *folder = opendir(paths->checkpoints);
    if (!folder) /* none yet, or whoever lists them will say what is wrong */
        return RELUME_OK;
    relume_status status = refuse_checkpoints(folder, paths->checkpoints, error);
    (void)closedir(folder);
    return status;
}

/* Removes NAME.tmp-THREAD where NAME is of this folder's own files. */
static void sweep(const char *path, bool (*own)(const char *name))
{
    DIR *folder = opendir(path);
    if (!folder)
        return;
    const char *name;
    while ((name = next_name(folder)) != NULL) {
        const char *mark = strstr(name, STEP_SUFFIX ".tmp-");
        if (mark && own(name))
            (void)unlinkat(dirfd(folder), name, 0);
    }
    (void)closedir(folder);
}

static bool is_step(const char *name)
{
    return strncmp(name, STEP_PREFIX, strlen(STEP_PREFIX)) == 0;
}

static bool is_model(const char *name)
{
    return strncmp(name, "model.", strlen("model.")) == 0;
}

void rlm_folder_sweep(const struct rlm_paths *paths)
{
    sweep(paths->folder, is_model);
    sweep(paths->checkpoints, is_step);
}
