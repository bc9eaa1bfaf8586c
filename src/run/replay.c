/* Repeating a run to find its deaths. See autopsy.h.
 *
 * The ledger says that a unit lived after `after` updates and was dead after `until`. From `after` on it is
 * counted over all of D after every update repeated, until it is found dead: that update killed it. A unit
 * that lives is mostly seen to live by the one sample that opened it last, without a count. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "run/autopsy.h"

#define SIZES_EVERY 16 /* updates between those whose sizes are kept */

/* ---- going from step to step ---- */

static relume_status load(struct rlm_inquest *inquest, uint64_t step, relume_error *error)
{
    RLM_TRY(rlm_run_load_checkpoint(inquest->run, step, inquest->network, inquest->trainer, NULL, error));
    inquest->placed = true;
    return RELUME_OK;
}

static void keep_sizes(struct rlm_inquest *inquest)
{
    for (size_t l = 0; l < inquest->layers; l++) {
        struct rlm_sizes *sizes = &inquest->sizes[l];
        size_t units = inquest->network->layers[l].out_features;
        if (sizes->count + units > sizes->capacity)
            continue;
        rlm_moment_ratios(&inquest->moment, l, inquest->ratio);
        for (size_t u = 0; u < units; u++)
            sizes->ratio[sizes->count++] = (float)inquest->ratio[u];
    }
}

relume_status rlm_inquest_step(struct rlm_inquest *inquest, relume_error *error)
{
    const relume_autopsy_options *options = inquest->options;
    uint64_t step = rlm_trainer_get_state(inquest->trainer).step + 1;
    bool sized = step % SIZES_EVERY == 0;
    if (sized && inquest->moment.step != step)
        rlm_moment_keep(&inquest->moment);
    RLM_TRY(relume_trainer_step(inquest->trainer, error));
    inquest->repeated++;
    if (sized)
        keep_sizes(inquest);
    if (options->progress)
        options->progress(options->user, step, inquest->as_of);
    if (options->stop && *options->stop)
        return rlm_error_set(error, RELUME_INTERRUPTED, "stopped at step %" PRIu64 " of the run", step);
    return RELUME_OK;
}

relume_status rlm_inquest_go(struct rlm_inquest *inquest, uint64_t step, relume_error *error)
{
    uint64_t checkpoint, at = rlm_trainer_get_state(inquest->trainer).step;
    RLM_TRY(rlm_run_find_checkpoint(inquest->run, step, &checkpoint, error));
    if (!inquest->placed || at > step || checkpoint > at)
        RLM_TRY(load(inquest, checkpoint, error));
    inquest->moment.step = 0;
    while (rlm_trainer_get_state(inquest->trainer).step < step)
        RLM_TRY(rlm_inquest_step(inquest, error));
    return RELUME_OK;
}

/* ---- alive or dead ---- */

relume_status rlm_inquest_try(struct rlm_inquest *inquest, struct rlm_hint *hint, size_t count,
                              relume_error *error)
{
    for (size_t done = 0; done < count;) {
        size_t some = count - done < inquest->pass.capacity ? count - done : inquest->pass.capacity;
        struct rlm_batch batch = {.dataset = inquest->run->dataset, .index = inquest->sample, .count = some};
        struct rlm_fault fault;
        for (size_t i = 0; i < some; i++)
            inquest->sample[i] = (uint32_t)hint[done + i].sample;
        if (!rlm_pass_run(&inquest->pass, &batch, &fault))
            return rlm_fault_report(&fault, inquest->network, "repeating a run", error);
        for (size_t i = 0; i < some; i++) {
            struct rlm_hint *one = &hint[done + i];
            size_t units = inquest->network->layers[one->layer].out_features;
            uint16_t gates = inquest->pass.layer[one->layer].gates[i / RLM_LANES * units + one->unit];
            one->fires = gates >> i % RLM_LANES & 1;
        }
        done += some;
    }
    return RELUME_OK;
}

/* Keeps the samples that opened a unit widest, from the count of it. */
static void keep_hints(struct rlm_target *target, const struct rlm_variants *variants, size_t index,
                       size_t samples)
{
    target->hints = 0;
    for (size_t sample = 0; sample < samples; sample++) {
        float p = rlm_variants_get(variants, index, sample);
        size_t full = target->hints == RLM_HINTS;
        if (!(p > 0.0f) || (full && p <= rlm_variants_get(variants, index, target->hint[RLM_HINTS - 1])))
            continue;
        size_t at = full ? RLM_HINTS - 1 : target->hints++;
        for (; at > 0 && rlm_variants_get(variants, index, target->hint[at - 1]) < p; at--)
            target->hint[at] = target->hint[at - 1];
        target->hint[at] = (uint32_t)sample;
    }
}

/* Counts the deaths listed, units of one layer, after the update; *dead of them, moved to the front, are. The
 * targets of the others take the sample that opened them. */
static void count_listed(struct rlm_inquest *inquest, size_t listed, size_t *dead)
{
    relume_death **list = inquest->list;
    size_t layer = list[0]->layer, capacity = inquest->causes.now.capacity;
    const struct rlm_inputs *inputs = rlm_strata_get(&inquest->strata, layer, RLM_AFTER);
    const struct rlm_layer *shape = &inquest->network->layers[layer];
    struct rlm_variants *variants = &inquest->causes.now;
    rlm_variants_fit(variants, inputs);
    *dead = 0;
    for (size_t done = 0; done < listed; done += capacity) {
        size_t some = listed - done < capacity ? listed - done : capacity;
        for (size_t i = 0; i < some; i++) {
            size_t unit = list[done + i]->unit;
            rlm_strata_gather(&inquest->strata, layer, shape->weight + unit * shape->stride,
                              shape->bias[unit], inquest->causes.variant);
            rlm_variants_put(variants, i, inquest->causes.variant);
        }
        rlm_variants_count(variants, some, inputs);
        for (size_t i = 0; i < some; i++) {
            relume_death *death = list[done + i];
            struct rlm_tally tally = rlm_variants_tally(variants, i, inputs->samples);
            struct rlm_target *target = (struct rlm_target *)death; /* its first member */
            if (tally.active > 0) {
                keep_hints(target, variants, i, inputs->samples);
                continue;
            }
            death->samples = inputs->samples;
            death->margin_after = death->after = tally.margin;
            death->sample = tally.nearest;
            list[(*dead)++] = death;
        }
    }
}

/* Lists the units of a layer that are sought and not seen to live by their hints. */
static relume_status list_doubtful(struct rlm_inquest *inquest, size_t layer, size_t *listed,
                                   relume_error *error)
{
    *listed = 0;
    for (size_t i = 0; i < inquest->targets; i++) {
        struct rlm_target *target = &inquest->target[i];
        if (target->state != RLM_SOUGHT || target->death.layer != layer)
            continue;
        struct rlm_hint hint[RLM_HINTS];
        bool fires = false;
        for (size_t h = 0; h < target->hints; h++)
            hint[h] = (struct rlm_hint){layer, target->death.unit, target->hint[h], false};
        RLM_TRY(rlm_inquest_try(inquest, hint, target->hints, error));
        for (size_t h = 0; h < target->hints; h++)
            fires = fires || hint[h].fires;
        if (!fires)
            inquest->list[(*listed)++] = &target->death;
    }
    return RELUME_OK;
}

/* ---- what a death is told by ---- */

/* The census before a death, and whether the unit had been falling ever since. */
static relume_status look_back(struct rlm_inquest *inquest, relume_death *death, relume_error *error)
{
    uint64_t step;
    RLM_TRY(rlm_history_get_census_step(&inquest->history, death->step - 1, &step, error));
    if (step == UINT64_MAX || death->step - step < 10)
        return RELUME_OK;
    if (!inquest->census || inquest->census_step != step) {
        relume_census_options options;
        relume_census_options_default(&options);
        relume_census_destroy(inquest->census);
        inquest->census = NULL;
        RLM_TRY(rlm_history_get_census(&inquest->history, step, inquest->network, &options, &inquest->census,
                                       error));
        inquest->census_step = step;
    }
    relume_unit_account then = relume_census_get_layer(inquest->census, death->layer).unit[death->unit];
    double fall = (double)then.margin - (double)death->margin_after;
    double last = (double)death->margin_before - (double)death->margin_after;
    if (then.active == 0 || 10.0 * last >= fall)
        return RELUME_OK;
    death->drift = 1;
    death->drift_from = step;
    death->drift_margin = then.margin;
    death->drift_fired = then.active;
    return RELUME_OK;
}

static void compare_sizes(struct rlm_inquest *inquest, size_t dead)
{
    size_t layer = inquest->list[0]->layer, units = inquest->network->layers[layer].out_features;
    rlm_moment_ratios(&inquest->moment, layer, inquest->ratio);
    for (size_t i = 0; i < dead; i++) {
        size_t less = 0;
        for (size_t u = 0; u < units; u++)
            less += inquest->ratio[u] < inquest->list[i]->update_ratio;
        inquest->list[i]->update_percentile = 100.0 * (double)less / (double)units;
    }
}

static relume_status enter_deaths(struct rlm_inquest *inquest, size_t dead, relume_error *error)
{
    struct rlm_moment *moment = &inquest->moment;
    relume_death **list = inquest->list;
    uint64_t per_epoch = relume_trainer_get_progress(inquest->trainer).steps_per_epoch;
    RLM_TRY(rlm_moment_dissect(moment, error));
    for (size_t i = 0; i < dead; i++) {
        list[i]->step = moment->step;
        list[i]->epoch = (moment->step - 1) / per_epoch + 1;
        list[i]->layer_deaths = dead;
        ((struct rlm_target *)list[i])->state = RLM_FOUND;
    }
    RLM_TRY(rlm_causes_find(&inquest->causes, moment, &inquest->strata, list, dead, error));
    compare_sizes(inquest, dead);
    size_t returned = 0;
    for (size_t i = 0; i < dead; i++) {
        RLM_TRY(look_back(inquest, list[i], error));
        if (list[i]->returned != 0)
            list[returned++] = list[i];
    }
    struct rlm_standing standing = {.trainer = inquest->trainer,
                                    .options = &inquest->run->options.trainer,
                                    .data = inquest->run->dataset->name};
    if (returned > 0)
        rlm_prognosis_find(&inquest->causes, &inquest->strata, &standing, list, returned);
    return RELUME_OK;
}

/* ---- the replay ---- */

static relume_status contradiction(const struct rlm_inquest *inquest, const struct rlm_target *target,
                                   relume_error *error)
{
    return rlm_error_set(error, RELUME_BAD_FORMAT,
                         "%s: the history has h%zu.%zu dead after step %" PRIu64
                         ", repeating the run from its checkpoints has it alive: they are not of one run",
                         inquest->run->paths.folder, target->death.layer + 1, target->death.unit,
                         target->until);
}

/* One update with units in doubt. */
static relume_status step_hot(struct rlm_inquest *inquest, relume_error *error)
{
    rlm_moment_keep(&inquest->moment);
    uint64_t step = inquest->moment.step;
    RLM_TRY(rlm_inquest_step(inquest, error));
    rlm_strata_move(&inquest->strata, inquest->before, inquest->network, step);
    for (size_t layer = 0; layer < inquest->layers; layer++) {
        size_t listed, dead = 0;
        RLM_TRY(list_doubtful(inquest, layer, &listed, error));
        if (listed > 0)
            count_listed(inquest, listed, &dead);
        if (dead > 0)
            RLM_TRY(enter_deaths(inquest, dead, error));
    }
    for (size_t i = 0; i < inquest->targets; i++)
        if (inquest->target[i].state == RLM_SOUGHT && inquest->target[i].until <= step)
            return contradiction(inquest, &inquest->target[i], error);
    return RELUME_OK;
}

/* Takes up the targets that begin at `step`; returns how many are sought now. *next: where the next waiting
 * one begins. */
static size_t take_up(struct rlm_inquest *inquest, uint64_t step, uint64_t *next)
{
    size_t sought = 0;
    *next = UINT64_MAX;
    for (size_t i = 0; i < inquest->targets; i++) {
        struct rlm_target *target = &inquest->target[i];
        if (target->state == RLM_WAITING && target->after <= step)
            target->state = RLM_SOUGHT;
        if (target->state == RLM_WAITING && target->after < *next)
            *next = target->after;
        sought += target->state == RLM_SOUGHT;
    }
    return sought;
}

relume_status rlm_inquest_replay(struct rlm_inquest *inquest, relume_error *error)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < inquest->targets; i++)
        if (inquest->target[i].state == RLM_WAITING && inquest->target[i].after < next)
            next = inquest->target[i].after;
    while (next != UINT64_MAX) {
        RLM_TRY(rlm_inquest_go(inquest, next, error));
        while (take_up(inquest, rlm_trainer_get_state(inquest->trainer).step, &next) > 0)
            RLM_TRY(step_hot(inquest, error));
    }
    return RELUME_OK;
}
