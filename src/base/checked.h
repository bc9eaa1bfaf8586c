/* Size arithmetic that notices overflow. Every product or sum that ends up as a size goes through these. */
#ifndef RLM_BASE_CHECKED_H
#define RLM_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* *result = a · b (a + b); false, and *result untouched in meaning, when it does not fit. */
static inline bool rlm_size_multiply(size_t a, size_t b, size_t *result)
{
    return !__builtin_mul_overflow(a, b, result);
}

static inline bool rlm_size_add(size_t a, size_t b, size_t *result)
{
    return !__builtin_add_overflow(a, b, result);
}

/* *result = a · b · c. */
static inline bool rlm_size_multiply3(size_t a, size_t b, size_t c, size_t *result)
{
    size_t ab;
    return rlm_size_multiply(a, b, &ab) && rlm_size_multiply(ab, c, result);
}

/* `value` rounded up to a multiple of `unit` (a power of two); the caller knows that it fits. */
static inline size_t rlm_round_up(size_t value, size_t unit)
{
    return (value + unit - 1) & ~(unit - 1);
}

/* ⌈a / b⌉ for b > 0. */
static inline size_t rlm_divide_up(size_t a, size_t b)
{
    return a / b + (a % b != 0);
}

static inline size_t rlm_size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t rlm_size_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

#endif
