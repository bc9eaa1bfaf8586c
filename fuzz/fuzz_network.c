/* Models and checkpoints: .safetensors with relume's metadata, or as PyTorch writes them. What is let through
 * is counted, and put back into a trainer and a ledger as a checkpoint is. */
#include "census/ledger.h"
#include "formats/safetensors.h"
#include "fuzz.h"
#include "network/network_io.h"
#include "relume/census.h"
#include "run/checkpoint.h"
#include "train/trainer.h"

#define SAMPLES 6
#define WIDEST 64

static struct fuzz_memory memory;
static relume_engine *engine;

static void make_engine(void)
{
    relume_allocator allocator = fuzz_allocator(&memory);
    relume_engine_options options;
    relume_engine_options_default(&options);
    options.threads = 1;
    options.allocator = &allocator;
    memory.most = SIZE_MAX;
    FUZZ_MUST(relume_engine_create(&options, &engine, NULL) == RELUME_OK);
}

/* Small enough to be used, whatever it is. */
static bool is_small(const relume_network *network)
{
    bool small = relume_network_get_layers(network) <= 8;
    for (size_t l = 0; small && l < relume_network_get_layers(network); l++) {
        relume_layer layer = relume_network_get_layer(network, l);
        small = layer.in_features <= WIDEST && layer.out_features <= WIDEST;
    }
    return small;
}

static relume_dataset *make_data(const relume_network *network)
{
    float x[SAMPLES * WIDEST];
    uint32_t labels[SAMPLES] = {0};
    size_t features = relume_network_get_in_features(network);
    for (size_t i = 0; i < SAMPLES * features; i++)
        x[i] = (float)(i % 7) - 3.0f;
    relume_matrix matrix = {.samples = SAMPLES,
                            .features = features,
                            .element = RELUME_F32,
                            .x = x,
                            .labels = labels,
                            .classes = relume_network_get_out_features(network)};
    relume_dataset *dataset = NULL;
    FUZZ_MUST(relume_dataset_create(engine, "few", &matrix, NULL, &dataset, NULL) == RELUME_OK);
    return dataset;
}

static void count(const relume_network *network, const relume_dataset *dataset)
{
    relume_census *census = NULL;
    FUZZ_MUST(relume_census_create(network, dataset, RELUME_SPLIT_TRAIN, NULL, &census, NULL) == RELUME_OK);
    relume_status status = relume_census_count(census, NULL);
    FUZZ_MUST(status == RELUME_OK || status == RELUME_DIVERGED);
    relume_census_destroy(census);
}

/* The file as a checkpoint of this network. */
static void restore(relume_network *network, const relume_dataset *dataset,
                    const struct rlm_safetensors *file)
{
    relume_trainer *trainer = NULL;
    relume_trainer_options options;
    struct rlm_ledger ledger;
    relume_error error = {0};
    relume_trainer_options_default(&options);
    if (relume_trainer_create(network, dataset, &options, &trainer, &error) != RELUME_OK)
        return; /* a loss that does not go with labels */
    FUZZ_MUST(rlm_ledger_init(&ledger, network, false, &error) == RELUME_OK);
    struct rlm_checkpoint checkpoint = {network, trainer, &ledger, NULL};
    relume_status status = rlm_checkpoint_load_from(&checkpoint, file, FUZZ_NAME, &error);
    if (status == RELUME_OK) {
        struct rlm_observer observer = rlm_ledger_observer(&ledger);
        rlm_trainer_observe(trainer, &observer);
        relume_progress progress = relume_trainer_get_progress(trainer);
        if (progress.step < progress.steps)
            status = relume_trainer_step(trainer, &error);
        FUZZ_MUST(status == RELUME_OK || status == RELUME_DIVERGED);
        for (size_t l = 0; l < ledger.layers; l++)
            FUZZ_MUST(rlm_ledger_count_silent(&ledger, l, UINT64_MAX) <= ledger.layer[l].units);
    } else {
        fuzz_check_refusal(status, &error);
    }
    rlm_ledger_deinit(&ledger);
    relume_trainer_destroy(trainer);
}

static void use(relume_network *network, const struct rlm_safetensors *file)
{
    memory.most = SIZE_MAX;
    if (!is_small(network))
        return;
    relume_dataset *dataset = make_data(network);
    count(network, dataset);
    restore(network, dataset, file);
    relume_dataset_destroy(dataset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!engine)
        make_engine();
    size_t held = memory.held;
    memory.most = held + fuzz_budget(size, 128, false).most;
    struct rlm_source source = rlm_source_of_bytes(FUZZ_NAME, data, size);
    struct rlm_safetensors *file = NULL;
    relume_network *network = NULL;
    relume_error error = {0};
    relume_status status = rlm_safetensors_open_source(&engine->allocator, &source, &file, &error);
    if (status == RELUME_OK)
        status = rlm_network_load_from(engine, file, FUZZ_NAME, &network, &error);
    if (status == RELUME_OK)
        use(network, file);
    else
        fuzz_check_refusal(status, &error);
    relume_network_destroy(network);
    rlm_safetensors_close(file);
    FUZZ_MUST(memory.held == held);
    return 0;
}
