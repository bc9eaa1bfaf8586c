/* Histories of a stranger's run: files that are none, tables that are programs, triggers, journals that name
 * another file, and damage in single values. Nothing of a history is run, and nothing outside of it is
 * touched. docs/robustness.md tells what is promised; the folder around it is in test_run_received.c. */
#include "run_world.h"

static int64_t ask(const char *path, const char *question)
{
    char file[160];
    sqlite3 *database;
    sqlite3_stmt *row;
    (void)snprintf(file, sizeof file, "%s/history.sqlite", path);
    assert_int_equal(sqlite3_open(file, &database), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(database, question, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    int64_t answer = sqlite3_column_int64(row, 0);
    (void)sqlite3_finalize(row);
    (void)sqlite3_close(database);
    return answer;
}

static void test_open_refuses_what_is_no_run(void **state)
{
    (void)state;
    char path[128], file[160];
    relume_error error = {0};
    relume_run *run = NULL;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    assert_status(relume_run_open(engine, run_path(path, "no run"), &run, &error), RELUME_NOT_FOUND);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_status(relume_run_open(engine, path, &run, &error), RELUME_NOT_FOUND);
    (void)snprintf(file, sizeof file, "%s/history.sqlite", path);
    run_write(file, "these are words and no database, though they are long enough to be looked at\n");
    assert_status(relume_run_open(engine, path, &run, &error), RELUME_BAD_FORMAT);
    relume_run_options options = run_options(path);
    options.resume = 1;
    run_train(engine, &options, RELUME_BAD_FORMAT);
    assert_int_equal(remove(file), 0);
    sqlite3 *database;
    assert_int_equal(sqlite3_open(file, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, "CREATE TABLE mine(a)", NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(database);
    assert_status(relume_run_open(engine, path, &run, &error), RELUME_BAD_FORMAT);
    run_train(engine, &options, RELUME_BAD_FORMAT);
    assert_null(run);
    relume_engine_destroy(engine);
    run_remove(path);
}

/* A view could go on for ever, a computed column make a gigabyte; in the place of a table they are refused
 * before anything is read of them. */
static void test_open_refuses_programs_for_tables(void **state)
{
    (void)state;
    static const char *const posing[] = {
        "ALTER TABLE event RENAME TO kept; CREATE VIEW Event AS SELECT * FROM kept",
        "DROP TABLE timing; CREATE VIRTUAL TABLE timing USING fts5(epoch, step_seconds)",
        "DROP TABLE run; CREATE TABLE run(id INTEGER PRIMARY KEY, status AS (hex(zeroblob(400000000))))",
    };
    char path[128];
    relume_error error = {0};
    relume_run *run = NULL;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "views"));
    for (size_t i = 0; i < sizeof posing / sizeof *posing; i++) {
        options.resume = 0;
        run_train(engine, &options, RELUME_OK);
        run_change(path, "CREATE VIEW mine AS SELECT * FROM event; CREATE INDEX also_mine ON event(kind)");
        assert_ok(relume_run_open(engine, path, &run, &error), error);
        relume_run_destroy(run);
        run = NULL;
        run_change(path, posing[i]);
        assert_status(relume_run_open(engine, path, &run, &error), RELUME_BAD_FORMAT);
        assert_non_null(strstr(error.message, "has a view, a virtual table or a computed column"));
        assert_null(run);
        options.resume = 1;
        run_train(engine, &options, RELUME_BAD_FORMAT);
        run_remove(path);
    }
    relume_engine_destroy(engine);
}

/* Resuming writes to a history without waking what somebody may have put into it. */
static void test_triggers_are_not_run(void **state)
{
    (void)state;
    char path[128];
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "triggers"));
    run_train(engine, &options, RELUME_OK);
    run_change(path, RUN_NOT_FINISHED
               "CREATE TABLE woken(by TEXT);"
               "CREATE TRIGGER one AFTER INSERT ON machine BEGIN INSERT INTO woken VALUES ('machine'); END;"
               "CREATE TRIGGER two BEFORE DELETE ON epoch BEGIN INSERT INTO woken VALUES ('epoch'); END;"
               "CREATE TRIGGER three AFTER UPDATE ON run BEGIN INSERT INTO woken VALUES ('run'); END;");
    options.resume = 1;
    run_train(engine, &options, RELUME_OK);
    assert_int_equal(ask(path, "SELECT count(*) FROM machine"), 2);
    assert_int_equal(ask(path, "SELECT status = 'finished' FROM run"), 1);
    assert_int_equal(ask(path, "SELECT count(*) FROM woken"), 0);
    relume_engine_destroy(engine);
    run_remove(path);
}

/* The number of a field of a journal's header: four bytes, the highest first. */
static void put_number(FILE *file, uint32_t number)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        assert_true(fputc((int)(number >> shift & 0xff), file) != EOF);
}

/* A journal of a transaction that was cut off before it changed a page: a header alone, and behind it, where
 * `named` is not NULL, the name of a file that is said to be the journal of several databases. */
static void write_journal(const char *path, const char *named)
{
    static const unsigned char mark[] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
    enum { SECTOR = 512, LOCKED_BYTE = 0x40000000 };
    char name[160];
    uint32_t page = (uint32_t)ask(path, "PRAGMA page_size"), sum = 0;
    uint32_t header[] = {0, 12345, (uint32_t)ask(path, "PRAGMA page_count"), SECTOR, page};
    (void)snprintf(name, sizeof name, "%s/history.sqlite-journal", path);
    FILE *file = fopen(name, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(mark, 1, sizeof mark, file), sizeof mark);
    for (size_t i = 0; i < sizeof header / sizeof *header; i++)
        put_number(file, header[i]);
    for (size_t at = sizeof mark + sizeof header; at < SECTOR; at++)
        assert_true(fputc(0, file) != EOF);
    if (named) {
        for (size_t i = 0; named[i] != '\0'; i++)
            sum += (uint32_t)named[i];
        put_number(file, LOCKED_BYTE / page + 1);
        assert_true(fputs(named, file) >= 0);
        put_number(file, (uint32_t)strlen(named));
        put_number(file, sum);
        assert_int_equal(fwrite(mark, 1, sizeof mark, file), sizeof mark);
    }
    assert_int_equal(fclose(file), 0);
}

/* Who opens a run rolls back what its writer left half done, and SQLite then removes the file that the
 * journal names. */
static void test_a_journal_may_not_name_a_file(void **state)
{
    (void)state;
    char path[128], other[128], journal[160];
    relume_error error = {0};
    relume_run *run = NULL;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "journal"));
    run_train(engine, &options, RELUME_OK);
    run_write(run_path(other, "thesis.tex"), "words");
    (void)snprintf(journal, sizeof journal, "%s/history.sqlite-journal", path);
    write_journal(path, other);
    assert_status(relume_run_open(engine, path, &run, &error), RELUME_BAD_FORMAT);
    assert_non_null(strstr(error.message, "names another file"));
    options.resume = 1;
    run_train(engine, &options, RELUME_BAD_FORMAT);
    assert_int_equal(access(other, F_OK), 0);
    assert_int_equal(remove(journal), 0); /* before this test asks SQLite itself */
    write_journal(path, NULL);            /* the same without a name is rolled back, and is gone */
    assert_ok(relume_run_open(engine, path, &run, &error), error);
    relume_run_destroy(run);
    assert_int_not_equal(access(journal, F_OK), 0);
    assert_int_equal(remove(other), 0);
    relume_engine_destroy(engine);
    run_remove(path);
}

/* Options of data that go with no data are the history's fault, and not of whoever asks the run. */
static void test_settings_that_fit_no_data(void **state)
{
    (void)state;
    char path[128];
    relume_error error = {0};
    relume_run *run = NULL;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "settings"));
    run_train(engine, &options, RELUME_OK);
    run_change(path, "UPDATE setting SET value = 'y' WHERE key = 'y_key'");
    assert_ok(relume_run_open(engine, path, &run, &error), error);
    assert_status(relume_run_load_dataset(run, &error), RELUME_BAD_FORMAT);
    assert_int_equal(error.status, RELUME_BAD_FORMAT);
    assert_non_null(strstr(error.message, "history.sqlite"));
    relume_run_destroy(run);
    relume_engine_destroy(engine);
    run_remove(path);
}

/* So are options of training that no training can have. */
static void test_settings_of_no_training(void **state)
{
    (void)state;
    static const char *const changes[][2] = {{"epochs", "9000000000000000000"},
                                             {"batch_size", "1000000000000"}};
    relume_engine *engine = world_engine(NULL, 1, NULL);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char path[128], change[160];
        relume_error error = {0};
        relume_run *run = NULL;
        relume_autopsy *autopsy = NULL;
        relume_run_options options = run_options(run_path(path, "training"));
        options.trainer.learning_rate = 3.0; /* or nothing dies */
        run_train(engine, &options, RELUME_OK);
        (void)snprintf(change, sizeof change, "UPDATE setting SET value = '%s' WHERE key = '%s'",
                       changes[i][1], changes[i][0]);
        run_change(path, change);
        assert_ok(relume_run_open(engine, path, &run, &error), error);
        assert_status(relume_autopsy_hold(run, NULL, &autopsy, &error), RELUME_BAD_FORMAT);
        assert_int_equal(error.status, RELUME_BAD_FORMAT);
        assert_non_null(strstr(error.message, "history.sqlite"));
        relume_run_destroy(run);
        run_remove(path);
    }
    relume_engine_destroy(engine);
}

/* A value is copied, and a file may hold a long one or name its length alone. */
static void test_long_values_are_refused(void **state)
{
    (void)state;
    char path[128];
    relume_error error = {0};
    relume_run *run = NULL;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "long"));
    run_train(engine, &options, RELUME_OK);
    run_change(path, "UPDATE setting SET value = hex(zeroblob(34 << 20)) WHERE key = 'init_from'");
    assert_status(relume_run_open(engine, path, &run, &error), RELUME_BAD_FORMAT);
    assert_non_null(strstr(error.message, "history.sqlite"));
    assert_null(run);
    relume_engine_destroy(engine);
    run_remove(path);
}

/* Damage in single values of a history is refused or harmless, never a crash. */
static void test_open_survives_damage(void **state)
{
    (void)state;
    static const char *const damage[] = {
        "UPDATE census_unit SET unit = 1000 WHERE unit = 5",
        "UPDATE census_unit SET active = 100000 WHERE unit = 5",
        "DELETE FROM census_unit WHERE unit = 8",
        "PRAGMA foreign_keys = 0; UPDATE event SET layer = 9",
        "UPDATE event SET unit = 4000000000",
        "UPDATE event SET unit = -1",
        "UPDATE census_layer SET dead = -5",
        "DELETE FROM census_layer; DELETE FROM event",
        "DELETE FROM run",
        "UPDATE run SET status = 'odd'",
        "UPDATE setting SET value = 'x' WHERE key = 'epochs'",
        "UPDATE setting SET value = '12,,9' WHERE key = 'hidden'",
        "UPDATE setting SET value = NULL",
        "DELETE FROM setting",
        "DROP TABLE epoch",
        "PRAGMA user_version = 99",
    };
    char path[128], copy[128], command[400];
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "sound"));
    run_train(engine, &options, RELUME_OK);
    (void)run_path(copy, "damaged");
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        (void)snprintf(command, sizeof command, "cp -r '%s' '%s'", path, copy);
        /* NOLINTNEXTLINE(cert-env33-c): a path of this test */
        assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): the path is the test's own */
        run_change(copy, damage[i]);
        relume_error error = {0};
        relume_run *run = NULL;
        relume_status status = relume_run_open(engine, copy, &run, &error);
        if (status != RELUME_OK && status != RELUME_BAD_FORMAT && status != RELUME_NOT_FOUND)
            fail_msg("%s: %s: %s", damage[i], relume_status_name(status), error.message);
        assert_int_equal(status == RELUME_OK, run != NULL);
        assert_true(status == RELUME_OK || strlen(error.message) > 0);
        relume_run_destroy(run);
        run_remove(copy);
    }
    relume_engine_destroy(engine);
    run_remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_refuses_what_is_no_run),
        cmocka_unit_test(test_open_refuses_programs_for_tables),
        cmocka_unit_test(test_triggers_are_not_run),
        cmocka_unit_test(test_a_journal_may_not_name_a_file),
        cmocka_unit_test(test_settings_that_fit_no_data),
        cmocka_unit_test(test_settings_of_no_training),
        cmocka_unit_test(test_long_values_are_refused),
        cmocka_unit_test(test_open_survives_damage),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
