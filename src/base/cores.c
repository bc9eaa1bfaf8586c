/* How many cores this process may use (cpu.h): its affinity mask, and the CPU quotas of the control groups it
 * is in, version 2 and version 1, from its own group up to the root. A container often shows all cores of its
 * host and grants a few. */
#define _GNU_SOURCE /* sched_getaffinity, CPU_COUNT_S: for this file only */
#include <sched.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/cpu.h"

/* The smallest quota found so far. */
struct quota {
    double cores;               /* 0: none */
    char file[RLM_CGROUP_PATH]; /* the file that says so, without the root of the tests */
};

/* A whole number above 0 at `text`, as a file of a control group holds it; 0 for "max", "-1" and all else. */
static double amount_read(const char *text, char **end)
{
    long long value = strtoll(text, end, 10);
    return value > 0 ? (double)value : 0;
}

static void quota_lower(struct quota *quota, double used, double period, const char *folder, const char *file)
{
    double cores = period > 0 ? used / period : 0;
    if (cores <= 0 || (quota->cores > 0 && quota->cores <= cores))
        return;
    quota->cores = cores;
    (void)snprintf(quota->file, sizeof quota->file, "%s/%s", folder, file);
}

/* "QUOTA PERIOD" or "max PERIOD" in microseconds. */
static void quota_read_v2(const char *root, const char *folder, struct quota *quota)
{
    char path[RLM_CGROUP_PATH], text[128];
    if (snprintf(path, sizeof path, "%s%s/cpu.max", root, folder) >= (int)sizeof path ||
        !rlm_small_file_read(path, text, sizeof text))
        return;
    char *end;
    double used = amount_read(text, &end);
    quota_lower(quota, used, amount_read(end, &end), folder, "cpu.max");
}

/* The two files hold microseconds; the quota is −1 where there is none. */
static void quota_read_v1(const char *root, const char *folder, struct quota *quota)
{
    char path[RLM_CGROUP_PATH], used[64], period[64], *end;
    if (snprintf(path, sizeof path, "%s%s/cpu.cfs_quota_us", root, folder) >= (int)sizeof path ||
        !rlm_small_file_read(path, used, sizeof used))
        return;
    if (snprintf(path, sizeof path, "%s%s/cpu.cfs_period_us", root, folder) >= (int)sizeof path ||
        !rlm_small_file_read(path, period, sizeof period))
        return;
    quota_lower(quota, amount_read(used, &end), amount_read(period, &end), folder, "cpu.cfs_quota_us");
}

static void quota_visit(void *context, const char *root, const char *folder, int version)
{
    if (version == 2)
        quota_read_v2(root, folder, context);
    else
        quota_read_v1(root, folder, context);
}

static struct quota quota_find(const char *root)
{
    struct quota quota = {0};
    rlm_cgroup_walk(root, "cpu", quota_visit, &quota);
    return quota;
}

size_t rlm_cpu_cores_under(const char *root, size_t affinity, char *reason, size_t reason_size)
{
    size_t cores = affinity > 0 ? affinity : 1;
    struct quota quota = quota_find(root);
    if (quota.cores <= 0 || quota.cores > (double)(cores - 1)) {
        (void)snprintf(reason, reason_size, "this process may run on %zu core%s", cores,
                       cores == 1 ? "" : "s");
        return cores;
    }
    size_t whole = (size_t)quota.cores;
    cores = whole + ((double)whole < quota.cores);
    (void)snprintf(reason, reason_size,
                   "the quota in %s grants %.2f of the %zu cores this process may run on", quota.file,
                   quota.cores, affinity);
    return cores;
}

/* Cores in the affinity mask. The kernel refuses a mask that is smaller than its own, so the mask grows until
 * it fits. */
static size_t affinity_count(void)
{
    for (size_t room = 1024; room <= 1 << 20; room *= 4) {
        cpu_set_t *mask = CPU_ALLOC(room);
        if (!mask)
            break;
        int failed = sched_getaffinity(0, CPU_ALLOC_SIZE(room), mask);
        int count = failed ? 0 : CPU_COUNT_S(CPU_ALLOC_SIZE(room), mask);
        CPU_FREE(mask);
        if (!failed)
            return (size_t)count;
        if (errno != EINVAL)
            break;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (size_t)online : 1;
}

size_t rlm_cpu_cores(char *reason, size_t reason_size)
{
    return rlm_cpu_cores_under("", affinity_count(), reason, reason_size);
}
