/* The readers of files where the world gives out: each allocation refused in turn, files that vanish, shrink
 * or are pipes, more texts than may be classes; and .npy as it is written. */
#include "country.h"
#include "folder.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/strbuf.h"
#include "formats/csv.h"
#include "formats/idx.h"
#include "formats/npy.h"
#include "formats/npz.h"
#include "formats/number.h"
#include "formats/safetensors.h"

static void write_file(const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(in_folder(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* ---- allocations ---- */

typedef relume_status reader(const relume_allocator *allocator, const struct rlm_source *source,
                             relume_error *error);

static relume_status read_csv(const relume_allocator *allocator, const struct rlm_source *source,
                              relume_error *error)
{
    struct rlm_csv csv = {0};
    relume_status status = rlm_csv_read(allocator, source, "y", &csv, error);
    rlm_csv_deinit(&csv);
    return status;
}

static relume_status read_npy(const relume_allocator *allocator, const struct rlm_source *source,
                              relume_error *error)
{
    struct rlm_tensor tensor = {0};
    relume_status status = rlm_npy_read(allocator, source, RLM_READ_FEATURES, &tensor, error);
    rlm_tensor_deinit(&tensor);
    return status;
}

static relume_status read_idx(const relume_allocator *allocator, const struct rlm_source *source,
                              relume_error *error)
{
    struct rlm_tensor tensor = {0};
    relume_status status = rlm_idx_read(allocator, source, RLM_READ_STORED, &tensor, error);
    rlm_tensor_deinit(&tensor);
    return status;
}

static relume_status read_npz(const relume_allocator *allocator, const struct rlm_source *source,
                              relume_error *error)
{
    struct rlm_npz *npz = NULL;
    struct rlm_tensor tensor = {0};
    relume_status status = rlm_npz_open(allocator, source, &npz, error);
    if (status == RELUME_OK)
        status = rlm_npz_read(npz, 0, RLM_READ_STORED, &tensor, error);
    rlm_tensor_deinit(&tensor);
    rlm_npz_close(npz);
    return status;
}

static relume_status read_safetensors(const relume_allocator *allocator, const struct rlm_source *source,
                                      relume_error *error)
{
    struct rlm_safetensors *file = NULL;
    relume_status status = rlm_safetensors_open_source(allocator, source, &file, error);
    rlm_safetensors_close(file);
    return status;
}

/* Refuses the n-th allocation, once or from there on, for every n, until the reader does without it. */
static void refuse_each(const char *what, reader *reading, const struct rlm_source *source)
{
    for (int once = 0; once < 2; once++) {
        relume_status status = RELUME_NO_MEMORY;
        for (size_t n = 1; status != RELUME_OK; n++) {
            struct world_memory memory = {.refuse_from = n, .refuse_once = once};
            relume_allocator allocator = world_allocator(&memory);
            relume_error error = {0};
            status = reading(&allocator, source, &error);
            assert_int_equal(memory.held, 0);
            if (status != RELUME_OK && status != RELUME_NO_MEMORY)
                fail_msg("%s: allocation %zu: %s", what, n, error.message);
            assert_true(status == RELUME_OK || strlen(error.message) > 10);
            assert_true(n < 1000);
        }
    }
}

static void test_allocations(void **state)
{
    (void)state;
    static const struct {
        const char *seed;
        reader *reading;
        size_t skip;
    } cases[] = {{"csv/text-2", read_csv, 1},
                 {"csv/numbers-2", read_csv, 1},
                 {"csv/gzipped", read_csv, 1},
                 {"csv/integers-2", read_csv, 1},
                 {"npy/little-f8", read_npy, 0},
                 {"npy/gzipped", read_npy, 0},
                 {"idx/images", read_idx, 0},
                 {"idx/gzipped", read_idx, 0},
                 {"npz/deflated", read_npz, 0},
                 {"safetensors/own", read_safetensors, 0},
                 {"safetensors/odd", read_safetensors, 0}};
    const char *corpus = getenv("RELUME_CORPUS");
    if (!corpus)
        skip_because("RELUME_CORPUS names no folder; meson test sets it");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[512];
        size_t size;
        (void)snprintf(path, sizeof path, "%s/%s", corpus, cases[i].seed);
        unsigned char *bytes = world_file(path, &size);
        struct rlm_source source =
            rlm_source_of_bytes(cases[i].seed, bytes + cases[i].skip, size - cases[i].skip);
        refuse_each(cases[i].seed, cases[i].reading, &source);
        free(bytes);
    }
}

/* Many rows and texts: every table grows, and every growth is refused once. */
static void test_allocations_of_growth(void **state)
{
    (void)state;
    struct rlm_strbuf text = {0};
    rlm_strbuf_print(&text, "a,y\n");
    for (int i = 0; i < 3000; i++)
        rlm_strbuf_print(&text, "%d,name%d\n", i, i % 300);
    struct rlm_source source = rlm_source_of_bytes("growth", text.text, text.length);
    refuse_each("growth", read_csv, &source);
    rlm_strbuf_deinit(&text);
}

/* ---- sources ---- */

static void test_sources_that_cannot_be_opened(void **state)
{
    (void)state;
    struct rlm_source source;
    relume_error error;
    assert_status(rlm_source_open(NULL, &source, in_folder("none"), &error), RELUME_NOT_FOUND);
    assert_non_null(strstr(error.message, "cannot open: No such file or directory"));
    assert_status(rlm_source_open(NULL, &source, folder, &error), RELUME_BAD_DATA);
    assert_non_null(strstr(error.message, "is a folder"));
    write_file("plain", "1", 1);
    assert_status(rlm_source_open(NULL, &source, in_folder("plain/below"), &error), RELUME_NOT_FOUND);
    for (size_t n = 1; n < 2; n++) {
        struct world_memory memory = {.refuse_from = n};
        relume_allocator allocator = world_allocator(&memory);
        assert_status(rlm_source_open(&allocator, &source, in_folder("plain"), &error), RELUME_NO_MEMORY);
        assert_int_equal(memory.held, 0);
    }
}

static void test_a_file_that_shrinks(void **state)
{
    (void)state;
    struct rlm_source source;
    relume_error error;
    char bytes[100] = {0};
    write_file("shrinks", bytes, sizeof bytes);
    assert_ok(rlm_source_open(NULL, &source, in_folder("shrinks"), &error), error);
    assert_int_equal(truncate(in_folder("shrinks"), 40), 0);
    assert_ok(rlm_source_read(&source, 0, bytes, 40, &error), error);
    assert_status(rlm_source_read(&source, 30, bytes, 20, &error), RELUME_BAD_FORMAT);
    assert_non_null(strstr(error.message, "byte 40: the file has become shorter"));
    assert_status(rlm_source_read(&source, 90, bytes, 11, &error), RELUME_BAD_FORMAT);
    assert_int_equal(rlm_source_peek(&source, 100, bytes, 1), 0);
    int kept = source.descriptor;
    source.descriptor = -1;
    assert_status(rlm_source_read(&source, 0, bytes, 1, &error), RELUME_IO);
    source.descriptor = kept;
    rlm_source_close(&source);
    rlm_source_close(&source);
}

/* A pipe has no size and cannot be read twice; it is read whole first. */
static void test_a_pipe(void **state)
{
    (void)state;
    struct rlm_source source;
    struct rlm_csv csv = {0};
    relume_error error = {0};
    int ends[2];
    char path[64];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "a,y\n1,cat\n2,dog\n", 16), 16);
    assert_int_equal(close(ends[1]), 0);
    (void)snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    assert_ok(rlm_source_open(NULL, &source, path, &error), error);
    assert_ok(rlm_csv_read(NULL, &source, "y", &csv, &error), error);
    assert_int_equal(csv.rows, 2);
    assert_string_equal(csv.texts[1], "dog");
    rlm_csv_deinit(&csv);
    rlm_source_close(&source);
    (void)close(ends[0]);
}

static void test_a_source_that_fails_under_an_archive(void **state)
{
    (void)state;
    struct rlm_source source = {.name = "gone", .size = 1000, .descriptor = -1};
    source.limits = rlm_limits_default();
    struct rlm_npz *npz = NULL;
    relume_error error = {0};
    assert_status(rlm_npz_open(NULL, &source, &npz, &error), RELUME_IO);
    assert_string_equal(error.file, "gone");
}

static void test_limits(void **state)
{
    (void)state;
    const struct rlm_limits limits = {.free_bytes = 1000, .ratio = 10, .memory = 1 << 20};
    assert_int_equal(rlm_limits_expanded(&limits, 0), 1000);
    assert_int_equal(rlm_limits_expanded(&limits, 50), 1000);
    assert_int_equal(rlm_limits_expanded(&limits, 500), 5000);
    assert_int_equal(rlm_limits_expanded(&limits, 1 << 20), 1 << 20);
    assert_int_equal(rlm_limits_expanded(&limits, UINT64_MAX), 1 << 20);
    const struct rlm_limits free = {.free_bytes = UINT64_MAX, .ratio = 1, .memory = 1};
    assert_int_equal(rlm_limits_expanded(&free, 1), 2064); /* what deflate can do */
}

/* ---- tables ---- */

static void test_too_many_texts(void **state)
{
    (void)state;
    struct rlm_strbuf text = {0};
    struct rlm_csv csv = {0};
    relume_error error = {0};
    rlm_strbuf_print(&text, "a,y\n");
    for (int i = 0; i <= RLM_CSV_TEXTS_MOST; i++)
        rlm_strbuf_print(&text, "1,t%d\n", i);
    struct rlm_source source = rlm_source_of_bytes("texts", text.text, text.length);
    assert_status(rlm_csv_read(NULL, &source, "y", &csv, &error), RELUME_BAD_DATA);
    assert_int_equal(error.line, RLM_CSV_TEXTS_MOST + 2);
    assert_non_null(strstr(error.message, "one different text too many"));
    rlm_strbuf_deinit(&text);
}

static void test_a_field_without_end(void **state)
{
    (void)state;
    size_t size = (size_t)3 << 20;
    char *text = malloc(size);
    struct rlm_csv csv = {0};
    relume_error error = {0};
    memset(text, 'x', size);
    memcpy(text, "a,y\n1,\"", 7);
    struct rlm_source source = rlm_source_of_bytes("endless", text, size);
    assert_status(rlm_csv_read(NULL, &source, "y", &csv, &error), RELUME_BAD_DATA);
    assert_non_null(strstr(error.message, "line 2, column 2: the field is longer than 1 MiB"));
    free(text);
}

/* ---- .npy as it is written ---- */

static void write_and_read(const struct rlm_tensor *tensor)
{
    struct rlm_source source;
    struct rlm_tensor read = {0};
    relume_error error = {0};
    assert_ok(rlm_npy_write(NULL, in_folder("a.npy"), tensor, &error), error);
    assert_ok(rlm_source_open(NULL, &source, in_folder("a.npy"), &error), error);
    assert_ok(rlm_npy_read(NULL, &source, RLM_READ_STORED, &read, &error), error);
    assert_int_equal(read.dtype, tensor->dtype);
    assert_int_equal(read.rank, tensor->rank);
    assert_memory_equal(read.shape, tensor->shape, tensor->rank * sizeof *read.shape);
    assert_memory_equal(read.data, tensor->data, read.count * rlm_dtype_size(read.dtype));
    rlm_tensor_deinit(&read);
    rlm_source_close(&source);
}

static void test_written_arrays(void **state)
{
    (void)state;
    unsigned char values[8 * 24];
    relume_error error = {0};
    for (size_t i = 0; i < sizeof values; i++)
        values[i] = i % 7 == 0; /* 0 and 1, so that they are truth values too */
    for (enum rlm_dtype dtype = 0; dtype < RLM_DTYPE_COUNT; dtype++)
        for (size_t rank = 0; rank <= 3; rank++) {
            struct rlm_tensor tensor = {.dtype = dtype, .rank = rank, .shape = {2, 3, 4}, .data = values};
            if (dtype == RLM_BF16)
                assert_status(rlm_npy_write(NULL, in_folder("a.npy"), &tensor, &error), RELUME_USAGE);
            else
                write_and_read(&tensor);
        }
    struct rlm_tensor huge = {.dtype = RLM_F64, .rank = 2, .shape = {SIZE_MAX, 2}};
    assert_status(rlm_npy_write(NULL, in_folder("a.npy"), &huge, &error), RELUME_USAGE);
    struct rlm_tensor one = {.dtype = RLM_F32, .rank = 1, .shape = {2}, .data = values};
    assert_status(rlm_npy_write(NULL, "/nowhere/a.npy", &one, &error), RELUME_NOT_FOUND);
}

static void check_words(void)
{
    static const char *const words[] = {"inf", "INF", "-Inf", "+INFINITY", "NaN", "nAN"},
                             *const none[] = {"",      "in", "infi",   "INFINITYS", "I",
                                              "nanny", "-",  "\xfdnf", "\tnf"};
    double value = 7;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        assert_int_equal(rlm_number_read(words[i], strlen(words[i]), &value), RLM_NUMBER_NONFINITE);
    value = 7;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(rlm_number_read(none[i], strlen(none[i]), &value), RLM_NUMBER_NONE);
    assert_true(value == 7);
    assert_int_equal(rlm_number_read("1.5", 3, &value), RLM_NUMBER_REAL);
    assert_true(value == 1.5);
    assert_int_equal(rlm_number_read("1.5e-300", 8, &value), RLM_NUMBER_REAL);
    assert_true(value == 1.5e-300);
}

/* The same in every locale: in a Turkish one, the small letter of I is not i, and numbers have a comma. */
static void test_numbers_in_a_locale(void **state)
{
    (void)state;
    check_words();
    if (!locale_enter(folder, "tr_TR", "ISO-8859-9"))
        skip_because("localedef or the source of tr_TR is missing (package locales)");
    assert_int_equal(*localeconv()->decimal_point, ',');
    check_words();
    locale_leave();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allocations),
        cmocka_unit_test(test_allocations_of_growth),
        cmocka_unit_test(test_sources_that_cannot_be_opened),
        cmocka_unit_test(test_a_file_that_shrinks),
        cmocka_unit_test(test_a_pipe),
        cmocka_unit_test(test_a_source_that_fails_under_an_archive),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_numbers_in_a_locale),
        cmocka_unit_test(test_too_many_texts),
        cmocka_unit_test(test_a_field_without_end),
        cmocka_unit_test(test_written_arrays),
    };
    return cmocka_run_group_tests(tests, folder_begin, folder_end);
}
