/* What the two halves of reading a network share: network_load.c finds the layers, load_metadata.c reads what
 * is beside them. Not for others. */
#ifndef RLM_NETWORK_LOAD_H
#define RLM_NETWORK_LOAD_H

#include <jansson.h>

#include "formats/safetensors.h"
#include "network/network.h"

/* One layer as found in the file. */
struct rlm_part {
    const struct rlm_tensor *weight, *bias; /* bias NULL: zero */
    char name[256];                         /* what stands before ".weight" */
};

struct rlm_load {
    relume_engine *engine;
    const struct rlm_safetensors *file;
    const char *path;
    struct rlm_part *parts; /* in the order data meets them, once found */
    size_t count;
};

/* BAD_DATA: the tensor, or the metadata of a key, is not what was `expected`. */
relume_status rlm_load_refuse_tensor(const struct rlm_load *load, const struct rlm_tensor *tensor,
                                     const char *expected, relume_error *error);
relume_status rlm_load_refuse_metadata(const struct rlm_load *load, const char *key, const char *expected,
                                       relume_error *error);

/* The JSON array under a key of the metadata; NULL when there is none. The caller lets go of it. NO_MEMORY.
 */
relume_status rlm_load_array(const struct rlm_load *load, const char *key, json_t **array,
                             relume_error *error);

/* Reads a tensor of one or two dimensions into rows of `stride` floats. BAD_DATA with row and column for the
 * first value that is not finite. */
relume_status rlm_load_values(const struct rlm_load *load, const struct rlm_tensor *tensor, float *to,
                              size_t stride, relume_error *error);

/* Scaling and, in relume's own files, loss, init, image shape, class names and foreign names. */
relume_status rlm_load_metadata(const struct rlm_load *load, bool own, relume_network *network,
                                relume_error *error);

#endif
