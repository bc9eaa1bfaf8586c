/* safetensors: what is written is read again, equal bytes for equal tensors, and a table of files that must
 * be refused. */
#include "check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bits.h"
#include "base/file.h"
#include "formats/safetensors.h"

static char folder[] = "/tmp/relume-test-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof path, "%s/t.safetensors", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)remove(path);
    return rmdir(folder);
}

/* A weight of 3 × 2 in rows of 5 floats, an empty tensor, a single step number, bytes. */
static const float weight[15] = {1, 2, 99, 99, 99, 3, 4, 99, 99, 99, 5, 6, 99, 99, 99};
static const uint64_t step = 1234567890123u;
static const unsigned char bits[3] = {1, 0, 1};
static const struct rlm_safetensors_item items[] = {
    {"bits", RLM_BOOL, 1, {3}, bits, 0},
    {"h1.weight", RLM_F32, 2, {3, 2}, weight, 5},
    {"empty", RLM_F32, 2, {0, 7}, NULL, 0},
    {"step", RLM_U64, 0, {0}, &step, 0},
};
static const struct rlm_safetensors_pair pairs[] = {{"relume", "1"}, {"name", "gr\xc3\xbc\xc3\x9f \"dich\""}};

static struct rlm_bytes write_sample(void)
{
    relume_error error;
    struct rlm_bytes bytes;
    assert_ok(rlm_safetensors_write(NULL, path, items, 4, pairs, 2, &error), error);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(descriptor >= 0);
    assert_ok(rlm_file_read(NULL, descriptor, path, 1 << 20, &bytes, &error), error);
    assert_int_equal(close(descriptor), 0);
    return bytes;
}

static void check_sample(const struct rlm_safetensors *file)
{
    relume_error error;
    assert_int_equal(rlm_safetensors_count(file), 4);
    assert_string_equal(rlm_safetensors_get(file, 0)->name, "step"); /* wider kinds first */
    assert_string_equal(rlm_safetensors_metadata(file, "name"), pairs[1].value);
    assert_null(rlm_safetensors_metadata(file, "other"));
    assert_null(rlm_safetensors_find(file, "h1"));
    float read[12] = {0};
    const struct rlm_tensor *tensor = rlm_safetensors_find(file, "h1.weight");
    assert_ok(rlm_safetensors_read_f32(file, tensor, read, 4, &error), error);
    const float expected[12] = {1, 2, 0, 0, 3, 4, 0, 0, 5, 6, 0, 0};
    assert_memory_equal(read, expected, sizeof read);
    assert_int_equal(rlm_safetensors_byte(file, tensor) % 4, 0);
    uint64_t number = 0;
    assert_ok(rlm_safetensors_read(file, rlm_safetensors_find(file, "step"), &number, &error), error);
    assert_true(number == step);
    assert_status(rlm_safetensors_read_f32(file, rlm_safetensors_find(file, "step"), read, 0, &error),
                  RELUME_BAD_DATA);
}

static void test_written_is_read(void **state)
{
    (void)state;
    relume_error error;
    struct rlm_bytes first = write_sample(), second = write_sample();
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    assert_int_equal(rlm_load_le64(first.data) % 8, 0);
    struct rlm_safetensors *file;
    assert_ok(rlm_safetensors_open(NULL, path, &file, &error), error);
    check_sample(file);
    const char *key, *value;
    assert_true(rlm_safetensors_metadata_at(file, 0, &key, &value));
    assert_string_equal(key, "relume");
    assert_false(rlm_safetensors_metadata_at(file, 2, &key, &value));
    rlm_safetensors_close(file);
    rlm_free(first.data);
    rlm_free(second.data);
}

static void test_long_rows_and_many_rows(void **state)
{
    (void)state;
    relume_error error;
    enum { ROWS = 30, COLUMNS = 20000, STRIDE = 20016 };
    float *values = calloc((size_t)ROWS * STRIDE, sizeof *values);
    float *read = calloc((size_t)ROWS * STRIDE, sizeof *read);
    for (size_t i = 0; i < (size_t)ROWS * STRIDE; i++)
        values[i] = i % STRIDE < COLUMNS ? (float)i : 0;
    struct rlm_safetensors_item wide = {"w", RLM_F32, 2, {ROWS, COLUMNS}, values, STRIDE};
    struct rlm_safetensors_item narrow = {"n", RLM_F32, 2, {ROWS * STRIDE / 4, 3}, values, 4};
    struct rlm_safetensors_item both[] = {wide, narrow};
    assert_ok(rlm_safetensors_write(NULL, path, both, 2, NULL, 0, &error), error);
    struct rlm_safetensors *file;
    assert_ok(rlm_safetensors_open(NULL, path, &file, &error), error);
    assert_ok(rlm_safetensors_read_f32(file, rlm_safetensors_find(file, "w"), read, STRIDE, &error), error);
    assert_memory_equal(read, values, (size_t)ROWS * STRIDE * sizeof *read);
    assert_ok(rlm_safetensors_read_f32(file, rlm_safetensors_find(file, "n"), read, 4, &error), error);
    for (size_t i = 0; i < (size_t)ROWS * STRIDE; i++)
        if (i % 4 != 3)
            assert_true(read[i] == values[i]);
    rlm_safetensors_close(file);
    free(values);
    free(read);
}

static void test_kinds_become_float32(void **state)
{
    (void)state;
    relume_error error;
    const unsigned char halves[] = {0x00, 0x3c, 0x01, 0x00,
                                    0x00, 0xfc, 0xff, 0x7b}; /* 1, 2^-24, -inf, 65504 */
    const unsigned char brains[] = {0x80, 0x3f, 0x80, 0xbf}; /* 1, -1 */
    const double doubles[] = {0.1, -2};
    const int8_t small[] = {-128, 127};
    const struct rlm_safetensors_item kinds[] = {
        {"f16", RLM_F16, 1, {4}, halves, 0},
        {"bf16", RLM_BF16, 1, {2}, brains, 0},
        {"f64", RLM_F64, 1, {2}, doubles, 0},
        {"i8", RLM_I8, 1, {2}, small, 0},
    };
    assert_ok(rlm_safetensors_write(NULL, path, kinds, 4, NULL, 0, &error), error);
    struct rlm_safetensors *file;
    assert_ok(rlm_safetensors_open(NULL, path, &file, &error), error);
    float f16[4], bf16[2], f64[2], i8[2];
    assert_ok(rlm_safetensors_read_f32(file, rlm_safetensors_find(file, "f16"), f16, 0, &error), error);
    assert_ok(rlm_safetensors_read_f32(file, rlm_safetensors_find(file, "bf16"), bf16, 0, &error), error);
    assert_ok(rlm_safetensors_read_f32(file, rlm_safetensors_find(file, "f64"), f64, 0, &error), error);
    assert_ok(rlm_safetensors_read_f32(file, rlm_safetensors_find(file, "i8"), i8, 0, &error), error);
    assert_true(f16[0] == 1 && f16[1] == 0x1p-24f && f16[2] < -3.4e38f && f16[3] == 65504);
    assert_true(bf16[0] == 1 && bf16[1] == -1);
    assert_true(f64[0] == 0.1f && f64[1] == -2);
    assert_true(i8[0] == -128 && i8[1] == 127);
    rlm_safetensors_close(file);
}

/* A file of `header` and `size` bytes of values; the header's length is right unless `length` says otherwise.
 */
static size_t compose(unsigned char *to, const char *header, size_t values, uint64_t length)
{
    size_t size = strlen(header);
    rlm_store_le64(to, length ? length : size);
    memcpy(to + 8, header, size);
    memset(to + 8 + size, 0, values);
    return 8 + size + values;
}

struct bad {
    const char *header;
    size_t values;
    uint64_t length; /* 0: the right one */
    relume_status status;
    const char *says;
};

#define T(name, dtype, shape, offsets)                                                                       \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static const struct bad bad_files[] = {
    {"", 0, 0, RELUME_BAD_FORMAT, "does not begin with '{'"},
    {" {}", 0, 0, RELUME_BAD_FORMAT, "does not begin with '{'"},
    {"[]", 0, 0, RELUME_BAD_FORMAT, "does not begin with '{'"},
    {"{}", 0, 3, RELUME_BAD_FORMAT, "ends within the header"},
    {"{}", 0, 100000001, RELUME_BAD_FORMAT, "at most 100000000"},
    {"{}", 0, UINT64_MAX, RELUME_BAD_FORMAT, "at most 100000000"},
    {"{}", 1, 0, RELUME_BAD_FORMAT, "the file has 1"},
    {"{\"a\":1}", 0, 0, RELUME_BAD_FORMAT, "not described by a JSON object"},
    {"{\"a\":{}}", 0, 0, RELUME_BAD_FORMAT, "no dtype"},
    {"{" T("a", "F8_E4M3", "[1]", "[0,1]") "}", 1, 0, RELUME_BAD_DATA, "\"F8_E4M3\""},
    {"{" T("a", "F32", "1", "[0,4]") "}", 4, 0, RELUME_BAD_FORMAT, "no shape"},
    {"{" T("a", "F32", "[-1]", "[0,4]") "}", 4, 0, RELUME_BAD_FORMAT, "whole number"},
    {"{" T("a", "F32", "[1.0]", "[0,4]") "}", 4, 0, RELUME_BAD_FORMAT, "whole number"},
    {"{" T("a", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, 0, RELUME_BAD_DATA, "9 dimensions"},
    {"{" T("a", "F32", "[4294967296,4294967296]", "[0,4]") "}", 4, 0, RELUME_BAD_FORMAT, "too large"},
    {"{" T("a", "F32", "[4611686018427387904]", "[0,0]") "}", 0, 0, RELUME_BAD_FORMAT, "too large"},
    {"{" T("a", "F32", "[9223372036854775808]", "[0,0]") "}", 0, 0, RELUME_BAD_FORMAT, "JSON"},
    {"{" T("a", "F32", "[1]", "[0]") "}", 4, 0, RELUME_BAD_FORMAT, "data_offsets"},
    {"{" T("a", "F32", "[1]", "[4,0]") "}", 4, 0, RELUME_BAD_FORMAT, "data_offsets"},
    {"{" T("a", "F32", "[1]", "[0,8]") "}", 8, 0, RELUME_BAD_FORMAT, "4 bytes, but data_offsets of 8"},
    {"{" T("a", "F32", "[1]", "[4,8]") "}", 8, 0, RELUME_BAD_FORMAT, "begins at 4"},
    {"{" T("a", "F32", "[1]", "[0,4]") "," T("b", "F32", "[1]", "[0,4]") "}", 4, 0, RELUME_BAD_FORMAT,
     "begins at 0"},
    {"{" T("a", "F32", "[1]", "[0,4]") "," T("b", "F32", "[1]", "[8,12]") "}", 12, 0, RELUME_BAD_FORMAT,
     "ends at 4"},
    {"{" T("a", "F32", "[1]", "[0,4]") "," T("a", "F32", "[1]", "[4,8]") "}", 8, 0, RELUME_BAD_FORMAT,
     "duplicate"},
    {"{" T("a", "F32", "[2]", "[0,8]") "}", 4, 0, RELUME_BAD_FORMAT, "the file has 4"},
    {"{" T("a", "F32", "[1]", "[0,4]") "}", 8, 0, RELUME_BAD_FORMAT, "the file has 8"},
    {"{\"__metadata__\":[]}", 0, 0, RELUME_BAD_FORMAT, "not a JSON object"},
    {"{\"__metadata__\":{\"k\":1}}", 0, 0, RELUME_BAD_FORMAT, "\"k\""},
    {"{}{}", 0, 0, RELUME_BAD_FORMAT, "JSON"},
    {"{\"a\":\x1b[31m}", 0, 0, RELUME_BAD_FORMAT, "JSON"},
    {"{\"\xff\":{}}", 0, 0, RELUME_BAD_FORMAT, "JSON"},
};

static void test_bad_files_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_files / sizeof *bad_files; i++) {
        const struct bad *bad = &bad_files[i];
        unsigned char bytes[512];
        struct rlm_source source = rlm_source_of_bytes("bad.safetensors", bytes,
                                                       compose(bytes, bad->header, bad->values, bad->length));
        relume_error error;
        struct rlm_safetensors *file = NULL;
        relume_status status = rlm_safetensors_open_source(NULL, &source, &file, &error);
        if (status != bad->status || !strstr(error.message, bad->says) || !error.has_byte || file)
            fail_msg("%s: %s, \"%s\", expected %s", bad->header, relume_status_name(status),
                     status ? error.message : "", bad->says);
        assert_string_equal(error.file, "bad.safetensors");
        assert_true(error.byte <= source.size);
        for (const char *at = error.message; *at; at++)
            assert_true((unsigned char)*at >= ' ');
    }
}

static void test_good_edges_are_read(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{}", "{}      ", "{\"__metadata__\":{}}",
        "{" T("e", "F32", "[0]", "[0,0]") "," T("z", "I64", "[5,0]", "[0,0]") "}",
        "{" T("", "U8", "[0,18446744073709551]", "[0,0]") "}"};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        unsigned char bytes[256];
        struct rlm_source source = rlm_source_of_bytes("good", bytes, compose(bytes, headers[i], 0, 0));
        relume_error error;
        struct rlm_safetensors *file;
        assert_ok(rlm_safetensors_open_source(NULL, &source, &file, &error), error);
        rlm_safetensors_close(file);
    }
}

/* Opens bytes and, when they are taken, reads every tensor. */
static relume_status use_bytes(const relume_allocator *allocator, const unsigned char *bytes, size_t size,
                               relume_error *error)
{
    struct rlm_source source = rlm_source_of_bytes("bytes", bytes, size);
    struct rlm_safetensors *file = NULL;
    relume_status status = rlm_safetensors_open_source(allocator, &source, &file, error);
    if (status != RELUME_OK)
        return status;
    for (size_t i = 0; i < rlm_safetensors_count(file); i++) {
        const struct rlm_tensor *tensor = rlm_safetensors_get(file, i);
        unsigned char values[512];
        assert_true(tensor->count * rlm_dtype_size(tensor->dtype) <= sizeof values);
        assert_ok(rlm_safetensors_read(file, tensor, values, error), *error);
    }
    rlm_safetensors_close(file);
    return status;
}

static void test_truncated_anywhere_is_refused(void **state)
{
    (void)state;
    struct rlm_bytes bytes = write_sample();
    for (size_t size = 0; size < bytes.size; size++) {
        unsigned char *copy = malloc(size + 1); /* exact, so that a sanitizer sees a read beyond */
        memcpy(copy, bytes.data, size);
        relume_error error;
        assert_status(use_bytes(NULL, copy, size, &error), RELUME_BAD_FORMAT);
        assert_true(error.has_byte && error.byte <= size);
        free(copy);
    }
    rlm_free(bytes.data);
}

static void test_flipped_header_bits(void **state)
{
    (void)state;
    struct rlm_bytes bytes = write_sample();
    size_t header = 8 + (size_t)rlm_load_le64(bytes.data), refused = 0;
    for (size_t bit = 0; bit < 8 * header; bit++) {
        bytes.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        relume_error error;
        relume_status status = use_bytes(NULL, bytes.data, bytes.size, &error);
        if (status != RELUME_OK) {
            assert_true(error.has_byte && strstr(error.message, "byte"));
            refused++;
        }
        bytes.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_true(refused > 4 * header); /* most flips break something; the others change a name or text only */
    rlm_free(bytes.data);
}

struct failing {
    size_t left, held;
};

static void *failing_alloc(void *user, size_t size, size_t align)
{
    struct failing *failing = user;
    if (failing->left == 0)
        return NULL;
    failing->left--;
    void *memory = rlm_allocator_default.alloc(NULL, size, align);
    failing->held += memory ? size : 0;
    return memory;
}

static void failing_free(void *user, void *memory, size_t size)
{
    struct failing *failing = user;
    failing->held -= size;
    rlm_allocator_default.free(NULL, memory, size);
}

static void test_each_allocation_fails_in_turn(void **state)
{
    (void)state;
    struct rlm_bytes bytes = write_sample();
    relume_status status = RELUME_NO_MEMORY;
    size_t number = 0;
    for (; status == RELUME_NO_MEMORY && number < 100; number++) {
        struct failing failing = {number, 0};
        relume_allocator allocator = {failing_alloc, failing_free, &failing};
        relume_error error;
        status = use_bytes(&allocator, bytes.data, bytes.size, &error);
        assert_int_equal(failing.held, 0);
    }
    assert_int_equal(status, RELUME_OK);
    assert_true(number > 3);
    rlm_free(bytes.data);
}

static void test_bad_items_are_not_written(void **state)
{
    (void)state;
    relume_error error;
    const struct rlm_safetensors_item twice[] = {{"a", RLM_BOOL, 1, {3}, bits, 0},
                                                 {"a", RLM_BOOL, 1, {3}, bits, 0}};
    const struct rlm_safetensors_item strange = {"\xff", RLM_BOOL, 1, {3}, bits, 0};
    const struct rlm_safetensors_item named = {"__metadata__", RLM_BOOL, 1, {3}, bits, 0};
    const struct rlm_safetensors_item narrow = {"a", RLM_F32, 2, {3, 2}, weight, 1};
    const struct rlm_safetensors_item huge = {"a", RLM_F32, 2, {SIZE_MAX, 2}, weight, 0};
    (void)remove(path);
    assert_status(rlm_safetensors_write(NULL, path, twice, 2, NULL, 0, &error), RELUME_USAGE);
    assert_status(rlm_safetensors_write(NULL, path, &strange, 1, NULL, 0, &error), RELUME_USAGE);
    assert_status(rlm_safetensors_write(NULL, path, &named, 1, NULL, 0, &error), RELUME_USAGE);
    assert_status(rlm_safetensors_write(NULL, path, &narrow, 1, NULL, 0, &error), RELUME_USAGE);
    assert_status(rlm_safetensors_write(NULL, path, &huge, 1, NULL, 0, &error), RELUME_USAGE);
    assert_status(rlm_safetensors_write(NULL, "/nowhere/t", items, 4, NULL, 0, &error), RELUME_NOT_FOUND);
    assert_false(rlm_file_exists(path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_is_read),
        cmocka_unit_test(test_long_rows_and_many_rows),
        cmocka_unit_test(test_kinds_become_float32),
        cmocka_unit_test(test_bad_files_are_refused),
        cmocka_unit_test(test_good_edges_are_read),
        cmocka_unit_test(test_truncated_anywhere_is_refused),
        cmocka_unit_test(test_flipped_header_bits),
        cmocka_unit_test(test_each_allocation_fails_in_turn),
        cmocka_unit_test(test_bad_items_are_not_written),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
