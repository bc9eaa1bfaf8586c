/* A folder of MNIST-style IDX files, and "fashion-mnist", which is one. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "data/part.h"
#include "formats/idx.h"

#define DEBIAN_FOLDER "/usr/share/datasets/fashion-mnist"

/* The first of the usual spellings of `folder`/`split`-`what` that exists, in `path`; *found false for none.
 */
static relume_status find_file(struct rlm_strbuf *path, const char *folder, const char *split,
                               const char *what, int rank, bool *found, relume_error *error)
{
    static const char *const endings[] = {"", ".gz"};
    *found = false;
    for (size_t i = 0; i < 4 && !*found; i++) {
        rlm_strbuf_reset(path);
        rlm_strbuf_print(path, "%s/%s-%s%cidx%d-ubyte%s", folder, split, what, i < 2 ? '-' : '.', rank,
                         endings[i % 2]);
        if (path->failed)
            return rlm_error_memory(error, strlen(folder), "a path");
        *found = rlm_file_exists(path->text);
    }
    return RELUME_OK;
}

static relume_status read_idx_file(const relume_allocator *allocator, const char *path,
                                   enum rlm_reading reading, size_t spare, struct rlm_tensor *tensor,
                                   relume_error *error)
{
    struct rlm_source source;
    RLM_TRY(rlm_source_open(allocator, &source, path, error));
    source.spare = spare;
    relume_status status = rlm_idx_read(allocator, &source, reading, tensor, error);
    rlm_source_close(&source);
    return status;
}

static relume_status read_images(const relume_allocator *allocator, const char *path, size_t spare,
                                 struct rlm_part *part, relume_error *error)
{
    struct rlm_tensor tensor;
    RLM_TRY(rlm_part_name(part, allocator, path, NULL, error));
    RLM_TRY(read_idx_file(allocator, path, RLM_READ_FEATURES, spare, &tensor, error));
    relume_status status = rlm_part_take_features(part, &tensor, error);
    rlm_tensor_deinit(&tensor);
    return status;
}

static relume_status read_labels(const relume_allocator *allocator, const char *path, struct rlm_part *part,
                                 relume_error *error)
{
    struct rlm_tensor tensor;
    RLM_TRY(read_idx_file(allocator, path, RLM_READ_STORED, 0, &tensor, error));
    relume_status status = rlm_part_add_targets(part, allocator, &tensor, path, NULL, error);
    rlm_tensor_deinit(&tensor);
    return status;
}

/* Images of a split, with `spare` bytes behind them, and, where there are any, its labels; part->samples
 * stays 0 when the folder has no such images. */
static relume_status read_split(const relume_allocator *allocator, struct rlm_strbuf *path,
                                const char *folder, const char *split, size_t spare, struct rlm_part *part,
                                relume_error *error)
{
    bool found;
    RLM_TRY(find_file(path, folder, split, "images", 3, &found, error));
    if (!found)
        return RELUME_OK;
    RLM_TRY(read_images(allocator, path->text, spare, part, error));
    RLM_TRY(find_file(path, folder, split, "labels", 1, &found, error));
    return found ? read_labels(allocator, path->text, part, error) : RELUME_OK;
}

static relume_status refuse_folder(const char *folder, relume_error *error)
{
    rlm_error_clear(error);
    rlm_error_at_file(error, folder);
    return rlm_error_set(
        error, RELUME_NOT_FOUND,
        "%.300s: is a folder without train-images-idx3-ubyte or train-images-idx3-ubyte.gz; MNIST-style "
        "IDX files were expected",
        folder);
}

/* The test split first: then the training images, which are much larger, are read into a block that has room
 * for the test images behind them, and are never in memory twice. */
static relume_status read_splits(const relume_allocator *allocator, struct rlm_strbuf *path,
                                 const char *folder, struct rlm_parts *parts, relume_error *error)
{
    struct rlm_part *test = &parts->test;
    bool found;
    RLM_TRY(find_file(path, folder, "train", "images", 3, &found, error));
    if (!found)
        return refuse_folder(folder, error);
    RLM_TRY(read_split(allocator, path, folder, "t10k", 0, test, error));
    if (test->samples == 0)
        RLM_TRY(read_split(allocator, path, folder, "test", 0, test, error));
    size_t spare = test->samples * test->features * (test->element == RELUME_U8 ? 1 : sizeof(float));
    return read_split(allocator, path, folder, "train", spare, &parts->train, error);
}

relume_status rlm_read_folder(const relume_allocator *allocator, const char *path, struct rlm_parts *parts,
                              relume_error *error)
{
    struct rlm_parts read = {0};
    struct rlm_strbuf buffer = {.allocator = allocator};
    relume_status status = read_splits(allocator, &buffer, path, &read, error);
    rlm_strbuf_deinit(&buffer);
    if (status == RELUME_OK)
        *parts = read;
    else
        rlm_parts_deinit(&read);
    return status;
}

relume_status rlm_read_fashion_mnist(const relume_allocator *allocator, struct rlm_parts *parts,
                                     relume_error *error)
{
    static const char *const names[] = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                        "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
    const char *data = getenv("RELUME_DATA");
    struct rlm_strbuf own = {.allocator = allocator};
    if (data && *data)
        rlm_strbuf_print(&own, "%s/fashion-mnist", data);
    if (own.failed)
        return rlm_error_memory(error, strlen(data), "a path");
    const char *folder = own.text && rlm_file_is_folder(own.text) ? own.text : DEBIAN_FOLDER;
    relume_status status;
    if (rlm_file_is_folder(folder)) {
        status = rlm_read_folder(allocator, folder, parts, error);
    } else {
        rlm_error_clear(error);
        rlm_error_at_file(error, folder);
        status =
            rlm_error_set(error, RELUME_NOT_FOUND,
                          "fashion-mnist: there is no folder %.200s%s" DEBIAN_FOLDER
                          "; install the Debian package dataset-fashion-mnist (apt-get install "
                          "dataset-fashion-mnist), or set RELUME_DATA to the folder that holds fashion-mnist",
                          own.text ? own.text : "", own.text ? " and no folder " : "");
    }
    if (status == RELUME_OK) {
        parts->class_names = names;
        parts->class_count = sizeof names / sizeof *names;
    }
    rlm_strbuf_deinit(&own);
    return status;
}
