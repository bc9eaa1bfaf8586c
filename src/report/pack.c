/* See pack.h. */
#include "report/pack.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void encode(const unsigned char *bytes, size_t size, char *text)
{
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t three = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                         (left > 2 ? bytes[i + 2] : 0);
        *text++ = digits[three >> 18];
        *text++ = digits[three >> 12 & 63];
        *text++ = left > 1 ? digits[three >> 6 & 63] : '=';
        *text++ = left > 2 ? digits[three & 63] : '=';
    }
    *text = '\0';
}

size_t rlm_pack_bound(size_t bytes)
{
    return (size_t)compressBound((uLong)bytes) / 3 * 4 + 4;
}

/* Compresses `size` bytes and keeps their text in the bag. */
static relume_status pack(struct rlm_bag *bag, const unsigned char *bytes, size_t size, const char *type,
                          size_t count, struct rlm_packed *packed, relume_error *error)
{
    uLongf length = compressBound((uLong)size);
    unsigned char *squeezed = rlm_alloc(bag->allocator, length, 1);
    if (!squeezed)
        return rlm_error_memory(error, length, "a report's array");
    if (compress2(squeezed, &length, bytes, (uLong)size, 6) != Z_OK) {
        rlm_free(squeezed);
        return rlm_error_memory(error, size, "compressing a report's array");
    }
    size_t text_length = ((size_t)length + 2) / 3 * 4;
    char *text = NULL;
    relume_status status = RLM_BAG_TAKE(bag, text, text_length + 1, "a report's array", error);
    if (status == RELUME_OK) {
        encode(squeezed, length, text);
        *packed = (struct rlm_packed){type, count, text, text_length};
    }
    rlm_free(squeezed);
    return status;
}

relume_status rlm_pack_u8(struct rlm_bag *bag, const uint8_t *value, size_t count, struct rlm_packed *packed,
                          relume_error *error)
{
    return pack(bag, value, count, "u8", count, packed, error);
}

relume_status rlm_pack_i8(struct rlm_bag *bag, const int8_t *value, size_t count, struct rlm_packed *packed,
                          relume_error *error)
{
    return pack(bag, (const unsigned char *)value, count, "i8", count, packed, error);
}

/* `word(value, i)` gives the 32 bits of an element, which are laid down low byte first on every machine. */
static relume_status pack_words(struct rlm_bag *bag, const void *value,
                                uint32_t (*word)(const void *, size_t), size_t count, const char *type,
                                struct rlm_packed *packed, relume_error *error)
{
    unsigned char *bytes = rlm_alloc(bag->allocator, count, 4);
    if (!bytes)
        return rlm_error_memory(error, count, "a report's array");
    for (size_t i = 0; i < count; i++) {
        uint32_t w = word(value, i);
        for (size_t b = 0; b < 4; b++)
            bytes[4 * i + b] = (unsigned char)(w >> 8 * b);
    }
    relume_status status = pack(bag, bytes, 4 * count, type, count, packed, error);
    rlm_free(bytes);
    return status;
}

static uint32_t integer_word(const void *value, size_t i)
{
    return ((const uint32_t *)value)[i];
}

static uint32_t real_word(const void *value, size_t i)
{
    uint32_t word;
    memcpy(&word, (const float *)value + i, sizeof word);
    return word;
}

relume_status rlm_pack_u32(struct rlm_bag *bag, const uint32_t *value, size_t count,
                           struct rlm_packed *packed, relume_error *error)
{
    return pack_words(bag, value, integer_word, count, "u32", packed, error);
}

relume_status rlm_pack_f32(struct rlm_bag *bag, const float *value, size_t count, struct rlm_packed *packed,
                           relume_error *error)
{
    return pack_words(bag, value, real_word, count, "f32", packed, error);
}
