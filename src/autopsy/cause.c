/* See cause.h. Several units of a layer share one count, since reading the inputs of all samples costs more
 * than the sums of a few units. Vectors without the features left out are those of strata.h. */
#include "autopsy/cause.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/larger.h"

static void causes_layout(struct rlm_arena *arena, struct rlm_causes *causes, size_t batch, size_t groups)
{
    causes->open = rlm_arena_take(arena, groups, sizeof *causes->open);
    causes->whole = rlm_arena_take(arena, 5 * causes->stride, sizeof(float));
    causes->part = rlm_arena_take(arena, (size_t)RLM_CAUSE_UNITS * 5 * causes->stride, sizeof(float));
    causes->variant = rlm_arena_take(arena, causes->stride, sizeof(float));
    causes->coefficient = rlm_arena_take(arena, causes->stride, sizeof(double));
    causes->push = rlm_arena_take(arena, batch, sizeof(double));
    causes->norm = rlm_arena_take(arena, 2 * batch, sizeof(double));
}

/* The inputs of the widest layer. */
static const struct rlm_inputs *find_widest(const struct rlm_strata *strata)
{
    size_t widest = 0;
    for (size_t l = 1; l < strata->layers; l++)
        if (strata->layer[l].width > strata->layer[widest].width)
            widest = l;
    return &strata->layer[widest].inputs[0];
}

relume_status rlm_causes_init(struct rlm_causes *causes, struct rlm_strata *strata, size_t batch,
                              relume_error *error)
{
    const struct rlm_inputs *widest = find_widest(strata);
    struct rlm_causes made = {.stride = rlm_variant_stride(widest->features)};
    relume_status status = rlm_variants_init(&made.now, widest, RLM_CAUSE_COUNTED, error);
    if (status == RELUME_OK)
        status = rlm_variants_init(&made.then, widest, (size_t)RLM_CAUSE_UNITS * 2, error);
    if (status == RELUME_OK)
        status = rlm_bench_init(&made.bench, widest, error);
    if (status == RELUME_OK)
        status = rlm_seek_init(&made.seek, strata, RLM_CAUSE_COUNTED, error);
    size_t groups = rlm_divide_up(widest->samples, RLM_GROUP);
    causes_layout(&made.arena, &made, batch, groups);
    size_t bytes = made.arena.overflow ? SIZE_MAX : made.arena.used;
    if (status == RELUME_OK && !rlm_arena_init(&made.arena, &widest->engine->allocator))
        status = rlm_error_memory(error, bytes, "the parts of an update");
    if (status != RELUME_OK) {
        if (!made.arena.base)
            made.arena = (struct rlm_arena){0};
        rlm_causes_deinit(&made);
        return status;
    }
    causes_layout(&made.arena, &made, batch, groups);
    *causes = made;
    return RELUME_OK;
}

void rlm_causes_deinit(struct rlm_causes *causes)
{
    rlm_variants_deinit(&causes->now);
    rlm_variants_deinit(&causes->then);
    rlm_bench_deinit(&causes->bench);
    rlm_seek_deinit(&causes->seek);
    rlm_arena_deinit(&causes->arena);
    *causes = (struct rlm_causes){0};
}

/* ---- one unit's rows ---- */

static struct rlm_unit_rows rows_at(float *memory, size_t stride)
{
    return (struct rlm_unit_rows){memory, memory + stride, memory + 2 * stride, memory + 3 * stride,
                                  memory + 4 * stride};
}

/* What is worked with for one unit: its move over the features that are left, and what belongs to it. */
struct subject {
    const struct rlm_moment *moment;
    const struct rlm_inputs *then, *now; /* inputs of the layer before and after the update */
    relume_death *death;
    struct rlm_unit_rows rows;
    struct rlm_move move;
    double
        largest; /* parameter before and after, of all features: which are left out depends on the machine */
    unsigned present;   /* the parts that there are */
    unsigned spared;    /* those without which it would have lived */
    size_t place;       /* of x* */
    size_t first;       /* its first place in the count */
    size_t highest;     /* the place at which it was highest before the update */
    bool pushed;        /* there is a strongest sample */
    bool sample_spared; /* without that it would have lived */
};

/* Places of a unit's variants in the count over the inputs after the update. */
enum { BEFORE, PUSH, PLACES };
_Static_assert(RLM_CAUSE_UNITS <= RLM_BENCH_PLACES, "room for all");
_Static_assert(PLACES *RLM_CAUSE_UNITS <= RLM_CAUSE_COUNTED, "room for all");
_Static_assert(RLM_CAUSE_TRIALS *RLM_CAUSE_UNITS <= RLM_CAUSE_COUNTED, "room for all");

/* clang-analyzer does not follow subject_begin, which fills what is read below, through find_some. */
/* NOLINTBEGIN(clang-analyzer-core.*) */
static bool any_nonzero(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (values[i] != 0.0f)
            return true;
    return false;
}

static unsigned parts_present(const struct subject *s, size_t layer)
{
    const relume_trainer_options *options = s->moment->options;
    size_t count = s->move.features + 1;
    unsigned present = layer > 0 ? RLM_PART_BELOW : 0;
    if (any_nonzero(s->rows.gradient, count))
        present |= RLM_PART_GRADIENT;
    if (s->move.s1 && any_nonzero(s->rows.s1, count))
        present |= RLM_PART_MOMENTUM;
    if (options->weight_decay != 0.0 && any_nonzero(s->rows.before, count))
        present |= RLM_PART_DECAY;
    return present;
}

/* Whether the update taken apart gives the state after it: it must, or nothing said of it would be true. */
static bool is_repeated(const struct rlm_moment *moment, size_t layer, const struct rlm_unit_rows *whole,
                        float *made)
{
    size_t slots = rlm_moment_slots(moment), features = moment->before->layers[layer].in_features;
    struct rlm_move move = {.options = moment->options,
                            .features = features,
                            .step = moment->step,
                            .rate = moment->rate,
                            .before = whole->before,
                            .gradient = whole->gradient,
                            .s1 = slots > 0 ? whole->s1 : NULL,
                            .s2 = slots > 1 ? whole->s2 : NULL};
    rlm_move_make(&move, 0, moment->rate, made);
    for (size_t i = 0; i <= features; i++)
        if (!(made[i] == whole->after[i]))
            return false;
    return true;
}

static relume_status subject_begin(struct rlm_causes *causes, const struct rlm_moment *moment,
                                   struct rlm_strata *strata, relume_death *death, size_t place,
                                   struct subject *subject, relume_error *error)
{
    size_t layer = death->layer, slots = rlm_moment_slots(moment);
    size_t features = moment->before->layers[layer].in_features;
    struct rlm_unit_rows whole = rows_at(causes->whole, causes->stride);
    rlm_moment_get(moment, layer, death->unit, &whole);
    if (!is_repeated(moment, layer, &whole, causes->variant))
        return rlm_error_set(
            error, RELUME_BAD_FORMAT,
            "the update of h%zu.%zu at step %llu does not repeat: the checkpoints are of another "
            "run, or of another build",
            layer + 1, death->unit, (unsigned long long)moment->step);
    death->update_ratio = rlm_move_ratio(whole.before, whole.after, features);
    death->bias = (double)whole.before[features];
    *subject =
        (struct subject){.moment = moment,
                         .then = rlm_strata_at(strata, layer, RLM_BEFORE),
                         .now = rlm_strata_at(strata, layer, RLM_AFTER),
                         .death = death,
                         .place = rlm_inputs_place(rlm_strata_at(strata, layer, RLM_AFTER), death->sample),
                         .first = place * PLACES,
                         .largest = rlm_larger(rlm_variant_largest(whole.before, features),
                                               rlm_variant_largest(whole.after, features))};
    subject->rows = rows_at(causes->part + place * 5 * causes->stride, causes->stride);
    struct rlm_unit_rows *part = &subject->rows;
    const float *from[] = {whole.before, whole.after, whole.gradient, whole.s1, whole.s2};
    float *to[] = {part->before, part->after, part->gradient, part->s1, part->s2};
    for (size_t i = 0; i < 3 + slots; i++)
        rlm_strata_gather(strata, layer, from[i], from[i][features], to[i]);
    subject->move = (struct rlm_move){.options = moment->options,
                                      .features = subject->now->features,
                                      .step = moment->step,
                                      .rate = moment->rate,
                                      .before = part->before,
                                      .gradient = part->gradient,
                                      .s1 = slots > 0 ? part->s1 : NULL,
                                      .s2 = slots > 1 ? part->s2 : NULL};
    subject->present = parts_present(subject, layer);
    return RELUME_OK;
}

/* ---- the split at x* ---- */

static void split(const struct subject *s)
{
    relume_death *death = s->death;
    size_t features = s->move.features, place = s->place;
    double size = 0.0;
    for (size_t i = 0; i <= features; i++) {
        double x = i < features ? (double)rlm_inputs_get(s->then, place, i) : 1.0;
        double change = (double)s->rows.after[i] - (double)s->rows.before[i];
        struct rlm_parts parts = rlm_move_parts(&s->move, i);
        death->gradient += parts.gradient * x;
        death->momentum += parts.momentum * x;
        death->decay += parts.decay * x;
        size += (fabs((double)s->rows.before[i]) + fabs(parts.gradient) + fabs(parts.momentum) +
                 fabs(parts.decay)) *
                fabs(x);
        if (i == features)
            death->own_bias = change;
        else
            death->own_weights += change * x;
    }
    for (size_t i = 0; death->layer > 0 && i < features; i++)
        death->below += (double)s->rows.after[i] * ((double)rlm_inputs_get(s->now, place, i) -
                                                    (double)rlm_inputs_get(s->then, place, i));
    /* the two pre-activations are rounded as inputs.h says; an element of the update at most five times, each
     * by half a unit in the last place of what it is made of; the sums here, in double, far less */
    death->rounding = rlm_inputs_rounding_of(s->then, s->largest, rlm_inputs_norm1(s->then, place)) +
                      rlm_inputs_rounding(s->now, s->largest, place) + 5.0 * 0x1p-24 * size * (1.0 + 0x1p-20);
}

/* ---- necessity ---- */

/* The update without `without`, BELOW among it or not, counted over all samples: alive? */
static bool lives_without(struct rlm_causes *causes, const struct subject *s, unsigned without)
{
    struct rlm_variants *one = &causes->bench.variants;
    rlm_move_make(&s->move, without & ~(unsigned)RLM_PART_BELOW, s->move.rate, causes->variant);
    rlm_variants_fit(one, s->now);
    rlm_variants_put(one, 0, causes->variant);
    return rlm_seek_life(&causes->seek, s->death->layer, without & RLM_PART_BELOW ? RLM_BEFORE : RLM_AFTER,
                         one);
}

/* No part alone was necessary: the smallest sets that only together had to be left out, all their parts. */
static void name_together(struct rlm_causes *causes, const struct subject *s)
{
    s->death->overdetermined = 1;
    for (int size = 2; size <= 4 && s->death->causes == 0; size++)
        for (unsigned set = 1; set <= s->present; set++)
            if ((set & ~s->present) == 0 && __builtin_popcount(set) == size && lives_without(causes, s, set))
                s->death->causes |= set;
}

static void name_causes(struct rlm_causes *causes, const struct subject *s)
{
    s->death->causes |= s->spared;
    if (s->death->causes == 0)
        name_together(causes, s);
}

/* ---- the samples of the batch ---- */

/* Input k of the layer for the sample at a place of the batch. */
static float batch_input(const struct rlm_dissection *d, size_t layer, size_t place, size_t k)
{
    size_t width = d->network->layers[layer].in_features;
    const float *x = layer == 0 ? d->pass.x : d->pass.layer[layer - 1].z;
    return x[(place / RLM_LANES * width + k) * RLM_LANES + place % RLM_LANES];
}

/* Fills causes->push and causes->norm over the batch. A feature left out has x* = 0 and adds nothing to a
 * push; nor has it a length, being 0 for every sample. */
static void push_all(struct rlm_causes *causes, const struct subject *s, const uint32_t *live)
{
    const struct rlm_dissection *d = &s->moment->dissection;
    size_t features = s->move.features, layer = s->death->layer;
    causes->centred = 0;
    for (size_t i = 0; i <= features; i++) {
        double x = i < features ? (double)rlm_inputs_get(s->then, s->place, i) : 1.0;
        causes->coefficient[i] = rlm_move_rates(&s->move, i).gradient * x;
    }
    for (size_t b = 0; b < d->count; b++) {
        double dz = (double)rlm_dissection_dz(d, layer, s->death->unit, b) * (double)d->scale;
        double sum = causes->coefficient[features], squares = 0.0;
        for (size_t i = 0; i < features; i++) {
            double x = (double)batch_input(d, layer, b, live[i]);
            sum += causes->coefficient[i] * x;
            squares += x * x;
        }
        causes->push[b] = dz * sum;
        causes->norm[b] = sqrt(squares);
    }
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return 0.5 * (values[(count - 1) / 2] + values[count / 2]);
}

static void name_pushers(struct rlm_causes *causes, const struct subject *s)
{
    const struct rlm_dissection *d = &s->moment->dissection;
    relume_death *death = s->death;
    memcpy(causes->norm + d->count, causes->norm, d->count * sizeof *causes->norm);
    double middle = median(causes->norm + d->count, d->count);
    for (size_t n = 0; n < RELUME_PUSHERS && n < d->count; n++) {
        size_t most = 0;
        for (size_t b = 1; b < d->count; b++)
            if (fabs(causes->push[b]) > fabs(causes->push[most]))
                most = b;
        if (causes->push[most] == 0.0)
            break;
        death->pusher[death->pushers++] =
            (relume_pusher){.sample = d->index[most],
                            .push = causes->push[most],
                            .norm_ratio = middle > 0.0 ? causes->norm[most] / middle : (double)NAN};
        causes->push[most] = 0.0;
    }
}

/* The unit after the update of a batch without the sample `left_out`: its gradient summed again in order. */
static void make_without_sample(struct rlm_causes *causes, const struct subject *s, const uint32_t *live,
                                size_t left_out)
{
    const struct rlm_dissection *d = &s->moment->dissection;
    size_t features = s->move.features, layer = s->death->layer;
    float *gradient = causes->whole;
    memset(gradient, 0, (features + 1) * sizeof *gradient);
    for (size_t b = 0; b < d->count; b++) {
        float dz = rlm_dissection_dz(d, layer, s->death->unit, b);
        if (d->index[b] == left_out || dz == 0.0f)
            continue;
        for (size_t i = 0; i < features; i++)
            gradient[i] = fmaf(dz, batch_input(d, layer, b, live[i]), gradient[i]);
        gradient[features] += dz;
    }
    for (size_t i = 0; d->scale != 1.0f && i <= features; i++)
        gradient[i] *= d->scale;
    struct rlm_move move = s->move;
    move.gradient = gradient;
    rlm_move_make(&move, 0, move.rate, causes->variant);
}

static void look_at_batch(struct rlm_causes *causes, struct subject *s, const uint32_t *live)
{
    push_all(causes, s, live);
    name_pushers(causes, s);
    s->pushed = s->death->pushers > 0;
}

/* ---- the whole ---- */

static void put_variants(struct rlm_causes *causes, const struct subject *s, size_t place)
{
    rlm_variants_put(&causes->now, s->first + BEFORE, s->rows.before);
    rlm_move_push(&s->move, causes->variant);
    rlm_variants_put(&causes->now, s->first + PUSH, causes->variant);
    if (s->death->layer == 0)
        return;
    rlm_variants_put(&causes->then, place * 2, s->rows.before);
    rlm_variants_put(&causes->then, place * 2 + 1, s->rows.after);
}

/* An update with something left out: a part, or with part 0 the strongest sample. */
struct trial {
    struct subject *subject;
    unsigned part;
};

static void spare(const struct trial *trial)
{
    trial->subject->spared |= trial->part;
    trial->subject->sample_spared = trial->subject->sample_spared || trial->part == 0;
}

/* Notes that the subject lives by the update in causes->variant, when the sample that it was highest at
 * before opens it, or puts that update into the count to come; returns how many are there. */
static size_t try_one(struct rlm_causes *causes, struct trial one, struct trial *trial, size_t count)
{
    if (rlm_inputs_preactivate(one.subject->now, one.subject->highest, causes->variant) > 0.0f) {
        spare(&one);
        return count;
    }
    rlm_variants_put(&causes->now, count, causes->variant);
    trial[count] = one;
    return count + 1;
}

/* Which subjects would have lived without one part of their own update, or without the strongest sample. */
static void find_spared(struct rlm_causes *causes, struct subject *subject, size_t subjects,
                        const uint32_t *live)
{
    static const unsigned parts[] = {RLM_PART_GRADIENT, RLM_PART_MOMENTUM, RLM_PART_DECAY};
    struct trial trial[RLM_CAUSE_UNITS * RLM_CAUSE_TRIALS];
    const struct rlm_span all = rlm_inputs_all(subject[0].now);
    size_t count = 0, layer = subject[0].death->layer;
    for (struct subject *s = subject; s < subject + subjects; s++) {
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
            if (!(s->present & parts[k]))
                continue;
            rlm_move_make(&s->move, parts[k], s->move.rate, causes->variant);
            count = try_one(causes, (struct trial){s, parts[k]}, trial, count);
        }
        if (!s->pushed)
            continue;
        make_without_sample(causes, s, live, s->death->pusher[0].sample);
        count = try_one(causes, (struct trial){s, 0}, trial, count);
    }
    if (count == 0)
        return;
    rlm_seek_take(&causes->seek, layer, &causes->now, count);
    rlm_seek_high(&causes->seek, layer, RLM_AFTER, &causes->now, count, all, NULL, RLM_SEEK_FIRST);
    for (size_t i = 0; i < count; i++)
        if (rlm_variants_alive(&causes->now, i, all))
            spare(&trial[i]);
}

struct lethal_region {
    const struct rlm_causes *causes;
    const struct subject *subject;
};

static void find_lethal(void *context, size_t task, size_t thread)
{
    (void)thread;
    const struct lethal_region *region = context;
    const struct subject *s = &region->subject[task];
    struct rlm_columns columns = {&region->causes->now, s->first + BEFORE, s->first + PUSH};
    struct rlm_lethal lethal;
    rlm_lethal_search(s->now, &s->move, &columns, s->move.rate, &region->causes->bench, task, &lethal);
    s->death->lethal = lethal.some;
    s->death->lethal_low = lethal.low;
    s->death->lethal_high = lethal.high;
    s->death->largest_safe_rate = lethal.safe;
}

/* What the counts tell, before others take their place. */
static void read_counts(const struct rlm_causes *causes, struct subject *s, size_t place)
{
    relume_death *death = s->death;
    const struct rlm_variants *counted = death->layer > 0 ? &causes->then : &causes->now;
    size_t at = death->layer > 0 ? place * 2 : s->first + BEFORE;
    struct rlm_tally tally = rlm_variants_tally(counted, at, s->then);
    death->fired_before = tally.active;
    death->margin_before = tally.margin;
    death->before = rlm_inputs_preactivate(s->then, s->place, s->rows.before);
    s->highest = rlm_inputs_place(s->then, tally.nearest);
    if (death->layer > 0 && rlm_variants_alive(&causes->then, place * 2 + 1, rlm_inputs_all(s->then)))
        s->spared |= RLM_PART_BELOW;
}

static void conclude(struct rlm_causes *causes, const struct subject *s)
{
    relume_death *death = s->death;
    death->learning_rate = s->moment->rate;
    death->batch_loss = s->moment->dissection.batch_loss;
    death->gradient_norm = s->moment->dissection.norm;
    split(s);
    name_causes(causes, s);
    if (s->pushed)
        death->pusher[0].decisive = s->sample_spared;
    death->outlier = s->pushed && death->pusher[0].decisive && death->pusher[0].norm_ratio > 3.0;
}

/* The inputs of a layer on one side at a place of each subject. */
static void expose(struct rlm_causes *causes, size_t layer, enum rlm_side side, const struct subject *subject,
                   size_t count, size_t (*place_of)(const struct subject *s))
{
    struct rlm_strata *strata = causes->seek.strata;
    memset(causes->open, 0, strata->ground->groups);
    for (size_t i = 0; i < count; i++)
        causes->open[place_of(&subject[i]) / RLM_GROUP] = 1;
    rlm_strata_expose(strata, layer, side, causes->open);
}

static size_t nearest_of(const struct subject *s)
{
    return s->place;
}

static size_t highest_of(const struct subject *s)
{
    return s->highest;
}

/* Each unit as it was before the update and what a rate of 1 adds to it, with the inputs after it; and as it
 * was, and as it became, with those before it. */
static void count_sides(struct rlm_causes *causes, size_t layer, const struct subject *subject, size_t count)
{
    struct rlm_seek *seek = &causes->seek;
    struct rlm_span all = {0, seek->strata->ground->data.samples};
    rlm_seek_take(seek, layer, &causes->now, count * PLACES);
    rlm_seek_rates(seek, layer, &causes->now, count);
    expose(causes, layer, RLM_AFTER, subject, count, nearest_of);
    if (layer == 0)
        return;
    rlm_seek_take(seek, layer, &causes->then, count * 2);
    rlm_seek_high(seek, layer, RLM_BEFORE, &causes->then, count * 2, all, NULL, RLM_SEEK_ALL);
    expose(causes, layer, RLM_BEFORE, subject, count, nearest_of);
}

static relume_status find_some(struct rlm_causes *causes, const struct rlm_moment *moment,
                               struct rlm_strata *strata, relume_death *const *deaths, size_t count,
                               relume_error *error)
{
    struct subject subject[RLM_CAUSE_UNITS];
    size_t layer = deaths[0]->layer;
    const uint32_t *live = strata->layer[layer].live;
    const struct rlm_inputs *now = rlm_strata_open(strata, layer);
    rlm_variants_fit(&causes->now, now);
    rlm_variants_fit(&causes->then, now);
    for (size_t i = 0; i < count; i++) {
        RLM_TRY(subject_begin(causes, moment, strata, deaths[i], i, &subject[i], error));
        put_variants(causes, &subject[i], i);
    }
    count_sides(causes, layer, subject, count);
    for (size_t i = 0; i < count; i++)
        look_at_batch(causes, &subject[i], live);
    for (size_t i = 0; i < count; i++)
        read_counts(causes, &subject[i], i);
    expose(causes, layer, RLM_AFTER, subject, count, highest_of);
    struct lethal_region region = {causes, subject};
    rlm_pool_run(now->engine->pool, find_lethal, &region, count);
    find_spared(causes, subject, count, live);
    for (size_t i = 0; i < count; i++)
        conclude(causes, &subject[i]);
    return RELUME_OK;
}

relume_status rlm_causes_find(struct rlm_causes *causes, const struct rlm_moment *moment,
                              struct rlm_strata *strata, relume_death *const *deaths, size_t count,
                              relume_error *error)
{
    for (size_t done = 0; done < count; done += RLM_CAUSE_UNITS)
        RLM_TRY(find_some(causes, moment, strata, deaths + done, rlm_size_min(RLM_CAUSE_UNITS, count - done),
                          error));
    return RELUME_OK;
}

/* NOLINTEND(clang-analyzer-core.*) */

/* ---- born dead ---- */

/* Mean of each input over the samples, and γ = ‖mean‖ / √(mean of ‖x − mean‖²). */
static double centre(const struct rlm_inputs *inputs, double *mean)
{
    double of_mean = 0.0, deviation = 0.0;
    for (size_t k = 0; k < inputs->features; k++) {
        double sum = 0.0, squares = 0.0;
        for (size_t sample = 0; sample < inputs->samples; sample++) {
            double x = (double)rlm_inputs_get(inputs, rlm_inputs_place(inputs, sample), k);
            sum += x;
            squares += x * x;
        }
        mean[k] = sum / (double)inputs->samples;
        of_mean += mean[k] * mean[k];
        deviation += fmax(0.0, squares / (double)inputs->samples - mean[k] * mean[k]);
    }
    return deviation > 0.0 ? sqrt(of_mean / deviation) : of_mean > 0.0 ? (double)INFINITY : 0.0;
}

void rlm_causes_birth(struct rlm_causes *causes, struct rlm_strata *strata, relume_death *death)
{
    const struct rlm_inputs *inputs = rlm_strata_get(strata, death->layer, RLM_AFTER);
    const struct rlm_layer *layer = &strata->network[RLM_AFTER]->layers[death->layer];
    size_t features = inputs->features;
    float *variant = causes->variant;
    rlm_strata_gather(strata, death->layer, layer->weight + death->unit * layer->stride,
                      layer->bias[death->unit], variant);
    rlm_variants_fit(&causes->now, inputs);
    rlm_variants_put(&causes->now, 0, variant);
    double shift = 0.0;
    death->bias = (double)variant[features];
    if (causes->centred != death->layer + 1)
        causes->gamma = centre(inputs, causes->coefficient);
    causes->centred = death->layer + 1;
    death->input_gamma = causes->gamma;
    for (size_t k = 0; k < features; k++)
        shift += causes->coefficient[k] * (double)variant[k];
    variant[features] = 0.0f;
    rlm_variants_put(&causes->now, 1, variant);
    variant[features] = (float)(death->bias - shift);
    rlm_variants_put(&causes->now, 2, variant);
    rlm_variants_count(&causes->now, 3, inputs);
    struct rlm_tally tally = rlm_variants_tally(&causes->now, 0, inputs);
    death->margin_after = tally.margin;
    death->sample = tally.nearest;
    death->after = tally.margin;
    if (death->bias < 0.0 && rlm_variants_tally(&causes->now, 1, inputs).active > 0)
        death->causes |= RELUME_CAUSE_BIAS;
    if (rlm_variants_tally(&causes->now, 2, inputs).active > 0)
        death->causes |= RELUME_CAUSE_UNCENTRED;
    if (death->causes == 0)
        death->causes = RELUME_CAUSE_CHANCE;
}
