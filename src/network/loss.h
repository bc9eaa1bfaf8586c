/* The loss of a batch: fetches labels or targets of the batch's samples and calls the kernel of the network's
 * loss. With classes, mean squared error and binary cross-entropy have one-hot targets. */
#ifndef RLM_NETWORK_LOSS_H
#define RLM_NETWORK_LOSS_H

#include "network/forward.h"
#include "relume/trainer.h"

struct rlm_loss_pass {
    size_t capacity;
    uint32_t *labels;     /* [capacity]; NULL without classes */
    float *targets;       /* sample panels [batch, out_features]; NULL with softmax */
    float *loss;          /* [capacity rounded up to 16]: of each sample of the last run */
    uint8_t *correct;     /* likewise 0 or 1; NULL without classes */
    enum rlm_faint faint; /* of the gradients of the last run */
    struct rlm_arena arena;
};

/* What samples sum up to: add batches in order, then divide by `samples`. */
struct rlm_loss_sum {
    double loss;
    uint64_t correct, samples;
};

/* Whether the network's loss can be computed on this dataset. MISMATCH, named: no targets, softmax without
 * classes, more classes than outputs, a different number of outputs, a target outside [0, 1] with binary
 * cross-entropy. */
relume_status rlm_loss_check(const relume_network *network, const relume_dataset *dataset,
                             relume_error *error);

/* Buffers for batches of up to `capacity` samples of a dataset that rlm_loss_check accepts. NO_MEMORY. */
relume_status rlm_loss_init(struct rlm_loss_pass *loss, const relume_network *network,
                            const relume_dataset *dataset, size_t capacity, relume_error *error);
void rlm_loss_deinit(struct rlm_loss_pass *loss);

/* The loss of the batch that `pass` has just run: fills loss->loss and loss->correct, and `dlogits` (sample
 * panels [batch, out_features]) unless it is NULL. Allocates nothing. */
void rlm_loss_run(struct rlm_loss_pass *loss, const struct rlm_pass *pass, const struct rlm_batch *batch,
                  float *dlogits);

/* Adds the `count` samples of the last run to `sum`, in their order. */
void rlm_loss_add(const struct rlm_loss_pass *loss, size_t count, struct rlm_loss_sum *sum);

/* relume_network_evaluate in the buffers of `lender`; see rlm_pass_init_beside. NULL: in its own. */
relume_status rlm_network_evaluate_beside(const relume_network *network, const relume_dataset *dataset,
                                          relume_split split, const struct rlm_pass *lender,
                                          relume_score *score, relume_error *error);

/* Means of a sum; NaN where there are no samples, accuracy NaN without classes. */
double rlm_loss_mean(const struct rlm_loss_sum *sum);
double rlm_loss_accuracy(const struct rlm_loss_sum *sum, const relume_dataset *dataset);

#endif
