/* relume_dataset_load: from what a person names to a dataset. Which reader is asked is decided by the name,
 * then by the file's ending, then by its first bytes. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "data/assemble.h"
#include "data/part.h"
#include "formats/stream.h"

enum kind { KIND_DIGITS, KIND_FASHION, KIND_FOLDER, KIND_NPZ, KIND_ARRAY, KIND_TABLE };

static bool ends_in(const char *name, const char *ending)
{
    size_t length = strlen(name), tail = strlen(ending);
    return length >= tail && strcmp(name + length - tail, ending) == 0;
}

/* The kind of a file by its first bytes, looked at through gzip. */
static relume_status kind_of_bytes(const relume_allocator *allocator, const struct rlm_source *source,
                                   enum kind *kind, relume_error *error)
{
    struct rlm_stream stream;
    unsigned char bytes[512];
    size_t got = 0;
    RLM_TRY(rlm_stream_open(allocator, source, &stream, error));
    relume_status status = rlm_stream_read_some(&stream, bytes, sizeof bytes, &got, error);
    rlm_stream_close(&stream);
    if (status != RELUME_OK)
        return status;
    bool npy = got >= 6 && memcmp(bytes, "\x93NUMPY", 6) == 0;
    bool idx = got >= 4 && bytes[0] == 0 && bytes[1] == 0 && bytes[2] >= 8 && bytes[2] <= 14;
    if (npy || idx)
        *kind = KIND_ARRAY;
    else if (got >= 4 && memcmp(bytes, "PK", 2) == 0 && bytes[2] < ' ')
        *kind = KIND_NPZ;
    else if (memchr(bytes, 0, got))
        return rlm_refuse_file(error, RELUME_BAD_FORMAT, source->name,
                               "is none of .npz, .npy, IDX and CSV, the kinds of data that are read");
    else
        *kind = KIND_TABLE;
    return RELUME_OK;
}

/* A pipe gives its bytes only once, to whoever reads the data; its kind is told by the options. */
static bool is_pipe(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && !S_ISREG(status.st_mode);
}

static enum kind kind_of_pipe(const relume_dataset_options *options)
{
    return options->labels ? KIND_ARRAY : options->x_key || options->y_key ? KIND_NPZ : KIND_TABLE;
}

static relume_status kind_of_file(const relume_allocator *allocator, const char *path,
                                  const relume_dataset_options *options, enum kind *kind, relume_error *error)
{
    static const struct {
        const char *ending;
        enum kind kind;
    } endings[] = {{".npz", KIND_NPZ},
                   {".npy", KIND_ARRAY},
                   {".npy.gz", KIND_ARRAY},
                   {".csv", KIND_TABLE},
                   {".csv.gz", KIND_TABLE}};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (ends_in(path, endings[i].ending)) {
            *kind = endings[i].kind;
            return RELUME_OK;
        }
    if (is_pipe(path)) {
        *kind = kind_of_pipe(options);
        return RELUME_OK;
    }
    struct rlm_source source;
    RLM_TRY(rlm_source_open(allocator, &source, path, error));
    relume_status status = kind_of_bytes(allocator, &source, kind, error);
    rlm_source_close(&source);
    return status;
}

/* Whether there is such a file, as far as this user may know: reading it tells what is in the way. */
static bool may_exist(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 || errno == EACCES;
}

static relume_status kind_of_name(const relume_allocator *allocator, const char *name,
                                  const relume_dataset_options *options, enum kind *kind, relume_error *error)
{
    if (strcmp(name, "digits") == 0)
        *kind = KIND_DIGITS;
    else if (strcmp(name, "fashion-mnist") == 0)
        *kind = KIND_FASHION;
    else if (rlm_file_is_folder(name))
        *kind = KIND_FOLDER;
    else if (may_exist(name))
        return kind_of_file(allocator, name, options, kind, error);
    else
        return rlm_refuse_file(
            error, RELUME_NOT_FOUND, name,
            "there is no such file or folder; data are digits, fashion-mnist, a folder of IDX files, "
            "FILE.npz, FILE.npy or FILE.csv");
    return RELUME_OK;
}

/* An option that this kind of data cannot follow is refused, not ignored. */
static relume_status check_options(const char *name, enum kind kind, const relume_dataset_options *options,
                                   relume_error *error)
{
    if (options->labels && kind != KIND_ARRAY)
        return rlm_refuse_file(error, RELUME_USAGE, name,
                               "labels (%.100s) can be given for an .npy or IDX file only", options->labels);
    if (options->target && kind != KIND_TABLE)
        return rlm_refuse_file(error, RELUME_USAGE, name,
                               "a target column (%.100s) can be given for a CSV file only", options->target);
    if ((options->x_key || options->y_key) && kind != KIND_NPZ)
        return rlm_refuse_file(error, RELUME_USAGE, name,
                               "array names (%.100s) can be given for an .npz file only",
                               options->x_key ? options->x_key : options->y_key);
    return RELUME_OK;
}

static relume_status read_kind(relume_engine *engine, const char *name, enum kind kind,
                               const relume_dataset_options *options, struct rlm_parts *parts,
                               relume_error *error)
{
    const relume_allocator *allocator = &engine->allocator;
    switch (kind) {
    case KIND_DIGITS:
        return rlm_read_digits(allocator, parts, error);
    case KIND_FASHION:
        return rlm_read_fashion_mnist(engine, parts, error);
    case KIND_FOLDER:
        return rlm_read_folder(engine, name, parts, error);
    case KIND_NPZ:
        return rlm_read_npz(engine, name, options, parts, error);
    case KIND_ARRAY:
        return rlm_read_array(engine, name, options, parts, error);
    case KIND_TABLE:
        break;
    }
    return rlm_read_table(allocator, name, options, parts, error);
}

/* The test part of other data, with a block of its own. */
static relume_status part_off(const relume_allocator *allocator, struct rlm_parts *parts, relume_error *error)
{
    size_t row = parts->train.features * (parts->train.element == RELUME_U8 ? 1 : sizeof(float));
    if (!parts->joined) /* or each with a reader of its own */
        return RELUME_OK;
    parts->test.x = rlm_alloc(allocator, parts->test.samples, row);
    if (!parts->test.x)
        return rlm_error_memory(error, parts->test.samples * row, "the test split");
    memcpy(parts->test.x, (const char *)parts->train.x + parts->train.samples * row,
           parts->test.samples * row);
    parts->joined = false;
    return RELUME_OK;
}

/* Other data as the test split: their own test split where they have one, else all of them. */
static relume_status read_test(relume_engine *engine, const relume_dataset_options *options,
                               struct rlm_parts *parts, relume_error *error)
{
    enum kind kind = KIND_ARRAY;
    struct rlm_parts other = {0};
    relume_dataset_options theirs = *options;
    theirs.labels = NULL; /* those are the training data's */
    theirs.need_targets = 0;
    if (parts->test.samples)
        return rlm_refuse_file(
            error, RELUME_USAGE, options->test,
            "the data bring a test split of %zu samples; other test data cannot be given as well",
            parts->test.samples);
    if (options->holdout > 0)
        return rlm_refuse_file(error, RELUME_USAGE, options->test,
                               "test data are given, and a holdout of %g as well; one of them was expected",
                               options->holdout);
    RLM_TRY(kind_of_name(&engine->allocator, options->test, &theirs, &kind, error));
    RLM_TRY(read_kind(engine, options->test, kind, &theirs, &other, error));
    relume_status status = part_off(&engine->allocator, &other, error);
    if (status != RELUME_OK) {
        rlm_parts_deinit(&other);
        return status;
    }
    struct rlm_part *wanted = other.test.samples ? &other.test : &other.train;
    parts->test = *wanted;
    *wanted = (struct rlm_part){0};
    rlm_parts_deinit(&other);
    return RELUME_OK;
}

relume_status relume_dataset_load(relume_engine *engine, const char *name,
                                  const relume_dataset_options *options, relume_dataset **dataset,
                                  relume_error *error)
{
    const relume_allocator *allocator = &engine->allocator;
    relume_dataset_options usual;
    enum kind kind = KIND_ARRAY;
    struct rlm_parts parts = {0};
    if (!options) {
        relume_dataset_options_default(&usual);
        options = &usual;
    }
    RLM_TRY(kind_of_name(allocator, name, options, &kind, error));
    RLM_TRY(check_options(name, kind, options, error));
    RLM_TRY(read_kind(engine, name, kind, options, &parts, error));
    relume_status status = options->test ? read_test(engine, options, &parts, error) : RELUME_OK;
    if (status == RELUME_OK)
        status = rlm_dataset_assemble(engine, name, &parts, options, dataset, error);
    rlm_parts_deinit(&parts);
    return status;
}
