/* The inside of a network: layers in one arena, the kernel table, and what travels with a saved model. */
#ifndef RLM_NETWORK_NETWORK_H
#define RLM_NETWORK_NETWORK_H

#include "base/arena.h"
#include "base/engine.h"
#include "kernels/kernels.h"
#include "relume/network.h"

struct rlm_layer {
    char name[16];      /* "h1" … "out" */
    char *foreign_name; /* by rlm_alloc; NULL: the same as name */
    size_t in_features, out_features, stride;
    float *weight; /* [out_features, stride], columns beyond in_features are 0 */
    float *bias;   /* [out_features] */
    bool relu;
};

struct relume_network {
    relume_engine *engine;
    const struct rlm_kernels *kernels;
    size_t layer_count;
    struct rlm_layer *layers;
    relume_loss loss;
    relume_init init;
    struct rlm_arena arena; /* weights and biases */
    /* of the raw input */
    relume_scaling scaling;     /* points into memory the network has */
    size_t image_rows, image_columns;
    size_t class_count;
    char **class_names;
};

/* The row stride of a weight matrix with `in_features` columns: a multiple of 16 floats, an odd number of cache lines so
 * that a column does not fall into one cache set. */
size_t rlm_network_stride(size_t in_features);

#endif
