/* The tables to test where code runs natively: what is built and this CPU can run. */
#include "support.h"

size_t kernels_under_test(const struct rlm_kernels *tables[RLM_CPU_LEVELS])
{
    enum rlm_cpu_level levels[RLM_CPU_LEVELS];
    size_t built = rlm_kernels_built(levels), count = 0;
    for (size_t i = 0; i < built; i++)
        if (levels[i] != RLM_CPU_REF && rlm_cpu_supports(levels[i]))
            tables[count++] = rlm_kernels_get(levels[i]);
    return count;
}
