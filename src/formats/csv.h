/* Comma-separated values by RFC 4180 to numbers, with at most one column of targets that may be text.
 *
 * Numbers are read as in the C locale whatever the user's is. Every refusal names line and column. Empty
 * lines are skipped, a byte order mark is dropped, spaces around a field without quotes do not count. */
#ifndef RLM_FORMATS_CSV_H
#define RLM_FORMATS_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/source.h"

/* Most different texts a column of targets may hold. */
#define RLM_CSV_TEXTS_MOST 65536

struct rlm_csv {
    size_t rows, columns; /* of numbers: the target column is not counted */
    float *values;        /* [rows, columns] */
    char **names;         /* [columns]; NULL without a header line */
    bool has_target;
    char *target_name;   /* NULL without a header line or target */
    bool target_integer; /* every target is spelled as an integer */
    double *target;      /* [rows] when every target is a number, else NULL */
    uint32_t *text;      /* [rows] when some target is not: its place in texts */
    size_t text_count;
    char **texts; /* [text_count], each once, in the order they appear, each by rlm_alloc; UTF-8 */
    char *pool;   /* private: where the names stand */
};

/* Reads a whole CSV file, plain or gzipped. `target`: NULL for none, or the name in the header line, or the
 * 1-based number of the column of targets. The first line is a header when a column of features has a text in
 * it, or when the target column has a text there and only numbers below. BAD_FORMAT (quotes), BAD_DATA (an
 * empty field, a text where a number was expected, NaN, rows of different lengths), NOT_FOUND (no such target
 * column), IO, NO_MEMORY. */
relume_status rlm_csv_read(const relume_allocator *allocator, const struct rlm_source *source,
                           const char *target, struct rlm_csv *csv, relume_error *error);
void rlm_csv_deinit(struct rlm_csv *csv);

#endif
