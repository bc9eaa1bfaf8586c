/* Trainers: checking the options, allocating everything a step will use, and telling where training is. The
 * step itself is in step.c. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "train/optimizer.h"
#include "train/state.h"

void relume_trainer_options_default(relume_trainer_options *options)
{
    *options = (relume_trainer_options){
        .epochs = 10,
        .batch_size = 128,
        .optimizer = RELUME_MOMENTUM,
        .learning_rate = 0.1,
        .momentum = 0.9,
        .beta1 = 0.9,
        .beta2 = 0.999,
        .epsilon = 1e-8,
        .schedule = RELUME_SCHEDULE_CONSTANT,
    };
}

/* ---- options ---- */

/* A range of numbers an option may have; `open` leaves the end out. NaN is in none. */
struct option_range {
    const char *name;
    double value, low, high;
    bool open_low, open_high;
};

static relume_status range_check(const struct option_range *range, relume_error *error)
{
    bool above = range->open_low ? range->value > range->low : range->value >= range->low;
    bool below = range->open_high ? range->value < range->high : range->value <= range->high;
    if (above && below)
        return RELUME_OK;
    rlm_error_at_item(error, range->name);
    return rlm_error_set(error, RELUME_USAGE, "%s is %g, expected a number %s %g and %s %g", range->name,
                         range->value, range->open_low ? "above" : "from", range->low,
                         range->open_high ? "below" : "to", range->high);
}

static relume_status numbers_check(const relume_trainer_options *options, relume_error *error)
{
    const struct option_range ranges[] = {
        {"learning_rate", options->learning_rate, 0, FLT_MAX, false, false},
        {"momentum", options->momentum, 0, 1, false, true},
        {"beta1", options->beta1, 0, 1, false, true},
        {"beta2", options->beta2, 0, 1, false, true},
        {"epsilon", options->epsilon, FLT_MIN, 1, false, false},
        {"weight_decay", options->weight_decay, 0, FLT_MAX, false, false},
        {"clip_norm", options->clip_norm, 0, FLT_MAX, false, false},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        RLM_TRY(range_check(&ranges[i], error));
    return RELUME_OK;
}

static relume_status points_check(const relume_trainer_options *options, relume_error *error)
{
    if (options->schedule != RELUME_SCHEDULE_POINTS)
        return RELUME_OK;
    rlm_error_at_item(error, "points");
    if (options->point_count == 0 || !options->points)
        return rlm_error_set(error, RELUME_USAGE,
                             "the schedule of points has no points, expected at least one");
    for (size_t i = 0; i < options->point_count; i++) {
        const relume_schedule_point *point = &options->points[i];
        if (point->step == 0 || (i > 0 && point->step <= point[-1].step))
            return rlm_error_set(
                error, RELUME_USAGE,
                "point %zu of the schedule is at step %llu, expected steps from 1 that ascend", i + 1,
                (unsigned long long)point->step);
        if (!(point->learning_rate >= 0 && point->learning_rate <= (double)FLT_MAX))
            return rlm_error_set(error, RELUME_USAGE,
                                 "point %zu of the schedule has the learning rate %g, expected 0 or more",
                                 i + 1, point->learning_rate);
    }
    return RELUME_OK;
}

static relume_status options_check(const relume_trainer_options *options, relume_error *error)
{
    if ((unsigned)options->optimizer >= RELUME_OPTIMIZER_COUNT)
        return rlm_error_set(error, RELUME_USAGE, "optimizer number %d is none", (int)options->optimizer);
    if ((unsigned)options->schedule >= RELUME_SCHEDULE_COUNT)
        return rlm_error_set(error, RELUME_USAGE, "schedule number %d is none", (int)options->schedule);
    if (options->batch_size == 0) {
        rlm_error_at_item(error, "batch_size");
        return rlm_error_set(error, RELUME_USAGE, "batch_size is 0, expected at least 1");
    }
    RLM_TRY(numbers_check(options, error));
    return points_check(options, error);
}

static relume_status data_check(const relume_network *network, const relume_dataset *dataset,
                                relume_error *error)
{
    RLM_TRY(rlm_pass_check(network, dataset, error));
    RLM_TRY(rlm_loss_check(network, dataset, error));
    size_t samples = dataset->train_samples;
    if (samples == 0 || samples > UINT32_MAX)
        return rlm_error_set(error, RELUME_MISMATCH,
                             "dataset %s has %zu training samples, expected 1 to 4294967295", dataset->name,
                             samples);
    return RELUME_OK;
}

/* ---- memory ---- */

static void slots_layout(struct rlm_arena *arena, relume_trainer *trainer)
{
    const relume_network *network = trainer->network;
    size_t count = trainer->slot_count;
    trainer->slots = rlm_arena_take(arena, network->layer_count * count, sizeof *trainer->slots);
    for (size_t l = 0; l < network->layer_count; l++) {
        const struct rlm_layer *layer = &network->layers[l];
        for (size_t s = 0; s < count; s++) {
            struct rlm_slot slot = {.suffix = rlm_optimizer_slot_name(trainer->options.optimizer, s)};
            slot.weight = rlm_arena_take(arena, layer->out_features * layer->stride, sizeof(float));
            slot.bias = rlm_arena_take(arena, layer->out_features, sizeof(float));
            if (trainer->slots)
                trainer->slots[l * count + s] = slot;
        }
    }
}

static void gradients_layout(struct rlm_arena *arena, relume_trainer *trainer)
{
    const relume_network *network = trainer->network;
    size_t widest = 1;
    trainer->gradients = rlm_arena_take(arena, network->layer_count, sizeof *trainer->gradients);
    for (size_t l = 0; l < network->layer_count; l++) {
        const struct rlm_layer *layer = &network->layers[l];
        struct rlm_gradient gradient;
        gradient.weight = rlm_arena_take(arena, layer->out_features * layer->stride, sizeof(float));
        gradient.bias = rlm_arena_take(arena, layer->out_features, sizeof(float));
        if (trainer->gradients)
            trainer->gradients[l] = gradient;
        widest = rlm_size_max(widest, layer->out_features);
    }
    trainer->squares = rlm_arena_take(arena, widest, sizeof *trainer->squares);
}

/* Fewer weights than these are multiplied as fast as one looks which units could be left out. */
#define REST_LEAST ((size_t)4096)

static bool rest_is_watched(const struct rlm_layer *layer, const relume_trainer_options *options)
{
    return options->dense < 0 ||
           (options->dense == 0 && layer->out_features >= REST_LEAST / layer->in_features);
}

/* The first layer is watched for proofs (rest.h), too: there it matters what moved, whether or not anybody
 * can ever sleep. */
static void rest_layout(struct rlm_arena *arena, relume_trainer *trainer,
                        const relume_trainer_options *options)
{
    const relume_network *network = trainer->network;
    bool sleeps = isfinite(rlm_optimizer_rest_bound(options).limit) && !(options->clip_norm > 0);
    trainer->sleep = rlm_arena_take(arena, network->layer_count, sizeof *trainer->sleep);
    struct rlm_sleep none = {0};
    for (size_t l = 0; l + 1 < network->layer_count; l++)
        if (rest_is_watched(&network->layers[l], options) && (l == 0 || sleeps))
            rlm_sleep_layout(arena, trainer->sleep ? &trainer->sleep[l] : &none,
                             network->layers[l].out_features);
    if (network->layer_count > 1 && rest_is_watched(&network->layers[0], options)) {
        rlm_rest_layout(arena, &trainer->rest, network->layers[0].out_features);
        rlm_proof_layout(arena, &trainer->proof, network, trainer->dataset);
    }
}

/* Fewer weights stay in a near cache from step to step. */
#define CONDENSE_LEAST ((size_t)16384)

/* Where units of the second hidden layer may sleep, and deaths in the first be proved. */
static bool condense_is_wanted(const relume_trainer *trainer, const relume_trainer_options *options)
{
    const relume_network *network = trainer->network;
    if (network->layer_count < 3 || trainer->rest.units == 0 || trainer->sleep[1].units == 0)
        return false;
    const struct rlm_layer *layer = &network->layers[1];
    return options->dense < 0 || layer->out_features >= CONDENSE_LEAST / layer->in_features;
}

static void trainer_layout(struct rlm_arena *arena, relume_trainer *trainer,
                           const relume_trainer_options *options)
{
    trainer->views = rlm_arena_take(arena, trainer->network->layer_count, sizeof *trainer->views);
    if (!options->no_shuffle)
        trainer->order = rlm_arena_take(arena, trainer->rows.count, sizeof *trainer->order);
    slots_layout(arena, trainer);
    rest_layout(arena, trainer, options);
    if (options->clip_norm > 0)
        gradients_layout(arena, trainer);
    if (options->schedule == RELUME_SCHEDULE_POINTS) {
        relume_schedule_point *points = rlm_arena_take(arena, options->point_count, sizeof *points);
        if (points)
            memcpy(points, options->points, options->point_count * sizeof *points);
        trainer->options.points = points;
    }
}

/* The tensors each layer's backward kernel works on; the coefficients are set anew at every step. */
static void updates_connect(relume_trainer *trainer)
{
    size_t count = trainer->slot_count;
    for (size_t l = 0; l < trainer->network->layer_count; l++) {
        struct rlm_layer_update *update = &trainer->backward.layer[l];
        const struct rlm_slot *slot = trainer->slots + l * count;
        update->weight_s1 = count > 0 ? slot[0].weight : NULL;
        update->bias_s1 = count > 0 ? slot[0].bias : NULL;
        update->weight_s2 = count > 1 ? slot[1].weight : NULL;
        update->bias_s2 = count > 1 ? slot[1].bias : NULL;
        update->dweight = trainer->gradients ? trainer->gradients[l].weight : NULL;
        update->dbias = trainer->gradients ? trainer->gradients[l].bias : NULL;
    }
}

static void views_connect(relume_trainer *trainer)
{
    for (size_t l = 0; l + 1 < trainer->network->layer_count; l++)
        trainer->views[l] = (struct rlm_layer_step){
            .units = trainer->network->layers[l].out_features,
            .gates = trainer->pass.layer[l].gates,
            .active = trainer->pass.layer[l].active,
        };
}

static relume_status trainer_allocate(relume_trainer *trainer, const relume_trainer_options *options,
                                      relume_error *error)
{
    const relume_network *network = trainer->network;
    unsigned wants = RLM_PASS_GATES | RLM_PASS_ACTIVE | RLM_PASS_FEATURES;
    if (options->dense <= 0)
        wants |= options->dense < 0 ? RLM_PASS_LIVE | RLM_PASS_EAGER : RLM_PASS_LIVE;
    RLM_TRY(rlm_pass_init(&trainer->pass, network, trainer->batch_size, wants, error));
    RLM_TRY(rlm_loss_init(&trainer->loss, network, trainer->dataset, trainer->batch_size, error));
    RLM_TRY(rlm_backward_init(&trainer->backward, &trainer->pass, error));
    trainer_layout(&trainer->arena, trainer, options);
    size_t bytes = trainer->arena.overflow ? SIZE_MAX : trainer->arena.used;
    if (!rlm_arena_init(&trainer->arena, &network->engine->allocator))
        return rlm_error_memory(error, bytes, "the optimizer's state and the order of samples");
    trainer_layout(&trainer->arena, trainer, options);
    trainer->backward.sleep = trainer->sleep;
    trainer->backward.condensed = &trainer->condensed;
    trainer->backward.rest = rlm_optimizer_rest_bound(&trainer->options);
    if (condense_is_wanted(trainer, options))
        rlm_condensed_init(&trainer->condensed, network, trainer->slot_count);
    updates_connect(trainer);
    views_connect(trainer);
    return RELUME_OK;
}

static relume_status steps_count(relume_trainer *trainer, relume_error *error)
{
    trainer->batch_size = rlm_size_min(trainer->options.batch_size, trainer->rows.count);
    trainer->steps_per_epoch = rlm_divide_up(trainer->rows.count, trainer->batch_size);
    if (__builtin_mul_overflow(trainer->options.epochs, trainer->steps_per_epoch, &trainer->steps))
        return rlm_error_set(error, RELUME_USAGE, "epochs is %llu: so many steps cannot be counted",
                             (unsigned long long)trainer->options.epochs);
    return RELUME_OK;
}

relume_status relume_trainer_create(relume_network *network, const relume_dataset *dataset,
                                    const relume_trainer_options *options, relume_trainer **trainer,
                                    relume_error *error)
{
    rlm_error_clear(error);
    relume_trainer_options defaults;
    relume_trainer_options_default(&defaults);
    if (!options)
        options = &defaults;
    RLM_TRY(options_check(options, error));
    RLM_TRY(data_check(network, dataset, error));
    relume_trainer *made = rlm_alloc_zero(&network->engine->allocator, 1, sizeof *made);
    if (!made)
        return rlm_error_memory(error, sizeof *made, "a trainer");
    made->network = network;
    made->dataset = dataset;
    made->options = *options;
    made->rows = rlm_dataset_rows(dataset, RELUME_SPLIT_TRAIN);
    made->order_epoch = UINT64_MAX;
    made->slot_count = rlm_optimizer_slots(options->optimizer);
    relume_status status = steps_count(made, error);
    if (status == RELUME_OK)
        status = trainer_allocate(made, options, error);
    if (status != RELUME_OK) {
        relume_trainer_destroy(made);
        return status;
    }
    *trainer = made;
    return RELUME_OK;
}

void relume_trainer_destroy(relume_trainer *trainer)
{
    if (!trainer)
        return;
    rlm_pass_deinit(&trainer->pass);
    rlm_loss_deinit(&trainer->loss);
    rlm_backward_deinit(&trainer->backward);
    rlm_condensed_deinit(&trainer->condensed);
    rlm_arena_deinit(&trainer->arena);
    rlm_free(trainer);
}

/* ---- asking ---- */

relume_progress relume_trainer_get_progress(const relume_trainer *trainer)
{
    uint64_t rate_step = trainer->step > 0 ? trainer->step : 1;
    return (relume_progress){
        .step = trainer->step,
        .steps = trainer->steps,
        .epoch = trainer->step / trainer->steps_per_epoch,
        .epochs = trainer->options.epochs,
        .steps_per_epoch = trainer->steps_per_epoch,
        .learning_rate = rlm_schedule_rate(&trainer->options, rate_step, trainer->steps),
        .loss = rlm_loss_mean(&trainer->epoch_sum),
        .accuracy = rlm_loss_accuracy(&trainer->epoch_sum, trainer->dataset),
        .step_seconds = trainer->step_seconds,
        .samples = trainer->samples,
    };
}

uint64_t rlm_trainer_get_samples(const relume_trainer *trainer)
{
    return trainer->samples;
}

void rlm_trainer_settle_units(relume_trainer *trainer, size_t layer, const uint8_t *wanted)
{
    struct rlm_backward *backward = &trainer->backward;
    struct rlm_sleep_place place = rlm_backward_place(backward, trainer->network, layer, trainer->step);
    rlm_sleep_settle(&trainer->sleep[layer], &place, wanted);
    if (layer != 1)
        return;
    place = rlm_sleep_place_of(trainer->network, layer, &backward->layer[layer], trainer->step);
    rlm_condensed_settle(&trainer->condensed, &place, wanted);
}

void rlm_trainer_settle(relume_trainer *trainer)
{
    for (size_t l = 0; l < trainer->network->layer_count; l++)
        rlm_trainer_settle_units(trainer, l, NULL);
}

/* Parameters or states are no longer what the last step left behind. */
static void rest_forget(relume_trainer *trainer)
{
    for (size_t l = 0; l < trainer->network->layer_count; l++)
        rlm_sleep_forget(&trainer->sleep[l]);
    rlm_condensed_forget(&trainer->condensed);
    rlm_rest_forget(&trainer->rest, &trainer->pass, trainer->step);
}

void relume_trainer_parameters_changed(relume_trainer *trainer)
{
    rlm_trainer_settle(trainer);
    rest_forget(trainer);
}

bool rlm_trainer_unit_rested(const relume_trainer *trainer, size_t unit, uint64_t step)
{
    return unit < trainer->rest.units && trainer->rest.stirred[unit] <= step;
}

const struct rlm_pass *rlm_trainer_lend(relume_trainer *trainer)
{
    trainer->lent = true;
    return &trainer->pass;
}

void rlm_trainer_note_dead(relume_trainer *trainer, const uint8_t *dead)
{
    rlm_rest_note_dead(&trainer->rest, &trainer->pass, dead);
}

const uint8_t *rlm_trainer_get_dead(const relume_trainer *trainer)
{
    return trainer->rest.units > 0 ? trainer->rest.proved : NULL;
}

void rlm_trainer_measure(relume_trainer *trainer, struct rlm_stride *stride)
{
    trainer->backward.stride = stride;
}

void rlm_trainer_observe(relume_trainer *trainer, const struct rlm_observer *observer)
{
    trainer->observer = observer ? *observer : (struct rlm_observer){0};
}

size_t rlm_trainer_slots(const relume_trainer *trainer)
{
    return trainer->slot_count;
}

struct rlm_slot rlm_trainer_get_slot(const relume_trainer *trainer, size_t layer, size_t slot)
{
    return trainer->slots[layer * trainer->slot_count + slot];
}

struct rlm_trainer_state rlm_trainer_get_state(const relume_trainer *trainer)
{
    return (struct rlm_trainer_state){
        .step = trainer->step,
        .epoch_loss = trainer->epoch_sum.loss,
        .epoch_correct = trainer->epoch_sum.correct,
        .epoch_samples = trainer->epoch_sum.samples,
    };
}

relume_status rlm_trainer_set_state(relume_trainer *trainer, const struct rlm_trainer_state *state,
                                    relume_error *error)
{
    if (state->step > trainer->steps)
        return rlm_error_set(error, RELUME_USAGE, "the state is of step %llu, training has %llu steps",
                             (unsigned long long)state->step, (unsigned long long)trainer->steps);
    trainer->step = state->step;
    rest_forget(trainer);
    trainer->epoch_sum = (struct rlm_loss_sum){state->epoch_loss, state->epoch_correct, state->epoch_samples};
    return RELUME_OK;
}
