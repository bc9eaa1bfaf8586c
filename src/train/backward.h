/* The way back: from the gradient of the logits to every parameter, layer by layer from the last.
 *
 *     dlogits ─ out ─> dz ─ h2 ─> dz ─ h1
 *                 │        │        └ each layer: its input's gradient with the weights as they are, then its
 * own update, update   update     which happens inside the kernel while the gradient is in registers
 *
 * Units that the pass lists as dead in this batch have no column in dz: their gradients are 0 whatever comes
 * from above, so they are left out of the next sums, and of their own. What momentum, Adam or decay still do
 * to them is done apart, but for those asleep (sleep.h). */
#ifndef RLM_TRAIN_BACKWARD_H
#define RLM_TRAIN_BACKWARD_H

#include "network/forward.h"
#include "train/condense.h"
#include "train/sleep.h"
#include "train/stride.h"

/* What becomes of a layer's gradient: an update with its state, or, with the kind STORE, the gradient itself.
 */
struct rlm_layer_update {
    struct rlm_update weight, bias;
    float *weight_s1, *weight_s2, *bias_s1, *bias_s2; /* NULL where the kind has none */
    float *dweight, *dbias;                           /* with STORE, in the layout of weight and bias */
};

struct rlm_backward {
    float *dlogits;                  /* sample panels [batch, outputs]: the loss writes them here */
    enum rlm_faint faint;            /* and tells this of them */
    struct rlm_layer_update *layer;  /* [layers], set by the caller */
    struct rlm_sleep *sleep;         /* [layers]: units that need no update; NULL: all do. The caller's */
    struct rlm_condensed *condensed; /* of the second layer; NULL: it never is. The caller's */
    struct rlm_rest_bound rest;      /* for RLM_MOTION_ENDED */
    uint64_t step;                   /* updates done before this one, set by the caller */
    struct rlm_stride *stride;       /* measures the updates; NULL: nobody does. The caller's */
    /* private */
    uint32_t *awake, *apart; /* [units of the widest layer] */
    float **dz; /* [layers]: sample panels [batch, outputs of the layer], in part in the pass' buffers */
    struct rlm_arena arena;
};

/* Buffers for the batches of `pass`, which has RLM_PASS_GATES, _ACTIVE and _FEATURES and outlives this. Once
 * a batch has gone back, its activations are lost, but for those of the first layer. NO_MEMORY. */
relume_status rlm_backward_init(struct rlm_backward *backward, const struct rlm_pass *pass,
                                relume_error *error);
void rlm_backward_deinit(struct rlm_backward *backward);

/* Whether a gradient of +0 changes nothing, as under plain SGD: w + (−lr · 0) = w, to the bit. */
bool rlm_update_is_still(const struct rlm_update *update);

/* Where the states of a layer's weights are, after `step` updates. */
struct rlm_sleep_place rlm_backward_place(const struct rlm_backward *backward, const relume_network *network,
                                          size_t layer, uint64_t step);

/* Goes back over the batch `pass` has just run. Overwrites dlogits. Allocates nothing. */
void rlm_backward_run(struct rlm_backward *backward, const struct rlm_pass *pass);

#endif
