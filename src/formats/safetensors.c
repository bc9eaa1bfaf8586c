/* The reader of safetensors. See safetensors.h; the writer is safetensors_write.c.
 *
 * The header's JSON tree is kept while the file is open: names and metadata are texts of that tree. Nothing
 * is trusted before check_chain has seen every tensor's place. */
#include "formats/safetensors.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bits.h"
#include "base/checked.h"
#include "base/error.h"
#include "formats/json.h"
#include "formats/text.h"

#define LENGTH_BYTES 8
#define METADATA "__metadata__"
#define HEADER_MOST 100000000u /* as the format's own library has it */
/* Values in the header's JSON. A tensor takes about eight, so that this is half a million tensors; the tree
 * of the JSON library takes up to 100 bytes a value. */
#define VALUES_MOST 4000000u
#define CHUNK ((size_t)64 << 10)

struct entry {
    struct rlm_tensor tensor; /* first, so that a tensor's address is its entry's */
    uint64_t begin, end;      /* from the first byte after the header */
};

struct rlm_safetensors {
    const struct rlm_source *source;
    struct rlm_source opened; /* when opened by path */
    json_t *header;
    uint64_t values_byte; /* where the values begin in the file */
    size_t count;
    struct entry *entries;             /* [count] in the order of their values */
    const struct rlm_tensor **by_name; /* [count] sorted */
};

/* What reading a header passes from function to function. */
struct reader {
    struct rlm_safetensors *file;
    const relume_allocator *allocator;
    const char *text; /* [size] of the header */
    size_t size;
    relume_error *error;
};

/* The byte of the file at which the header names a tensor; the header's first byte when it is spelled with
 * escapes. */
static uint64_t name_byte(const struct reader *reader, const char *name)
{
    size_t length = strlen(name);
    const char *at = reader->text, *end = at + reader->size;
    while (length + 2 <= (size_t)(end - at) && (at = memchr(at, '"', (size_t)(end - at) - length - 1))) {
        if (memcmp(at + 1, name, length) == 0 && at[length + 1] == '"')
            return LENGTH_BYTES + (uint64_t)(at - reader->text);
        at++;
    }
    return LENGTH_BYTES;
}

/* Refuses what the header says of a tensor: "FILE, byte N: tensor "NAME" …". */
__attribute__((format(printf, 4, 5))) static relume_status
refuse_tensor(const struct reader *reader, relume_status status, const char *name, const char *format, ...)
{
    char quoted[RLM_QUOTE_SIZE], reason[256];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(reason, sizeof reason, format, list);
    va_end(list);
    (void)rlm_refuse_at_byte(reader->error, status, reader->file->source->name, name_byte(reader, name),
                             "tensor %s %s", rlm_quote(quoted, name), reason);
    rlm_error_at_item(reader->error, name);
    return status;
}

/* Commas, colons and brackets outside of strings: at least the number of JSON values, before they are
 * allocated. */
static size_t count_values(const char *text, size_t size)
{
    size_t values = 1;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"')
            quoted = !quoted;
        else if (quoted && text[i] == '\\')
            i++;
        else if (!quoted && (text[i] == ',' || text[i] == ':' || text[i] == '[' || text[i] == '{'))
            values++;
    }
    return values;
}

static relume_status parse_json(struct reader *reader)
{
    const char *name = reader->file->source->name;
    size_t values = count_values(reader->text, reader->size);
    if (values > VALUES_MOST)
        return rlm_refuse_at_byte(reader->error, RELUME_BAD_FORMAT, name, LENGTH_BYTES,
                                  "the header holds %zu JSON values; at most %u are read", values,
                                  VALUES_MOST);
    json_error_t trouble;
    relume_status status = rlm_json_parse(reader->text, reader->size, &reader->file->header, &trouble);
    if (status == RELUME_OK)
        return RELUME_OK;
    if (status == RELUME_NO_MEMORY)
        return rlm_error_memory(reader->error, reader->size, "a safetensors header");
    char quoted[RLM_QUOTE_SIZE];
    return rlm_refuse_at_byte(reader->error, RELUME_BAD_FORMAT, name,
                              LENGTH_BYTES + (uint64_t)trouble.position,
                              "the header is not the JSON it should be: %s", rlm_quote(quoted, trouble.text));
}

/* A number of the header that is a size; false for anything else. */
static bool json_size(const json_t *value, uint64_t *size)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *size = (uint64_t)json_integer_value(value);
    return true;
}

static relume_status read_dtype(const struct reader *reader, const char *name, const json_t *value,
                                struct rlm_tensor *tensor)
{
    char kind[RLM_QUOTE_SIZE];
    const char *text = json_string_value(value);
    if (!text)
        return refuse_tensor(reader, RELUME_BAD_FORMAT, name, "has no dtype that is a string");
    tensor->dtype = rlm_dtype_find(text);
    if (tensor->dtype == RLM_DTYPE_COUNT)
        return refuse_tensor(reader, RELUME_BAD_DATA, name,
                             "has dtype %s; read are F64 F32 F16 BF16, I8 to I64, U8 to U64 and BOOL",
                             rlm_quote(kind, text));
    return RELUME_OK;
}

static relume_status read_shape(const struct reader *reader, const char *name, const json_t *value,
                                struct rlm_tensor *tensor)
{
    if (!json_is_array(value))
        return refuse_tensor(reader, RELUME_BAD_FORMAT, name, "has no shape that is a list");
    tensor->rank = json_array_size(value);
    if (tensor->rank > RLM_RANK_MAX)
        return refuse_tensor(reader, RELUME_BAD_DATA, name, "has %zu dimensions; at most %d are read",
                             tensor->rank, RLM_RANK_MAX);
    for (size_t i = 0; i < tensor->rank; i++) {
        uint64_t size;
        if (!json_size(json_array_get(value, i), &size) || size > SIZE_MAX)
            return refuse_tensor(reader, RELUME_BAD_FORMAT, name,
                                 "has a shape whose size %zu is not a whole number from 0", i + 1);
        tensor->shape[i] = (size_t)size;
    }
    if (!rlm_tensor_measure(tensor))
        return refuse_tensor(reader, RELUME_BAD_FORMAT, name, "has a shape whose product is too large");
    return RELUME_OK;
}

static relume_status read_offsets(const struct reader *reader, const char *name, const json_t *value,
                                  struct entry *entry)
{
    if (json_array_size(value) != 2 || !json_size(json_array_get(value, 0), &entry->begin) ||
        !json_size(json_array_get(value, 1), &entry->end) || entry->begin > entry->end)
        return refuse_tensor(reader, RELUME_BAD_FORMAT, name,
                             "has data_offsets that are not [begin, end] with 0 <= begin <= end");
    uint64_t bytes = (uint64_t)entry->tensor.count * rlm_dtype_size(entry->tensor.dtype);
    if (entry->end - entry->begin != bytes)
        return refuse_tensor(reader, RELUME_BAD_FORMAT, name,
                             "has a shape and dtype of %llu bytes, but data_offsets of %llu",
                             (unsigned long long)bytes, (unsigned long long)(entry->end - entry->begin));
    return RELUME_OK;
}

static relume_status read_entry(const struct reader *reader, const char *name, const json_t *value,
                                struct entry *entry)
{
    if (!json_is_object(value))
        return refuse_tensor(reader, RELUME_BAD_FORMAT, name, "is not described by a JSON object");
    entry->tensor.name = name;
    RLM_TRY(read_dtype(reader, name, json_object_get(value, "dtype"), &entry->tensor));
    RLM_TRY(read_shape(reader, name, json_object_get(value, "shape"), &entry->tensor));
    return read_offsets(reader, name, json_object_get(value, "data_offsets"), entry);
}

static relume_status check_metadata(const struct reader *reader, json_t *pairs)
{
    const char *name = reader->file->source->name;
    char quoted[RLM_QUOTE_SIZE];
    if (!json_is_object(pairs))
        return rlm_refuse_at_byte(reader->error, RELUME_BAD_FORMAT, name, name_byte(reader, METADATA),
                                  "%s is not a JSON object", METADATA);
    for (void *pair = json_object_iter(pairs); pair; pair = json_object_iter_next(pairs, pair)) {
        const char *key = json_object_iter_key(pair);
        if (!json_is_string(json_object_iter_value(pair)))
            return rlm_refuse_at_byte(reader->error, RELUME_BAD_FORMAT, name, name_byte(reader, key),
                                      "%s of %s is not a string", rlm_quote(quoted, key), METADATA);
    }
    return RELUME_OK;
}

static relume_status read_entries(struct reader *reader)
{
    struct rlm_safetensors *file = reader->file;
    size_t most = json_object_size(file->header);
    file->entries = rlm_alloc_zero(reader->allocator, most, sizeof *file->entries);
    file->by_name = rlm_alloc(reader->allocator, most, sizeof *file->by_name);
    if (!file->entries || !file->by_name)
        return rlm_error_memory(reader->error, most * sizeof *file->entries, "a list of tensors");
    for (void *pair = json_object_iter(file->header); pair;
         pair = json_object_iter_next(file->header, pair)) {
        const char *key = json_object_iter_key(pair);
        json_t *value = json_object_iter_value(pair);
        if (strcmp(key, METADATA) == 0)
            RLM_TRY(check_metadata(reader, value));
        else
            RLM_TRY(read_entry(reader, key, value, &file->entries[file->count++]));
    }
    return RELUME_OK;
}

static int compare_places(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    if (a->end != b->end) /* an empty tensor stands before the one that begins where it does */
        return a->end < b->end ? -1 : 1;
    return strcmp(a->tensor.name, b->tensor.name);
}

static int compare_names(const void *left, const void *right)
{
    const struct rlm_tensor *const *a = left, *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

/* Every tensor begins where the one before ends, and the last one ends with the file: no gap, no overlap,
 * nothing hidden. */
static relume_status check_chain(const struct reader *reader)
{
    const struct rlm_safetensors *file = reader->file;
    uint64_t end = 0, size = file->source->size - file->values_byte;
    for (size_t i = 0; i < file->count; i++) {
        const struct entry *entry = &file->entries[i];
        if (entry->begin != end)
            return refuse_tensor(reader, RELUME_BAD_FORMAT, entry->tensor.name,
                                 "begins at %llu of the values; the one before it ends at %llu",
                                 (unsigned long long)entry->begin, (unsigned long long)end);
        end = entry->end;
    }
    if (end != size)
        return rlm_refuse_at_byte(reader->error, RELUME_BAD_FORMAT, file->source->name, file->source->size,
                                  "the tensors take %llu bytes after the header, the file has %llu",
                                  (unsigned long long)end, (unsigned long long)size);
    return RELUME_OK;
}

static relume_status read_header(struct reader *reader)
{
    struct rlm_safetensors *file = reader->file;
    RLM_TRY(parse_json(reader));
    RLM_TRY(read_entries(reader));
    qsort(file->entries, file->count, sizeof *file->entries, compare_places);
    for (size_t i = 0; i < file->count; i++)
        file->by_name[i] = &file->entries[i].tensor;
    qsort(file->by_name, file->count, sizeof *file->by_name, compare_names);
    return check_chain(reader);
}

/* Files that are often taken for a model of this format, told by their first bytes: `mask` says which count.
 */
static const struct {
    unsigned char begin[4], mask[4];
    const char *what;
} strangers[] = {
    {"PK\3\4",
     {255, 255, 255, 255},
     "this is a zip archive, expected .safetensors; of a PyTorch .pt or .pth file, save the state_dict as "
     "that"},
    {{0x80},
     {255, 0xf8},
     "this is a Python pickle, which is not read, for it can run code; save the weights as .safetensors"},
    {"\x93NUM",
     {255, 255, 255, 255},
     "this is a NumPy array, which is data; a model was expected (.safetensors, or a run directory)"},
    {"\x89HDF", {255, 255, 255, 255}, "this is an HDF5 file; save the weights as .safetensors"},
    {{8, 0, 0x12},
     {255, 0xe0, 255},
     "this is an ONNX model, which is not read; save the weights it was made from as .safetensors"},
    {{0x1f, 0x8b}, {255, 255}, "this is compressed by gzip, expected .safetensors as it is"},
};

/* Says what a file is that cannot be of this format, where that can be seen. */
static relume_status refuse_stranger(const struct rlm_source *source, const unsigned char *bytes,
                                     relume_error *error)
{
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        bool is = true;
        for (size_t b = 0; b < 4; b++)
            is = is && (bytes[b] & strangers[i].mask[b]) == strangers[i].begin[b];
        if (is)
            return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, source->name, 0, "%s", strangers[i].what);
    }
    return RELUME_OK;
}

/* The header's length, checked against the file. */
static relume_status read_length(const struct rlm_source *source, size_t *size, relume_error *error)
{
    unsigned char bytes[LENGTH_BYTES];
    if (source->size < LENGTH_BYTES)
        return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, source->name, source->size,
                                  "the file ends within the 8 bytes of the header's length");
    RLM_TRY(rlm_source_read(source, 0, bytes, sizeof bytes, error));
    uint64_t length = rlm_load_le64(bytes);
    unsigned char first = 0;
    bool fits = length <= HEADER_MOST && length <= source->size - LENGTH_BYTES;
    if (fits && length)
        RLM_TRY(rlm_source_read(source, LENGTH_BYTES, &first, 1, error));
    if (first != '{')
        RLM_TRY(refuse_stranger(source, bytes, error));
    if (length > HEADER_MOST)
        return rlm_refuse_at_byte(
            error, RELUME_BAD_FORMAT, source->name, 0,
            "the header is said to have %llu bytes; at most %u are read (is this safetensors?)",
            (unsigned long long)length, HEADER_MOST);
    if (length > source->size - LENGTH_BYTES)
        return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, source->name, source->size,
                                  "the file ends within the header, which is said to have %llu bytes",
                                  (unsigned long long)length);
    if (first != '{')
        return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, source->name, LENGTH_BYTES,
                                  "the header does not begin with '{' (is this safetensors?)");
    *size = (size_t)length;
    return RELUME_OK;
}

static relume_status open_checked(const relume_allocator *allocator, struct rlm_safetensors *file,
                                  relume_error *error)
{
    struct reader reader = {.file = file, .allocator = allocator, .error = error};
    RLM_TRY(read_length(file->source, &reader.size, error));
    char *text = rlm_alloc(allocator, reader.size, 1);
    if (!text)
        return rlm_error_memory(error, reader.size, "a safetensors header");
    reader.text = text;
    file->values_byte = LENGTH_BYTES + (uint64_t)reader.size;
    relume_status status = rlm_source_read(file->source, LENGTH_BYTES, text, reader.size, error);
    if (status == RELUME_OK)
        status = read_header(&reader);
    rlm_free(text);
    return status;
}

relume_status rlm_safetensors_open_source(const relume_allocator *allocator, const struct rlm_source *source,
                                          struct rlm_safetensors **file, relume_error *error)
{
    struct rlm_safetensors *opened = rlm_alloc_zero(allocator, 1, sizeof *opened);
    if (!opened)
        return rlm_error_memory(error, sizeof *opened, "a safetensors file");
    opened->source = source;
    relume_status status = open_checked(allocator, opened, error);
    if (status == RELUME_OK)
        *file = opened;
    else
        rlm_safetensors_close(opened);
    return status;
}

relume_status rlm_safetensors_open(const relume_allocator *allocator, const char *path,
                                   struct rlm_safetensors **file, relume_error *error)
{
    struct rlm_source source;
    struct rlm_safetensors *opened = NULL;
    RLM_TRY(rlm_source_open(allocator, &source, path, error));
    relume_status status = rlm_safetensors_open_source(allocator, &source, &opened, error);
    if (status != RELUME_OK) {
        rlm_source_close(&source);
        return status;
    }
    opened->opened = source;
    opened->source = &opened->opened;
    *file = opened;
    return RELUME_OK;
}

void rlm_safetensors_close(struct rlm_safetensors *file)
{
    if (!file)
        return;
    json_decref(file->header);
    rlm_source_close(&file->opened);
    rlm_free(file->entries);
    rlm_free(file->by_name);
    rlm_free(file);
}

size_t rlm_safetensors_count(const struct rlm_safetensors *file)
{
    return file->count;
}

const struct rlm_tensor *rlm_safetensors_get(const struct rlm_safetensors *file, size_t index)
{
    return index < file->count ? &file->entries[index].tensor : NULL;
}

static int compare_to_name(const void *name, const void *element)
{
    const struct rlm_tensor *const *tensor = element;
    return strcmp(name, (*tensor)->name);
}

const struct rlm_tensor *rlm_safetensors_find(const struct rlm_safetensors *file, const char *name)
{
    const struct rlm_tensor **found =
        bsearch(name, file->by_name, file->count, sizeof *file->by_name, compare_to_name);
    return found ? *found : NULL;
}

const char *rlm_safetensors_metadata(const struct rlm_safetensors *file, const char *key)
{
    return json_string_value(json_object_get(json_object_get(file->header, METADATA), key));
}

bool rlm_safetensors_metadata_at(const struct rlm_safetensors *file, size_t index, const char **key,
                                 const char **value)
{
    json_t *pairs = json_object_get(file->header, METADATA);
    void *pair = json_object_iter(pairs);
    while (pair && index--)
        pair = json_object_iter_next(pairs, pair);
    if (!pair)
        return false;
    *key = json_object_iter_key(pair);
    *value = json_string_value(json_object_iter_value(pair));
    return true;
}

static const struct entry *entry_of(const struct rlm_tensor *tensor)
{
    return (const struct entry *)(const void *)tensor;
}

uint64_t rlm_safetensors_byte(const struct rlm_safetensors *file, const struct rlm_tensor *tensor)
{
    return file->values_byte + entry_of(tensor)->begin;
}

relume_status rlm_safetensors_read(const struct rlm_safetensors *file, const struct rlm_tensor *tensor,
                                   void *to, relume_error *error)
{
    const struct entry *entry = entry_of(tensor);
    return rlm_source_read(file->source, file->values_byte + entry->begin, to,
                           (size_t)(entry->end - entry->begin), error);
}

/* Values number `first` to first + count of a tensor go to their rows. */
static void place_values(const struct rlm_tensor *tensor, const unsigned char *from, size_t first,
                         size_t count, float *to, size_t stride)
{
    size_t columns = tensor->rank ? tensor->shape[tensor->rank - 1] : 1;
    size_t size = rlm_dtype_size(tensor->dtype);
    while (count) {
        size_t row = first / columns, column = first % columns;
        size_t run = rlm_size_min(count, columns - column);
        rlm_values_to_f32(tensor->dtype, from, to + row * stride + column, run);
        from += run * size;
        first += run;
        count -= run;
    }
}

relume_status rlm_safetensors_read_f32(const struct rlm_safetensors *file, const struct rlm_tensor *tensor,
                                       float *to, size_t stride, relume_error *error)
{
    size_t size = rlm_dtype_size(tensor->dtype), columns = tensor->rank ? tensor->shape[tensor->rank - 1] : 1;
    uint64_t byte = rlm_safetensors_byte(file, tensor);
    if (!rlm_dtype_fits_f32(tensor->dtype) && tensor->dtype != RLM_F64) {
        char quoted[RLM_QUOTE_SIZE];
        relume_status status = rlm_refuse_at_byte(
            error, RELUME_BAD_DATA, file->source->name, byte,
            "tensor %s has dtype %s, which float32 cannot hold; floating-point values were expected",
            rlm_quote(quoted, tensor->name), rlm_dtype_name(tensor->dtype));
        rlm_error_at_item(error, tensor->name);
        return status;
    }
    if (stride == 0)
        stride = columns;
    if (tensor->dtype == RLM_F32 && stride == columns)
        return rlm_safetensors_read(file, tensor, to, error);
    unsigned char chunk[CHUNK];
    for (size_t done = 0; done < tensor->count;) {
        size_t count = rlm_size_min(tensor->count - done, CHUNK / size);
        RLM_TRY(rlm_source_read(file->source, byte + (uint64_t)done * size, chunk, count * size, error));
        place_values(tensor, chunk, done, count, to, stride);
        done += count;
    }
    return RELUME_OK;
}
