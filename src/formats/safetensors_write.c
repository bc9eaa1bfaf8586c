/* The writer of safetensors. See safetensors.h.
 *
 * Order of the values: kinds of 8 bytes, of 4, of 2, of 1, and within each as the caller gave them; with a
 * header padded to 8 bytes every tensor is then aligned to its kind. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bits.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/file.h"
#include "formats/safetensors.h"
#include "formats/text.h"

#define CHUNK ((size_t)64 << 10)

static size_t item_columns(const struct rlm_safetensors_item *item)
{
    return item->rank ? item->shape[item->rank - 1] : 1;
}

/* Checks an item and gives its number of values. */
static relume_status item_measure(const struct rlm_safetensors_item *item, size_t *count, relume_error *error)
{
    char quoted[RLM_QUOTE_SIZE];
    rlm_error_clear(error);
    if (!item->name || !rlm_utf8_is_valid(item->name) || strcmp(item->name, "__metadata__") == 0)
        return rlm_error_set(error, RELUME_USAGE, "%s cannot be the name of a tensor",
                             item->name ? rlm_quote(quoted, item->name) : "NULL");
    rlm_error_at_item(error, item->name);
    if (item->rank > RLM_RANK_MAX || (item->stride && item->stride < item_columns(item)))
        return rlm_error_set(error, RELUME_USAGE, "tensor %s has rank %zu and row stride %zu for %zu columns",
                             rlm_quote(quoted, item->name), item->rank, item->stride, item_columns(item));
    struct rlm_tensor tensor = {.dtype = item->dtype, .rank = item->rank};
    memcpy(tensor.shape, item->shape, sizeof tensor.shape);
    if (!rlm_tensor_measure(&tensor))
        return rlm_error_set(error, RELUME_USAGE, "the shape of tensor %s does not fit in memory",
                             rlm_quote(quoted, item->name));
    *count = tensor.count;
    return RELUME_OK;
}

/* {"dtype": …, "shape": […], "data_offsets": [begin, end]}, NULL without memory. */
static json_t *describe_item(const struct rlm_safetensors_item *item, uint64_t begin, uint64_t end)
{
    json_t *shape = json_array();
    for (size_t i = 0; i < item->rank; i++)
        if (json_array_append_new(shape, json_integer((json_int_t)item->shape[i])) != 0) {
            json_decref(shape);
            return NULL;
        }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", rlm_dtype_name(item->dtype), "shape", shape,
                     "data_offsets", (json_int_t)begin, (json_int_t)end);
}

static relume_status describe_pairs(json_t *header, const struct rlm_safetensors_pair *pairs, size_t count,
                                    relume_error *error)
{
    if (count == 0)
        return RELUME_OK;
    json_t *object = json_object();
    if (json_object_set_new(header, "__metadata__", object) != 0)
        return rlm_error_memory(error, sizeof *pairs, "a safetensors header");
    for (size_t i = 0; i < count; i++) {
        char quoted[RLM_QUOTE_SIZE];
        if (!rlm_utf8_is_valid(pairs[i].key) || !rlm_utf8_is_valid(pairs[i].value) ||
            json_object_get(object, pairs[i].key))
            return rlm_error_set(error, RELUME_USAGE, "metadata %s is given twice or is not UTF-8",
                                 rlm_quote(quoted, pairs[i].key));
        if (json_object_set_new(object, pairs[i].key, json_string(pairs[i].value)) != 0)
            return rlm_error_memory(error, strlen(pairs[i].value), "a safetensors header");
    }
    return RELUME_OK;
}

/* Describes all items whose kind has `size` bytes, and moves *end past them. */
static relume_status describe_items(json_t *header, const struct rlm_safetensors_item *items, size_t count,
                                    size_t size, uint64_t *end, relume_error *error)
{
    for (size_t i = 0; i < count; i++) {
        char quoted[RLM_QUOTE_SIZE];
        size_t values = 0;
        if (rlm_dtype_size(items[i].dtype) != size)
            continue;
        RLM_TRY(item_measure(&items[i], &values, error));
        if (json_object_get(header, items[i].name))
            return rlm_error_set(error, RELUME_USAGE, "tensor %s is given twice",
                                 rlm_quote(quoted, items[i].name));
        uint64_t begin = *end;
        *end += (uint64_t)values * size;
        if (*end < begin || *end > INT64_MAX)
            return rlm_error_set(error, RELUME_USAGE, "the tensors do not fit in a file");
        json_t *entry = describe_item(&items[i], begin, *end);
        if (!entry || json_object_set_new(header, items[i].name, entry) != 0)
            return rlm_error_memory(error, size, "a safetensors header");
    }
    return RELUME_OK;
}

static relume_status describe(json_t *header, const struct rlm_safetensors_item *items, size_t item_count,
                              const struct rlm_safetensors_pair *pairs, size_t pair_count,
                              relume_error *error)
{
    uint64_t end = 0;
    if (!header)
        return rlm_error_memory(error, 1, "a safetensors header");
    RLM_TRY(describe_pairs(header, pairs, pair_count, error));
    for (size_t size = 8; size; size /= 2)
        RLM_TRY(describe_items(header, items, item_count, size, &end, error));
    return RELUME_OK;
}

/* The length and the JSON text, with spaces up to a multiple of 8. */
static relume_status write_header(struct rlm_file_writer *writer, const json_t *header, relume_error *error)
{
    static const char spaces[] = "        ";
    char *text = json_dumps(header, JSON_COMPACT);
    if (!text)
        return rlm_error_memory(error, 1, "a safetensors header");
    size_t length = strlen(text), padded = rlm_round_up(length, 8);
    unsigned char bytes[8];
    rlm_store_le64(bytes, padded);
    relume_status status = rlm_file_write(writer, bytes, sizeof bytes, error);
    if (status == RELUME_OK)
        status = rlm_file_write(writer, text, length, error);
    if (status == RELUME_OK)
        status = rlm_file_write(writer, spaces, padded - length, error);
    free(text);
    return status;
}

/* Rows with gaps between them, gathered into chunks so that small rows do not cost a system call each. */
static relume_status write_rows(struct rlm_file_writer *writer, const struct rlm_safetensors_item *item,
                                size_t rows, relume_error *error)
{
    unsigned char chunk[CHUNK];
    size_t size = rlm_dtype_size(item->dtype), row_bytes = item_columns(item) * size, filled = 0;
    const unsigned char *row = item->data;
    for (size_t i = 0; i < rows; i++, row += item->stride * size) {
        if (filled + row_bytes > sizeof chunk) {
            RLM_TRY(rlm_file_write(writer, chunk, filled, error));
            filled = 0;
        }
        if (row_bytes > sizeof chunk) {
            RLM_TRY(rlm_file_write(writer, row, row_bytes, error));
        } else {
            memcpy(chunk + filled, row, row_bytes);
            filled += row_bytes;
        }
    }
    return rlm_file_write(writer, chunk, filled, error);
}

static relume_status write_item(struct rlm_file_writer *writer, const struct rlm_safetensors_item *item,
                                relume_error *error)
{
    size_t count = 0, columns = item_columns(item);
    RLM_TRY(item_measure(item, &count, error));
    if (count == 0)
        return RELUME_OK;
    if (item->stride == 0 || item->stride == columns)
        return rlm_file_write(writer, item->data, count * rlm_dtype_size(item->dtype), error);
    return write_rows(writer, item, count / columns, error);
}

static relume_status write_all(struct rlm_file_writer *writer, const json_t *header,
                               const struct rlm_safetensors_item *items, size_t count, relume_error *error)
{
    RLM_TRY(write_header(writer, header, error));
    for (size_t size = 8; size; size /= 2)
        for (size_t i = 0; i < count; i++)
            if (rlm_dtype_size(items[i].dtype) == size)
                RLM_TRY(write_item(writer, &items[i], error));
    return rlm_file_commit(writer, error);
}

relume_status rlm_safetensors_write(const relume_allocator *allocator, const char *path,
                                    const struct rlm_safetensors_item *items, size_t item_count,
                                    const struct rlm_safetensors_pair *pairs, size_t pair_count,
                                    relume_error *error)
{
    struct rlm_file_writer writer;
    json_t *header = json_object();
    rlm_error_clear(error);
    relume_status status = describe(header, items, item_count, pairs, pair_count, error);
    if (status == RELUME_OK)
        status = rlm_file_open(allocator, &writer, path, error);
    if (status == RELUME_OK) {
        status = write_all(&writer, header, items, item_count, error);
        if (status != RELUME_OK)
            rlm_file_abort(&writer);
    }
    json_decref(header);
    return status;
}
