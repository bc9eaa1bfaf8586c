/* Checks the gradient against differences of the loss.
 *
 * The gradient of one batch is computed by the reference kernels in double. The loss is computed by the same
 * source in long double, at four points around each parameter w, and differenced:
 *
 *     D = (8 (L(w+h) − L(w−h)) − (L(w+2h) − L(w−2h))) / 12h        h = 2⁻¹²
 *
 * two centred differences with the first error term cancelled. The relative error is
 * |gradient − D| / max(1e-8, |gradient| + |D|). A ReLU network is smooth only while no gate moves: where a
 * gate of some unit and sample differs at one of the four points, that unit is named and the parameter is
 * left out of the verdict. docs/gradcheck.md derives h and the error to expect. */
#ifndef RELUME_GRADCHECK_H
#define RELUME_GRADCHECK_H

#include "relume/network.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct relume_gradcheck_options {
    relume_split split; /* = TRAIN: the batch is its first samples */
    size_t batch_size;  /* = 37; at most the samples there are */
    size_t parameters;  /* = 256: at most so many of each tensor, spread evenly; 0: every one */
    uint64_t seed;      /* = 0: where the spread begins */
    double tolerance;   /* = 1e-7: the relative error up to which the gradient holds */
} relume_gradcheck_options;

RELUME_API void relume_gradcheck_options_default(relume_gradcheck_options *options);

/* One tensor, weight or bias of a layer. */
typedef struct relume_gradcheck_tensor {
    const char *layer; /* "h1", …, "out"; valid as long as the network */
    int is_bias;
    size_t parameters, checked, left_out; /* left_out: a gate flipped */
    double worst;                         /* relative error; 0 when none was checked */
    size_t unit, input;                   /* the parameter with it; input 0 for a bias */
    double gradient, difference;          /* its two values */
} relume_gradcheck_tensor;

/* A hidden unit whose gate flipped, and for how many parameters. */
typedef struct relume_gradcheck_flip {
    const char *layer;
    size_t unit, parameters;
} relume_gradcheck_flip;

typedef struct relume_gradcheck_summary {
    int holds; /* not 0: something was checked, and no relative error is above the tolerance */
    size_t batch, parameters, checked, left_out;
    double worst, tolerance, step; /* step: h */
    double loss;                   /* of the batch */
    size_t worst_tensor;           /* the tensor it is in */
} relume_gradcheck_summary;

typedef struct relume_gradcheck relume_gradcheck;

/* Checks `network` on a batch of `dataset`; `options` may be NULL. Both must outlive the result. MISMATCH
 * (features, outputs, loss and targets), NOT_FOUND for a split without samples, USAGE, DIVERGED when a
 * pre-activation is not finite, NO_MEMORY. A gradient that does not hold is no failure: see the summary. */
RELUME_API relume_status relume_gradcheck_run(const relume_network *network, const relume_dataset *dataset,
                                              const relume_gradcheck_options *options,
                                              relume_gradcheck **check,
                                              relume_error *error) RELUME_MUST_CHECK;
RELUME_API void relume_gradcheck_destroy(relume_gradcheck *check);

RELUME_API relume_gradcheck_summary relume_gradcheck_get_summary(const relume_gradcheck *check);
/* Tensors in the order h1.weight, h1.bias, …, out.bias. `index` must be below the count. */
RELUME_API size_t relume_gradcheck_get_tensors(const relume_gradcheck *check);
RELUME_API relume_gradcheck_tensor relume_gradcheck_get_tensor(const relume_gradcheck *check, size_t index);
/* Units whose gate flipped, by layer and unit. */
RELUME_API size_t relume_gradcheck_get_flips(const relume_gradcheck *check);
RELUME_API relume_gradcheck_flip relume_gradcheck_get_flip(const relume_gradcheck *check, size_t index);

#ifdef __cplusplus
}
#endif
#endif
