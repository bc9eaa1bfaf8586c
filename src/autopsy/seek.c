/* See seek.h. */
#include "autopsy/seek.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/larger.h"

static void layout(struct rlm_arena *arena, struct rlm_seek *s, size_t groups, size_t threads)
{
    s->score = rlm_arena_take(arena, s->capacity * groups, sizeof *s->score);
    s->enough = rlm_arena_take(arena, s->capacity, sizeof *s->enough);
    s->largest = rlm_arena_take(arena, s->capacity, sizeof *s->largest);
    s->bounded.weight = rlm_arena_take(
        arena, s->capacity * rlm_round_up(s->strata->ceilings.units, RLM_LANES), sizeof(float));
    s->bounded.bias = rlm_arena_take(arena, s->capacity, sizeof(float));
    s->open = rlm_arena_take(arena, groups, 1);
    s->done = rlm_arena_take(arena, groups, 1);
    s->chosen = rlm_arena_take(arena, groups, sizeof *s->chosen);
    s->work = rlm_arena_take(arena, threads, sizeof *s->work);
    for (size_t thread = 0; thread < threads; thread++) {
        struct rlm_interval_work work;
        rlm_interval_work_layout(arena, &work, s->strata->ceilings.units, s->capacity);
        if (s->work)
            s->work[thread] = work;
    }
}

relume_status rlm_seek_init(struct rlm_seek *seek, struct rlm_strata *strata, size_t capacity,
                            relume_error *error)
{
    const relume_engine *engine = strata->network[0]->engine;
    size_t groups = strata->ground->groups, threads = rlm_pool_threads(engine->pool);
    struct rlm_seek made = {.strata = strata, .capacity = capacity};
    layout(&made.arena, &made, groups, threads);
    size_t bytes = made.arena.overflow ? SIZE_MAX : made.arena.used;
    if (!rlm_arena_init(&made.arena, &engine->allocator))
        return rlm_error_memory(error, bytes, "what groups of samples promise");
    layout(&made.arena, &made, groups, threads);
    relume_status status = rlm_sieve_init(&made.sieve, &strata->ceilings, capacity, error);
    if (status != RELUME_OK) {
        rlm_seek_deinit(&made);
        return status;
    }
    *seek = made;
    return RELUME_OK;
}

void rlm_seek_deinit(struct rlm_seek *seek)
{
    rlm_sieve_deinit(&seek->sieve);
    rlm_arena_deinit(&seek->arena);
    *seek = (struct rlm_seek){0};
}

static void find_largest(struct rlm_seek *seek, const struct rlm_variants *variants, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double largest = fabs((double)variants->bias[i]);
        for (size_t k = 0; k < variants->features; k++)
            largest = rlm_larger(largest, fabs((double)variants->weight[i * variants->stride + k]));
        seek->largest[i] = (float)largest; /* one of them */
    }
}

void rlm_seek_take(struct rlm_seek *seek, size_t layer, const struct rlm_variants *variants, size_t count)
{
    if (layer == 0)
        rlm_sieve_take(&seek->sieve, variants, count);
    else if (layer == 1)
        rlm_bounded_take(&seek->bounded, variants, count);
}

/* ---- what groups promise ---- */

typedef void mark_group(const struct rlm_seek *seek, const float *above, size_t count, size_t group);

/* What a search is for. */
struct search {
    struct rlm_seek *seek;
    enum rlm_side side;
    struct rlm_variants *variants;
    size_t count; /* variants */
    size_t asked; /* of these, or pairs */
    struct rlm_span span;
    struct rlm_enclosure enclosure;
    mark_group *mark;
    void (*learn)(const struct search *search, size_t index, size_t place);
};

static size_t lanes_of(const struct rlm_seek *seek, size_t group)
{
    return rlm_size_min(RLM_GROUP, seek->strata->ground->data.samples - group * RLM_GROUP);
}

static float *score_of(const struct rlm_seek *seek, size_t index, size_t group)
{
    return &seek->score[index * seek->strata->ground->groups + group];
}

/* The bound of a variant, one of `count`, at a sample of the group. A number that is none is above all
 * others. */
static float bound_of(const float *above, size_t count, size_t index, size_t lane)
{
    float bound = above[(lane / RLM_LANES * count + index) * RLM_LANES + lane % RLM_LANES];
    return isnan(bound) ? INFINITY : bound;
}

/* The most that any sample can give a variant. */
static void mark_high(const struct rlm_seek *seek, const float *above, size_t count, size_t group)
{
    for (size_t i = 0; i < count; i++) {
        float top = -INFINITY;
        for (size_t lane = 0; lane < lanes_of(seek, group); lane++) {
            float bound = bound_of(above, count, i, lane);
            top = bound > top ? bound : top;
        }
        *score_of(seek, i, group) = top;
    }
}

/* The lowest rate at which a sample may open a unit, negative: p(rate) is at most before + rate · push, each
 * no higher than its bound. Where both are below 0 there is none. */
static float rate_of(float before, float push)
{
    if (before >= 0.0f)
        return 0.0f;
    return push > 0.0f ? before / push * (1.0f - 0x1p-20f) : -INFINITY;
}

static void mark_rates(const struct rlm_seek *seek, const float *above, size_t count, size_t group)
{
    for (size_t pair = 0; pair < count / 2; pair++) {
        float lowest = -INFINITY;
        for (size_t lane = 0; lane < lanes_of(seek, group); lane++) {
            float rate =
                rate_of(bound_of(above, count, 2 * pair, lane), bound_of(above, count, 2 * pair + 1, lane));
            lowest = rate > lowest ? rate : lowest;
        }
        *score_of(seek, pair, group) = lowest;
    }
}

static void promise_task(void *context, size_t task, size_t thread)
{
    const struct search *search = context;
    const struct rlm_seek *seek = search->seek;
    const struct rlm_interval_work *work = &seek->work[thread];
    size_t first = search->span.first + task * RLM_INPUTS_CHUNK;
    size_t last = rlm_size_min(search->span.last, first + RLM_INPUTS_CHUNK);
    for (size_t group = first / RLM_GROUP; group * RLM_GROUP < last; group++) {
        rlm_enclosure_bound(&search->enclosure, group, &seek->bounded, search->count, work);
        search->mark(seek, work->above, search->count, group);
    }
}

/* ---- which groups to look at ---- */

#define CHOSEN_FIRST 8 /* groups of a variant, then twice as many */
#define CHOSEN_MOST 64

/* The groups of a span that promise a variant the most and enough, and are not done; up to `most`. */
static size_t find_best(const struct rlm_seek *seek, size_t index, struct rlm_span span, size_t most,
                        uint32_t *best)
{
    size_t count = 0, last = rlm_divide_up(span.last, RLM_GROUP);
    float floor = seek->enough[index];
    for (size_t group = span.first / RLM_GROUP; group < last; group++) {
        float score = *score_of(seek, index, group);
        if (seek->done[group] || score == -INFINITY || score < floor)
            continue;
        size_t at = count < most ? count++ : most - 1;
        for (; at > 0 && *score_of(seek, index, best[at - 1]) < score; at--)
            best[at] = best[at - 1];
        best[at] = (uint32_t)group;
        if (count == most) /* no less than it was */
            floor = *score_of(seek, index, best[most - 1]);
    }
    return count;
}

/* Chooses groups for the first `count` variants or pairs; returns how many, listed and marked as open. */
static size_t choose(struct rlm_seek *seek, size_t count, struct rlm_span span, size_t most)
{
    size_t chosen = 0;
    memset(seek->open, 0, seek->strata->ground->groups);
    for (size_t i = 0; i < count; i++) {
        uint32_t best[CHOSEN_MOST];
        size_t some = seek->enough[i] < INFINITY ? find_best(seek, i, span, most, best) : 0;
        for (size_t j = 0; j < some; j++) {
            if (!seek->open[best[j]])
                seek->chosen[chosen++] = best[j];
            seek->open[best[j]] = 1;
        }
    }
    return chosen;
}

static void learn_all(const struct search *search, size_t chosen)
{
    const struct rlm_seek *seek = search->seek;
    for (size_t j = 0; j < chosen; j++) {
        size_t first = seek->chosen[j] * (size_t)RLM_GROUP, lanes = lanes_of(seek, seek->chosen[j]);
        seek->done[seek->chosen[j]] = 1;
        for (size_t i = 0; i < search->asked; i++)
            for (size_t place = first; place < first + lanes; place++)
                search->learn(search, i, place);
    }
}

static void look(struct search *search)
{
    struct rlm_seek *seek = search->seek;
    size_t chosen;
    rlm_variants_clear(search->variants, search->count, search->span);
    memset(seek->done, 0, seek->strata->ground->groups);
    rlm_pool_run(seek->strata->network[0]->engine->pool, promise_task, search,
                 rlm_divide_up(search->span.last - search->span.first, RLM_INPUTS_CHUNK));
    for (size_t most = CHOSEN_FIRST; (chosen = choose(seek, search->asked, search->span, most)) > 0;
         most = rlm_size_min(2 * most, CHOSEN_MOST)) {
        rlm_strata_expose(seek->strata, 1, search->side, seek->open);
        rlm_variants_count_groups(search->variants, rlm_strata_at(seek->strata, 1, search->side),
                                  seek->chosen, chosen);
        learn_all(search, chosen);
    }
}

/* ---- the highest samples ---- */

/* Nothing below 0 and below this one is of interest. */
static void learn_high(const struct search *search, size_t index, size_t place)
{
    float p = rlm_variants_get(search->variants, index, place), *enough = &search->seek->enough[index];
    p = p < 0.0f ? p : 0.0f;
    *enough = p > *enough ? p : *enough;
}

/* Nor anything once it fires. */
static void learn_first(const struct search *search, size_t index, size_t place)
{
    learn_high(search, index, place);
    if (rlm_variants_get(search->variants, index, place) > 0.0f)
        search->seek->enough[index] = INFINITY;
}

void rlm_seek_high(struct rlm_seek *seek, size_t layer, enum rlm_side side, struct rlm_variants *variants,
                   size_t count, struct rlm_span span, const float *floor, enum rlm_seek_end end)
{
    struct search search = {.seek = seek,
                            .side = side,
                            .variants = variants,
                            .count = count,
                            .asked = count,
                            .span = span,
                            .mark = mark_high,
                            .learn = end == RLM_SEEK_FIRST ? learn_first : learn_high};
    if (layer != 1 || !rlm_strata_enclose(seek->strata, side, span.last, &search.enclosure)) {
        const struct rlm_inputs *inputs = rlm_strata_peek(seek->strata, layer, side, span.last);
        rlm_sieve_count(&seek->sieve, variants, count, inputs, span, floor, 1);
        return;
    }
    for (size_t i = 0; i < count; i++)
        seek->enough[i] = floor ? floor[i] : 0.0f;
    look(&search);
}

/* Where the best groups go first, all that is left is looked at in one go: what is found in one part would
 * have ruled out much of another. */
struct rlm_span rlm_seek_next(const struct rlm_seek *seek, size_t layer, struct rlm_span span)
{
    size_t samples = seek->strata->ground->data.samples;
    if (layer == 1 && seek->strata->ground->sums.sketch.dots && span.last > 0)
        return (struct rlm_span){span.last, samples};
    return rlm_span_next(span, samples);
}

bool rlm_seek_life(struct rlm_seek *seek, size_t layer, enum rlm_side side, struct rlm_variants *variants)
{
    size_t samples = seek->strata->ground->data.samples;
    bool alive = false;
    rlm_seek_take(seek, layer, variants, 1);
    for (struct rlm_span span = {0, 0}; !alive && span.last < samples;) {
        span = rlm_seek_next(seek, layer, span);
        rlm_seek_high(seek, layer, side, variants, 1, span, NULL, RLM_SEEK_FIRST);
        alive = rlm_variants_alive(variants, 0, span);
    }
    return alive;
}

/* ---- the lowest rates ---- */

/* A sample that surely opens the unit at some rate, by rlm_lethal_search's own bound on rounding, and is
 * opened further by higher ones, settles the verdict at all of these: groups that open at higher rates only
 * need not be looked at. */
static void learn_rate(const struct search *search, size_t pair, size_t place)
{
    const struct rlm_seek *seek = search->seek;
    const struct rlm_inputs *inputs = rlm_strata_at(seek->strata, 1, search->side);
    double p = (double)rlm_variants_get(search->variants, 2 * pair, place);
    double push = (double)rlm_variants_get(search->variants, 2 * pair + 1, place);
    double of_p = 5.0 * rlm_inputs_rounding(inputs, (double)seek->largest[2 * pair], place);
    double of_push = 5.0 * rlm_inputs_rounding(inputs, (double)seek->largest[2 * pair + 1], place);
    if (!(push > of_push))
        return;
    float rate = (float)(rlm_larger(0.0, (of_p - p) / (push - of_push)) * (1.0 + 0x1p-20));
    seek->enough[pair] = -rate > seek->enough[pair] ? -rate : seek->enough[pair];
}

void rlm_seek_rates(struct rlm_seek *seek, size_t layer, struct rlm_variants *variants, size_t pairs)
{
    struct rlm_span all = {0, seek->strata->ground->data.samples};
    struct search search = {.seek = seek,
                            .side = RLM_AFTER,
                            .variants = variants,
                            .count = 2 * pairs,
                            .asked = pairs,
                            .span = all,
                            .mark = mark_rates,
                            .learn = learn_rate};
    if (layer != 1 || !rlm_strata_enclose(seek->strata, RLM_AFTER, all.last, &search.enclosure)) {
        const struct rlm_inputs *inputs = rlm_strata_peek(seek->strata, layer, RLM_AFTER, all.last);
        rlm_sieve_count(&seek->sieve, variants, 2 * pairs, inputs, all, NULL, 2);
        return;
    }
    find_largest(seek, variants, 2 * pairs);
    for (size_t i = 0; i < pairs; i++)
        seek->enough[i] = -RLM_HIGHEST_RATE;
    look(&search);
}

/* ---- guesses ---- */

struct guess_region {
    const struct rlm_seek *seek;
    const struct rlm_enclosure *enclosure;
    const struct rlm_variants *variants;
};

static void guess_group(void *context, size_t group, size_t thread)
{
    const struct guess_region *r = context;
    const struct rlm_variants *v = r->variants;
    const struct rlm_interval_work *work = &r->seek->work[thread];
    size_t panels = rlm_divide_up(lanes_of(r->seek, group), RLM_LANES);
    float *p = v->p + group * RLM_GROUP * v->count;
    rlm_enclosure_bound(r->enclosure, group, &r->seek->bounded, v->count, work);
    memcpy(p, work->above, panels * v->count * RLM_LANES * sizeof *p);
}

bool rlm_seek_guess(struct rlm_seek *seek, size_t layer, struct rlm_variants *variants, size_t count)
{
    const struct rlm_inputs *inputs = rlm_strata_recall(seek->strata, layer);
    struct rlm_enclosure enclosure;
    if (inputs) {
        rlm_variants_count(variants, count, inputs);
        return true;
    }
    if (!rlm_strata_recall_enclosure(seek->strata, layer, &enclosure))
        return false;
    struct guess_region region = {seek, &enclosure, variants};
    variants->count = count;
    rlm_bounded_take(&seek->bounded, variants, count);
    rlm_pool_run(seek->strata->network[0]->engine->pool, guess_group, &region, seek->strata->ground->groups);
    return true;
}
