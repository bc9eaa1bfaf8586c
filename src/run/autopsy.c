/* The autopsy of a run: which deaths to look for, what that needs, and what is told in the end. The public
 * half is relume/autopsy.h; docs/autopsy.md tells the method. */
#include "run/autopsy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/clock.h"
#include "base/error.h"

void relume_autopsy_options_default(relume_autopsy_options *options)
{
    *options = (relume_autopsy_options){0};
}

/* ---- which deaths ---- */

static bool is_chosen(const relume_autopsy_options *options, const struct rlm_target *target, bool last)
{
    bool named = options->unit == NULL;
    for (size_t i = 0; options->unit && i < options->unit_count; i++)
        named = named || (options->unit[i].layer == target->death.layer &&
                          options->unit[i].unit == target->death.unit);
    if (!named)
        return false;
    if (options->all)
        return true;
    return options->unit ? last : target->death.returned == 0;
}

static struct rlm_target target_of(const relume_event *event)
{
    double none = (double)NAN;
    struct rlm_target target = {.after = event->after_step, .until = event->step};
    target.death = (relume_death){.layer = event->layer,
                                  .unit = event->unit,
                                  .kind = event->kind,
                                  .margin_before = NAN,
                                  .before = NAN,
                                  .learning_rate = none,
                                  .input_gamma = none,
                                  .update_ratio = none,
                                  .update_percentile = none,
                                  .run_percentile = none,
                                  .batch_loss = none,
                                  .gradient_norm = none};
    return target;
}

/* Every death of the ledger as a target; of each unit `last` names the latest, as 1 + its place. */
static size_t gather(const relume_run *run, const size_t *first, size_t *last, struct rlm_target *target)
{
    size_t count = 0;
    for (size_t i = 0; i < run->event_count; i++) {
        const relume_event *event = &run->event[i];
        size_t *latest = &last[first[event->layer] + event->unit];
        if (event->kind == RELUME_REVIVED) {
            if (*latest > 0)
                target[*latest - 1].death.returned = event->step;
            continue;
        }
        target[count++] = target_of(event);
        *latest = count;
    }
    return count;
}

static int by_after(const void *a, const void *b)
{
    const struct rlm_target *x = a, *y = b;
    if (x->after != y->after)
        return x->after < y->after ? -1 : 1;
    if (x->death.layer != y->death.layer)
        return x->death.layer < y->death.layer ? -1 : 1;
    return (x->death.unit > y->death.unit) - (x->death.unit < y->death.unit);
}

/* Keeps the deaths that were asked for; counts those of units that live and were not. */
static void choose(struct rlm_inquest *inquest, const size_t *first, const size_t *last, uint64_t *temporary)
{
    size_t kept = 0;
    *temporary = 0;
    for (size_t i = 0; i < inquest->targets; i++) {
        struct rlm_target *target = &inquest->target[i];
        bool latest = last[first[target->death.layer] + target->death.unit] == i + 1;
        if (is_chosen(inquest->options, target, latest))
            inquest->target[kept++] = *target;
        else
            *temporary += target->death.returned != 0;
    }
    inquest->targets = kept;
    qsort(inquest->target, kept, sizeof *inquest->target, by_after);
    for (size_t i = 0; i < kept; i++)
        inquest->layers = rlm_size_max(inquest->layers, inquest->target[i].death.layer + 1);
}

static relume_status plan(struct rlm_inquest *inquest, uint64_t *temporary, relume_error *error)
{
    const relume_run *run = inquest->run;
    size_t layers = run->network->layer_count - 1, units = 0;
    for (size_t l = 0; l < layers; l++)
        units += run->network->layers[l].out_features;
    const relume_allocator *allocator = &run->engine->allocator;
    size_t *first = rlm_alloc_zero(allocator, layers + 1, sizeof *first);
    size_t *last = rlm_alloc_zero(allocator, units, sizeof *last);
    inquest->target = rlm_alloc(allocator, run->event_count, sizeof *inquest->target);
    bool whole = first && last && inquest->target;
    if (whole) {
        for (size_t l = 0; l < layers; l++)
            first[l + 1] = first[l] + run->network->layers[l].out_features;
        inquest->targets = gather(run, first, last, inquest->target);
        choose(inquest, first, last, temporary);
    }
    rlm_free(first);
    rlm_free(last);
    return whole ? RELUME_OK
                 : rlm_error_memory(error, run->event_count * sizeof *inquest->target, "the deaths of a run");
}

/* The updates behind the weights that the run's events are told up to: of an unfinished run those of its last
 * census. What has happened since nobody has counted; a unit that was dead then may be alive. */
static relume_status find_moment(struct rlm_inquest *inquest, relume_error *error)
{
    struct rlm_ending ending;
    struct rlm_history *kept = &inquest->run->history; /* open where the run was counted late */
    inquest->history = kept->sql.handle ? kept : &inquest->own_history;
    if (inquest->history != kept)
        RLM_TRY(rlm_history_open(inquest->history, inquest->run->paths.history, false, error));
    RLM_TRY(rlm_history_get_ending(inquest->history, &ending, error));
    bool finished = strcmp(ending.status, "finished") == 0;
    inquest->as_of = ending.model_step;
    if (finished)
        return RELUME_OK;
    uint64_t counted;
    RLM_TRY(rlm_history_get_census_step(inquest->history, inquest->run->result.steps, &counted, error));
    inquest->as_of = counted == UINT64_MAX ? inquest->run->result.steps : counted;
    return RELUME_OK;
}

static relume_status check_units(const relume_run *run, const relume_autopsy_options *options,
                                 relume_error *error)
{
    for (size_t i = 0; options->unit && i < options->unit_count; i++) {
        const relume_autopsy_unit *unit = &options->unit[i];
        if (unit->layer + 1 >= run->network->layer_count)
            return rlm_error_set(error, RELUME_MISMATCH,
                                 "there is no unit h%zu.%zu: %s has %zu hidden layers", unit->layer + 1,
                                 unit->unit, run->paths.folder, run->network->layer_count - 1);
        size_t units = run->network->layers[unit->layer].out_features;
        if (unit->unit >= units)
            return rlm_error_set(error, RELUME_MISMATCH,
                                 "there is no unit h%zu.%zu: h%zu of %s has the units 0 to %zu",
                                 unit->layer + 1, unit->unit, unit->layer + 1, run->paths.folder, units - 1);
    }
    return RELUME_OK;
}

/* ---- what that needs ---- */

static relume_status make_sizes(struct rlm_inquest *inquest, relume_error *error)
{
    const relume_allocator *allocator = &inquest->run->engine->allocator;
    size_t widest = 1, steps = (size_t)(inquest->as_of / 16 + 2);
    inquest->sizes = rlm_alloc_zero(allocator, inquest->layers, sizeof *inquest->sizes);
    for (size_t l = 0; inquest->sizes && l < inquest->layers; l++) {
        size_t units = inquest->network->layers[l].out_features;
        struct rlm_sizes *sizes = &inquest->sizes[l];
        widest = rlm_size_max(widest, units);
        sizes->capacity = units * rlm_size_min(steps, 4096);
        sizes->ratio = rlm_alloc(allocator, sizes->capacity, sizeof *sizes->ratio);
        if (!sizes->ratio)
            return rlm_error_memory(error, sizes->capacity * sizeof *sizes->ratio, "the sizes of updates");
    }
    inquest->ratio = rlm_alloc(allocator, widest, sizeof *inquest->ratio);
    inquest->dead = rlm_alloc(allocator, rlm_size_max(widest, inquest->network->layers[0].out_features), 1);
    inquest->spared = rlm_alloc_zero(allocator, inquest->network->layers[0].out_features, 1);
    inquest->list = rlm_alloc(allocator, inquest->targets, sizeof *inquest->list);
    inquest->sample = rlm_alloc(allocator, RLM_TRIED, sizeof *inquest->sample);
    return inquest->sizes && inquest->ratio && inquest->dead && inquest->spared && inquest->list &&
                   inquest->sample
               ? RELUME_OK
               : rlm_error_memory(error, inquest->targets * sizeof *inquest->list, "the deaths of a run");
}

static relume_status open_networks(struct rlm_inquest *inquest, relume_error *error)
{
    relume_run *run = inquest->run;
    uint64_t step;
    RLM_TRY(rlm_run_find_checkpoint(run, inquest->as_of, &step, error));
    const char *path = rlm_paths_checkpoint(&run->paths, step);
    RLM_TRY(relume_network_load(run->engine, path, &inquest->network, error));
    RLM_TRY(relume_network_load(run->engine, path, &inquest->before, error));
    inquest->network->loss = inquest->before->loss = (relume_loss)run->options.loss;
    RLM_TRY(relume_trainer_create(inquest->network, run->dataset, &run->options.trainer, &inquest->trainer,
                                  error));
    struct rlm_observer observer = {rlm_inquest_observe, inquest};
    rlm_trainer_observe(inquest->trainer, &observer);
    return RELUME_OK;
}

static relume_status equip(struct rlm_inquest *inquest, relume_error *error)
{
    relume_run *run = inquest->run;
    RLM_TRY(open_networks(inquest, error));
    RLM_TRY(make_sizes(inquest, error));
    RLM_TRY(rlm_moment_init(&inquest->moment, &run->options.trainer, inquest->trainer, inquest->before,
                            inquest->network, run->dataset, error));
    RLM_TRY(rlm_strata_init(&inquest->strata, inquest->network, run->dataset, inquest->layers, error));
    size_t batch = rlm_size_min(run->options.trainer.batch_size, run->dataset->train_samples);
    RLM_TRY(rlm_causes_init(&inquest->causes, &inquest->strata, batch, error));
    return rlm_pass_init(&inquest->pass, inquest->network, RLM_TRIED,
                         RLM_PASS_GATES | RLM_PASS_ACTIVE | RLM_PASS_LIVE, error);
}

static void dismiss(struct rlm_inquest *inquest)
{
    rlm_pass_deinit(&inquest->pass);
    rlm_causes_deinit(&inquest->causes);
    rlm_strata_deinit(&inquest->strata);
    rlm_moment_deinit(&inquest->moment);
    rlm_history_close(&inquest->own_history);
    relume_census_destroy(inquest->census);
    relume_trainer_destroy(inquest->trainer);
    relume_network_destroy(inquest->before);
    relume_network_destroy(inquest->network);
    for (size_t l = 0; inquest->sizes && l < inquest->layers; l++)
        rlm_free(inquest->sizes[l].ratio);
    rlm_free(inquest->sizes);
    rlm_free(inquest->ratio);
    rlm_free(inquest->dead);
    rlm_free(inquest->spared);
    rlm_free(inquest->list);
    rlm_free(inquest->sample);
}

/* ---- births, and the end ---- */

/* Lists the deaths of a layer: born dead at the beginning, or still dead at the end. */
static size_t list_layer(struct rlm_inquest *inquest, size_t layer, bool births)
{
    size_t listed = 0;
    for (size_t i = 0; i < inquest->targets; i++) {
        relume_death *death = &inquest->target[i].death;
        bool wanted = births ? death->kind == RELUME_BORN_DEAD : death->returned == 0;
        if (death->layer == layer && wanted)
            inquest->list[listed++] = death;
    }
    return listed;
}

/* Where a whole layer is dead, no gradient gets to it or below it, and to the layer above it goes nothing but
 * 0. What that layer makes of its biases can move, and with it all that is further up. */
static struct rlm_standing standing_of(const struct rlm_inquest *inquest, bool end)
{
    const relume_run *run = inquest->run;
    struct rlm_standing standing = {
        .trainer = inquest->trainer, .options = &run->options.trainer, .data = run->dataset->name};
    for (size_t l = 0; end && l + 1 < run->network->layer_count; l++)
        if (run->layer[l].dead_at_end == run->network->layers[l].out_features)
            standing.still = l + 2;
    return standing;
}

static relume_status examine_births(struct rlm_inquest *inquest, relume_error *error)
{
    size_t births = 0;
    for (size_t i = 0; i < inquest->targets; i++)
        births += inquest->target[i].death.kind == RELUME_BORN_DEAD;
    if (births == 0)
        return RELUME_OK;
    RLM_TRY(rlm_inquest_go(inquest, 0, error));
    rlm_strata_move(&inquest->strata, inquest->network, inquest->network, 0);
    struct rlm_standing standing = standing_of(inquest, false);
    for (size_t layer = 0; layer < inquest->layers; layer++) {
        size_t listed = list_layer(inquest, layer, true), returned = 0;
        for (size_t i = 0; i < listed; i++) {
            relume_death *death = inquest->list[i];
            death->samples = inquest->run->dataset->train_samples;
            death->layer_deaths = listed;
            rlm_causes_birth(&inquest->causes, &inquest->strata, death);
            ((struct rlm_target *)death)->state = RLM_FOUND;
        }
        for (size_t i = 0; i < listed; i++)
            if (inquest->list[i]->returned != 0)
                inquest->list[returned++] = inquest->list[i];
        if (returned > 0)
            rlm_prognosis_find(&inquest->causes, &inquest->strata, &standing, inquest->list, returned);
    }
    return RELUME_OK;
}

static relume_status foretell(struct rlm_inquest *inquest, relume_error *error)
{
    RLM_TRY(rlm_inquest_go(inquest, inquest->as_of, error));
    rlm_strata_move(&inquest->strata, inquest->network, inquest->network, inquest->as_of);
    struct rlm_standing standing = standing_of(inquest, true);
    for (size_t layer = 0; layer < inquest->layers; layer++) {
        size_t listed = list_layer(inquest, layer, false);
        if (listed > 0)
            rlm_prognosis_find(&inquest->causes, &inquest->strata, &standing, inquest->list, listed);
    }
    return RELUME_OK;
}

/* Where each update stands among the sizes kept. */
static void compare_with_run(struct rlm_inquest *inquest)
{
    for (size_t i = 0; i < inquest->targets; i++) {
        relume_death *death = &inquest->target[i].death;
        const struct rlm_sizes *sizes = &inquest->sizes[death->layer];
        size_t less = 0;
        for (size_t s = 0; s < sizes->count; s++)
            less += sizes->ratio[s] < (float)death->update_ratio; /* it may be one of them itself */
        if (sizes->count > 0 && death->kind == RELUME_KILLED)
            death->run_percentile = 100.0 * (double)less / (double)sizes->count;
    }
}

/* ---- the whole ---- */

static int by_step(const void *a, const void *b)
{
    const relume_death *x = a, *y = b;
    if (x->step != y->step)
        return x->step < y->step ? -1 : 1;
    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    return (x->unit > y->unit) - (x->unit < y->unit);
}

static relume_status examine(struct rlm_inquest *inquest, relume_error *error)
{
    RLM_TRY(relume_run_load_dataset(inquest->run, error));
    RLM_TRY(equip(inquest, error));
    RLM_TRY(examine_births(inquest, error));
    RLM_TRY(rlm_inquest_replay(inquest, error));
    RLM_TRY(foretell(inquest, error));
    compare_with_run(inquest);
    return inquest->options->episodes ? rlm_inquest_follow(inquest, error) : RELUME_OK;
}

static void free_episodes(relume_death *death, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rlm_free((void *)death[i].episode);
}

static relume_status report(struct rlm_inquest *inquest, relume_autopsy **autopsy, relume_error *error)
{
    const relume_allocator *allocator = &inquest->run->engine->allocator;
    relume_autopsy *made = rlm_alloc_zero(allocator, 1, sizeof *made);
    relume_death *death = rlm_alloc(allocator, inquest->targets, sizeof *death);
    if (!made || !death) {
        rlm_free(made);
        rlm_free(death);
        for (size_t i = 0; i < inquest->targets; i++)
            free_episodes(&inquest->target[i].death, 1);
        return rlm_error_memory(error, inquest->targets * sizeof *death, "the deaths of a run");
    }
    for (size_t i = 0; i < inquest->targets; i++)
        death[i] = inquest->target[i].death;
    qsort(death, inquest->targets, sizeof *death, by_step);
    made->death = death;
    made->deaths = inquest->targets;
    made->as_of = inquest->as_of;
    made->steps_repeated = inquest->repeated;
    *autopsy = made;
    return RELUME_OK;
}

relume_status relume_autopsy_hold(relume_run *run, const relume_autopsy_options *options,
                                  relume_autopsy **autopsy, relume_error *error)
{
    double begun = rlm_clock_now();
    relume_autopsy_options defaults = {0};
    struct rlm_inquest inquest = {.run = run, .options = options ? options : &defaults};
    uint64_t temporary = 0;
    rlm_error_clear(error);
    RLM_TRY(check_units(run, inquest.options, error));
    RLM_TRY(relume_run_count(run, inquest.options->stop, error));
    relume_status status = find_moment(&inquest, error);
    if (status == RELUME_OK)
        status = plan(&inquest, &temporary, error);
    if (status == RELUME_OK && inquest.targets > 0)
        status = examine(&inquest, error);
    if (status == RELUME_OK)
        status = report(&inquest, autopsy, error);
    else
        for (size_t i = 0; i < inquest.targets; i++)
            free_episodes(&inquest.target[i].death, 1);
    if (status == RELUME_OK) {
        (*autopsy)->temporary = temporary;
        (*autopsy)->seconds = rlm_clock_now() - begun;
    }
    dismiss(&inquest);
    rlm_free(inquest.target);
    return status;
}

void relume_autopsy_destroy(relume_autopsy *autopsy)
{
    if (!autopsy)
        return;
    free_episodes(autopsy->death, autopsy->deaths);
    rlm_free(autopsy->death);
    rlm_free(autopsy);
}
