/* What one can ask of a dataset, and its end. See relume/dataset.h. */
#include "data/dataset.h"

#include "base/alloc.h"
#include "base/checked.h"
#include "data/reader.h"

void relume_dataset_options_default(relume_dataset_options *options)
{
    *options = (relume_dataset_options){.need_targets = 1};
}

void relume_dataset_destroy(relume_dataset *dataset)
{
    if (!dataset)
        return;
    for (size_t i = 0; dataset->class_names && i < dataset->outputs; i++)
        rlm_free(dataset->class_names[i]);
    rlm_free(dataset->class_names);
    rlm_free(dataset->name);
    rlm_free(dataset->x);
    rlm_reader_destroy(dataset->reader);
    rlm_free(dataset->labels);
    rlm_free(dataset->targets);
    rlm_free(dataset->scaling_values);
    rlm_free(dataset);
}

size_t rlm_dataset_row_bytes(const relume_dataset *dataset)
{
    return dataset->features * (dataset->element == RELUME_U8 ? sizeof(uint8_t) : sizeof(float));
}

size_t rlm_dataset_piece(const relume_dataset *dataset)
{
    return dataset->reader ? rlm_reader_piece(dataset->reader)
                           : dataset->train_samples + dataset->test_samples;
}

relume_status rlm_dataset_read(const relume_dataset *dataset, const struct rlm_request *request,
                               const void **rows, relume_error *error)
{
    if (dataset->reader)
        return rlm_reader_take(dataset->reader, request, rows, error);
    *rows = (const char *)dataset->x + request->first * rlm_dataset_row_bytes(dataset);
    return RELUME_OK;
}

relume_status rlm_dataset_read_some(const relume_dataset *dataset, size_t first, size_t *count,
                                    const void **rows, relume_error *error)
{
    *count = rlm_size_min(*count, rlm_dataset_piece(dataset));
    return rlm_dataset_read(dataset, &(struct rlm_request){.first = first, .count = *count}, rows, error);
}

struct rlm_rows rlm_dataset_rows(const relume_dataset *dataset, relume_split split)
{
    switch (split) {
    case RELUME_SPLIT_TRAIN:
        return (struct rlm_rows){0, dataset->train_samples};
    case RELUME_SPLIT_TEST:
        return (struct rlm_rows){dataset->train_samples, dataset->test_samples};
    case RELUME_SPLIT_ALL:
        return (struct rlm_rows){0, dataset->train_samples + dataset->test_samples};
    }
    return (struct rlm_rows){0, 0};
}

const char *relume_dataset_get_name(const relume_dataset *dataset)
{
    return dataset->name;
}

relume_task relume_dataset_get_task(const relume_dataset *dataset)
{
    return dataset->task;
}

int relume_dataset_is_streamed(const relume_dataset *dataset)
{
    return dataset->reader != NULL;
}

size_t relume_dataset_get_features(const relume_dataset *dataset)
{
    return dataset->features;
}

size_t relume_dataset_get_samples(const relume_dataset *dataset, relume_split split)
{
    return rlm_dataset_rows(dataset, split).count;
}

size_t relume_dataset_get_outputs(const relume_dataset *dataset)
{
    return dataset->outputs;
}

const char *relume_dataset_get_class_name(const relume_dataset *dataset, size_t label)
{
    return dataset->class_names && label < dataset->outputs ? dataset->class_names[label] : NULL;
}

void relume_dataset_get_image(const relume_dataset *dataset, size_t *rows, size_t *columns)
{
    *rows = dataset->image_rows;
    *columns = dataset->image_columns;
}

relume_scaling relume_dataset_get_scaling(const relume_dataset *dataset)
{
    return dataset->scaling;
}

uint64_t relume_dataset_get_fingerprint(const relume_dataset *dataset)
{
    return dataset->fingerprint;
}
