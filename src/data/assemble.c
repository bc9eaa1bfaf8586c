/* See assemble.h. */
#include "data/assemble.h"

#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "data/classes.h"
#include "data/fingerprint.h"
#include "data/holdout.h"
#include "data/reader.h"
#include "data/scaling.h"
#include "formats/source.h"

static const char *target_text(enum rlm_target_kind kind)
{
    switch (kind) {
    case RLM_TARGET_INTEGER:
        return "whole numbers as labels";
    case RLM_TARGET_TEXT:
        return "texts as labels";
    case RLM_TARGET_FLOAT:
        return "floating-point targets";
    case RLM_TARGET_NONE:
        break;
    }
    return "no labels or targets";
}

static const char *element_text(const struct rlm_part *part)
{
    return part->element == RELUME_F32 ? "floating-point numbers"
           : part->divisor == 1.0f     ? "truth values"
                                       : "bytes";
}

/* The two splits hold the same kind of thing. */
static relume_status check_match(const char *name, const struct rlm_part *train, const struct rlm_part *test,
                                 relume_error *error)
{
    rlm_error_clear(error);
    rlm_error_at_file(error, test->file);
    if (test->features != train->features)
        return rlm_error_set(error, RELUME_MISMATCH,
                             "%.300s: the training split has %zu features, the test split %zu", name,
                             train->features, test->features);
    if (test->element != train->element || (test->divisor == 1.0f) != (train->divisor == 1.0f))
        return rlm_error_set(error, RELUME_MISMATCH,
                             "%.300s: the training features are %s, those of the test split %s", name,
                             element_text(train), element_text(test));
    if (test->targets.kind != train->targets.kind)
        return rlm_error_set(error, RELUME_MISMATCH,
                             "%.300s: the training split has %s, the test split has %s", name,
                             target_text(train->targets.kind), target_text(test->targets.kind));
    if (test->targets.outputs != train->targets.outputs)
        return rlm_error_set(error, RELUME_MISMATCH,
                             "%.300s: the training split has %zu targets a sample, the test split %zu", name,
                             train->targets.outputs, test->targets.outputs);
    return RELUME_OK;
}

/* The rows of the test part behind those of the training part, in the training part's block. */
static relume_status join(const relume_allocator *allocator, void **train, size_t train_bytes,
                          const void *test, size_t test_bytes, relume_error *error)
{
    size_t bytes;
    void *joined =
        rlm_size_add(train_bytes, test_bytes, &bytes) ? rlm_realloc(allocator, *train, bytes, 1) : NULL;
    if (!joined)
        return rlm_error_memory(error, test_bytes, "the test split");
    memcpy((char *)joined + train_bytes, test, test_bytes);
    *train = joined;
    return RELUME_OK;
}

/* One reader of all rows, of which one part at least has one. */
static void join_readers(struct rlm_part *train, struct rlm_part *test)
{
    if (test->samples && train->reader && test->reader) {
        rlm_reader_join(train->reader, test->reader);
    } else if (test->samples && train->reader) {
        rlm_reader_join_memory(train->reader, test->x, test->samples, false);
    } else if (test->reader) {
        rlm_reader_join_memory(test->reader, train->x, train->samples, true);
        train->reader = test->reader;
        train->x = NULL;
    }
    test->reader = NULL;
    test->x = NULL;
}

static relume_status take_features(relume_dataset *dataset, struct rlm_parts *parts, relume_error *error)
{
    size_t row = parts->train.features * (parts->train.element == RELUME_U8 ? 1 : sizeof(float));
    if (parts->train.reader || parts->test.reader)
        join_readers(&parts->train, &parts->test);
    else if (parts->test.samples && !parts->joined)
        RLM_TRY(join(&dataset->engine->allocator, &parts->train.x, parts->train.samples * row, parts->test.x,
                     parts->test.samples * row, error));
    rlm_free(parts->test.x); /* half of the peak of memory */
    parts->test.x = NULL;
    dataset->x = parts->train.x;
    parts->train.x = NULL;
    dataset->reader = parts->train.reader;
    parts->train.reader = NULL;
    dataset->element = parts->train.element;
    dataset->features = parts->train.features;
    dataset->train_samples = parts->train.samples;
    dataset->test_samples = parts->test.samples;
    dataset->image_rows = parts->train.image_rows;
    dataset->image_columns = parts->train.image_columns;
    return RELUME_OK;
}

/* Numbers the labels of both parts by the classes of the training part, whose names the dataset takes. */
static relume_status number_labels(relume_dataset *dataset, struct rlm_classes *classes,
                                   const struct rlm_parts *parts, relume_error *error)
{
    const relume_allocator *allocator = &dataset->engine->allocator;
    size_t samples = parts->train.samples + parts->test.samples;
    dataset->labels = rlm_alloc(allocator, samples, sizeof *dataset->labels);
    if (!dataset->labels)
        return rlm_error_memory(error, samples * sizeof *dataset->labels, "labels");
    RLM_TRY(rlm_classes_number(classes, allocator, &parts->train, dataset->labels, error));
    if (parts->test.samples)
        RLM_TRY(rlm_classes_number(classes, allocator, &parts->test, dataset->labels + parts->train.samples,
                                   error));
    dataset->class_names = classes->names;
    dataset->outputs = classes->count;
    classes->names = NULL;
    return RELUME_OK;
}

/* Names that come with the data ("Trouser") replace numbers 0, 1, … when there are as many. */
static relume_status rename_classes(relume_dataset *dataset, const struct rlm_parts *parts,
                                    relume_error *error)
{
    for (size_t i = 0; parts->class_count == dataset->outputs && i < dataset->outputs; i++) {
        char *name = rlm_strdup(&dataset->engine->allocator, parts->class_names[i]);
        if (!name)
            return rlm_error_memory(error, strlen(parts->class_names[i]), "class names");
        rlm_free(dataset->class_names[i]);
        dataset->class_names[i] = name;
    }
    return RELUME_OK;
}

static relume_status take_labels(relume_dataset *dataset, const struct rlm_parts *parts, relume_error *error)
{
    const relume_allocator *allocator = &dataset->engine->allocator;
    struct rlm_classes classes = {0}, test = {0};
    relume_status status = rlm_classes_init(&classes, allocator, &parts->train, error);
    if (status == RELUME_OK && parts->test.samples)
        status = rlm_classes_init(&test, allocator, &parts->test, error);
    if (status == RELUME_OK)
        status = rlm_classes_check(&classes, &test, &parts->test, error);
    if (status == RELUME_OK)
        status = number_labels(dataset, &classes, parts, error);
    if (status == RELUME_OK)
        status = rename_classes(dataset, parts, error);
    rlm_classes_deinit(&classes);
    rlm_classes_deinit(&test);
    return status;
}

static relume_status take_floats(relume_dataset *dataset, struct rlm_parts *parts, relume_error *error)
{
    struct rlm_targets *train = &parts->train.targets, *test = &parts->test.targets;
    void *floats = train->floats;
    train->floats = NULL; /* the block may move */
    relume_status status = RELUME_OK;
    if (parts->test.samples)
        status =
            join(&dataset->engine->allocator, &floats, parts->train.samples * train->outputs * sizeof(float),
                 test->floats, parts->test.samples * train->outputs * sizeof(float), error);
    dataset->targets = floats;
    dataset->outputs = train->outputs;
    return status;
}

static bool are_whole(const struct rlm_part *part)
{
    bool whole = part->targets.outputs == 1;
    for (size_t i = 0; whole && i < part->samples; i++) {
        float value = part->targets.floats[i];
        whole = value >= -16777216.0f && value <= 16777216.0f && value == (float)(int32_t)value;
    }
    return whole;
}

/* The whole numbers of a part's float targets; NULL for a part without samples, and where memory is short. */
static int64_t *whole_numbers(const struct rlm_part *part, const relume_allocator *allocator)
{
    int64_t *integers = part->samples ? rlm_alloc(allocator, part->samples, sizeof *integers) : NULL;
    for (size_t i = 0; integers && i < part->samples; i++)
        integers[i] = (int64_t)part->targets.floats[i];
    return integers;
}

/* Labels that were written as 1.0, 2.0, … become labels, where the options ask for classes. */
static relume_status take_whole(struct rlm_parts *parts, const relume_allocator *allocator,
                                relume_error *error)
{
    struct rlm_part *train = &parts->train, *test = &parts->test;
    if (train->targets.kind != RLM_TARGET_FLOAT || !are_whole(train) || (test->samples && !are_whole(test)))
        return RELUME_OK;
    int64_t *of_train = whole_numbers(train, allocator), *of_test = whole_numbers(test, allocator);
    if (!of_train || (test->samples && !of_test)) {
        rlm_free(of_train);
        rlm_free(of_test);
        return rlm_error_memory(error, train->samples * sizeof *of_train, "labels");
    }
    rlm_targets_deinit(&train->targets);
    rlm_targets_deinit(&test->targets);
    train->targets = (struct rlm_targets){.kind = RLM_TARGET_INTEGER, .integers = of_train};
    if (of_test)
        test->targets = (struct rlm_targets){.kind = RLM_TARGET_INTEGER, .integers = of_test};
    return RELUME_OK;
}

static relume_status take_targets(relume_dataset *dataset, struct rlm_parts *parts, relume_error *error)
{
    switch (parts->train.targets.kind) {
    case RLM_TARGET_NONE:
        dataset->task = RELUME_UNLABELLED;
        return RELUME_OK;
    case RLM_TARGET_FLOAT:
        dataset->task = RELUME_REGRESSION;
        return take_floats(dataset, parts, error);
    case RLM_TARGET_INTEGER:
    case RLM_TARGET_TEXT:
        break;
    }
    dataset->task = RELUME_CLASSIFICATION;
    return take_labels(dataset, parts, error);
}

static relume_status check_holdout(const relume_dataset *dataset, double holdout, relume_error *error)
{
    rlm_error_clear(error);
    if (!(holdout >= 0 && holdout < 1))
        return rlm_error_set(error, RELUME_USAGE, "the holdout is %g; a share from 0 to below 1 was expected",
                             holdout);
    if (holdout > 0 && dataset->test_samples)
        return rlm_refuse_file(error, RELUME_USAGE, dataset->name,
                               "has a test split of %zu samples; leave out the holdout of %g",
                               dataset->test_samples, holdout);
    return RELUME_OK;
}

/* Rows of a reader are finite; an error names the place in the file, for the rows may be in another order. */
static relume_status check_rows(const relume_dataset *dataset, const float *rows, size_t first, size_t count,
                                relume_error *error)
{
    for (size_t i = 0; i < count; i++) {
        size_t number;
        const char *file = rlm_reader_place(dataset->reader, first + i, &number);
        RLM_TRY(rlm_check_finite(rows + i * dataset->features, number, 1, dataset->features,
                                 file ? file : dataset->name, NULL, error));
    }
    return RELUME_OK;
}

/* The digest of all features. Those that stay in their file pass by here for the first time, and are looked
 * at. */
static relume_status survey(const relume_dataset *dataset, uint64_t *features, relume_error *error)
{
    size_t samples = dataset->train_samples + dataset->test_samples;
    struct rlm_digest digest;
    rlm_digest_begin(&digest);
    for (size_t first = 0, count; first < samples; first += count) {
        const void *rows;
        count = samples - first;
        RLM_TRY(rlm_dataset_read_some(dataset, first, &count, &rows, error));
        if (dataset->reader && dataset->element == RELUME_F32)
            RLM_TRY(check_rows(dataset, rows, first, count, error));
        rlm_digest_add(&digest, rows, count * rlm_dataset_row_bytes(dataset));
    }
    *features = rlm_digest_end(&digest);
    return RELUME_OK;
}

relume_status rlm_dataset_finish(relume_dataset *dataset, const relume_dataset_options *options,
                                 float divisor, relume_error *error)
{
    RLM_TRY(check_holdout(dataset, options->holdout, error));
    if (options->need_targets && dataset->task == RELUME_UNLABELLED)
        return rlm_refuse_file(
            error, RELUME_BAD_DATA, dataset->name,
            "has no labels or targets, which are needed here; beside images in the IDX format, "
            "train-labels-idx1-ubyte was expected");
    if (options->holdout > 0)
        RLM_TRY(rlm_dataset_hold_out(dataset, options->holdout, options->seed, error));
    uint64_t features;
    RLM_TRY(survey(dataset, &features, error)); /* before anything is made of values that may not be finite */
    RLM_TRY(options->standardize ? rlm_scaling_standardize(dataset, error)
                                 : rlm_scaling_uniform(dataset, divisor, error));
    dataset->fingerprint = rlm_dataset_fingerprint(dataset, features);
    return RELUME_OK;
}

static relume_status assemble(relume_dataset *dataset, const char *name, struct rlm_parts *parts,
                              const relume_dataset_options *options, relume_error *error)
{
    dataset->name = rlm_strdup(&dataset->engine->allocator, name);
    if (!dataset->name)
        return rlm_error_memory(error, strlen(name), "a name");
    if (parts->test.samples) {
        size_t samples = parts->train.samples + parts->test.samples;
        RLM_TRY(check_match(name, &parts->train, &parts->test, error));
        if (samples >= UINT32_MAX)
            return rlm_refuse_file(error, RELUME_BAD_DATA, name,
                                   "%zu samples; at most 4294967294 can be held", samples);
    }
    if (options->classes)
        RLM_TRY(take_whole(parts, &dataset->engine->allocator, error));
    RLM_TRY(take_targets(dataset, parts, error));
    RLM_TRY(take_features(dataset, parts, error));
    return rlm_dataset_finish(dataset, options, parts->train.divisor, error);
}

relume_status rlm_dataset_assemble(relume_engine *engine, const char *name, struct rlm_parts *parts,
                                   const relume_dataset_options *options, relume_dataset **dataset,
                                   relume_error *error)
{
    relume_dataset *made = rlm_alloc_zero(&engine->allocator, 1, sizeof *made);
    if (!made)
        return rlm_error_memory(error, sizeof *made, "a dataset");
    made->engine = engine;
    relume_status status = assemble(made, name, parts, options, error);
    if (status == RELUME_OK)
        *dataset = made;
    else
        relume_dataset_destroy(made);
    return status;
}
