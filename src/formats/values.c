/* See values.h. Values that are kept as they stand in the file are read straight into place; others pass
 * through a chunk in which they are turned round, widened or narrowed, and put in row-major order. */
#include "formats/values.h"

#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"

#define CHUNK_VALUES 8192

/* Where the next value of a Fortran-ordered array goes: a counter with one digit a dimension, the first
 * running fastest. */
struct odometer {
    size_t rank;
    size_t digit[RLM_RANK_MAX], size[RLM_RANK_MAX], stride[RLM_RANK_MAX];
    size_t place; /* the sum of digit · stride */
};

static struct odometer odometer_of(const struct rlm_tensor *tensor)
{
    struct odometer odometer = {.rank = tensor->rank};
    size_t stride = 1;
    for (size_t i = tensor->rank; i-- > 0; stride *= tensor->shape[i]) {
        odometer.size[i] = tensor->shape[i];
        odometer.stride[i] = stride;
    }
    return odometer;
}

static void odometer_advance(struct odometer *odometer)
{
    for (size_t i = 0; i < odometer->rank; i++) {
        odometer->place += odometer->stride[i];
        if (++odometer->digit[i] < odometer->size[i])
            return;
        odometer->place -= odometer->size[i] * odometer->stride[i];
        odometer->digit[i] = 0;
    }
}

static void scatter(struct odometer *odometer, const unsigned char *from, unsigned char *to, size_t size,
                    size_t count)
{
    for (size_t i = 0; i < count; i++, from += size) {
        memcpy(to + odometer->place * size, from, size);
        odometer_advance(odometer);
    }
}

struct conversion {
    enum rlm_dtype stored, kept;
    bool swap;
};

/* `count` values from a chunk, which is changed, to `to`. */
static void convert(const struct conversion *conversion, unsigned char *chunk, void *to, size_t count)
{
    size_t size = rlm_dtype_size(conversion->stored);
    if (conversion->swap)
        rlm_values_swap(chunk, size, count);
    if (conversion->stored == RLM_BOOL) /* any byte but 0 is true; what is kept is 0 or 1 */
        for (size_t i = 0; i < count; i++)
            chunk[i] = chunk[i] != 0;
    if (conversion->kept == RLM_F32 && conversion->stored != RLM_F32)
        rlm_values_to_f32(conversion->stored, chunk, to, count);
    else
        memcpy(to, chunk, count * size);
}

static relume_status read_chunks(struct rlm_stream *stream, const struct rlm_tensor *tensor,
                                 const struct conversion *conversion, bool fortran, relume_error *error)
{
    unsigned char chunk[CHUNK_VALUES * 8], ready[CHUNK_VALUES * 8];
    size_t stored = rlm_dtype_size(conversion->stored), kept = rlm_dtype_size(conversion->kept);
    struct odometer odometer = odometer_of(tensor);
    unsigned char *to = tensor->data;
    for (size_t left = tensor->count, count; left; left -= count) {
        count = rlm_size_min(left, CHUNK_VALUES);
        RLM_TRY(rlm_stream_read(stream, chunk, count * stored, "the values", error));
        convert(conversion, chunk, fortran ? ready : to, count);
        if (fortran)
            scatter(&odometer, ready, to, kept, count);
        else
            to += count * kept;
    }
    return RELUME_OK;
}

static relume_status read_values(struct rlm_stream *stream, const struct rlm_tensor *tensor,
                                 const struct conversion *conversion, bool fortran, relume_error *error)
{
    if (fortran || conversion->swap || conversion->stored != conversion->kept ||
        conversion->stored == RLM_BOOL)
        RLM_TRY(read_chunks(stream, tensor, conversion, fortran, error));
    else
        RLM_TRY(rlm_stream_read(stream, tensor->data, tensor->count * rlm_dtype_size(conversion->stored),
                                "the values", error));
    return rlm_stream_expect_end(stream, error);
}

relume_status rlm_values_read(const relume_allocator *allocator, struct rlm_stream *stream,
                              struct rlm_layout layout, enum rlm_reading reading, struct rlm_tensor *tensor,
                              relume_error *error)
{
    struct conversion conversion = {.stored = tensor->dtype, .kept = rlm_dtype_kept(tensor->dtype, reading)};
    size_t size = rlm_dtype_size(conversion.stored), kept_size = rlm_dtype_size(conversion.kept);
    conversion.swap = layout.big_endian && size > 1;
    char shape[96];
    if (!rlm_tensor_measure(tensor))
        return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, stream->name, stream->offset,
                                  "the product of the shape %s is too large",
                                  rlm_tensor_shape_text(tensor, shape, sizeof shape));
    RLM_TRY(rlm_stream_expect(stream, (uint64_t)tensor->count * size, "values", error));
    size_t bytes;
    if (rlm_size_add(tensor->count * kept_size, stream->spare, &bytes))
        tensor->data = rlm_alloc(allocator, bytes, 1);
    if (!tensor->data)
        return rlm_error_memory(error, tensor->count * kept_size, stream->name);
    relume_status status =
        read_values(stream, tensor, &conversion, layout.fortran && tensor->rank > 1, error);
    if (status != RELUME_OK) {
        rlm_free(tensor->data);
        tensor->data = NULL;
        return status;
    }
    tensor->dtype = conversion.kept;
    return RELUME_OK;
}
