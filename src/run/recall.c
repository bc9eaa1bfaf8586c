/* Reading the history back. See history.h. What stands in the file is not trusted: numbers that index memory
 * are checked. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "run/history.h"

static relume_status refuse(const struct rlm_history *history, const char *what, relume_error *error)
{
    rlm_error_clear(error);
    rlm_error_at_file(error, history->sql.path);
    return rlm_error_set(error, RELUME_BAD_FORMAT, "%s: %s", history->sql.path, what);
}

/* Calls `take` for every row of a query whose one value is `value`. */
typedef relume_status row_taker(void *user, struct sqlite3_stmt *row, relume_error *error);

static relume_status each_row(struct rlm_history *history, const char *text, uint64_t value, row_taker *take,
                              void *user, relume_error *error)
{
    struct sqlite3_stmt *statement = NULL;
    RLM_TRY(rlm_sql_prepare(&history->sql, text, &statement, error));
    relume_status status =
        strchr(text, '?') ? rlm_sql_bind(&history->sql, statement, error, "u", value) : RELUME_OK;
    bool row = true;
    while (status == RELUME_OK && row) {
        status = rlm_sql_next(&history->sql, statement, &row, error);
        if (status == RELUME_OK && row)
            status = take(user, statement, error);
    }
    rlm_sql_finish(statement);
    return status;
}

static relume_status take_setting(void *user, struct sqlite3_stmt *row, relume_error *error)
{
    return rlm_settings_add(user, rlm_sql_column_text(row, 0), rlm_sql_column_text(row, 1), error);
}

relume_status rlm_history_get_settings(struct rlm_history *history, struct rlm_settings *settings,
                                       relume_error *error)
{
    return each_row(history, "SELECT key, value FROM setting WHERE key IS NOT NULL ORDER BY key", 0,
                    take_setting, settings, error);
}

static relume_status take_ending(void *user, struct sqlite3_stmt *row, relume_error *error)
{
    (void)error;
    static const char *const statuses[] = {"running", "finished", "diverged"};
    struct rlm_ending *ending = user;
    const char *status = rlm_sql_column_text(row, 0);
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (status && strcmp(status, statuses[i]) == 0)
            ending->status = statuses[i];
    ending->epochs = rlm_sql_column_u64(row, 1);
    ending->steps = rlm_sql_column_u64(row, 2);
    ending->model_step = rlm_sql_column_u64(row, 3);
    ending->best_epoch = rlm_sql_column_u64(row, 4);
    ending->train = (relume_score){rlm_sql_column_double(row, 5), rlm_sql_column_double(row, 6)};
    ending->test = (relume_score){rlm_sql_column_double(row, 7), rlm_sql_column_double(row, 8)};
    ending->samples = rlm_sql_column_u64(row, 9);
    ending->steps_per_epoch = rlm_sql_column_u64(row, 10);
    return RELUME_OK;
}

relume_status rlm_history_get_ending(struct rlm_history *history, struct rlm_ending *ending,
                                     relume_error *error)
{
    *ending = (struct rlm_ending){0};
    RLM_TRY(each_row(
        history,
        "SELECT status, epochs, steps, model_step, best_epoch, train_loss, train_accuracy, test_loss,"
        " test_accuracy, samples, steps_per_epoch FROM run",
        0, take_ending, ending, error));
    return ending->status ? RELUME_OK
                          : refuse(history, "the table run does not say how the run stands", error);
}

struct rlm_epoch rlm_history_epoch_row(struct sqlite3_stmt *row)
{
    return (struct rlm_epoch){
        .epoch = rlm_sql_column_u64(row, 0),
        .step = rlm_sql_column_u64(row, 1),
        .learning_rate = rlm_sql_column_double(row, 2),
        .loss = rlm_sql_column_double(row, 3),
        .accuracy = rlm_sql_column_double(row, 4),
        .train = {rlm_sql_column_double(row, 5), rlm_sql_column_double(row, 6)},
        .test = {rlm_sql_column_double(row, 7), rlm_sql_column_double(row, 8)},
    };
}

static relume_status take_epoch(void *user, struct sqlite3_stmt *row, relume_error *error)
{
    (void)error;
    *(struct rlm_epoch *)user = rlm_history_epoch_row(row);
    return RELUME_OK;
}

relume_status rlm_history_get_epoch(struct rlm_history *history, uint64_t epoch, struct rlm_epoch *row,
                                    relume_error *error)
{
    row->epoch = UINT64_MAX;
    RLM_TRY(each_row(history, "SELECT " RLM_HISTORY_EPOCH_COLUMNS " FROM epoch WHERE epoch = ?1", epoch,
                     take_epoch, row, error));
    if (row->epoch == epoch)
        return RELUME_OK;
    return rlm_error_set(error, RELUME_NOT_FOUND, "%s: epoch %llu is not recorded", history->sql.path,
                         (unsigned long long)epoch);
}

relume_status rlm_history_get_epochs(struct rlm_history *history, uint64_t *epochs, relume_error *error)
{
    return rlm_sql_number(&history->sql, "SELECT max(count(*) - 1, 0) FROM epoch", 0, epochs, error);
}

/* ---- a census ---- */

static relume_status take_census(void *user, struct sqlite3_stmt *row, relume_error *error)
{
    (void)error;
    relume_census *census = user;
    census->samples = rlm_sql_column_u64(row, 0);
    census->loss = rlm_sql_column_double(row, 1);
    census->accuracy = rlm_sql_column_double(row, 2);
    return RELUME_OK;
}

/* Rows come by layer and unit, so a counter tells whether one is missing. */
struct unit_taker {
    relume_census *census;
    size_t layer, unit;
    bool wrong;
};

static relume_status take_unit(void *user, struct sqlite3_stmt *row, relume_error *error)
{
    (void)error;
    struct unit_taker *taker = user;
    uint64_t layer = rlm_sql_column_u64(row, 0), unit = rlm_sql_column_u64(row, 1);
    uint64_t active = rlm_sql_column_u64(row, 2);
    if (taker->layer >= taker->census->layers || layer != taker->layer + 1 || unit != taker->unit ||
        active > taker->census->samples)
        taker->wrong = true;
    if (taker->wrong)
        return RELUME_OK;
    relume_unit_account *to = &taker->census->layer[taker->layer].unit[taker->unit];
    to->active = active;
    to->margin = (float)rlm_sql_column_double(row, 3);
    to->mean_activation = rlm_sql_column_double(row, 4);
    if (++taker->unit == taker->census->layer[taker->layer].account.units) {
        taker->layer++;
        taker->unit = 0;
    }
    return RELUME_OK;
}

static relume_status fill_census(struct rlm_history *history, uint64_t step, relume_census *census,
                                 relume_error *error)
{
    RLM_TRY(each_row(history, "SELECT samples, loss, accuracy FROM census WHERE step = ?1", step, take_census,
                     census, error));
    struct unit_taker taker = {.census = census};
    RLM_TRY(each_row(history,
                     "SELECT layer, unit, active, margin, mean_activation FROM census_unit WHERE step = ?1"
                     " ORDER BY layer, unit",
                     step, take_unit, &taker, error));
    if (taker.wrong || taker.layer != census->layers || census->samples == 0)
        return refuse(history, "the units counted are not those of the model", error);
    rlm_census_settle(census);
    return RELUME_OK;
}

relume_status rlm_history_get_census(struct rlm_history *history, uint64_t step,
                                     const relume_network *network, const relume_census_options *options,
                                     relume_census **census, relume_error *error)
{
    uint64_t last;
    RLM_TRY(rlm_history_get_census_step(history, step, &last, error));
    if (last != step)
        return RELUME_OK;
    relume_census *made = NULL;
    RLM_TRY(rlm_census_create_stored(network, 0, options, &made, error));
    relume_status status = fill_census(history, step, made, error);
    if (status == RELUME_OK)
        *census = made;
    else
        relume_census_destroy(made);
    return status;
}

static relume_status take_number(void *user, struct sqlite3_stmt *row, relume_error *error)
{
    (void)error;
    *(uint64_t *)user = rlm_sql_column_u64(row, 0);
    return RELUME_OK;
}

relume_status rlm_history_get_census_step(struct rlm_history *history, uint64_t step, uint64_t *found,
                                          relume_error *error)
{
    *found = UINT64_MAX;
    return each_row(history, "SELECT step FROM census WHERE step <= ?1 ORDER BY step DESC LIMIT 1", step,
                    take_number, found, error);
}

/* ---- events ---- */

struct event_taker {
    const struct rlm_history *history;
    relume_event *event;
    size_t count, capacity;
};

static relume_status take_event(void *user, struct sqlite3_stmt *row, relume_error *error)
{
    struct event_taker *taker = user;
    uint64_t layer = rlm_sql_column_u64(row, 0);
    const char *kind = rlm_sql_column_text(row, 2);
    relume_event event = {
        .unit = (size_t)rlm_sql_column_u64(row, 1),
        .kind = RELUME_REVIVED,
        .after_step = rlm_sql_column_u64(row, 3),
        .step = rlm_sql_column_u64(row, 4),
        .exact = rlm_sql_column_u64(row, 5) != 0,
    };
    if (layer == 0 || !kind || taker->count == taker->capacity)
        return refuse(taker->history, "an event cannot be read", error);
    event.layer = (size_t)layer - 1;
    for (int k = RELUME_BORN_DEAD; k < RELUME_REVIVED; k++)
        if (strcmp(kind, relume_event_kind_name((relume_event_kind)k)) == 0)
            event.kind = (relume_event_kind)k;
    taker->event[taker->count++] = event;
    return RELUME_OK;
}

relume_status rlm_history_get_events(struct rlm_history *history, uint64_t step,
                                     const relume_allocator *allocator, relume_event **events, size_t *count,
                                     relume_error *error)
{
    uint64_t capacity = 0;
    RLM_TRY(each_row(history, "SELECT count(*) FROM event WHERE census_step <= ?1", step, take_number,
                     &capacity, error));
    struct event_taker taker = {.history = history, .capacity = (size_t)capacity};
    taker.event = rlm_alloc(allocator, taker.capacity, sizeof *taker.event);
    if (!taker.event)
        return rlm_error_memory(error, taker.capacity * sizeof *taker.event, "the events of a run");
    relume_status status = each_row(history,
                                    "SELECT layer, unit, kind, after_step, step, exact FROM event"
                                    " WHERE census_step <= ?1 ORDER BY step, layer, unit, id",
                                    step, take_event, &taker, error);
    if (status != RELUME_OK) {
        rlm_free(taker.event);
        return status;
    }
    *events = taker.event;
    *count = taker.count;
    return RELUME_OK;
}

/* ---- dead units by epoch ---- */

struct dead_taker {
    uint64_t *dead;
    uint64_t epochs;
    size_t layers;
};

static relume_status take_dead(void *user, struct sqlite3_stmt *row, relume_error *error)
{
    (void)error;
    struct dead_taker *taker = user;
    uint64_t epoch = rlm_sql_column_u64(row, 0), layer = rlm_sql_column_u64(row, 1);
    if (epoch <= taker->epochs && layer > 0 && layer <= taker->layers)
        taker->dead[epoch * taker->layers + layer - 1] = rlm_sql_column_u64(row, 2);
    return RELUME_OK;
}

relume_status rlm_history_get_dead(struct rlm_history *history, uint64_t epochs, size_t layers,
                                   uint64_t *dead, relume_error *error)
{
    struct dead_taker taker = {.epochs = epochs, .layers = layers};
    taker.dead = dead;
    /* The last census up to each epoch's end, by its key: long runs have many of both. */
    return each_row(history,
                    "SELECT epoch.epoch, layer, dead FROM epoch JOIN census_layer ON census_layer.step ="
                    " (SELECT max(step) FROM census WHERE census.step <= epoch.step)",
                    0, take_dead, &taker, error);
}

/* ---- ratios of updates ---- */

struct ratio_taker {
    double *ratio;
    uint64_t epochs;
    size_t layers;
};

static relume_status take_ratio(void *user, struct sqlite3_stmt *row, relume_error *error)
{
    (void)error;
    struct ratio_taker *taker = user;
    uint64_t epoch = rlm_sql_column_u64(row, 0), layer = rlm_sql_column_u64(row, 1);
    if (epoch <= taker->epochs && layer > 0 && layer <= taker->layers)
        taker->ratio[epoch * taker->layers + layer - 1] = rlm_sql_column_double(row, 2);
    return RELUME_OK;
}

relume_status rlm_history_get_ratios(struct rlm_history *history, uint64_t epochs, size_t layers,
                                     double *ratio, relume_error *error)
{
    struct ratio_taker taker = {ratio, epochs, layers};
    uint64_t there;
    for (size_t i = 0; i < (epochs + 1) * layers; i++)
        ratio[i] = (double)NAN;
    RLM_TRY(rlm_sql_number(&history->sql, "SELECT count(*) FROM sqlite_schema WHERE name = 'update_ratio'", 0,
                           &there, error));
    if (there == 0)
        return RELUME_OK;
    return each_row(history, "SELECT epoch, layer, ratio FROM update_ratio", 0, take_ratio, &taker, error);
}
