/* Samples as they were read, before they are a dataset: one part a split, with targets not yet numbered.
 *
 *     reader (digits, folder, arrays, table)  →  rlm_parts  →  rlm_dataset_assemble  →  relume_dataset
 *
 * A reader checks that a part is whole in itself (as many targets as samples, nothing empty, all finite);
 * that two parts belong together is checked when they are assembled. */
#ifndef RLM_DATA_PART_H
#define RLM_DATA_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/engine.h"
#include "formats/tensor.h"
#include "relume/dataset.h"

/* Most classes a classification may have. */
#define RLM_CLASSES_MOST 65536

enum rlm_target_kind { RLM_TARGET_NONE, RLM_TARGET_INTEGER, RLM_TARGET_TEXT, RLM_TARGET_FLOAT };

/* What is to be learned. Memory by rlm_alloc. */
struct rlm_targets {
    enum rlm_target_kind kind;
    size_t outputs;    /* FLOAT: values a sample */
    int64_t *integers; /* INTEGER: [samples] */
    uint32_t *text;    /* TEXT: [samples], places in texts */
    size_t text_count;
    char **texts;  /* TEXT: [text_count], each once */
    float *floats; /* FLOAT: [samples, outputs] */
};

struct rlm_part {
    char *file; /* for messages; NULL: none */
    char *item; /* the array in the file; NULL: none */
    size_t samples, features;
    relume_element element;
    void *x;                   /* [samples, features], by rlm_alloc; NULL: another part's, or in a file */
    struct rlm_reader *reader; /* of these rows, where they stay in their file */
    float divisor;             /* that brings the raw values to about 0 … 1; 1 leaves them */
    size_t image_rows, image_columns;
    struct rlm_targets targets;
};

struct rlm_parts {
    struct rlm_part train, test; /* test.samples 0: none */
    bool joined; /* the rows of test stand behind those of train, in its block or its reader */
    const char *const *class_names; /* NULL, or static names of classes 0, 1, … */
    size_t class_count;
};

void rlm_targets_deinit(struct rlm_targets *targets);
void rlm_part_deinit(struct rlm_part *part);
void rlm_parts_deinit(struct rlm_parts *parts);

/* Says where a part comes from. NO_MEMORY. */
relume_status rlm_part_name(struct rlm_part *part, const relume_allocator *allocator, const char *file,
                            const char *item, relume_error *error);

/* Takes the values of `tensor` (read with RLM_READ_FEATURES), whose first dimension counts samples and whose
 * others make up the features; a tensor of images gives the part its image shape. BAD_DATA: no features or
 * samples, one dimension only, a value that is not finite. On failure the tensor keeps its values. */
relume_status rlm_part_take_features(struct rlm_part *part, struct rlm_tensor *tensor, relume_error *error);

/* The same but for the values: samples, features, kind and image shape of `tensor`, whose data are not looked
 * at. */
relume_status rlm_part_take_shape(struct rlm_part *part, const struct rlm_tensor *tensor,
                                  relume_error *error);

/* Makes targets of `tensor` (read with RLM_READ_STORED; shape [samples], [samples, 1], or [samples, outputs]
 * of floats), which stays the caller's. `file` and `item` are where it comes from. MISMATCH: not as many as
 * the part has samples. BAD_DATA, NO_MEMORY. */
relume_status rlm_part_add_targets(struct rlm_part *part, const relume_allocator *allocator,
                                   const struct rlm_tensor *tensor, const char *file, const char *item,
                                   relume_error *error);

/* The same from the target column of a CSV file, whose texts are moved into the part. */
struct rlm_csv;
relume_status rlm_part_take_csv_targets(struct rlm_part *part, const relume_allocator *allocator,
                                        struct rlm_csv *csv, const char *file, relume_error *error);

/* BAD_DATA with row and column, from 1, unless all values are finite. `first` is the number of the first row,
 * from 0. */
relume_status rlm_check_finite(const float *values, size_t first, size_t rows, size_t columns,
                               const char *file, const char *item, relume_error *error);

/* The readers. On failure `parts` is as it was; else the caller frees it with rlm_parts_deinit. */
relume_status rlm_read_digits(const relume_allocator *allocator, struct rlm_parts *parts,
                              relume_error *error);
relume_status rlm_read_fashion_mnist(relume_engine *engine, struct rlm_parts *parts, relume_error *error);
relume_status rlm_read_folder(relume_engine *engine, const char *path, struct rlm_parts *parts,
                              relume_error *error);
relume_status rlm_read_npz(relume_engine *engine, const char *path, const relume_dataset_options *options,
                           struct rlm_parts *parts, relume_error *error);
relume_status rlm_read_array(relume_engine *engine, const char *path, const relume_dataset_options *options,
                             struct rlm_parts *parts, relume_error *error);
relume_status rlm_read_table(const relume_allocator *allocator, const char *path,
                             const relume_dataset_options *options, struct rlm_parts *parts,
                             relume_error *error);

#endif
