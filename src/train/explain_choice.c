/* Which sample to explain a unit with: one pass over a split, with the unit's pre-activation and the loss of
 * each sample. See relume/explain.h. */
#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "network/loss.h"
#include "relume/explain.h"

#include <math.h>

/* The unit as a layer of its own, without the ReLU: the forward kernel gives its p for a batch. */
struct probe {
    float *z;    /* sample panels [capacity, 1] */
    float *bias; /* [1], aligned as kernels want it */
};

static void probe_deinit(struct probe *probe)
{
    rlm_free(probe->z);
    rlm_free(probe->bias);
    *probe = (struct probe){0};
}

static relume_status probe_init(struct probe *probe, const relume_network *network, size_t capacity,
                                relume_error *error)
{
    const relume_allocator *allocator = &network->engine->allocator;
    size_t panels = rlm_divide_up(capacity, RLM_LANES);
    probe->z = rlm_alloc_zero(allocator, panels, RLM_LANES * sizeof *probe->z);
    probe->bias = rlm_alloc_zero(allocator, RLM_LANES, sizeof *probe->bias);
    if (probe->z && probe->bias)
        return RELUME_OK;
    probe_deinit(probe);
    return rlm_error_memory(error, capacity * sizeof *probe->z, "the pre-activations of a unit");
}

/* Fills probe->z for the last batch of `pass`, which has found every p finite. */
static void probe_run(struct probe *probe, const struct rlm_pass *pass, size_t layer, size_t unit)
{
    const struct rlm_layer *at = &pass->network->layers[layer];
    struct rlm_forward arguments = {.batch = pass->batch,
                                    .in_features = at->in_features,
                                    .out_features = 1,
                                    .x = layer > 0 ? pass->layer[layer - 1].z : pass->x,
                                    .weight = at->weight + unit * at->stride,
                                    .stride = at->stride,
                                    .bias = probe->bias,
                                    .z = probe->z};
    probe->bias[0] = at->bias[unit];
    (void)pass->network->kernels->forward(&arguments, 0, 1);
}

/* The choice so far, and what it has to beat. */
struct search {
    relume_explain_choice choice;
    float loss; /* of the chosen sample, once one fired */
};

static void weigh(struct search *search, size_t sample, float p, float loss)
{
    relume_explain_choice *choice = &search->choice;
    if (p > 0.0f && (choice->active == 0 || loss > search->loss)) {
        choice->sample = sample;
        search->loss = loss;
    } else if (choice->active == 0 && p > choice->margin) {
        choice->sample = sample;
    }
    choice->active += p > 0.0f;
    choice->margin = fmaxf(choice->margin, p);
}

static relume_status look(struct rlm_pass *pass, struct rlm_loss_pass *loss, struct probe *probe,
                          const relume_dataset *dataset, struct rlm_rows rows, size_t layer, size_t unit,
                          struct search *search, relume_error *error)
{
    for (size_t done = 0; done < rows.count; done += pass->capacity) {
        struct rlm_batch batch = {.dataset = dataset,
                                  .first = rows.first + done,
                                  .count = rlm_size_min(pass->capacity, rows.count - done)};
        struct rlm_fault fault;
        if (!rlm_pass_run(pass, &batch, &fault))
            return rlm_fault_report(&fault, pass->network, "choosing a sample", error);
        rlm_loss_run(loss, pass, &batch, NULL);
        probe_run(probe, pass, layer, unit);
        for (size_t b = 0; b < batch.count; b++)
            weigh(search, done + b, probe->z[b], loss->loss[b]); /* one output: panels are a plain row */
    }
    return RELUME_OK;
}

static relume_status check(const relume_network *network, const relume_dataset *dataset, size_t samples,
                           size_t layer, size_t unit, relume_error *error)
{
    if (layer >= network->layer_count)
        return rlm_error_set(error, RELUME_NOT_FOUND, "layer %zu does not exist: the network has %zu, from 0",
                             layer, network->layer_count);
    if (unit >= network->layers[layer].out_features)
        return rlm_error_set(error, RELUME_NOT_FOUND,
                             "unit %s.%zu does not exist: the layer has %zu units, from 0",
                             network->layers[layer].name, unit, network->layers[layer].out_features);
    if (samples == 0)
        return rlm_error_set(error, RELUME_NOT_FOUND, "%s has no such split: there is no sample to explain",
                             dataset->name);
    RLM_TRY(rlm_pass_check(network, dataset, error));
    return rlm_loss_check(network, dataset, error);
}

relume_status relume_explain_choose(const relume_network *network, const relume_dataset *dataset,
                                    relume_split split, size_t layer, size_t unit,
                                    relume_explain_choice *choice, relume_error *error)
{
    struct rlm_rows rows = rlm_dataset_rows(dataset, split);
    rlm_error_clear(error);
    RLM_TRY(check(network, dataset, rows.count, layer, unit, error));
    size_t capacity = rlm_pass_capacity(rows.count);
    struct search search = {.choice = {.samples = rows.count, .margin = -INFINITY}};
    struct rlm_pass pass = {0};
    struct rlm_loss_pass loss = {0};
    struct probe probe = {0};
    relume_status status = rlm_pass_init(&pass, network, capacity, 0, error);
    if (status == RELUME_OK)
        status = rlm_loss_init(&loss, network, dataset, capacity, error);
    if (status == RELUME_OK)
        status = probe_init(&probe, network, capacity, error);
    if (status == RELUME_OK)
        status = look(&pass, &loss, &probe, dataset, rows, layer, unit, &search, error);
    probe_deinit(&probe);
    rlm_loss_deinit(&loss);
    rlm_pass_deinit(&pass);
    if (status == RELUME_OK)
        *choice = search.choice;
    return status;
}
