/* NumPy's .npy, versions 1 to 3: f2 f4 f8, integers of 8 to 64 bits, bool, either byte order, C or Fortran
 * order.
 *
 * Pickled objects are refused by name: to read them is to run a program from the file. */
#ifndef RLM_FORMATS_NPY_H
#define RLM_FORMATS_NPY_H

#include "formats/array.h"
#include "formats/source.h"
#include "formats/tensor.h"

/* Reads a whole .npy file, plain or gzipped. Fortran order is turned into C order. The tensor has no name;
 * free it with rlm_tensor_deinit. BAD_FORMAT, BAD_DATA (a kind of values that is not read, such as objects),
 * IO, NO_MEMORY. */
relume_status rlm_npy_read(const relume_allocator *allocator, const struct rlm_source *source,
                           enum rlm_reading reading, struct rlm_tensor *tensor, relume_error *error);
/* Reads the header only; see array.h. The source must outlive `array`, which the caller closes when this
 * succeeds. */
relume_status rlm_npy_open(const relume_allocator *allocator, const struct rlm_source *source,
                           enum rlm_reading reading, struct rlm_array *array, relume_error *error);
/* The same of an array whose stream is open: a member of an .npz. The stream stays open on failure. */
relume_status rlm_npy_begin(const relume_allocator *allocator, struct rlm_array *array,
                            enum rlm_reading reading, relume_error *error);

/* Writes `tensor` as version 1.0 in C order, replacing `path` in one step. USAGE for BF16, IO, NO_MEMORY. */
relume_status rlm_npy_write(const relume_allocator *allocator, const char *path,
                            const struct rlm_tensor *tensor, relume_error *error);

#endif
