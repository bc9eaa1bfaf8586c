/* See tensor.h. Values are loaded with memcpy, so that they may stand at any address. */
#include "formats/tensor.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bits.h"
#include "base/checked.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the formats are written for little-endian machines");
_Static_assert(sizeof(float) == 4 && sizeof(double) == 8,
               "float and double are IEEE's binary32 and binary64");

struct dtype_row {
    const char *name;
    size_t size;
};

static const struct dtype_row dtype_rows[] = {
#define DTYPE_ROW(name, bytes) {#name, bytes},
    RLM_DTYPE_LIST(DTYPE_ROW)
#undef DTYPE_ROW
};

size_t rlm_dtype_size(enum rlm_dtype dtype)
{
    return dtype_rows[dtype].size;
}

const char *rlm_dtype_name(enum rlm_dtype dtype)
{
    return dtype_rows[dtype].name;
}

enum rlm_dtype rlm_dtype_find(const char *name)
{
    enum rlm_dtype dtype = 0;
    while (dtype < RLM_DTYPE_COUNT && strcmp(dtype_rows[dtype].name, name) != 0)
        dtype++;
    return dtype;
}

bool rlm_dtype_is_float(enum rlm_dtype dtype)
{
    return dtype == RLM_F64 || dtype == RLM_F32 || dtype == RLM_F16 || dtype == RLM_BF16;
}

bool rlm_dtype_fits_f32(enum rlm_dtype dtype)
{
    return rlm_dtype_size(dtype) <= 2 || dtype == RLM_F32;
}

enum rlm_dtype rlm_dtype_kept(enum rlm_dtype dtype, enum rlm_reading reading)
{
    bool as_it_is = reading != RLM_READ_FEATURES || dtype == RLM_U8 || dtype == RLM_BOOL;
    return as_it_is ? dtype : RLM_F32;
}

float rlm_half_to_f32(unsigned bits)
{
    uint32_t sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
    if (exponent == 0) { /* zero or subnormal: fraction · 2⁻²⁴, exact */
        float magnitude = (float)fraction * 0x1p-24f;
        return rlm_bits_float(rlm_float_bits(magnitude) | sign);
    }
    if (exponent == 0x1f) /* infinite or NaN */
        return rlm_bits_float(sign | 0x7f800000u | fraction << 13);
    return rlm_bits_float(sign | (exponent + (127 - 15)) << 23 | fraction << 13);
}

/* Both kinds of half precision, as float32: exact. */
static float half_load(enum rlm_dtype dtype, const unsigned char *at)
{
    uint16_t bits = rlm_load_le16(at);
    return dtype == RLM_F16 ? rlm_half_to_f32(bits) : rlm_bits_float((uint32_t)bits << 16);
}

/* One loop a kind: to[i] = the value of `type` at from + i · its size. */
#define CONVERT(type, result)                                                                                \
    for (size_t i = 0; i < count; i++) {                                                                     \
        type value;                                                                                          \
        memcpy(&value, at + i * sizeof value, sizeof value);                                                 \
        to[i] = (result)value;                                                                               \
    }                                                                                                        \
    break

void rlm_values_to_f32(enum rlm_dtype dtype, const void *from, float *to, size_t count)
{
    const unsigned char *at = from;
    switch (dtype) {
    case RLM_F64:
        CONVERT(double, float);
    case RLM_F32:
        if (count)
            memcpy(to, from, count * sizeof *to);
        break;
    case RLM_F16:
    case RLM_BF16:
        for (size_t i = 0; i < count; i++)
            to[i] = half_load(dtype, at + 2 * i);
        break;
    case RLM_I64:
        CONVERT(int64_t, float);
    case RLM_I32:
        CONVERT(int32_t, float);
    case RLM_I16:
        CONVERT(int16_t, float);
    case RLM_I8:
        CONVERT(int8_t, float);
    case RLM_U64:
        CONVERT(uint64_t, float);
    case RLM_U32:
        CONVERT(uint32_t, float);
    case RLM_U16:
        CONVERT(uint16_t, float);
    case RLM_U8:
    case RLM_BOOL:
        CONVERT(uint8_t, float);
    case RLM_DTYPE_COUNT:
        break;
    }
}

void rlm_values_to_f64(enum rlm_dtype dtype, const void *from, double *to, size_t count)
{
    const unsigned char *at = from;
    switch (dtype) {
    case RLM_F64:
        if (count)
            memcpy(to, from, count * sizeof *to);
        break;
    case RLM_F32:
        CONVERT(float, double);
    case RLM_F16:
    case RLM_BF16:
        for (size_t i = 0; i < count; i++)
            to[i] = (double)half_load(dtype, at + 2 * i);
        break;
    case RLM_I64:
        CONVERT(int64_t, double);
    case RLM_I32:
        CONVERT(int32_t, double);
    case RLM_I16:
        CONVERT(int16_t, double);
    case RLM_I8:
        CONVERT(int8_t, double);
    case RLM_U64:
        CONVERT(uint64_t, double);
    case RLM_U32:
        CONVERT(uint32_t, double);
    case RLM_U16:
        CONVERT(uint16_t, double);
    case RLM_U8:
    case RLM_BOOL:
        CONVERT(uint8_t, double);
    case RLM_DTYPE_COUNT:
        break;
    }
}

void rlm_values_swap(void *values, size_t size, size_t count)
{
    unsigned char *at = values;
    for (size_t i = 0; i < count; i++, at += size)
        for (size_t low = 0, high = size - 1; low < high; low++, high--) {
            unsigned char byte = at[low];
            at[low] = at[high];
            at[high] = byte;
        }
}

bool rlm_tensor_measure(struct rlm_tensor *tensor)
{
    size_t count = 1, bytes, i;
    bool empty = false;
    for (i = 0; i < tensor->rank; i++)
        empty = empty || tensor->shape[i] == 0;
    /* sizes beside a 0 must not overflow a product that is 0 */
    for (i = 0; i < tensor->rank && !empty; i++)
        if (!rlm_size_multiply(count, tensor->shape[i], &count))
            return false;
    tensor->count = empty ? 0 : count;
    return rlm_size_multiply(tensor->count, rlm_dtype_size(tensor->dtype), &bytes);
}

const char *rlm_tensor_shape_text(const struct rlm_tensor *tensor, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "[");
    for (size_t i = 0; i < tensor->rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, i ? ", %zu" : "%zu", tensor->shape[i]);
    if (used < size)
        used += (size_t)snprintf(text + used, size - used, "]");
    if (used >= size && size >= 4)
        memcpy(text + size - 4, "...", 4);
    return text;
}

void rlm_tensor_deinit(struct rlm_tensor *tensor)
{
    rlm_free(tensor->data);
    *tensor = (struct rlm_tensor){0};
}
