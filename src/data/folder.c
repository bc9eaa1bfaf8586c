/* A folder of MNIST-style IDX files, and "fashion-mnist", which is one. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "data/features.h"
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

/* A file of images whose header has been read; its source is open when its name is set. */
struct images {
    struct rlm_source source;
    struct rlm_array array;
};

static relume_status images_open(const relume_allocator *allocator, const char *path, struct images *images,
                                 struct rlm_part *part, relume_error *error)
{
    RLM_TRY(rlm_part_name(part, allocator, path, NULL, error));
    RLM_TRY(rlm_source_open(allocator, &images->source, path, error));
    return rlm_idx_open(allocator, &images->source, RLM_READ_FEATURES, &images->array, error);
}

static void images_close(struct images *images)
{
    rlm_array_close(&images->array);
    rlm_source_close(&images->source);
}

static relume_status read_labels_file(const relume_allocator *allocator, const char *path,
                                      struct rlm_part *part, relume_error *error)
{
    struct rlm_source source;
    struct rlm_tensor tensor;
    RLM_TRY(rlm_source_open(allocator, &source, path, error));
    relume_status status = rlm_idx_read(allocator, &source, RLM_READ_STORED, &tensor, error);
    rlm_source_close(&source);
    if (status != RELUME_OK)
        return status;
    status = rlm_part_add_targets(part, allocator, &tensor, path, NULL, error);
    rlm_tensor_deinit(&tensor);
    return status;
}

/* The labels of a split, where there are any. */
static relume_status read_labels(const relume_allocator *allocator, struct rlm_strbuf *path,
                                 const char *folder, const char *split, struct rlm_part *part,
                                 relume_error *error)
{
    bool found;
    RLM_TRY(find_file(path, folder, split, "labels", 1, &found, error));
    return found ? read_labels_file(allocator, path->text, part, error) : RELUME_OK;
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

/* The name of the test split's files; NULL for none. Their images' path is left in `path`. */
static relume_status find_test(struct rlm_strbuf *path, const char *folder, const char **split,
                               relume_error *error)
{
    static const char *const names[] = {"t10k", "test"};
    bool found = false;
    *split = NULL;
    for (size_t i = 0; i < 2 && !found; i++) {
        RLM_TRY(find_file(path, folder, names[i], "images", 3, &found, error));
        if (found)
            *split = names[i];
    }
    return RELUME_OK;
}

/* Both splits' images, of which images[1] need not be there, and what labels there are. */
static relume_status read_splits(relume_engine *engine, struct rlm_strbuf *path, const char *folder,
                                 struct images images[2], struct rlm_parts *parts, relume_error *error)
{
    const relume_allocator *allocator = &engine->allocator;
    const char *test;
    bool found;
    RLM_TRY(find_file(path, folder, "train", "images", 3, &found, error));
    if (!found)
        return refuse_folder(folder, error);
    RLM_TRY(images_open(allocator, path->text, &images[0], &parts->train, error));
    RLM_TRY(find_test(path, folder, &test, error));
    if (test)
        RLM_TRY(images_open(allocator, path->text, &images[1], &parts->test, error));
    RLM_TRY(rlm_features_read(engine, &images[0].array, test ? &images[1].array : NULL, parts, error));
    RLM_TRY(read_labels(allocator, path, folder, "train", &parts->train, error));
    return test ? read_labels(allocator, path, folder, test, &parts->test, error) : RELUME_OK;
}

relume_status rlm_read_folder(relume_engine *engine, const char *path, struct rlm_parts *parts,
                              relume_error *error)
{
    struct rlm_parts read = {0};
    struct images images[2] = {{.source = {0}}, {.source = {0}}};
    struct rlm_strbuf buffer = {.allocator = &engine->allocator};
    relume_status status = read_splits(engine, &buffer, path, images, &read, error);
    rlm_strbuf_deinit(&buffer);
    images_close(&images[0]);
    images_close(&images[1]);
    if (status == RELUME_OK)
        *parts = read;
    else
        rlm_parts_deinit(&read);
    return status;
}

relume_status rlm_read_fashion_mnist(relume_engine *engine, struct rlm_parts *parts, relume_error *error)
{
    static const char *const names[] = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                        "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
    const char *data = getenv("RELUME_DATA");
    struct rlm_strbuf own = {.allocator = &engine->allocator};
    if (data && *data)
        rlm_strbuf_print(&own, "%s/fashion-mnist", data);
    if (own.failed)
        return rlm_error_memory(error, strlen(data), "a path");
    const char *folder = own.text && rlm_file_is_folder(own.text) ? own.text : DEBIAN_FOLDER;
    relume_status status;
    if (rlm_file_is_folder(folder)) {
        status = rlm_read_folder(engine, folder, parts, error);
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
