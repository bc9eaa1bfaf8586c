/* Samples, targets, splits, and how raw features become numbers a network is fed.
 *
 * A dataset keeps features as they came (u8 or float32); `x = (raw - offset) / divisor` is applied when a
 * batch is packed, so images stay one byte a pixel in memory. Values are checked once, when loaded: a NaN or
 * infinity is refused with its row and column.
 *
 * Features of an .npy or a plain IDX file that are more than half of the memory this process may take stay in
 * their file and are read as they are used; RELUME_STREAM=always or =never decides otherwise. Nothing else is
 * different. */
#ifndef RELUME_DATASET_H
#define RELUME_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include "relume/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum relume_split { RELUME_SPLIT_TRAIN, RELUME_SPLIT_TEST, RELUME_SPLIT_ALL } relume_split;
typedef enum relume_element { RELUME_U8, RELUME_F32 } relume_element;
typedef enum relume_task { RELUME_UNLABELLED, RELUME_CLASSIFICATION, RELUME_REGRESSION } relume_task;

/* x[f] = (raw[f] - offset[f]) / divisor[f], both rounded to float32 once each. `features` entries each, or
 * one entry that serves every feature when `uniform` is not 0. */
typedef struct relume_scaling {
    int uniform;
    const float *offset;
    const float *divisor;
} relume_scaling;

typedef struct relume_dataset relume_dataset;

typedef struct relume_dataset_options {
    const char *labels; /* = NULL: file of labels for a bare .npy of features */
    const char *target; /* = NULL: name or 1-based number of a CSV's target column */
    const char
        *x_key; /* = NULL: the array of features in an .npz; "X", "X_train", "x_train", "x", … are tried */
    const char *y_key; /* = NULL: likewise the targets */
    const char *test;  /* = NULL: other data to serve as the test split */
    double holdout;    /* = 0: share of the training samples set aside as the test split, 0 to < 1, drawn by
                          `seed` */
    uint64_t seed;     /* = 0 */
    int standardize;  /* = 0: not 0: offset and divisor are the training split's mean and deviation, a feature
                         each */
    int need_targets; /* = 1: refuse data without targets */
    int classes; /* = 0: not 0: floating-point targets are labels when there is one a sample and all are whole
                    numbers within ±2^24 */
} relume_dataset_options;

RELUME_API void relume_dataset_options_default(relume_dataset_options *options);

/* Loads `name`: "digits" (embedded: 1,797 × 64), "fashion-mnist", a folder of MNIST-style IDX files,
 * FILE.npz, FILE.npy, FILE.csv; gzipped or not. `options` may be NULL. NOT_FOUND, BAD_FORMAT, BAD_DATA (NaN,
 * infinite, label out of range, empty), MISMATCH (as many labels as samples? test features as train?), USAGE,
 * IO, NO_MEMORY, RESOURCE (a library that the format needs cannot be loaded). */
RELUME_API relume_status relume_dataset_load(relume_engine *engine, const char *name,
                                             const relume_dataset_options *options, relume_dataset **dataset,
                                             relume_error *error) RELUME_MUST_CHECK;

/* Copies a matrix the caller has: `x[samples, features]` row-major; `labels[samples]` (class numbers below
 * `classes`) for classification, or `targets[samples, outputs]` for regression, or neither. All of it is the
 * training split. */
typedef struct relume_matrix {
    size_t samples, features;
    relume_element element;
    const void *x;          /* [samples, features] of `element` */
    const uint32_t *labels; /* [samples] or NULL */
    size_t classes;         /* with labels: how many classes; 0: largest label + 1 */
    const float *targets;   /* [samples, outputs] or NULL */
    size_t outputs;         /* with targets */
} relume_matrix;
RELUME_API relume_status relume_dataset_create(relume_engine *engine, const char *name,
                                               const relume_matrix *matrix,
                                               const relume_dataset_options *options,
                                               relume_dataset **dataset,
                                               relume_error *error) RELUME_MUST_CHECK;
RELUME_API void relume_dataset_destroy(relume_dataset *dataset);

RELUME_API const char *relume_dataset_get_name(const relume_dataset *dataset);
RELUME_API relume_task relume_dataset_get_task(const relume_dataset *dataset);
RELUME_API size_t relume_dataset_get_features(const relume_dataset *dataset);
/* Not 0: the features stay in their file, and their rows are read when they are used: a file that changes
 * meanwhile makes whatever uses them fail with BAD_DATA, BAD_FORMAT or IO. */
RELUME_API int relume_dataset_is_streamed(const relume_dataset *dataset);
/* Samples of a split; 0 when there is no such split. ALL counts train, then test. */
RELUME_API size_t relume_dataset_get_samples(const relume_dataset *dataset, relume_split split);
/* Classes of a classification, outputs of a regression, 0 without targets. */
RELUME_API size_t relume_dataset_get_outputs(const relume_dataset *dataset);
/* A class's name ("7", "Trouser"); NULL when `label` is no class. */
RELUME_API const char *relume_dataset_get_class_name(const relume_dataset *dataset, size_t label);
/* Rows and columns of the image a sample is; 0 × 0 when it is none. */
RELUME_API void relume_dataset_get_image(const relume_dataset *dataset, size_t *rows, size_t *columns);
/* The scaling a new network on this data should carry. Valid as long as the dataset. */
RELUME_API relume_scaling relume_dataset_get_scaling(const relume_dataset *dataset);
/* A 64-bit fingerprint of every value, target and split: two datasets with the same one are taken for the
 * same. */
RELUME_API uint64_t relume_dataset_get_fingerprint(const relume_dataset *dataset);

#ifdef __cplusplus
}
#endif
#endif
