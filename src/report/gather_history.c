/* Gathering from the history: metrics by epoch, the map of every unit over time, and the events. What lies
 * beyond the model's own step is left out, and numbers from the file that index memory are checked. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "report/gather.h"
#include "run/run.h"

static relume_status refuse(const struct rlm_gather *gather, const char *what, relume_error *error)
{
    rlm_error_clear(error);
    rlm_error_at_file(error, gather->history.sql.path);
    return rlm_error_set(error, RELUME_BAD_FORMAT, "%s: %s", gather->history.sql.path, what);
}

/* ---- by epoch ---- */

static relume_status take_epoch_columns(struct rlm_facts *facts, size_t rows, relume_error *error)
{
    struct rlm_facts_epochs *e = &facts->epochs;
    static const char what[] = "a report's epochs";
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, e->epoch, rows, what, error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, e->step, rows, what, error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, e->dead, rows, what, error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, e->learning_rate, rows, what, error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, e->train_loss, rows, what, error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, e->train_accuracy, rows, what, error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, e->test_loss, rows, what, error));
    return RLM_BAG_TAKE(&facts->bag, e->test_accuracy, rows, what, error);
}

/* The training score of an epoch's end where it was computed; else the mean over its steps. */
static void put_epoch(struct rlm_facts_epochs *e, const struct rlm_epoch *row)
{
    size_t i = e->count++;
    bool ended = isfinite(row->train.loss);
    e->epoch[i] = row->epoch;
    e->step[i] = row->step;
    e->learning_rate[i] = row->epoch == 0 ? (double)NAN : row->learning_rate;
    e->train_loss[i] = ended ? row->train.loss : row->loss;
    e->train_accuracy[i] = ended ? row->train.accuracy : row->accuracy;
    e->test_loss[i] = row->test.loss;
    e->test_accuracy[i] = row->test.accuracy;
}

static relume_status gather_dead(struct rlm_gather *gather, relume_error *error)
{
    struct rlm_facts *facts = gather->facts;
    struct rlm_facts_epochs *e = &facts->epochs;
    if (e->count == 0)
        return RELUME_OK;
    size_t cells;
    uint64_t *dead, last = e->epoch[e->count - 1];
    if (last >= SIZE_MAX || !rlm_size_multiply((size_t)last + 1, facts->layers, &cells))
        return refuse(gather, "the number of epochs is beyond reason", error);
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, dead, cells, "dead units by epoch", error));
    RLM_TRY(rlm_history_get_dead(&gather->history, last, facts->layers, dead, error));
    for (size_t l = 0; l < facts->layers; l++) {
        RLM_TRY(
            RLM_BAG_TAKE(&facts->bag, facts->layer[l].dead_by_epoch, e->count, "dead units by epoch", error));
        for (size_t i = 0; i < e->count; i++) {
            facts->layer[l].dead_by_epoch[i] = dead[e->epoch[i] * facts->layers + l];
            e->dead[i] += facts->layer[l].dead_by_epoch[i];
        }
    }
    return RELUME_OK;
}

static double *ratio_column(struct rlm_facts *facts, size_t l)
{
    return l < facts->layers ? facts->layer[l].ratio_by_epoch : facts->out_ratio;
}

/* Of every layer, the last among them; kept as powers of ten, as they are drawn. */
static relume_status gather_ratios(struct rlm_gather *gather, relume_error *error)
{
    struct rlm_facts *facts = gather->facts;
    const struct rlm_facts_epochs *e = &facts->epochs;
    size_t layers = facts->layers + 1, cells;
    static const char what[] = "the sizes of updates by epoch";
    double *ratio;
    if (e->count == 0)
        return RELUME_OK;
    uint64_t last = e->epoch[e->count - 1];
    if (last >= SIZE_MAX || !rlm_size_multiply((size_t)last + 1, layers, &cells))
        return refuse(gather, "the number of epochs is beyond reason", error);
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, ratio, cells, what, error));
    RLM_TRY(rlm_history_get_ratios(&gather->history, last, layers, ratio, error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, facts->out_ratio, e->count, what, error));
    for (size_t l = 0; l < facts->layers; l++)
        RLM_TRY(RLM_BAG_TAKE(&facts->bag, facts->layer[l].ratio_by_epoch, e->count, what, error));
    for (size_t l = 0; l < layers; l++)
        for (size_t i = 0; i < e->count; i++) {
            double moved = log10(ratio[e->epoch[i] * layers + l]);
            ratio_column(facts, l)[i] = isfinite(moved) ? moved : (double)NAN;
            facts->ratios = facts->ratios || isfinite(moved);
        }
    return RELUME_OK;
}

/* Epochs must follow one another: the first is the start, or the one after it. */
static relume_status read_epochs(struct rlm_gather *gather, struct sqlite3_stmt *statement, size_t rows,
                                 relume_error *error)
{
    struct rlm_facts_epochs *e = &gather->facts->epochs;
    struct rlm_sql *sql = &gather->history.sql;
    bool there = true;
    RLM_TRY(rlm_sql_bind(sql, statement, error, "u", gather->facts->step));
    for (;;) {
        RLM_TRY(rlm_sql_next(sql, statement, &there, error));
        if (!there)
            return RELUME_OK;
        struct rlm_epoch row = rlm_history_epoch_row(statement);
        if (e->count == rows || (e->count == 0 ? row.epoch > 1 : row.epoch != e->epoch[e->count - 1] + 1))
            return refuse(gather, "an epoch is missing", error);
        put_epoch(e, &row);
    }
}

/* A run is scored at its end; before that, by the epoch it has come to. */
static void score_unfinished(struct rlm_facts *facts)
{
    const struct rlm_facts_epochs *e = &facts->epochs;
    size_t last = e->count - 1;
    if (isfinite(facts->test.loss) || e->count == 0 || e->epoch[last] != facts->epoch)
        return;
    facts->test = (relume_score){e->test_loss[last], e->test_accuracy[last]};
}

relume_status rlm_gather_epochs(struct rlm_gather *gather, relume_error *error)
{
    struct rlm_sql *sql = &gather->history.sql;
    struct sqlite3_stmt *statement = NULL;
    uint64_t rows;
    RLM_TRY(rlm_sql_number(sql, "SELECT count(*) FROM epoch", 0, &rows, error));
    RLM_TRY(take_epoch_columns(gather->facts, (size_t)rows, error));
    RLM_TRY(rlm_sql_prepare(sql,
                            "SELECT " RLM_HISTORY_EPOCH_COLUMNS " FROM epoch WHERE step <= ?1 ORDER BY epoch",
                            &statement, error));
    relume_status status = read_epochs(gather, statement, (size_t)rows, error);
    rlm_sql_finish(statement);
    if (status == RELUME_OK)
        score_unfinished(gather->facts);
    if (status == RELUME_OK)
        status = gather_ratios(gather, error);
    return status == RELUME_OK ? gather_dead(gather, error) : status;
}

/* ---- the map ---- */

/* Every census up to the model's: steps, epochs, accuracy. */
static relume_status gather_censuses(struct rlm_gather *gather, relume_error *error)
{
    struct rlm_facts *facts = gather->facts;
    struct rlm_facts_map *map = &facts->map;
    struct rlm_sql *sql = &gather->history.sql;
    struct sqlite3_stmt *row = NULL;
    uint64_t held;
    bool there = true;
    RLM_TRY(rlm_sql_number(sql, "SELECT count(*) FROM census", 0, &held, error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, map->step, (size_t)held, "a report's censuses", error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, map->epoch, (size_t)held, "a report's censuses", error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, map->accuracy, (size_t)held, "a report's censuses", error));
    RLM_TRY(rlm_sql_prepare(sql,
                            "SELECT step, epoch, accuracy FROM census WHERE step <= ?1 AND step >= ?2"
                            " ORDER BY step",
                            &row, error));
    relume_status status = rlm_sql_bind(sql, row, error, "uu", facts->model_step, facts->first_step);
    while (status == RELUME_OK && (status = rlm_sql_next(sql, row, &there, error)) == RELUME_OK && there &&
           map->count < held) {
        map->step[map->count] = rlm_sql_column_u64(row, 0);
        map->epoch[map->count] = rlm_sql_column_u64(row, 1);
        map->accuracy[map->count++] = rlm_sql_column_double(row, 2);
    }
    rlm_sql_finish(row);
    map->held = map->count;
    return status;
}

/* Censuses that a continuation shows at most. */
enum { CONTINUED = 4 };

/* Counts and margins of all hidden units at the censuses chosen: [chosen][hidden units]. A long run has held
 * more censuses than a report has room for, so they are thinned twice: `count` of them are read, and of those
 * as many stay as fit once they are packed, which is known only afterwards. */
struct field {
    size_t count;
    uint32_t *active;
    float *margin;
};

static relume_status read_census(struct rlm_gather *gather, uint64_t step, uint32_t *active, float *margin,
                                 relume_error *error)
{
    struct rlm_facts *facts = gather->facts;
    struct rlm_sql *sql = &gather->history.sql;
    struct sqlite3_stmt *row = NULL;
    bool there = true;
    size_t i = 0;
    RLM_TRY(rlm_sql_prepare(
        sql, "SELECT active, margin FROM census_unit WHERE step = ?1 ORDER BY layer, unit", &row, error));
    relume_status status = rlm_sql_bind(sql, row, error, "u", step);
    while (status == RELUME_OK && (status = rlm_sql_next(sql, row, &there, error)) == RELUME_OK && there) {
        uint64_t count = rlm_sql_column_u64(row, 0);
        if (i < facts->hidden_units && count <= facts->samples) {
            active[i] = (uint32_t)count;
            margin[i] = (float)rlm_sql_column_double(row, 1);
        }
        i += count <= facts->samples;
    }
    rlm_sql_finish(row);
    if (status == RELUME_OK && i != facts->hidden_units)
        return refuse(gather, "the units counted are not those of the model", error);
    return status;
}

/* The k-th of `count` places spread evenly over `held`, the first and the last among them. */
static size_t spread(size_t k, size_t count, size_t held)
{
    return count < 2 ? held - 1 : (k * (held - 1) + (count - 1) / 2) / (count - 1);
}

static relume_status read_field(struct rlm_gather *gather, const struct field *field, relume_error *error)
{
    size_t units = gather->facts->hidden_units;
    for (size_t k = 0; k < field->count; k++) {
        uint64_t step = gather->facts->map.step[spread(k, field->count, gather->facts->map.held)];
        RLM_TRY(read_census(gather, step, field->active + k * units, field->margin + k * units, error));
    }
    return RELUME_OK;
}

/* Packs a layer's columns of `chosen` of the field's rows, as counts or as codes. */
static relume_status pack_layer(struct rlm_facts *facts, const struct field *field, size_t chosen,
                                size_t first, size_t units, struct rlm_packed *packed, relume_error *error)
{
    size_t cells = chosen * units;
    uint32_t *counts = rlm_alloc(facts->bag.allocator, cells, sizeof *counts);
    uint8_t *codes = rlm_alloc(facts->bag.allocator, cells, 1);
    relume_status status =
        counts && codes && field->active ? RELUME_OK : rlm_error_memory(error, 5 * cells, "a report's map");
    for (size_t k = 0; status == RELUME_OK && k < chosen; k++) {
        size_t row = spread(k, chosen, field->count);
        for (size_t u = 0; u < units; u++) {
            counts[k * units + u] = field->active[row * facts->hidden_units + first + u];
            codes[k * units + u] = rlm_rate_code(counts[k * units + u], facts->samples);
        }
    }
    if (status == RELUME_OK)
        status = facts->map.exact ? rlm_pack_u32(&facts->bag, counts, cells, packed, error)
                                  : rlm_pack_u8(&facts->bag, codes, cells, packed, error);
    rlm_free(counts);
    rlm_free(codes);
    return status;
}

static relume_status pack_map(struct rlm_facts *facts, const struct field *field, size_t chosen, size_t *size,
                              relume_error *error)
{
    size_t first = 0;
    *size = 0;
    for (size_t l = 0; l < facts->layers; l++) {
        size_t units = facts->layer[l].units;
        RLM_TRY(pack_layer(facts, field, chosen, first, units, &facts->map.layer[l], error));
        first += units;
        *size += facts->map.layer[l].length;
    }
    return RELUME_OK;
}

static relume_status pack_margins(struct rlm_facts *facts, const struct field *field, relume_error *error)
{
    size_t first = 0;
    for (size_t l = 0; l < facts->layers; l++) {
        size_t units = facts->layer[l].units;
        float *margin;
        RLM_TRY(RLM_BAG_TAKE(&facts->bag, margin, field->count * units, "a report's margins", error));
        for (size_t k = 0; k < field->count; k++)
            memcpy(margin + k * units, field->margin + k * facts->hidden_units + first,
                   units * sizeof *margin);
        RLM_TRY(rlm_pack_f32(&facts->bag, margin, field->count * units, &facts->map.margin[l], error));
        first += units;
    }
    return RELUME_OK;
}

/* Leaves out censuses until the map fits its room, and keeps the list of those that stay. */
static relume_status fit_map(struct rlm_facts *facts, const struct field *field, size_t room,
                             relume_error *error)
{
    struct rlm_facts_map *map = &facts->map;
    size_t chosen = field->count, size = 0;
    for (;;) {
        RLM_TRY(pack_map(facts, field, chosen, &size, error));
        if (size <= room || chosen <= 2)
            break;
        chosen =
            rlm_size_max(2, rlm_size_min(chosen - 1, (size_t)((double)chosen * (double)room / (double)size)));
    }
    if (chosen == map->held &&
        rlm_pack_bound(4 * chosen * facts->hidden_units) <= rlm_facts_room(facts->hidden_units).margins)
        RLM_TRY(pack_margins(facts, field, error));
    for (size_t k = 0; k < chosen; k++) {
        size_t from = spread(spread(k, chosen, field->count), field->count, map->held);
        map->step[k] = map->step[from];
        map->epoch[k] = map->epoch[from];
        map->accuracy[k] = map->accuracy[from];
    }
    map->count = chosen;
    return RELUME_OK;
}

relume_status rlm_gather_map(struct rlm_gather *gather, relume_error *error)
{
    struct rlm_facts *facts = gather->facts;
    struct rlm_facts_map *map = &facts->map;
    size_t room = rlm_facts_room(facts->hidden_units).map;
    RLM_TRY(gather_censuses(gather, error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, map->layer, facts->layers, "a report's map", error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, map->margin, facts->layers, "a report's map", error));
    if (map->held == 0 || facts->hidden_units == 0)
        return RELUME_OK;
    /* No more are read than might fit if a byte a unit were squeezed to a quarter. */
    size_t most = rlm_size_max(2, 3 * room / facts->hidden_units);
    if (facts->first_step > 0) /* a follower that rests long must not have ever more to read afterwards */
        most = rlm_size_min(most, CONTINUED);
    struct field field = {.count = rlm_size_min(map->held, most)};
    size_t cells = field.count * facts->hidden_units;
    map->exact = field.count == map->held && rlm_pack_bound(4 * cells) <= room;
    field.active = rlm_alloc_zero(facts->bag.allocator, cells, sizeof *field.active);
    field.margin = rlm_alloc_zero(facts->bag.allocator, cells, sizeof *field.margin);
    relume_status status = field.active && field.margin
                               ? read_field(gather, &field, error)
                               : rlm_error_memory(error, 8 * cells, "a report's map");
    if (status == RELUME_OK)
        status = fit_map(facts, &field, room, error);
    rlm_free(field.active);
    rlm_free(field.margin);
    return status;
}

/* ---- events ---- */

/* At most so many stretches: what a chart can show. */
#define STRETCHES 240

static relume_status count_by_step(struct rlm_facts *facts, relume_error *error)
{
    struct rlm_facts_steps *steps = &facts->steps;
    steps->width = facts->step / STRETCHES + (facts->step % STRETCHES != 0);
    steps->width = steps->width ? steps->width : 1;
    steps->count = (size_t)((facts->step + steps->width - 1) / steps->width);
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, steps->step, steps->count, "a report's steps", error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, steps->deaths, steps->count, "a report's steps", error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, steps->revivals, steps->count, "a report's steps", error));
    for (size_t i = 0; i < steps->count; i++)
        steps->step[i] = 1 + i * steps->width;
    for (size_t i = 0; i < facts->events.count; i++) {
        const relume_event *event = &facts->event[i];
        facts->events.exact += event->exact != 0;
        if (event->step == 0 || event->step > facts->step)
            continue;
        size_t at = (size_t)((event->step - 1) / steps->width);
        steps->deaths[at] += event->kind == RELUME_KILLED;
        steps->revivals[at] += event->kind == RELUME_REVIVED;
    }
    return RELUME_OK;
}

struct event_columns {
    uint8_t *kind;
    uint32_t *layer, *unit, *after_step, *step;
};

/* The newest events when not all have room: they say how units stand now. */
static relume_status pack_events(struct rlm_facts *facts, const struct event_columns *to, relume_error *error)
{
    struct rlm_facts_events *e = &facts->events;
    const relume_event *event = facts->event + (e->count - e->kept);
    for (size_t i = 0; i < e->kept; i++) {
        to->layer[i] = (uint32_t)event[i].layer;
        to->kind[i] = (uint8_t)event[i].kind;
        to->unit[i] = (uint32_t)event[i].unit;
        to->after_step[i] = (uint32_t)event[i].after_step;
        to->step[i] = (uint32_t)event[i].step;
    }
    RLM_TRY(rlm_pack_u32(&facts->bag, to->layer, e->kept, &e->layer, error));
    RLM_TRY(rlm_pack_u8(&facts->bag, to->kind, e->kept, &e->kind, error));
    RLM_TRY(rlm_pack_u32(&facts->bag, to->unit, e->kept, &e->unit, error));
    RLM_TRY(rlm_pack_u32(&facts->bag, to->after_step, e->kept, &e->after_step, error));
    return rlm_pack_u32(&facts->bag, to->step, e->kept, &e->step, error);
}

relume_status rlm_gather_events(struct rlm_gather *gather, relume_error *error)
{
    struct rlm_facts *facts = gather->facts;
    struct event_columns columns;
    relume_event *copy;
    const relume_event *event = relume_run_get_events(gather->run, &facts->events.count);
    size_t count = facts->events.count;
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, copy, count, "a report's events", error));
    if (count > 0)
        memcpy(copy, event, count * sizeof *copy);
    facts->event = copy;
    RLM_TRY(count_by_step(facts, error));
    /* An event is 17 bytes, a third more in base64. They come by step. */
    size_t old = 0;
    while (facts->first_step > 0 && old < count && event[old].step < facts->first_step)
        old++;
    facts->events.kept = rlm_size_min(count - old, rlm_facts_room(facts->hidden_units).events / 23);
    size_t kept = facts->events.kept;
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, columns.layer, kept, "a report's events", error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, columns.kind, kept, "a report's events", error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, columns.unit, kept, "a report's events", error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, columns.after_step, kept, "a report's events", error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, columns.step, kept, "a report's events", error));
    return pack_events(facts, &columns, error);
}
