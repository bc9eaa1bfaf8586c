/* safetensors: 8 bytes of length, a JSON header with every tensor's kind, shape and place, then the values,
 * without gaps.
 *
 * The reader checks all of the header before it gives anything away, and reads values into the caller's
 * memory; the writer replaces a file in one step and writes the same bytes for the same tensors. */
#ifndef RLM_FORMATS_SAFETENSORS_H
#define RLM_FORMATS_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>

#include "formats/source.h"
#include "formats/tensor.h"

struct rlm_safetensors;

/* Opens and checks a file; the second form reads from a source, which must outlive it. NOT_FOUND, BAD_FORMAT
 * (the place is the byte), IO, NO_MEMORY. */
relume_status rlm_safetensors_open(const relume_allocator *allocator, const char *path,
                                   struct rlm_safetensors **file, relume_error *error);
relume_status rlm_safetensors_open_source(const relume_allocator *allocator, const struct rlm_source *source,
                                          struct rlm_safetensors **file, relume_error *error);
void rlm_safetensors_close(struct rlm_safetensors *file); /* NULL allowed */

/* Tensors in the order of their values in the file; `data` is NULL: they are read by the functions below.
 * Valid until the file is closed. `get`: NULL when `index` is none; `find`: NULL when the name is none. */
size_t rlm_safetensors_count(const struct rlm_safetensors *file);
const struct rlm_tensor *rlm_safetensors_get(const struct rlm_safetensors *file, size_t index);
const struct rlm_tensor *rlm_safetensors_find(const struct rlm_safetensors *file, const char *name);

/* The text of a key of `__metadata__`, NULL when there is none. Pairs by number, in the order of the file:
 * false when `index` is none. Valid until the file is closed. */
const char *rlm_safetensors_metadata(const struct rlm_safetensors *file, const char *key);
bool rlm_safetensors_metadata_at(const struct rlm_safetensors *file, size_t index, const char **key,
                                 const char **value);

/* Byte in the file at which a tensor's values begin, for messages. */
uint64_t rlm_safetensors_byte(const struct rlm_safetensors *file, const struct rlm_tensor *tensor);

/* Reads the values as they are: `to` has count · size bytes. BAD_FORMAT when the file has shrunk, IO. */
relume_status rlm_safetensors_read(const struct rlm_safetensors *file, const struct rlm_tensor *tensor,
                                   void *to, relume_error *error);
/* Reads the values as float32: rows of shape[rank−1] values, each row `stride` floats after the last (0:
 * without a gap); the floats between are left alone. F64 is rounded to nearest; BAD_DATA for integers of 32
 * and 64 bits, which float32 cannot hold. BAD_FORMAT, IO. */
relume_status rlm_safetensors_read_f32(const struct rlm_safetensors *file, const struct rlm_tensor *tensor,
                                       float *to, size_t stride, relume_error *error);

/* A tensor to write: rows of shape[rank−1] values, each row `stride` values after the last (0: without a
 * gap). */
struct rlm_safetensors_item {
    const char *name;
    enum rlm_dtype dtype;
    size_t rank; /* 0 to RLM_RANK_MAX */
    size_t shape[RLM_RANK_MAX];
    const void *data;
    size_t stride;
};
struct rlm_safetensors_pair {
    const char *key, *value;
};

/* Writes a file: crash-safe (base/file.h), no second copy of the values, header padded to 8 bytes, wider
 * kinds first and otherwise in the order given, so that every tensor is aligned and equal input gives equal
 * bytes. USAGE for a name twice, one that is not UTF-8, or "__metadata__"; IO, NO_MEMORY. */
relume_status rlm_safetensors_write(const relume_allocator *allocator, const char *path,
                                    const struct rlm_safetensors_item *items, size_t item_count,
                                    const struct rlm_safetensors_pair *pairs, size_t pair_count,
                                    relume_error *error);

#endif
