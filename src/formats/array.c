/* See array.h. Values that are kept as they stand in the file are read straight into place; others pass
 * through a chunk in which they are turned round, widened or narrowed, and put in row-major order. */
#include "formats/array.h"

#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"

#define CHUNK_VALUES 2048 /* twice 16 KiB, on the stack of any thread */

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

static struct conversion conversion_of(const struct rlm_array *array)
{
    return (struct conversion){.stored = array->tensor.dtype,
                               .kept = array->kept,
                               .swap = array->layout.big_endian && rlm_dtype_size(array->tensor.dtype) > 1};
}

static relume_status fill(struct rlm_array *array, const struct rlm_tensor *tensor, relume_error *error)
{
    size_t size = rlm_dtype_size(array->tensor.dtype);
    struct conversion conversion = conversion_of(array);
    bool fortran = array->layout.fortran && tensor->rank > 1;
    if (fortran || conversion.swap || conversion.stored != conversion.kept || conversion.stored == RLM_BOOL)
        RLM_TRY(read_chunks(&array->stream, tensor, &conversion, fortran, error));
    else
        RLM_TRY(rlm_stream_read(&array->stream, tensor->data, tensor->count * size, "the values", error));
    return rlm_stream_expect_end(&array->stream, error);
}

/* An error of a member of an archive names it. */
static relume_status named(const struct rlm_array *array, relume_status status, relume_error *error)
{
    if (status == RELUME_OK || !array->is_member)
        return status;
    rlm_error_at_file(error, array->file);
    rlm_error_at_item(error, array->item);
    return status;
}

relume_status rlm_array_settle(struct rlm_array *array, enum rlm_reading reading, relume_error *error)
{
    struct rlm_tensor *tensor = &array->tensor;
    struct rlm_stream *stream = &array->stream;
    char shape[96];
    if (!rlm_tensor_measure(tensor))
        return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, stream->name, stream->offset,
                                  "the product of the shape %s is too large",
                                  rlm_tensor_shape_text(tensor, shape, sizeof shape));
    RLM_TRY(
        rlm_stream_expect(stream, (uint64_t)tensor->count * rlm_dtype_size(tensor->dtype), "values", error));
    array->kept = rlm_dtype_kept(tensor->dtype, reading);
    array->bytes = tensor->count * rlm_dtype_size(array->kept);
    return RELUME_OK;
}

relume_status rlm_array_fill(struct rlm_array *array, void *to, relume_error *error)
{
    struct rlm_tensor tensor = array->tensor;
    tensor.data = to;
    return named(array, fill(array, &tensor, error), error);
}

relume_status rlm_array_read(const relume_allocator *allocator, struct rlm_array *array,
                             struct rlm_tensor *tensor, relume_error *error)
{
    struct rlm_tensor read = array->tensor;
    read.dtype = array->kept;
    read.data = rlm_alloc(allocator, array->bytes, 1);
    if (!read.data)
        return named(array, rlm_error_memory(error, array->bytes, array->stream.name), error);
    relume_status status = rlm_array_fill(array, read.data, error);
    if (status == RELUME_OK)
        *tensor = read;
    else
        rlm_free(read.data);
    return status;
}

bool rlm_array_is_direct(const struct rlm_array *array)
{
    enum rlm_dtype stored = array->tensor.dtype;
    bool as_it_is = stored == array->kept && stored != RLM_BOOL;
    bool swapped = array->layout.big_endian && rlm_dtype_size(stored) > 1;
    return array->stream.plain && as_it_is && !swapped && !(array->layout.fortran && array->tensor.rank > 1);
}

bool rlm_array_is_seekable(const struct rlm_array *array)
{
    return array->stream.plain && array->stream.plain->descriptor >= 0 &&
           !(array->layout.fortran && array->tensor.rank > 1);
}

void rlm_array_convert(const struct rlm_array *array, unsigned char *raw, void *to, size_t count)
{
    struct conversion conversion = conversion_of(array);
    convert(&conversion, raw, to, count);
}

relume_status rlm_array_fill_part(const struct rlm_array *array, size_t begin, void *to, size_t size,
                                  relume_error *error)
{
    return rlm_source_read(array->stream.plain, array->stream.offset + begin, to, size, error);
}

relume_status rlm_array_expect_end(struct rlm_array *array, relume_error *error)
{
    array->stream.offset += (uint64_t)array->tensor.count * rlm_dtype_size(array->tensor.dtype);
    return rlm_stream_expect_end(&array->stream, error);
}

void rlm_array_close(struct rlm_array *array)
{
    rlm_stream_close(&array->stream);
    *array = (struct rlm_array){0};
}
