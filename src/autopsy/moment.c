/* See moment.h. */
#include "autopsy/moment.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "network/range.h"

static void moment_layout(struct rlm_arena *arena, struct rlm_moment *moment)
{
    size_t layers = moment->after->layer_count, slots = rlm_moment_slots(moment);
    moment->slot = rlm_arena_take(arena, layers * 2, sizeof *moment->slot);
    moment->wanted = rlm_arena_take(arena, layers, sizeof *moment->wanted);
    moment->dead = rlm_arena_take(arena, moment->after->layers[0].out_features, 1);
    for (size_t l = 0; l < layers; l++) {
        const struct rlm_layer *layer = &moment->after->layers[l];
        uint8_t *wanted = rlm_arena_take(arena, layer->out_features, 1);
        if (wanted) {
            memset(wanted, 1, layer->out_features);
            moment->wanted[l] = wanted;
        }
        for (size_t s = 0; s < slots; s++) {
            struct rlm_kept_slot kept = {
                .weight = rlm_arena_take(arena, layer->out_features * layer->stride, sizeof(float)),
                .bias = rlm_arena_take(arena, layer->out_features, sizeof(float))};
            if (moment->slot)
                moment->slot[l * 2 + s] = kept;
        }
    }
}

relume_status rlm_moment_init(struct rlm_moment *moment, const relume_trainer_options *options,
                              relume_trainer *trainer, relume_network *before, const relume_network *after,
                              const relume_dataset *dataset, relume_error *error)
{
    struct rlm_moment made = {.options = options, .trainer = trainer, .after = after, .before = before};
    size_t capacity = rlm_size_min(options->batch_size, dataset->train_samples);
    RLM_TRY(rlm_dissection_init(&made.dissection, before, dataset, capacity, error));
    moment_layout(&made.arena, &made);
    size_t bytes = made.arena.overflow ? SIZE_MAX : made.arena.used;
    if (!rlm_arena_init(&made.arena, &after->engine->allocator)) {
        rlm_dissection_deinit(&made.dissection);
        return rlm_error_memory(error, bytes, "the state before an update");
    }
    moment_layout(&made.arena, &made);
    *moment = made;
    return RELUME_OK;
}

void rlm_moment_deinit(struct rlm_moment *moment)
{
    rlm_dissection_deinit(&moment->dissection);
    rlm_arena_deinit(&moment->arena);
    *moment = (struct rlm_moment){0};
}

size_t rlm_moment_slots(const struct rlm_moment *moment)
{
    return rlm_trainer_slots(moment->trainer);
}

void rlm_moment_want_none(struct rlm_moment *moment)
{
    for (size_t l = 0; l < moment->after->layer_count; l++)
        memset(moment->wanted[l], 0, moment->after->layers[l].out_features);
}

void rlm_moment_want(struct rlm_moment *moment, size_t layer, size_t unit)
{
    moment->wanted[layer][unit] = 1;
}

struct keep_region {
    const struct rlm_moment *moment;
    size_t layer;
};

/* Whether a unit is what it was when it was kept last: as most dead ones are. */
static bool is_kept(const struct rlm_moment *moment, size_t layer, size_t unit)
{
    return layer == 0 && moment->step > 0 && rlm_trainer_unit_rested(moment->trainer, unit, moment->step - 1);
}

/* The rows of some units. */
static void keep_range(void *context, size_t begin, size_t end)
{
    const struct keep_region *region = context;
    const struct rlm_moment *moment = region->moment;
    const struct rlm_layer *from = &moment->after->layers[region->layer];
    const struct rlm_layer *to = &moment->before->layers[region->layer];
    size_t row = from->stride * sizeof(float);
    for (size_t unit = begin; unit < end; unit++)
        if (!is_kept(moment, region->layer, unit))
            memcpy(to->weight + unit * from->stride, from->weight + unit * from->stride, row);
    for (size_t s = 0; s < rlm_moment_slots(moment); s++) {
        struct rlm_slot slot = rlm_trainer_get_slot(moment->trainer, region->layer, s);
        const struct rlm_kept_slot *kept = &moment->slot[region->layer * 2 + s];
        for (size_t unit = begin; unit < end; unit++)
            if (moment->wanted[region->layer][unit])
                memcpy(kept->weight + unit * from->stride, slot.weight + unit * from->stride, row);
    }
}

static void keep_layer(const struct rlm_moment *moment, size_t layer)
{
    const struct rlm_layer *from = &moment->after->layers[layer];
    struct keep_region region = {moment, layer};
    memcpy(moment->before->layers[layer].bias, from->bias, from->out_features * sizeof(float));
    for (size_t s = 0; s < rlm_moment_slots(moment); s++)
        memcpy(moment->slot[layer * 2 + s].bias, rlm_trainer_get_slot(moment->trainer, layer, s).bias,
               from->out_features * sizeof(float));
    rlm_range_run(moment->after->engine->pool, from->out_features, from->out_features * from->in_features,
                  keep_range, &region);
}

void rlm_moment_keep(struct rlm_moment *moment)
{
    for (size_t l = 0; l < moment->after->layer_count; l++) {
        rlm_trainer_settle_units(moment->trainer, l, moment->wanted[l]);
        keep_layer(moment, l);
    }
    relume_progress progress = relume_trainer_get_progress(moment->trainer);
    moment->step = progress.step + 1;
    moment->rate = rlm_schedule_rate(moment->options, moment->step, progress.steps);
    moment->batch = rlm_trainer_get_batch(moment->trainer);
    moment->dissected = false;
}

void rlm_moment_forget(struct rlm_moment *moment)
{
    moment->step = 0;
}

/* The units of the first layer that are dead after the update and were the same before it; NULL: not known.
 */
static const uint8_t *find_dead(const struct rlm_moment *moment)
{
    const uint8_t *dead = rlm_trainer_get_dead(moment->trainer);
    for (size_t unit = 0; dead && unit < moment->after->layers[0].out_features; unit++)
        moment->dead[unit] = dead[unit] && rlm_trainer_unit_rested(moment->trainer, unit, moment->step - 1);
    return dead ? moment->dead : NULL;
}

relume_status rlm_moment_dissect(struct rlm_moment *moment, relume_error *error)
{
    if (!moment->dissected)
        RLM_TRY(rlm_dissection_run(&moment->dissection, &moment->batch, moment->options->clip_norm,
                                   find_dead(moment), error));
    moment->dissected = true;
    return RELUME_OK;
}

void rlm_moment_get(const struct rlm_moment *moment, size_t layer, size_t unit,
                    const struct rlm_unit_rows *rows)
{
    const struct rlm_layer *before = &moment->before->layers[layer], *after = &moment->after->layers[layer];
    size_t features = before->in_features, at = unit * before->stride, bytes = features * sizeof(float);
    memcpy(rows->before, before->weight + at, bytes);
    rows->before[features] = before->bias[unit];
    memcpy(rows->after, after->weight + at, bytes);
    rows->after[features] = after->bias[unit];
    if (moment->dissected)
        rlm_dissection_gradient(&moment->dissection, layer, unit, rows->gradient);
    for (size_t s = 0; s < rlm_moment_slots(moment); s++) {
        const struct rlm_kept_slot *slot = &moment->slot[layer * 2 + s];
        float *to = s == 0 ? rows->s1 : rows->s2;
        memcpy(to, slot->weight + at, bytes);
        to[features] = slot->bias[unit];
    }
}

struct ratio_region {
    const struct rlm_layer *before, *after;
    double *ratio;
};

/* Weights in order, the bias last, as rlm_move_ratio adds: a unit must not stand below itself. */
static void ratio_range(void *context, size_t begin, size_t end)
{
    const struct ratio_region *region = context;
    const struct rlm_layer *before = region->before, *after = region->after;
    for (size_t unit = begin; unit < end; unit++) {
        const float *was = before->weight + unit * before->stride, *is = after->weight + unit * after->stride;
        double bias = (double)before->bias[unit], last = (double)after->bias[unit] - bias;
        region->ratio[unit] = 0.0;
        if (last == 0.0 && memcmp(was, is, before->in_features * sizeof *was) == 0)
            continue; /* as most dead units */
        double moved = 0.0, size = 0.0;
        for (size_t k = 0; k < before->in_features; k++) {
            double change = (double)is[k] - (double)was[k];
            moved += change * change;
            size += (double)was[k] * (double)was[k];
        }
        moved += last * last;
        size += bias * bias;
        region->ratio[unit] = moved > 0.0 ? sqrt(moved / size) : 0.0;
    }
}

void rlm_moment_ratios(const struct rlm_moment *moment, size_t layer, double *ratio)
{
    struct ratio_region region = {&moment->before->layers[layer], &moment->after->layers[layer], ratio};
    size_t units = region.before->out_features;
    rlm_range_run(moment->after->engine->pool, units, units * region.before->in_features * 2, ratio_range,
                  &region);
}
