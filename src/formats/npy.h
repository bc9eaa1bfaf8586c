/* NumPy's .npy, versions 1 to 3: f2 f4 f8, integers of 8 to 64 bits, bool, either byte order, C or Fortran
 * order.
 *
 * Pickled objects are refused by name: to read them is to run a program from the file. */
#ifndef RLM_FORMATS_NPY_H
#define RLM_FORMATS_NPY_H

#include "formats/source.h"
#include "formats/stream.h"
#include "formats/tensor.h"

/* Reads a whole .npy file, plain or gzipped. Fortran order is turned into C order. The tensor has no name;
 * free it with rlm_tensor_deinit. BAD_FORMAT, BAD_DATA (a kind of values that is not read, such as objects),
 * IO, NO_MEMORY. */
relume_status rlm_npy_read(const relume_allocator *allocator, const struct rlm_source *source,
                           enum rlm_reading reading, struct rlm_tensor *tensor, relume_error *error);
/* The same from a stream that must end with the array: a member of an .npz. */
relume_status rlm_npy_read_stream(const relume_allocator *allocator, struct rlm_stream *stream,
                                  enum rlm_reading reading, struct rlm_tensor *tensor, relume_error *error);

/* Writes `tensor` as version 1.0 in C order, replacing `path` in one step. USAGE for BF16, IO, NO_MEMORY. */
relume_status rlm_npy_write(const relume_allocator *allocator, const char *path,
                            const struct rlm_tensor *tensor, relume_error *error);

#endif
