/* The values of an array after its header: what idx.c and npy.c have in common. */
#ifndef RLM_FORMATS_VALUES_H
#define RLM_FORMATS_VALUES_H

#include "formats/stream.h"
#include "formats/tensor.h"

struct rlm_layout {
    bool big_endian;
    bool fortran; /* the first index runs fastest in the file */
};

/* Reads the values of `tensor` (dtype as in the file, rank and shape are set) to the stream's end, allocates
 * `data` and sets dtype to what is kept under `reading`. Nothing is allocated that the stream cannot fill. On
 * failure `data` is NULL. BAD_FORMAT, BAD_DATA, IO, NO_MEMORY. */
relume_status rlm_values_read(const relume_allocator *allocator, struct rlm_stream *stream,
                              struct rlm_layout layout, enum rlm_reading reading, struct rlm_tensor *tensor,
                              relume_error *error);

#endif
