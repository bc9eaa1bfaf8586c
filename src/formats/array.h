/* An array whose header has been read and whose values have not: what idx.c, npy.c and npz.c have in common.
 *
 *     open (IDX, .npy, a member of an .npz)  →  settle  →  fill, into memory of the caller's choice  →  close
 *
 * So two arrays can be read into one block, and an array by several threads. */
#ifndef RLM_FORMATS_ARRAY_H
#define RLM_FORMATS_ARRAY_H

#include "formats/stream.h"
#include "formats/tensor.h"

struct rlm_layout {
    bool big_endian;
    bool fortran; /* the first index runs fastest in the file */
};

struct rlm_array {
    struct rlm_stream stream; /* stands before the first value */
    struct rlm_layout layout;
    struct rlm_tensor tensor; /* dtype as in the file, shape; data NULL */
    enum rlm_dtype kept;      /* what the values become under the reading it was opened for */
    size_t bytes;             /* of the values as they are kept */
    const char *file, *item;  /* archive and member, for errors; NULL: stream.name is the file */
    bool is_member;           /* of an archive: its values are read on the thread that opened that */
};

/* For those who open: everything in `array` but `kept` and `bytes` is set; decides these. No more is promised
 * than the stream can deliver: BAD_FORMAT, BAD_DATA. */
relume_status rlm_array_settle(struct rlm_array *array, enum rlm_reading reading, relume_error *error);

/* Reads all values, and that nothing follows them, to `to` [bytes]. Once, for the stream is used
 * up; on any thread but for members of an archive, and nothing is allocated. BAD_FORMAT, IO. */
relume_status rlm_array_fill(struct rlm_array *array, void *to, relume_error *error);

/* Whether the values stand in the file as they are kept, from stream.offset on, so that any part can be read
 * at any time. */
bool rlm_array_is_direct(const struct rlm_array *array);
/* Reads `size` bytes of such an array's values, from byte `begin` of them on. Does not look at what follows
 * the last; rlm_array_expect_end does. */
relume_status rlm_array_fill_part(const struct rlm_array *array, size_t begin, void *to, size_t size,
                                  relume_error *error);
relume_status rlm_array_expect_end(struct rlm_array *array, relume_error *error);

/* Whether any part of the values can be read at any time: they stand in an open file row after row, whatever
 * their kind. */
bool rlm_array_is_seekable(const struct rlm_array *array);
/* Turns `count` values as they stand in the file, in `raw`, which is changed, into what is kept, at `to`. */
void rlm_array_convert(const struct rlm_array *array, unsigned char *raw, void *to, size_t count);

/* Allocates and fills: `tensor` gets the values, on failure nothing. NO_MEMORY and as above. */
relume_status rlm_array_read(const relume_allocator *allocator, struct rlm_array *array,
                             struct rlm_tensor *tensor, relume_error *error);

/* Ends the stream. A zeroed array is fine. */
void rlm_array_close(struct rlm_array *array);

#endif
