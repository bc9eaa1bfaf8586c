/* Repeating a run to find its deaths. See autopsy.h.
 *
 * The ledger says that a unit lived after `after` updates and was dead after `until`. From `after` on it is
 * counted over all of D after every update repeated, until it is found dead: that update killed it. A unit
 * that lives is mostly seen to live by the one sample that opened it last, without a count. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/bits.h"
#include "base/checked.h"
#include "base/error.h"
#include "run/autopsy.h"

#define HINTS_A_STEP 4
#define HINTS_BEFORE 512 /* updates before the last firing from which on openers are noted */

/* ---- going from step to step ---- */

/* Units of the first layer that are known to be dead need not be worked out in the steps to come. */
static void spare_dead(struct rlm_inquest *inquest)
{
    rlm_strata_list_dead(&inquest->strata, inquest->network, inquest->dead);
    rlm_trainer_note_dead(inquest->trainer, inquest->dead);
}

/* What a census found at the weights of a checkpoint need not be found again: none of D opened these units.
 */
static void recall_dead(struct rlm_inquest *inquest, uint64_t step)
{
    rlm_docket_list_dead(inquest->docket, step, inquest->dead);
    for (size_t unit = 0; unit < inquest->network->layers[0].out_features; unit++)
        if (inquest->dead[unit])
            rlm_strata_note_dead(&inquest->strata, inquest->network, unit, 0.0f);
}

static relume_status load(struct rlm_inquest *inquest, uint64_t step, relume_error *error)
{
    struct rlm_docket *docket = inquest->docket;
    (void)pthread_mutex_lock(&docket->lock);
    relume_status status =
        rlm_run_load_checkpoint(docket->run, step, inquest->network, inquest->trainer, NULL, error);
    (void)pthread_mutex_unlock(&docket->lock);
    if (status != RELUME_OK)
        return status;
    inquest->placed = true;
    recall_dead(inquest, step);
    spare_dead(inquest);
    return RELUME_OK;
}

static void keep_sizes(struct rlm_inquest *inquest)
{
    for (size_t l = 0; l < inquest->layers; l++) {
        struct rlm_sizes *sizes = &inquest->stretch->sizes[l];
        size_t units = inquest->network->layers[l].out_features;
        if (sizes->count + units > sizes->capacity)
            continue;
        rlm_moment_ratios(&inquest->moment, l, inquest->ratio);
        for (size_t u = 0; u < units; u++)
            sizes->ratio[sizes->count++] = (float)inquest->ratio[u];
    }
}

/* The caller's flag may be set in any of the caller's threads, or by a signal, while those of a crew look. */
static bool is_stopped(const struct rlm_docket *docket)
{
    const volatile int *stop = docket->options->stop;
    return (stop && __atomic_load_n(stop, __ATOMIC_RELAXED) != 0) || atomic_load(&docket->halted);
}

/* One update more is done, of all that are to be repeated. */
static relume_status tell(struct rlm_inquest *inquest, uint64_t step, relume_error *error)
{
    struct rlm_docket *docket = inquest->docket;
    const relume_autopsy_options *options = docket->options;
    uint64_t done = atomic_fetch_add(&docket->done, 1) + 1;
    inquest->stretch->repeated++;
    if (inquest->tells && options->progress)
        options->progress(options->user, done, docket->total);
    if (is_stopped(docket))
        return rlm_error_set(error, RELUME_INTERRUPTED, "stopped at step %" PRIu64 " of the run", step);
    return RELUME_OK;
}

relume_status rlm_inquest_step(struct rlm_inquest *inquest, relume_error *error)
{
    uint64_t step = rlm_trainer_get_state(inquest->trainer).step + 1;
    bool sized = step % RLM_SIZES_EVERY == 0;
    if (sized && inquest->moment.step != step)
        rlm_moment_keep(&inquest->moment);
    inquest->batch = rlm_trainer_get_batch(inquest->trainer);
    RLM_TRY(relume_trainer_step(inquest->trainer, error));
    if (sized)
        keep_sizes(inquest);
    return tell(inquest, step, error);
}

relume_status rlm_inquest_go(struct rlm_inquest *inquest, uint64_t step, relume_error *error)
{
    uint64_t checkpoint, at = rlm_trainer_get_state(inquest->trainer).step;
    RLM_TRY(rlm_docket_checkpoint(inquest->docket, step, &checkpoint, error));
    if (!inquest->placed || at > step || checkpoint > at)
        RLM_TRY(load(inquest, checkpoint, error));
    rlm_moment_forget(&inquest->moment);
    while (rlm_trainer_get_state(inquest->trainer).step < step)
        RLM_TRY(rlm_inquest_step(inquest, error));
    return RELUME_OK;
}

/* ---- alive or dead ---- */

/* Where there is no room left, in the place of the one that has been there longest. */
static void add_hint(struct rlm_target *target, uint32_t sample)
{
    if (target->hints < RLM_HINTS)
        target->hint[target->hints++] = sample;
    else
        target->hint[1 + target->next++ % (RLM_HINTS - 1)] = sample;
}

/* The samples of a batch that opened a unit, some of them. */
static void take_openers(struct rlm_target *target, const struct rlm_step_view *view,
                         const struct rlm_batch *batch)
{
    const struct rlm_layer_step *seen = &view->layer[target->death.layer];
    size_t unit = target->death.unit, taken = 0;
    if (seen->active[unit] == 0)
        return;
    for (size_t panel = 0; panel < rlm_divide_up(view->batch, RLM_LANES); panel++)
        for (unsigned gates = seen->gates[panel * seen->units + unit]; gates != 0 && taken < HINTS_A_STEP;) {
            unsigned lane = rlm_bits_highest(gates);
            size_t place = panel * RLM_LANES + lane;
            add_hint(target, batch->index ? batch->index[place] : (uint32_t)(batch->first + place));
            gates &= ~(1u << lane);
            taken++;
        }
}

/* What opened a unit in the updates before it died is the first to be asked whether it still lives. */
void rlm_inquest_observe(void *user, const struct rlm_step_view *view)
{
    struct rlm_inquest *inquest = user;
    for (size_t i = 0; i < inquest->targets; i++) {
        struct rlm_target *target = &inquest->target[i];
        bool soon = target->state == RLM_WAITING && target->after < view->step + HINTS_BEFORE;
        if (soon || target->state == RLM_SOUGHT)
            take_openers(target, view, &inquest->batch);
    }
}

/* Nor need hints be tried on them. */
static void spare_tried(struct rlm_inquest *inquest)
{
    const uint8_t *dead = rlm_trainer_get_dead(inquest->trainer);
    size_t units = inquest->network->layers[0].out_features;
    if (!dead || memcmp(dead, inquest->spared, units) == 0)
        return;
    memcpy(inquest->spared, dead, units);
    rlm_pass_leave_out(&inquest->pass, 0, dead);
}

relume_status rlm_inquest_try(struct rlm_inquest *inquest, struct rlm_hint *hint, size_t count,
                              relume_error *error)
{
    if (count > 0)
        spare_tried(inquest);
    for (size_t done = 0; done < count;) {
        size_t some = count - done < inquest->pass.capacity ? count - done : inquest->pass.capacity;
        struct rlm_batch batch = {
            .dataset = inquest->docket->run->dataset, .index = inquest->sample, .count = some};
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

/* The places of a span at which a counted unit is highest and above `floor`, the highest first; up to `most`
 * of them, how many is returned. */
static size_t find_highest(const struct rlm_variants *variants, size_t index, struct rlm_span span,
                           float floor, size_t most, size_t *highest)
{
    size_t count = 0;
    for (size_t place = span.first; place < span.last; place++) {
        if (place % RLM_LANES == 0 && !rlm_variants_above(variants, index, place, floor)) {
            place += RLM_LANES - 1;
            continue;
        }
        float p = rlm_variants_get(variants, index, place);
        if (!(p > floor))
            continue;
        size_t at = count < most ? count++ : most - 1;
        for (; at > 0 && rlm_variants_get(variants, index, highest[at - 1]) < p; at--)
            highest[at] = highest[at - 1];
        highest[at] = place;
        if (count == most)
            floor = rlm_variants_get(variants, index, highest[most - 1]);
    }
    return count;
}

/* Keeps the samples of a span that opened a unit widest, from the count of it; returns whether there are any.
 */
static bool keep_hints(struct rlm_target *target, const struct rlm_variants *variants, size_t index,
                       const struct rlm_inputs *inputs, struct rlm_span span)
{
    size_t widest[RLM_LANES], count = find_highest(variants, index, span, 0.0f, RLM_LANES, widest);
    for (size_t h = 0; h < count; h++)
        add_hint(target, (uint32_t)rlm_inputs_sample(inputs, widest[h]));
    if (count > 0)
        target->hint[0] = (uint32_t)rlm_inputs_sample(inputs, widest[0]);
    return count > 0;
}

static void put_listed(struct rlm_inquest *inquest, size_t layer, relume_death *const *list, size_t count)
{
    const struct rlm_layer *shape = &inquest->network->layers[layer];
    for (size_t i = 0; i < count; i++) {
        rlm_strata_gather(&inquest->strata, layer, shape->weight + list[i]->unit * shape->stride,
                          shape->bias[list[i]->unit], inquest->causes.variant);
        rlm_variants_put(&inquest->causes.now, i, inquest->causes.variant);
    }
}

/* What is known of how high each unit is at some sample. */
static void find_floors(relume_death *const *list, const struct rlm_tally *tally, size_t count, float *floor)
{
    for (size_t i = 0; i < count; i++) {
        floor[i] = ((const struct rlm_target *)list[i])->highest; /* its first member */
        floor[i] = tally[i].margin > floor[i] ? tally[i].margin : floor[i];
    }
}

/* Takes the count of a span into the tallies. Units that live, by a sample of it, are done with: the others
 * move to the front, with their tallies, and their number is returned. */
static size_t sift(struct rlm_inquest *inquest, relume_death **list, struct rlm_tally *tally, size_t count,
                   const struct rlm_inputs *inputs, struct rlm_span span)
{
    const struct rlm_variants *variants = &inquest->causes.now;
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        if (keep_hints((struct rlm_target *)list[i], variants, i, inputs, span)) /* its first member */
            continue;
        rlm_tally_add(&tally[i], variants, i, inputs, span);
        tally[left] = tally[i];
        list[left++] = list[i];
    }
    return left;
}

static void enter_dead(struct rlm_inquest *inquest, relume_death *death, const struct rlm_tally *tally)
{
    if (death->layer == 0)
        rlm_strata_note_dead(&inquest->strata, inquest->network, death->unit, tally->margin);
    death->samples = inquest->docket->run->dataset->train_samples;
    death->margin_after = death->after = tally->margin;
    death->sample = tally->nearest;
}

/* Counts some units, as many as there is room for, over more and more of D until each has been seen to fire
 * or all of D has been looked at. The targets of those that live take the samples that opened them; the
 * others are dead: moved to the front, their number returned. */
static size_t count_some(struct rlm_inquest *inquest, size_t layer, relume_death **list, size_t count)
{
    struct rlm_variants *variants = &inquest->causes.now;
    const struct rlm_inputs *inputs = rlm_strata_open(&inquest->strata, layer);
    struct rlm_seek *seek = &inquest->causes.seek;
    struct rlm_tally tally[RLM_CAUSE_COUNTED];
    float floor[RLM_CAUSE_COUNTED];
    size_t placed = 0;
    for (size_t i = 0; i < count; i++)
        tally[i] = RLM_TALLY_NONE;
    rlm_variants_fit(variants, inputs);
    for (struct rlm_span span = {0, 0}; count > 0 && span.last < inputs->samples;) {
        if (placed != count) {
            put_listed(inquest, layer, list, count);
            rlm_seek_take(seek, layer, variants, count);
        }
        placed = count;
        find_floors(list, tally, count, floor);
        span = rlm_seek_next(seek, layer, span);
        rlm_seek_high(seek, layer, RLM_AFTER, variants, count, span, floor, RLM_SEEK_ALL);
        count = sift(inquest, list, tally, count, inputs, span);
    }
    for (size_t i = 0; i < count; i++)
        enter_dead(inquest, list[i], &tally[i]);
    return count;
}

/* Counts the deaths listed, units of one layer, after the update; those that are dead move to the front, and
 * their number is returned. */
static size_t count_listed(struct rlm_inquest *inquest, size_t listed)
{
    relume_death **list = inquest->list;
    size_t layer = list[0]->layer, capacity = inquest->causes.now.capacity, dead = 0;
    for (size_t done = 0; done < listed; done += capacity) {
        size_t some = count_some(inquest, layer, list + done, rlm_size_min(capacity, listed - done));
        for (size_t i = 0; i < some; i++)
            list[dead++] = list[done + i];
    }
    return dead;
}

/* The hint that has just opened its unit is tried first next time. */
static void settle(struct rlm_target *target, size_t sample)
{
    size_t at = 0;
    while (target->hint[at] != sample)
        at++;
    target->hint[at] = target->hint[0];
    target->hint[0] = (uint32_t)sample;
    target->doubtful = false;
}

/* Units of the first layer: their inputs are at hand. */
static void try_first(struct rlm_inquest *inquest, struct rlm_target *target)
{
    const struct rlm_layer *shape = &inquest->network->layers[0];
    const struct rlm_inputs *inputs = rlm_strata_get(&inquest->strata, 0, RLM_AFTER);
    float *variant = inquest->causes.variant;
    size_t unit = target->death.unit;
    rlm_strata_gather(&inquest->strata, 0, shape->weight + unit * shape->stride, shape->bias[unit], variant);
    for (size_t h = 0; h < target->hints && target->doubtful; h++) {
        float p = rlm_inputs_preactivate(inputs, rlm_inputs_place(inputs, target->hint[h]), variant);
        target->highest = p > target->highest ? p : target->highest;
        if (p > 0.0f)
            settle(target, target->hint[h]);
    }
}

/* Hints of several units, to be tried together. */
struct trials {
    struct rlm_hint hint[RLM_TRIED];
    struct rlm_target *target[RLM_TRIED];
    size_t count;
};

static relume_status try_together(struct rlm_inquest *inquest, struct trials *trials, relume_error *error)
{
    RLM_TRY(rlm_inquest_try(inquest, trials->hint, trials->count, error));
    for (size_t i = 0; i < trials->count; i++)
        if (trials->hint[i].fires && trials->target[i]->doubtful)
            settle(trials->target[i], trials->hint[i].sample);
    trials->count = 0;
    return RELUME_OK;
}

/* Tries hints first … last − 1 of the doubtful units of a deeper layer. */
static relume_status try_deeper(struct rlm_inquest *inquest, size_t layer, size_t first, size_t last,
                                relume_error *error)
{
    struct trials trials;
    trials.count = 0;
    for (size_t i = 0; i < inquest->targets; i++) {
        struct rlm_target *target = &inquest->target[i];
        for (size_t h = first; target->doubtful && h < last && h < target->hints; h++) {
            trials.target[trials.count] = target;
            trials.hint[trials.count++] =
                (struct rlm_hint){layer, target->death.unit, target->hint[h], false};
            if (trials.count == RLM_TRIED)
                RLM_TRY(try_together(inquest, &trials, error));
        }
    }
    return try_together(inquest, &trials, error);
}

static size_t list_left(struct rlm_inquest *inquest)
{
    size_t listed = 0;
    for (size_t i = 0; i < inquest->targets; i++)
        if (inquest->target[i].doubtful)
            inquest->list[listed++] = &inquest->target[i].death;
    return listed;
}

/* None of the hints of these units opens them. What the layers below made of D some updates ago says which
 * samples are worth a try: other hints take the places of the old ones. False: nothing was made. */
static bool guess_hints(struct rlm_inquest *inquest, size_t layer)
{
    struct rlm_variants *variants = &inquest->causes.now;
    const struct rlm_inputs *inputs = rlm_strata_at(&inquest->strata, layer, RLM_AFTER);
    size_t listed = list_left(inquest), some;
    rlm_variants_fit(variants, inputs);
    for (size_t done = 0; done < listed; done += some) {
        some = rlm_size_min(variants->capacity, listed - done);
        put_listed(inquest, layer, inquest->list + done, some);
        if (!rlm_seek_guess(&inquest->causes.seek, layer, variants, some))
            return false;
        for (size_t i = 0; i < some; i++) {
            struct rlm_target *target = (struct rlm_target *)inquest->list[done + i]; /* its first member */
            size_t highest[RLM_HINTS];
            target->hints = find_highest(variants, i, (struct rlm_span){0, inputs->samples}, -INFINITY,
                                         RLM_HINTS, highest);
            for (size_t h = 0; h < target->hints; h++)
                target->hint[h] = (uint32_t)rlm_inputs_sample(inputs, highest[h]);
        }
    }
    return listed > 0;
}

/* The best hint of each unit first, since one panel of samples serves sixteen units. */
static relume_status try_all(struct rlm_inquest *inquest, size_t layer, relume_error *error)
{
    RLM_TRY(try_deeper(inquest, layer, 0, 1, error));
    RLM_TRY(try_deeper(inquest, layer, 1, RLM_HINTS, error));
    return guess_hints(inquest, layer) ? try_deeper(inquest, layer, 0, RLM_HINTS, error) : RELUME_OK;
}

/* Lists the units of a layer that are sought and not seen to live by their hints. */
static relume_status list_doubtful(struct rlm_inquest *inquest, size_t layer, size_t *listed,
                                   relume_error *error)
{
    for (size_t i = 0; i < inquest->targets; i++) {
        struct rlm_target *target = &inquest->target[i];
        target->doubtful = target->state == RLM_SOUGHT && target->death.layer == layer;
        target->highest = -INFINITY;
        if (target->doubtful && layer == 0)
            try_first(inquest, target);
    }
    if (layer > 0)
        RLM_TRY(try_all(inquest, layer, error));
    *listed = list_left(inquest);
    return RELUME_OK;
}

/* ---- what a death is told by ---- */

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
    for (size_t i = 0; i < dead; i++)
        if (list[i]->returned != 0)
            list[returned++] = list[i];
    struct rlm_standing standing = {.trainer = inquest->trainer,
                                    .options = &inquest->docket->run->options.trainer,
                                    .data = inquest->docket->run->dataset->name};
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
                         inquest->docket->run->paths.folder, target->death.layer + 1, target->death.unit,
                         target->until);
}

/* The state before the update; of the optimizer's, the part that a death in it would ask for. */
static void keep_sought(struct rlm_inquest *inquest)
{
    rlm_moment_want_none(&inquest->moment);
    for (size_t i = 0; i < inquest->targets; i++)
        if (inquest->target[i].state == RLM_SOUGHT)
            rlm_moment_want(&inquest->moment, inquest->target[i].death.layer, inquest->target[i].death.unit);
    rlm_moment_keep(&inquest->moment);
}

/* One update with units in doubt. */
static relume_status step_hot(struct rlm_inquest *inquest, relume_error *error)
{
    keep_sought(inquest);
    uint64_t step = inquest->moment.step;
    bool counted = false;
    RLM_TRY(rlm_inquest_step(inquest, error));
    rlm_strata_move(&inquest->strata, inquest->before, inquest->network, step);
    for (size_t layer = 0; layer < inquest->layers; layer++) {
        size_t listed, dead = 0;
        RLM_TRY(list_doubtful(inquest, layer, &listed, error));
        if (listed > 0)
            dead = count_listed(inquest, listed);
        if (dead > 0)
            RLM_TRY(enter_deaths(inquest, dead, error));
        counted = counted || listed > 0;
    }
    if (counted)
        spare_dead(inquest);
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
