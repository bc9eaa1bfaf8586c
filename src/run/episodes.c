/* Every death and every return of some units, to the step: the run is repeated from its beginning, and each
 * unit is known to live or to be dead after every single update. See autopsy.h.
 *
 * A unit lives when the sample that opened it last still does. It is dead when it was counted dead before and
 * cannot have changed: in the first hidden layer, when none of its parameters has. Else it is counted over
 * all of D. */
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "run/autopsy.h"

struct followed {
    size_t layer, unit, hint;
    bool dead, doubtful;
    float *row; /* first layer: its parameters when it was counted dead; by rlm_alloc */
    bool row_set;
    relume_episode *episode; /* by rlm_alloc */
    size_t count, capacity;
};

struct following {
    struct rlm_inquest *inquest;
    struct followed *unit;
    size_t units;
    struct rlm_hint *hint;
};

static const float *weights_of(const struct following *f, const struct followed *unit)
{
    const struct rlm_layer *layer = &f->inquest->network->layers[unit->layer];
    return layer->weight + unit->unit * layer->stride;
}

static float bias_of(const struct following *f, const struct followed *unit)
{
    return f->inquest->network->layers[unit->layer].bias[unit->unit];
}

static bool has_not_moved(const struct following *f, const struct followed *unit)
{
    size_t features = f->inquest->network->layers[0].in_features;
    float bias = bias_of(f, unit);
    return unit->layer == 0 && unit->row_set &&
           memcmp(unit->row, weights_of(f, unit), features * sizeof(float)) == 0 &&
           memcmp(unit->row + features, &bias, sizeof bias) == 0;
}

static relume_status enter(struct following *f, struct followed *unit, bool dead, uint64_t step,
                           relume_error *error)
{
    unit->doubtful = false;
    if (dead == unit->dead)
        return RELUME_OK;
    unit->dead = dead;
    if (!dead) {
        unit->episode[unit->count - 1].to = step;
        return RELUME_OK;
    }
    if (unit->count == unit->capacity) {
        size_t capacity = 2 * unit->capacity + 4;
        relume_episode *more =
            rlm_realloc(&f->inquest->docket->run->engine->allocator, unit->episode, capacity, sizeof *more);
        if (!more)
            return rlm_error_memory(error, capacity * sizeof *more, "the episodes of a unit");
        unit->episode = more;
        unit->capacity = capacity;
    }
    unit->episode[unit->count++] = (relume_episode){step, 0};
    return RELUME_OK;
}

/* Settles what the hints and the parameters that have not moved can settle. */
static relume_status look(struct following *f, uint64_t step, relume_error *error)
{
    size_t hints = 0, at = 0;
    for (size_t i = 0; i < f->units; i++) {
        struct followed *unit = &f->unit[i];
        unit->doubtful = !(unit->dead && has_not_moved(f, unit));
        if (unit->doubtful && unit->hint != SIZE_MAX)
            f->hint[hints++] = (struct rlm_hint){unit->layer, unit->unit, unit->hint, false};
    }
    RLM_TRY(rlm_inquest_try(f->inquest, f->hint, hints, error));
    for (size_t i = 0; i < f->units; i++) {
        struct followed *unit = &f->unit[i];
        if (!unit->doubtful || unit->hint == SIZE_MAX)
            continue;
        if (f->hint[at++].fires)
            RLM_TRY(enter(f, unit, false, step, error));
    }
    return RELUME_OK;
}

static void remember_row(const struct following *f, struct followed *unit)
{
    size_t features = f->inquest->network->layers[0].in_features;
    if (!unit->row)
        return;
    memcpy(unit->row, weights_of(f, unit), features * sizeof(float));
    unit->row[features] = bias_of(f, unit);
    unit->row_set = true;
}

/* Counts the doubtful units of a layer, as many at a time as there is room for. */
static relume_status count_layer(struct following *f, size_t layer, uint64_t step, relume_error *error)
{
    struct rlm_causes *causes = &f->inquest->causes;
    size_t at = 0, samples = f->inquest->docket->run->dataset->train_samples;
    for (;;) {
        struct followed *some[RLM_CAUSE_COUNTED];
        size_t count = 0;
        for (; at < f->units && count < causes->now.capacity; at++)
            if (f->unit[at].doubtful && f->unit[at].layer == layer)
                some[count++] = &f->unit[at];
        if (count == 0)
            return RELUME_OK;
        const struct rlm_inputs *inputs = rlm_strata_peek(&f->inquest->strata, layer, RLM_AFTER, samples);
        rlm_variants_fit(&causes->now, inputs);
        for (size_t i = 0; i < count; i++) {
            rlm_strata_gather(&f->inquest->strata, layer, weights_of(f, some[i]), bias_of(f, some[i]),
                              causes->variant);
            rlm_variants_put(&causes->now, i, causes->variant);
        }
        rlm_variants_count(&causes->now, count, inputs);
        for (size_t i = 0; i < count; i++) {
            struct rlm_tally tally = rlm_variants_tally(&causes->now, i, inputs);
            some[i]->hint = tally.nearest;
            if (tally.active == 0)
                remember_row(f, some[i]);
            RLM_TRY(enter(f, some[i], tally.active == 0, step, error));
        }
    }
}

static relume_status settle_step(struct following *f, uint64_t step, relume_error *error)
{
    rlm_strata_move(&f->inquest->strata, f->inquest->network, f->inquest->network, step);
    RLM_TRY(look(f, step, error));
    for (size_t layer = 0; layer < f->inquest->layers; layer++)
        RLM_TRY(count_layer(f, layer, step, error));
    return RELUME_OK;
}

static relume_status follow(struct following *f, relume_error *error)
{
    RLM_TRY(rlm_inquest_go(f->inquest, 0, error));
    RLM_TRY(settle_step(f, 0, error));
    for (uint64_t step = 1; step <= f->inquest->docket->as_of; step++) {
        RLM_TRY(rlm_inquest_step(f->inquest, error));
        RLM_TRY(settle_step(f, step, error));
    }
    return RELUME_OK;
}

/* ---- which units, and whose episodes ---- */

static struct followed *find(const struct following *f, const relume_death *death)
{
    for (size_t i = 0; i < f->units; i++)
        if (f->unit[i].layer == death->layer && f->unit[i].unit == death->unit)
            return &f->unit[i];
    return NULL;
}

static relume_status take_units(struct following *f, relume_error *error)
{
    struct rlm_inquest *inquest = f->inquest;
    const relume_allocator *allocator = &inquest->docket->run->engine->allocator;
    f->unit = rlm_alloc_zero(allocator, inquest->targets, sizeof *f->unit);
    f->hint = rlm_alloc(allocator, inquest->targets, sizeof *f->hint);
    bool whole = f->unit && f->hint;
    for (size_t i = 0; whole && i < inquest->targets; i++) {
        const relume_death *death = &inquest->target[i].death;
        if (find(f, death))
            continue;
        struct followed *unit = &f->unit[f->units++];
        *unit = (struct followed){.layer = death->layer, .unit = death->unit, .hint = SIZE_MAX};
        if (death->layer > 0)
            continue;
        unit->row = rlm_alloc(allocator, inquest->network->layers[0].in_features + 1, sizeof(float));
        whole = unit->row != NULL;
    }
    return whole ? RELUME_OK
                 : rlm_error_memory(error, inquest->targets * sizeof *f->unit, "the lives of the dead units");
}

static relume_status hand_out(const struct following *f, relume_error *error)
{
    for (size_t i = 0; i < f->inquest->targets; i++) {
        relume_death *death = &f->inquest->target[i].death;
        const struct followed *unit = find(f, death);
        relume_episode *copy =
            rlm_alloc(&f->inquest->docket->run->engine->allocator, unit->count, sizeof *copy);
        if (!copy)
            return rlm_error_memory(error, unit->count * sizeof *copy, "the episodes of a unit");
        if (unit->count > 0)
            memcpy(copy, unit->episode, unit->count * sizeof *copy);
        death->episode = copy;
        death->episodes = unit->count;
    }
    return RELUME_OK;
}

relume_status rlm_inquest_follow(struct rlm_inquest *inquest, relume_error *error)
{
    struct following f = {.inquest = inquest};
    inquest->target = inquest->docket->target;
    inquest->targets = inquest->docket->targets;
    relume_status status = take_units(&f, error);
    if (status == RELUME_OK)
        status = follow(&f, error);
    if (status == RELUME_OK)
        status = hand_out(&f, error);
    for (size_t i = 0; i < f.units; i++) {
        rlm_free(f.unit[i].row);
        rlm_free(f.unit[i].episode);
    }
    rlm_free(f.unit);
    rlm_free(f.hint);
    return status;
}
