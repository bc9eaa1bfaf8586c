/* Explains one unit on one sample with the kernels that train: a batch of one through the forward pass, the
 * loss, and the layers above the unit backwards. See relume/explain.h. */
#include "relume/explain.h"

#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "network/loss.h"

/* The passes of a batch of one, and gradients at pre-activations in sample panels: of lane 0, the others are
 * 0. */
struct scene {
    struct rlm_pass pass;
    struct rlm_loss_pass loss;
    float *dz, *dz_below; /* room for the widest layer's panel */
};

static void scene_deinit(struct scene *scene)
{
    rlm_free(scene->dz);
    rlm_free(scene->dz_below);
    rlm_loss_deinit(&scene->loss);
    rlm_pass_deinit(&scene->pass);
}

static relume_status scene_init(struct scene *scene, const relume_network *network,
                                const relume_dataset *dataset, relume_error *error)
{
    *scene = (struct scene){0};
    size_t widest = 0;
    for (size_t k = 0; k < network->layer_count; k++)
        widest = rlm_size_max(widest, network->layers[k].out_features);
    RLM_TRY(rlm_pass_init(&scene->pass, network, 1, RLM_PASS_GATES, error));
    relume_status status = rlm_loss_init(&scene->loss, network, dataset, 1, error);
    if (status == RELUME_OK) {
        const relume_allocator *allocator = &network->engine->allocator;
        scene->dz = rlm_alloc_zero(allocator, widest, RLM_LANES * sizeof *scene->dz);
        scene->dz_below = rlm_alloc_zero(allocator, widest, RLM_LANES * sizeof *scene->dz_below);
        if (!scene->dz || !scene->dz_below)
            status = rlm_error_memory(error, widest * RLM_LANES * sizeof(float), "the gradients of a sample");
    }
    if (status != RELUME_OK)
        scene_deinit(scene);
    return status;
}

/* dz ← the gradient at the pre-activations of `layer`, from that of layer + 1; without gates: the upstream
 * gradient. */
static void step_down(struct scene *scene, size_t layer, bool gated)
{
    const struct rlm_layer *above = &scene->pass.network->layers[layer + 1];
    struct rlm_backward_input arguments = {.batch = 1,
                                           .in_features = above->in_features,
                                           .out_features = above->out_features,
                                           .dz = scene->dz,
                                           .weight = above->weight,
                                           .stride = above->stride,
                                           .gates = gated ? scene->pass.layer[layer].gates : NULL,
                                           .dx = scene->dz_below};
    scene->pass.network->kernels->backward_input(&arguments, 0, above->in_features);
    float *below = scene->dz_below;
    scene->dz_below = scene->dz;
    scene->dz = below;
}

/* Copies lane 0 of sample panels: the one sample of the batch. */
static float *copy_lane(const relume_network *network, const float *panels, size_t count)
{
    float *copy = rlm_alloc(&network->engine->allocator, count, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++)
        copy[i] = panels[i * RLM_LANES];
    return copy;
}

/* The unit's outgoing weights, a column of the layer above. */
static float *copy_column(const relume_network *network, const struct rlm_layer *above, size_t unit)
{
    float *copy = rlm_alloc(&network->engine->allocator, above->out_features, sizeof *copy);
    for (size_t m = 0; copy && m < above->out_features; m++)
        copy[m] = above->weight[m * above->stride + unit];
    return copy;
}

static float *outer_row(const relume_network *network, float dz, const float *x, size_t count)
{
    float *row = rlm_alloc(&network->engine->allocator, count, sizeof *row);
    for (size_t k = 0; row && k < count; k++)
        row[k] = dz * x[k] + 0.0f; /* a −0 becomes +0, as in training */
    return row;
}

/* The forward half: what goes in, p, z, logits. False: no memory. */
static bool explain_forward(const struct scene *scene, relume_explanation *e)
{
    const relume_network *network = scene->pass.network;
    const struct rlm_layer *layer = &network->layers[e->layer];
    e->x = copy_lane(network, e->layer ? scene->pass.layer[e->layer - 1].z : scene->pass.x, e->inputs);
    e->logits = copy_lane(network, scene->pass.layer[network->layer_count - 1].z, e->outputs);
    float *weight = rlm_alloc(&network->engine->allocator, e->inputs, sizeof *weight);
    e->weight = weight;
    if (!e->x || !e->logits || !weight)
        return false;
    memcpy(weight, layer->weight + e->unit * layer->stride, e->inputs * sizeof *weight);
    e->bias = layer->bias[e->unit];
    float sum = 0.0f;
    for (size_t k = 0; k < e->inputs; k++)
        sum = __builtin_fmaf(e->x[k], weight[k], sum);
    e->preactivation = sum + e->bias;
    e->activation = scene->pass.layer[e->layer].z[e->unit * RLM_LANES];
    e->open = !layer->relu || e->preactivation > 0.0f;
    for (size_t n = 1; n < e->outputs; n++)
        if (e->logits[n] > e->logits[e->predicted])
            e->predicted = n;
    return true;
}

/* The backward half, from the logits down to the unit. */
static bool explain_backward(struct scene *scene, relume_explanation *e)
{
    const relume_network *network = scene->pass.network;
    size_t last = network->layer_count - 1;
    for (size_t k = last; k > e->layer + 1; k--)
        step_down(scene, k - 1, true);
    if (e->layer < last) {
        const struct rlm_layer *above = &network->layers[e->layer + 1];
        e->above = above->out_features;
        e->above_dz = copy_lane(network, scene->dz, e->above);
        e->above_weight = copy_column(network, above, e->unit);
        if (!e->above_dz || !e->above_weight)
            return false;
        step_down(scene, e->layer, false);
    }
    e->upstream = scene->dz[e->unit * RLM_LANES];
    e->dz = e->open ? e->upstream : 0.0f;
    e->dbias = e->dz;
    e->dweight = outer_row(network, e->dz, e->x, e->inputs);
    return e->dweight != NULL;
}

static relume_status check_place(const relume_network *network, const relume_dataset *dataset,
                                 relume_split split, const relume_explanation *e, relume_error *error)
{
    if (e->layer >= network->layer_count)
        return rlm_error_set(error, RELUME_NOT_FOUND, "layer %zu does not exist: the network has %zu, from 0",
                             e->layer, network->layer_count);
    const struct rlm_layer *layer = &network->layers[e->layer];
    if (e->unit >= layer->out_features)
        return rlm_error_set(error, RELUME_NOT_FOUND,
                             "unit %s.%zu does not exist: the layer has %zu units, from 0", layer->name,
                             e->unit, layer->out_features);
    if (e->sample >= relume_dataset_get_samples(dataset, split))
        return rlm_error_set(error, RELUME_NOT_FOUND, "sample %zu does not exist: the split has %zu, from 0",
                             e->sample, relume_dataset_get_samples(dataset, split));
    RLM_TRY(rlm_pass_check(network, dataset, error));
    return rlm_loss_check(network, dataset, error);
}

relume_status relume_explain(const relume_network *network, const relume_dataset *dataset, relume_split split,
                             size_t layer, size_t unit, size_t sample, relume_explanation *explanation,
                             relume_error *error)
{
    relume_explanation e = {.layer = layer, .unit = unit, .sample = sample, .label = SIZE_MAX};
    RLM_TRY(check_place(network, dataset, split, &e, error));
    e.inputs = network->layers[layer].in_features;
    e.outputs = network->layers[network->layer_count - 1].out_features;
    struct scene scene;
    RLM_TRY(scene_init(&scene, network, dataset, error));
    struct rlm_batch batch = {
        .dataset = dataset, .first = rlm_dataset_rows(dataset, split).first + sample, .count = 1};
    struct rlm_fault fault;
    relume_status status = RELUME_OK;
    if (!rlm_pass_run(&scene.pass, &batch, &fault))
        status = rlm_fault_report(&fault, network, "explaining a sample", error);
    if (status == RELUME_OK) {
        rlm_loss_run(&scene.loss, &scene.pass, &batch, scene.dz);
        e.loss = scene.loss.loss[0];
        if (scene.loss.labels)
            e.label = scene.loss.labels[0];
        if (!explain_forward(&scene, &e) || !explain_backward(&scene, &e))
            status = rlm_error_memory(error, e.inputs * sizeof(float), "an explanation");
    }
    scene_deinit(&scene);
    if (status == RELUME_OK)
        *explanation = e;
    else
        relume_explanation_deinit(&e);
    return status;
}

float relume_explanation_step(const relume_explanation *explanation, double learning_rate)
{
    float rate = (float)learning_rate, sum = 0.0f;
    for (size_t k = 0; k < explanation->inputs; k++) {
        float weight = __builtin_fmaf(-rate, explanation->dweight[k], explanation->weight[k]);
        sum = __builtin_fmaf(explanation->x[k], weight, sum);
    }
    return sum + __builtin_fmaf(-rate, explanation->dbias, explanation->bias);
}

void relume_explanation_deinit(relume_explanation *explanation)
{
    const float *const views[] = {explanation->x,        explanation->weight,  explanation->above_weight,
                                  explanation->above_dz, explanation->dweight, explanation->logits};
    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        rlm_free((void *)views[i]);
    *explanation = (relume_explanation){0};
}
