/* The kernels for x86-64 with AVX-512: vectors of 16 floats, 32 registers. 14 rows × 2 vectors are 28 chains,
 * of which two multipliers of latency 4 need 8; 2 registers hold the panel, and the spread number is read
 * from memory by the multiplication itself. Empty elsewhere. */
#if defined(__x86_64__)

#include <float.h>
#include <immintrin.h>
#include <string.h>

#include "base/checked.h"
#include "kernels/levels.h"
#include "kernels/loss_math.h"
#include "kernels/rest.h"

#if defined(RLM_AVX512_EMULATED) /* then every intrinsic is a function for an older CPU */
#elif defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))),              \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma")
#endif

#define SIMD_NAME rlm_kernels_avx512
#define SIMD_TEXT "avx512"
#define SIMD_WIDTH 16
#define TILE_ROWS 14
#define TILE_PANELS 2
#define DEFERRED_ROWS 12
#define BLOCK_ROWS ((size_t)112)

typedef __m512 vec;
typedef __m512d wide;
typedef __mmask16 mask;

static inline vec v_load(const float *from)
{
    return _mm512_loadu_ps(from);
}

static inline void v_store(float *to, vec a)
{
    _mm512_storeu_ps(to, a);
}

static inline vec v_set(float a)
{
    return _mm512_set1_ps(a);
}

static inline vec v_set_bits(uint32_t bits)
{
    return _mm512_castsi512_ps(_mm512_set1_epi32((int)bits));
}

static inline vec v_from_u8(const uint8_t *from)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)from)));
}

static inline vec v_add(vec a, vec b)
{
    return _mm512_add_ps(a, b);
}

static inline vec v_sub(vec a, vec b)
{
    return _mm512_sub_ps(a, b);
}

static inline vec v_mul(vec a, vec b)
{
    return _mm512_mul_ps(a, b);
}

static inline vec v_div(vec a, vec b)
{
    return _mm512_div_ps(a, b);
}

static inline vec v_sqrt(vec a)
{
    return _mm512_sqrt_ps(a);
}

static inline vec v_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline vec v_maximum(vec a, vec b)
{
    return _mm512_max_ps(a, b);
}

static inline vec v_and(vec a, vec b)
{
    return _mm512_and_ps(a, b);
}

static inline vec v_or(vec a, vec b)
{
    return _mm512_or_ps(a, b);
}

static inline vec v_bits_add(vec a, vec b)
{
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
}

static inline vec v_bits_sub(vec a, vec b)
{
    return _mm512_castsi512_ps(_mm512_sub_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
}

static inline vec v_bits_down_1(vec a)
{
    return _mm512_castsi512_ps(_mm512_srli_epi32(_mm512_castps_si512(a), 1));
}

static inline vec v_bits_down_23(vec a)
{
    return _mm512_castsi512_ps(_mm512_srli_epi32(_mm512_castps_si512(a), 23));
}

static inline vec v_bits_up_23(vec a)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a), 23));
}

static inline mask v_greater(vec a, vec b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ);
}

static inline mask v_not_at_most(vec a, vec b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_NLE_UQ);
}

static inline mask v_bits_equal(vec a, vec b)
{
    return _mm512_cmpeq_epi32_mask(_mm512_castps_si512(a), _mm512_castps_si512(b));
}

static inline mask v_bits_none(vec a, vec b)
{
    return _mm512_testn_epi32_mask(_mm512_castps_si512(a), _mm512_castps_si512(b));
}

static inline mask v_fading(vec a)
{
    return _mm512_fpclass_ps_mask(a, 0x24); /* denormal, or −0 */
}

#define SIMD_ROOT_GUESS

static inline vec v_root_guess(vec a)
{
    return _mm512_rsqrt14_ps(a);
}

static inline vec v_fnma(vec a, vec b, vec c)
{
    return _mm512_fnmadd_ps(a, b, c);
}

static inline mask v_bits_above(vec a, vec b)
{
    return _mm512_cmpgt_epu32_mask(_mm512_castps_si512(a), _mm512_castps_si512(b));
}

static inline unsigned m_bits(mask m)
{
    return m;
}

static inline mask m_from_bits(unsigned bits)
{
    return (mask)bits;
}

static inline vec v_select(mask m, vec a, vec b)
{
    return _mm512_mask_blend_ps(m, b, a);
}

static inline vec v_where(mask m, vec a)
{
    return _mm512_maskz_mov_ps(m, a);
}

#define SIMD_SQUEEZE

static inline vec v_squeeze(mask m, vec a)
{
    return _mm512_maskz_compress_ps(m, a);
}

static inline vec v_lane_numbers(void)
{
    return _mm512_castsi512_ps(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

static inline void v_store_bytes(uint8_t *to, vec a)
{
    _mm_storeu_si128((__m128i *)(void *)to, _mm512_cvtepi32_epi8(_mm512_castps_si512(a)));
}

/* Pairs, then quadruples within the 128-bit quarters, then the quarters. */
static inline void v_transpose(vec v[SIMD_WIDTH])
{
    vec pairs[SIMD_WIDTH], quads[SIMD_WIDTH];
    for (int i = 0; i < SIMD_WIDTH; i += 2) {
        pairs[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < SIMD_WIDTH; i += 4) {
        quads[i] = _mm512_shuffle_ps(pairs[i], pairs[i + 2], 0x44);
        quads[i + 1] = _mm512_shuffle_ps(pairs[i], pairs[i + 2], 0xee);
        quads[i + 2] = _mm512_shuffle_ps(pairs[i + 1], pairs[i + 3], 0x44);
        quads[i + 3] = _mm512_shuffle_ps(pairs[i + 1], pairs[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        vec upper_left = _mm512_shuffle_f32x4(quads[i], quads[i + 4], 0x44);
        vec lower_left = _mm512_shuffle_f32x4(quads[i + 8], quads[i + 12], 0x44);
        vec upper_right = _mm512_shuffle_f32x4(quads[i], quads[i + 4], 0xee);
        vec lower_right = _mm512_shuffle_f32x4(quads[i + 8], quads[i + 12], 0xee);
        v[i] = _mm512_shuffle_f32x4(upper_left, lower_left, 0x88);
        v[i + 4] = _mm512_shuffle_f32x4(upper_left, lower_left, 0xdd);
        v[i + 8] = _mm512_shuffle_f32x4(upper_right, lower_right, 0x88);
        v[i + 12] = _mm512_shuffle_f32x4(upper_right, lower_right, 0xdd);
    }
}

static inline wide w_load(const double *from)
{
    return _mm512_loadu_pd(from);
}

static inline void w_store(double *to, wide a)
{
    _mm512_storeu_pd(to, a);
}

static inline wide w_add(wide a, wide b)
{
    return _mm512_add_pd(a, b);
}

static inline wide w_fma(wide a, wide b, wide c)
{
    return _mm512_fmadd_pd(a, b, c);
}

static inline wide w_low(vec a)
{
    return _mm512_cvtps_pd(_mm512_castps512_ps256(a));
}

static inline wide w_high(vec a)
{
    return _mm512_cvtps_pd(_mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(a), 1)));
}

#include "kernels/simd/simd.inc"

#if defined(RLM_AVX512_EMULATED)
#elif defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#else
typedef int rlm_avx512_is_for_x86_64; /* a file must hold something */
#endif
