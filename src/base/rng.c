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

__extension__ typedef unsigned __int128 product;

uint64_t rlm_rng_below(const struct rlm_rng *rng, uint64_t index, uint64_t bound)
{
    for (uint64_t further = 0;; further++) {
        uint64_t words[4];
        block_at(rng, index, further, words);
        for (int i = 0; i < 4; i++) {
            product scaled = (product)words[i] * bound;
            /* 2⁶⁴ mod bound, which is below bound: low halves below it would be one too many */
            if ((uint64_t)scaled >= bound || (uint64_t)scaled >= -bound % bound)
                return (uint64_t)(scaled >> 64);
        }
    }
}

/* rlm_rng_below where the first word of the block will do, which is nearly always: the other three, and the
 * key of each round, are then not worked out for every draw. */
static inline uint64_t below_first(const struct rlm_rng *rng, uint64_t index, uint64_t bound)
{
    philox4x64_ctr_t counter = {{index, rng->group, 0, 0}};
    philox4x64_key_t key = {{rng->seed, rng->purpose}};
    product scaled = (product)philox4x64(counter, key).v[0] * bound;
    if ((uint64_t)scaled >= bound)
        return (uint64_t)(scaled >> 64);
    return rlm_rng_below(rng, index, bound);
}

/* Draws worked out one after the other, before what they say is done: neither then waits for the other. */
enum { DRAWS = 64 };

void rlm_rng_shuffle(const struct rlm_rng *rng, uint32_t *order, size_t count)
{
    struct rlm_rng kept = *rng;
    uint32_t other[DRAWS] = {0};
    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    for (size_t left = count, some; left > 1; left -= some) {
        some = left - 1 < DRAWS ? left - 1 : DRAWS;
        for (size_t k = 0; k < some; k++)
            other[k] = (uint32_t)below_first(&kept, left - 1 - k, left - k);
        for (size_t k = 0; k < some; k++) {
            uint32_t held = order[left - 1 - k];
            order[left - 1 - k] = order[other[k]];
            order[other[k]] = held;
        }
    }
}
