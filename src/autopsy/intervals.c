/* See intervals.h. */
#include "autopsy/intervals.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"

#define UPWARD RLM_CEILING_UPWARD

static void layout(struct rlm_arena *arena, struct rlm_intervals *in, size_t groups)
{
    size_t pairs = 0, numbers = 0;
    if (!rlm_size_multiply(groups, in->most, &pairs) || !rlm_size_multiply(pairs, RLM_GROUP, &numbers))
        arena->overflow = true;
    in->middle = rlm_arena_take(arena, numbers, sizeof *in->middle);
    in->slack = rlm_arena_take(arena, pairs, sizeof *in->slack);
    in->list = rlm_arena_take(arena, pairs, sizeof *in->list);
    in->first = rlm_arena_take(arena, groups, sizeof *in->first);
    in->count = rlm_arena_take(arena, groups, sizeof *in->count);
    in->error = rlm_arena_take(arena, in->most, sizeof *in->error);
}

relume_status rlm_intervals_init(struct rlm_intervals *intervals, struct rlm_ceilings *ceilings,
                                 relume_error *error)
{
    struct rlm_intervals made = {.ceilings = ceilings,
                                 .most = ceilings->units,
                                 .enclose = rlm_enclosing_find(ceilings->inputs->engine->level)->enclose};
    if (ceilings->ground->sums.sketch.dots) {
        layout(&made.arena, &made, ceilings->groups);
        size_t bytes = made.arena.overflow ? SIZE_MAX : made.arena.used;
        if (!rlm_arena_init_unset(&made.arena, &ceilings->inputs->engine->allocator))
            return rlm_error_memory(error, bytes, "bounds on what feeds the second layer");
        layout(&made.arena, &made, ceilings->groups);
    }
    *intervals = made;
    return RELUME_OK;
}

void rlm_intervals_deinit(struct rlm_intervals *intervals)
{
    rlm_arena_deinit(&intervals->arena);
    *intervals = (struct rlm_intervals){0};
}

struct rlm_openings rlm_intervals_openings(const struct rlm_intervals *intervals)
{
    return (struct rlm_openings){intervals->list, intervals->first, intervals->count};
}

/* ---- by the sketch ---- */

struct make_region {
    struct rlm_intervals *intervals;
    const struct rlm_live *live;
    struct rlm_span span;
    uint8_t *opened;
};

/* The next units from place *k of the map on that the ceilings do not shut, up to RLM_DOTS_ROWS of them. */
static size_t next_units(const struct make_region *region, size_t group, size_t *k, uint32_t *list)
{
    const struct rlm_live *live = region->live;
    size_t count = 0;
    for (; *k < live->count && count < RLM_DOTS_ROWS; ++*k)
        if (!rlm_ceilings_is_shut(region->intervals->ceilings, live->unit[*k], group))
            list[count++] = (uint32_t)*k;
    return count;
}

/* Looks at some units, and lists those that may fire, from place `at` on; returns the place after them. */
static size_t look_at(const struct make_region *region, size_t group, const uint32_t *k, size_t count,
                      size_t at, uint8_t *opened)
{
    struct rlm_intervals *in = region->intervals;
    struct rlm_ceilings *c = in->ceilings;
    uint32_t unit_of[RLM_DOTS_ROWS];
    float slack[RLM_DOTS_ROWS], *middle = in->middle + at * RLM_GROUP;
    for (size_t i = 0; i < count; i++)
        unit_of[i] = region->live->unit[k[i]];
    rlm_ceilings_lower(c, unit_of, count, group, middle, slack);
    for (size_t i = 0; i < count; i++) {
        size_t unit = unit_of[i];
        if (rlm_ceilings_is_shut(c, unit, group))
            continue;
        opened[unit] = 1;
        if (in->middle + at * RLM_GROUP != middle + i * RLM_GROUP)
            memcpy(in->middle + at * RLM_GROUP, middle + i * RLM_GROUP, RLM_GROUP * sizeof *middle);
        in->slack[at] = slack[i] + rlm_ceilings_rounding(c, c->weight[unit], group);
        in->list[at++] = k[i];
    }
    return at;
}

/* What is listed of the groups of a task lies side by side: it is read in that order. */
static void make_task(void *context, size_t task, size_t thread)
{
    const struct make_region *region = context;
    struct rlm_intervals *in = region->intervals;
    uint8_t *opened = region->opened + thread * in->most;
    size_t first = region->span.first + task * RLM_INPUTS_CHUNK;
    size_t last = rlm_size_min(region->span.last, first + RLM_INPUTS_CHUNK);
    size_t at = first / RLM_GROUP * region->live->count;
    for (size_t group = first / RLM_GROUP; group * RLM_GROUP < last; group++) {
        uint32_t list[RLM_DOTS_ROWS];
        size_t count;
        in->first[group] = at;
        for (size_t k = 0; (count = next_units(region, group, &k, list)) > 0;)
            at = look_at(region, group, list, count, at, opened);
        in->count[group] = (uint32_t)(at - in->first[group]);
    }
}

void rlm_intervals_make(struct rlm_intervals *intervals, const struct rlm_live *live, struct rlm_span span,
                        uint8_t *opened)
{
    struct make_region region = {intervals, live, span, opened};
    const struct rlm_ceilings *c = intervals->ceilings;
    for (size_t k = 0; k < live->count; k++)
        intervals->error[live->unit[k]] = c->sketched[live->unit[k]].error;
    rlm_pool_run(c->inputs->engine->pool, make_task, &region,
                 rlm_divide_up(span.last - span.first, RLM_INPUTS_CHUNK));
}

/* ---- what they say of a unit above ---- */

void rlm_interval_work_layout(struct rlm_arena *arena, struct rlm_interval_work *work, size_t units,
                              size_t variants)
{
    work->input = rlm_arena_take(arena, units, sizeof *work->input);
    work->above = rlm_arena_take(arena, (size_t)RLM_GROUP * variants, sizeof *work->above);
    work->size = rlm_arena_take(arena, (size_t)RLM_GROUP * variants, sizeof *work->size);
}

/* Where the inputs of a group are. */
struct source {
    const uint32_t *list; /* [count]; NULL: all */
    size_t count;
    const float *first, *second; /* of the first of them, by panel */
    size_t step;                 /* numbers from one to the next: of the listed, or of all */
    bool dense;                  /* of all */
};

static struct source find_source(const struct rlm_enclosure *e, size_t group)
{
    const struct rlm_intervals *in = e->intervals;
    const struct rlm_inputs *x = e->outputs;
    if (!x) {
        const float *first = in->middle + in->first[group] * RLM_GROUP;
        return (struct source){.list = in->list + in->first[group],
                               .count = in->count[group],
                               .first = first,
                               .second = first + RLM_LANES,
                               .step = RLM_GROUP};
    }
    const float *first = x->x + group * RLM_GROUP * x->features;
    bool one = x->samples - group * RLM_GROUP <= RLM_LANES; /* panel */
    struct source source = {.count = e->live.count,
                            .first = first,
                            .second = one ? first : first + RLM_LANES * x->features,
                            .step = RLM_LANES,
                            .dense = true};
    if (x->used_count) {
        source.list = x->used + group * x->features;
        source.count = x->used_count[group];
    }
    return source;
}

/* Half the interval of a listed unit but for its error. An output that has been computed lies within its
 * rounding of the real one. */
static float find_slack(const struct rlm_enclosure *e, size_t unit, size_t group, size_t at)
{
    const struct rlm_intervals *in = e->intervals;
    const struct rlm_ceilings *c = in->ceilings;
    float slack =
        e->outputs ? rlm_ceilings_rounding(c, c->weight[unit], group) : in->slack[in->first[group] + at];
    if (e->apart)
        slack += c->rise[unit * c->groups + group] + rlm_ceilings_rounding(c, c->weights[unit], group);
    return slack * UPWARD;
}

static struct rlm_enclosed listed_input(const struct rlm_enclosure *e, const struct source *source,
                                        size_t group, size_t at)
{
    size_t k = source->list ? source->list[at] : at, unit = e->live.unit[k];
    size_t from = (source->dense ? k : at) * source->step;
    return (struct rlm_enclosed){.first = source->first + from,
                                 .second = source->second + from,
                                 .slack = find_slack(e, unit, group, at),
                                 .error = e->outputs ? 0.0f : e->intervals->error[unit] * UPWARD,
                                 .k = (uint32_t)k};
}

/* The inputs that are not listed: surely 0 at the parameters of the intervals, but perhaps not at those
 * looked at. Puts them behind `count` others; returns how many there are then. */
static size_t add_others(const struct rlm_enclosure *e, const struct source *source, size_t group,
                         struct rlm_enclosed *input, size_t count)
{
    static const float zero[RLM_LANES];
    size_t at = 0;
    for (size_t k = 0; k < e->live.count; k++) {
        if (at < source->count && (!source->list || source->list[at] == k)) {
            at++;
            continue;
        }
        float top = rlm_ceilings_top_of_both(e->intervals->ceilings, e->live.unit[k], group);
        if (top > 0.0f)
            input[count++] =
                (struct rlm_enclosed){.first = zero, .second = zero, .slack = top, .k = (uint32_t)k};
    }
    return count;
}

/* Gathers the inputs that may be above 0; returns how many they are. */
static size_t gather(const struct rlm_enclosure *e, size_t group, struct rlm_enclosed *input)
{
    struct source source = find_source(e, group);
    for (size_t at = 0; at < source.count; at++)
        input[at] = listed_input(e, &source, group, at);
    return e->apart ? add_others(e, &source, group, input, source.count) : source.count;
}

/* The sum is off by γ(n + 1) · (Σ|w|x + |b|) at most, as the engine's own is, and so is what rounding the
 * ends of the intervals to floats adds: with the five that are asked for, eight times that. */
static void widen(const struct rlm_bounded *bounded, size_t count, size_t features,
                  const struct rlm_interval_work *work)
{
    float gamma = rlm_at_least(8.0 * rlm_gamma(features + 1)) * UPWARD;
    for (size_t i = 0; i < 2 * count; i++) { /* of both panels */
        float bias = bounded->bias[i % count], most[RLM_LANES];
        const float *above = work->above + i * RLM_LANES, *size = work->size + i * RLM_LANES;
        for (size_t lane = 0; lane < RLM_LANES; lane++) {
            float raised = above[lane] + bias + (gamma * (size[lane] + fabsf(bias)) + FLT_MIN);
            most[lane] = raised + fabsf(raised) * 0x1p-22f;
        }
        memcpy(work->above + i * RLM_LANES, most, sizeof most);
    }
}

#define SMALLEST 0x1p-90f

void rlm_bounded_take(struct rlm_bounded *bounded, const struct rlm_variants *variants, size_t count)
{
    bounded->stride = variants->stride;
    for (size_t i = 0; i < count; i++) {
        const float *from = variants->weight + i * variants->stride;
        float *to = bounded->weight + i * bounded->stride;
        for (size_t k = 0; k < variants->features; k++) {
            float above = from[k] > 0.0f ? SMALLEST : 0.0f;
            to[k] = fabsf(from[k]) < SMALLEST ? above : from[k];
        }
        bounded->bias[i] = variants->bias[i];
    }
}

void rlm_enclosure_bound(const struct rlm_enclosure *enclosure, size_t group,
                         const struct rlm_bounded *bounded, size_t count,
                         const struct rlm_interval_work *work)
{
    static const float none[RLM_GROUP];
    const struct rlm_intervals *in = enclosure->intervals;
    const float *sum = enclosure->outputs ? none : in->ceilings->ground->sums.sum + group * RLM_GROUP;
    struct rlm_enclose enclose = {.factor = work->input,
                                  .factors = gather(enclosure, group, work->input),
                                  .rows = count,
                                  .stride = bounded->stride,
                                  .sum = sum,
                                  .weight = bounded->weight,
                                  .most = work->above,
                                  .size = work->size};
    in->enclose(&enclose);
    widen(bounded, count, in->most, work);
}
