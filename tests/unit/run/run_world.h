/* What tests of runs start from: a folder in memory for run directories, options of a short run on the
 * digits, and a text that tells everything of a run directory that must not depend on the machine, the
 * threads or interruptions. */
#ifndef RLM_TESTS_RUN_WORLD_H
#define RLM_TESTS_RUN_WORLD_H

#include "world.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include "base/strbuf.h"

/* ---- folders ---- */

static char run_root[64];

static inline int run_setup(void **state)
{
    (void)state;
    struct stat memory; /* a folder in memory: every checkpoint is flushed, and a disk takes its time */
    bool there = stat("/dev/shm", &memory) == 0 && access("/dev/shm", W_OK) == 0;
    (void)snprintf(run_root, sizeof run_root, "%s/relume-run-XXXXXX", there ? "/dev/shm" : "/tmp");
    return mkdtemp(run_root) ? 0 : -1;
}

static inline void run_remove(const char *path)
{
    char command[200];
    (void)snprintf(command, sizeof command, "rm -rf '%.150s'", path);
    /* NOLINTNEXTLINE(cert-env33-c): a path of this test */
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): the path is the test's own */
}

static inline int run_teardown(void **state)
{
    (void)state;
    run_remove(run_root);
    return 0;
}

/* A path in the tests' folder; `path` has 128 bytes. */
static inline const char *run_path(char path[128], const char *name)
{
    (void)snprintf(path, 128, "%s/%s", run_root, name);
    return path;
}

/* A text as a file. */
static inline void run_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* ---- a short run: 3 epochs of 3 steps ---- */

static const size_t run_hidden[] = {12, 9};

static inline relume_run_options run_options(const char *path)
{
    relume_run_options options;
    relume_run_options_default(&options);
    options.path = path;
    options.data = "digits";
    options.data_options.holdout = 0.2;
    options.hidden = run_hidden;
    options.hidden_layers = 2;
    options.trainer.epochs = 3;
    options.trainer.batch_size = 500;
    options.trainer.learning_rate = 0.5;
    return options;
}

/* Trains, expects `expected`, and forgets the run. */
static inline void run_train(relume_engine *engine, const relume_run_options *options, relume_status expected)
{
    relume_error error = {0};
    relume_run *run = NULL;
    relume_status status = relume_run_train(engine, options, &run, &error);
    if (status != expected)
        fail_msg("%s: %s, expected %s", relume_status_name(status), error.message,
                 relume_status_name(expected));
    relume_run_destroy(run);
}

/* Changes the history of a run. */
static inline void run_change(const char *path, const char *statements)
{
    char file[160], *trouble = NULL;
    sqlite3 *database;
    (void)snprintf(file, sizeof file, "%s/history.sqlite", path);
    assert_int_equal(sqlite3_open(file, &database), SQLITE_OK);
    if (sqlite3_exec(database, statements, NULL, NULL, &trouble) != SQLITE_OK)
        fail_msg("%s: %s", statements, trouble);
    (void)sqlite3_close(database);
}

/* Makes a run that has ended one that goes on. */
#define RUN_NOT_FINISHED                                                                                     \
    "UPDATE run SET status = 'running', epochs = NULL, steps = NULL, model_step = NULL, best_epoch = NULL;"

/* ---- everything a run directory tells ---- */

static inline void run_tell_rows(struct rlm_strbuf *text, sqlite3 *database, const char *query,
                                 const char *label)
{
    sqlite3_stmt *rows;
    assert_int_equal(sqlite3_prepare_v2(database, query, -1, &rows, NULL), SQLITE_OK);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        rlm_strbuf_print(text, "%s", label);
        for (int c = 0; c < sqlite3_column_count(rows); c++) {
            if (sqlite3_column_type(rows, c) == SQLITE_FLOAT) /* %a: every bit */
                rlm_strbuf_print(text, "|%a", sqlite3_column_double(rows, c));
            else
                rlm_strbuf_print(text, "|%s",
                                 sqlite3_column_type(rows, c) == SQLITE_NULL
                                     ? "NULL"
                                     : (const char *)sqlite3_column_text(rows, c));
        }
        rlm_strbuf_print(text, "\n");
    }
    assert_int_equal(sqlite3_finalize(rows), SQLITE_OK);
}

static inline void run_tell_history(struct rlm_strbuf *text, const char *path)
{
    static const char *const tables[][2] = {
        {"SELECT type, name, sql FROM sqlite_schema ORDER BY name", "schema"},
        {"SELECT * FROM setting ORDER BY key", "setting"},
        {"SELECT * FROM layer ORDER BY 1", "layer"},
        {"SELECT * FROM run ORDER BY 1", "run"},
        {"SELECT * FROM epoch ORDER BY 1", "epoch"},
        {"SELECT * FROM update_ratio ORDER BY 1, 2", "update_ratio"},
        {"SELECT * FROM census ORDER BY 1", "census"},
        {"SELECT * FROM census_layer ORDER BY 1, 2", "census_layer"},
        {"SELECT * FROM census_unit ORDER BY 1, 2, 3", "census_unit"},
        {"SELECT * FROM event ORDER BY 1", "event"},
    };
    char file[160];
    sqlite3 *database;
    (void)snprintf(file, sizeof file, "%s/history.sqlite", path);
    assert_int_equal(sqlite3_open_v2(file, &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        run_tell_rows(text, database, tables[i][0], tables[i][1]);
    run_tell_rows(text, database, "PRAGMA integrity_check", "integrity");
    run_tell_rows(text, database, "PRAGMA foreign_key_check", "foreign_key");
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

/* Every file of the directory but history and lock, with a digest of its bytes. */
static inline void run_tell_files(struct rlm_strbuf *text, const char *path)
{
    char command[400], line[256];
    (void)snprintf(
        command, sizeof command,
        "cd '%s' && find . -type f ! -name history.sqlite ! -name lock | LC_ALL=C sort | xargs cksum", path);
    /* NOLINTNEXTLINE(cert-env33-c): a path of this test */
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    while (fgets(line, sizeof line, pipe))
        rlm_strbuf_print(text, "file %s", line);
    assert_int_equal(pclose(pipe), 0);
}

/* By rlm_alloc. */
static inline char *run_tell(const char *path)
{
    struct rlm_strbuf text = {0};
    run_tell_history(&text, path);
    run_tell_files(&text, path);
    assert_false(text.failed);
    return text.text;
}

/* Fails at the first line that differs. */
static inline void run_assert_same(const char *a, const char *b, const char *what)
{
    size_t line = 0;
    for (size_t i = 0; a[i] == b[i]; i++) {
        if (a[i] == '\0')
            return;
        line = a[i] == '\n' ? i + 1 : line;
    }
    fail_msg("%s:\n  %.*s\n  %.*s", what, (int)strcspn(a + line, "\n"), a + line,
             (int)strcspn(b + line, "\n"), b + line);
}

/* The directory tells what `expected` does; frees nothing of it. */
static inline void run_assert_tells(const char *path, const char *expected, const char *what)
{
    char *text = run_tell(path);
    run_assert_same(expected, text, what);
    rlm_free(text);
}

/* What an undisturbed run with these options tells, in a directory that is gone afterwards. */
static inline char *run_undisturbed(relume_engine *engine, relume_run_options options)
{
    char path[128];
    options.path = run_path(path, "undisturbed");
    run_train(engine, &options, RELUME_OK);
    char *text = run_tell(path);
    run_remove(path);
    return text;
}

#endif
