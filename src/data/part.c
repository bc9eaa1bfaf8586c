/* See part.h: what the readers share. */
#include "data/part.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bits.h"
#include "base/checked.h"
#include "base/error.h"
#include "data/reader.h"
#include "formats/intern.h"
#include "formats/source.h"
#include "formats/text.h"

void rlm_targets_deinit(struct rlm_targets *targets)
{
    for (size_t i = 0; targets->texts && i < targets->text_count; i++)
        rlm_free(targets->texts[i]);
    rlm_free(targets->texts);
    rlm_free(targets->text);
    rlm_free(targets->integers);
    rlm_free(targets->floats);
    *targets = (struct rlm_targets){0};
}

void rlm_part_deinit(struct rlm_part *part)
{
    rlm_free(part->file);
    rlm_free(part->item);
    rlm_free(part->x);
    rlm_reader_destroy(part->reader);
    rlm_targets_deinit(&part->targets);
    *part = (struct rlm_part){0};
}

void rlm_parts_deinit(struct rlm_parts *parts)
{
    rlm_part_deinit(&parts->train);
    rlm_part_deinit(&parts->test);
    *parts = (struct rlm_parts){0};
}

relume_status rlm_part_name(struct rlm_part *part, const relume_allocator *allocator, const char *file,
                            const char *item, relume_error *error)
{
    part->file = rlm_strdup(allocator, file);
    part->item = item ? rlm_strdup(allocator, item) : NULL;
    return part->file && (part->item || !item) ? RELUME_OK : rlm_error_memory(error, strlen(file), "a name");
}

/* FILE, "ITEM" or FILE for messages; an item's name comes from a file and may hold anything. */
static const char *place_text(char text[320], const char *file, const char *item)
{
    char quoted[RLM_QUOTE_SIZE];
    (void)snprintf(text, 320, "%.200s%s%s", file, item ? ", " : "", item ? rlm_quote(quoted, item) : "");
    return text;
}

static relume_status refuse(relume_error *error, relume_status status, const char *file, const char *item,
                            const char *found, const char *expected)
{
    char place[320];
    rlm_error_clear(error);
    rlm_error_at_file(error, file);
    if (item)
        rlm_error_at_item(error, item);
    return rlm_error_set(error, status, "%s: %s; %s", place_text(place, file, item), found, expected);
}

/* Whether some exponent is all ones: NaN or infinite. Written so that a compiler makes vector code of it. */
static bool has_nonfinite(const float *values, size_t count)
{
    uint32_t found = 0;
    for (size_t i = 0; i < count; i++)
        found |= (rlm_float_bits(values[i]) & 0x7f800000u) == 0x7f800000u;
    return found != 0;
}

relume_status rlm_check_finite(const float *values, size_t first, size_t rows, size_t columns,
                               const char *file, const char *item, relume_error *error)
{
    char place[320];
    size_t row = 0;
    while (row < rows && !has_nonfinite(values + row * columns, columns))
        row++;
    if (row == rows)
        return RELUME_OK;
    const float *at = values + row * columns;
    while (!has_nonfinite(at, 1))
        at++;
    size_t column = (size_t)(at - (values + row * columns));
    bool nan = (rlm_float_bits(*at) & 0x7fffffu) != 0;
    rlm_error_clear(error);
    rlm_error_at_line(error, file, first + row + 1, column + 1);
    if (item)
        rlm_error_at_item(error, item);
    return rlm_error_set(error, RELUME_BAD_DATA,
                         "%s: row %zu, column %zu (counted from 1) %s; every value must be finite",
                         place_text(place, file, item), first + row + 1, column + 1,
                         nan ? "is NaN" : "is infinite, or too large for float32");
}

/* Dimensions after the first that are images: [rows, columns], [1, rows, columns] or [rows, columns, 1]. */
static void take_image_shape(struct rlm_part *part, const struct rlm_tensor *tensor)
{
    const size_t *shape = tensor->shape;
    size_t first = tensor->rank == 4 && shape[1] == 1 ? 2 : 1;
    bool image = tensor->rank == 3 || first == 2 || (tensor->rank == 4 && shape[3] == 1);
    part->image_rows = image ? shape[first] : 0;
    part->image_columns = image ? shape[first + 1] : 0;
}

relume_status rlm_part_take_shape(struct rlm_part *part, const struct rlm_tensor *tensor, relume_error *error)
{
    char shape[96], found[128];
    (void)snprintf(found, sizeof found, "the features have the shape %s",
                   rlm_tensor_shape_text(tensor, shape, sizeof shape));
    if (tensor->rank < 2)
        return refuse(error, RELUME_BAD_DATA, part->file, part->item, found,
                      "[samples, features] or [samples, rows, columns] was expected");
    if (tensor->count == 0)
        return refuse(error, RELUME_BAD_DATA, part->file, part->item, found,
                      "at least one sample and feature is needed");
    if (tensor->shape[0] >= UINT32_MAX)
        return refuse(error, RELUME_BAD_DATA, part->file, part->item, found,
                      "at most 4294967294 samples can be held");
    part->samples = tensor->shape[0];
    part->features = tensor->count / part->samples;
    part->element = tensor->dtype == RLM_F32 ? RELUME_F32 : RELUME_U8;
    part->divisor = tensor->dtype == RLM_U8 ? 255.0f : 1.0f;
    take_image_shape(part, tensor);
    return RELUME_OK;
}

relume_status rlm_part_take_features(struct rlm_part *part, struct rlm_tensor *tensor, relume_error *error)
{
    RLM_TRY(rlm_part_take_shape(part, tensor, error));
    if (tensor->dtype == RLM_F32)
        RLM_TRY(
            rlm_check_finite(tensor->data, 0, part->samples, part->features, part->file, part->item, error));
    part->x = tensor->data;
    tensor->data = NULL;
    return RELUME_OK;
}

static int64_t integer_at(const struct rlm_tensor *tensor, size_t index)
{
    const unsigned char *at = (const unsigned char *)tensor->data + index * rlm_dtype_size(tensor->dtype);
    uint64_t bits = 0;
    memcpy(&bits, at, rlm_dtype_size(tensor->dtype));
    switch (tensor->dtype) {
    case RLM_I8:
        return (int8_t)bits;
    case RLM_I16:
        return (int16_t)bits;
    case RLM_I32:
        return (int32_t)bits;
    default: /* unsigned kinds, and those of 64 bits */
        return (int64_t)bits;
    }
}

static relume_status add_integers(struct rlm_targets *targets, const relume_allocator *allocator,
                                  const struct rlm_tensor *tensor, const char *file, const char *item,
                                  relume_error *error)
{
    targets->integers = rlm_alloc(allocator, tensor->count, sizeof *targets->integers);
    if (!targets->integers)
        return rlm_error_memory(error, tensor->count * sizeof *targets->integers, "labels");
    for (size_t i = 0; i < tensor->count; i++) {
        targets->integers[i] = integer_at(tensor, i);
        if (tensor->dtype == RLM_U64 && targets->integers[i] < 0) {
            char found[96];
            (void)snprintf(found, sizeof found, "the label of row %zu is %" PRIu64, i + 1,
                           (uint64_t)targets->integers[i]);
            return refuse(error, RELUME_BAD_DATA, file, item, found, "labels are whole numbers below 2^63");
        }
    }
    targets->kind = RLM_TARGET_INTEGER;
    return RELUME_OK;
}

static relume_status add_floats(struct rlm_targets *targets, const relume_allocator *allocator,
                                const struct rlm_tensor *tensor, const char *file, const char *item,
                                relume_error *error)
{
    targets->outputs = tensor->count / tensor->shape[0];
    targets->floats = rlm_alloc(allocator, tensor->count, sizeof *targets->floats);
    if (!targets->floats)
        return rlm_error_memory(error, tensor->count * sizeof *targets->floats, "targets");
    rlm_values_to_f32(tensor->dtype, tensor->data, targets->floats, tensor->count);
    targets->kind = RLM_TARGET_FLOAT;
    return rlm_check_finite(targets->floats, 0, tensor->shape[0], targets->outputs, file, item, error);
}

/* One text of `size` characters as UTF-8 in text[4 · size]; its length, or SIZE_MAX when a character is none.
 */
static size_t text_of(const struct rlm_tensor *tensor, size_t sample, size_t size, char *text)
{
    const unsigned char *bytes = (const unsigned char *)tensor->data + sample * size;
    const uint32_t *points = (const uint32_t *)tensor->data + sample * size;
    size_t length = 0;
    if (tensor->dtype == RLM_U8) {
        memcpy(text, bytes, size);
        for (length = size; length && text[length - 1] == '\0';)
            length--;
        return memchr(text, 0, length) ? SIZE_MAX : length;
    }
    while (size && points[size - 1] == 0)
        size--;
    for (size_t i = 0; i < size; i++) {
        uint32_t point = points[i];
        if (point == 0 || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
            return SIZE_MAX;
        size_t more = point < 0x80 ? 0 : point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
        static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};
        text[length++] = (char)(first[more] | point >> 6 * more);
        while (more-- > 0)
            text[length++] = (char)(0x80 | (point >> 6 * more & 0x3f));
    }
    return length;
}

/* A label has to be valid UTF-8 and not empty. */
static bool is_label(const char *text, size_t length)
{
    if (length == 0 || length == SIZE_MAX)
        return false;
    for (size_t step; length; text += step, length -= step)
        if ((step = rlm_utf8_length(text, length)) == 0)
            return false;
    return true;
}

static relume_status number_texts(struct rlm_targets *targets, struct rlm_intern *intern,
                                  const struct rlm_tensor *tensor, char *text, const char *file,
                                  const char *item, relume_error *error)
{
    size_t samples = tensor->shape[0], size = tensor->count / samples;
    for (size_t i = 0; i < samples; i++) {
        size_t length = text_of(tensor, i, size, text);
        char found[96];
        (void)snprintf(found, sizeof found, "the label of row %zu is %s", i + 1,
                       length == 0 ? "empty" : "no text in UTF-8");
        if (!is_label(text, length))
            return refuse(error, RELUME_BAD_DATA, file, item, found, "every sample needs a label");
        relume_status status = rlm_intern_add(intern, text, length, &targets->text[i]);
        if (status == RELUME_BAD_DATA)
            return refuse(error, RELUME_BAD_DATA, file, item,
                          "the labels are more different texts than 65536",
                          "fewer classes were expected; for regression, give numbers");
        if (status != RELUME_OK)
            return rlm_error_memory(error, length, "labels");
    }
    return RELUME_OK;
}

static relume_status add_texts(struct rlm_targets *targets, const relume_allocator *allocator,
                               const struct rlm_tensor *tensor, const char *file, const char *item,
                               relume_error *error)
{
    size_t samples = tensor->shape[0], size = tensor->count / samples;
    struct rlm_intern intern = {.allocator = allocator, .most = RLM_CLASSES_MOST};
    char *text = rlm_alloc(allocator, size, 4);
    targets->text = rlm_alloc(allocator, samples, sizeof *targets->text);
    relume_status status = text && targets->text
                               ? number_texts(targets, &intern, tensor, text, file, item, error)
                               : rlm_error_memory(error, samples * sizeof *targets->text, "labels");
    if (status == RELUME_OK) {
        targets->kind = RLM_TARGET_TEXT;
        targets->texts = intern.texts;
        targets->text_count = intern.count;
        intern.texts = NULL;
        intern.count = 0;
    }
    rlm_intern_deinit(&intern);
    rlm_free(text);
    return status;
}

relume_status rlm_part_add_targets(struct rlm_part *part, const relume_allocator *allocator,
                                   const struct rlm_tensor *tensor, const char *file, const char *item,
                                   relume_error *error)
{
    char shape[96], found[160];
    struct rlm_tensor outer = *tensor; /* of texts, without the characters */
    outer.rank -= tensor->text;
    (void)snprintf(found, sizeof found, "the targets have the shape %s",
                   rlm_tensor_shape_text(&outer, shape, sizeof shape));
    if (outer.rank == 0 || outer.rank > 2 || tensor->count == 0)
        return refuse(error, RELUME_BAD_DATA, file, item, found,
                      "[samples] or [samples, outputs] was expected");
    bool floats = rlm_dtype_is_float(tensor->dtype);
    if (outer.rank == 2 && tensor->shape[1] != 1 && tensor->text)
        return refuse(error, RELUME_BAD_DATA, file, item, found, "one text a sample was expected");
    if (outer.rank == 2 && tensor->shape[1] != 1 && !floats)
        return refuse(error, RELUME_BAD_DATA, file, item, found,
                      "one whole number a sample was expected (of one-hot rows, numpy.argmax(y, axis=1))");
    if (tensor->shape[0] != part->samples) {
        char expected[96];
        (void)snprintf(expected, sizeof expected, "one a sample was expected, %zu in all", part->samples);
        return refuse(error, RELUME_MISMATCH, file, item, found, expected);
    }
    struct rlm_targets targets = {0};
    relume_status status = tensor->text ? add_texts(&targets, allocator, tensor, file, item, error)
                           : floats     ? add_floats(&targets, allocator, tensor, file, item, error)
                                        : add_integers(&targets, allocator, tensor, file, item, error);
    if (status == RELUME_OK)
        part->targets = targets;
    else
        rlm_targets_deinit(&targets);
    return status;
}
