/* The inside of a dataset: one raw matrix with training rows first, then test rows. */
#ifndef RLM_DATA_DATASET_H
#define RLM_DATA_DATASET_H

#include "base/engine.h"
#include "data/reader.h"
#include "relume/dataset.h"

struct relume_dataset {
    relume_engine *engine;
    char *name;
    relume_task task;
    relume_element element;
    size_t features, outputs;
    size_t train_samples, test_samples;
    void *x; /* [train_samples + test_samples, features]: uint8_t or float; NULL: they stay in their file */
    struct rlm_reader *reader; /* which reads them; NULL: they are in x */
    uint32_t *labels;          /* [samples] or NULL */
    float *targets;            /* [samples, outputs] or NULL */
    char **class_names;        /* [outputs] with classification */
    size_t image_rows, image_columns;
    relume_scaling scaling;
    float *scaling_values; /* what scaling points into */
    uint64_t fingerprint;
};

/* First row and number of rows of a split within x. */
struct rlm_rows {
    size_t first, count;
};
/* Rows of the raw features, [count, features] of the dataset's element: where they are, or in a buffer that
 * is valid until the next call. At most rlm_dataset_piece at a time, which is a multiple of 16 where it is
 * not all of them; an index only with a reader. The statuses of rlm_reader_take. */
relume_status rlm_dataset_read(const relume_dataset *dataset, const struct rlm_request *request,
                               const void **rows, relume_error *error);
size_t rlm_dataset_piece(const relume_dataset *dataset);
/* Rows first … first + count − 1, which may be fewer than asked for: *count is lowered to a piece. */
relume_status rlm_dataset_read_some(const relume_dataset *dataset, size_t first, size_t *count,
                                    const void **rows, relume_error *error);
/* Bytes of a row of raw features. */
size_t rlm_dataset_row_bytes(const relume_dataset *dataset);

struct rlm_rows rlm_dataset_rows(const relume_dataset *dataset, relume_split split);

#endif
