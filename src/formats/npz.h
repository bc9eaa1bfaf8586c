/* NumPy's .npz: a zip archive of .npy members, stored or deflated, zip64 or not. Sizes are taken from the
 * central directory and capped before anything is inflated; checksums are checked. */
#ifndef RLM_FORMATS_NPZ_H
#define RLM_FORMATS_NPZ_H

#include "formats/array.h"
#include "formats/source.h"
#include "formats/tensor.h"

struct rlm_npz;

/* Opens an archive. The source must outlive it. BAD_FORMAT, IO, NO_MEMORY, RESOURCE (there is no
 * libzip). */
relume_status rlm_npz_open(const relume_allocator *allocator, const struct rlm_source *source,
                           struct rlm_npz **npz, relume_error *error);
void rlm_npz_close(struct rlm_npz *npz); /* NULL allowed */

/* Arrays in the archive, and the name of one without ".npy"; NULL when `index` is none. Members that are not
 * .npy are not counted. */
size_t rlm_npz_count(const struct rlm_npz *npz);
const char *rlm_npz_name(const struct rlm_npz *npz, size_t index);
/* The array of that name; SIZE_MAX when there is none. */
size_t rlm_npz_find(const struct rlm_npz *npz, const char *name);

/* Reads array `index`; its name is valid until the archive is closed. BAD_FORMAT, BAD_DATA (see npy.h;
 * encrypted; compressed other than by deflate; expands too far), IO, NO_MEMORY. */
relume_status rlm_npz_read(struct rlm_npz *npz, size_t index, enum rlm_reading reading,
                           struct rlm_tensor *tensor, relume_error *error);
/* Reads the header only; see array.h. The archive must outlive `array`, which the caller closes when this
 * succeeds. Its values must be read on the thread that reads the archive. */
relume_status rlm_npz_array_open(struct rlm_npz *npz, size_t index, enum rlm_reading reading,
                                 struct rlm_array *array, relume_error *error);

#endif
