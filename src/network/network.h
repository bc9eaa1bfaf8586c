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
    relume_scaling scaling; /* points into memory the network has */
    bool scaling_unstated;  /* its file said nothing of scaling: that of the data is used */
    size_t image_rows, image_columns;
    size_t class_count;
    char **class_names;
};

/* The row stride of a weight matrix with `in_features` columns: a multiple of 16 floats, an odd number of
 * cache lines so that a column does not fall into one cache set. 0 when it does not fit a size_t. */
size_t rlm_network_stride(size_t in_features);

/* A network of `layers` layers with widths[0 … layers]: inputs, hidden units …, outputs. Every parameter is
 * 0, the scaling is "as it is", the loss softmax. USAGE for a width of 0, NO_MEMORY. */
relume_status rlm_network_alloc(relume_engine *engine, const size_t *widths, size_t layers,
                                relume_network **network, relume_error *error);

/* Takes over scaling, class names and image shape from a dataset; what the network had of them is given up.
 * MISMATCH when the feature counts differ, NO_MEMORY (the network is then as it was). */
relume_status rlm_network_take_dataset(relume_network *network, const relume_dataset *dataset,
                                       relume_error *error);

/* The same from loose parts: `offset` and `divisor` of one or in_features entries, `names[count]` copied. */
relume_status rlm_network_set_scaling(relume_network *network, const relume_scaling *scaling,
                                      relume_error *error);
relume_status rlm_network_set_class_names(relume_network *network, const char *const *names, size_t count,
                                          relume_error *error);

/* Draws every parameter anew (src/network/init.c). NO_MEMORY (orthogonal needs scratch). */
relume_status rlm_network_draw(relume_network *network, relume_init init, uint64_t seed, relume_error *error);

/* DIVERGED with tensor, row and column when a parameter is NaN or infinite: nothing worth saving. */
relume_status rlm_network_check_finite(const relume_network *network, relume_error *error);

/* The init or loss of an option's text; the list's COUNT when there is none. */
relume_init rlm_init_find(const char *name);
relume_loss rlm_loss_find(const char *name);

#endif
