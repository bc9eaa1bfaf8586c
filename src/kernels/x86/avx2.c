/* The kernels for x86-64 with AVX2 and FMA: vectors of 8 floats, 16 registers. 6 rows × 2 vectors are 12
 * chains, enough to keep two multipliers of latency 4 busy; 2 registers hold the panel and 1 or 2 the spread
 * number. Empty elsewhere. */
#if defined(__x86_64__)

#include <float.h>
#include <immintrin.h>
#include <string.h>

#include "base/checked.h"
#include "kernels/levels.h"
#include "kernels/loss_math.h"
#include "kernels/rest.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

#define SIMD_NAME rlm_kernels_avx2
#define SIMD_TEXT "avx2"
#define SIMD_WIDTH 8
#define TILE_ROWS 6
#define TILE_PANELS 1
#define BLOCK_ROWS ((size_t)48)

typedef __m256 vec;
typedef __m256d wide;
typedef __m256 mask; /* all ones or all zeros a lane */

static inline vec v_load(const float *from)
{
    return _mm256_loadu_ps(from);
}

static inline void v_store(float *to, vec a)
{
    _mm256_storeu_ps(to, a);
}

static inline vec v_set(float a)
{
    return _mm256_set1_ps(a);
}

static inline vec v_set_bits(uint32_t bits)
{
    return _mm256_castsi256_ps(_mm256_set1_epi32((int)bits));
}

static inline vec v_from_u8(const uint8_t *from)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)from)));
}

static inline vec v_add(vec a, vec b)
{
    return _mm256_add_ps(a, b);
}

static inline vec v_sub(vec a, vec b)
{
    return _mm256_sub_ps(a, b);
}

static inline vec v_mul(vec a, vec b)
{
    return _mm256_mul_ps(a, b);
}

static inline vec v_div(vec a, vec b)
{
    return _mm256_div_ps(a, b);
}

static inline vec v_sqrt(vec a)
{
    return _mm256_sqrt_ps(a);
}

static inline vec v_fma(vec a, vec b, vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline vec v_maximum(vec a, vec b)
{
    return _mm256_max_ps(a, b);
}

static inline vec v_and(vec a, vec b)
{
    return _mm256_and_ps(a, b);
}

static inline vec v_or(vec a, vec b)
{
    return _mm256_or_ps(a, b);
}

static inline vec v_bits_add(vec a, vec b)
{
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
}

static inline vec v_bits_sub(vec a, vec b)
{
    return _mm256_castsi256_ps(_mm256_sub_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
}

static inline vec v_bits_down_1(vec a)
{
    return _mm256_castsi256_ps(_mm256_srli_epi32(_mm256_castps_si256(a), 1));
}

static inline vec v_bits_down_23(vec a)
{
    return _mm256_castsi256_ps(_mm256_srli_epi32(_mm256_castps_si256(a), 23));
}

static inline vec v_bits_up_23(vec a)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a), 23));
}

static inline mask v_greater(vec a, vec b)
{
    return _mm256_cmp_ps(a, b, _CMP_GT_OQ);
}

static inline mask v_not_at_most(vec a, vec b)
{
    return _mm256_cmp_ps(a, b, _CMP_NLE_UQ);
}

static inline mask v_bits_equal(vec a, vec b)
{
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
}

static inline mask v_bits_none(vec a, vec b)
{
    return v_bits_equal(_mm256_and_ps(a, b), _mm256_setzero_ps());
}

static inline unsigned m_bits(mask m)
{
    return (unsigned)_mm256_movemask_ps(m);
}

static inline mask m_from_bits(unsigned bits)
{
    __m256i lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_castsi256_ps(
        _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)bits), lane), lane));
}

static inline vec v_select(mask m, vec a, vec b)
{
    return _mm256_blendv_ps(b, a, m);
}

static inline vec v_where(mask m, vec a)
{
    return _mm256_and_ps(m, a);
}

/* Pairs, then quadruples within the 128-bit halves, then the halves. */
static inline void v_transpose(vec v[SIMD_WIDTH])
{
    vec pairs[SIMD_WIDTH], quads[SIMD_WIDTH];
    for (int i = 0; i < SIMD_WIDTH; i += 2) {
        pairs[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
        pairs[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < SIMD_WIDTH; i += 4) {
        quads[i] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0x44);
        quads[i + 1] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0xee);
        quads[i + 2] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0x44);
        quads[i + 3] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        v[i] = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x20);
        v[i + 4] = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x31);
    }
}

static inline wide w_load(const double *from)
{
    return _mm256_loadu_pd(from);
}

static inline void w_store(double *to, wide a)
{
    _mm256_storeu_pd(to, a);
}

static inline wide w_add(wide a, wide b)
{
    return _mm256_add_pd(a, b);
}

static inline wide w_fma(wide a, wide b, wide c)
{
    return _mm256_fmadd_pd(a, b, c);
}

static inline wide w_low(vec a)
{
    return _mm256_cvtps_pd(_mm256_castps256_ps128(a));
}

static inline wide w_high(vec a)
{
    return _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1));
}

#include "kernels/simd/simd.inc"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#else
typedef int rlm_avx2_is_for_x86_64; /* a file must hold something */
#endif
