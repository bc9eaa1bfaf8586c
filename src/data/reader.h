/* Rows of a data set that stays in its file because memory would not hold it. They are read with pread, ahead
 * of their use, by a thread of the reader's own; nothing is mapped (source.h says why).
 *
 * Two buffers: one holds the rows handed out last, the other is filled meanwhile with those that follow in
 * the same order. Rows that were not foreseen are read when they are asked for, so that a wrong guess costs
 * time and nothing else. */
#ifndef RLM_DATA_READER_H
#define RLM_DATA_READER_H

#include "base/engine.h"
#include "formats/array.h"

struct rlm_reader;

/* What is asked for, and what will be. Row 0 is the first of the first part. */
struct rlm_request {
    const uint32_t *index; /* rows index[0 … count − 1]; NULL: first … first + count − 1 */
    size_t first, count;   /* at most rlm_reader_piece */
    size_t after; /* entries of index behind these that will be asked for; rows follow by themselves */
    size_t next;  /* rows of the next request; 0: `count` again */
};

/* Whether `bytes` of features should stay in their file: as RELUME_STREAM says ("always", "never"), and
 * without it when they are more than half of the memory this process may take. USAGE: it says something else.
 */
relume_status rlm_reader_is_wanted(uint64_t bytes, bool *wanted, relume_error *error);

/* A reader of the rows of an array that rlm_array_is_seekable, which may be closed afterwards, with its
 * source. NO_MEMORY, RESOURCE, IO. */
relume_status rlm_reader_create(const relume_engine *engine, const struct rlm_array *array,
                                struct rlm_reader **reader, relume_error *error);
void rlm_reader_destroy(struct rlm_reader *reader); /* NULL allowed */

/* Puts the rows of `other`'s last part, which have the same size and kind, behind those of `reader`, which
 * has one part. `other` is gone. */
void rlm_reader_join(struct rlm_reader *reader, struct rlm_reader *other);
/* Puts `rows` rows in memory, a block of rlm_alloc, which becomes the reader's, behind or before its own. */
void rlm_reader_join_memory(struct rlm_reader *reader, void *block, size_t rows, bool before);
/* From now on row i is what was row order[i]: [all rows], a block of rlm_alloc, which becomes the reader's.
 */
void rlm_reader_reorder(struct rlm_reader *reader, uint32_t *order);

/* Most rows that one request may ask for: a multiple of 16. */
size_t rlm_reader_piece(const struct rlm_reader *reader);
/* The file a row comes from (NULL: memory), and its number there. */
const char *rlm_reader_place(const struct rlm_reader *reader, size_t row, size_t *number);

/* The rows of a request, [count, features] as they are kept, valid until the next call. Not for several
 * threads at once. Allocates nothing. IO, BAD_FORMAT when the file has become shorter, BAD_DATA when it has
 * changed. */
relume_status rlm_reader_take(struct rlm_reader *reader, const struct rlm_request *request, const void **rows,
                              relume_error *error);

#endif
