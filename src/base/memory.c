/* See memory.h. The limit of a group is taken as it stands: what is in use of it is for the most part cached
 * files, which give way. */
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cgroup.h"

static void lower(uint64_t *least, uint64_t value)
{
    if (value < *least)
        *least = value;
}

/* memory.max holds bytes or "max", memory.limit_in_bytes bytes, a very large number for none. */
static void limit_visit(void *context, const char *root, const char *folder, int version)
{
    char path[RLM_CGROUP_PATH], text[64], *end;
    const char *file = version == 2 ? "memory.max" : "memory.limit_in_bytes";
    if (snprintf(path, sizeof path, "%s%s/%s", root, folder, file) >= (int)sizeof path ||
        !rlm_small_file_read(path, text, sizeof text))
        return;
    unsigned long long bytes = strtoull(text, &end, 10);
    if (end != text)
        lower(context, bytes);
}

/* The line "MemAvailable:   24000000 kB" of /proc/meminfo. */
static void system_look(const char *root, uint64_t *least)
{
    char path[RLM_CGROUP_PATH], text[4096];
    if (snprintf(path, sizeof path, "%s/proc/meminfo", root) >= (int)sizeof path ||
        !rlm_small_file_read(path, text, sizeof text))
        return;
    const char *line = strstr(text, "MemAvailable:");
    if (line)
        lower(least, strtoull(line + strlen("MemAvailable:"), NULL, 10) * 1024);
}

uint64_t rlm_memory_available_under(const char *root)
{
    uint64_t least = UINT64_MAX;
    system_look(root, &least);
    rlm_cgroup_walk(root, "memory", limit_visit, &least);
    return least;
}

uint64_t rlm_memory_available(void)
{
    uint64_t least = rlm_memory_available_under("");
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        lower(&least, limit.rlim_cur);
    return least;
}
