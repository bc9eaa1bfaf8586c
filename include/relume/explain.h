/* One unit, one sample: the two lines of a ReLU layer with their own numbers, forward and backward.
 *
 *     p = w·x + b      z = max(0, p)                     forward
 *     dz = upstream where p > 0, else 0                  the gate
 *     dw = dz·x        db = dz        w ← w − lr·dw      backward and the update of plain SGD
 *
 * The numbers are the engine's own: the same kernels, the same rounding as in training with this sample as
 * the whole batch. */
#ifndef RELUME_EXPLAIN_H
#define RELUME_EXPLAIN_H

#include "relume/network.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Everything is a view into memory that relume_explanation_deinit frees. K is the unit's in_features, M the
 * units of the layer above it, C the network's out_features. */
typedef struct relume_explanation {
    size_t layer, unit, sample;    /* as asked for */
    size_t inputs, above, outputs; /* K, M, C */
    const float *x;      /* [K] what the unit is fed: scaled features, or activations of the layer below */
    const float *weight; /* [K] */
    float bias;
    float preactivation;       /* p */
    float activation;          /* z; p itself in the last layer */
    int open;                  /* the gate: p > 0; always 1 in the last layer, which has none */
    const float *above_weight; /* [M] the unit's outgoing weights; NULL in the last layer */
    const float *above_dz;     /* [M] gradient at the pre-activations above; NULL in the last layer */
    float upstream;            /* dL/dz = Σ above_dz · above_weight; in the last layer dL/dlogit */
    float dz;                  /* upstream through the gate */
    const float *dweight;      /* [K] */
    float dbias;
    const float *logits; /* [C] */
    float loss;
    size_t label;     /* the sample's class; SIZE_MAX without classes */
    size_t predicted; /* the class of the largest logit */
} relume_explanation;

/* Explains `unit` of layer `layer` (from 0, the last layer included) on row `sample` of a split. The dataset
 * must have targets. NOT_FOUND for a layer, unit or sample there is not, MISMATCH, DIVERGED, NO_MEMORY. */
RELUME_API relume_status relume_explain(const relume_network *network, const relume_dataset *dataset,
                                        relume_split split, size_t layer, size_t unit, size_t sample,
                                        relume_explanation *explanation,
                                        relume_error *error) RELUME_MUST_CHECK;
RELUME_API void relume_explanation_deinit(relume_explanation *explanation);

/* The pre-activation of the same sample after one step of plain SGD on it alone, the unit's inputs held:
 * w ← fma(−lr, dw, w), b ← fma(−lr, db, b), then the chain of p again. */
RELUME_API float relume_explanation_step(const relume_explanation *explanation, double learning_rate);

/* One unit over a whole split, and the sample that tells most about it. */
typedef struct relume_explain_choice {
    size_t samples, active; /* of the split; of them with p > 0 */
    float margin;           /* max of p over the split */
    size_t sample; /* of the samples with p > 0 the one with the largest loss; where there is none, the one
                      with the largest p: the nearest to opening the gate. The first of equals */
} relume_explain_choice;

/* Looks at every sample of a split. Status as of relume_explain; NOT_FOUND for an empty split. */
RELUME_API relume_status relume_explain_choose(const relume_network *network, const relume_dataset *dataset,
                                               relume_split split, size_t layer, size_t unit,
                                               relume_explain_choice *choice,
                                               relume_error *error) RELUME_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
