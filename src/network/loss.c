/* See loss.h. */
#include "network/loss.h"

#include <math.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"

static relume_status targets_check_unit_interval(const relume_dataset *dataset, relume_error *error)
{
    size_t rows = dataset->train_samples + dataset->test_samples;
    for (size_t i = 0; dataset->targets && i < rows * dataset->outputs; i++)
        if (!(dataset->targets[i] >= 0.0f && dataset->targets[i] <= 1.0f))
            return rlm_error_set(error, RELUME_MISMATCH,
                                 "dataset %s has the target %g at row %zu, column %zu; "
                                 "binary cross-entropy takes targets from 0 to 1",
                                 dataset->name, (double)dataset->targets[i], i / dataset->outputs,
                                 i % dataset->outputs);
    return RELUME_OK;
}

relume_status rlm_loss_check(const relume_network *network, const relume_dataset *dataset,
                             relume_error *error)
{
    size_t outputs = relume_network_get_out_features(network);
    bool classes = dataset->task == RELUME_CLASSIFICATION;
    if (dataset->task == RELUME_UNLABELLED)
        return rlm_error_set(error, RELUME_MISMATCH,
                             "dataset %s has no labels or targets to compute a loss from", dataset->name);
    if (network->loss == RELUME_LOSS_SOFTMAX && !classes)
        return rlm_error_set(
            error, RELUME_MISMATCH,
            "the softmax loss needs class labels, dataset %s has float targets that are not all whole "
            "numbers; use mse or bce",
            dataset->name);
    if (classes ? dataset->outputs > outputs : dataset->outputs != outputs)
        return rlm_error_set(error, RELUME_MISMATCH, "dataset %s has %zu %s, the network has %zu outputs",
                             dataset->name, dataset->outputs, classes ? "classes" : "targets a sample",
                             outputs);
    return network->loss == RELUME_LOSS_BCE ? targets_check_unit_interval(dataset, error) : RELUME_OK;
}

static void loss_layout(struct rlm_arena *arena, struct rlm_loss_pass *loss, size_t outputs, bool classes,
                        bool targets)
{
    size_t elements = 0, padded = rlm_round_up(loss->capacity, RLM_LANES);
    if (!rlm_size_multiply(padded, outputs, &elements))
        arena->overflow = true;
    loss->labels = classes ? rlm_arena_take(arena, padded, sizeof(uint32_t)) : NULL;
    loss->targets = targets ? rlm_arena_take(arena, elements, sizeof(float)) : NULL;
    loss->loss = rlm_arena_take(arena, padded, sizeof(float));
    loss->correct = classes ? rlm_arena_take(arena, padded, sizeof(uint8_t)) : NULL;
}

relume_status rlm_loss_init(struct rlm_loss_pass *loss, const relume_network *network,
                            const relume_dataset *dataset, size_t capacity, relume_error *error)
{
    struct rlm_loss_pass made = {.capacity = capacity};
    size_t outputs = relume_network_get_out_features(network);
    bool classes = dataset->task == RELUME_CLASSIFICATION, targets = network->loss != RELUME_LOSS_SOFTMAX;
    loss_layout(&made.arena, &made, outputs, classes, targets);
    size_t bytes = made.arena.overflow ? SIZE_MAX : made.arena.used;
    if (!rlm_arena_init(&made.arena, &network->engine->allocator))
        return rlm_error_memory(error, bytes, "the loss of a batch");
    loss_layout(&made.arena, &made, outputs, classes, targets);
    *loss = made;
    return RELUME_OK;
}

void rlm_loss_deinit(struct rlm_loss_pass *loss)
{
    rlm_arena_deinit(&loss->arena);
    *loss = (struct rlm_loss_pass){0};
}

static size_t batch_row(const struct rlm_batch *batch, size_t place)
{
    return batch->index ? batch->index[place] : batch->first + place;
}

static void labels_fetch(uint32_t *restrict labels, const struct rlm_batch *batch)
{
    const uint32_t *restrict from = batch->dataset->labels, *restrict index = batch->index;
    size_t first = batch->first, count = batch->count;
    for (size_t b = 0; b < count; b++)
        labels[b] = from[index ? index[b] : first + b];
}

static void targets_fetch(struct rlm_loss_pass *loss, const struct rlm_batch *batch, size_t outputs)
{
    const relume_dataset *dataset = batch->dataset;
    for (size_t b = 0; b < rlm_round_up(batch->count, RLM_LANES); b++) {
        float *column = loss->targets + b / RLM_LANES * outputs * RLM_LANES + b % RLM_LANES;
        for (size_t n = 0; n < outputs; n++) {
            float target = 0.0f;
            if (b < batch->count && loss->labels)
                target = loss->labels[b] == n ? 1.0f : 0.0f;
            else if (b < batch->count)
                target = dataset->targets[batch_row(batch, b) * outputs + n];
            column[n * RLM_LANES] = target;
        }
    }
}

void rlm_loss_run(struct rlm_loss_pass *loss, const struct rlm_pass *pass, const struct rlm_batch *batch,
                  float *dlogits)
{
    const relume_network *network = pass->network;
    size_t outputs = relume_network_get_out_features(network);
    if (loss->labels)
        labels_fetch(loss->labels, batch);
    if (loss->targets)
        targets_fetch(loss, batch, outputs);
    struct rlm_loss arguments = {
        .batch = batch->count,
        .out_features = outputs,
        .logits = pass->layer[network->layer_count - 1].z,
        .labels = loss->labels,
        .targets = loss->targets,
        .dlogits = dlogits,
        .loss = loss->loss,
        .correct = loss->correct,
        .faint = &loss->faint,
    };
    loss->faint = RLM_FAINT_NONE;
    switch (network->loss) {
    case RELUME_LOSS_MSE:
        network->kernels->loss_mse(&arguments);
        break;
    case RELUME_LOSS_BCE:
        network->kernels->loss_bce(&arguments);
        break;
    default:
        network->kernels->loss_softmax(&arguments);
    }
}

void rlm_loss_add(const struct rlm_loss_pass *loss, size_t count, struct rlm_loss_sum *sum)
{
    struct rlm_loss_sum so_far = *sum;
    const float *values = loss->loss;
    const uint8_t *correct = loss->correct;
    for (size_t b = 0; b < count; b++)
        so_far.loss += (double)values[b];
    for (size_t b = 0; correct && b < count; b++)
        so_far.correct += correct[b];
    so_far.samples += count;
    *sum = so_far;
}

double rlm_loss_mean(const struct rlm_loss_sum *sum)
{
    return sum->samples > 0 ? sum->loss / (double)sum->samples : NAN;
}

double rlm_loss_accuracy(const struct rlm_loss_sum *sum, const relume_dataset *dataset)
{
    if (sum->samples == 0 || dataset->task != RELUME_CLASSIFICATION)
        return NAN;
    return (double)sum->correct / (double)sum->samples;
}
