/* Datasets from a caller's matrix: checked, copied, and finished like those from files (assemble.h). */
#include "data/dataset.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "data/assemble.h"
#include "data/part.h"

static relume_status check_matrix(const relume_matrix *matrix, const relume_dataset_options *options,
                                  relume_error *error)
{
    rlm_error_clear(error);
    if (matrix->samples == 0 || matrix->features == 0 || !matrix->x)
        return rlm_error_set(error, RELUME_BAD_DATA,
                             "the matrix has %zu samples of %zu features; at least one of each is needed",
                             matrix->samples, matrix->features);
    if (matrix->samples >= UINT32_MAX)
        return rlm_error_set(error, RELUME_BAD_DATA, "%zu samples; at most 4294967294 can be held",
                             matrix->samples);
    if (matrix->element != RELUME_U8 && matrix->element != RELUME_F32)
        return rlm_error_set(error, RELUME_USAGE, "the matrix has elements of an unknown kind, %d",
                             matrix->element);
    if ((matrix->labels && matrix->targets) || (matrix->targets && matrix->outputs == 0))
        return rlm_error_set(error, RELUME_USAGE,
                             "either labels or targets with at least one output were expected");
    if (options->labels || options->target || options->x_key || options->y_key || options->test)
        return rlm_error_set(
            error, RELUME_USAGE,
            "labels, target, x_key, y_key and test name parts of files; they cannot go with a matrix");
    return RELUME_OK;
}

/* count · size bytes of the caller's, copied. NULL when the product overflows or memory is short. */
static void *copy(const relume_dataset *dataset, const void *from, size_t rows, size_t columns, size_t size)
{
    size_t bytes;
    void *to = rlm_size_multiply3(rows, columns, size, &bytes)
                   ? rlm_alloc(&dataset->engine->allocator, bytes, 1)
                   : NULL;
    if (to)
        memcpy(to, from, bytes);
    return to;
}

static relume_status number_classes(relume_dataset *dataset, size_t count, relume_error *error)
{
    const relume_allocator *allocator = &dataset->engine->allocator;
    dataset->class_names = rlm_alloc(allocator, count, sizeof *dataset->class_names);
    if (!dataset->class_names)
        return rlm_error_memory(error, count * sizeof *dataset->class_names, "class names");
    for (; dataset->outputs < count; dataset->outputs++) {
        char number[24];
        (void)snprintf(number, sizeof number, "%zu", dataset->outputs);
        dataset->class_names[dataset->outputs] = rlm_strdup(allocator, number);
        if (!dataset->class_names[dataset->outputs])
            return rlm_error_memory(error, sizeof number, "class names");
    }
    return RELUME_OK;
}

static relume_status copy_labels(relume_dataset *dataset, const relume_matrix *matrix, relume_error *error)
{
    uint32_t largest = 0;
    size_t row = 0; /* of the largest */
    for (size_t i = 0; i < matrix->samples; i++)
        if (matrix->labels[i] > largest) {
            largest = matrix->labels[i];
            row = i;
        }
    size_t classes = matrix->classes ? matrix->classes : (size_t)largest + 1;
    if (largest >= classes || classes > RLM_CLASSES_MOST)
        return rlm_error_set(error, RELUME_BAD_DATA, "the label of row %zu is %u; below %zu was expected",
                             row + 1, largest, rlm_size_min(classes, RLM_CLASSES_MOST));
    dataset->task = RELUME_CLASSIFICATION;
    dataset->labels = copy(dataset, matrix->labels, matrix->samples, 1, sizeof *matrix->labels);
    if (!dataset->labels)
        return rlm_error_memory(error, matrix->samples * sizeof *matrix->labels, "labels");
    return number_classes(dataset, classes, error);
}

static relume_status copy_targets(relume_dataset *dataset, const relume_matrix *matrix, relume_error *error)
{
    dataset->task = RELUME_REGRESSION;
    dataset->outputs = matrix->outputs;
    dataset->targets =
        copy(dataset, matrix->targets, matrix->samples, matrix->outputs, sizeof *matrix->targets);
    if (!dataset->targets)
        return rlm_error_memory(error, matrix->samples * sizeof *matrix->targets, "targets");
    return rlm_check_finite(dataset->targets, 0, matrix->samples, matrix->outputs, dataset->name, "targets",
                            error);
}

static relume_status copy_matrix(relume_dataset *dataset, const char *name, const relume_matrix *matrix,
                                 relume_error *error)
{
    bool floats = matrix->element == RELUME_F32;
    dataset->name = rlm_strdup(&dataset->engine->allocator, name);
    if (!dataset->name)
        return rlm_error_memory(error, strlen(name), "a name");
    dataset->x = copy(dataset, matrix->x, matrix->samples, matrix->features, floats ? sizeof(float) : 1);
    if (!dataset->x)
        return rlm_error_memory(error, matrix->samples, "the features of a dataset");
    dataset->element = matrix->element;
    dataset->features = matrix->features;
    dataset->train_samples = matrix->samples;
    if (floats)
        RLM_TRY(rlm_check_finite(dataset->x, 0, matrix->samples, matrix->features, name, NULL, error));
    if (matrix->labels)
        return copy_labels(dataset, matrix, error);
    return matrix->targets ? copy_targets(dataset, matrix, error) : RELUME_OK;
}

relume_status relume_dataset_create(relume_engine *engine, const char *name, const relume_matrix *matrix,
                                    const relume_dataset_options *options, relume_dataset **dataset,
                                    relume_error *error)
{
    relume_dataset_options usual;
    if (!options) {
        relume_dataset_options_default(&usual);
        options = &usual;
    }
    RLM_TRY(check_matrix(matrix, options, error));
    relume_dataset *made = rlm_alloc_zero(&engine->allocator, 1, sizeof *made);
    if (!made)
        return rlm_error_memory(error, sizeof *made, "a dataset");
    made->engine = engine;
    relume_status status = copy_matrix(made, name, matrix, error);
    if (status == RELUME_OK)
        status = rlm_dataset_finish(made, options, matrix->element == RELUME_U8 ? 255.0f : 1.0f, error);
    if (status == RELUME_OK)
        *dataset = made;
    else
        relume_dataset_destroy(made);
    return status;
}
