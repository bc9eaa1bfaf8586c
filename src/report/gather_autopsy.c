/* Gathering the autopsy: whether there is time for it, which of the deaths have room in a report, and what
 * they have in common.
 *
 * An autopsy repeats the run up to its deaths. A report that was only to be looked at must not stall for
 * that, so it holds a short one: foretold, from what the same updates took in training, to be done within the
 * seconds allowed, and given up when it is not. Data that are gone, or checkpoints, are no failure of a
 * report. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/clock.h"
#include "base/error.h"
#include "report/gather.h"
#include "report/words.h"
#include "run/run.h"

#define ASK_FOR_IT "; report --autopsy holds it all the same, and relume autopsy tells it"

static relume_status leave_out(struct rlm_facts *facts, relume_error *error, const char *why)
{
    return rlm_facts_print(facts, &facts->autopsy.left_out, error, "%s", why);
}

/* ---- how long it would take ---- */

/* The updates between the checkpoints before the lasting deaths and the deaths. `events` come by step. */
static relume_status count_steps(struct rlm_gather *gather, const uint64_t *checkpoint, size_t checkpoints,
                                 uint64_t *steps, relume_error *error)
{
    struct rlm_facts *facts = gather->facts;
    bool **seen;
    uint64_t low = UINT64_MAX;
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, seen, facts->layers, "the deaths of a run", error));
    for (size_t l = 0; l < facts->layers; l++)
        RLM_TRY(RLM_BAG_TAKE(&facts->bag, seen[l], facts->layer[l].units, "the deaths of a run", error));
    *steps = 0;
    for (size_t i = facts->events.count; i-- > 0;) {
        const relume_event *event = &facts->event[i];
        bool *later = &seen[event->layer][event->unit];
        if (!*later && event->kind == RELUME_KILLED) {
            size_t c = checkpoints;
            while (c > 0 && checkpoint[c - 1] > event->after_step)
                c--;
            uint64_t from = c > 0 ? checkpoint[c - 1] : 0, to = event->step < low ? event->step : low;
            *steps += to > from ? to - from : 0;
            low = from < low ? from : low;
        }
        *later = true;
    }
    return RELUME_OK;
}

static relume_status training_seconds(struct rlm_gather *gather, double *seconds, relume_error *error)
{
    struct rlm_sql *sql = &gather->history.sql;
    struct sqlite3_stmt *row = NULL;
    bool there = false;
    *seconds = (double)NAN;
    RLM_TRY(rlm_sql_prepare(sql, "SELECT sum(step_seconds) FROM timing", &row, error));
    relume_status status = rlm_sql_next(sql, row, &there, error);
    if (status == RELUME_OK && there)
        *seconds = rlm_sql_column_double(row, 0);
    rlm_sql_finish(row);
    return status;
}

/* Seconds that an autopsy takes: the updates as training took them, and for each death 2.5 ns a sample and
 * input of the layer, which is what 207 deaths over 60,000 samples were seen to take, all counts together. */
static relume_status foretell(struct rlm_gather *gather, double *seconds, uint64_t *steps,
                              relume_error *error)
{
    const struct rlm_facts *facts = gather->facts;
    uint64_t *checkpoint = NULL;
    size_t checkpoints = 0;
    double trained;
    RLM_TRY(training_seconds(gather, &trained, error));
    RLM_TRY(rlm_checkpoint_list(&gather->run->paths, facts->bag.allocator, &checkpoint, &checkpoints, error));
    relume_status status = count_steps(gather, checkpoint, checkpoints, steps, error);
    rlm_free(checkpoint);
    *seconds = facts->step > 0 && isfinite(trained) ? trained * (double)*steps / (double)facts->step : 0;
    for (size_t l = 0; l < facts->layers; l++)
        *seconds += 2.5e-9 * (double)facts->layer[l].account.dead * (double)facts->samples *
                    (double)facts->layer[l].in_features;
    return status;
}

/* ---- holding it ---- */

/* The progress and the stop of a caller, with the end of the time allowed among them. */
struct limit {
    const relume_report_options *options;
    double end;
    volatile int stop, late;
};

static void look_at_clock(void *user, uint64_t done, uint64_t total)
{
    struct limit *limit = user;
    const relume_report_options *options = limit->options;
    if (options->progress)
        options->progress(options->user, done, total);
    limit->late = rlm_clock_now() > limit->end;
    bool stop = limit->late || (options->stop && *options->stop);
    __atomic_store_n(&limit->stop, stop, __ATOMIC_RELAXED); /* the autopsy's threads look at it */
}

/* *found stays NULL when there is none; then the facts say why. */
static relume_status hold(struct rlm_gather *gather, const relume_report_options *wish,
                          relume_autopsy **found, relume_error *error)
{
    struct rlm_words w = {.next = 0};
    bool always = wish->autopsy == RELUME_REPORT_AUTOPSY_ALWAYS;
    struct limit limit = {.options = wish,
                          .end = always ? (double)INFINITY : rlm_clock_now() + wish->autopsy_seconds};
    relume_autopsy_options options;
    relume_error why = {0};
    relume_autopsy_options_default(&options);
    options.progress = look_at_clock;
    options.user = &limit;
    options.stop = &limit.stop;
    relume_status status = relume_autopsy_hold(gather->run, &options, found, &why);
    if (status == RELUME_OK)
        return RELUME_OK;
    if (status == RELUME_INTERRUPTED && limit.late)
        return rlm_facts_print(gather->facts, &gather->facts->autopsy.left_out, error,
                               "it was not done after %s s" ASK_FOR_IT,
                               rlm_words_rate(&w, wish->autopsy_seconds));
    if (status == RELUME_INTERRUPTED || status == RELUME_NO_MEMORY)
        return rlm_error_set(error, status, "%s", why.message);
    return leave_out(gather->facts, error, why.message);
}

static relume_status hold_if_short(struct rlm_gather *gather, const relume_report_options *wish,
                                   relume_autopsy **found, relume_error *error)
{
    struct rlm_words w = {.next = 0};
    double seconds = 0;
    uint64_t steps = 0;
    RLM_TRY(foretell(gather, &seconds, &steps, error));
    if (wish->autopsy == RELUME_REPORT_AUTOPSY_SHORT && seconds > wish->autopsy_seconds)
        return rlm_facts_print(gather->facts, &gather->facts->autopsy.left_out, error,
                               "repeating %s update%s and counting over the data is foretold to take %s s or "
                               "more" ASK_FOR_IT,
                               rlm_words_number(&w, steps), rlm_words_plural(steps),
                               rlm_words_number(&w, (uint64_t)ceil(seconds)));
    return hold(gather, wish, found, error);
}

/* ---- what the deaths have in common ---- */

static bool belongs(const struct rlm_facts_way *way, const relume_death *death)
{
    return way->layer == death->layer && way->causes == death->causes && way->kind == death->kind &&
           way->overdetermined == death->overdetermined;
}

static int by_frequency(const void *left, const void *right)
{
    const struct rlm_facts_way *a = left, *b = right;
    if (a->deaths != b->deaths)
        return a->deaths > b->deaths ? -1 : 1;
    if (a->layer != b->layer)
        return a->layer < b->layer ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->causes != b->causes)
        return a->causes < b->causes ? -1 : 1;
    return a->overdetermined - b->overdetermined;
}

/* There are few ways to die: seven flags, of which hardly ten sets occur, in each layer. */
static relume_status group_ways(struct rlm_facts *facts, relume_error *error)
{
    struct rlm_facts_autopsy *autopsy = &facts->autopsy;
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, autopsy->way, autopsy->deaths, "the deaths of a run", error));
    for (size_t i = 0; i < autopsy->deaths; i++) {
        const relume_death *death = &autopsy->death[i];
        size_t g = 0;
        while (g < autopsy->ways && !belongs(&autopsy->way[g], death))
            g++;
        struct rlm_facts_way *way = &autopsy->way[g];
        if (g == autopsy->ways) {
            *way = (struct rlm_facts_way){.layer = death->layer,
                                          .kind = death->kind,
                                          .causes = death->causes,
                                          .overdetermined = death->overdetermined,
                                          .first_step = death->step};
            autopsy->ways++;
        }
        way->deaths++;
        way->last_step = death->step; /* deaths come by step */
        way->never += death->prognosis.never != 0;
        way->returns += !death->prognosis.never && death->prognosis.revives_at != 0;
        way->open += !death->prognosis.never && death->prognosis.revives_at == 0;
        autopsy->starved += death->drift != 0;
        autopsy->outliers += death->outlier != 0;
    }
    qsort(autopsy->way, autopsy->ways, sizeof *autopsy->way, by_frequency);
    return RELUME_OK;
}

static int descending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a > b ? -1 : a < b;
}

/* The rate at which half of the killed would have lived through their last update. */
static relume_status find_spared_at(struct rlm_facts *facts, relume_error *error)
{
    struct rlm_facts_autopsy *autopsy = &facts->autopsy;
    double *rate;
    size_t killed = 0;
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, rate, autopsy->deaths, "the deaths of a run", error));
    for (size_t i = 0; i < autopsy->deaths; i++)
        if (autopsy->death[i].kind == RELUME_KILLED)
            rate[killed++] = autopsy->death[i].lethal ? (double)autopsy->death[i].largest_safe_rate : 0;
    qsort(rate, killed, sizeof *rate, descending);
    double half = killed > 0 ? rate[(killed - 1) / 2] : 0;
    autopsy->spared_at = half > 0 ? half : (double)NAN;
    return RELUME_OK;
}

/* ---- room ---- */

/* Characters of a death in JSON, at most: thirty numbers of up to 24, their keys, and its sentence. */
#define DEATH_SIZE 1900

static size_t packed_size(const struct rlm_facts *facts)
{
    const struct rlm_facts_units *u = &facts->units;
    const struct rlm_facts_events *e = &facts->events;
    const struct rlm_facts_samples *s = &facts->sample;
    const struct rlm_packed *const parts[] = {
        &e->layer, &e->unit,         &e->kind,      &e->after_step, &e->step,        &u->layer,
        &u->unit,  &u->width,        &u->histogram, &u->bias,       &u->weight_norm, &u->sample,
        &u->p,     &u->weight_scale, &u->weight,    &s->index,      &s->label,       &s->image};
    size_t size = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        size += parts[i]->length;
    for (size_t l = 0; l < facts->layers; l++)
        size += facts->map.layer[l].length + facts->map.margin[l].length;
    return size;
}

/* Its own share, and what the other arrays have left of theirs. */
static size_t room_left(const struct rlm_facts *facts)
{
    struct rlm_facts_room room = rlm_facts_room(facts->hidden_units);
    size_t others = room.map + room.margins + room.events + room.units + room.images;
    size_t used = packed_size(facts);
    return room.autopsy + (used < others ? others - used : 0);
}

struct place {
    size_t layer, unit, index;
};

static int by_place(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    if (a->layer != b->layer)
        return a->layer < b->layer ? -1 : 1;
    return a->unit < b->unit ? -1 : a->unit > b->unit;
}

/* By layer and unit, as the units gathered one by one are chosen, so that the same have both. */
static relume_status keep_deaths(struct rlm_facts *facts, relume_error *error)
{
    struct rlm_facts_autopsy *autopsy = &facts->autopsy;
    struct place *place;
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, place, autopsy->deaths, "the deaths of a run", error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, autopsy->keep, autopsy->deaths, "the deaths of a run", error));
    for (size_t i = 0; i < autopsy->deaths; i++)
        place[i] = (struct place){autopsy->death[i].layer, autopsy->death[i].unit, i};
    qsort(place, autopsy->deaths, sizeof *place, by_place);
    autopsy->kept = rlm_size_min(autopsy->deaths, room_left(facts) / DEATH_SIZE);
    for (size_t i = 0; i < autopsy->kept; i++)
        autopsy->keep[i] = place[i].index;
    return RELUME_OK;
}

/* ---- the whole ---- */

static relume_status take_over(struct rlm_facts *facts, const relume_autopsy *found, relume_error *error)
{
    struct rlm_facts_autopsy *autopsy = &facts->autopsy;
    if (found->deaths == 0)
        return leave_out(facts, error, "the run has not recorded when its units died");
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, autopsy->death, found->deaths, "the deaths of a run", error));
    memcpy(autopsy->death, found->death, found->deaths * sizeof *autopsy->death);
    autopsy->deaths = found->deaths;
    autopsy->steps_repeated = found->steps_repeated;
    autopsy->held = true;
    for (size_t i = 0; i < autopsy->deaths; i++) { /* they end with `found` */
        autopsy->death[i].episode = NULL;
        autopsy->death[i].episodes = 0;
    }
    RLM_TRY(group_ways(facts, error));
    RLM_TRY(find_spared_at(facts, error));
    return keep_deaths(facts, error);
}

relume_status rlm_gather_autopsy(struct rlm_gather *gather, const relume_report_options *options,
                                 relume_error *error)
{
    struct rlm_facts *facts = gather->facts;
    relume_autopsy *found = NULL;
    facts->autopsy.spared_at = (double)NAN;
    if (facts->dead == 0)
        return RELUME_OK;
    if (facts->live)
        return leave_out(facts, error, "none is held while a run trains; relume autopsy tells it");
    if (options->autopsy == RELUME_REPORT_AUTOPSY_NEVER)
        return leave_out(facts, error, "it was not asked for; relume autopsy tells it");
    if (!gather->dataset)
        return leave_out(facts, error, "the data were not to be had");
    RLM_TRY(hold_if_short(gather, options, &found, error));
    relume_status status = found ? take_over(facts, found, error) : RELUME_OK;
    relume_autopsy_destroy(found);
    return status;
}
