/* What a stranger's folder may hold, or one that is in the way: foreign files, links, and histories that are
 * none, pose as one or are damaged. Whatever is refused stays as it is. */
#include "run_world.h"

/* ---- folders that are in the way ---- */

static void test_existing_is_never_overwritten(void **state)
{
    (void)state;
    char path[128], file[160];
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "exists"));
    run_train(engine, &options, RELUME_OK);
    char *text = run_tell(path);
    run_train(engine, &options, RELUME_EXISTS);
    run_assert_tells(path, text, "a run that was in the way");
    rlm_free(text);
    run_remove(path);

    assert_int_equal(mkdir(path, 0700), 0); /* an empty folder will do */
    run_train(engine, &options, RELUME_OK);
    run_remove(path);

    assert_int_equal(mkdir(path, 0700), 0); /* somebody's folder will not, with resume neither */
    (void)snprintf(file, sizeof file, "%s/thesis.tex", path);
    run_write(file, "words");
    run_train(engine, &options, RELUME_EXISTS);
    options.resume = 1;
    run_train(engine, &options, RELUME_EXISTS);
    run_remove(path);

    run_write(path, "a file");
    run_train(engine, &options, RELUME_EXISTS);
    run_remove(path);
    relume_engine_destroy(engine);
}

/* What a loss of power may leave of the first calls is begun anew; checkpoints without their history stay. */
static void test_leftovers_of_a_beginning(void **state)
{
    (void)state;
    char path[128], file[160];
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "beginning"));
    run_train(engine, &options, RELUME_OK);
    char *text = run_tell(path);
    run_remove(path);

    static const char *const files[] = {"lock", "history.sqlite-journal"};
    assert_int_equal(mkdir(path, 0700), 0);
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(file, sizeof file, "%s/%s", path, files[i]);
        run_write(file, "");
    }
    (void)snprintf(file, sizeof file, "%s/checkpoints", path);
    assert_int_equal(mkdir(file, 0700), 0);
    run_train(engine, &options, RELUME_OK);
    run_assert_tells(path, text, "a run begun where another beginning was cut off");
    rlm_free(text);

    (void)snprintf(file, sizeof file, "%s/history.sqlite", path);
    assert_int_equal(remove(file), 0);
    run_train(engine, &options, RELUME_EXISTS);
    run_remove(path);
    relume_engine_destroy(engine);
}

/* The lock is written over, so only a lock may be: no text of that name, and no link out of the folder. */
static void test_only_a_lock_is_written_over(void **state)
{
    (void)state;
    static const char words[] = "2 kg of words";
    char path[128], lock[160], other[128];
    size_t size;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "locked"));
    (void)snprintf(lock, sizeof lock, "%s/lock", path);
    run_write(run_path(other, "elsewhere"), words);
    for (int link = 0; link < 2; link++)
        for (int resumed = 0; resumed < 2; resumed++) {
            if (resumed) {
                run_train(engine, &options, RELUME_OK);
                assert_int_equal(remove(lock), 0);
            } else {
                assert_int_equal(mkdir(path, 0700), 0);
            }
            if (link)
                assert_int_equal(symlink(other, lock), 0);
            else
                run_write(lock, words);
            options.resume = resumed;
            run_train(engine, &options, resumed ? RELUME_BAD_FORMAT : RELUME_EXISTS);
            options.resume = 0;
            unsigned char *kept = world_file(lock, &size);
            assert_int_equal(size, strlen(words));
            assert_memory_equal(kept, words, size);
            free(kept);
            run_remove(path);
        }
    relume_engine_destroy(engine);
}

/* A run that was received may hold links to files of its reader's: nothing is written through them. */
static void test_no_link_is_written_through(void **state)
{
    (void)state;
    static const char *const names[] = {
        "history.sqlite", "history.sqlite-journal",         "model.safetensors",
        "checkpoints",    "checkpoints/step-0.safetensors", "checkpoints/step-99.safetensors"};
    char path[128], reached[128], file[160], other[128];
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "received"));
    run_path(other, "readers-own");
    options.resume = 1;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        relume_error error = {0};
        relume_run *run = NULL;
        size_t size, kept_size;
        run_train(engine, &options, RELUME_OK);
        (void)snprintf(file, sizeof file, "%s/%s", path, names[i]);
        bool folder = strcmp(names[i], "checkpoints") == 0;
        if (rename(file, other) != 0)
            run_write(other, "nobody's step");
        assert_int_equal(symlink(other, file), 0);
        unsigned char *before = folder ? NULL : world_file(other, &size);
        assert_status(relume_run_train(engine, &options, &run, &error), RELUME_BAD_FORMAT);
        assert_null(run);
        assert_string_equal(error.file, file);
        assert_non_null(strstr(error.message, "symbolic link"));
        if (!folder) {
            unsigned char *kept = world_file(other, &kept_size);
            assert_int_equal(kept_size, size);
            assert_memory_equal(kept, before, size);
            free(kept);
        }
        free(before);
        assert_int_equal(remove(file), 0);
        run_remove(path);
        run_remove(other);
    }
    /* the run directory itself may be anywhere */
    run_train(engine, &options, RELUME_OK);
    assert_int_equal(symlink(path, run_path(reached, "reached")), 0);
    options.path = reached;
    run_train(engine, &options, RELUME_OK);
    assert_int_equal(remove(reached), 0);
    run_remove(path);
    relume_engine_destroy(engine);
}

/* ---- histories ---- */

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

/* A view could go on for ever; in the place of a table it is refused before anything is read of it. */
static void test_open_refuses_views_for_tables(void **state)
{
    (void)state;
    char path[128], file[160];
    relume_error error = {0};
    relume_run *run = NULL;
    sqlite3 *database;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "views"));
    run_train(engine, &options, RELUME_OK);
    (void)snprintf(file, sizeof file, "%s/history.sqlite", path);
    assert_int_equal(sqlite3_open(file, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, "CREATE VIEW mine AS SELECT * FROM event", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_ok(relume_run_open(engine, path, &run, &error), error);
    relume_run_destroy(run);
    run = NULL;
    assert_int_equal(sqlite3_exec(database,
                                  "ALTER TABLE event RENAME TO kept; CREATE VIEW Event AS SELECT * FROM kept",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    (void)sqlite3_close(database);
    assert_status(relume_run_open(engine, path, &run, &error), RELUME_BAD_FORMAT);
    assert_non_null(strstr(error.message, "has a view with the name of a table"));
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
    char path[128], copy[128], command[400], file[160];
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "sound"));
    run_train(engine, &options, RELUME_OK);
    (void)run_path(copy, "damaged");
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        (void)snprintf(command, sizeof command, "cp -r '%s' '%s'", path, copy);
        /* NOLINTNEXTLINE(cert-env33-c): a path of this test */
        assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): the path is the test's own */
        (void)snprintf(file, sizeof file, "%s/history.sqlite", copy);
        sqlite3 *database;
        assert_int_equal(sqlite3_open(file, &database), SQLITE_OK);
        assert_int_equal(sqlite3_exec(database, damage[i], NULL, NULL, NULL), SQLITE_OK);
        (void)sqlite3_close(database);
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
        cmocka_unit_test(test_existing_is_never_overwritten),
        cmocka_unit_test(test_leftovers_of_a_beginning),
        cmocka_unit_test(test_only_a_lock_is_written_over),
        cmocka_unit_test(test_no_link_is_written_through),
        cmocka_unit_test(test_open_refuses_what_is_no_run),
        cmocka_unit_test(test_open_refuses_views_for_tables),
        cmocka_unit_test(test_open_survives_damage),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
