/* Writing the history; reading it is in recall.c. See history.h. What belongs to one boundary is one
 * transaction; a lone statement, which is one by itself, is run without. */
#include "run/history.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/file.h"
#include "relume/version.h"
#include "run/schema.sql.h"
#include "run/vet.h"

/* ---- opening ---- */

static relume_status refuse_foreign(const struct rlm_history *history, uint64_t application, uint64_t version,
                                    relume_error *error)
{
    rlm_error_clear(error);
    rlm_error_at_file(error, history->sql.path);
    if (application != RLM_HISTORY_APPLICATION)
        return rlm_error_set(error, RELUME_BAD_FORMAT,
                             "%s is a database, but not the history of a run; a folder was expected that "
                             "relume train -o has made",
                             history->sql.path);
    return rlm_error_set(error, RELUME_BAD_FORMAT,
                         "%s has format version %llu, this program reads version %d", history->sql.path,
                         (unsigned long long)version, RLM_HISTORY_VERSION);
}

static relume_status refuse_posing(const struct rlm_history *history, relume_error *error)
{
    rlm_error_clear(error);
    rlm_error_at_file(error, history->sql.path);
    return rlm_error_set(
        error, RELUME_BAD_FORMAT,
        "%s has a view, a virtual table or a computed column in the place of a table of a run; the tables "
        "that relume train makes were expected: train again, or ask whoever sent the run for the file as it "
        "was",
        history->sql.path);
}

static relume_status make_tables(struct rlm_history *history, relume_error *error)
{
    char marks[96];
    (void)snprintf(marks, sizeof marks, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT;",
                   RLM_HISTORY_APPLICATION, RLM_HISTORY_VERSION);
    RLM_TRY(rlm_sql_run(&history->sql, "PRAGMA journal_mode = DELETE; BEGIN IMMEDIATE;", error));
    RLM_TRY(rlm_sql_run(&history->sql, rlm_history_schema, error));
    RLM_TRY(rlm_sql_run(&history->sql, rlm_history_later, error));
    return rlm_sql_run(&history->sql, marks, error);
}

static relume_status check_tables(struct rlm_history *history, bool write, relume_error *error)
{
    uint64_t tables = 0, application = 0, version = 0, posing = 0;
    RLM_TRY(rlm_sql_number(&history->sql, "SELECT count(*) FROM sqlite_schema", 0, &tables, error));
    if (tables == 0 && write)
        return make_tables(history, error);
    RLM_TRY(rlm_sql_number(&history->sql, "PRAGMA application_id", 0, &application, error));
    RLM_TRY(rlm_sql_number(&history->sql, "PRAGMA user_version", 0, &version, error));
    if (tables == 0 || application != RLM_HISTORY_APPLICATION || version != RLM_HISTORY_VERSION)
        return refuse_foreign(history, application, version, error);
    RLM_TRY(rlm_sql_number(&history->sql, rlm_history_posing, 0, &posing, error));
    if (posing > 0)
        return refuse_posing(history, error);
    return write ? rlm_sql_run(&history->sql, rlm_history_later, error) : RELUME_OK;
}

/* What stands where the folder of `path` should be: nothing yet, or a file, such as a model. */
static relume_status refuse_missing(const char *path, relume_error *error)
{
    char folder[512];
    size_t length = (size_t)(strrchr(path, '/') ? strrchr(path, '/') - path : 0);
    rlm_error_clear(error);
    rlm_error_at_file(error, path);
    if (length > 0 && length < sizeof folder) {
        memcpy(folder, path, length);
        folder[length] = '\0';
        if (rlm_file_exists(folder) && !rlm_file_is_folder(folder))
            return rlm_error_set(error, RELUME_NOT_FOUND, "%s is a file; a run directory was expected",
                                 folder);
    }
    return rlm_error_set(error, RELUME_NOT_FOUND, "%s does not exist: no run has begun there", path);
}

relume_status rlm_history_open(struct rlm_history *history, const char *path, bool write, relume_error *error)
{
    rlm_error_clear(error);
    if (!write && !rlm_file_exists(path))
        return refuse_missing(path, error);
    RLM_TRY(rlm_vet_history(path, error));
    RLM_TRY(rlm_sql_open(&history->sql, path, write, error));
    relume_status status = check_tables(history, write, error);
    if (status != RELUME_OK)
        rlm_history_close(history);
    return status;
}

void rlm_history_close(struct rlm_history *history)
{
    rlm_sql_close(&history->sql);
}

/* Tables of the connection's own come before those of the file when a statement names one. */
relume_status rlm_history_set_aside(struct rlm_history *history, relume_error *error)
{
    RLM_TRY(rlm_sql_run(&history->sql, "PRAGMA temp_store = MEMORY", error));
    return rlm_sql_run(&history->sql, rlm_history_aside, error);
}

/* ---- one transaction ---- */

typedef relume_status transaction(struct rlm_history *history, const void *argument, relume_error *error);

/* Does `body` wholly or not at all. */
static relume_status transact(struct rlm_history *history, transaction *body, const void *argument,
                              relume_error *error)
{
    RLM_TRY(rlm_sql_run(&history->sql, "BEGIN IMMEDIATE", error));
    relume_status status = body(history, argument, error);
    if (status == RELUME_OK)
        status = rlm_sql_run(&history->sql, "COMMIT", error);
    if (status != RELUME_OK)
        (void)rlm_sql_run(&history->sql, "ROLLBACK", NULL); /* the first failure is the one to tell */
    rlm_sql_release(&history->sql);                         /* an epoch is long */
    return status;
}

/* ---- the start ---- */

static relume_status put_layers(struct rlm_history *history, const relume_network *network,
                                relume_error *error)
{
    for (size_t l = 0; l < network->layer_count; l++) {
        const struct rlm_layer *layer = &network->layers[l];
        RLM_TRY(rlm_sql_put(&history->sql, error, "INSERT INTO layer VALUES (?1, ?2, ?3, ?4, ?5)", "utiuu",
                            (uint64_t)l + 1, layer->name, (int64_t)layer->relu, (uint64_t)layer->in_features,
                            (uint64_t)layer->out_features));
    }
    return RELUME_OK;
}

static relume_status put_start(struct rlm_history *history, const void *argument, relume_error *error)
{
    const struct rlm_history_start *start = argument;
    for (size_t i = 0; i < start->settings->count; i++)
        RLM_TRY(rlm_sql_put(&history->sql, error, "INSERT INTO setting VALUES (?1, ?2)", "tt",
                            start->settings->setting[i].key, start->settings->setting[i].value));
    RLM_TRY(put_layers(history, start->network, error));
    return rlm_sql_put(&history->sql, error,
                       "INSERT INTO run(id, status, samples, test_samples, steps_per_epoch)"
                       " VALUES (1, 'running', ?1, ?2, ?3)",
                       "uuu", start->samples, start->test_samples, start->steps_per_epoch);
}

relume_status rlm_history_start(struct rlm_history *history, const struct rlm_history_start *start,
                                relume_error *error)
{
    return transact(history, put_start, start, error);
}

static bool is_moved(const struct rlm_settings *was, const struct rlm_settings *now, const char *key)
{
    const char *before = rlm_settings_get(was, key), *after = rlm_settings_get(now, key);
    return before && after ? strcmp(before, after) != 0 : before != after;
}

static relume_status put_places(struct rlm_history *history, const void *argument, relume_error *error)
{
    const struct rlm_settings *const *pair = argument;
    const char *key;
    for (size_t i = 0; (key = rlm_settings_place(i)) != NULL; i++)
        if (is_moved(pair[0], pair[1], key))
            RLM_TRY(rlm_sql_put(&history->sql, error, "UPDATE setting SET value = ?2 WHERE key = ?1", "tt",
                                key, rlm_settings_get(pair[1], key)));
    return RELUME_OK;
}

relume_status rlm_history_move_data(struct rlm_history *history, const struct rlm_settings *was,
                                    const struct rlm_settings *now, relume_error *error)
{
    const struct rlm_settings *pair[] = {was, now};
    const char *key;
    bool moved = false;
    for (size_t i = 0; (key = rlm_settings_place(i)) != NULL; i++)
        moved = moved || is_moved(was, now, key);
    return moved ? transact(history, put_places, pair, error) : RELUME_OK;
}

relume_status rlm_history_add_machine(struct rlm_history *history, const relume_engine *engine, uint64_t step,
                                      relume_error *error)
{
    char started[32];
    time_t now = time(NULL);
    struct tm utc;
    if (!gmtime_r(&now, &utc) || strftime(started, sizeof started, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        started[0] = '\0';
    return rlm_sql_put(
        &history->sql, error,
        "INSERT INTO machine(started, relume, kernel, kernel_reason, threads, threads_reason, from_step)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        "ttttutu", started, relume_version(), relume_engine_get_kernel(engine),
        relume_engine_get_kernel_reason(engine), (uint64_t)relume_engine_get_threads(engine),
        relume_engine_get_threads_reason(engine), step);
}

/* ---- taking back ---- */

static relume_status rewind_to(struct rlm_history *history, const void *argument, relume_error *error)
{
    static const char *const statements[] = {
        "DELETE FROM event WHERE census_step >= ?1",
        "DELETE FROM census_unit WHERE step >= ?1",
        "DELETE FROM census_layer WHERE step >= ?1",
        "DELETE FROM census WHERE step >= ?1",
        "DELETE FROM update_ratio WHERE epoch IN (SELECT epoch FROM epoch WHERE step >= ?1)",
        "DELETE FROM timing WHERE epoch IN (SELECT epoch FROM epoch WHERE step >= ?1)",
        "DELETE FROM epoch WHERE step >= ?1",
    };
    const uint64_t *step = argument;
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        RLM_TRY(rlm_sql_put(&history->sql, error, statements[i], "u", *step));
    return rlm_sql_run(&history->sql,
                       "UPDATE run SET status = 'running', epochs = NULL, steps = NULL, model_step = NULL,"
                       " best_epoch = NULL, train_loss = NULL, train_accuracy = NULL, test_loss = NULL,"
                       " test_accuracy = NULL, message = NULL",
                       error);
}

relume_status rlm_history_rewind(struct rlm_history *history, uint64_t step, relume_error *error)
{
    return transact(history, rewind_to, &step, error);
}

/* ---- a boundary ---- */

static relume_status put_epoch(struct rlm_history *history, const struct rlm_boundary *boundary,
                               relume_error *error)
{
    const struct rlm_epoch *row = boundary->ended;
    RLM_TRY(rlm_sql_put(&history->sql, error, "INSERT INTO epoch VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                        "uuddddddd", row->epoch, row->step, row->learning_rate, row->loss, row->accuracy,
                        row->train.loss, row->train.accuracy, row->test.loss, row->test.accuracy));
    const struct rlm_seconds *seconds = boundary->seconds;
    return rlm_sql_put(&history->sql, error, "INSERT OR REPLACE INTO timing VALUES (?1, ?2, ?3, ?4, ?5)",
                       "udddd", row->epoch, seconds->step, seconds->evaluate, seconds->census, seconds->save);
}

static relume_status put_ratios(struct rlm_history *history, const struct rlm_boundary *boundary,
                                relume_error *error)
{
    const struct rlm_stride *stride = boundary->stride;
    for (size_t l = 0; stride->known && l < stride->layers; l++)
        RLM_TRY(rlm_sql_put(&history->sql, error, "INSERT INTO update_ratio VALUES (?1, ?2, ?3)", "uud",
                            boundary->ended->epoch, (uint64_t)l + 1, stride->ratio[l]));
    return RELUME_OK;
}

static relume_status put_census_layer(struct rlm_history *history, const struct rlm_boundary *boundary,
                                      size_t l, relume_error *error)
{
    const relume_layer_account *account = &boundary->census->layer[l].account;
    uint64_t silent = rlm_ledger_count_silent(boundary->ledger, l, boundary->census->samples);
    return rlm_sql_put(&history->sql, error,
                       "INSERT INTO census_layer VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                       "uuuuuuuuudu", boundary->step, (uint64_t)l + 1, (uint64_t)account->dead,
                       (uint64_t)account->nearly_dead, (uint64_t)account->always_on, (uint64_t)account->mute,
                       (uint64_t)account->dormant[0], (uint64_t)account->dormant[1],
                       (uint64_t)account->dormant[2], account->mean_firing_rate, silent);
}

static relume_status put_units(struct rlm_history *history, const struct rlm_boundary *boundary,
                               struct sqlite3_stmt *statement, relume_error *error)
{
    for (size_t l = 0; l < boundary->census->layers; l++)
        for (size_t u = 0; u < boundary->census->layer[l].account.units; u++) {
            const relume_unit_account *unit = &boundary->census->layer[l].unit[u];
            RLM_TRY(rlm_sql_put_row(&history->sql, statement, error, "uuuudduu", boundary->step,
                                    (uint64_t)l + 1, (uint64_t)u, unit->active, (double)unit->margin,
                                    unit->mean_activation, rlm_ledger_silent(boundary->ledger, l, u),
                                    boundary->ledger->layer[l].last_step[u]));
        }
    return RELUME_OK;
}

static relume_status put_events(struct rlm_history *history, const struct rlm_boundary *boundary,
                                struct sqlite3_stmt *statement, relume_error *error)
{
    for (size_t i = 0; i < boundary->ledger->event_count; i++) {
        const relume_event *event = &boundary->ledger->event[i];
        RLM_TRY(rlm_sql_put_row(&history->sql, statement, error, "uutuuiu", (uint64_t)event->layer + 1,
                                (uint64_t)event->unit, relume_event_kind_name(event->kind), event->after_step,
                                event->step, (int64_t)event->exact, boundary->step));
    }
    return RELUME_OK;
}

/* Runs `rows` with a statement of its own. */
static relume_status with_statement(struct rlm_history *history, const struct rlm_boundary *boundary,
                                    const char *text,
                                    relume_status (*rows)(struct rlm_history *, const struct rlm_boundary *,
                                                          struct sqlite3_stmt *, relume_error *),
                                    relume_error *error)
{
    struct sqlite3_stmt *statement = NULL;
    RLM_TRY(rlm_sql_prepare(&history->sql, text, &statement, error));
    relume_status status = rows(history, boundary, statement, error);
    rlm_sql_finish(statement);
    return status;
}

static relume_status put_census(struct rlm_history *history, const struct rlm_boundary *boundary,
                                relume_error *error)
{
    const relume_census *census = boundary->census;
    RLM_TRY(rlm_sql_put(&history->sql, error, "INSERT INTO census VALUES (?1, ?2, ?3, ?4, ?5, ?6)", "uuuudd",
                        boundary->step, boundary->epoch, census->samples,
                        (uint64_t)relume_census_get_dead(census), census->loss, census->accuracy));
    for (size_t l = 0; l < census->layers; l++)
        RLM_TRY(put_census_layer(history, boundary, l, error));
    RLM_TRY(with_statement(history, boundary,
                           "INSERT INTO census_unit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)", put_units,
                           error));
    return with_statement(history, boundary,
                          "INSERT INTO event(layer, unit, kind, after_step, step, exact, census_step)"
                          " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                          put_events, error);
}

static relume_status put_boundary(struct rlm_history *history, const void *argument, relume_error *error)
{
    const struct rlm_boundary *boundary = argument;
    if (boundary->ended)
        RLM_TRY(put_epoch(history, boundary, error));
    if (boundary->ended && boundary->stride)
        RLM_TRY(put_ratios(history, boundary, error));
    return boundary->census ? put_census(history, boundary, error) : RELUME_OK;
}

relume_status rlm_history_add_boundary(struct rlm_history *history, const struct rlm_boundary *boundary,
                                       relume_error *error)
{
    return transact(history, put_boundary, boundary, error);
}

/* ---- the end ---- */

relume_status rlm_history_end(struct rlm_history *history, const struct rlm_ending *ending,
                              relume_error *error)
{
    return rlm_sql_put(
        &history->sql, error,
        "UPDATE run SET status = ?1, epochs = ?2, steps = ?3, model_step = ?4, best_epoch = ?5,"
        " train_loss = ?6, train_accuracy = ?7, test_loss = ?8, test_accuracy = ?9, message = ?10",
        "tuuuuddddt", ending->status, ending->epochs, ending->steps, ending->model_step, ending->best_epoch,
        ending->train.loss, ending->train.accuracy, ending->test.loss, ending->test.accuracy,
        ending->message);
}
