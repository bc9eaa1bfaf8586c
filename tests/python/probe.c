/* What the Python comparisons call: draws a network, one backward pass, some training steps, or logits, from
 * files to files.
 *
 *     probe init INIT SEED 5,7,2 OUT              a drawn network
 *     probe gradients MODEL DATA LOSS OUT         dweight and dbias of the mean loss over all of DATA, under
 * the weights' names probe train MODEL DATA LOSS OUT KEY=VALUE…  weights after training in the order of DATA
 *     probe predict MODEL DATA LOSS OUT           logits [samples, outputs]
 *
 * All files are .safetensors; data hold X [samples, features] and labels [samples] (u32) or targets [samples,
 * outputs]. Exit status 1 with a message on stderr. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "formats/safetensors.h"
#include "network/loss.h"
#include "relume/relume.h"
#include "train/backward.h"

static relume_error error;

static void check(relume_status status)
{
    if (status == RELUME_OK)
        return;
    (void)fprintf(stderr, "probe: %s\n", error.message);
    exit(1);
}

struct probe {
    relume_engine *engine;
    relume_network *network;
    relume_dataset *dataset;
};

/* A tensor's values as they are, or NULL when the file has none of that name. */
static void *tensor_read(const struct rlm_safetensors *file, const char *name, size_t shape[2])
{
    const struct rlm_tensor *tensor = rlm_safetensors_find(file, name);
    if (!tensor)
        return NULL;
    void *values = rlm_alloc(NULL, tensor->count, rlm_dtype_size(tensor->dtype));
    check(rlm_safetensors_read(file, tensor, values, &error));
    shape[0] = tensor->shape[0];
    shape[1] = tensor->rank > 1 ? tensor->shape[1] : 0;
    return values;
}

static void data_load(struct probe *probe, const char *path)
{
    struct rlm_safetensors *file;
    size_t x_shape[2] = {0}, y_shape[2] = {0};
    check(rlm_safetensors_open(NULL, path, &file, &error));
    float *x = tensor_read(file, "X", x_shape);
    float *targets = tensor_read(file, "targets", y_shape);
    uint32_t *labels = tensor_read(file, "labels", (size_t[2]){0});
    relume_matrix matrix = {.samples = x_shape[0],
                            .features = x_shape[1],
                            .element = RELUME_F32,
                            .x = x,
                            .labels = labels,
                            .targets = targets,
                            .outputs = y_shape[1]};
    relume_dataset_options options;
    relume_dataset_options_default(&options);
    options.need_targets = 0;
    check(relume_dataset_create(probe->engine, path, &matrix, &options, &probe->dataset, &error));
    rlm_free(x);
    rlm_free(targets);
    rlm_free(labels);
    rlm_safetensors_close(file);
}

static void probe_load(struct probe *probe, const char *model, const char *data, const char *loss)
{
    check(relume_network_load(probe->engine, model, &probe->network, &error));
    data_load(probe, data);
    probe->network->loss = rlm_loss_find(loss);
}

static void probe_init(struct probe *probe, char **arguments)
{
    size_t widths[16] = {0}, count = 0;
    for (char *text = strtok(arguments[2], ","); text && count < 16; text = strtok(NULL, ","))
        widths[count++] = strtoul(text, NULL, 10);
    if (count < 2) {
        fprintf(stderr, "%s: expected at least two widths\n", arguments[2]);
        exit(2);
    }
    relume_network_options options;
    relume_network_options_default(&options);
    options.in_features = widths[0];
    options.hidden_layers = count - 2;
    options.hidden = widths + 1;
    options.out_features = widths[count - 1];
    options.init = rlm_init_find(arguments[0]);
    options.seed = strtoull(arguments[1], NULL, 10);
    check(relume_network_create(probe->engine, &options, &probe->network, &error));
    check(relume_network_save(probe->network, arguments[3], &error));
}

/* Names, sizes and gradients of every layer as tensors to write. */
static void gradients_save(const struct probe *probe, const struct rlm_backward *backward, const char *path)
{
    size_t layers = probe->network->layer_count;
    struct rlm_safetensors_item items[64] = {0};
    char names[64][32];
    for (size_t l = 0; l < layers && l < 32; l++) {
        const struct rlm_layer *layer = &probe->network->layers[l];
        (void)snprintf(names[2 * l], 32, "%s.weight", layer->name);
        (void)snprintf(names[2 * l + 1], 32, "%s.bias", layer->name);
        items[2 * l] = (struct rlm_safetensors_item){
            names[2 * l], RLM_F32, 2, {layer->out_features, layer->in_features}, backward->layer[l].dweight,
            layer->stride};
        items[2 * l + 1] = (struct rlm_safetensors_item){
            names[2 * l + 1], RLM_F32, 1, {layer->out_features}, backward->layer[l].dbias, 0};
    }
    check(rlm_safetensors_write(NULL, path, items, 2 * layers, NULL, 0, &error));
}

static void probe_gradients(struct probe *probe, const char *path)
{
    struct rlm_rows rows = rlm_dataset_rows(probe->dataset, RELUME_SPLIT_ALL);
    struct rlm_batch batch = {.dataset = probe->dataset, .first = rows.first, .count = rows.count};
    struct rlm_pass pass;
    struct rlm_loss_pass loss;
    struct rlm_backward backward;
    struct rlm_fault fault;
    unsigned wants = RLM_PASS_GATES | RLM_PASS_ACTIVE | RLM_PASS_FEATURES;
    check(rlm_pass_init(&pass, probe->network, rows.count, wants, &error));
    check(rlm_loss_check(probe->network, probe->dataset, &error));
    check(rlm_loss_init(&loss, probe->network, probe->dataset, rows.count, &error));
    check(rlm_backward_init(&backward, &pass, &error));
    for (size_t l = 0; l < probe->network->layer_count; l++) {
        const struct rlm_layer *layer = &probe->network->layers[l];
        backward.layer[l].weight.kind = backward.layer[l].bias.kind = RLM_UPDATE_STORE;
        backward.layer[l].dweight = rlm_alloc_zero(NULL, layer->out_features * layer->stride, sizeof(float));
        backward.layer[l].dbias = rlm_alloc_zero(NULL, layer->out_features, sizeof(float));
    }
    if (!rlm_pass_run(&pass, &batch, &fault))
        check(rlm_fault_report(&fault, probe->network, "gradients", &error));
    rlm_loss_run(&loss, &pass, &batch, backward.dlogits);
    rlm_backward_run(&backward, &pass);
    gradients_save(probe, &backward, path);
    for (size_t l = 0; l < probe->network->layer_count; l++) {
        rlm_free(backward.layer[l].dweight);
        rlm_free(backward.layer[l].dbias);
    }
    rlm_backward_deinit(&backward);
    rlm_loss_deinit(&loss);
    rlm_pass_deinit(&pass);
}

static void option_set(relume_trainer_options *options, const char *text)
{
    const char *value = strchr(text, '=');
    if (!value)
        return;
    value++;
    double number = strtod(value, NULL);
    if (strncmp(text, "optimizer=", 10) == 0)
        for (int i = 0; i < RELUME_OPTIMIZER_COUNT; i++)
            if (strcmp(relume_optimizer_name((relume_optimizer)i), value) == 0)
                options->optimizer = (relume_optimizer)i;
    if (strncmp(text, "epochs=", 7) == 0)
        options->epochs = strtoull(value, NULL, 10);
    if (strncmp(text, "batch=", 6) == 0)
        options->batch_size = strtoull(value, NULL, 10);
    if (strncmp(text, "lr=", 3) == 0)
        options->learning_rate = number;
    if (strncmp(text, "decay=", 6) == 0)
        options->weight_decay = number;
    if (strncmp(text, "decay_bias=", 11) == 0)
        options->decay_bias = number != 0;
    if (strncmp(text, "warmup=", 7) == 0)
        options->warmup = strtoull(value, NULL, 10);
    if (strncmp(text, "schedule=", 9) == 0)
        for (int i = 0; i < RELUME_SCHEDULE_POINTS; i++)
            if (strcmp(relume_schedule_name((relume_schedule)i), value) == 0)
                options->schedule = (relume_schedule)i;
    if (strncmp(text, "clip=", 5) == 0)
        options->clip_norm = number;
}

static void probe_train(struct probe *probe, const char *path, char **settings)
{
    relume_trainer_options options;
    relume_trainer *trainer;
    relume_trainer_options_default(&options);
    options.schedule = RELUME_SCHEDULE_CONSTANT;
    options.no_shuffle = 1;
    for (; *settings; settings++)
        option_set(&options, *settings);
    check(relume_trainer_create(probe->network, probe->dataset, &options, &trainer, &error));
    for (uint64_t epoch = 0; epoch < options.epochs; epoch++)
        check(relume_trainer_epoch(trainer, &error));
    check(relume_network_save(probe->network, path, &error));
    relume_trainer_destroy(trainer);
}

static void probe_predict(const struct probe *probe, const char *path)
{
    size_t samples = relume_dataset_get_samples(probe->dataset, RELUME_SPLIT_ALL);
    size_t outputs = relume_network_get_out_features(probe->network);
    float *logits = rlm_alloc(NULL, samples * outputs, sizeof *logits);
    check(relume_network_predict(probe->network, probe->dataset, RELUME_SPLIT_ALL, logits, &error));
    struct rlm_safetensors_item item = {"logits", RLM_F32, 2, {samples, outputs}, logits, 0};
    check(rlm_safetensors_write(NULL, path, &item, 1, NULL, 0, &error));
    rlm_free(logits);
}

int main(int count, char **arguments)
{
    struct probe probe = {0};
    if (count < 6)
        return 2;
    check(relume_engine_create(NULL, &probe.engine, &error));
    if (strcmp(arguments[1], "init") == 0) {
        probe_init(&probe, arguments + 2);
    } else {
        probe_load(&probe, arguments[2], arguments[3], arguments[4]);
        if (strcmp(arguments[1], "gradients") == 0)
            probe_gradients(&probe, arguments[5]);
        else if (strcmp(arguments[1], "train") == 0)
            probe_train(&probe, arguments[5], arguments + 6);
        else
            probe_predict(&probe, arguments[5]);
    }
    relume_dataset_destroy(probe.dataset);
    relume_network_destroy(probe.network);
    relume_engine_destroy(probe.engine);
    return 0;
}
