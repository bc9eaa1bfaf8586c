/* The kernels for 64-bit Arm with NEON, which every such CPU has: vectors of 4 floats, 32 registers. 5 rows ×
 * 4 vectors are 20 chains; 4 registers hold the panel, and compilers like to load all 5 spread numbers ahead.
 * Empty elsewhere. */
#if defined(__aarch64__)

#include <arm_neon.h>
#include <float.h>
#include <string.h>

#include "base/checked.h"
#include "kernels/levels.h"
#include "kernels/loss_math.h"
#include "kernels/rest.h"

#define SIMD_NAME rlm_kernels_neon
#define SIMD_TEXT "neon"
#define SIMD_WIDTH 4
#define TILE_ROWS 5
#define TILE_PANELS 1
#define BLOCK_ROWS ((size_t)80)

typedef float32x4_t vec;
typedef float64x2_t wide;
typedef uint32x4_t mask; /* all ones or all zeros a lane */

static inline vec v_load(const float *from)
{
    return vld1q_f32(from);
}

static inline void v_store(float *to, vec a)
{
    vst1q_f32(to, a);
}

static inline vec v_set(float a)
{
    return vdupq_n_f32(a);
}

static inline vec v_set_bits(uint32_t bits)
{
    return vreinterpretq_f32_u32(vdupq_n_u32(bits));
}

static inline vec v_from_u8(const uint8_t *from)
{
    uint32_t four;
    memcpy(&four, from, sizeof four);
    uint16x8_t halves = vmovl_u8(vcreate_u8(four));
    return vcvtq_f32_u32(vmovl_u16(vget_low_u16(halves)));
}

static inline vec v_add(vec a, vec b)
{
    return vaddq_f32(a, b);
}

static inline vec v_sub(vec a, vec b)
{
    return vsubq_f32(a, b);
}

static inline vec v_mul(vec a, vec b)
{
    return vmulq_f32(a, b);
}

static inline vec v_div(vec a, vec b)
{
    return vdivq_f32(a, b);
}

static inline vec v_sqrt(vec a)
{
    return vsqrtq_f32(a);
}

static inline vec v_fma(vec a, vec b, vec c)
{
    return vfmaq_f32(c, a, b);
}

static inline vec v_maximum(vec a, vec b)
{
    return vbslq_f32(vcgtq_f32(a, b), a, b);
}

static inline vec v_and(vec a, vec b)
{
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b)));
}

static inline vec v_or(vec a, vec b)
{
    return vreinterpretq_f32_u32(vorrq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b)));
}

static inline vec v_bits_add(vec a, vec b)
{
    return vreinterpretq_f32_u32(vaddq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b)));
}

static inline vec v_bits_sub(vec a, vec b)
{
    return vreinterpretq_f32_u32(vsubq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b)));
}

static inline vec v_bits_down_1(vec a)
{
    return vreinterpretq_f32_u32(vshrq_n_u32(vreinterpretq_u32_f32(a), 1));
}

static inline vec v_bits_down_23(vec a)
{
    return vreinterpretq_f32_u32(vshrq_n_u32(vreinterpretq_u32_f32(a), 23));
}

static inline vec v_bits_up_23(vec a)
{
    return vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(a), 23));
}

static inline mask v_greater(vec a, vec b)
{
    return vcgtq_f32(a, b);
}

static inline mask v_not_at_most(vec a, vec b)
{
    return vmvnq_u32(vcleq_f32(a, b));
}

static inline mask v_bits_equal(vec a, vec b)
{
    return vceqq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b));
}

static inline mask lane_bits(void)
{
    static const uint32_t bits[SIMD_WIDTH] = {1, 2, 4, 8};
    return vld1q_u32(bits);
}

static inline mask v_bits_none(vec a, vec b)
{
    return vmvnq_u32(vtstq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b)));
}

static inline unsigned m_bits(mask m)
{
    return vaddvq_u32(vandq_u32(m, lane_bits()));
}

static inline mask m_from_bits(unsigned bits)
{
    return vtstq_u32(vdupq_n_u32(bits), lane_bits());
}

static inline vec v_select(mask m, vec a, vec b)
{
    return vbslq_f32(m, a, b);
}

static inline vec v_where(mask m, vec a)
{
    return vreinterpretq_f32_u32(vandq_u32(m, vreinterpretq_u32_f32(a)));
}

/* Pairs, then the halves. */
static inline void v_transpose(vec v[SIMD_WIDTH])
{
    float32x4x2_t upper = vtrnq_f32(v[0], v[1]), lower = vtrnq_f32(v[2], v[3]);
    v[0] = vcombine_f32(vget_low_f32(upper.val[0]), vget_low_f32(lower.val[0]));
    v[1] = vcombine_f32(vget_low_f32(upper.val[1]), vget_low_f32(lower.val[1]));
    v[2] = vcombine_f32(vget_high_f32(upper.val[0]), vget_high_f32(lower.val[0]));
    v[3] = vcombine_f32(vget_high_f32(upper.val[1]), vget_high_f32(lower.val[1]));
}

static inline wide w_load(const double *from)
{
    return vld1q_f64(from);
}

static inline void w_store(double *to, wide a)
{
    vst1q_f64(to, a);
}

static inline wide w_add(wide a, wide b)
{
    return vaddq_f64(a, b);
}

static inline wide w_fma(wide a, wide b, wide c)
{
    return vfmaq_f64(c, a, b);
}

static inline wide w_low(vec a)
{
    return vcvt_f64_f32(vget_low_f32(a));
}

static inline wide w_high(vec a)
{
    return vcvt_high_f64_f32(a);
}

#include "kernels/simd/simd.inc"

#else
typedef int rlm_neon_is_for_aarch64; /* a file must hold something */
#endif
