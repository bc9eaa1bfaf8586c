/* From a CPU level to its table of kernels. Whether the CPU can run a level is base/cpu.h's business. */
#include "kernels/levels.h"

static const struct rlm_kernels *const tables[RLM_CPU_LEVELS] = {
    [RLM_CPU_REF] = &rlm_kernels_ref,
#if defined(__x86_64__)
    [RLM_CPU_AVX2] = &rlm_kernels_avx2,
    [RLM_CPU_AVX512] = &rlm_kernels_avx512,
#elif defined(__aarch64__)
    [RLM_CPU_NEON] = &rlm_kernels_neon,
#endif
};

const struct rlm_kernels *rlm_kernels_get(enum rlm_cpu_level level)
{
    bool built = level < RLM_CPU_LEVELS && tables[level];
    return built ? tables[level] : &rlm_kernels_ref;
}

size_t rlm_kernels_built(enum rlm_cpu_level levels[RLM_CPU_LEVELS])
{
    size_t count = 0;
    for (enum rlm_cpu_level level = RLM_CPU_REF; level < RLM_CPU_LEVELS; level++)
        if (tables[level])
            levels[count++] = level;
    return count;
}
