/* See idx.h. The format: http://yann.lecun.com/exdb/mnist/ ("the IDX file format"). */
#include "formats/idx.h"

#include "base/bits.h"
#include "base/error.h"

/* The kind of a type byte; RLM_DTYPE_COUNT for one that is none. */
static enum rlm_dtype idx_dtype(unsigned char type)
{
    switch (type) {
    case 0x08:
        return RLM_U8;
    case 0x09:
        return RLM_I8;
    case 0x0b:
        return RLM_I16;
    case 0x0c:
        return RLM_I32;
    case 0x0d:
        return RLM_F32;
    case 0x0e:
        return RLM_F64;
    default:
        return RLM_DTYPE_COUNT;
    }
}

static relume_status read_header(struct rlm_stream *stream, struct rlm_tensor *tensor, relume_error *error)
{
    unsigned char magic[4], sizes[4 * RLM_RANK_MAX];
    RLM_TRY(rlm_stream_read(stream, magic, sizeof magic, "the IDX header", error));
    if (magic[0] || magic[1])
        return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, stream->name, 0,
                                  "an IDX file begins with two zero bytes, this one with %02x %02x", magic[0],
                                  magic[1]);
    tensor->dtype = idx_dtype(magic[2]);
    if (tensor->dtype == RLM_DTYPE_COUNT)
        return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, stream->name, 2,
                                  "0x%02x is no type of IDX values; 08, 09, 0b, 0c, 0d and 0e are", magic[2]);
    tensor->rank = magic[3];
    if (tensor->rank == 0 || tensor->rank > RLM_RANK_MAX)
        return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, stream->name, 3,
                                  "%zu dimensions; 1 to %d are read", tensor->rank, RLM_RANK_MAX);
    RLM_TRY(rlm_stream_read(stream, sizes, 4 * tensor->rank, "the IDX header", error));
    for (size_t i = 0; i < tensor->rank; i++)
        tensor->shape[i] = rlm_load_be32(sizes + 4 * i);
    return RELUME_OK;
}

relume_status rlm_idx_open(const relume_allocator *allocator, const struct rlm_source *source,
                           enum rlm_reading reading, struct rlm_array *array, relume_error *error)
{
    struct rlm_array opened = {.layout = {.big_endian = true}};
    RLM_TRY(rlm_stream_open(allocator, source, &opened.stream, error));
    relume_status status = read_header(&opened.stream, &opened.tensor, error);
    if (status == RELUME_OK)
        status = rlm_array_settle(&opened, reading, error);
    if (status == RELUME_OK)
        *array = opened;
    else
        rlm_array_close(&opened);
    return status;
}

relume_status rlm_idx_read(const relume_allocator *allocator, const struct rlm_source *source,
                           enum rlm_reading reading, struct rlm_tensor *tensor, relume_error *error)
{
    struct rlm_array array;
    RLM_TRY(rlm_idx_open(allocator, source, reading, &array, error));
    relume_status status = rlm_array_read(allocator, &array, tensor, error);
    rlm_array_close(&array);
    return status;
}
