/* See enclose.h. */
#include "kernels/enclose.h"

#include <math.h>
#include <string.h>

#include "kernels/kernels.h"

#define LANES ((size_t)RLM_LANES)

/* What the compiler makes vectors of, for the CPU's own instructions where a function below asks for them. */
#define BODY static inline __attribute__((always_inline))

/* end[upper, lower][16] of a factor at one panel. */
BODY void find_ends(const struct rlm_enclosed *factor, const float *middle, const float *sum, float *end)
{
    for (size_t lane = 0; lane < LANES; lane++) {
        float half = factor->slack + factor->error * sum[lane];
        end[lane] = middle[lane] + half;
        end[LANES + lane] = middle[lane] - half;
    }
    for (size_t i = 0; i < 2 * LANES; i++)
        end[i] = end[i] > 0.0f ? end[i] : 0.0f;
}

BODY void add_product(float weight, const float *end, float *most, float *size)
{
    const float *near = weight > 0.0f ? end : end + LANES;
    for (size_t lane = 0; lane < LANES; lane++) {
        most[lane] += weight * near[lane];
        size[lane] += fabsf(weight) * end[lane];
    }
}

BODY void enclose(const struct rlm_enclose *a)
{
    memset(a->most, 0, 2 * a->rows * LANES * sizeof *a->most);
    memset(a->size, 0, 2 * a->rows * LANES * sizeof *a->size);
    for (size_t i = 0; i < a->factors; i++)
        for (size_t panel = 0; panel < 2; panel++) {
            const struct rlm_enclosed *factor = &a->factor[i];
            float end[2 * LANES];
            find_ends(factor, panel == 0 ? factor->first : factor->second, a->sum + panel * LANES, end);
            for (size_t r = 0; r < a->rows; r++) {
                size_t at = (panel * a->rows + r) * LANES;
                add_product(a->weight[r * a->stride + factor->k], end, a->most + at, a->size + at);
            }
        }
}

BODY float find_middles(const int32_t *number, float scale, float constant, float error, const float *sum,
                        float *middle)
{
    float most[2 * LANES];
    for (size_t lane = 0; lane < 2 * LANES; lane++) {
        float value = scale * (float)number[lane] + constant;
        middle[lane] = value;
        most[lane] = value + error * sum[lane];
    }
    for (size_t half = LANES; half > 0; half /= 2)
        for (size_t lane = 0; lane < half; lane++)
            most[lane] = most[lane] > most[half + lane] ? most[lane] : most[half + lane];
    return most[0];
}

#define WIDE 64 /* groups whose sums stay at hand */

/* The groups from `group` on, one by one. */
BODY void find_last(const float *by, size_t blocks, const float *reach, size_t groups, size_t group,
                    float first, float upward, float *rise)
{
    for (; group < groups; group++) {
        float sum = first;
        for (size_t block = 0; block < blocks; block++)
            sum += by[block] * reach[block * groups + group];
        rise[group] = sum * upward;
    }
}

BODY void find_rise(const float *by, size_t blocks, const float *reach, size_t groups, float first,
                    float upward, float *rise)
{
    size_t group = 0;
    for (; group + WIDE <= groups; group += WIDE) {
        float sum[WIDE];
        for (size_t i = 0; i < WIDE; i++)
            sum[i] = first;
        for (size_t block = 0; block < blocks; block++)
            for (size_t i = 0; i < WIDE; i++)
                sum[i] += by[block] * reach[block * groups + group + i];
        for (size_t i = 0; i < WIDE; i++)
            rise[group + i] = sum[i] * upward;
    }
    find_last(by, blocks, reach, groups, group, first, upward, rise);
}

static void enclose_ref(const struct rlm_enclose *arguments)
{
    enclose(arguments);
}

static float middles_ref(const int32_t *number, float scale, float constant, float error, const float *sum,
                         float *middle)
{
    return find_middles(number, scale, constant, error, sum, middle);
}

static void rise_ref(const float *by, size_t blocks, const float *reach, size_t groups, float first,
                     float upward, float *rise)
{
    find_rise(by, blocks, reach, groups, first, upward, rise);
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2"))) static void enclose_avx2(const struct rlm_enclose *arguments)
{
    enclose(arguments);
}

__attribute__((target("avx2"))) static void rise_avx2(const float *by, size_t blocks, const float *reach,
                                                      size_t groups, float first, float upward, float *rise)
{
    find_rise(by, blocks, reach, groups, first, upward, rise);
}

__attribute__((target("avx512f,avx512dq"))) static void rise_wide(const float *by, size_t blocks,
                                                                  const float *reach, size_t groups,
                                                                  float first, float upward, float *rise)
{
    __m512 sum[4];
    for (size_t i = 0; i < 4; i++)
        sum[i] = _mm512_set1_ps(first);
    for (size_t block = 0; block < blocks; block++, reach += groups) {
        __m512 times = _mm512_set1_ps(by[block]);
        for (size_t i = 0; i < 4; i++)
            sum[i] = _mm512_fmadd_ps(times, _mm512_loadu_ps(reach + i * LANES), sum[i]);
    }
    for (size_t i = 0; i < 4; i++)
        _mm512_storeu_ps(rise + i * LANES, _mm512_mul_ps(sum[i], _mm512_set1_ps(upward)));
}

__attribute__((target("avx512f,avx512dq"))) static void rise_avx512(const float *by, size_t blocks,
                                                                    const float *reach, size_t groups,
                                                                    float first, float upward, float *rise)
{
    size_t group = 0;
    for (; group + WIDE <= groups; group += WIDE)
        rise_wide(by, blocks, reach + group, groups, first, upward, rise + group);
    find_last(by, blocks, reach, groups, group, first, upward, rise);
}

__attribute__((target("avx512f,avx512dq"))) static float middles_avx512(const int32_t *number, float scale,
                                                                        float constant, float error,
                                                                        const float *sum, float *middle)
{
    __m512 by = _mm512_set1_ps(scale), from = _mm512_set1_ps(constant), wide = _mm512_set1_ps(error);
    __m512 one = _mm512_fmadd_ps(by, _mm512_cvtepi32_ps(_mm512_loadu_si512(number)), from);
    __m512 two = _mm512_fmadd_ps(by, _mm512_cvtepi32_ps(_mm512_loadu_si512(number + LANES)), from);
    _mm512_storeu_ps(middle, one);
    _mm512_storeu_ps(middle + LANES, two);
    one = _mm512_fmadd_ps(wide, _mm512_loadu_ps(sum), one);
    two = _mm512_fmadd_ps(wide, _mm512_loadu_ps(sum + LANES), two);
    return _mm512_reduce_max_ps(_mm512_max_ps(one, two));
}

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 4")
#endif
#define TOGETHER 4 /* rows whose sums are in registers */

struct ends {
    __m512 up[2], down[2]; /* by panel */
};

__attribute__((target("avx512f,avx512dq"))) static inline struct ends
ends_of(const struct rlm_enclosed *factor, __m512 first, __m512 second)
{
    __m512 slack = _mm512_set1_ps(factor->slack), error = _mm512_set1_ps(factor->error);
    __m512 zero = _mm512_setzero_ps();
    struct ends ends;
    __m512 half = _mm512_fmadd_ps(error, first, slack), middle = _mm512_loadu_ps(factor->first);
    ends.up[0] = _mm512_max_ps(zero, _mm512_add_ps(middle, half));
    ends.down[0] = _mm512_max_ps(zero, _mm512_sub_ps(middle, half));
    half = _mm512_fmadd_ps(error, second, slack);
    middle = _mm512_loadu_ps(factor->second);
    ends.up[1] = _mm512_max_ps(zero, _mm512_add_ps(middle, half));
    ends.down[1] = _mm512_max_ps(zero, _mm512_sub_ps(middle, half));
    return ends;
}

/* `rows` ≤ TOGETHER of them, from `row` on. Where there are fewer, the last is done again. */
__attribute__((target("avx512f,avx512dq"))) static void enclose_rows(const struct rlm_enclose *a, size_t row,
                                                                     size_t rows)
{
    __m512 most[TOGETHER][2], size[TOGETHER][2];
    __m512 first = _mm512_loadu_ps(a->sum), second = _mm512_loadu_ps(a->sum + LANES);
    const float *weight[TOGETHER];
    UNROLL
    for (size_t r = 0; r < TOGETHER; r++) {
        weight[r] = a->weight + (row + (r < rows ? r : rows - 1)) * a->stride;
        most[r][0] = most[r][1] = size[r][0] = size[r][1] = _mm512_setzero_ps();
    }
    for (size_t i = 0; i < a->factors; i++) {
        struct ends ends = ends_of(&a->factor[i], first, second);
        UNROLL
        for (size_t r = 0; r < TOGETHER; r++) {
            __m512 w = _mm512_set1_ps(weight[r][a->factor[i].k]), magnitude = _mm512_abs_ps(w);
            __mmask16 above = _mm512_cmp_ps_mask(w, _mm512_setzero_ps(), _CMP_GT_OQ);
            UNROLL
            for (size_t panel = 0; panel < 2; panel++) {
                __m512 end = _mm512_mask_blend_ps(above, ends.down[panel], ends.up[panel]);
                most[r][panel] = _mm512_fmadd_ps(w, end, most[r][panel]);
                size[r][panel] = _mm512_fmadd_ps(magnitude, ends.up[panel], size[r][panel]);
            }
        }
    }
    UNROLL
    for (size_t r = 0; r < TOGETHER; r++) {
        if (r >= rows)
            break;
        for (size_t panel = 0; panel < 2; panel++) {
            _mm512_storeu_ps(a->most + (panel * a->rows + row + r) * LANES, most[r][panel]);
            _mm512_storeu_ps(a->size + (panel * a->rows + row + r) * LANES, size[r][panel]);
        }
    }
}

static void enclose_avx512(const struct rlm_enclose *a)
{
    for (size_t row = 0; row < a->rows; row += TOGETHER)
        enclose_rows(a, row, a->rows - row < TOGETHER ? a->rows - row : TOGETHER);
}
#endif

const struct rlm_enclosing *rlm_enclosing_find(enum rlm_cpu_level level)
{
    static const struct rlm_enclosing plain = {enclose_ref, middles_ref, rise_ref};
#if defined(__x86_64__)
    static const struct rlm_enclosing avx2 = {enclose_avx2, middles_ref, rise_avx2};
    static const struct rlm_enclosing avx512 = {enclose_avx512, middles_avx512, rise_avx512};
    if (level == RLM_CPU_AVX512 && __builtin_cpu_supports("avx512dq"))
        return &avx512;
    if (level == RLM_CPU_AVX2 && __builtin_cpu_supports("avx2"))
        return &avx2;
#else
    (void)level;
#endif
    return &plain;
}
