/* CPU levels, and the counts of cores and of memory over made-up trees of control groups. */
#define _XOPEN_SOURCE 700 /* mkdtemp, nftw */
#include "check.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/memory.h"

static void test_names(void **state)
{
    (void)state;
    for (enum rlm_cpu_level level = RLM_CPU_REF; level < RLM_CPU_LEVELS; level++)
        assert_int_equal(rlm_cpu_level_find(rlm_cpu_level_name(level)), level);
    assert_int_equal(rlm_cpu_level_find("sse9"), RLM_CPU_LEVELS);
    assert_int_equal(rlm_cpu_level_find(""), RLM_CPU_LEVELS);
    assert_int_equal(rlm_cpu_level_find("avx"), RLM_CPU_LEVELS);
    assert_string_equal(rlm_cpu_level_name(RLM_CPU_LEVELS), "unknown");
}

static void test_detected_level_is_supported(void **state)
{
    (void)state;
    assert_true(rlm_cpu_supports(RLM_CPU_REF));
    assert_true(rlm_cpu_supports(rlm_cpu_detect()));
    assert_false(rlm_cpu_supports(RLM_CPU_LEVELS));
    for (enum rlm_cpu_level level = rlm_cpu_detect() + 1; level < RLM_CPU_LEVELS; level++)
        assert_false(rlm_cpu_supports(level));
}

/* A folder that plays the root of the file system. */
static char root[64];

static int tree_make(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof root, "/tmp/relume-cgroup-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int entry_remove(const char *path, const struct stat *status, int kind, struct FTW *position)
{
    (void)status;
    (void)kind;
    (void)position;
    return remove(path);
}

static int tree_remove(void **state)
{
    (void)state;
    return nftw(root, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* Writes `text` to `path` below the root, making its folders. */
static void put(const char *path, const char *text)
{
    char full[512];
    (void)snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = strchr(full + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(full, 0777);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static char reason[256];

static size_t cores(size_t affinity)
{
    return rlm_cpu_cores_under(root, affinity, reason, sizeof reason);
}

static void test_no_groups(void **state)
{
    (void)state;
    assert_int_equal(cores(6), 6);
    assert_string_equal(reason, "this process may run on 6 cores");
    assert_int_equal(cores(0), 1);
    assert_string_equal(reason, "this process may run on 1 core");
}

static void test_v2_quota_is_rounded_up(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/jobs/one\n");
    put("/sys/fs/cgroup/jobs/one/cpu.max", "250000 100000\n");
    assert_int_equal(cores(16), 3);
    assert_string_equal(
        reason,
        "the quota in /sys/fs/cgroup/jobs/one/cpu.max grants 2.50 of the 16 cores this process may run on");
    assert_int_equal(cores(2), 2); /* the mask is tighter */
    assert_string_equal(reason, "this process may run on 2 cores");
    put("/sys/fs/cgroup/jobs/one/cpu.max", "50000 100000\n");
    assert_int_equal(cores(16), 1);
    put("/sys/fs/cgroup/jobs/one/cpu.max", "300000 100000\n");
    assert_int_equal(cores(16), 3);
}

static void test_v2_quota_of_a_group_above(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/a/b/c\n");
    put("/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/a/b/cpu.max", "800000 100000\n");
    put("/sys/fs/cgroup/a/cpu.max", "400000 100000\n");
    assert_int_equal(cores(16), 4);
    put("/sys/fs/cgroup/cpu.max", "200000 100000\n"); /* a container's own group, seen as the root */
    assert_int_equal(cores(16), 2);
}

static void test_v2_in_a_mixed_tree(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "3:memory:/x\n0::/job\n");
    put("/sys/fs/cgroup/unified/job/cpu.max", "200000 100000\n");
    assert_int_equal(cores(16), 2);
}

static void test_v1_quota(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "12:cpuset:/\n4:cpu,cpuacct:/docker/123\n2:memory:/docker/123\n");
    put("/sys/fs/cgroup/cpu,cpuacct/docker/123/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/docker/123/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/cpuset/cpu.cfs_quota_us", "1\n"); /* not the CPU's controller */
    assert_int_equal(cores(16), 16);
    put("/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us", "350000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us", "100000\n");
    assert_int_equal(cores(16), 4);
    assert_non_null(strstr(reason, "/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us grants 3.50"));
}

static void test_v1_root_of_a_container(void **state)
{
    (void)state;
    put("/proc/self/cgroup",
        "4:cpu:/docker/123\n"); /* the host's path; the mount shows the group as its root */
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "150000\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "50000\n");
    assert_int_equal(cores(16), 3);
}

static void test_odd_contents_are_passed_over(void **state)
{
    (void)state;
    static const char *const odd[] = {"",         "\n",  "max\n",   "0 100000\n", "-5 100000\n",
                                      "200000\n", "x y", "100 0\n", "100 -3\n",   "99999999999999999999 1\n"};
    put("/proc/self/cgroup", "no colon\n1:one\n0::/job\n:::::\n\n");
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        put("/sys/fs/cgroup/job/cpu.max", odd[i]);
        assert_int_equal(cores(16), 16);
    }
    put("/proc/self/cgroup", "0::/../../job\n"); /* a group outside of this process's view: its root counts */
    put("/sys/fs/cgroup/cpu.max", "200000 100000\n");
    assert_int_equal(cores(16), 2);
}

static void test_long_group_name(void **state)
{
    (void)state;
    char text[6000] = "0::/";
    memset(text + 4, 'g', sizeof text - 6);
    text[sizeof text - 2] = '\n';
    text[sizeof text - 1] = '\0';
    put("/proc/self/cgroup", text);
    put("/sys/fs/cgroup/cpu.max", "200000 100000\n");
    assert_int_equal(cores(16), 2);
}

static void test_this_machine(void **state)
{
    (void)state;
    size_t found = rlm_cpu_cores(reason, sizeof reason);
    assert_true(found >= 1 && found <= (size_t)sysconf(_SC_NPROCESSORS_CONF));
    assert_true(strlen(reason) > 10);
}

/* The smallest of what the system has and what any group grants; "max", and the large number of version 1,
 * are none. */
static void test_memory(void **state)
{
    (void)state;
    assert_true(rlm_memory_available_under(root) == UINT64_MAX);
    put("/proc/meminfo",
        "MemTotal:       24000000 kB\nMemFree:         1000000 kB\nMemAvailable:    5000000 kB\n");
    assert_true(rlm_memory_available_under(root) == (uint64_t)5000000 * 1024);
    put("/proc/self/cgroup", "4:memory:/docker/1\n0::/a/b\n");
    put("/sys/fs/cgroup/a/b/memory.max", "max\n");
    put("/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "9223372036854771712\n");
    assert_true(rlm_memory_available_under(root) == (uint64_t)5000000 * 1024);
    put("/sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "4000000000\n");
    assert_true(rlm_memory_available_under(root) == 4000000000u);
    put("/sys/fs/cgroup/a/memory.max", "1000000000\n");
    assert_true(rlm_memory_available_under(root) == 1000000000u);
    assert_true(rlm_memory_available() > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_detected_level_is_supported),
        cmocka_unit_test_setup_teardown(test_no_groups, tree_make, tree_remove),
        cmocka_unit_test_setup_teardown(test_v2_quota_is_rounded_up, tree_make, tree_remove),
        cmocka_unit_test_setup_teardown(test_v2_quota_of_a_group_above, tree_make, tree_remove),
        cmocka_unit_test_setup_teardown(test_v2_in_a_mixed_tree, tree_make, tree_remove),
        cmocka_unit_test_setup_teardown(test_v1_quota, tree_make, tree_remove),
        cmocka_unit_test_setup_teardown(test_v1_root_of_a_container, tree_make, tree_remove),
        cmocka_unit_test_setup_teardown(test_odd_contents_are_passed_over, tree_make, tree_remove),
        cmocka_unit_test_setup_teardown(test_long_group_name, tree_make, tree_remove),
        cmocka_unit_test(test_this_machine),
        cmocka_unit_test_setup_teardown(test_memory, tree_make, tree_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
