/* Gathering what the runs beside this one found at other learning rates: those in the same folder whose
 * settings are equal in all but the rate, as relume sweep -o leaves them. Their histories are read, nothing
 * else; one that cannot be read, or still trains, is passed over. */
#define _XOPEN_SOURCE 700 /* realpath */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "report/gather.h"
#include "report/words.h"
#include "run/folder.h"
#include "run/run.h"

/* Runs that are opened, at most: a report is not to read a folder of thousands. */
#define MOST 400

/* ---- which runs ---- */

/* The settings that say where the data lie and how often to save decide nothing; what the data are, their
 * fingerprint says. */
static bool is_free(const char *key)
{
    static const char *const keys[] = {"learning_rate", "data", "labels", "test", "checkpoint"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

static bool has_all(const struct rlm_settings *settings, const struct rlm_settings *of)
{
    for (size_t i = 0; i < of->count; i++) {
        const char *value = of->setting[i].value;
        const char *other = rlm_settings_get(settings, of->setting[i].key);
        if (!is_free(of->setting[i].key) && (!value != !other || (value && strcmp(value, other) != 0)))
            return false;
    }
    return true;
}

static bool is_sibling(const struct rlm_settings *a, const struct rlm_settings *b)
{
    return has_all(a, b) && has_all(b, a);
}

/* ---- one run ---- */

static relume_status read_counts(struct rlm_history *history, relume_sweep_row *row, uint64_t model_step,
                                 relume_error *error)
{
    struct rlm_sql *sql = &history->sql;
    struct sqlite3_stmt *statement = NULL;
    bool there = false;
    RLM_TRY(rlm_sql_prepare(sql,
                            "SELECT (SELECT sum(units) FROM layer WHERE hidden = 1),"
                            " (SELECT dead FROM census WHERE step <= ?1 ORDER BY step DESC LIMIT 1),"
                            " (SELECT count(*) FROM event WHERE census_step <= ?1 AND kind = 'born dead'),"
                            " (SELECT count(*) FROM event WHERE census_step <= ?1 AND kind = 'killed'),"
                            " (SELECT count(*) FROM event WHERE census_step <= ?1 AND kind = 'revived')",
                            &statement, error));
    relume_status status = rlm_sql_bind(sql, statement, error, "u", model_step);
    if (status == RELUME_OK)
        status = rlm_sql_next(sql, statement, &there, error);
    if (status == RELUME_OK && there) {
        row->units = (size_t)rlm_sql_column_u64(statement, 0);
        row->total = (relume_run_layer){.dead_at_end = rlm_sql_column_u64(statement, 1),
                                        .born_dead = rlm_sql_column_u64(statement, 2),
                                        .deaths = rlm_sql_column_u64(statement, 3),
                                        .revivals = rlm_sql_column_u64(statement, 4)};
    }
    rlm_sql_finish(statement);
    return status;
}

/* *done: the run is one of the sweep, and over; then `row` is filled. Of the settings only the rate is taken
 * from it, for in all others it is the run that is reported. */
static relume_status read_run(const struct rlm_gather *gather, struct rlm_history *history,
                              relume_sweep_row *row, bool *done, relume_error *error)
{
    const struct rlm_settings *own = &gather->run->settings;
    struct rlm_settings settings = {.allocator = own->allocator};
    struct rlm_ending ending;
    relume_status status = rlm_history_get_settings(history, &settings, error);
    if (status == RELUME_OK && is_sibling(&settings, own))
        status = rlm_history_get_ending(history, &ending, error);
    else
        ending.status = "running";
    *done = status == RELUME_OK && strcmp(ending.status, "running") != 0;
    relume_run_options options;
    relume_run_options_default(&options);
    if (*done)
        status = rlm_settings_apply(&settings, &options, error);
    *done = status == RELUME_OK && *done;
    if (*done) {
        *row = (relume_sweep_row){.init = gather->run->options.init,
                                  .optimizer = gather->facts->optimizer,
                                  .learning_rate = options.trainer.learning_rate,
                                  .epochs = ending.epochs,
                                  .steps = ending.steps,
                                  .diverged = strcmp(ending.status, "diverged") == 0,
                                  .train = ending.train,
                                  .test = ending.test};
        status = read_counts(history, row, ending.model_step, error);
    }
    rlm_settings_deinit(&settings);
    return status;
}

static relume_status try_run(struct rlm_gather *gather, const char *path, const char *name,
                             relume_error *error)
{
    struct rlm_facts_sweep *sweep = &gather->facts->sweep;
    struct rlm_paths paths;
    struct rlm_history history = {.sql.stop = gather->stop};
    relume_error why = {0};
    bool done = false;
    RLM_TRY(rlm_paths_init(&paths, gather->facts->bag.allocator, path, error));
    relume_status status = rlm_history_open(&history, paths.history, false, &why);
    if (status == RELUME_OK)
        status = read_run(gather, &history, &sweep->row[sweep->rows], &done, &why);
    rlm_history_close(&history);
    rlm_paths_deinit(&paths);
    if (status == RELUME_NO_MEMORY || status == RELUME_INTERRUPTED)
        return rlm_error_set(error, status, "%s", why.message);
    if (status != RELUME_OK || !done)
        return RELUME_OK;
    RLM_TRY(rlm_facts_print(gather->facts, &sweep->run[sweep->rows], error, "%s", name));
    sweep->rows++;
    return RELUME_OK;
}

/* ---- the folder ---- */

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static relume_status try_all(struct rlm_gather *gather, const char *folder, struct dirent **entry, int count,
                             relume_error *error)
{
    char path[PATH_MAX];
    int opened = 0;
    for (int i = 0; i < count && opened < MOST; i++) {
        int length = snprintf(path, sizeof path, "%s/%s", folder, entry[i]->d_name);
        if (entry[i]->d_name[0] == '.' || length <= 0 || (size_t)length >= sizeof path ||
            !relume_run_exists(path))
            continue;
        opened++;
        RLM_TRY(try_run(gather, path, entry[i]->d_name, error));
    }
    return RELUME_OK;
}

/* The folder a run lies in, and the run's own name in it. False where there is none. */
static bool split_path(const char *path, char folder[PATH_MAX], const char **name)
{
    if (!realpath(path, folder))
        return false;
    char *slash = strrchr(folder, '/');
    if (!slash || slash == folder || !slash[1])
        return false;
    *slash = '\0';
    *name = slash + 1;
    return true;
}

/* ---- in order ---- */

struct placed {
    relume_sweep_row row;
    char *run;
};

static int by_rate(const void *left, const void *right)
{
    const struct placed *a = left, *b = right;
    if (a->row.learning_rate != b->row.learning_rate)
        return a->row.learning_rate < b->row.learning_rate ? -1 : 1;
    return strcmp(a->run, b->run);
}

/* Ascending rates, each once: of two runs with the same rate this one stays, else the first by name. */
static relume_status put_in_order(struct rlm_facts *facts, const char *own, relume_error *error)
{
    struct rlm_facts_sweep *sweep = &facts->sweep;
    struct placed *placed;
    size_t kept = 0;
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, placed, sweep->rows, "a report's sweep", error));
    for (size_t i = 0; i < sweep->rows; i++)
        placed[i] = (struct placed){sweep->row[i], sweep->run[i]};
    qsort(placed, sweep->rows, sizeof *placed, by_rate);
    for (size_t i = 0; i < sweep->rows; i++) {
        bool again = kept > 0 && sweep->row[kept - 1].learning_rate == placed[i].row.learning_rate;
        bool is_own = strcmp(placed[i].run, own) == 0;
        if (again && !is_own)
            continue;
        size_t at = again ? kept - 1 : kept++;
        sweep->row[at] = placed[i].row;
        sweep->run[at] = placed[i].run;
        if (is_own)
            sweep->own = at;
    }
    sweep->rows = kept;
    return RELUME_OK;
}

/* ---- in words ---- */

static relume_status say_cliff(struct rlm_facts *facts, relume_error *error)
{
    struct rlm_facts_sweep *sweep = &facts->sweep;
    struct rlm_words w = {.next = 0};
    const relume_sweep_row *row = sweep->row;
    sweep->cliff = relume_sweep_find_cliff(row, sweep->rows);
    const relume_sweep_cliff *cliff = &sweep->cliff;
    char safe[120] = "No rate tried left every unit alive.", dead[120] = "", best[120] = "", end[120] = "";
    if (cliff->safe != SIZE_MAX)
        (void)snprintf(safe, sizeof safe, "Up to a rate of %s no unit was killed.",
                       rlm_words_rate(&w, row[cliff->safe].learning_rate));
    if (cliff->dead != SIZE_MAX)
        (void)snprintf(dead, sizeof dead, " From %s on more than a tenth of the units are lost.",
                       rlm_words_rate(&w, row[cliff->dead].learning_rate));
    if (cliff->best != SIZE_MAX) {
        double accuracy = relume_sweep_row_accuracy(&row[cliff->best]);
        (void)snprintf(best, sizeof best, " The best is %s (%s).",
                       rlm_words_rate(&w, row[cliff->best].learning_rate),
                       isfinite(accuracy) ? rlm_words_percent(&w, accuracy) : "by its loss");
    }
    if (cliff->diverged != SIZE_MAX)
        (void)snprintf(end, sizeof end, " Training diverges at %s.",
                       rlm_words_rate(&w, row[cliff->diverged].learning_rate));
    return rlm_facts_print(facts, &sweep->says, error, "%s%s%s%s", safe, dead, best, end);
}

relume_status rlm_gather_sweep(struct rlm_gather *gather, relume_error *error)
{
    struct rlm_facts *facts = gather->facts;
    struct rlm_facts_sweep *sweep = &facts->sweep;
    char folder[PATH_MAX];
    const char *own;
    struct dirent **entry = NULL;
    sweep->own = SIZE_MAX;
    if (facts->live || gather->run->options.census.kind == RELUME_OFF || /* counts are what is compared */
        !split_path(facts->run, folder, &own))
        return RELUME_OK;
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, sweep->row, MOST, "a report's sweep", error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, sweep->run, MOST, "a report's sweep", error));
    int count = scandir(folder, &entry, NULL, by_name);
    relume_status status = count > 0 ? try_all(gather, folder, entry, count, error) : RELUME_OK;
    for (int i = 0; i < count; i++)
        free(entry[i]);
    free(entry);
    if (status == RELUME_OK)
        status = put_in_order(facts, own, error);
    if (sweep->rows < 2 || sweep->own == SIZE_MAX) /* there is nothing to compare with */
        sweep->rows = 0;
    return status == RELUME_OK && sweep->rows > 0 ? say_cliff(facts, error) : status;
}
