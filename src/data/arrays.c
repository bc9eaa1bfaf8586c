/* Datasets in NumPy's files: an .npz with features and targets, or a bare .npy (or IDX) of features with a
 * file of labels. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "data/features.h"
#include "data/part.h"
#include "formats/csv.h"
#include "formats/idx.h"
#include "formats/npy.h"
#include "formats/npz.h"
#include "formats/stream.h"
#include "formats/text.h"

/* The names that are tried, first to last. */
static const char *const train_features[] = {"X_train", "x_train", "X", "x", NULL};
static const char *const train_targets[] = {"y_train", "Y_train", NULL};
static const char *const plain_targets[] = {"y", "Y", NULL};
static const char *const test_features[] = {"X_test", "x_test", NULL};
static const char *const test_targets[] = {"y_test", "Y_test", NULL};

/* What reading an .npz passes from function to function. */
struct archive {
    relume_engine *engine;
    const char *path;
    struct rlm_npz *npz;
    relume_error *error;
};

static size_t find_first(const struct rlm_npz *npz, const char *const *names)
{
    size_t found = SIZE_MAX;
    for (; *names && found == SIZE_MAX; names++)
        found = rlm_npz_find(npz, *names);
    return found;
}

/* "…: found; the archive holds "a", "b"" */
static relume_status refuse_names(const struct archive *archive, const char *wanted)
{
    char quoted[RLM_QUOTE_SIZE];
    struct rlm_strbuf names = {.allocator = &archive->engine->allocator};
    for (size_t i = 0; i < rlm_npz_count(archive->npz) && names.length < 200; i++)
        rlm_strbuf_print(&names, i ? ", %s" : "%s", rlm_quote(quoted, rlm_npz_name(archive->npz, i)));
    relume_status status =
        rlm_refuse_file(archive->error, RELUME_NOT_FOUND, archive->path, "%s; it holds %zu array%s: %s",
                        wanted, rlm_npz_count(archive->npz), rlm_npz_count(archive->npz) == 1 ? "" : "s",
                        names.text ? names.text : "none");
    rlm_strbuf_deinit(&names);
    return status;
}

static relume_status refuse_key(const struct archive *archive, const char *key)
{
    char quoted[RLM_QUOTE_SIZE], wanted[RLM_QUOTE_SIZE + 40];
    (void)snprintf(wanted, sizeof wanted, "there is no array %s", rlm_quote(quoted, key));
    return refuse_names(archive, wanted);
}

static relume_status open_features(const struct archive *archive, size_t index, struct rlm_array *array,
                                   struct rlm_part *part)
{
    RLM_TRY(rlm_part_name(part, &archive->engine->allocator, archive->path, rlm_npz_name(archive->npz, index),
                          archive->error));
    return rlm_npz_array_open(archive->npz, index, RLM_READ_FEATURES, array, archive->error);
}

static relume_status read_targets(const struct archive *archive, size_t index, struct rlm_part *part)
{
    struct rlm_tensor tensor;
    RLM_TRY(rlm_npz_read(archive->npz, index, RLM_READ_LABELS, &tensor, archive->error));
    relume_status status = rlm_part_add_targets(part, &archive->engine->allocator, &tensor, archive->path,
                                                rlm_npz_name(archive->npz, index), archive->error);
    rlm_tensor_deinit(&tensor);
    return status;
}

/* The training arrays: those named by the options, else the first of the usual names; of an archive with a
 * single array, that one. */
static relume_status find_train(const struct archive *archive, const relume_dataset_options *options,
                                size_t *x, size_t *y)
{
    *x = options->x_key ? rlm_npz_find(archive->npz, options->x_key)
                        : find_first(archive->npz, train_features);
    if (*x == SIZE_MAX && options->x_key)
        return refuse_key(archive, options->x_key);
    if (*x == SIZE_MAX && rlm_npz_count(archive->npz) == 1 && !options->need_targets)
        *x = 0;
    if (rlm_npz_count(archive->npz) == 0)
        return rlm_refuse_file(
            archive->error, RELUME_BAD_DATA, archive->path,
            "the archive holds no array NAME.npy; of a PyTorch file, save the state_dict as "
            ".safetensors");
    if (*x == SIZE_MAX)
        return refuse_names(archive,
                            "there is no array X, x, X_train or x_train of features; name it with --x-key");
    if (options->y_key) {
        *y = rlm_npz_find(archive->npz, options->y_key);
        return *y == SIZE_MAX ? refuse_key(archive, options->y_key) : RELUME_OK;
    }
    bool split = strstr(rlm_npz_name(archive->npz, *x), "_train") != NULL;
    *y = find_first(archive->npz, split ? train_targets : plain_targets);
    if (*y == SIZE_MAX && options->need_targets)
        return refuse_names(archive, split ? "there is no array y_train of targets; name it with --y-key"
                                           : "there is no array y of targets; name it with --y-key");
    return RELUME_OK;
}

static relume_status read_both(const struct archive *archive, size_t x, size_t test_x,
                               struct rlm_parts *parts)
{
    struct rlm_array train = {0}, test = {0};
    relume_status status = open_features(archive, x, &train, &parts->train);
    if (status == RELUME_OK && test_x != SIZE_MAX)
        status = open_features(archive, test_x, &test, &parts->test);
    if (status == RELUME_OK)
        status = rlm_features_read(archive->engine, &train, test_x == SIZE_MAX ? NULL : &test, parts,
                                   archive->error);
    rlm_array_close(&train);
    rlm_array_close(&test);
    return status;
}

static relume_status read_arrays(const struct archive *archive, const relume_dataset_options *options,
                                 struct rlm_parts *parts)
{
    size_t x = SIZE_MAX, y = SIZE_MAX;
    RLM_TRY(find_train(archive, options, &x, &y));
    size_t test_x = options->x_key ? SIZE_MAX : find_first(archive->npz, test_features);
    size_t test_y = test_x == SIZE_MAX ? SIZE_MAX : find_first(archive->npz, test_targets);
    RLM_TRY(read_both(archive, x, test_x, parts));
    if (y != SIZE_MAX)
        RLM_TRY(read_targets(archive, y, &parts->train));
    return test_y == SIZE_MAX ? RELUME_OK : read_targets(archive, test_y, &parts->test);
}

static relume_status read_archive(struct archive *archive, const relume_dataset_options *options,
                                  struct rlm_parts *parts)
{
    struct rlm_source source;
    RLM_TRY(rlm_source_open(&archive->engine->allocator, &source, archive->path, archive->error));
    relume_status status = rlm_npz_open(&archive->engine->allocator, &source, &archive->npz, archive->error);
    if (status == RELUME_OK) {
        status = read_arrays(archive, options, parts);
        rlm_npz_close(archive->npz);
    }
    rlm_source_close(&source);
    return status;
}

relume_status rlm_read_npz(relume_engine *engine, const char *path, const relume_dataset_options *options,
                           struct rlm_parts *parts, relume_error *error)
{
    struct rlm_parts read = {0};
    struct archive archive = {.engine = engine, .path = path, .error = error};
    relume_status status = read_archive(&archive, options, &read);
    if (status == RELUME_OK)
        *parts = read;
    else
        rlm_parts_deinit(&read);
    return status;
}

/* How a file of one array begins. */
enum array_kind { ARRAY_NPY, ARRAY_IDX, ARRAY_TEXT };

static relume_status array_kind(const relume_allocator *allocator, const struct rlm_source *source,
                                enum array_kind *kind, relume_error *error)
{
    struct rlm_stream stream;
    unsigned char bytes[6] = {0};
    size_t got = 0;
    RLM_TRY(rlm_stream_open(allocator, source, &stream, error));
    relume_status status = rlm_stream_read_some(&stream, bytes, sizeof bytes, &got, error);
    rlm_stream_close(&stream);
    bool npy = memcmp(bytes, "\x93NUMPY", sizeof bytes) == 0;
    *kind = npy ? ARRAY_NPY : got >= 4 && bytes[0] == 0 && bytes[1] == 0 ? ARRAY_IDX : ARRAY_TEXT;
    return status;
}

static relume_status read_features_file(relume_engine *engine, const struct rlm_source *source,
                                        struct rlm_parts *parts, relume_error *error)
{
    const relume_allocator *allocator = &engine->allocator;
    struct rlm_array array;
    enum array_kind kind;
    RLM_TRY(array_kind(allocator, source, &kind, error));
    RLM_TRY(kind == ARRAY_IDX ? rlm_idx_open(allocator, source, RLM_READ_FEATURES, &array, error)
                              : rlm_npy_open(allocator, source, RLM_READ_FEATURES, &array, error));
    relume_status status = rlm_features_read(engine, &array, NULL, parts, error);
    rlm_array_close(&array);
    return status;
}

/* A text file with one label a line. */
static relume_status read_label_lines(const relume_allocator *allocator, const struct rlm_source *source,
                                      struct rlm_part *part, relume_error *error)
{
    struct rlm_csv csv;
    RLM_TRY(rlm_csv_read(allocator, source, "1", &csv, error));
    relume_status status;
    if (csv.columns)
        status = rlm_refuse_at_line(error, RELUME_BAD_DATA, source->name, 1, 0,
                                    "the file of labels has %zu columns; one label a line was expected",
                                    csv.columns + 1);
    else
        status = rlm_part_take_csv_targets(part, allocator, &csv, source->name, error);
    rlm_csv_deinit(&csv);
    return status;
}

static relume_status read_labels_file(relume_engine *engine, const struct rlm_source *source,
                                      struct rlm_parts *parts, relume_error *error)
{
    const relume_allocator *allocator = &engine->allocator;
    struct rlm_part *part = &parts->train;
    struct rlm_tensor tensor;
    enum array_kind kind;
    RLM_TRY(array_kind(allocator, source, &kind, error));
    if (kind == ARRAY_TEXT)
        return read_label_lines(allocator, source, part, error);
    RLM_TRY(kind == ARRAY_IDX ? rlm_idx_read(allocator, source, RLM_READ_LABELS, &tensor, error)
                              : rlm_npy_read(allocator, source, RLM_READ_LABELS, &tensor, error));
    relume_status status = rlm_part_add_targets(part, allocator, &tensor, source->name, NULL, error);
    rlm_tensor_deinit(&tensor);
    return status;
}

typedef relume_status file_reader(relume_engine *engine, const struct rlm_source *source,
                                  struct rlm_parts *parts, relume_error *error);

static relume_status read_file(relume_engine *engine, const char *path, file_reader *reader,
                               struct rlm_parts *parts, relume_error *error)
{
    struct rlm_source source;
    RLM_TRY(rlm_source_open(&engine->allocator, &source, path, error));
    relume_status status = reader(engine, &source, parts, error);
    rlm_source_close(&source);
    return status;
}

relume_status rlm_read_array(relume_engine *engine, const char *path, const relume_dataset_options *options,
                             struct rlm_parts *parts, relume_error *error)
{
    struct rlm_parts read = {0};
    if (!options->labels && options->need_targets)
        return rlm_refuse_file(error, RELUME_USAGE, path,
                               "holds features only; name a file with a label a sample (--labels FILE)");
    relume_status status = rlm_part_name(&read.train, &engine->allocator, path, NULL, error);
    if (status == RELUME_OK)
        status = read_file(engine, path, read_features_file, &read, error);
    if (status == RELUME_OK && options->labels)
        status = read_file(engine, options->labels, read_labels_file, &read, error);
    if (status == RELUME_OK)
        *parts = read;
    else
        rlm_parts_deinit(&read);
    return status;
}
