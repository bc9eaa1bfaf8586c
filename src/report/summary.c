/* See summary.h. */
#include "report/summary.h"

#include <string.h>

#include "base/alloc.h"
#include "base/engine.h"
#include "base/error.h"
#include "relume/version.h"
#include "report/writer.h"
#include "run/folder.h"
#include "run/history.h"

/* ---- reading ---- */

static struct rlm_summary_point read_point(struct sqlite3_stmt *row)
{
    struct rlm_summary_point point = {
        .epoch = rlm_sql_column_u64(row, 0),
        .step = rlm_sql_column_u64(row, 1),
        .train_loss = rlm_sql_column_double(row, 2),
        .test_loss = rlm_sql_column_double(row, 3),
        .train_accuracy = rlm_sql_column_double(row, 4),
        .test_accuracy = rlm_sql_column_double(row, 5),
        .dead = rlm_sql_column_double(row, 6) >= 0 ? rlm_sql_column_u64(row, 6) : UINT64_MAX,
    };
    return point;
}

/* Every epoch whose number is a multiple of `every`, and the last. */
static relume_status read_points(struct rlm_summary *summary, struct rlm_history *history, uint64_t every,
                                 relume_error *error)
{
    struct sqlite3_stmt *row = NULL;
    bool there = true;
    RLM_TRY(rlm_sql_prepare(&history->sql,
                            "SELECT epoch, step, coalesce(train_loss, loss), test_loss,"
                            " coalesce(train_accuracy, accuracy), test_accuracy,"
                            " (SELECT dead FROM census WHERE census.step <= epoch.step"
                            "  ORDER BY census.step DESC LIMIT 1)"
                            " FROM epoch WHERE epoch % ?1 = 0 OR epoch = (SELECT max(epoch) FROM epoch)"
                            " ORDER BY epoch",
                            &row, error));
    relume_status status = rlm_sql_bind(&history->sql, row, error, "u", every);
    while (status == RELUME_OK && (status = rlm_sql_next(&history->sql, row, &there, error)) == RELUME_OK &&
           there && summary->points < RLM_SUMMARY_POINTS)
        summary->point[summary->points++] = read_point(row);
    rlm_sql_finish(row);
    return status;
}

static relume_status read_course(struct rlm_summary *summary, struct rlm_history *history,
                                 relume_error *error)
{
    uint64_t epochs;
    RLM_TRY(rlm_sql_number(&history->sql, "SELECT max(epoch) FROM epoch", 0, &epochs, error));
    RLM_TRY(RLM_BAG_TAKE(&summary->bag, summary->point, RLM_SUMMARY_POINTS, "the course of a run", error));
    RLM_TRY(read_points(summary, history, epochs / (RLM_SUMMARY_POINTS - 2) + 1, error));
    if (summary->points > 0) {
        summary->step = summary->point[summary->points - 1].step;
        summary->epoch = summary->point[summary->points - 1].epoch;
    }
    return RELUME_OK;
}

static relume_status read_run(struct rlm_summary *summary, struct rlm_history *history, relume_error *error)
{
    struct rlm_ending ending;
    RLM_TRY(rlm_history_get_settings(history, &summary->settings, error));
    RLM_TRY(rlm_history_get_ending(history, &ending, error));
    summary->state = strcmp(ending.status, "running") == 0 ? "unfinished" : ending.status;
    summary->samples = ending.samples;
    RLM_TRY(rlm_sql_number(&history->sql, "SELECT sum(units) FROM layer WHERE hidden = 1", 0,
                           &summary->hidden_units, error));
    return read_course(summary, history, error);
}

static relume_status open_and_read(struct rlm_summary *summary, const char *path, relume_error *error)
{
    struct rlm_paths paths;
    struct rlm_history history = {0};
    RLM_TRY(rlm_paths_init(&paths, summary->bag.allocator, path, error));
    relume_status status = rlm_history_open(&history, paths.history, false, error);
    if (status == RELUME_OK)
        status = read_run(summary, &history, error);
    rlm_history_close(&history);
    rlm_paths_deinit(&paths);
    return status;
}

relume_status rlm_summary_create(relume_engine *engine, const char *path, struct rlm_summary **result,
                                 relume_error *error)
{
    struct rlm_summary *summary = rlm_alloc_zero(&engine->allocator, 1, sizeof *summary);
    if (!summary)
        return rlm_error_memory(error, sizeof *summary, "the summary of a run");
    summary->bag.allocator = summary->settings.allocator = &engine->allocator;
    char *copy = NULL;
    relume_status status = RLM_BAG_TAKE(&summary->bag, copy, strlen(path) + 1, "a path", error);
    if (status == RELUME_OK) {
        memcpy(copy, path, strlen(path));
        summary->path = copy;
        status = open_and_read(summary, path, error);
    }
    if (status == RELUME_OK)
        *result = summary;
    else
        rlm_summary_destroy(summary);
    return status;
}

void rlm_summary_destroy(struct rlm_summary *summary)
{
    if (!summary)
        return;
    rlm_settings_deinit(&summary->settings);
    rlm_bag_deinit(&summary->bag);
    rlm_free(summary);
}

/* ---- writing ---- */

static void put_column(struct rlm_writer *w, const struct rlm_summary *s, const char *key, size_t offset)
{
    rlm_write_key(w, key);
    rlm_write_open(w, '[');
    for (size_t i = 0; i < s->points; i++) {
        double value;
        memcpy(&value, (const char *)&s->point[i] + offset, sizeof value);
        rlm_write_double(w, value);
    }
    rlm_write_close(w, ']');
}

static void put_course(struct rlm_writer *w, const struct rlm_summary *s)
{
    rlm_write_key(w, "epochs");
    rlm_write_open(w, '{');
    rlm_write_key(w, "epoch");
    rlm_write_open(w, '[');
    for (size_t i = 0; i < s->points; i++)
        rlm_write_u64(w, s->point[i].epoch);
    rlm_write_close(w, ']');
    put_column(w, s, "train_loss", offsetof(struct rlm_summary_point, train_loss));
    put_column(w, s, "test_loss", offsetof(struct rlm_summary_point, test_loss));
    put_column(w, s, "train_accuracy", offsetof(struct rlm_summary_point, train_accuracy));
    put_column(w, s, "test_accuracy", offsetof(struct rlm_summary_point, test_accuracy));
    rlm_write_key(w, "dead");
    rlm_write_open(w, '[');
    for (size_t i = 0; i < s->points; i++) {
        if (s->point[i].dead == UINT64_MAX)
            rlm_write_null(w);
        else
            rlm_write_u64(w, s->point[i].dead);
    }
    rlm_write_close(w, ']');
    rlm_write_close(w, '}');
}

static void put_settings(struct rlm_writer *w, const struct rlm_summary *s)
{
    static const char *const keys[] = {"data",     "hidden",     "optimizer", "learning_rate", "schedule",
                                       "momentum", "batch_size", "epochs",    "init",          "seed"};
    rlm_write_key(w, "settings");
    rlm_write_open(w, '{');
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        rlm_write_key(w, keys[i]);
        rlm_write_text(w, rlm_settings_get(&s->settings, keys[i]));
    }
    rlm_write_close(w, '}');
}

void rlm_summary_json(const struct rlm_summary *s, struct rlm_strbuf *buffer)
{
    struct rlm_writer writer = {.buffer = buffer}, *w = &writer;
    rlm_write_open(w, '{');
    rlm_write_key(w, "schema");
    rlm_write_text(w, "relume.run-summary/1");
    rlm_write_key(w, "relume");
    rlm_write_text(w, relume_version());
    rlm_write_key(w, "run");
    rlm_write_text(w, s->path);
    rlm_write_key(w, "state");
    rlm_write_text(w, s->state);
    rlm_write_key(w, "step");
    rlm_write_u64(w, s->step);
    rlm_write_key(w, "epoch");
    rlm_write_u64(w, s->epoch);
    rlm_write_key(w, "hidden_units");
    rlm_write_u64(w, s->hidden_units);
    rlm_write_key(w, "samples");
    rlm_write_u64(w, s->samples);
    put_settings(w, s);
    put_course(w, s);
    rlm_write_close(w, '}');
}
