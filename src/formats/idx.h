/* IDX, the format of MNIST: two zero bytes, a type byte, the rank, big-endian 32-bit sizes, big-endian
 * values. */
#ifndef RLM_FORMATS_IDX_H
#define RLM_FORMATS_IDX_H

#include "formats/array.h"
#include "formats/source.h"
#include "formats/tensor.h"

/* Reads a whole IDX file, plain or gzipped, of u8, i8, i16, i32, f32 or f64. The tensor has no name; free it
 * with rlm_tensor_deinit. BAD_FORMAT, IO, NO_MEMORY. */
relume_status rlm_idx_read(const relume_allocator *allocator, const struct rlm_source *source,
                           enum rlm_reading reading, struct rlm_tensor *tensor, relume_error *error);
/* Reads the header only; see array.h. The source must outlive `array`, which the caller closes when this
 * succeeds. */
relume_status rlm_idx_open(const relume_allocator *allocator, const struct rlm_source *source,
                           enum rlm_reading reading, struct rlm_array *array, relume_error *error);

#endif
