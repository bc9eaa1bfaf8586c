/* Data sets from files: options that do not go with a kind of data, test data of another kind, labels that do
 * not fit; each refusal names what was found. What the readers make of bytes is tested in tests/python and
 * tests/cli. */
#include "world.h"

#include <sys/stat.h>

#include "data/dataset.h"

static char folder[64];
static relume_engine *engine;

static int setup(void **state)
{
    (void)state;
    world_folder(folder);
    engine = world_engine("ref", 1, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    relume_engine_destroy(engine);
    world_folder_remove(folder);
    return 0;
}

/* Writes a file and returns its path, which is good until the eighth call after this one. */
static const char *file_of(const char *name, const char *text)
{
    static char paths[8][128];
    static size_t next;
    char *path = paths[next++ % 8];
    (void)snprintf(path, 128, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    return path;
}

static relume_dataset_options usual(void)
{
    relume_dataset_options options;
    relume_dataset_options_default(&options);
    options.target = "y";
    return options;
}

static relume_dataset *load(const char *path, const relume_dataset_options *options)
{
    relume_dataset *dataset = NULL;
    relume_error error = {0};
    assert_ok(relume_dataset_load(engine, path, options, &dataset, &error), error);
    return dataset;
}

static void refused(const char *path, const relume_dataset_options *options, relume_status expected,
                    const char *message)
{
    relume_dataset *dataset = NULL;
    relume_error error = {0};
    relume_status status = relume_dataset_load(engine, path, options, &dataset, &error);
    if (status != expected || !strstr(error.message, message))
        fail_msg("%s: \"%s\", expected %s: \"%s\"", relume_status_name(status), error.message,
                 relume_status_name(expected), message);
    assert_null(dataset);
}

static void test_options_that_do_not_fit(void **state)
{
    (void)state;
    const char *csv = file_of("a.csv", "a,y\n1,0\n2,1\n");
    relume_dataset_options options = usual();
    options.labels = "labels.npy";
    refused(csv, &options, RELUME_USAGE, "labels (labels.npy) can be given for an .npy or IDX file only");
    options = usual();
    refused("digits", &options, RELUME_USAGE, "a target column (y) can be given for a CSV file only");
    options = usual();
    options.x_key = "images";
    refused(csv, &options, RELUME_USAGE, "array names (images) can be given for an .npz file only");
    options = usual();
    options.holdout = 1;
    refused(csv, &options, RELUME_USAGE, "the holdout is 1; a share from 0 to below 1 was expected");
}

static void test_test_data(void **state)
{
    (void)state;
    relume_dataset_options options = usual();
    const char *train = file_of("train.csv", "a,b,y\n1,2,cat\n3,4,dog\n5,6,cat\n");
    options.test = file_of("test.csv", "a,b,y\n7,8,dog\n");
    relume_dataset *dataset = load(train, &options);
    assert_int_equal(relume_dataset_get_samples(dataset, RELUME_SPLIT_TEST), 1);
    assert_int_equal(dataset->labels[3], 1);
    relume_dataset_destroy(dataset);
    options.holdout = 0.5;
    refused(train, &options, RELUME_USAGE, "test data are given, and a holdout of 0.5 as well");
    options.holdout = 0;
    options.test = file_of("wide.csv", "a,b,c,y\n7,8,9,dog\n");
    refused(train, &options, RELUME_MISMATCH, "the training split has 2 features, the test split 3");
    options.test = file_of("new.csv", "a,b,y\n7,8,cat\n1,1,fox\n");
    refused(train, &options, RELUME_MISMATCH, "\"fox\" (test row 2) is not among these");
    options.test = file_of("real.csv", "a,b,y\n7,8,0.5\n");
    refused(train, &options, RELUME_MISMATCH,
            "has texts as labels, the test split has floating-point targets");
    options.test = file_of("whole.csv", "a,b,y\n7,8,1\n");
    refused(train, &options, RELUME_MISMATCH, "has texts as labels, the test split has whole numbers");
    options.test = file_of("none.csv", "a,b\n7,8\n");
    refused(train, &options, RELUME_NOT_FOUND, "there is no target column \"y\"");
    options.test = "nothing";
    refused(train, &options, RELUME_NOT_FOUND, "there is no such file or folder");
}

static void test_regression_with_test_data(void **state)
{
    (void)state;
    relume_dataset_options options = usual();
    const char *train = file_of("train.csv", "a,y\n1,0.5\n3,1\n");
    options.test = file_of("test.csv", "a,y\n7,2.5\n");
    relume_dataset *dataset = load(train, &options);
    assert_int_equal(relume_dataset_get_task(dataset), RELUME_REGRESSION);
    assert_true(dataset->targets[0] == 0.5f && dataset->targets[2] == 2.5f);
    relume_dataset_destroy(dataset);
    refused(train, NULL, RELUME_USAGE, "say which column");
    options.test = NULL;
    refused(file_of("big.csv", "a,y\n1,0.5\n3,1e300\n"), &options, RELUME_BAD_DATA,
            "\"y\": row 2, column 1 (counted from 1) is infinite, or too large for float32");
}

/* A header may hold any bytes; a message must not. */
static void test_names_of_any_bytes(void **state)
{
    (void)state;
    relume_dataset_options options = usual();
    options.target = "2";
    refused(file_of("bytes.csv", "a,\x99\x1b[31m\n1,0.5\n3,1e300\n"), &options, RELUME_BAD_DATA,
            "\"??[31m\": row 2");
}

static void test_labels(void **state)
{
    (void)state;
    relume_dataset_options options = usual();
    relume_dataset *dataset =
        load(file_of("wide.csv", "a,y\n1,-7\n2,9007199254740991\n3,-7\n4,12\n"), &options);
    assert_int_equal(relume_dataset_get_outputs(dataset), 3);
    assert_string_equal(relume_dataset_get_class_name(dataset, 2), "9007199254740991");
    assert_int_equal(dataset->labels[1], 2);
    relume_dataset_destroy(dataset);
    refused(file_of("far.csv", "a,y\n1,1\n2,9007199254740994\n"), &options, RELUME_BAD_DATA,
            "the label of row 2 is 9007199254740994; labels are whole numbers within");
    FILE *file = fopen(file_of("many.csv", ""), "w");
    assert_non_null(file);
    (void)fputs("a,y\n", file);
    for (int i = 0; i < 70000; i++)
        (void)fprintf(file, "1,%d\n", i);
    (void)fclose(file);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/many.csv", folder);
    refused(path, &options, RELUME_BAD_DATA, "more than 65536 different classes; for regression");
}

static void test_fashion_mnist_elsewhere(void **state)
{
    (void)state;
    assert_int_equal(setenv("RELUME_DATA", folder, 1), 0);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/fashion-mnist", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    refused("fashion-mnist", NULL, RELUME_NOT_FOUND, "is a folder without train-images-idx3-ubyte");
    assert_int_equal(unsetenv("RELUME_DATA"), 0);
}

/* Every allocation of a load refused in turn. */
static void test_allocations(void **state)
{
    (void)state;
    struct world_memory memory = {0};
    relume_engine *counted = world_engine("ref", 1, &memory);
    relume_dataset_options options = usual();
    options.standardize = 1;
    options.test = file_of("test.csv", "a,y\n7,dog\n");
    const char *const trains[] = {file_of("texts.csv", "a,y\n1,cat\n2,dog\n3,cat\n"),
                                  file_of("numbers.csv", "a,y\n1,0\n2,1\n3,0\n"),
                                  file_of("real.csv", "a,y\n1,0.5\n2,1\n3,0\n")};
    for (size_t i = 0; i < 3; i++) {
        relume_status status = RELUME_NO_MEMORY;
        size_t held = memory.held;
        if (i > 0) {
            options.test = NULL;
            options.holdout = 0.4;
        }
        for (size_t n = 1; status != RELUME_OK; n++) {
            relume_dataset *dataset = NULL;
            memory.calls = 0;
            memory.refuse_from = n;
            status = relume_dataset_load(counted, trains[i], &options, &dataset, NULL);
            assert_true(status == RELUME_OK || status == RELUME_NO_MEMORY);
            relume_dataset_destroy(dataset);
            assert_int_equal(memory.held, held);
        }
    }
    memory.refuse_from = 0;
    relume_engine_destroy(counted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_that_do_not_fit),
        cmocka_unit_test(test_test_data),
        cmocka_unit_test(test_regression_with_test_data),
        cmocka_unit_test(test_names_of_any_bytes),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_fashion_mnist_elsewhere),
        cmocka_unit_test(test_allocations),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
