/* "digits" and "fashion-mnist": the shapes, names and values everyone relies on; holdout; standardizing. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/dataset.h"

static relume_engine *engine;

static int make_engine(void **state)
{
    (void)state;
    relume_engine_options options;
    relume_engine_options_default(&options);
    options.threads = 1;
    return relume_engine_create(&options, &engine, NULL) == RELUME_OK ? 0 : -1;
}

static int destroy_engine(void **state)
{
    (void)state;
    relume_engine_destroy(engine);
    return 0;
}

static relume_dataset *load(const char *name, const relume_dataset_options *options)
{
    relume_error error;
    relume_dataset *dataset = NULL;
    assert_ok(relume_dataset_load(engine, name, options, &dataset, &error), error);
    return dataset;
}

static void test_digits(void **state)
{
    (void)state;
    relume_dataset *digits = load("digits", NULL);
    size_t rows, columns;
    relume_dataset_get_image(digits, &rows, &columns);
    assert_int_equal(rows, 8);
    assert_int_equal(columns, 8);
    assert_string_equal(relume_dataset_get_name(digits), "digits");
    assert_int_equal(relume_dataset_get_task(digits), RELUME_CLASSIFICATION);
    assert_int_equal(relume_dataset_get_features(digits), 64);
    assert_int_equal(relume_dataset_get_samples(digits, RELUME_SPLIT_TRAIN), 1797);
    assert_int_equal(relume_dataset_get_samples(digits, RELUME_SPLIT_TEST), 0);
    assert_int_equal(relume_dataset_get_samples(digits, RELUME_SPLIT_ALL), 1797);
    assert_int_equal(relume_dataset_get_outputs(digits), 10);
    assert_string_equal(relume_dataset_get_class_name(digits, 7), "7");
    assert_null(relume_dataset_get_class_name(digits, 10));
    assert_int_equal(digits->element, RELUME_U8);
    relume_scaling scaling = relume_dataset_get_scaling(digits);
    assert_true(scaling.uniform && scaling.offset[0] == 0 && scaling.divisor[0] == 16);
    /* scikit-learn's load_digits: data[0][:8], target[:10], data.sum() and target.sum() */
    const uint8_t first[8] = {0, 0, 5, 13, 9, 1, 0, 0};
    assert_memory_equal(digits->x, first, sizeof first);
    uint64_t sum = 0, label_sum = 0;
    for (size_t i = 0; i < (size_t)1797 * 64; i++)
        sum += ((const uint8_t *)digits->x)[i];
    for (size_t i = 0; i < 1797; i++)
        label_sum += digits->labels[i];
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(digits->labels[i], i);
    assert_int_equal(sum, 561718);
    assert_int_equal(label_sum, 8070);
    relume_dataset_destroy(digits);
}

/* Every sample of digits is in exactly one split of the held-out set, in the order of the file. */
static void check_splits(const relume_dataset *whole, const relume_dataset *held)
{
    size_t train = 0, test = held->train_samples;
    const uint8_t *all = whole->x, *rows = held->x;
    for (size_t i = 0; i < 1797; i++) {
        bool in_train = train < held->train_samples && memcmp(all + 64 * i, rows + 64 * train, 64) == 0;
        size_t at = in_train ? train++ : test++;
        assert_true(at < 1797);
        assert_memory_equal(all + 64 * i, rows + 64 * at, 64);
        assert_int_equal(whole->labels[i], held->labels[at]);
    }
}

static void test_holdout(void **state)
{
    (void)state;
    relume_dataset_options options;
    relume_dataset_options_default(&options);
    relume_dataset *whole = load("digits", NULL);
    options.holdout = 0.2;
    relume_dataset *held = load("digits", &options), *again = load("digits", &options);
    assert_int_equal(held->test_samples, 359); /* round(0.2 · 1797) */
    assert_int_equal(held->train_samples, 1438);
    check_splits(whole, held);
    assert_true(held->fingerprint == again->fingerprint);
    assert_true(held->fingerprint != whole->fingerprint);
    options.seed = 1;
    relume_dataset *other = load("digits", &options);
    assert_true(held->fingerprint != other->fingerprint);
    check_splits(whole, other);
    relume_dataset_destroy(whole);
    relume_dataset_destroy(held);
    relume_dataset_destroy(again);
    relume_dataset_destroy(other);
}

static void test_bad_holdout(void **state)
{
    (void)state;
    const double shares[] = {-0.1, 1, 1.5, (double)NAN, (double)INFINITY};
    relume_dataset_options options;
    relume_dataset_options_default(&options);
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        relume_error error;
        relume_dataset *dataset = NULL;
        options.holdout = shares[i];
        assert_status(relume_dataset_load(engine, "digits", &options, &dataset, &error), RELUME_USAGE);
        assert_null(dataset);
    }
    relume_error error;
    relume_dataset *dataset = NULL;
    options.holdout = 0.9999;
    assert_status(relume_dataset_load(engine, "digits", &options, &dataset, &error), RELUME_BAD_DATA);
    options.holdout = 1e-9; /* at least one sample */
    dataset = load("digits", &options);
    assert_int_equal(dataset->test_samples, 1);
    relume_dataset_destroy(dataset);
}

static void test_standardize(void **state)
{
    (void)state;
    relume_dataset_options options;
    relume_dataset_options_default(&options);
    options.standardize = 1;
    relume_dataset *digits = load("digits", &options);
    relume_scaling scaling = relume_dataset_get_scaling(digits);
    assert_false(scaling.uniform);
    const uint8_t *x = digits->x;
    for (size_t f = 0; f < 64; f++) {
        /* exact in integers: mean = s / n, variance = (n · q − s²) / n² */
        uint64_t s = 0, q = 0, n = 1797;
        for (size_t i = 0; i < n; i++) {
            s += x[64 * i + f];
            q += (uint64_t)x[64 * i + f] * x[64 * i + f];
        }
        double mean = (double)s / (double)n, deviation = sqrt((double)(n * q - s * s)) / (double)n;
        /* half a unit of float32 from the rounding to it, and n roundings of double, which are far below */
        assert_true(fabs((double)scaling.offset[f] - mean) <= 0x1p-24 * 1.001 * fabs(mean));
        if (n * q == s * s)
            assert_true(scaling.divisor[f] == 1);
        else
            assert_true(fabs((double)scaling.divisor[f] - deviation) <= 0x1p-24 * 1.001 * deviation);
    }
    assert_true(scaling.divisor[0] == 1); /* the corner pixel is always 0 */
    relume_dataset_destroy(digits);
}

static void test_fashion_mnist(void **state)
{
    (void)state;
    if (!rlm_file_exists("/usr/share/datasets/fashion-mnist")) {
        print_message("# the package dataset-fashion-mnist is not installed\n");
        skip();
    }
    relume_dataset *fashion = load("fashion-mnist", NULL);
    size_t rows, columns;
    relume_dataset_get_image(fashion, &rows, &columns);
    assert_int_equal(rows, 28);
    assert_int_equal(columns, 28);
    assert_int_equal(relume_dataset_get_features(fashion), 784);
    assert_int_equal(relume_dataset_get_samples(fashion, RELUME_SPLIT_TRAIN), 60000);
    assert_int_equal(relume_dataset_get_samples(fashion, RELUME_SPLIT_TEST), 10000);
    assert_int_equal(relume_dataset_get_outputs(fashion), 10);
    assert_string_equal(relume_dataset_get_class_name(fashion, 0), "T-shirt/top");
    assert_string_equal(relume_dataset_get_class_name(fashion, 9), "Ankle boot");
    assert_true(relume_dataset_get_scaling(fashion).divisor[0] == 255);
    size_t counts[2][10] = {{0}};
    for (size_t i = 0; i < 70000; i++)
        counts[i >= 60000][fashion->labels[i]]++;
    for (size_t c = 0; c < 10; c++) { /* the data set's authors: balanced classes */
        assert_int_equal(counts[0][c], 6000);
        assert_int_equal(counts[1][c], 1000);
    }
    relume_error error;
    relume_dataset_options options;
    relume_dataset_options_default(&options);
    options.holdout = 0.1;
    relume_dataset *none = NULL;
    assert_status(relume_dataset_load(engine, "fashion-mnist", &options, &none, &error), RELUME_USAGE);
    relume_dataset_destroy(fashion);
}

static void test_unknown_names(void **state)
{
    (void)state;
    relume_error error;
    relume_dataset *dataset = NULL;
    assert_status(relume_dataset_load(engine, "digit", NULL, &dataset, &error), RELUME_NOT_FOUND);
    assert_non_null(strstr(error.message, "digits, fashion-mnist"));
    assert_status(relume_dataset_load(engine, "/", NULL, &dataset, &error), RELUME_NOT_FOUND);
    assert_non_null(strstr(error.message, "train-images-idx3-ubyte"));
    relume_dataset_options options;
    relume_dataset_options_default(&options);
    options.target = "species";
    assert_status(relume_dataset_load(engine, "digits", &options, &dataset, &error), RELUME_USAGE);
    assert_null(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digits),        cmocka_unit_test(test_holdout),
        cmocka_unit_test(test_bad_holdout),   cmocka_unit_test(test_standardize),
        cmocka_unit_test(test_fashion_mnist), cmocka_unit_test(test_unknown_names),
    };
    return cmocka_run_group_tests(tests, make_engine, destroy_engine);
}
