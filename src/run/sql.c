/* See sql.h. Every connection is made by open_handle, which also settles how far a file is trusted and what a
 * commit flushes; every failure goes through failure(), which turns SQLite's code into one of relume's. */
#include "run/sql.h"

#include <math.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"

#define BUSY_MILLISECONDS 10000
#define STOP_EVERY 10000      /* instructions of SQLite's machine between looks at the stop: some 1 ms */
#define VALUE_MOST (64 << 20) /* bytes of one value or row; the longest of a run is a name or a message */

/* What a result code means to the caller of relume. */
static relume_status status_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return RELUME_LOCKED;
    case SQLITE_NOMEM:
        return RELUME_NO_MEMORY;
    case SQLITE_INTERRUPT:
        return RELUME_INTERRUPTED;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_ERROR: /* a table or column that should be there is not */
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
        return RELUME_BAD_FORMAT;
    default:
        return RELUME_IO;
    }
}

static const char expected[] = "; the history of a run was expected, an SQLite database that relume train -o "
                               "has made: put a copy of it back, or train into another folder";

static relume_status failure(struct rlm_sql *sql, int code, relume_error *error)
{
    const char *detail = sql->handle ? sqlite3_errmsg(sql->handle) : sqlite3_errstr(code);
    int kind = code & 0xff;
    rlm_error_clear(error);
    rlm_error_at_file(error, sql->path);
    if (kind == SQLITE_INTERRUPT)
        return rlm_error_set(error, RELUME_INTERRUPTED, "stopped while reading %.400s", sql->path);
    return rlm_error_set(error, status_of(code), "%.400s: %s%s", sql->path, detail,
                         kind == SQLITE_NOTADB || kind == SQLITE_CORRUPT ? expected : "");
}

/* A history may be large, or made by somebody to keep its reader busy: statements are not waited for. */
static int is_stopped(void *user)
{
    const volatile int *stop = user;
    return *stop != 0;
}

/* A file that was sent may hold programs: views, triggers, and values that a few letters describe and the
 * memory does not hold. None of them is run. */
static void distrust(sqlite3 *handle)
{
    (void)sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    (void)sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    (void)sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, VALUE_MOST);
}

static int open_handle(struct rlm_sql *sql, const char *path, int flags)
{
    int code = sqlite3_open_v2(path, &sql->handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code != SQLITE_OK)
        return code;
    (void)sqlite3_busy_timeout(sql->handle, BUSY_MILLISECONDS);
    if (sql->stop)
        sqlite3_progress_handler(sql->handle, STOP_EVERY, is_stopped, (void *)sql->stop);
    distrust(sql->handle);
    /* EXTRA flushes the folder after a commit has removed the journal: else a loss of power could bring the
     * journal back, and with it the state before, beside a checkpoint that was saved later. The SELECT reads
     * the first page: a foreign file or an unfinished transaction shows itself here. */
    return sqlite3_exec(
        sql->handle,
        "PRAGMA mmap_size = 0; PRAGMA synchronous = EXTRA; PRAGMA foreign_keys = ON;"
        "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; SELECT count(*) FROM sqlite_schema;",
        NULL, NULL, NULL);
}

relume_status rlm_sql_open(struct rlm_sql *sql, const char *path, bool write, relume_error *error)
{
    *sql = (struct rlm_sql){.stop = sql->stop};
    (void)snprintf(sql->path, sizeof sql->path, "%s", path);
    int flags = write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    int code = open_handle(sql, path, flags);
    if (code == SQLITE_READONLY_ROLLBACK) { /* a reader may not undo what a killed writer left half done; a
                                               writer may */
        rlm_sql_close(sql);
        code = open_handle(sql, path, SQLITE_OPEN_READWRITE);
    }
    if (code == SQLITE_OK)
        return RELUME_OK;
    relume_status status = failure(sql, code, error);
    rlm_sql_close(sql);
    return status;
}

void rlm_sql_close(struct rlm_sql *sql)
{
    (void)sqlite3_close(sql->handle);
    sql->handle = NULL;
}

void rlm_sql_release(struct rlm_sql *sql)
{
    (void)sqlite3_db_release_memory(sql->handle);
}

relume_status rlm_sql_run(struct rlm_sql *sql, const char *text, relume_error *error)
{
    int code = sqlite3_exec(sql->handle, text, NULL, NULL, NULL);
    return code == SQLITE_OK ? RELUME_OK : failure(sql, code, error);
}

relume_status rlm_sql_prepare(struct rlm_sql *sql, const char *text, sqlite3_stmt **statement,
                              relume_error *error)
{
    int code = sqlite3_prepare_v2(sql->handle, text, -1, statement, NULL);
    return code == SQLITE_OK ? RELUME_OK : failure(sql, code, error);
}

static int bind_text(sqlite3_stmt *statement, int place, const char *text)
{
    return text ? sqlite3_bind_text(statement, place, text, -1, SQLITE_TRANSIENT)
                : sqlite3_bind_null(statement, place);
}

static int bind_double(sqlite3_stmt *statement, int place, double value)
{
    return isnan(value) ? sqlite3_bind_null(statement, place) : sqlite3_bind_double(statement, place, value);
}

static int bind_list(sqlite3_stmt *statement, const char *kinds, va_list *list)
{
    int code = sqlite3_reset(statement);
    for (int place = 1; code == SQLITE_OK && *kinds; kinds++, place++) {
        if (*kinds == 'i')
            code = sqlite3_bind_int64(statement, place, va_arg(*list, int64_t));
        else if (*kinds == 'u')
            code = sqlite3_bind_int64(statement, place, (int64_t)va_arg(*list, uint64_t));
        else if (*kinds == 'd')
            code = bind_double(statement, place, va_arg(*list, double));
        else
            code = bind_text(statement, place, va_arg(*list, const char *));
    }
    return code;
}

/* Runs a bound statement to its end. */
static relume_status run_bound(struct rlm_sql *sql, sqlite3_stmt *statement, int code, relume_error *error)
{
    while (code == SQLITE_OK || code == SQLITE_ROW)
        code = sqlite3_step(statement);
    if (code != SQLITE_DONE)
        return failure(sql, code, error);
    (void)sqlite3_reset(statement);
    return RELUME_OK;
}

relume_status rlm_sql_put_row(struct rlm_sql *sql, sqlite3_stmt *statement, relume_error *error,
                              const char *kinds, ...)
{
    va_list list;
    va_start(list, kinds);
    int code = bind_list(statement, kinds, &list);
    va_end(list);
    return run_bound(sql, statement, code, error);
}

relume_status rlm_sql_put(struct rlm_sql *sql, relume_error *error, const char *text, const char *kinds, ...)
{
    sqlite3_stmt *statement = NULL;
    RLM_TRY(rlm_sql_prepare(sql, text, &statement, error));
    va_list list;
    va_start(list, kinds);
    int code = bind_list(statement, kinds, &list);
    va_end(list);
    relume_status status = run_bound(sql, statement, code, error);
    rlm_sql_finish(statement);
    return status;
}

relume_status rlm_sql_bind(struct rlm_sql *sql, sqlite3_stmt *statement, relume_error *error,
                           const char *kinds, ...)
{
    va_list list;
    va_start(list, kinds);
    int code = bind_list(statement, kinds, &list);
    va_end(list);
    return code == SQLITE_OK ? RELUME_OK : failure(sql, code, error);
}

relume_status rlm_sql_next(struct rlm_sql *sql, sqlite3_stmt *statement, bool *row, relume_error *error)
{
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return failure(sql, code, error);
    *row = code == SQLITE_ROW;
    return RELUME_OK;
}

void rlm_sql_finish(sqlite3_stmt *statement)
{
    (void)sqlite3_finalize(statement);
}

uint64_t rlm_sql_column_u64(sqlite3_stmt *statement, int column)
{
    return (uint64_t)sqlite3_column_int64(statement, column);
}

double rlm_sql_column_double(sqlite3_stmt *statement, int column)
{
    if (sqlite3_column_type(statement, column) == SQLITE_NULL)
        return (double)NAN;
    return sqlite3_column_double(statement, column);
}

const char *rlm_sql_column_text(sqlite3_stmt *statement, int column)
{
    return (const char *)sqlite3_column_text(statement, column);
}

relume_status rlm_sql_number(struct rlm_sql *sql, const char *text, uint64_t fallback, uint64_t *number,
                             relume_error *error)
{
    sqlite3_stmt *statement = NULL;
    RLM_TRY(rlm_sql_prepare(sql, text, &statement, error));
    bool row = false;
    relume_status status = rlm_sql_next(sql, statement, &row, error);
    if (status == RELUME_OK)
        *number = row && sqlite3_column_type(statement, 0) != SQLITE_NULL ? rlm_sql_column_u64(statement, 0)
                                                                          : fallback;
    rlm_sql_finish(statement);
    return status;
}
