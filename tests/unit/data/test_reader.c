/* Data sets that stay in their file: the same rows, fingerprint, scaling and refusals as of those in memory,
 * whatever is asked for in whatever order; files that change or shrink; a fork; batches larger than a buffer.
 */
#define _DEFAULT_SOURCE /* truncate */
#include "world.h"

#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "data/dataset.h"
#include "formats/npy.h"

#define ROWS 1003
#define FEATURES 37

static char folder[64];
static relume_engine *engine;

static int setup(void **state)
{
    (void)state;
    world_folder(folder);
    engine = world_engine(NULL, 2, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    relume_engine_destroy(engine);
    world_folder_remove(folder);
    return unsetenv("RELUME_STREAM");
}

static const char *path_of(const char *name)
{
    static char paths[8][128];
    static size_t next;
    char *path = paths[next++ % 8];
    (void)snprintf(path, 128, "%s/%s", folder, name);
    return path;
}

/* An array of small numbers, written as `dtype`. */
static const char *array_of(const char *name, enum rlm_dtype dtype, size_t rows, size_t features)
{
    const char *path = path_of(name);
    size_t size = rlm_dtype_size(dtype), count = rows * features;
    unsigned char *values = calloc(count, size);
    struct rlm_rng rng = {rows, RLM_RNG_TEST, features};
    relume_error error;
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) {
        uint64_t draw = rlm_rng_below(&rng, i, 200);
        float real = (float)draw * 0.37f - 30.0f;
        double wide = (double)draw * 0.37 - 30.0;
        const void *from = dtype == RLM_F32   ? (void *)&real
                           : dtype == RLM_F64 ? (void *)&wide
                                              : (void *)&draw;
        memcpy(values + i * size, from, size); /* of a whole number its low bytes: little-endian */
    }
    struct rlm_tensor tensor = {
        .dtype = dtype, .rank = 2, .shape = {rows, features}, .count = count, .data = values};
    assert_ok(rlm_npy_write(NULL, path, &tensor, &error), error);
    free(values);
    return path;
}

static relume_status try_load(const char *stream, const char *path, const relume_dataset_options *options,
                              relume_dataset **dataset, relume_error *error)
{
    assert_int_equal(setenv("RELUME_STREAM", stream, 1), 0);
    return relume_dataset_load(engine, path, options, dataset, error);
}

static relume_dataset *load(const char *stream, const char *path, const relume_dataset_options *options)
{
    relume_dataset *dataset = NULL;
    relume_error error = {0};
    assert_ok(try_load(stream, path, options, &dataset, &error), error);
    assert_true((dataset->reader != NULL) == (strcmp(stream, "always") == 0));
    return dataset;
}

static relume_dataset_options usual(void)
{
    relume_dataset_options options;
    relume_dataset_options_default(&options);
    options.need_targets = 0;
    return options;
}

static void check_request(const relume_dataset *stays, const relume_dataset *held,
                          const struct rlm_request *request)
{
    const void *rows = NULL;
    relume_error error = {0};
    size_t bytes = rlm_dataset_row_bytes(held);
    assert_ok(rlm_dataset_read(stays, request, &rows, &error), error);
    for (size_t i = 0; i < request->count; i++) {
        size_t row = request->index ? request->index[i] : request->first + i;
        assert_memory_equal((const char *)rows + i * bytes, (const char *)held->x + row * bytes, bytes);
    }
}

/* Rows in order, in requests of every size, from here and there. */
static void check_in_order(const relume_dataset *stays, const relume_dataset *held)
{
    size_t samples = held->train_samples + held->test_samples;
    for (size_t size = 1; size <= samples; size = size * 3 + 1)
        for (size_t first = size % 7, count; first < samples; first += count) {
            count = size < samples - first ? size : samples - first;
            check_request(stays, held, &(struct rlm_request){.first = first, .count = count});
        }
}

/* As a trainer asks: batches of a shuffled order, shuffled anew in place, with something else in between. */
static void check_shuffled(const relume_dataset *stays, const relume_dataset *held)
{
    size_t samples = held->train_samples + held->test_samples;
    uint32_t *order = malloc(samples * sizeof *order);
    assert_non_null(order);
    for (uint64_t epoch = 0; epoch < check_rounds(3, 1); epoch++)
        for (size_t batch = 1; batch <= samples; batch = batch * 5 + 2) {
            struct rlm_rng rng = {batch, RLM_RNG_TEST, epoch};
            rlm_rng_shuffle(&rng, order, samples);
            for (size_t done = 0, count; done < samples; done += count) {
                count = batch < samples - done ? batch : samples - done;
                check_request(stays, held,
                              &(struct rlm_request){
                                  .index = order + done, .count = count, .after = samples - done - count});
                if (done % 11 == 5)
                    check_request(stays, held, &(struct rlm_request){.first = done, .count = 1});
            }
        }
    free(order);
}

static void check_alike(const char *path, const relume_dataset_options *options)
{
    relume_dataset *stays = load("always", path, options), *held = load("never", path, options);
    assert_true(stays->fingerprint == held->fingerprint);
    assert_int_equal(stays->train_samples, held->train_samples);
    assert_int_equal(stays->test_samples, held->test_samples);
    assert_int_equal(stays->element, held->element);
    size_t entries = held->scaling.uniform ? 1 : held->features;
    assert_memory_equal(stays->scaling.offset, held->scaling.offset, entries * sizeof(float));
    assert_memory_equal(stays->scaling.divisor, held->scaling.divisor, entries * sizeof(float));
    check_in_order(stays, held);
    check_shuffled(stays, held);
    relume_dataset_destroy(stays);
    relume_dataset_destroy(held);
}

static void test_kinds(void **state)
{
    (void)state;
    static const enum rlm_dtype kinds[] = {RLM_U8, RLM_BOOL, RLM_I16, RLM_F32, RLM_F64, RLM_I64};
    relume_dataset_options options = usual();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        check_alike(array_of("x.npy", kinds[i], ROWS, FEATURES), &options);
}

static void test_holdout_and_scaling(void **state)
{
    (void)state;
    relume_dataset_options options = usual();
    options.holdout = 0.3;
    options.seed = 5;
    check_alike(array_of("x.npy", RLM_U8, ROWS, FEATURES), &options);
    options.standardize = 1;
    check_alike(array_of("x.npy", RLM_F32, ROWS, FEATURES), &options);
}

/* A test split from another file: both in their files; and either of them in memory, which a CSV always is.
 */
static void test_test_data(void **state)
{
    (void)state;
    relume_dataset_options options = usual();
    const char *array = array_of("x.npy", RLM_F32, ROWS, 3), *table = path_of("t.csv");
    FILE *file = fopen(table, "w");
    assert_non_null(file);
    for (int i = 0; i < 50; i++)
        (void)fprintf(file, "%d,%d,%d\n", i, 2 * i, -i);
    assert_int_equal(fclose(file), 0);
    options.test = array_of("y.npy", RLM_F32, 77, 3);
    check_alike(array, &options);
    options.test = table;
    check_alike(array, &options);
    options.test = array;
    check_alike(table, &options);
}

/* Refused with the same words, at the same place. */
static void check_refusal(const char *path, const relume_dataset_options *options, relume_status expected)
{
    relume_dataset *dataset = NULL;
    relume_error stays = {0}, held = {0};
    assert_status(try_load("always", path, options, &dataset, &stays), expected);
    assert_status(try_load("never", path, options, &dataset, &held), expected);
    assert_string_equal(stays.message, held.message);
    assert_string_equal(stays.file, held.file);
    assert_int_equal(stays.line, held.line);
    assert_int_equal(stays.column, held.column);
}

static void patch(const char *path, long at, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void test_refusals(void **state)
{
    (void)state;
    const float nan = (float)NAN;
    relume_dataset_options options = usual();
    const char *path = array_of("x.npy", RLM_F32, ROWS, FEATURES);
    patch(path, -(long)(FEATURES * 4 * 3 - 20), &nan, sizeof nan); /* the last row but two, column 6 */
    check_refusal(path, &options, RELUME_BAD_DATA);
    options.holdout = 0.4; /* the place is that in the file */
    check_refusal(path, &options, RELUME_BAD_DATA);
    path = array_of("x.npy", RLM_U8, ROWS, FEATURES);
    assert_int_equal(truncate(path, 5000), 0);
    check_refusal(path, &options, RELUME_BAD_FORMAT);
    path = array_of("x.npy", RLM_U8, ROWS, FEATURES);
    assert_int_equal(truncate(path, 128 + ROWS * FEATURES + 1), 0);
    check_refusal(path, &options, RELUME_BAD_FORMAT);
    options.test = array_of("y.npy", RLM_U8, ROWS, FEATURES + 1);
    options.holdout = 0;
    check_refusal(array_of("x.npy", RLM_U8, ROWS, FEATURES), &options, RELUME_MISMATCH);
}

static void test_a_wish_that_is_none(void **state)
{
    (void)state;
    relume_dataset *dataset = NULL;
    relume_error error = {0};
    relume_dataset_options options = usual();
    const char *path = array_of("x.npy", RLM_U8, ROWS, FEATURES);
    assert_status(try_load("perhaps", path, &options, &dataset, &error), RELUME_USAGE);
    assert_non_null(strstr(error.message, "perhaps"));
    assert_int_equal(unsetenv("RELUME_STREAM"), 0);
    assert_ok(relume_dataset_load(engine, path, &options, &dataset, &error), error);
    assert_null(dataset->reader); /* 37 KB are less than half of what any machine has */
    relume_dataset_destroy(dataset);
}

/* What cannot be read here and there is loaded, whatever the wish. */
static void test_what_cannot_stay(void **state)
{
    (void)state;
    relume_dataset *dataset = NULL;
    relume_error error = {0};
    assert_ok(try_load("always", "digits", NULL, &dataset, &error), error);
    assert_null(dataset->reader);
    relume_dataset_destroy(dataset);
}

/* A file that is written to, or becomes shorter, while its rows are read; a failure does not stay. */
static void test_changes(void **state)
{
    (void)state;
    relume_dataset_options options = usual();
    const char *path = array_of("x.npy", RLM_U8, 30000, 300); /* more than two buffers */
    struct stat was;
    assert_int_equal(stat(path, &was), 0);
    relume_dataset *dataset = load("always", path, &options);
    struct rlm_request first = {.first = 0, .count = 10}, last = {.first = 29000, .count = 10};
    const void *rows;
    relume_error error = {0};
    assert_ok(rlm_dataset_read(dataset, &first, &rows, &error), error);
    assert_int_equal(truncate(path, 100000), 0);
    assert_status(rlm_dataset_read(dataset, &last, &rows, &error), RELUME_BAD_FORMAT);
    assert_non_null(strstr(error.message, "x.npy, byte 8700128: the file has become shorter"));
    assert_int_equal(truncate(path, was.st_size), 0);
    assert_status(rlm_dataset_read(dataset, &last, &rows, &error), RELUME_BAD_DATA);
    assert_non_null(strstr(error.message, "was written to"));
    const struct timespec then[2] = {was.st_atim, was.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, then, 0), 0);
    assert_ok(rlm_dataset_read(dataset, &last, &rows, &error), error);
    relume_dataset_destroy(dataset);
}

/* A child of fork() has no thread that reads ahead, and reads all the same. */
static void test_fork(void **state)
{
    (void)state;
    relume_dataset_options options = usual();
    const char *path = array_of("x.npy", RLM_U8, ROWS, FEATURES);
    relume_dataset *stays = load("always", path, &options), *held = load("never", path, &options);
    check_request(stays, held, &(struct rlm_request){.first = 0, .count = 16});
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        check_in_order(stays,
                       held); /* a failure leaves by cmocka's longjmp and prints; the exit status tells */
        _exit(7);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    check_in_order(stays, held);
    relume_dataset_destroy(stays);
    relume_dataset_destroy(held);
}

static void test_allocations(void **state)
{
    (void)state;
    struct world_memory memory = {0};
    relume_engine *counted = world_engine("ref", 1, &memory);
    relume_dataset_options options = usual();
    options.holdout = 0.4;
    options.standardize = 1;
    const char *path = array_of("x.npy", RLM_F64, ROWS, FEATURES);
    size_t held = memory.held;
    relume_status status = RELUME_NO_MEMORY;
    assert_int_equal(setenv("RELUME_STREAM", "always", 1), 0);
    for (size_t n = 1; status != RELUME_OK; n++) {
        relume_dataset *dataset = NULL;
        memory.calls = 0;
        memory.refuse_from = n;
        status = relume_dataset_load(counted, path, &options, &dataset, NULL);
        assert_true(status == RELUME_OK || status == RELUME_NO_MEMORY);
        relume_dataset_destroy(dataset);
        assert_int_equal(memory.held, held);
    }
    memory.refuse_from = 0;
    relume_engine_destroy(counted);
}

/* Rows so large that a buffer holds 16 of them, in batches of 53: packed in four pieces. */
static void test_batches_larger_than_a_buffer(void **state)
{
    (void)state;
    enum { SAMPLES = 120, WIDE = 70000 };
    relume_dataset_options options = usual();
    const char *path = array_of("x.npy", RLM_F32, SAMPLES, WIDE);
    relume_dataset *stays = load("always", path, &options), *held = load("never", path, &options);
    const size_t hidden[] = {5};
    relume_network_options shape;
    relume_network *network = NULL;
    relume_error error;
    static float logits[2][SAMPLES * 3];
    assert_int_equal(rlm_dataset_piece(stays), 16);
    relume_network_options_default(&shape);
    shape.in_features = WIDE;
    shape.hidden_layers = 1;
    shape.hidden = hidden;
    shape.out_features = 3;
    shape.dataset = held;
    assert_ok(relume_network_create(engine, &shape, &network, &error), error);
    assert_ok(relume_network_predict(network, held, RELUME_SPLIT_TRAIN, logits[0], &error), error);
    assert_ok(relume_network_predict(network, stays, RELUME_SPLIT_TRAIN, logits[1], &error), error);
    assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
    relume_network_destroy(network);
    relume_dataset_destroy(stays);
    relume_dataset_destroy(held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_holdout_and_scaling),
        cmocka_unit_test(test_test_data),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_a_wish_that_is_none),
        cmocka_unit_test(test_what_cannot_stay),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_allocations),
        cmocka_unit_test(test_batches_larger_than_a_buffer),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
