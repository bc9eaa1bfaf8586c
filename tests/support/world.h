/* What tests of networks and training start from: engines of a chosen level and thread count, small random
 * data sets, and a folder for files. Everything checks itself; a failure ends the test. */
#ifndef RLM_TESTS_WORLD_H
#define RLM_TESTS_WORLD_H

#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "kernels/kernels.h"
#include "memory.h"
#include "relume/relume.h"

/* ---- engines ---- */

/* `cpu` NULL: the best level; `memory` NULL: the default allocator. */
static inline relume_engine *world_engine(const char *cpu, size_t threads, struct world_memory *memory)
{
    relume_allocator allocator = world_allocator(memory);
    relume_engine_options options;
    relume_error error = {0};
    relume_engine *engine = NULL;
    relume_engine_options_default(&options);
    options.cpu = cpu;
    options.threads = threads;
    options.allocator = memory ? &allocator : NULL;
    assert_ok(relume_engine_create(&options, &engine, &error), error);
    return engine;
}

/* Begin and end of a group of tests, whose state is an engine of one thread. */
static inline int world_begin(void **state)
{
    *state = world_engine(NULL, 1, NULL);
    return 0;
}

static inline int world_end(void **state)
{
    relume_engine_destroy(*state);
    return 0;
}

/* The names of the levels this build has and this CPU can run. Returns how many. */
static inline size_t world_levels(const char *names[RLM_CPU_LEVELS])
{
    enum rlm_cpu_level levels[RLM_CPU_LEVELS];
    size_t built = rlm_kernels_built(levels), count = 0;
    for (size_t i = 0; i < built; i++)
        if (rlm_cpu_supports(levels[i]))
            names[count++] = rlm_cpu_level_name(levels[i]);
    return count;
}

/* ---- data ---- */

static inline double world_normal(uint64_t seed, uint64_t group, uint64_t index)
{
    struct rlm_rng rng = {seed, RLM_RNG_TEST, group};
    return rlm_rng_normal(&rng, index);
}

/* Standard normal features and random labels below `classes`; with classes 0, `outputs` uniform targets in
 * [0, 1). */
static inline relume_dataset *world_dataset(relume_engine *engine, size_t samples, size_t features,
                                            size_t classes, size_t outputs, uint64_t seed)
{
    float *x = malloc(samples * features * sizeof *x);
    float *targets = malloc((samples * outputs + 1) * sizeof *targets);
    uint32_t *labels = malloc(samples * sizeof *labels);
    struct rlm_rng rng = {seed, RLM_RNG_TEST, 1};
    for (size_t i = 0; i < samples * features; i++)
        x[i] = (float)world_normal(seed, 0, i);
    for (size_t i = 0; i < samples; i++)
        labels[i] = classes > 0 ? (uint32_t)rlm_rng_below(&rng, i, classes) : 0;
    rng.group = 2;
    for (size_t i = 0; i < samples * outputs; i++)
        targets[i] = (float)rlm_rng_uniform(&rng, i);
    relume_matrix matrix = {.samples = samples, .features = features, .element = RELUME_F32, .x = x};
    if (classes > 0) {
        matrix.labels = labels;
        matrix.classes = classes;
    } else if (outputs > 0) {
        matrix.targets = targets;
        matrix.outputs = outputs;
    }
    relume_dataset_options options;
    relume_dataset_options_default(&options);
    options.need_targets = classes > 0 || outputs > 0;
    relume_dataset *dataset = NULL;
    relume_error error = {0};
    assert_ok(relume_dataset_create(engine, "random", &matrix, &options, &dataset, &error), error);
    free(x);
    free(targets);
    free(labels);
    return dataset;
}

/* What world_bytes makes: bytes drawn from `rng`, and classes that share out the values of the first feature
 * evenly. */
struct world_bytes {
    size_t samples, features, classes;
    struct rlm_rng rng;
    double holdout;
    bool standardize;
    bool uneven; /* dark samples beside bright ones, and a feature (number 7) that is 0 in four of five */
    bool hole;   /* the first 80 samples are alike, and four features (8 to 11) of theirs are 0 */
};

static inline relume_dataset *world_bytes(relume_engine *engine, const struct world_bytes *meant)
{
    size_t features = meant->features;
    unsigned char *x = malloc(meant->samples * features);
    uint32_t *labels = malloc(meant->samples * sizeof *labels);
    for (size_t i = 0; i < meant->samples * features; i++) {
        size_t sample = i / features;
        bool blank = meant->uneven && i % features == 7 && sample % 5 > 0;
        uint64_t values = meant->uneven ? 1 + (255u >> sample % 4) : 256;
        x[i] = (unsigned char)(blank ? 0 : rlm_rng_below(&meant->rng, i, values));
        if (meant->hole && sample < 80)
            x[i] = i % features / 4 == 2 ? 0 : 200;
    }
    for (size_t i = 0; i < meant->samples; i++)
        labels[i] = (uint32_t)(x[i * features] * meant->classes / 256);
    relume_matrix matrix = {.samples = meant->samples,
                            .features = features,
                            .element = RELUME_U8,
                            .x = x,
                            .labels = labels,
                            .classes = meant->classes};
    relume_dataset_options options;
    relume_dataset_options_default(&options);
    options.standardize = meant->standardize;
    options.holdout = meant->holdout;
    relume_dataset *dataset = NULL;
    relume_error error = {0};
    assert_ok(relume_dataset_create(engine, "bytes", &matrix, &options, &dataset, &error), error);
    free(x);
    free(labels);
    return dataset;
}

/* ---- networks ---- */

/* Widths end with 0: {4, 8, 3, 0} takes 4 features, has one hidden layer of 8 and 3 outputs. */
static inline relume_network *world_network(relume_engine *engine, const size_t *widths, relume_loss loss,
                                            uint64_t seed)
{
    relume_network_options options;
    relume_network *network = NULL;
    relume_error error = {0};
    size_t count = 0;
    while (widths[count] > 0)
        count++;
    relume_network_options_default(&options);
    options.in_features = widths[0];
    options.hidden_layers = count - 2;
    options.hidden = widths + 1;
    options.out_features = widths[count - 1];
    options.loss = loss;
    options.seed = seed;
    assert_ok(relume_network_create(engine, &options, &network, &error), error);
    return network;
}

/* Whether two networks of one shape have the same parameters, to the byte. */
static inline bool world_networks_equal(const relume_network *a, const relume_network *b)
{
    for (size_t l = 0; l < relume_network_get_layers(a); l++) {
        relume_layer la = relume_network_get_layer(a, l), lb = relume_network_get_layer(b, l);
        if (memcmp(la.weight, lb.weight, la.out_features * la.weight_stride * sizeof(float)) != 0 ||
            memcmp(la.bias, lb.bias, la.out_features * sizeof(float)) != 0)
            return false;
    }
    return true;
}

/* ‖Δw‖ / ‖w‖ of a layer's weights from the network before an update to the one after it, in the plainest
 * order. */
static inline double world_moved_ratio(const relume_network *before, const relume_network *after, size_t l)
{
    relume_layer a = relume_network_get_layer(before, l), b = relume_network_get_layer(after, l);
    double moved = 0, were = 0;
    for (size_t u = 0; u < a.out_features; u++)
        for (size_t k = 0; k < a.in_features; k++) {
            double was = (double)a.weight[u * a.weight_stride + k];
            double change = (double)b.weight[u * b.weight_stride + k] - was;
            moved += change * change;
            were += was * was;
        }
    return sqrt(moved / were);
}

/* ---- files ---- */

/* A new folder, its name in `path`; removed with its files by world_folder_remove. */
static inline void world_folder(char path[64])
{
    (void)snprintf(path, 64, "/tmp/relume-test-XXXXXX");
    assert_non_null(mkdtemp(path));
}

static inline void world_folder_remove(const char *path)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): the path is the test's own */
}

/* A whole file as bytes, by malloc. */
static inline unsigned char *world_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(*size + 1);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    (void)fclose(file);
    return bytes;
}

#endif
