/* The inside of a dataset: one raw matrix with training rows first, then test rows. */
#ifndef RLM_DATA_DATASET_H
#define RLM_DATA_DATASET_H

#include "base/engine.h"
#include "relume/dataset.h"

struct relume_dataset {
    relume_engine *engine;
    char *name;
    relume_task task;
    relume_element element;
    size_t features, outputs;
    size_t train_samples, test_samples;
    void *x;            /* [train_samples + test_samples, features]: uint8_t or float */
    uint32_t *labels;   /* [samples] or NULL */
    float *targets;     /* [samples, outputs] or NULL */
    char **class_names; /* [outputs] with classification */
    size_t image_rows, image_columns;
    relume_scaling scaling;
    float *scaling_values; /* what scaling points into */
    uint64_t fingerprint;
};

/* First row and number of rows of a split within x. */
struct rlm_rows {
    size_t first, count;
};
struct rlm_rows rlm_dataset_rows(const relume_dataset *dataset, relume_split split);

#endif
