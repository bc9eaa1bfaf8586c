/* The little of SQLite that a run's history needs: a connection, statements with bound values, and failures
 * as relume_error.
 *
 * Values are bound and read by a text of kinds, one letter each: i int64_t, u uint64_t (below 2⁶³), d double
 * (NaN is NULL), t text (NULL is NULL). Knows no table. */
#ifndef RLM_RUN_SQL_H
#define RLM_RUN_SQL_H

#include <stdbool.h>
#include <stdint.h>

#include "relume/engine.h"

struct sqlite3;
struct sqlite3_stmt;

struct rlm_sql {
    struct sqlite3 *handle; /* NULL: closed */
    char path[1024];        /* for messages; shortened when longer */
    /* May be NULL. Set before opening, it is looked at in the middle of statements: those that run when it is
     * not 0 end with INTERRUPTED. It outlives the connection. */
    const volatile int *stop;
};

/* Opens a file to write, making it where there is none, or to read only. A file left by a process that died
 * in a transaction is rolled back first. Of `sql`, which is zeroed otherwise, `stop` is heeded. BAD_FORMAT
 * when it is no SQLite database, IO, LOCKED, INTERRUPTED, NO_MEMORY. */
relume_status rlm_sql_open(struct rlm_sql *sql, const char *path, bool write, relume_error *error);
void rlm_sql_close(struct rlm_sql *sql);
/* Gives back the memory of pages that are kept for the next statement. */
void rlm_sql_release(struct rlm_sql *sql);

/* Runs one or more statements without values. */
relume_status rlm_sql_run(struct rlm_sql *sql, const char *text, relume_error *error);
/* Runs one statement with values bound to ?1, ?2, … */
relume_status rlm_sql_put(struct rlm_sql *sql, relume_error *error, const char *text, const char *kinds, ...);

/* A statement for many rows: prepare, then either put_row again and again, or bind and next; finish. */
relume_status rlm_sql_prepare(struct rlm_sql *sql, const char *text, struct sqlite3_stmt **statement,
                              relume_error *error);
relume_status rlm_sql_put_row(struct rlm_sql *sql, struct sqlite3_stmt *statement, relume_error *error,
                              const char *kinds, ...);
relume_status rlm_sql_bind(struct rlm_sql *sql, struct sqlite3_stmt *statement, relume_error *error,
                           const char *kinds, ...);
/* *row: whether there is a further row; its values come from rlm_sql_column_*. */
relume_status rlm_sql_next(struct rlm_sql *sql, struct sqlite3_stmt *statement, bool *row,
                           relume_error *error);
void rlm_sql_finish(struct sqlite3_stmt *statement); /* NULL allowed */

/* Values of the current row; NULL reads as 0, NaN and NULL. Texts are valid until the next row. */
uint64_t rlm_sql_column_u64(struct sqlite3_stmt *statement, int column);
double rlm_sql_column_double(struct sqlite3_stmt *statement, int column);
const char *rlm_sql_column_text(struct sqlite3_stmt *statement, int column);

/* The first column of the first row as a number; `fallback` where there is no row or it is NULL. */
relume_status rlm_sql_number(struct rlm_sql *sql, const char *text, uint64_t fallback, uint64_t *number,
                             relume_error *error);

#endif
