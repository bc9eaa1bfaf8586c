/* See npy.h. The format: numpy.lib.format ("NPY format"). Its header is a Python dictionary of three entries;
 * only such text as NumPy itself writes is understood, so nothing is ever evaluated. */
#include "formats/npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bits.h"
#include "base/error.h"
#include "base/file.h"
#include "formats/text.h"

/* Headers of plain numbers have about a hundred bytes. */
#define HEADER_MOST 65535u
#define DESCR_MOST 64

/* The text of a header and where in it the reader stands. */
struct cursor {
    const char *text;
    size_t size, at;
    uint64_t first; /* byte of the file at which the text begins */
    const char *name;
    relume_error *error;
};

struct header {
    char descr[DESCR_MOST];
    bool has_descr, has_order, has_shape;
    struct rlm_layout layout;
};

static relume_status refuse(const struct cursor *cursor, relume_status status, const char *reason)
{
    return rlm_refuse_at_byte(cursor->error, status, cursor->name, cursor->first + cursor->at, "%s", reason);
}

static void skip_spaces(struct cursor *cursor)
{
    while (cursor->at < cursor->size && (cursor->text[cursor->at] == ' ' || cursor->text[cursor->at] == '\n'))
        cursor->at++;
}

/* Steps over `character`, with spaces before it, if it stands here. */
static bool take(struct cursor *cursor, char character)
{
    skip_spaces(cursor);
    if (cursor->at == cursor->size || cursor->text[cursor->at] != character)
        return false;
    cursor->at++;
    return true;
}

static bool take_word(struct cursor *cursor, const char *word)
{
    size_t length = strlen(word);
    skip_spaces(cursor);
    if (cursor->size - cursor->at < length || memcmp(cursor->text + cursor->at, word, length) != 0)
        return false;
    cursor->at += length;
    return true;
}

/* A string without escapes, in either kind of quotes, into text[size]. */
static bool take_string(struct cursor *cursor, char *text, size_t size)
{
    char quote = take(cursor, '\'') ? '\'' : take(cursor, '"') ? '"' : 0;
    if (!quote)
        return false;
    const char *from = cursor->text + cursor->at, *end = memchr(from, quote, cursor->size - cursor->at);
    if (!end || (size_t)(end - from) >= size || memchr(from, '\\', (size_t)(end - from)))
        return false;
    memcpy(text, from, (size_t)(end - from));
    text[end - from] = '\0';
    cursor->at += (size_t)(end - from) + 1;
    return true;
}

static bool take_size(struct cursor *cursor, size_t *size)
{
    size_t begin;
    skip_spaces(cursor);
    *size = 0;
    for (begin = cursor->at; cursor->at < cursor->size; cursor->at++) {
        unsigned digit = (unsigned char)cursor->text[cursor->at] - (unsigned)'0';
        if (digit > 9)
            break;
        if (__builtin_mul_overflow(*size, 10, size) || __builtin_add_overflow(*size, digit, size))
            return false;
    }
    bool found = cursor->at > begin;
    if (found && cursor->at < cursor->size && cursor->text[cursor->at] == 'L')
        cursor->at++; /* Python 2 wrote long numbers so */
    return found;
}

/* (), (3,), (3, 4) */
static relume_status take_shape(struct cursor *cursor, struct rlm_tensor *tensor)
{
    if (!take(cursor, '('))
        return refuse(cursor, RELUME_BAD_FORMAT, "the shape does not begin with '('");
    tensor->rank = 0;
    while (!take(cursor, ')')) {
        if (tensor->rank == RLM_RANK_MAX)
            return refuse(cursor, RELUME_BAD_DATA, "the array has more than 8 dimensions");
        if (!take_size(cursor, &tensor->shape[tensor->rank]))
            return refuse(cursor, RELUME_BAD_FORMAT,
                          "the shape holds something else than whole numbers from 0 that fit "
                          "in memory");
        tensor->rank++;
        if (!take(cursor, ',')) {
            if (!take(cursor, ')'))
                return refuse(cursor, RELUME_BAD_FORMAT, "the shape does not end with ')'");
            break;
        }
    }
    return RELUME_OK;
}

static relume_status take_descr(struct cursor *cursor, struct header *header)
{
    skip_spaces(cursor);
    if (cursor->at < cursor->size && (cursor->text[cursor->at] == '[' || cursor->text[cursor->at] == '('))
        return refuse(
            cursor, RELUME_BAD_DATA,
            "the array is structured (its values have fields); save each field as an array of its own");
    if (!take_string(cursor, header->descr, sizeof header->descr))
        return refuse(cursor, RELUME_BAD_FORMAT, "the dtype is not a short string in quotes");
    header->has_descr = true;
    return RELUME_OK;
}

static relume_status take_entry(struct cursor *cursor, struct header *header, struct rlm_tensor *tensor)
{
    char key[32];
    if (!take_string(cursor, key, sizeof key) || !take(cursor, ':'))
        return refuse(cursor, RELUME_BAD_FORMAT, "a key in quotes and ':' were expected");
    if (strcmp(key, "descr") == 0 && !header->has_descr)
        return take_descr(cursor, header);
    if (strcmp(key, "shape") == 0 && !header->has_shape) {
        header->has_shape = true;
        return take_shape(cursor, tensor);
    }
    if (strcmp(key, "fortran_order") == 0 && !header->has_order) {
        header->has_order = true;
        header->layout.fortran = take_word(cursor, "True");
        return header->layout.fortran || take_word(cursor, "False")
                   ? RELUME_OK
                   : refuse(cursor, RELUME_BAD_FORMAT, "fortran_order is neither True nor False");
    }
    return refuse(cursor, RELUME_BAD_FORMAT, "the header has a key that is unknown or stands twice");
}

static relume_status take_dictionary(struct cursor *cursor, struct header *header, struct rlm_tensor *tensor)
{
    if (!take(cursor, '{'))
        return refuse(cursor, RELUME_BAD_FORMAT, "the header does not begin with '{'");
    while (!take(cursor, '}')) {
        RLM_TRY(take_entry(cursor, header, tensor));
        if (!take(cursor, ',')) {
            if (!take(cursor, '}'))
                return refuse(cursor, RELUME_BAD_FORMAT,
                              "the header does not go on with ',' or end with '}'");
            break;
        }
    }
    skip_spaces(cursor);
    if (cursor->at != cursor->size)
        return refuse(cursor, RELUME_BAD_FORMAT, "the header goes on after its '}'");
    if (!header->has_descr || !header->has_order || !header->has_shape)
        return refuse(cursor, RELUME_BAD_FORMAT, "the header lacks one of descr, fortran_order and shape");
    return RELUME_OK;
}

/* The kind of NumPy's "f4", "u1", …; RLM_DTYPE_COUNT for one that is not read. */
static enum rlm_dtype descr_dtype(const char *kind)
{
    static const struct {
        const char *kind;
        enum rlm_dtype dtype;
    } kinds[] = {{"f8", RLM_F64}, {"f4", RLM_F32}, {"f2", RLM_F16}, {"i8", RLM_I64},
                 {"i4", RLM_I32}, {"i2", RLM_I16}, {"i1", RLM_I8},  {"u8", RLM_U64},
                 {"u4", RLM_U32}, {"u2", RLM_U16}, {"u1", RLM_U8},  {"b1", RLM_BOOL}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].kind, kind) == 0)
            return kinds[i].dtype;
    return RLM_DTYPE_COUNT;
}

/* Texts of one width, "U7" of code points or "S7" of bytes, become numbers with the characters as the last
 * dimension, whatever the order of the others. */
static relume_status take_texts(const struct cursor *cursor, const char *kind, struct header *header,
                                struct rlm_tensor *tensor, bool *taken)
{
    struct cursor width = {.text = kind + 1, .size = strlen(kind + 1)};
    size_t characters;
    *taken = take_size(&width, &characters) && width.at == width.size && characters > 0;
    if (!*taken)
        return RELUME_OK;
    if (tensor->rank >= 2 && header->layout.fortran)
        return refuse(cursor, RELUME_BAD_DATA,
                      "the texts are in Fortran order; save numpy.ascontiguousarray of them");
    if (tensor->rank == RLM_RANK_MAX)
        return refuse(cursor, RELUME_BAD_DATA, "the texts have 8 dimensions; at most 7 are read");
    tensor->dtype = kind[0] == 'U' ? RLM_U32 : RLM_U8;
    tensor->shape[tensor->rank++] = characters;
    tensor->text = true;
    header->layout.fortran = false;
    return RELUME_OK;
}

static relume_status read_descr(const struct cursor *cursor, struct header *header, enum rlm_reading reading,
                                struct rlm_tensor *tensor)
{
    bool text = false;
    char quoted[RLM_QUOTE_SIZE];
    const char *descr = header->descr, *kind = descr + (descr[0] && strchr("<>|=", descr[0]) ? 1 : 0);
    tensor->dtype = descr_dtype(kind);
    if (kind[0] == 'O')
        return refuse(cursor, RELUME_BAD_DATA,
                      "the array holds Python objects (a pickle), which are never read: to load them would "
                      "be to run a program "
                      "from the file; save the array with a dtype of numbers, such as float32");
    if ((kind[0] == 'U' || kind[0] == 'S') && reading == RLM_READ_LABELS)
        RLM_TRY(take_texts(cursor, kind, header, tensor, &text));
    if (tensor->dtype == RLM_DTYPE_COUNT)
        return rlm_refuse_at_byte(cursor->error, RELUME_BAD_DATA, cursor->name, cursor->first,
                                  "the dtype is %s; read are f2 f4 f8, i1 to i8, u1 to u8 and b1%s",
                                  rlm_quote(quoted, descr),
                                  kind[0] == 'U' || kind[0] == 'S' ? "; texts, as labels only" : "");
    header->layout.big_endian = descr[0] == '>';
    return RELUME_OK;
}

/* The length of the header and the text itself, allocated, after the 8 bytes that begin every .npy file. */
static relume_status read_text(const relume_allocator *allocator, struct rlm_stream *stream,
                               struct cursor *cursor, char **text, relume_error *error)
{
    unsigned char start[8], length[4] = {0};
    RLM_TRY(rlm_stream_read(stream, start, sizeof start, "the .npy header", error));
    if (memcmp(start, "\x93NUMPY", 6) != 0)
        return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, stream->name, 0,
                                  "a .npy file begins with the byte 93 and \"NUMPY\"; this one does not%s",
                                  start[0] == 0x80 ? " (it seems to be a pickle, which is never read)" : "");
    if (start[6] < 1 || start[6] > 3 || start[7] != 0)
        return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, stream->name, 6,
                                  "version %u.%u of .npy; 1.0, 2.0 and 3.0 are read", start[6], start[7]);
    RLM_TRY(rlm_stream_read(stream, length, start[6] == 1 ? 2 : 4, "the .npy header", error));
    uint32_t size = rlm_load_le32(length);
    if (size > HEADER_MOST)
        return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, stream->name, 8,
                                  "the header is said to have %" PRIu32 " bytes; at most %u are read", size,
                                  HEADER_MOST);
    RLM_TRY(rlm_stream_expect(stream, size, "header", error));
    *text = rlm_alloc(allocator, size, 1);
    if (!*text)
        return rlm_error_memory(error, size, "a .npy header");
    *cursor = (struct cursor){
        .text = *text, .size = size, .first = stream->offset, .name = stream->name, .error = error};
    return rlm_stream_read(stream, *text, size, "the .npy header", error);
}

static relume_status read_header(const relume_allocator *allocator, struct rlm_stream *stream,
                                 struct header *header, enum rlm_reading reading, struct rlm_tensor *tensor,
                                 relume_error *error)
{
    struct cursor cursor;
    char *text = NULL;
    relume_status status = read_text(allocator, stream, &cursor, &text, error);
    if (status == RELUME_OK)
        status = take_dictionary(&cursor, header, tensor);
    if (status == RELUME_OK)
        status = read_descr(&cursor, header, reading, tensor);
    rlm_free(text);
    return status;
}

relume_status rlm_npy_begin(const relume_allocator *allocator, struct rlm_array *array,
                            enum rlm_reading reading, relume_error *error)
{
    struct header header = {.has_descr = false};
    RLM_TRY(read_header(allocator, &array->stream, &header, reading, &array->tensor, error));
    array->layout = header.layout;
    return rlm_array_settle(array, reading, error);
}

relume_status rlm_npy_open(const relume_allocator *allocator, const struct rlm_source *source,
                           enum rlm_reading reading, struct rlm_array *array, relume_error *error)
{
    struct rlm_array opened = {0};
    RLM_TRY(rlm_stream_open(allocator, source, &opened.stream, error));
    relume_status status = rlm_npy_begin(allocator, &opened, reading, error);
    if (status == RELUME_OK)
        *array = opened;
    else
        rlm_array_close(&opened);
    return status;
}

relume_status rlm_npy_read(const relume_allocator *allocator, const struct rlm_source *source,
                           enum rlm_reading reading, struct rlm_tensor *tensor, relume_error *error)
{
    struct rlm_array array;
    RLM_TRY(rlm_npy_open(allocator, source, reading, &array, error));
    relume_status status = rlm_array_read(allocator, &array, tensor, error);
    rlm_array_close(&array);
    return status;
}

/* NumPy's name of a kind, with the byte order; NULL for BF16, which it lacks. */
static const char *dtype_descr(enum rlm_dtype dtype)
{
    static const char *const names[RLM_DTYPE_COUNT] = {
        [RLM_F64] = "<f8", [RLM_F32] = "<f4", [RLM_F16] = "<f2", [RLM_I64] = "<i8",
        [RLM_I32] = "<i4", [RLM_I16] = "<i2", [RLM_I8] = "|i1",  [RLM_U64] = "<u8",
        [RLM_U32] = "<u4", [RLM_U16] = "<u2", [RLM_U8] = "|u1",  [RLM_BOOL] = "|b1"};
    return names[dtype];
}

/* The whole header, a multiple of 64 bytes, as NumPy writes it. Eight sizes of 20 digits fit. */
static size_t compose_header(const struct rlm_tensor *tensor, char text[384])
{
    size_t used = 10;
    used += (size_t)snprintf(text + used, 384 - used, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                             dtype_descr(tensor->dtype));
    for (size_t i = 0; i < tensor->rank; i++)
        used += (size_t)snprintf(text + used, 384 - used, i ? ", %zu" : "%zu", tensor->shape[i]);
    used += (size_t)snprintf(text + used, 384 - used, tensor->rank == 1 ? ",), }" : "), }");
    size_t size = (used + 1 + 63) / 64 * 64;
    memset(text + used, ' ', size - 1 - used);
    text[size - 1] = '\n';
    memcpy(text, "\x93NUMPY\x01\x00", 8);
    text[8] = (char)((size - 10) & 0xff);
    text[9] = (char)((size - 10) >> 8);
    return size;
}

relume_status rlm_npy_write(const relume_allocator *allocator, const char *path,
                            const struct rlm_tensor *tensor, relume_error *error)
{
    struct rlm_file_writer writer;
    struct rlm_tensor measured = *tensor;
    char header[384];
    rlm_error_clear(error);
    if (!dtype_descr(tensor->dtype) || tensor->rank > RLM_RANK_MAX || !rlm_tensor_measure(&measured))
        return rlm_error_set(error, RELUME_USAGE,
                             "%.300s: an array of this kind and shape cannot be written as .npy", path);
    size_t size = compose_header(tensor, header);
    RLM_TRY(rlm_file_open(allocator, &writer, path, error));
    relume_status status = rlm_file_write(&writer, header, size, error);
    if (status == RELUME_OK)
        status = rlm_file_write(&writer, tensor->data, measured.count * rlm_dtype_size(tensor->dtype), error);
    if (status == RELUME_OK)
        status = rlm_file_commit(&writer, error);
    if (status != RELUME_OK)
        rlm_file_abort(&writer);
    return status;
}
