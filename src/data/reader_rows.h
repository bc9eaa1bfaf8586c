/* The part of a reader that reads: rows of its parts, in any order, into a buffer. Used by reader.c alone, on
 * either of its threads. */
#ifndef RLM_DATA_READER_ROWS_H
#define RLM_DATA_READER_ROWS_H

#include <sys/stat.h>

#include "formats/array.h"

/* Rows that stand one behind the other in a file, or in memory. */
struct rlm_reader_part {
    struct rlm_source source; /* open, where memory is NULL */
    struct rlm_array array;   /* kind and layout, and the source as its stream's */
    uint64_t offset;          /* of the first row in the file */
    struct stat about;        /* the file as it was when it was opened */
    unsigned char *memory;
    size_t rows;
    size_t features, row; /* values of a row, and their bytes as they are kept */
};

struct rlm_reader_rows {
    struct rlm_reader_part part[2];
    size_t parts, rows;
    uint32_t *order; /* [rows]: what stands where; NULL: as in the parts */
};

/* The part of a row, and its number there. */
const struct rlm_reader_part *rlm_reader_find(const struct rlm_reader_rows *rows, size_t row, size_t *number);

/* Tells the system of rows that are about to be read, index[0 … count − 1], or first … where that is NULL:
 * its disk is then at all of them, not at one at a time. */
void rlm_reader_announce(const struct rlm_reader_rows *rows, const uint32_t *index, size_t first,
                         size_t count);

/* Reads those rows to `to`; checks that the files are what they were. On any thread; allocates nothing. */
relume_status rlm_reader_fill(const struct rlm_reader_rows *rows, const uint32_t *index, size_t first,
                              size_t count, unsigned char *to, relume_error *error);

#endif
