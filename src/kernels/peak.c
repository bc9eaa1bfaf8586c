/* See peak.h. Twelve chains hide a latency of up to six cycles of two multiply-adds each, and fit 16
 * registers. */
#include "kernels/peak.h"

#define CHAINS 12
#define FACTOR 0.9999f
#define ADDEND 1e-4f

static double peak_ref(size_t steps, float *sink)
{
    float chain[CHAINS] = {0};
    for (size_t i = 0; i < steps; i++)
        for (int c = 0; c < CHAINS; c++)
            chain[c] = __builtin_fmaf(chain[c], FACTOR, ADDEND);
    for (int c = 0; c < CHAINS; c++)
        *sink += chain[c];
    return 2.0 * CHAINS * (double)steps;
}

/* One function a vector type: the same text, since a vector length is part of the type. */
#define PEAK_VECTOR(name, target_attribute, vec, set, fma_of, lanes, first)                                  \
    target_attribute static double name(size_t steps, float *sink)                                           \
    {                                                                                                        \
        vec chain[CHAINS];                                                                                   \
        const vec factor = set(FACTOR), addend = set(ADDEND);                                                \
        for (int c = 0; c < CHAINS; c++)                                                                     \
            chain[c] = set((float)c);                                                                        \
        for (size_t i = 0; i < steps; i++)                                                                   \
            for (int c = 0; c < CHAINS; c++)                                                                 \
                chain[c] = (fma_of);                                                                         \
        for (int c = 0; c < CHAINS; c++)                                                                     \
            *sink += first(chain[c]);                                                                        \
        return 2.0 * CHAINS * (lanes) * (double)steps;                                                       \
    }

#if defined(__x86_64__)
#include <immintrin.h>
PEAK_VECTOR(peak_avx2, __attribute__((target("avx2,fma"))), __m256, _mm256_set1_ps,
            _mm256_fmadd_ps(chain[c], factor, addend), 8, _mm256_cvtss_f32)
PEAK_VECTOR(peak_avx512, __attribute__((target("avx512f"))), __m512, _mm512_set1_ps,
            _mm512_fmadd_ps(chain[c], factor, addend), 16, _mm512_cvtss_f32)
#elif defined(__aarch64__)
#include <arm_neon.h>
#define FIRST_LANE(vector) vgetq_lane_f32(vector, 0)
PEAK_VECTOR(peak_neon, , float32x4_t, vdupq_n_f32, vfmaq_f32(addend, chain[c], factor), 4, FIRST_LANE)
#endif

double rlm_peak_run(enum rlm_cpu_level level, size_t steps, float *sink)
{
    switch (level) {
#if defined(__x86_64__)
    case RLM_CPU_AVX2:
        return peak_avx2(steps, sink);
    case RLM_CPU_AVX512:
        return peak_avx512(steps, sink);
#elif defined(__aarch64__)
    case RLM_CPU_NEON:
        return peak_neon(steps, sink);
#endif
    default:
        return peak_ref(steps, sink);
    }
}
