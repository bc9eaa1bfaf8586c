/* Bits and bytes: counting, finding, and integers in a stated byte order. */
#ifndef RLM_BASE_BITS_H
#define RLM_BASE_BITS_H

#include <stdint.h>
#include <string.h>

static inline unsigned rlm_bits_count(uint64_t word)
{
    return (unsigned)__builtin_popcountll(word);
}

/* The number of the lowest set bit, from 0; `word` is not 0. */
static inline unsigned rlm_bits_lowest(uint64_t word)
{
    return (unsigned)__builtin_ctzll(word);
}

/* The number of the highest set bit, from 0; `word` is not 0. */
static inline unsigned rlm_bits_highest(uint64_t word)
{
    return 63u - (unsigned)__builtin_clzll(word);
}

static inline uint32_t rlm_load_be32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline uint16_t rlm_load_le16(const unsigned char *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t rlm_load_le32(const unsigned char *at)
{
    return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

static inline uint64_t rlm_load_le64(const unsigned char *at)
{
    return (uint64_t)rlm_load_le32(at + 4) << 32 | rlm_load_le32(at);
}

static inline void rlm_store_le64(unsigned char *at, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

static inline uint32_t rlm_float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float rlm_bits_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
