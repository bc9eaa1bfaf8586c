/* See scaling.h. Two passes over the rows: means, then squared distances from them, which keeps the digits
 * that mean(x²) − mean(x)² would cancel. */
#include "data/scaling.h"

#include <math.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"

/* One block for both arrays of `entries` values. */
static relume_status scaling_alloc(relume_dataset *dataset, size_t entries, float **values,
                                   relume_error *error)
{
    size_t count;
    *values = rlm_size_multiply(entries, 2, &count)
                  ? rlm_alloc(&dataset->engine->allocator, count, sizeof **values)
                  : NULL;
    return *values ? RELUME_OK
                   : rlm_error_memory(error, 2 * entries * sizeof **values, "the scaling of the features");
}

static void scaling_set(relume_dataset *dataset, float *values, size_t entries)
{
    rlm_free(dataset->scaling_values);
    dataset->scaling_values = values;
    dataset->scaling =
        (relume_scaling){.uniform = entries == 1, .offset = values, .divisor = values + entries};
}

relume_status rlm_scaling_uniform(relume_dataset *dataset, float divisor, relume_error *error)
{
    float *values = NULL;
    RLM_TRY(scaling_alloc(dataset, 1, &values, error));
    values[0] = 0.0f;
    values[1] = divisor;
    scaling_set(dataset, values, 1);
    return RELUME_OK;
}

/* Sums of one feature each. */
struct sums {
    double *mean, *square; /* [features] */
    float *low, *high;     /* [features] */
};

static double raw_value(const relume_dataset *dataset, const void *rows, size_t index)
{
    return dataset->element == RELUME_U8 ? (double)((const uint8_t *)rows)[index]
                                         : (double)((const float *)rows)[index];
}

static void add_means(const relume_dataset *dataset, const void *rows, size_t first, size_t count,
                      const struct sums *sums)
{
    size_t features = dataset->features;
    for (size_t row = 0; row < count; row++)
        for (size_t f = 0; f < features; f++) {
            double value = raw_value(dataset, rows, row * features + f);
            bool begins = first + row == 0;
            sums->mean[f] += value;
            sums->low[f] = !begins && sums->low[f] < (float)value ? sums->low[f] : (float)value;
            sums->high[f] = !begins && sums->high[f] > (float)value ? sums->high[f] : (float)value;
        }
}

static void add_squares(const relume_dataset *dataset, const void *rows, size_t first, size_t count,
                        const struct sums *sums)
{
    size_t features = dataset->features;
    (void)first;
    for (size_t row = 0; row < count; row++)
        for (size_t f = 0; f < features; f++) {
            double distance = raw_value(dataset, rows, row * features + f) - sums->mean[f];
            sums->square[f] += distance * distance;
        }
}

typedef void add_rows(const relume_dataset *dataset, const void *rows, size_t first, size_t count,
                      const struct sums *sums);

/* One pass over the training rows. */
static relume_status pass(const relume_dataset *dataset, add_rows *add, const struct sums *sums,
                          relume_error *error)
{
    for (size_t first = 0, count; first < dataset->train_samples; first += count) {
        const void *rows;
        count = dataset->train_samples - first;
        RLM_TRY(rlm_dataset_read_some(dataset, first, &count, &rows, error));
        add(dataset, rows, first, count, sums);
    }
    return RELUME_OK;
}

static relume_status measure(const relume_dataset *dataset, const struct sums *sums, relume_error *error)
{
    RLM_TRY(pass(dataset, add_means, sums, error));
    for (size_t f = 0; f < dataset->features; f++)
        sums->mean[f] /= (double)dataset->train_samples;
    return pass(dataset, add_squares, sums, error);
}

/* A constant feature is told by its range, not by its sum: the mean of n equal values need not be that value
 * in double. */
static void fill_in(const relume_dataset *dataset, const struct sums *sums, float *offset, float *divisor)
{
    for (size_t f = 0; f < dataset->features; f++) {
        bool constant = sums->low[f] == sums->high[f];
        float deviation = (float)sqrt(sums->square[f] / (double)dataset->train_samples);
        offset[f] = constant ? sums->low[f] : (float)sums->mean[f];
        divisor[f] = constant || deviation == 0.0f ? 1.0f : deviation;
    }
}

relume_status rlm_scaling_standardize(relume_dataset *dataset, relume_error *error)
{
    const relume_allocator *allocator = &dataset->engine->allocator;
    size_t features = dataset->features;
    float *values;
    RLM_TRY(scaling_alloc(dataset, features, &values, error));
    struct sums sums = {.mean = rlm_alloc_zero(allocator, features, 2 * sizeof *sums.mean),
                        .low = rlm_alloc_zero(allocator, features, 2 * sizeof *sums.low)};
    relume_status status = RELUME_OK;
    if (sums.mean && sums.low) {
        sums.square = sums.mean + features;
        sums.high = sums.low + features;
        status = measure(dataset, &sums, error);
    } else {
        status = rlm_error_memory(error, 3 * features * sizeof(double), "standardizing");
    }
    if (status == RELUME_OK) {
        fill_in(dataset, &sums, values, values + features);
        scaling_set(dataset, values, features);
        dataset->scaling.uniform = 0; /* also for a single feature: these are its own */
    } else {
        rlm_free(values);
    }
    rlm_free(sums.mean);
    rlm_free(sums.low);
    return status;
}
