/* One step: gather, forward, loss, backward, update. Everything that can be found wrong is found before
 * anything moves, so after a failure the weights are those before the step. Nothing is allocated here. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/rng.h"
#include "network/range.h"
#include "train/optimizer.h"
#include "train/squares.h"
#include "train/state.h"

/* ---- the batch ---- */

/* The order of an epoch follows from the seed and the epoch alone. */
static void order_prepare(relume_trainer *trainer, uint64_t epoch)
{
    if (!trainer->order || trainer->order_epoch == epoch)
        return;
    double begin = rlm_clock_now();
    struct rlm_rng rng = {trainer->options.seed, RLM_RNG_SHUFFLE, epoch};
    rlm_rng_shuffle(&rng, trainer->order, trainer->rows.count);
    trainer->order_epoch = epoch;
    trainer->step_seconds += rlm_clock_now() - begin;
}

/* The batch of the epoch in `order` that begins with the sample at place `begin`. */
static struct rlm_batch batch_at(const relume_trainer *trainer, size_t begin)
{
    return (struct rlm_batch){
        .dataset = trainer->dataset,
        .index = trainer->order ? trainer->order + begin : NULL, /* training rows come first in a dataset */
        .first = trainer->rows.first + begin,
        .count = rlm_size_min(trainer->batch_size, trainer->rows.count - begin),
        .after = trainer->rows.count - rlm_size_min(begin + trainer->batch_size, trainer->rows.count),
    };
}

/* The next step's epoch, and its number in that, both from 0. A division takes a small net 1 % of a step: it
 * is done once. */
struct moment {
    uint64_t epoch, step;
};

static struct moment moment_now(const relume_trainer *trainer)
{
    uint64_t epoch = trainer->step / trainer->steps_per_epoch;
    return (struct moment){epoch, trainer->step - epoch * trainer->steps_per_epoch};
}

static bool epoch_ends(const relume_trainer *trainer, const struct moment *now)
{
    return now->step + 1 == trainer->steps_per_epoch;
}

static struct rlm_batch batch_next(relume_trainer *trainer, const struct moment *now)
{
    order_prepare(trainer, now->epoch);
    return batch_at(trainer, (size_t)now->step * trainer->batch_size);
}

/* Where in a step the next batch is asked for. */
enum fetch { FETCH_FIRST, FETCH_FORWARD, FETCH_LOSS, FETCH_BACKWARD, FETCHES };

/* The batch after this one, which is asked for while this one is worked on; of another epoch there is no
 * order yet: then of no samples. */
static struct rlm_batch batch_after(const relume_trainer *trainer, const struct moment *now)
{
    if (epoch_ends(trainer, now))
        return (struct rlm_batch){.dataset = trainer->dataset};
    return batch_at(trainer, (size_t)(now->step + 1) * trainer->batch_size);
}

static void batch_fetch(const struct rlm_batch *after, enum fetch part)
{
    if (after->count > 0)
        rlm_batch_fetch(after, after->count * part / FETCHES, after->count * (part + 1) / FETCHES);
}

struct rlm_batch rlm_trainer_get_batch(relume_trainer *trainer)
{
    struct moment now = moment_now(trainer);
    return batch_next(trainer, &now);
}

/* ---- divergence ---- */

/* DIVERGED: "step 143 (epoch 1): " + what + where the weights stand + what to do. */
static relume_status diverged(const relume_trainer *trainer, const char *unit, const char *what,
                              relume_error *error)
{
    uint64_t step = trainer->step + 1, epoch = trainer->step / trainer->steps_per_epoch + 1;
    rlm_error_clear(error);
    rlm_error_at_item(error, unit);
    return rlm_error_set(error, RELUME_DIVERGED,
                         "step %llu (epoch %llu): %s; the weights are those before this step's update. "
                         "Lower the learning rate (%g here), warm it up, or clip the gradient",
                         (unsigned long long)step, (unsigned long long)epoch, what,
                         rlm_schedule_rate(&trainer->options, step, trainer->steps));
}

static relume_status diverged_forward(const relume_trainer *trainer, const struct rlm_fault *fault,
                                      relume_error *error)
{
    char unit[64], what[160];
    (void)snprintf(unit, sizeof unit, "%s.%zu", trainer->network->layers[fault->layer].name, fault->unit);
    (void)snprintf(what, sizeof what, "the pre-activation of unit %s is %g for training sample %zu", unit,
                   (double)fault->value, fault->sample);
    return diverged(trainer, unit, what, error);
}

/* The logits are finite, yet the loss is not: the largest logit of the first such sample has overflowed it.
 */
static relume_status diverged_loss(const relume_trainer *trainer, const struct rlm_batch *batch,
                                   relume_error *error)
{
    size_t outputs = relume_network_get_out_features(trainer->network), place = 0, largest = 0;
    while (place + 1 < batch->count && isfinite(trainer->loss.loss[place]))
        place++;
    const float *logits = trainer->pass.layer[trainer->network->layer_count - 1].z +
                          place / RLM_LANES * outputs * RLM_LANES + place % RLM_LANES;
    for (size_t n = 1; n < outputs; n++)
        if (fabsf(logits[n * RLM_LANES]) > fabsf(logits[largest * RLM_LANES]))
            largest = n;
    char unit[64], what[160];
    (void)snprintf(unit, sizeof unit, "out.%zu", largest);
    (void)snprintf(what, sizeof what, "the loss of training sample %zu is %g (unit %s has the logit %g)",
                   batch->index ? batch->index[place] : batch->first + place,
                   (double)trainer->loss.loss[place], unit, (double)logits[largest * RLM_LANES]);
    return diverged(trainer, unit, what, error);
}

/* ---- updates ---- */

/* The coefficients of this step's updates. Those of an optimizer without moments follow from the rate alone,
 * and need not be worked out anew while that stays. */
static void updates_set(relume_trainer *trainer, bool store)
{
    uint64_t step = trainer->step + 1;
    double rate = rlm_schedule_rate(&trainer->options, step, trainer->steps);
    if (trainer->updates_set && rate == trainer->updates_rate && !store && trainer->slot_count < 2)
        return;
    struct rlm_update weight = {.kind = RLM_UPDATE_STORE}, bias = weight;
    if (!store) {
        weight = rlm_optimizer_update(&trainer->options, rate, step, false);
        bias = rlm_optimizer_update(&trainer->options, rate, step, true);
    }
    trainer->updates_set = !store;
    trainer->updates_rate = rate;
    for (size_t l = 0; l < trainer->network->layer_count; l++) {
        trainer->backward.layer[l].weight = weight;
        trainer->backward.layer[l].bias = bias;
    }
}

/* Adds the squares of a layer's gradient to `sum`: weight rows in order, then the bias. False, with the first
 * bad row, when one is not finite (a square of a float always fits a double). */
static bool layer_squares(const relume_trainer *trainer, size_t index, double *sum, size_t *row)
{
    const struct rlm_layer *layer = &trainer->network->layers[index];
    const struct rlm_gradient *gradient = &trainer->gradients[index];
    double bias;
    rlm_squares_find(trainer->network, index, gradient->weight, gradient->bias, trainer->squares, &bias);
    for (*row = 0; *row < layer->out_features; ++*row) {
        double squares = trainer->squares[*row];
        if (!isfinite(squares) || !isfinite(gradient->bias[*row]))
            return false;
        *sum += squares;
    }
    *sum += bias;
    return true;
}

struct apply_region {
    const struct rlm_kernels *kernels;
    struct rlm_apply arguments;
    size_t first; /* of rlm_stride_task */
};

static void apply_range(void *context, size_t begin, size_t end)
{
    const struct apply_region *region = context;
    region->kernels->apply(&region->arguments, region->first + begin, region->first + end);
}

static void layer_apply(const relume_trainer *trainer, size_t index, float scale)
{
    const struct rlm_layer *layer = &trainer->network->layers[index];
    const struct rlm_layer_update *update = &trainer->backward.layer[index];
    struct apply_region weight = {
        .kernels = trainer->network->kernels,
        .arguments = {.rows = layer->out_features,
                      .columns = layer->in_features,
                      .stride = layer->stride,
                      .gradient = update->dweight,
                      .gradient_scale = scale,
                      .update = update->weight,
                      .parameter = layer->weight,
                      .s1 = update->weight_s1,
                      .s2 = update->weight_s2},
    };
    struct rlm_stride_task task = {.pool = trainer->network->engine->pool,
                                   .layer = layer,
                                   .count = layer->out_features,
                                   .work = layer->out_features * layer->in_features,
                                   .task = apply_range,
                                   .context = &weight,
                                   .first = &weight.first};
    rlm_stride_begin(trainer->backward.stride, layer);
    rlm_stride_run(trainer->backward.stride, &task);
    rlm_stride_end(trainer->backward.stride, layer, index);
    struct rlm_apply bias = {.rows = 1,
                             .columns = layer->out_features,
                             .stride = rlm_round_up(layer->out_features, RLM_LANES),
                             .gradient = update->dbias,
                             .gradient_scale = scale,
                             .update = update->bias,
                             .parameter = layer->bias,
                             .s1 = update->bias_s1,
                             .s2 = update->bias_s2};
    trainer->network->kernels->apply(&bias, 0, 1);
}

/* Backward, the gradient's 2-norm, then the updates with the gradient scaled down to clip_norm where it is
 * longer. The decay is no part of the norm, as in PyTorch's clip_grad_norm_. */
static relume_status backward_clipped(relume_trainer *trainer, relume_error *error)
{
    updates_set(trainer, true);
    rlm_backward_run(&trainer->backward, &trainer->pass);
    double sum = 0.0;
    for (size_t l = 0; l < trainer->network->layer_count; l++) {
        size_t row;
        if (layer_squares(trainer, l, &sum, &row))
            continue;
        char unit[64], what[120];
        (void)snprintf(unit, sizeof unit, "%s.%zu", trainer->network->layers[l].name, row);
        (void)snprintf(what, sizeof what, "the gradient of unit %s is not finite", unit);
        return diverged(trainer, unit, what, error);
    }
    double norm = sqrt(sum);
    float scale = norm > trainer->options.clip_norm ? (float)(trainer->options.clip_norm / norm) : 1.0f;
    updates_set(trainer, false);
    for (size_t l = 0; l < trainer->network->layer_count; l++)
        layer_apply(trainer, l, scale);
    if (trainer->sleep[0].units > 0) /* it does not tell which rows it has moved */
        memset(trainer->sleep[0].motion, RLM_MOTION_MOVED, trainer->sleep[0].units);
    return RELUME_OK;
}

/* ---- the step ---- */

/* What the step just done tells of units at rest. */
static void rest_note(relume_trainer *trainer, const struct moment *now)
{
    const struct rlm_layer_update *update = &trainer->backward.layer[0];
    bool still = rlm_update_is_still(&update->weight) && rlm_update_is_still(&update->bias);
    for (size_t l = 0; l + 1 < trainer->network->layer_count; l++)
        rlm_sleep_note(&trainer->sleep[l], trainer->pass.layer[l].active, trainer->step);
    if (trainer->rest.units == 0)
        return;
    rlm_rest_note(&trainer->rest, &trainer->pass, trainer->step, still ? NULL : trainer->sleep[0].motion);
    if (epoch_ends(trainer, now))
        rlm_rest_note_epoch(&trainer->rest, &trainer->pass, trainer->step - trainer->steps_per_epoch + 1);
}

/* Its time is the steps' that gain by it. */
static void proof_look(relume_trainer *trainer)
{
    uint64_t epoch = trainer->steps_per_epoch, left = epoch - trainer->step % epoch;
    if (trainer->steps - trainer->step < left)
        left = trainer->steps - trainer->step;
    if (!rlm_proof_is_due(&trainer->proof, trainer->step, left, epoch))
        return;
    double begin = rlm_clock_now();
    rlm_proof_look(&trainer->proof, &trainer->pass, &trainer->rest, &trainer->sleep[0], trainer->step);
    trainer->step_seconds += rlm_clock_now() - begin;
}

static void condense_look(relume_trainer *trainer)
{
    if (!rlm_condensed_is_due(&trainer->condensed, &trainer->sleep[0], trainer->step))
        return;
    struct rlm_condense_view view = {
        .place = rlm_sleep_place_of(trainer->network, 1, &trainer->backward.layer[1], trainer->step),
        .rest = &trainer->rest,
        .first = &trainer->sleep[0],
        .second = &trainer->sleep[1],
        .bound = trainer->backward.rest};
    double begin = rlm_clock_now();
    rlm_condensed_look(&trainer->condensed, &view);
    trainer->step_seconds += rlm_clock_now() - begin;
}

static void observer_tell(const relume_trainer *trainer, const struct moment *now, size_t batch)
{
    if (!trainer->observer.stepped)
        return;
    struct rlm_step_view view = {
        .step = trainer->step,
        .epoch = now->epoch + 1,
        .batch = batch,
        .layers = trainer->network->layer_count - 1,
        .layer = trainer->views,
    };
    trainer->observer.stepped(trainer->observer.user, &view);
}

static relume_status step_batch(relume_trainer *trainer, const struct moment *now,
                                const struct rlm_batch *batch, relume_error *error)
{
    struct rlm_fault fault;
    if (trainer->lent && trainer->rest.units > 0)
        rlm_rest_put_back(&trainer->rest, &trainer->pass);
    trainer->lent = false;
    struct rlm_batch after = batch_after(trainer, now);
    batch_fetch(&after, FETCH_FIRST);
    if (!rlm_pass_run(&trainer->pass, batch, &fault))
        return fault.reading != RELUME_OK ? rlm_fault_report(&fault, trainer->network, "", error)
                                          : diverged_forward(trainer, &fault, error);
    batch_fetch(&after, FETCH_FORWARD);
    rlm_loss_run(&trainer->loss, &trainer->pass, batch, trainer->backward.dlogits);
    trainer->backward.step = trainer->step;
    trainer->backward.faint = trainer->loss.faint;
    batch_fetch(&after, FETCH_LOSS);
    struct rlm_loss_sum sum = {0};
    if (now->step != 0)
        sum = trainer->epoch_sum;
    rlm_loss_add(&trainer->loss, batch->count, &sum);
    if (!isfinite(sum.loss))
        return diverged_loss(trainer, batch, error);
    if (trainer->gradients) {
        RLM_TRY(backward_clipped(trainer, error));
    } else {
        updates_set(trainer, false);
        rlm_backward_run(&trainer->backward, &trainer->pass);
    }
    batch_fetch(&after, FETCH_BACKWARD);
    trainer->epoch_sum = sum;
    return RELUME_OK;
}

/* Two looks at the clock take some 50 ns, half as much as a small net's loss: where steps are short, and an
 * epoch has enough of them, one in CLOCK_STEPS stands for those before it. */
#define CLOCK_STEPS 16
#define CLOCK_SHORT 20e-6
#define CLOCK_EPOCH 256

static relume_status step_timed(relume_trainer *trainer, const struct moment *now,
                                const struct rlm_batch *batch, relume_error *error)
{
    if (++trainer->untimed < trainer->timed_every)
        return step_batch(trainer, now, batch, error);
    double begin = rlm_clock_now();
    relume_status status = step_batch(trainer, now, batch, error);
    double spent = rlm_clock_now() - begin;
    trainer->step_seconds += spent * trainer->untimed;
    trainer->untimed = 0;
    trainer->timed_every = spent < CLOCK_SHORT && trainer->steps_per_epoch >= CLOCK_EPOCH ? CLOCK_STEPS : 1;
    return status;
}

relume_status relume_trainer_step(relume_trainer *trainer, relume_error *error)
{
    if (trainer->step >= trainer->steps) {
        rlm_error_clear(error);
        return rlm_error_set(error, RELUME_USAGE, "all %llu steps of this training are done",
                             (unsigned long long)trainer->steps);
    }
    struct moment now = moment_now(trainer);
    struct rlm_batch batch = batch_next(trainer, &now);
    RLM_TRY(step_timed(trainer, &now, &batch, error));
    trainer->step++;
    trainer->samples += batch.count;
    if (trainer->backward.stride)
        trainer->backward.stride->known = true;
    observer_tell(trainer, &now, batch.count);
    rest_note(trainer, &now);
    proof_look(trainer);
    condense_look(trainer);
    return RELUME_OK;
}

relume_status relume_trainer_epoch(relume_trainer *trainer, relume_error *error)
{
    do
        RLM_TRY(relume_trainer_step(trainer, error));
    while (trainer->step % trainer->steps_per_epoch != 0);
    return RELUME_OK;
}
