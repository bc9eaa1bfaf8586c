/* A named tensor: what every format of this folder is read into and written from.
 *
 * Values stand row-major in this machine's byte order (little-endian machines only, as the build checks).
 * This knows neither files nor what the numbers mean. */
#ifndef RLM_FORMATS_TENSOR_H
#define RLM_FORMATS_TENSOR_H

#include <stdbool.h>
#include <stddef.h>

#include "relume/engine.h"

/* Most dimensions a tensor may have; a file with more is refused. */
#define RLM_RANK_MAX 8

/* X(name as in safetensors, bytes of one value) */
#define RLM_DTYPE_LIST(X)                                                                                    \
    X(F64, 8)                                                                                                \
    X(F32, 4)                                                                                                \
    X(F16, 2)                                                                                                \
    X(BF16, 2)                                                                                               \
    X(I64, 8)                                                                                                \
    X(I32, 4)                                                                                                \
    X(I16, 2)                                                                                                \
    X(I8, 1)                                                                                                 \
    X(U64, 8)                                                                                                \
    X(U32, 4)                                                                                                \
    X(U16, 2)                                                                                                \
    X(U8, 1)                                                                                                 \
    X(BOOL, 1)

enum rlm_dtype {
#define RLM_DTYPE_ENUM(name, bytes) RLM_##name,
    RLM_DTYPE_LIST(RLM_DTYPE_ENUM)
#undef RLM_DTYPE_ENUM
        RLM_DTYPE_COUNT
};

struct rlm_tensor {
    const char *name; /* NULL: none. Memory of whoever made the tensor */
    enum rlm_dtype dtype;
    size_t rank;                /* 0: a single value */
    size_t shape[RLM_RANK_MAX]; /* [rank] */
    size_t count;               /* values: the product of the shape, 1 for rank 0 */
    void *data;                 /* [count] of dtype, by rlm_alloc; NULL: not read */
    bool text; /* the last dimension holds characters: U32 code points or U8 bytes, 0 after the last */
};

/* What a reader makes of the values: the file's own kind, or what a dataset keeps: U8 and BOOL (bytes of 0
 * and 1) as they are, F32 for all else (rounded to nearest where the kind is wider). LABELS is STORED, and
 * texts are read too. */
enum rlm_reading { RLM_READ_STORED, RLM_READ_FEATURES, RLM_READ_LABELS };

/* Bytes of one value; the name as safetensors writes it; the kind of that name, RLM_DTYPE_COUNT for none. */
size_t rlm_dtype_size(enum rlm_dtype dtype);
const char *rlm_dtype_name(enum rlm_dtype dtype);
enum rlm_dtype rlm_dtype_find(const char *name);
/* F64 F32 F16 BF16; I8 to U64 and BOOL. */
bool rlm_dtype_is_float(enum rlm_dtype dtype);
/* Whether every value of the kind is also a float32. */
bool rlm_dtype_fits_f32(enum rlm_dtype dtype);
/* The kind a value of `dtype` is kept as under `reading`. */
enum rlm_dtype rlm_dtype_kept(enum rlm_dtype dtype, enum rlm_reading reading);

/* `count` values of `dtype` at `from` (any alignment) to float32, to the nearest where they do not fit. `to`
 * may not overlap. */
void rlm_values_to_f32(enum rlm_dtype dtype, const void *from, float *to, size_t count);
/* The same to double: exact but for 64-bit integers beyond 2⁵³. */
void rlm_values_to_f64(enum rlm_dtype dtype, const void *from, double *to, size_t count);
/* Reverses the bytes of each of `count` values of `size` bytes in place. */
void rlm_values_swap(void *values, size_t size, size_t count);
/* float32 of a half-precision number's bits. */
float rlm_half_to_f32(unsigned bits);

/* Sets tensor->count from rank and shape. False: the bytes of such a tensor do not fit a size_t. */
bool rlm_tensor_measure(struct rlm_tensor *tensor);
/* Writes the shape as "[60000, 28, 28]" into `text` (shortened with … when it does not fit), returns `text`.
 */
const char *rlm_tensor_shape_text(const struct rlm_tensor *tensor, char *text, size_t size);
/* Frees the data. */
void rlm_tensor_deinit(struct rlm_tensor *tensor);

#endif
