/* See bytes.h. */
#include "kernels/bytes.h"

#include <string.h>

#include "kernels/kernels.h"

#define LANES ((size_t)RLM_LANES)
#define PANEL (LANES * 4) /* bytes of a quad's panel */

void rlm_bytes_put(uint8_t *group, size_t place, const uint8_t *raw, size_t features)
{
    size_t whole = features / 4;
    uint8_t *to = group + place * 4;
    for (size_t quad = 0; quad < whole; quad++)
        memcpy(to + quad * RLM_QUAD_BYTES, raw + 4 * quad, 4);
    if (features > 4 * whole) {
        uint8_t last[4] = {0};
        memcpy(last, raw + 4 * whole, features - 4 * whole);
        memcpy(to + whole * RLM_QUAD_BYTES, last, sizeof last);
    }
}

static inline size_t quads_count(struct rlm_quads quads, size_t all)
{
    return quads.list ? quads.count : all;
}

static inline size_t quads_at(struct rlm_quads quads, size_t i)
{
    return quads.list ? quads.list[i] : i;
}

void rlm_dots_ref(const struct rlm_dots *a)
{
    for (size_t r = 0; r < a->rows; r++)
        for (size_t place = 0; place < RLM_BYTE_GROUP; place++) {
            int32_t sum = 0;
            for (size_t i = 0; i < 4 * quads_count(a->used, a->quads); i++)
                sum += a->row[r][4 * quads_at(a->used, i / 4) + i % 4] *
                       a->x[(i / 4 * RLM_BYTE_GROUP + place) * 4 + i % 4];
            a->out[r * RLM_BYTE_GROUP + place] = sum;
        }
}

#if defined(__x86_64__)
#include <immintrin.h>

static inline int32_t quad_of(const int8_t *row, size_t quad)
{
    int32_t bytes;
    memcpy(&bytes, row + 4 * quad, sizeof bytes);
    return bytes;
}

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

/* 16 chains, of which latency 5 on two ports needs 10. A call of fewer rows does the last one again. */
__attribute__((target("avx512f,avx512vnni"))) static void dots_vnni(const struct rlm_dots *a)
{
    const int8_t *row[RLM_DOTS_ROWS];
    __m512i sum[RLM_DOTS_ROWS][2];
    size_t last = 0;
    for (size_t r = 0; r < RLM_DOTS_ROWS; r++) {
        last = r < a->rows ? r : last;
        row[r] = a->row[last];
    }
    UNROLL
    for (size_t r = 0; r < RLM_DOTS_ROWS; r++) {
        sum[r][0] = sum[r][1] = _mm512_setzero_si512();
    }
    for (size_t i = 0; i < quads_count(a->used, a->quads); i++) {
        size_t quad = quads_at(a->used, i);
        __m512i one = _mm512_load_si512(a->x + i * RLM_QUAD_BYTES);
        __m512i two = _mm512_load_si512(a->x + i * RLM_QUAD_BYTES + PANEL);
        UNROLL
        for (size_t r = 0; r < RLM_DOTS_ROWS; r++) {
            __m512i spread = _mm512_set1_epi32(quad_of(row[r], quad));
            sum[r][0] = _mm512_dpbusd_epi32(sum[r][0], one, spread);
            sum[r][1] = _mm512_dpbusd_epi32(sum[r][1], two, spread);
        }
    }
    UNROLL
    for (size_t r = 0; r < RLM_DOTS_ROWS; r++)
        for (size_t panel = 0; panel < 2; panel++)
            _mm512_storeu_si512(a->out + (r * 2 + panel) * LANES, sum[r][panel]);
}
#endif

#if defined(__x86_64__)
/* u / 255 as pack.inc makes it: a multiplication and a correction. */
__attribute__((target("avx512f"))) static inline __m512 divide_byte(__m512i byte)
{
    __m512 raw = _mm512_cvtepi32_ps(byte), reciprocal = _mm512_set1_ps(1.0f / 255.0f);
    __m512 quotient = _mm512_mul_ps(raw, reciprocal);
    __m512 missing = _mm512_fmadd_ps(quotient, _mm512_set1_ps(-255.0f), raw);
    return _mm512_fmadd_ps(missing, reciprocal, quotient);
}

/* Four features of a panel. */
__attribute__((target("avx512f"))) static inline void widen_quad(__m512i quad, float *to)
{
    const __m512i low = _mm512_set1_epi32(255);
    _mm512_storeu_ps(to, divide_byte(_mm512_and_si512(quad, low)));
    quad = _mm512_srli_epi32(quad, 8);
    _mm512_storeu_ps(to + LANES, divide_byte(_mm512_and_si512(quad, low)));
    quad = _mm512_srli_epi32(quad, 8);
    _mm512_storeu_ps(to + 2 * LANES, divide_byte(_mm512_and_si512(quad, low)));
    _mm512_storeu_ps(to + 3 * LANES, divide_byte(_mm512_srli_epi32(quad, 8)));
}

/* The last four features of a panel may be fewer: what they write beyond the first panel the second writes
 * over, which is therefore done after it. */
__attribute__((target("avx512f"))) static void widen_avx512(const uint8_t *bytes, size_t features,
                                                            struct rlm_quads quads, float *x)
{
    size_t count = quads_count(quads, (features + 3) / 4);
    for (size_t panel = 0; panel < 2; panel++, x += features * LANES, bytes += PANEL)
        for (size_t i = 0; i < count; i++)
            widen_quad(_mm512_loadu_si512(bytes + i * RLM_QUAD_BYTES), x + quads_at(quads, i) * 4 * LANES);
}
#endif

rlm_widen_kernel *rlm_widen_find(enum rlm_cpu_level level)
{
#if defined(__x86_64__)
    if (level == RLM_CPU_AVX512 && __builtin_cpu_supports("avx512f"))
        return widen_avx512;
#else
    (void)level;
#endif
    return NULL;
}

rlm_dots_kernel *rlm_dots_find(enum rlm_cpu_level level)
{
#if defined(__x86_64__)
    if (level == RLM_CPU_AVX512 && __builtin_cpu_supports("avx512vnni"))
        return dots_vnni;
#else
    (void)level;
#endif
    return NULL;
}
