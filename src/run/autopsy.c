/* The autopsy of a run: which deaths to look for, and what is told in the end. The public half is
 * relume/autopsy.h; docs/autopsy.md tells the method. */
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

/* Units born dead, then the others by `after`. */
static int by_after(const void *a, const void *b)
{
    const struct rlm_target *x = a, *y = b;
    if (x->death.kind != y->death.kind)
        return x->death.kind == RELUME_BORN_DEAD ? -1 : 1;
    if (x->after != y->after)
        return x->after < y->after ? -1 : 1;
    if (x->death.layer != y->death.layer)
        return x->death.layer < y->death.layer ? -1 : 1;
    return (x->death.unit > y->death.unit) - (x->death.unit < y->death.unit);
}

/* Keeps the deaths that were asked for; returns how many are left out of units that live. */
static uint64_t choose(struct rlm_docket *docket, const size_t *first, const size_t *last)
{
    size_t kept = 0;
    uint64_t temporary = 0;
    for (size_t i = 0; i < docket->targets; i++) {
        struct rlm_target *target = &docket->target[i];
        bool latest = last[first[target->death.layer] + target->death.unit] == i + 1;
        if (is_chosen(docket->options, target, latest))
            docket->target[kept++] = *target;
        else
            temporary += target->death.returned != 0;
    }
    docket->targets = kept;
    qsort(docket->target, kept, sizeof *docket->target, by_after);
    for (size_t i = 0; i < kept; i++) {
        docket->layers = rlm_size_max(docket->layers, docket->target[i].death.layer + 1);
        docket->births += docket->target[i].death.kind == RELUME_BORN_DEAD;
    }
    return temporary;
}

static relume_status plan(struct rlm_docket *docket, uint64_t *temporary, relume_error *error)
{
    const relume_run *run = docket->run;
    size_t layers = run->network->layer_count - 1, units = 0;
    for (size_t l = 0; l < layers; l++)
        units += run->network->layers[l].out_features;
    const relume_allocator *allocator = &run->engine->allocator;
    size_t *first = rlm_alloc_zero(allocator, layers + 1, sizeof *first);
    size_t *last = rlm_alloc_zero(allocator, units, sizeof *last);
    docket->target = rlm_alloc(allocator, run->event_count, sizeof *docket->target);
    bool whole = first && last && docket->target;
    if (whole) {
        for (size_t l = 0; l < layers; l++)
            first[l + 1] = first[l] + run->network->layers[l].out_features;
        docket->targets = gather(run, first, last, docket->target);
        *temporary = choose(docket, first, last);
    }
    rlm_free(first);
    rlm_free(last);
    return whole ? RELUME_OK
                 : rlm_error_memory(error, run->event_count * sizeof *docket->target, "the deaths of a run");
}

/* The history of a run, and the last census of it that was looked up. */
struct archive {
    struct rlm_history *history, own;
    relume_census *census;
    uint64_t step; /* of the census */
};

static relume_status archive_open(struct archive *archive, relume_run *run, const volatile int *stop,
                                  relume_error *error)
{
    archive->own.sql.stop = stop;
    archive->history = run->history.sql.handle ? &run->history : &archive->own; /* open where the run was
                                                                                   counted late */
    return archive->history == &run->history
               ? RELUME_OK
               : rlm_history_open(archive->history, run->paths.history, false, error);
}

static void archive_close(struct archive *archive)
{
    rlm_history_close(&archive->own);
    relume_census_destroy(archive->census);
}

/* The updates behind the weights that the run's events are told up to: of an unfinished run those of its last
 * census. What has happened since nobody has counted; a unit that was dead then may be alive. */
static relume_status find_moment(struct rlm_docket *docket, struct rlm_history *history, relume_error *error)
{
    struct rlm_ending ending;
    RLM_TRY(rlm_history_get_ending(history, &ending, error));
    docket->as_of = ending.model_step;
    if (strcmp(ending.status, "finished") == 0)
        return RELUME_OK;
    uint64_t counted, steps = docket->run->result.steps;
    RLM_TRY(rlm_history_get_census_step(history, steps, &counted, error));
    docket->as_of = counted == UINT64_MAX ? steps : counted;
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

/* ---- a death beside the rest of the run ---- */

/* Where each update stands among the sizes kept. */
static void compare_with_run(struct rlm_docket *docket)
{
    for (size_t i = docket->births; i < docket->targets; i++) {
        relume_death *death = &docket->target[i].death;
        size_t less = 0, count = 0;
        for (size_t part = 0; part < docket->stretches; part++) {
            const struct rlm_sizes *sizes = &docket->stretch[part].sizes[death->layer];
            for (size_t s = 0; s < sizes->count; s++)
                less += sizes->ratio[s] < (float)death->update_ratio; /* it may be one of them itself */
            count += sizes->count;
        }
        if (count > 0)
            death->run_percentile = 100.0 * (double)less / (double)count;
    }
}

#define DRIFT_LEAST 10 /* updates */

/* The last census that is far enough before a death, and whether the unit had been falling ever since. */
static relume_status look_back(struct archive *archive, const relume_network *shape, relume_death *death,
                               relume_error *error)
{
    uint64_t step;
    if (death->step < DRIFT_LEAST)
        return RELUME_OK;
    RLM_TRY(rlm_history_get_census_step(archive->history, death->step - DRIFT_LEAST, &step, error));
    if (step == UINT64_MAX)
        return RELUME_OK;
    if (!archive->census || archive->step != step) {
        relume_census_options options;
        relume_census_options_default(&options);
        relume_census_destroy(archive->census);
        archive->census = NULL;
        RLM_TRY(rlm_history_get_census(archive->history, step, shape, &options, &archive->census, error));
        archive->step = step;
    }
    relume_unit_account then = relume_census_get_layer(archive->census, death->layer).unit[death->unit];
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

static relume_status examine(struct rlm_docket *docket, struct archive *archive, relume_error *error)
{
    RLM_TRY(relume_run_load_dataset(docket->run, error));
    RLM_TRY(rlm_run_blame_history(docket->run, rlm_docket_clear(docket, error), error));
    compare_with_run(docket);
    for (size_t i = docket->births; i < docket->targets; i++)
        RLM_TRY(look_back(archive, docket->run->network, &docket->target[i].death, error));
    return RELUME_OK;
}

static void free_episodes(relume_death *death, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rlm_free((void *)death[i].episode);
}

static relume_status report(const struct rlm_docket *docket, relume_autopsy **autopsy, relume_error *error)
{
    const relume_allocator *allocator = &docket->run->engine->allocator;
    relume_autopsy *made = rlm_alloc_zero(allocator, 1, sizeof *made);
    relume_death *death = rlm_alloc(allocator, docket->targets, sizeof *death);
    if (!made || !death) {
        rlm_free(made);
        rlm_free(death);
        return rlm_error_memory(error, docket->targets * sizeof *death, "the deaths of a run");
    }
    for (size_t i = 0; i < docket->targets; i++)
        death[i] = docket->target[i].death;
    qsort(death, docket->targets, sizeof *death, by_step);
    made->death = death;
    made->deaths = docket->targets;
    made->as_of = docket->as_of;
    for (size_t i = 0; i < docket->stretches; i++)
        made->steps_repeated += docket->stretch[i].repeated;
    *autopsy = made;
    return RELUME_OK;
}

static relume_status hold(struct rlm_docket *docket, struct archive *archive, relume_autopsy **autopsy,
                          relume_error *error)
{
    uint64_t temporary = 0;
    RLM_TRY(archive_open(archive, docket->run, docket->options->stop, error));
    docket->history = archive->history;
    RLM_TRY(find_moment(docket, archive->history, error));
    RLM_TRY(plan(docket, &temporary, error));
    if (docket->targets > 0)
        RLM_TRY(examine(docket, archive, error));
    RLM_TRY(report(docket, autopsy, error));
    (*autopsy)->temporary = temporary;
    return RELUME_OK;
}

relume_status relume_autopsy_hold(relume_run *run, const relume_autopsy_options *options,
                                  relume_autopsy **autopsy, relume_error *error)
{
    double begun = rlm_clock_now();
    relume_autopsy_options defaults = {0};
    struct rlm_docket docket = {.run = run, .options = options ? options : &defaults};
    struct archive archive = {0};
    rlm_error_clear(error);
    RLM_TRY(check_units(run, docket.options, error));
    RLM_TRY(relume_run_count(run, docket.options->stop, error));
    relume_status status = hold(&docket, &archive, autopsy, error);
    if (status == RELUME_OK)
        (*autopsy)->seconds = rlm_clock_now() - begun;
    else
        for (size_t i = 0; i < docket.targets; i++)
            free_episodes(&docket.target[i].death, 1);
    archive_close(&archive);
    rlm_docket_deinit(&docket);
    rlm_free(docket.target);
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
