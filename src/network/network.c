/* Networks: making, asking, freeing. The weights of all layers lie in one arena; what a saved model needs
 * beside them (scaling, class names, image shape) is kept in blocks of its own. Drawing is in init.c, files
 * in network_io.c. */
#include "network/network.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "data/dataset.h"

/* ---- names of the options ---- */

static const char *const init_names[] = {
#define INIT_NAME(name, text) text,
    RELUME_INIT_LIST(INIT_NAME)
#undef INIT_NAME
};

static const char *const loss_names[] = {
#define LOSS_NAME(name, text) text,
    RELUME_LOSS_LIST(LOSS_NAME)
#undef LOSS_NAME
};

static int name_find(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return count;
}

const char *relume_init_name(relume_init init)
{
    return (unsigned)init < RELUME_INIT_COUNT ? init_names[init] : NULL;
}

const char *relume_loss_name(relume_loss loss)
{
    return (unsigned)loss < RELUME_LOSS_COUNT ? loss_names[loss] : NULL;
}

relume_init rlm_init_find(const char *name)
{
    return (relume_init)name_find(init_names, RELUME_INIT_COUNT, name);
}

relume_loss rlm_loss_find(const char *name)
{
    return (relume_loss)name_find(loss_names, RELUME_LOSS_COUNT, name);
}

/* ---- making and freeing ---- */

size_t rlm_network_stride(size_t in_features)
{
    if (in_features > SIZE_MAX - (size_t)2 * RLM_LANES)
        return 0;
    size_t lines = rlm_divide_up(in_features, RLM_LANES);
    return (lines | 1) * (size_t)RLM_LANES;
}

static void network_layout(struct rlm_arena *arena, relume_network *network)
{
    for (size_t l = 0; l < network->layer_count; l++) {
        struct rlm_layer *layer = &network->layers[l];
        size_t elements = 0;
        if (layer->stride == 0 || !rlm_size_multiply(layer->out_features, layer->stride, &elements))
            arena->overflow = true;
        layer->weight = rlm_arena_take(arena, elements, sizeof(float));
        layer->bias = rlm_arena_take(arena, layer->out_features, sizeof(float));
    }
}

static void layer_describe(struct rlm_layer *layer, size_t index, size_t layers, const size_t *widths)
{
    layer->relu = index + 1 < layers;
    if (layer->relu)
        (void)snprintf(layer->name, sizeof layer->name, "h%u", (unsigned)(index + 1));
    else
        (void)snprintf(layer->name, sizeof layer->name, "out");
    layer->in_features = widths[index];
    layer->out_features = widths[index + 1];
    layer->stride = rlm_network_stride(widths[index]);
}

static relume_status network_fill(relume_network *network, const size_t *widths, size_t layers,
                                  relume_error *error)
{
    const relume_allocator *allocator = &network->engine->allocator;
    network->kernels = rlm_kernels_get(network->engine->level);
    network->layers = rlm_alloc_zero(allocator, layers, sizeof *network->layers);
    if (!network->layers)
        return rlm_error_memory(error, layers * sizeof *network->layers, "the network's layers");
    network->layer_count = layers;
    for (size_t l = 0; l < layers; l++)
        layer_describe(&network->layers[l], l, layers, widths);
    network_layout(&network->arena, network);
    size_t bytes = network->arena.overflow ? SIZE_MAX : network->arena.used;
    if (!rlm_arena_init(&network->arena, allocator))
        return rlm_error_memory(error, bytes, "the network's weights");
    network_layout(&network->arena, network);
    static const float zero = 0.0f, one = 1.0f;
    return rlm_network_set_scaling(network, &(relume_scaling){1, &zero, &one}, error);
}

relume_status rlm_network_alloc(relume_engine *engine, const size_t *widths, size_t layers,
                                relume_network **network, relume_error *error)
{
    for (size_t i = 0; i <= layers; i++)
        if (widths[i] == 0)
            return rlm_error_set(error, RELUME_USAGE, "a network's %s have width 0, expected at least 1",
                                 i == 0        ? "inputs"
                                 : i == layers ? "outputs"
                                               : "hidden layers");
    relume_network *made = rlm_alloc_zero(&engine->allocator, 1, sizeof *made);
    if (!made)
        return rlm_error_memory(error, sizeof *made, "a network");
    made->engine = engine;
    relume_status status = network_fill(made, widths, layers, error);
    if (status != RELUME_OK) {
        relume_network_destroy(made);
        return status;
    }
    *network = made;
    return RELUME_OK;
}

static void class_names_free(char **names, size_t count)
{
    for (size_t i = 0; names && i < count; i++)
        rlm_free(names[i]);
    rlm_free(names);
}

void relume_network_destroy(relume_network *network)
{
    if (!network)
        return;
    for (size_t l = 0; l < network->layer_count; l++)
        rlm_free(network->layers[l].foreign_name);
    class_names_free(network->class_names, network->class_count);
    rlm_free((void *)network->scaling.offset);
    rlm_free(network->layers);
    rlm_arena_deinit(&network->arena);
    rlm_free(network);
}

/* ---- what travels with the weights ---- */

relume_status rlm_network_set_scaling(relume_network *network, const relume_scaling *scaling,
                                      relume_error *error)
{
    size_t count = scaling->uniform ? 1 : network->layers[0].in_features;
    size_t room = rlm_round_up(count, RLM_LANES); /* so that both halves are aligned */
    float *values = rlm_alloc_zero(&network->engine->allocator, room, 2 * sizeof *values);
    if (!values)
        return rlm_error_memory(error, room * 2 * sizeof *values, "the input's scaling");
    memcpy(values, scaling->offset, count * sizeof *values);
    memcpy(values + room, scaling->divisor, count * sizeof *values);
    rlm_free((void *)network->scaling.offset);
    network->scaling = (relume_scaling){scaling->uniform, values, values + room};
    network->scaling_unstated = false;
    return RELUME_OK;
}

relume_status rlm_network_set_class_names(relume_network *network, const char *const *names, size_t count,
                                          relume_error *error)
{
    char **copy = NULL;
    if (count > 0) {
        copy = rlm_alloc_zero(&network->engine->allocator, count, sizeof *copy);
        bool complete = copy != NULL;
        for (size_t i = 0; complete && i < count; i++)
            complete = (copy[i] = rlm_strdup(&network->engine->allocator, names[i])) != NULL;
        if (!complete) {
            class_names_free(copy, count);
            return rlm_error_memory(error, count * sizeof *copy, "class names");
        }
    }
    class_names_free(network->class_names, network->class_count);
    network->class_names = copy;
    network->class_count = count;
    return RELUME_OK;
}

relume_status rlm_network_take_dataset(relume_network *network, const relume_dataset *dataset,
                                       relume_error *error)
{
    if (dataset->features != network->layers[0].in_features)
        return rlm_error_set(error, RELUME_MISMATCH, "dataset %s has %zu features, the network takes %zu",
                             dataset->name, dataset->features, network->layers[0].in_features);
    /* names last: the scaling cannot be put back without memory, names are only swapped when both are there
     */
    relume_scaling old = network->scaling;
    network->scaling.offset = NULL;
    relume_status status = rlm_network_set_scaling(network, &dataset->scaling, error);
    if (status == RELUME_OK && dataset->class_names) {
        status = rlm_network_set_class_names(network, (const char *const *)dataset->class_names,
                                             dataset->outputs, error);
        if (status != RELUME_OK)
            rlm_free((void *)network->scaling.offset);
    }
    if (status != RELUME_OK) {
        network->scaling = old;
        return status;
    }
    rlm_free((void *)old.offset);
    network->image_rows = dataset->image_rows;
    network->image_columns = dataset->image_columns;
    return RELUME_OK;
}

/* ---- create ---- */

void relume_network_options_default(relume_network_options *options)
{
    *options = (relume_network_options){.loss = RELUME_LOSS_SOFTMAX, .init = RELUME_INIT_HE_NORMAL};
}

static relume_status options_check(const relume_network_options *options, relume_error *error)
{
    if ((unsigned)options->loss >= RELUME_LOSS_COUNT)
        return rlm_error_set(error, RELUME_USAGE, "loss number %d is none", (int)options->loss);
    if ((unsigned)options->init >= RELUME_INIT_COUNT)
        return rlm_error_set(error, RELUME_USAGE, "init number %d is none", (int)options->init);
    if (options->hidden_layers > 0 && !options->hidden)
        return rlm_error_set(error, RELUME_USAGE, "%zu hidden layers are asked for without their widths",
                             options->hidden_layers);
    if (options->hidden_layers > 99999)
        return rlm_error_set(error, RELUME_USAGE, "%zu hidden layers, expected at most 99999",
                             options->hidden_layers);
    return RELUME_OK;
}

static relume_status network_prepare(relume_network *network, const relume_network_options *options,
                                     relume_error *error)
{
    network->loss = options->loss;
    if (options->dataset)
        RLM_TRY(rlm_network_take_dataset(network, options->dataset, error));
    return rlm_network_draw(network, options->init, options->seed, error);
}

relume_status relume_network_create(relume_engine *engine, const relume_network_options *options,
                                    relume_network **network, relume_error *error)
{
    rlm_error_clear(error);
    RLM_TRY(options_check(options, error));
    size_t layers = options->hidden_layers + 1;
    size_t *widths = rlm_alloc(&engine->allocator, layers + 1, sizeof *widths);
    if (!widths)
        return rlm_error_memory(error, (layers + 1) * sizeof *widths, "the network's widths");
    widths[0] = options->in_features;
    for (size_t l = 0; l < options->hidden_layers; l++)
        widths[l + 1] = options->hidden[l];
    widths[layers] = options->out_features;
    relume_network *made = NULL;
    relume_status status = rlm_network_alloc(engine, widths, layers, &made, error);
    rlm_free(widths);
    if (made) /* exactly when the status is OK */
        status = network_prepare(made, options, error);
    if (status != RELUME_OK) {
        relume_network_destroy(made);
        return status;
    }
    *network = made;
    return RELUME_OK;
}

/* ---- asking ---- */

size_t relume_network_get_layers(const relume_network *network)
{
    return network->layer_count;
}

size_t relume_network_get_in_features(const relume_network *network)
{
    return network->layers[0].in_features;
}

size_t relume_network_get_out_features(const relume_network *network)
{
    return network->layers[network->layer_count - 1].out_features;
}

size_t relume_network_get_parameters(const relume_network *network)
{
    size_t count = 0;
    for (size_t l = 0; l < network->layer_count; l++)
        count += network->layers[l].out_features * (network->layers[l].in_features + 1);
    return count;
}

relume_loss relume_network_get_loss(const relume_network *network)
{
    return network->loss;
}

void relume_network_set_loss(relume_network *network, relume_loss loss)
{
    network->loss = loss;
}

const char *relume_network_get_class_name(const relume_network *network, size_t label)
{
    return label < network->class_count ? network->class_names[label] : NULL;
}

relume_scaling relume_network_get_scaling(const relume_network *network)
{
    return network->scaling;
}

int relume_network_has_scaling(const relume_network *network)
{
    return !network->scaling_unstated;
}

relume_layer relume_network_get_layer(const relume_network *network, size_t index)
{
    if (index >= network->layer_count)
        return (relume_layer){0};
    const struct rlm_layer *layer = &network->layers[index];
    return (relume_layer){
        .name = layer->name,
        .foreign_name = layer->foreign_name ? layer->foreign_name : layer->name,
        .in_features = layer->in_features,
        .out_features = layer->out_features,
        .weight = layer->weight,
        .weight_stride = layer->stride,
        .bias = layer->bias,
        .relu = layer->relu,
    };
}

relume_status rlm_network_check_finite(const relume_network *network, relume_error *error)
{
    for (size_t l = 0; l < network->layer_count; l++) {
        const struct rlm_layer *layer = &network->layers[l];
        for (size_t n = 0; n < layer->out_features; n++) {
            const float *row = layer->weight + n * layer->stride;
            for (size_t k = 0; k < layer->in_features; k++)
                if (!isfinite(row[k]))
                    return rlm_error_set(
                        error, RELUME_DIVERGED,
                        "%s.weight is %g at row %zu, column %zu (from 0): training has diverged", layer->name,
                        (double)row[k], n, k);
            if (!isfinite(layer->bias[n]))
                return rlm_error_set(error, RELUME_DIVERGED,
                                     "%s.bias is %g at entry %zu (from 0): training has diverged",
                                     layer->name, (double)layer->bias[n], n);
        }
    }
    return RELUME_OK;
}
