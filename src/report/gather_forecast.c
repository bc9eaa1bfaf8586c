/* Gathering what relume forecast has left with the run (run/keep_forecast.c); a run that was not forecast, or
 * that an older version made, has no such rows or no such tables, and a report says nothing of it. */
#include "base/error.h"
#include "report/gather.h"

static relume_status read_rate(struct rlm_gather *gather, relume_error *error)
{
    struct rlm_facts_forecast *forecast = &gather->facts->forecast;
    struct rlm_sql *sql = &gather->history.sql;
    struct sqlite3_stmt *row = NULL;
    bool there = false;
    RLM_TRY(rlm_sql_prepare(sql, "SELECT seeds, steps, safe, lethal, diverged FROM forecast", &row, error));
    relume_status status = rlm_sql_next(sql, row, &there, error);
    if (status == RELUME_OK && there) {
        forecast->seeds = rlm_sql_column_u64(row, 0);
        forecast->steps = rlm_sql_column_u64(row, 1);
        forecast->safe = rlm_sql_column_double(row, 2);
        forecast->lethal = rlm_sql_column_double(row, 3);
        forecast->diverged = rlm_sql_column_u64(row, 4) != 0;
    }
    rlm_sql_finish(row);
    return status;
}

static relume_status read_layers(struct rlm_gather *gather, relume_error *error)
{
    struct rlm_facts *facts = gather->facts;
    struct rlm_facts_forecast *forecast = &facts->forecast;
    struct rlm_sql *sql = &gather->history.sql;
    struct sqlite3_stmt *row = NULL;
    bool there = true;
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, forecast->layer, facts->layers, "a report's forecast", error));
    RLM_TRY(rlm_sql_prepare(sql,
                            "SELECT expected, measured, standard_error, owed_to FROM forecast_layer"
                            " ORDER BY layer",
                            &row, error));
    relume_status status = RELUME_OK;
    while (status == RELUME_OK && forecast->layers < facts->layers) {
        struct rlm_facts_forecast_layer *layer = &forecast->layer[forecast->layers];
        status = rlm_sql_next(sql, row, &there, error);
        if (status != RELUME_OK || !there)
            break;
        layer->expected = rlm_sql_column_double(row, 0);
        layer->measured = rlm_sql_column_double(row, 1);
        layer->standard_error = rlm_sql_column_double(row, 2);
        const char *owed_to = rlm_sql_column_text(row, 3);
        status = rlm_facts_print(facts, &layer->owed_to, error, "%s", owed_to ? owed_to : "");
        forecast->layers++;
    }
    rlm_sql_finish(row);
    return status;
}

relume_status rlm_gather_forecast(struct rlm_gather *gather, relume_error *error)
{
    uint64_t tables;
    RLM_TRY(rlm_sql_number(&gather->history.sql,
                           "SELECT count(*) FROM sqlite_schema WHERE name IN ('forecast', 'forecast_layer')",
                           0, &tables, error));
    if (tables < 2)
        return RELUME_OK;
    RLM_TRY(read_rate(gather, error));
    return gather->facts->forecast.seeds > 0 ? read_layers(gather, error) : RELUME_OK;
}
