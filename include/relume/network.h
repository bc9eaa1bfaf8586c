/* A fully connected network: hidden layers with ReLU, a last layer without.
 *
 *     z = max(0, W x + b)      for h1, h2, …          logits = W x + b      for out
 *
 * Weights are float32, `weight[N, K]` row-major (one row a unit), `bias[N]`. Layers are numbered from 0 in
 * the order data meets them and named "h1", "h2", …, "out". A network carries the scaling of its raw input,
 * the names of its classes and its loss, so that a saved model is enough to predict from raw data. */
#ifndef RELUME_NETWORK_H
#define RELUME_NETWORK_H

#include <stddef.h>
#include <stdint.h>

#include "relume/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How weights are drawn, n = in_features, m = out_features; biases are 0 except under PYTORCH.
 * HE: N(0, 2/n), U(±√(6/n)) (He et al. 2015) · XAVIER: N(0, 2/(n+m)), U(±√(6/(n+m))) (Glorot and Bengio 2010)
 * · LECUN: N(0, 1/n) · PYTORCH: weight and bias U(±1/√n), what torch.nn.Linear does · ORTHOGONAL: rows or
 * columns orthonormal, times √2 (Saxe et al. 2013). The last layer is drawn like the others. */
#define RELUME_INIT_LIST(X)                                                                                  \
    X(HE_NORMAL, "he-normal")                                                                                \
    X(HE_UNIFORM, "he-uniform")                                                                              \
    X(XAVIER_NORMAL, "xavier-normal")                                                                        \
    X(XAVIER_UNIFORM, "xavier-uniform")                                                                      \
    X(LECUN_NORMAL, "lecun-normal")                                                                          \
    X(PYTORCH, "pytorch")                                                                                    \
    X(ORTHOGONAL, "orthogonal")

typedef enum relume_init {
#define RELUME_INIT_ENUM(name, text) RELUME_INIT_##name,
    RELUME_INIT_LIST(RELUME_INIT_ENUM)
#undef RELUME_INIT_ENUM
        RELUME_INIT_COUNT
} relume_init;

/* SOFTMAX: cross-entropy of softmax over the logits, a label a sample · MSE: mean over samples and outputs of
 * (logit − target)² · BCE: mean over samples and outputs of the binary cross-entropy of sigmoid(logit).
 * The formulas are PyTorch's CrossEntropyLoss, MSELoss and BCEWithLogitsLoss with reduction "mean". */
#define RELUME_LOSS_LIST(X)                                                                                  \
    X(SOFTMAX, "softmax")                                                                                    \
    X(MSE, "mse")                                                                                            \
    X(BCE, "bce")

typedef enum relume_loss {
#define RELUME_LOSS_ENUM(name, text) RELUME_LOSS_##name,
    RELUME_LOSS_LIST(RELUME_LOSS_ENUM)
#undef RELUME_LOSS_ENUM
        RELUME_LOSS_COUNT
} relume_loss;

/* The option's text ("he-normal", "softmax"), NULL for a number that is none. Any thread. */
RELUME_API const char *relume_init_name(relume_init init);
RELUME_API const char *relume_loss_name(relume_loss loss);

typedef struct relume_network relume_network;

typedef struct relume_network_options {
    size_t in_features;
    size_t hidden_layers;
    const size_t *hidden; /* [hidden_layers] units of each; NULL when there are none */
    size_t out_features;
    relume_loss loss;              /* = SOFTMAX */
    relume_init init;              /* = HE_NORMAL */
    uint64_t seed;                 /* = 0 */
    const relume_dataset *dataset; /* = NULL: takes scaling, class names and image shape from it */
} relume_network_options;

RELUME_API void relume_network_options_default(relume_network_options *options);

/* Creates a network with drawn weights: the same options and seed give the same bytes everywhere. USAGE for a
 * width of 0, NO_MEMORY (a product that overflows counts as that). */
RELUME_API relume_status relume_network_create(relume_engine *engine, const relume_network_options *options,
                                               relume_network **network,
                                               relume_error *error) RELUME_MUST_CHECK;
/* Loads a relume or PyTorch-style .safetensors file. BAD_FORMAT, BAD_DATA (layers that do not chain, values
 * not finite), NOT_FOUND, IO, NO_MEMORY. */
RELUME_API relume_status relume_network_load(relume_engine *engine, const char *path,
                                             relume_network **network, relume_error *error) RELUME_MUST_CHECK;
/* Saves beside `path`, flushes, renames over it and flushes the folder: `path` holds the old bytes or all of
 * the new ones. IO, NO_MEMORY. */
RELUME_API relume_status relume_network_save(const relume_network *network, const char *path,
                                             relume_error *error) RELUME_MUST_CHECK;
RELUME_API void relume_network_destroy(relume_network *network);

/* Layers, the last among them; so hidden layers + 1. */
RELUME_API size_t relume_network_get_layers(const relume_network *network);
RELUME_API size_t relume_network_get_in_features(const relume_network *network);
RELUME_API size_t relume_network_get_out_features(const relume_network *network);
RELUME_API size_t relume_network_get_parameters(const relume_network *network);
RELUME_API relume_loss relume_network_get_loss(const relume_network *network);
/* For whoever trains or checks the network from now on: not while a trainer has it. */
RELUME_API void relume_network_set_loss(relume_network *network, relume_loss loss);
RELUME_API const char *relume_network_get_class_name(const relume_network *network, size_t label);
/* How raw input is scaled before the first layer. Valid as long as the network. */
RELUME_API relume_scaling relume_network_get_scaling(const relume_network *network);
/* 0 for a network from a file that states no scaling, such as PyTorch's: each dataset it meets is then scaled
 * as a new network on that dataset would have it, and relume_network_get_scaling says "as it is". */
RELUME_API int relume_network_has_scaling(const relume_network *network);
/* Numbers the labels of a dataset as the network numbers its outputs, and names its classes like these: by
 * the classes' names, or, where the network has none or none that are numbers, by a label's own number (7 is
 * output 7). Without it a dataset numbers the classes it has, which may be fewer than the network's.
 * Does nothing without labels. MISMATCH, with the dataset as it was, for a class that the network does not
 * have; NO_MEMORY. */
RELUME_API relume_status relume_network_number_labels(const relume_network *network, relume_dataset *dataset,
                                                      relume_error *error) RELUME_MUST_CHECK;

/* One layer: its names, sizes and a view of its parameters, valid until the network is destroyed and current
 * between calls. Whoever writes parameters while a trainer moves them calls relume_trainer_parameters_changed
 * afterwards. Row n of `weight` begins at weight + n * weight_stride. */
typedef struct relume_layer {
    const char *name; /* "h1", "h2", …, "out" */
    const char
        *foreign_name; /* the layer's name in the file it came from; the same as `name` for relume's own */
    size_t in_features, out_features;
    float *weight;
    size_t weight_stride;
    float *bias;
    int relu; /* 0 for the last */
} relume_layer;
/* The layer, or one with name NULL when `index` is none. */
RELUME_API relume_layer relume_network_get_layer(const relume_network *network, size_t index);

/* Logits of every sample of `split`, `logits[samples, out_features]` row-major, from the dataset's raw
 * features. MISMATCH when the feature counts differ, DIVERGED when a pre-activation is not finite, NO_MEMORY.
 */
RELUME_API relume_status relume_network_predict(const relume_network *network, const relume_dataset *dataset,
                                                relume_split split, float *logits,
                                                relume_error *error) RELUME_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
