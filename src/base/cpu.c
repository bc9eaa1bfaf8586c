/* See cpu.h. What the CPU can do; how many cores there are to use is in cores.c. */
#include "base/cpu.h"

#include <string.h>

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

static const char *const level_names[RLM_CPU_LEVELS] = {
    [RLM_CPU_REF] = "ref",
    [RLM_CPU_NEON] = "neon",
    [RLM_CPU_AVX2] = "avx2",
    [RLM_CPU_AVX512] = "avx512",
};

const char *rlm_cpu_level_name(enum rlm_cpu_level level)
{
    return (unsigned)level < RLM_CPU_LEVELS ? level_names[level] : "unknown";
}

enum rlm_cpu_level rlm_cpu_level_find(const char *name)
{
    enum rlm_cpu_level level = RLM_CPU_REF;
    while (level < RLM_CPU_LEVELS && strcmp(level_names[level], name) != 0)
        level++;
    return level;
}

#if defined(__x86_64__)

/* These ask the operating system too, which must save the wide registers. */
static int has_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static int has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

int rlm_cpu_supports(enum rlm_cpu_level level)
{
    return level == RLM_CPU_REF || (level == RLM_CPU_AVX2 && has_avx2()) ||
           (level == RLM_CPU_AVX512 && has_avx512());
}

#elif defined(__aarch64__)

#define HAS_FP (1UL << 0) /* bits of AT_HWCAP, as the Linux ABI numbers them */
#define HAS_ASIMD (1UL << 1)

int rlm_cpu_supports(enum rlm_cpu_level level)
{
    unsigned long has = getauxval(AT_HWCAP);
    return level == RLM_CPU_REF || (level == RLM_CPU_NEON && (has & HAS_FP) && (has & HAS_ASIMD));
}

#else

int rlm_cpu_supports(enum rlm_cpu_level level)
{
    return level == RLM_CPU_REF;
}

#endif

enum rlm_cpu_level rlm_cpu_detect(void)
{
    enum rlm_cpu_level level = RLM_CPU_LEVELS - 1;
    while (!rlm_cpu_supports(level))
        level--;
    return level;
}
