/* Whole data sets, from a file that is in memory: every reader of data/, with options. An input is
 *
 *     options, a byte · length of the labels, two bytes, where the options ask for labels · labels · data */
#define _GNU_SOURCE /* memfd_create */
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "relume/dataset.h"

/* Bits of the options' byte. */
enum { WITH_LABELS = 1, STANDARDIZE = 2, HOLD_OUT = 4, NEED_TARGETS = 8, TARGET = 16 /* to 48 */ };

#define PLACE "/proc/self/fd/"

struct memory_file {
    int descriptor;
    char path[32];
};

static struct memory_file data_file, labels_file;
static struct fuzz_memory memory;
static relume_engine *engine;

static void make_file(struct memory_file *file)
{
    file->descriptor = memfd_create("input", MFD_CLOEXEC);
    FUZZ_MUST(file->descriptor >= 0);
    (void)snprintf(file->path, sizeof file->path, PLACE "%d", file->descriptor);
}

static void fill_file(const struct memory_file *file, const uint8_t *bytes, size_t size)
{
    FUZZ_MUST(ftruncate(file->descriptor, 0) == 0);
    FUZZ_MUST(pwrite(file->descriptor, bytes, size, 0) == (ssize_t)size);
}

static void make_world(void)
{
    relume_allocator allocator = fuzz_allocator(&memory);
    relume_engine_options options;
    relume_engine_options_default(&options);
    options.threads = 1;
    options.allocator = &allocator;
    memory.most = SIZE_MAX;
    FUZZ_MUST(relume_engine_create(&options, &engine, NULL) == RELUME_OK);
    make_file(&data_file);
    make_file(&labels_file);
}

static void check(const relume_dataset *dataset)
{
    relume_scaling scaling = relume_dataset_get_scaling(dataset);
    size_t train = relume_dataset_get_samples(dataset, RELUME_SPLIT_TRAIN);
    size_t test = relume_dataset_get_samples(dataset, RELUME_SPLIT_TEST);
    FUZZ_MUST(train > 0 && relume_dataset_get_features(dataset) > 0);
    FUZZ_MUST(train + test == relume_dataset_get_samples(dataset, RELUME_SPLIT_ALL));
    FUZZ_MUST(scaling.divisor[0] != 0);
    (void)fuzz_touch(scaling.offset,
                     (scaling.uniform ? 1 : relume_dataset_get_features(dataset)) * sizeof(float));
    if (relume_dataset_get_task(dataset) != RELUME_CLASSIFICATION)
        return;
    for (size_t i = 0; i < relume_dataset_get_outputs(dataset); i++)
        FUZZ_MUST(relume_dataset_get_class_name(dataset, i));
    FUZZ_MUST(!relume_dataset_get_class_name(dataset, relume_dataset_get_outputs(dataset)));
}

/* The same file gives the same data set, also when its features stay in the file. */
static void check_again(const relume_dataset *dataset, const relume_dataset_options *options)
{
    relume_dataset *again = NULL;
    FUZZ_MUST(setenv("RELUME_STREAM", "always", 1) == 0);
    FUZZ_MUST(relume_dataset_load(engine, data_file.path, options, &again, NULL) == RELUME_OK);
    FUZZ_MUST(relume_dataset_get_fingerprint(again) == relume_dataset_get_fingerprint(dataset));
    FUZZ_MUST(unsetenv("RELUME_STREAM") == 0);
    relume_dataset_destroy(again);
}

static void load(unsigned bits)
{
    static const char *const targets[] = {NULL, "1", "y", "2"};
    relume_dataset_options options;
    relume_dataset *dataset = NULL;
    relume_error error = {0};
    relume_dataset_options_default(&options);
    options.labels = bits & WITH_LABELS ? labels_file.path : NULL;
    options.standardize = bits & STANDARDIZE;
    options.holdout = bits & HOLD_OUT ? 0.3 : 0;
    options.need_targets = bits & NEED_TARGETS;
    options.target = targets[bits / TARGET % 4];
    relume_status status = relume_dataset_load(engine, data_file.path, &options, &dataset, &error);
    if (status == RELUME_OK) {
        check(dataset);
        memory.most = SIZE_MAX;
        check_again(dataset, &options);
    } else {
        fuzz_check_refusal_of(PLACE, status, &error);
    }
    relume_dataset_destroy(dataset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t labels = 0;
    if (!engine)
        make_world();
    if (size == 0)
        return 0;
    unsigned bits = *data++;
    size--;
    if (bits & WITH_LABELS) {
        if (size < 2)
            return 0;
        labels = (size_t)data[0] | (size_t)data[1] << 8;
        data += 2;
        size -= 2;
        labels = labels < size ? labels : size;
    }
    fill_file(&labels_file, data, labels);
    fill_file(&data_file, data + labels, size - labels);
    size_t held = memory.held;
    memory.most = held + fuzz_budget(size, 256, true).most;
    load(bits);
    FUZZ_MUST(memory.held == held);
    return 0;
}
