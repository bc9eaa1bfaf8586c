/* One training batch taken apart: the forward and backward pass at the weights before a step, with every
 * layer's gradient kept whole. The network is not moved; the numbers are those the step itself works with,
 * bit for bit. */
#ifndef RLM_AUTOPSY_DISSECTION_H
#define RLM_AUTOPSY_DISSECTION_H

#include "network/loss.h"

struct rlm_dissected_layer {
    float *dz;      /* sample panels [batch, out_features]: gradient of the pre-activations */
    float *dweight; /* [out_features, stride of the layer] */
    float *dbias;   /* [out_features] */
};

struct rlm_dissection {
    const relume_network *network;
    struct rlm_pass pass;
    struct rlm_loss_pass loss;
    struct rlm_dissected_layer *layer; /* [layers] */
    double *squares;                   /* [widest layer] */
    double batch_loss;                 /* mean over the batch */
    double norm;                       /* 2-norm of the whole gradient, before clipping */
    float scale;                       /* what clipping multiplies the gradient with; 1 without */
    size_t count;
    uint32_t *index; /* [count]: rows of the dataset */
    struct rlm_arena arena;
};

/* Room for batches of up to `capacity` samples. NO_MEMORY. */
relume_status rlm_dissection_init(struct rlm_dissection *dissection, const relume_network *network,
                                  const relume_dataset *dataset, size_t capacity, relume_error *error);
/* A zeroed struct is fine. */
void rlm_dissection_deinit(struct rlm_dissection *dissection);

/* Takes the batch apart at the network's current weights. `clip_norm` 0: no clipping. dead [units of the
 * first layer]: 1 for units that no sample opens; NULL: nothing is known of any. DIVERGED when a number is
 * not finite. Allocates nothing. */
relume_status rlm_dissection_run(struct rlm_dissection *dissection, const struct rlm_batch *batch,
                                 double clip_norm, const uint8_t *dead, relume_error *error);

/* The gradient of one unit as the update takes it, clipped: [in_features + 1], the bias last. */
void rlm_dissection_gradient(const struct rlm_dissection *dissection, size_t layer, size_t unit,
                             float *gradient);

/* The gradient of the pre-activation of `unit` for the sample at `place` of the batch; 0 where its gate was
 * off. */
float rlm_dissection_dz(const struct rlm_dissection *dissection, size_t layer, size_t unit, size_t place);

#endif
