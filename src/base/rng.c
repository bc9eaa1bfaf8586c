/* See rng.h. The bits come from Random123's Philox; what is made of them is written out here and fixed by
 * test vectors. */
#include "base/rng.h"

#include <Random123/philox.h>
#include <math.h>

#include "base/fmath.h"

/* Block `index`, and after it further blocks of the same index for draws that were rejected. */
static void block_at(const struct rlm_rng *rng, uint64_t index, uint64_t further, uint64_t words[4])
{
    philox4x64_ctr_t counter = {{index, rng->group, further, 0}};
    philox4x64_key_t key = {{rng->seed, rng->purpose}};
    philox4x64_ctr_t block = philox4x64(counter, key);
    for (int i = 0; i < 4; i++)
        words[i] = block.v[i];
}

void rlm_rng_block(const struct rlm_rng *rng, uint64_t index, uint64_t words[4])
{
    block_at(rng, index, 0, words);
}

/* The 53 highest bits as a number in [0, 1): the low bits are dropped, so nothing is rounded. */
static double word_uniform(uint64_t word)
{
    return (double)(word >> 11) * 0x1p-53;
}

double rlm_rng_uniform(const struct rlm_rng *rng, uint64_t index)
{
    uint64_t words[4];
    rlm_rng_block(rng, index, words);
    return word_uniform(words[0]);
}

double rlm_rng_normal(const struct rlm_rng *rng, uint64_t index)
{
    uint64_t words[4];
    rlm_rng_block(rng, index, words);
    /* 1 − u lies in (0, 1], so that the logarithm is finite; the difference is exact */
    double radius = sqrt(-2.0 * rlm_log(1.0 - word_uniform(words[0])));
    return radius * rlm_cos_turn(word_uniform(words[1]));
}

static void normal_lanes(const struct rlm_rng *rng, uint64_t index, double values[RLM_MATH_LANES])
{
    double angle[RLM_MATH_LANES];
    for (size_t i = 0; i < RLM_MATH_LANES; i++) {
        uint64_t words[4];
        rlm_rng_block(rng, index + i, words);
        values[i] = 1.0 - word_uniform(words[0]);
        angle[i] = word_uniform(words[1]);
    }
    rlm_log_lanes(values);
    rlm_cos_turn_lanes(angle);
    for (size_t i = 0; i < RLM_MATH_LANES; i++)
        values[i] = sqrt(-2.0 * values[i]) * angle[i];
}

void rlm_rng_normals(const struct rlm_rng *rng, uint64_t index, size_t count, double *values)
{
    size_t i = 0;
    for (; i + RLM_MATH_LANES <= count; i += RLM_MATH_LANES)
        normal_lanes(rng, index + i, values + i);
    for (; i < count; i++)
        values[i] = rlm_rng_normal(rng, index + i);
}

/* The high half of a · b; the low half in *low. */
static uint64_t multiply_high(uint64_t a, uint64_t b, uint64_t *low)
{
    uint64_t a_low = a & 0xffffffff, a_high = a >> 32, b_low = b & 0xffffffff, b_high = b >> 32;
    uint64_t cross = a_high * b_low + (a_low * b_low >> 32); /* at most (2³²−1)² + 2³²−1 < 2⁶⁴ */
    uint64_t middle = a_low * b_high + (cross & 0xffffffff);
    *low = a * b;
    return a_high * b_high + (cross >> 32) + (middle >> 32);
}

uint64_t rlm_rng_below(const struct rlm_rng *rng, uint64_t index, uint64_t bound)
{
    for (uint64_t further = 0;; further++) {
        uint64_t words[4], low;
        block_at(rng, index, further, words);
        for (int i = 0; i < 4; i++) {
            uint64_t high = multiply_high(words[i], bound, &low);
            /* 2⁶⁴ mod bound, which is below bound: low halves below it would be one too many */
            if (low >= bound || low >= -bound % bound)
                return high;
        }
    }
}

void rlm_rng_shuffle(const struct rlm_rng *rng, uint32_t *order, size_t count)
{
    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    for (size_t i = count; i-- > 1;) {
        size_t other = (size_t)rlm_rng_below(rng, i, (uint64_t)i + 1);
        uint32_t held = order[i];
        order[i] = order[other];
        order[other] = held;
    }
}
