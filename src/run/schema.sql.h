/* The tables of RUN/history.sqlite; docs/run-directory.md tells what each column means. Layers count from 1
 * here, as in their names; units from 0. Everything but `machine` and `timing` is the same for every machine,
 * thread count and pattern of resuming. */
#ifndef RLM_RUN_SCHEMA_SQL_H
#define RLM_RUN_SCHEMA_SQL_H

#define RLM_HISTORY_APPLICATION 0x72656c75 /* "relu" */
#define RLM_HISTORY_VERSION 1

static const char rlm_history_schema[] =
    "CREATE TABLE setting(key TEXT PRIMARY KEY, value TEXT) STRICT, WITHOUT ROWID;"
    "CREATE TABLE layer(layer INTEGER PRIMARY KEY, name TEXT NOT NULL, hidden INTEGER NOT NULL,"
    "  in_features INTEGER NOT NULL, units INTEGER NOT NULL) STRICT;"
    "CREATE TABLE run(id INTEGER PRIMARY KEY CHECK (id = 1), status TEXT NOT NULL, samples INTEGER NOT NULL,"
    "  test_samples INTEGER NOT NULL, steps_per_epoch INTEGER NOT NULL, epochs INTEGER, steps INTEGER,"
    "  model_step INTEGER, best_epoch INTEGER, train_loss REAL, train_accuracy REAL, test_loss REAL,"
    "  test_accuracy REAL, message TEXT) STRICT;"
    "CREATE TABLE epoch(epoch INTEGER PRIMARY KEY, step INTEGER NOT NULL, learning_rate REAL NOT NULL, loss "
    "REAL,"
    "  accuracy REAL, train_loss REAL, train_accuracy REAL, test_loss REAL, test_accuracy REAL) STRICT;"
    "CREATE TABLE census(step INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, samples INTEGER NOT NULL,"
    "  dead INTEGER NOT NULL, loss REAL, accuracy REAL) STRICT;"
    "CREATE TABLE census_layer(step INTEGER NOT NULL REFERENCES census, layer INTEGER NOT NULL REFERENCES "
    "layer,"
    "  dead INTEGER NOT NULL, nearly_dead INTEGER NOT NULL, always_on INTEGER NOT NULL, mute INTEGER NOT "
    "NULL,"
    "  dormant_0 INTEGER NOT NULL, dormant_0_025 INTEGER NOT NULL, dormant_0_1 INTEGER NOT NULL,"
    "  mean_firing_rate REAL NOT NULL, silent INTEGER NOT NULL, PRIMARY KEY (step, layer)) STRICT, WITHOUT "
    "ROWID;"
    "CREATE TABLE census_unit(step INTEGER NOT NULL REFERENCES census, layer INTEGER NOT NULL REFERENCES "
    "layer,"
    "  unit INTEGER NOT NULL, active INTEGER NOT NULL, margin REAL NOT NULL, mean_activation REAL NOT NULL,"
    "  silent INTEGER NOT NULL, last_step INTEGER NOT NULL, PRIMARY KEY (step, layer, unit)) STRICT, WITHOUT "
    "ROWID;"
    "CREATE TABLE event(id INTEGER PRIMARY KEY, layer INTEGER NOT NULL REFERENCES layer, unit INTEGER NOT "
    "NULL,"
    "  kind TEXT NOT NULL CHECK (kind IN ('born dead', 'killed', 'revived')), after_step INTEGER NOT NULL,"
    "  step INTEGER NOT NULL, exact INTEGER NOT NULL, census_step INTEGER NOT NULL REFERENCES census) STRICT;"
    "CREATE INDEX event_unit ON event(layer, unit, step);"
    "CREATE TABLE machine(id INTEGER PRIMARY KEY, started TEXT NOT NULL, relume TEXT NOT NULL, kernel TEXT "
    "NOT NULL,"
    "  kernel_reason TEXT NOT NULL, threads INTEGER NOT NULL, threads_reason TEXT NOT NULL,"
    "  from_step INTEGER NOT NULL) STRICT;"
    "CREATE TABLE timing(epoch INTEGER PRIMARY KEY, step_seconds REAL NOT NULL, evaluate_seconds REAL NOT "
    "NULL,"
    "  census_seconds REAL NOT NULL, save_seconds REAL NOT NULL) STRICT;"
    "CREATE VIEW unit_event AS SELECT event.id, layer.name || '.' || unit AS name, kind, after_step, step, "
    "exact"
    "  FROM event JOIN layer USING (layer);"
    "CREATE VIEW dead_share AS SELECT epoch.epoch, layer.name, CAST(dead AS REAL) / units AS share"
    "  FROM epoch JOIN census_layer USING (step) JOIN layer USING (layer);";

/* What came later: made where it is missing, and perhaps not there in a history that is only read. */
static const char rlm_history_later[] =
    "CREATE TABLE IF NOT EXISTS update_ratio(epoch INTEGER NOT NULL REFERENCES epoch, layer INTEGER NOT NULL"
    "  REFERENCES layer, ratio REAL, PRIMARY KEY (epoch, layer)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS forecast(id INTEGER PRIMARY KEY CHECK (id = 1), seeds INTEGER NOT NULL,"
    "  steps INTEGER NOT NULL, safe REAL, lethal REAL, diverged INTEGER NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS forecast_layer(layer INTEGER PRIMARY KEY REFERENCES layer, expected REAL,"
    "  measured REAL, standard_error REAL, owed_to TEXT) STRICT;";

/* What poses as the tables above: views, virtual tables, and columns that are computed. These are programs:
 * one that never comes to an end, or makes a gigabyte of a few letters, would hold up whoever only wants to
 * read a run that was sent to him. Views of other names may stand there, for nobody asks them. */
static const char rlm_history_posing[] =
    "WITH own(name) AS (VALUES ('setting'), ('layer'), ('run'), ('epoch'), ('census'), ('census_layer'),"
    "  ('census_unit'), ('event'), ('machine'), ('timing'), ('update_ratio'), ('forecast'),"
    "  ('forecast_layer'))"
    " SELECT (SELECT count(*) FROM pragma_table_list AS t WHERE t.schema = 'main' AND (t.type = 'virtual' OR"
    "  t.type = 'view' AND lower(t.name) IN (SELECT name FROM own)))"
    " + (SELECT count(*) FROM own, pragma_table_xinfo(own.name) WHERE hidden <> 0)";

/* The tables of a census once more, for one connection alone; their columns are those above. */
static const char rlm_history_aside[] =
    "CREATE TEMP TABLE census AS SELECT * FROM main.census WHERE 0;"
    "CREATE TEMP TABLE census_layer AS SELECT * FROM main.census_layer WHERE 0;"
    "CREATE TEMP TABLE census_unit AS SELECT * FROM main.census_unit WHERE 0;"
    "CREATE TEMP TABLE event(id INTEGER PRIMARY KEY, layer, unit, kind, after_step, step, exact, "
    "census_step);";

#endif
