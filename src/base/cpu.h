/* What this CPU can do, and how many cores this process may use. */
#ifndef RLM_BASE_CPU_H
#define RLM_BASE_CPU_H

#include <stddef.h>

/* Kernel levels from worst to best; the numbers order them within one architecture. */
enum rlm_cpu_level { RLM_CPU_REF, RLM_CPU_NEON, RLM_CPU_AVX2, RLM_CPU_AVX512, RLM_CPU_LEVELS };

/* "ref", "neon", "avx2", "avx512". */
const char *rlm_cpu_level_name(enum rlm_cpu_level level);
/* The level of a name; RLM_CPU_LEVELS when there is none. */
enum rlm_cpu_level rlm_cpu_level_find(const char *name);

/* The best level this CPU and operating system support. AVX2 asks for FMA as well, AVX512 for F, BW, DQ and
 * VL. */
enum rlm_cpu_level rlm_cpu_detect(void);
/* Whether this CPU can run `level` at all. */
int rlm_cpu_supports(enum rlm_cpu_level level);

/* Cores this process may use: the smallest of its affinity mask and the cgroup v2 and v1 CPU quotas (rounded
 * up), at least 1. Writes one sentence that says which of them decided. */
size_t rlm_cpu_cores(char *reason, size_t reason_size);
/* The same with the files of /proc and /sys looked for under `root` ("" for the real ones), and the affinity
 * count given: for tests. */
size_t rlm_cpu_cores_under(const char *root, size_t affinity, char *reason, size_t reason_size);

#endif
