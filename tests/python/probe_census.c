/* Counts many small networks in one process, for test_census.py: probe_census IN OUT.
 *
 * IN, in the machine's byte order: for each network the number of layers L, then L + 1 widths, then the
 * number of samples (u32 each); then for each layer weight [N, K] and bias [N], and then x [samples, K]
 * (float32). OUT: for each hidden unit, in that order, its active count (u64), mean activation (f64), margin
 * (f32) and state (u32). Every third network is counted at a batch of 16, every third on the reference
 * kernels. */
#include <stdio.h>
#include <stdlib.h>

#include "relume/relume.h"

#define LAYERS_MAX 8

struct row {
    uint64_t active;
    double mean_activation;
    float margin;
    uint32_t state;
};

static relume_error error;

static void fail(const char *what)
{
    (void)fprintf(stderr, "probe_census: %s\n", what);
    exit(1);
}

static void check(relume_status status)
{
    if (status != RELUME_OK)
        fail(error.message);
}

static void read_exactly(FILE *file, void *to, size_t size, size_t count)
{
    if (fread(to, size, count, file) != count)
        fail("the input ends too early");
}

static relume_network *read_network(relume_engine *engine, FILE *file, const uint32_t *width, size_t layers)
{
    size_t hidden[LAYERS_MAX];
    relume_network_options options;
    relume_network *network = NULL;
    relume_network_options_default(&options);
    for (size_t l = 0; l + 1 < layers; l++)
        hidden[l] = width[l + 1];
    options.in_features = width[0];
    options.hidden_layers = layers - 1;
    options.hidden = hidden;
    options.out_features = width[layers];
    check(relume_network_create(engine, &options, &network, &error));
    for (size_t l = 0; l < layers; l++) {
        relume_layer layer = relume_network_get_layer(network, l);
        for (size_t n = 0; n < layer.out_features; n++)
            read_exactly(file, layer.weight + n * layer.weight_stride, sizeof(float), layer.in_features);
        read_exactly(file, layer.bias, sizeof(float), layer.out_features);
    }
    return network;
}

static relume_dataset *read_dataset(relume_engine *engine, FILE *file, size_t samples, size_t features)
{
    float *x = malloc(samples * features * sizeof *x);
    if (!x)
        fail("no memory");
    read_exactly(file, x, sizeof *x, samples * features);
    relume_matrix matrix = {.samples = samples, .features = features, .element = RELUME_F32, .x = x};
    relume_dataset_options options;
    relume_dataset *dataset = NULL;
    relume_dataset_options_default(&options);
    options.need_targets = 0;
    check(relume_dataset_create(engine, "random", &matrix, &options, &dataset, &error));
    free(x);
    return dataset;
}

static void write_account(const relume_census *census, FILE *file)
{
    for (size_t l = 0; l < relume_census_get_layers(census); l++) {
        relume_layer_account layer = relume_census_get_layer(census, l);
        for (size_t u = 0; u < layer.units; u++) {
            const relume_unit_account *unit = &layer.unit[u];
            struct row row = {unit->active, unit->mean_activation, unit->margin, (uint32_t)unit->state};
            if (fwrite(&row, sizeof row, 1, file) != 1)
                fail("cannot write");
        }
    }
}

static void count_one(relume_engine *engine, size_t batch, size_t layers, FILE *in, FILE *out)
{
    uint32_t width[LAYERS_MAX + 1], samples;
    if (layers == 0 || layers > LAYERS_MAX)
        fail("too many layers");
    read_exactly(in, width, sizeof *width, layers + 1);
    read_exactly(in, &samples, sizeof samples, 1);
    relume_network *network = read_network(engine, in, width, layers);
    relume_dataset *dataset = read_dataset(engine, in, samples, width[0]);
    relume_census_options options;
    relume_census *census = NULL;
    relume_census_options_default(&options);
    options.batch_size = batch;
    check(relume_census_create(network, dataset, RELUME_SPLIT_ALL, &options, &census, &error));
    check(relume_census_count(census, &error));
    write_account(census, out);
    relume_census_destroy(census);
    relume_dataset_destroy(dataset);
    relume_network_destroy(network);
}

int main(int count, char **arguments)
{
    FILE *in = count == 3 ? fopen(arguments[1], "rb") : NULL,
         *out = count == 3 ? fopen(arguments[2], "wb") : NULL;
    if (!in || !out)
        fail("usage: probe_census IN OUT");
    relume_engine_options options;
    relume_engine *best = NULL, *reference = NULL;
    relume_engine_options_default(&options);
    check(relume_engine_create(&options, &best, &error));
    options.cpu = "ref";
    options.threads = 1;
    check(relume_engine_create(&options, &reference, &error));
    uint32_t layers;
    for (size_t net = 0; fread(&layers, sizeof layers, 1, in) == 1; net++)
        count_one(net % 3 == 2 ? reference : best, net % 3 == 1 ? 16 : 0, layers, in, out);
    relume_engine_destroy(reference);
    relume_engine_destroy(best);
    (void)fclose(in);
    return fclose(out) == 0 ? 0 : 1;
}
