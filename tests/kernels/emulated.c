/* The AVX-512 kernels for a CPU that has only AVX2: SIMDe stands in for the instructions, so that tiles,
 * masks and epilogues are proved there too. Compiled with AVX2 and FMA turned on, without which the
 * stand-in's multiply-add would round twice. */
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>

#if !defined(__FMA__) || !defined(__AVX2__)
#error "needs -mavx2 -mfma"
#endif

#include <math.h>
#include <string.h>

#include "support.h"

/* The conversions and tests this SIMDe has no stand-in for. */
static inline __m512i emulated_cvtepu8_epi32(__m128i bytes)
{
    __m256i halves[2] = {_mm256_cvtepu8_epi32(bytes), _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8))};
    return _mm512_loadu_si512(halves);
}

static inline __m512 emulated_cvtepi32_ps(__m512i integers)
{
    __m256i halves[2];
    memcpy(halves, &integers, sizeof halves);
    __m256 floats[2] = {_mm256_cvtepi32_ps(halves[0]), _mm256_cvtepi32_ps(halves[1])};
    return _mm512_loadu_ps(floats);
}

static inline __m512d emulated_cvtps_pd(__m256 floats)
{
    __m256d halves[2] = {_mm256_cvtps_pd(_mm256_castps256_ps128(floats)),
                         _mm256_cvtps_pd(_mm256_extractf128_ps(floats, 1))};
    return _mm512_loadu_pd(halves);
}

static inline __m128i emulated_cvtepi32_epi8(__m512i integers)
{
    uint32_t wide[16];
    uint8_t bytes[16];
    memcpy(wide, &integers, sizeof wide);
    for (size_t i = 0; i < 16; i++)
        bytes[i] = (uint8_t)wide[i];
    return _mm_loadu_si128((const __m128i *)(const void *)bytes);
}

static inline __mmask16 emulated_testn_epi32_mask(__m512i a, __m512i b)
{
    return (__mmask16)~_mm512_test_epi32_mask(a, b);
}

/* The two classes that the kernels ask for: denormal numbers and −0. */
static inline __mmask16 emulated_fpclass_ps_mask(__m512 a, int classes)
{
    uint32_t bits[16];
    __mmask16 mask = 0;
    memcpy(bits, &a, sizeof bits);
    for (unsigned i = 0; i < 16; i++)
        if (bits[i] == 0x80000000                    ? classes & 0x04
            : (bits[i] & 0x7f800000) == 0 && bits[i] ? classes & 0x20
                                                     : 0)
            mask |= (__mmask16)(1u << i);
    return mask;
}

static inline __mmask16 emulated_cmpgt_epu32_mask(__m512i a, __m512i b)
{
    uint32_t left[16], right[16];
    __mmask16 mask = 0;
    memcpy(left, &a, sizeof left);
    memcpy(right, &b, sizeof right);
    for (unsigned i = 0; i < 16; i++)
        mask |= (__mmask16)(left[i] > right[i] ? 1u << i : 0);
    return mask;
}

static inline __m512 emulated_fnmadd_ps(__m512 a, __m512 b, __m512 c)
{
    return _mm512_fmadd_ps(_mm512_sub_ps(_mm512_set1_ps(-0.0F), a), b, c);
}

/* Off by almost as much as the instruction may be, above or below by the last bit of the number. */
static inline __m512 emulated_rsqrt14_ps(__m512 a)
{
    float numbers[16];
    memcpy(numbers, &a, sizeof numbers);
    for (unsigned i = 0; i < 16; i++) {
        uint32_t bits;
        memcpy(&bits, &numbers[i], sizeof bits);
        numbers[i] = 1 / sqrtf(numbers[i]) * (1 + (bits & 1 ? 0x0.fffp-14F : -0x0.fffp-14F));
    }
    return _mm512_loadu_ps(numbers);
}

#undef _mm512_shuffle_f32x4 /* has a stand-in, but not under this name */
#define _mm512_shuffle_f32x4 simde_mm512_shuffle_f32x4
#define _mm512_cvtepu8_epi32 emulated_cvtepu8_epi32
#define _mm512_cvtepi32_ps emulated_cvtepi32_ps
#define _mm512_cvtepi32_epi8 emulated_cvtepi32_epi8
#define _mm512_cvtps_pd emulated_cvtps_pd
#define _mm512_testn_epi32_mask emulated_testn_epi32_mask
#undef _mm512_cmpgt_epu32_mask
#define _mm512_cmpgt_epu32_mask emulated_cmpgt_epu32_mask
#undef _mm512_fnmadd_ps /* rounds twice */
#define _mm512_fnmadd_ps emulated_fnmadd_ps
#undef _mm512_rsqrt14_ps
#define _mm512_rsqrt14_ps emulated_rsqrt14_ps
#undef _mm512_fpclass_ps_mask /* a macro of Clang's own header */
#define _mm512_fpclass_ps_mask emulated_fpclass_ps_mask

#define RLM_AVX512_EMULATED
#define rlm_kernels_avx512 kernels_avx512_emulated
#include "kernels/x86/avx512.c" /* NOLINT(bugprone-suspicious-include): compiled a second time, emulated */

size_t kernels_under_test(const struct rlm_kernels *tables[RLM_CPU_LEVELS])
{
    if (!rlm_cpu_supports(RLM_CPU_AVX2))
        return 0;
    tables[0] = &kernels_avx512_emulated;
    return 1;
}
