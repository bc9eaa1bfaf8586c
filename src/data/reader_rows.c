/* See reader_rows.h. Rows that follow each other in a file are read at once. */
#include "data/reader_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"

#define CHUNK_BYTES ((size_t)16 << 10)

const struct rlm_reader_part *rlm_reader_find(const struct rlm_reader_rows *rows, size_t row, size_t *number)
{
    const struct rlm_reader_part *part = rows->part;
    if (rows->order)
        row = rows->order[row];
    if (row >= part->rows && rows->parts > 1) {
        row -= part->rows;
        part++;
    }
    *number = row;
    return part;
}

/* `count` values of a part from value `first` on, as they are kept. */
static relume_status read_values(const struct rlm_reader_part *part, size_t first, size_t count,
                                 unsigned char *to, relume_error *error)
{
    size_t stored = rlm_dtype_size(part->array.tensor.dtype), kept = rlm_dtype_size(part->array.kept);
    uint64_t at = part->offset + (uint64_t)first * stored;
    unsigned char raw[CHUNK_BYTES];
    if (rlm_array_is_direct(&part->array))
        return rlm_source_read(&part->source, at, to, count * stored, error);
    for (size_t some; count; count -= some, at += some * stored, to += some * kept) {
        some = rlm_size_min(count, CHUNK_BYTES / stored);
        RLM_TRY(rlm_source_read(&part->source, at, raw, some * stored, error));
        rlm_array_convert(&part->array, raw, to, some);
    }
    return RELUME_OK;
}

static relume_status read_run(const struct rlm_reader_part *part, size_t row, size_t count, unsigned char *to,
                              relume_error *error)
{
    if (!part->memory)
        return read_values(part, row * part->features, count * part->features, to, error);
    memcpy(to, part->memory + row * part->row, count * part->row);
    return RELUME_OK;
}

/* Of a file that is written to while rows are read, nobody knows what they are. */
static relume_status check_unchanged(const struct rlm_reader_part *part, relume_error *error)
{
    struct stat now;
    const struct stat *was = &part->about;
    if (part->memory)
        return RELUME_OK;
    if (fstat(part->source.descriptor, &now) != 0) {
        int number = errno;
        rlm_error_clear(error);
        rlm_error_at_file(error, part->source.name);
        return rlm_error_system(error, RELUME_IO, number, "%s: cannot look at the file", part->source.name);
    }
    if (now.st_size == was->st_size && now.st_mtim.tv_sec == was->st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == was->st_mtim.tv_nsec)
        return RELUME_OK;
    return rlm_refuse_file(
        error, RELUME_BAD_DATA, part->source.name,
        "was written to while rows were read from it (it has %lld bytes, it had %lld); what has "
        "been read of it no longer belongs together",
        (long long)now.st_size, (long long)was->st_size);
}

/* The rows from number i of a request on that follow each other in one part: their count, the part, and the
 * first. */
static size_t run_at(const struct rlm_reader_rows *rows, const uint32_t *index, size_t first, size_t i,
                     size_t count, const struct rlm_reader_part **part, size_t *row)
{
    size_t run = 1, next;
    *part = rlm_reader_find(rows, index ? index[i] : first + i, row);
    while (i + run < count &&
           rlm_reader_find(rows, index ? index[i + run] : first + i + run, &next) == *part &&
           next == *row + run)
        run++;
    return run;
}

void rlm_reader_announce(const struct rlm_reader_rows *rows, const uint32_t *index, size_t first,
                         size_t count)
{
    const struct rlm_reader_part *part;
    for (size_t i = 0, run, row; i < count; i += run) {
        run = run_at(rows, index, first, i, count, &part, &row);
        size_t bytes = part->features * rlm_dtype_size(part->array.tensor.dtype);
        if (!part->memory)
            (void)posix_fadvise(part->source.descriptor, (off_t)(part->offset + (uint64_t)row * bytes),
                                (off_t)(run * bytes), POSIX_FADV_WILLNEED);
    }
}

relume_status rlm_reader_fill(const struct rlm_reader_rows *rows, const uint32_t *index, size_t first,
                              size_t count, unsigned char *to, relume_error *error)
{
    const struct rlm_reader_part *part;
    for (size_t i = 0, run, row; i < count; i += run) {
        run = run_at(rows, index, first, i, count, &part, &row);
        RLM_TRY(read_run(part, row, run, to, error));
        to += run * part->row;
    }
    for (size_t i = 0; i < rows->parts; i++)
        RLM_TRY(check_unchanged(&rows->part[i], error));
    return RELUME_OK;
}
