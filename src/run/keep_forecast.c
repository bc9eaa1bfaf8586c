/* A forecast that stays with its run: two tables of the history, written under the run's lock and replaced as
 * a whole. See relume/forecast.h; report/gather_forecast.c reads them. */
#include <math.h>

#include "base/engine.h"
#include "base/error.h"
#include "relume/forecast.h"
#include "relume/run.h"
#include "run/folder.h"
#include "run/history.h"
#include "run/lock.h"

static relume_status put_rows(struct rlm_history *history, const relume_forecast *forecast,
                              const relume_safe_rate *rate, uint64_t steps, relume_error *error)
{
    struct rlm_sql *sql = &history->sql;
    double none = (double)NAN;
    RLM_TRY(rlm_sql_run(sql, "DELETE FROM forecast; DELETE FROM forecast_layer;", error));
    RLM_TRY(rlm_sql_put(sql, error, "INSERT INTO forecast VALUES (1, ?1, ?2, ?3, ?4, ?5)", "uuddi",
                        (uint64_t)forecast->seeds, steps, rate && rate->safe > 0 ? rate->safe : none,
                        rate && rate->lethal > 0 ? rate->lethal : none,
                        (int64_t)(rate && rate->lethal > 0 && rate->diverged)));
    for (size_t l = 0; l < forecast->layers; l++) {
        const relume_forecast_layer *layer = &forecast->layer[l];
        RLM_TRY(rlm_sql_put(sql, error, "INSERT INTO forecast_layer VALUES (?1, ?2, ?3, ?4, ?5)", "udddt",
                            (uint64_t)l + 1, layer->expected, layer->measured, layer->standard_error,
                            relume_blame_name(layer->blame)));
    }
    return RELUME_OK;
}

/* The layers must be the run's own. */
static relume_status check_layers(struct rlm_history *history, const char *path,
                                  const relume_forecast *forecast, relume_error *error)
{
    uint64_t layers, units, foretold = 0;
    RLM_TRY(rlm_sql_number(&history->sql, "SELECT count(*) FROM layer WHERE hidden = 1", 0, &layers, error));
    RLM_TRY(rlm_sql_number(&history->sql, "SELECT sum(units) FROM layer WHERE hidden = 1", 0, &units, error));
    for (size_t l = 0; l < forecast->layers; l++)
        foretold += forecast->layer[l].units;
    if (layers == forecast->layers && units == foretold)
        return RELUME_OK;
    return rlm_error_set(error, RELUME_MISMATCH,
                         "%s has %llu hidden layers with %llu units, the forecast is of %zu with %llu", path,
                         (unsigned long long)layers, (unsigned long long)units, forecast->layers,
                         (unsigned long long)foretold);
}

static relume_status keep(struct rlm_history *history, const char *path, const relume_forecast *forecast,
                          const relume_safe_rate *rate, uint64_t steps, relume_error *error)
{
    RLM_TRY(check_layers(history, path, forecast, error));
    RLM_TRY(rlm_sql_run(&history->sql, "BEGIN IMMEDIATE", error));
    relume_status status = put_rows(history, forecast, rate, steps, error);
    if (status == RELUME_OK)
        status = rlm_sql_run(&history->sql, "COMMIT", error);
    if (status != RELUME_OK)
        (void)rlm_sql_run(&history->sql, "ROLLBACK", NULL); /* the first failure is the one to tell */
    return status;
}

relume_status relume_forecast_keep(relume_engine *engine, const char *path, const relume_forecast *forecast,
                                   const relume_safe_rate *rate, uint64_t steps, relume_error *error)
{
    struct rlm_paths paths;
    struct rlm_history history = {0};
    int lock = -1;
    rlm_error_clear(error);
    if (!relume_run_exists(path))
        return rlm_error_set(error, RELUME_NOT_FOUND, "%s holds no run", path);
    RLM_TRY(rlm_paths_init(&paths, &engine->allocator, path, error));
    relume_status status = rlm_lock_take(paths.lock, &lock, error);
    if (status == RELUME_OK)
        status = rlm_folder_refuse_links(&paths, error);
    if (status == RELUME_OK)
        status = rlm_history_open(&history, paths.history, true, error);
    if (status == RELUME_OK)
        status = keep(&history, path, forecast, rate, steps, error);
    rlm_history_close(&history);
    rlm_lock_release(lock);
    rlm_paths_deinit(&paths);
    return status;
}
