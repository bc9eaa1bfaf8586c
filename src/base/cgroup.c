/* See cgroup.h. */
#include "base/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool rlm_small_file_read(const char *path, char *text, size_t size)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    size_t used = 0;
    while (used < size - 1) {
        ssize_t got = read(descriptor, text + used, size - 1 - used);
        if (got == 0 || (got < 0 && errno != EINTR))
            break;
        used += got > 0 ? (size_t)got : 0;
    }
    text[used] = '\0';
    (void)close(descriptor);
    return used > 0;
}

struct walk {
    const char *root, *controller;
    rlm_cgroup_visit *visit;
    void *context;
};

/* Looks at the group `mount``group` and at each above it, `mount` itself the last. */
static void walk_up(const struct walk *walk, const char *mount, const char *group, int version)
{
    char folder[RLM_CGROUP_PATH];
    if (strstr(group, "..") || snprintf(folder, sizeof folder, "%s%s", mount, group) >= (int)sizeof folder)
        (void)snprintf(folder, sizeof folder, "%s", mount);
    size_t least = strlen(mount), length = strlen(folder);
    while (length > least && folder[length - 1] == '/')
        folder[--length] = '\0';
    for (;;) {
        walk->visit(walk->context, walk->root, folder, version);
        char *slash = strrchr(folder, '/');
        if (!slash || (size_t)(slash - folder) < least)
            return;
        *slash = '\0';
    }
}

/* Whether the comma-separated list of controllers names `controller`. */
static bool list_has(const char *list, const char *controller)
{
    size_t length = strlen(controller);
    for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',')
        if (strncmp(at, controller, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    return false;
}

/* One line of /proc/self/cgroup: "number:controllers:group"; version 2 has number 0 and no controllers. */
static void walk_line(const struct walk *walk, char *line)
{
    char *controllers = strchr(line, ':'), mount[256];
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return;
    *group++ = '\0';
    controllers++;
    if (*controllers == '\0') {
        walk_up(walk, "/sys/fs/cgroup", group, 2);
        walk_up(walk, "/sys/fs/cgroup/unified", group, 2);
    } else if (list_has(controllers, walk->controller)) {
        if (snprintf(mount, sizeof mount, "/sys/fs/cgroup/%s", walk->controller) < (int)sizeof mount)
            walk_up(walk, mount, group, 1);
        if (snprintf(mount, sizeof mount, "/sys/fs/cgroup/%s", controllers) < (int)sizeof mount)
            walk_up(walk, mount, group, 1);
    }
}

void rlm_cgroup_walk(const char *root, const char *controller, rlm_cgroup_visit *visit, void *context)
{
    const struct walk walk = {root, controller, visit, context};
    char path[RLM_CGROUP_PATH], groups[16384], *rest;
    (void)snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    if (!rlm_small_file_read(path, groups, sizeof groups))
        return;
    for (char *line = strtok_r(groups, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        walk_line(&walk, line);
}
