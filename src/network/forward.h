/* A pass: one batch of samples through the network, and the buffers that holds. Prediction, evaluation, the
 * census and the trainer all run this one.
 *
 *     raw rows ─ pack ─> x ─ h1 ─> z ─ h2 ─> z … ─ out ─> logits
 *                        │         │ gates, active, margin, sum of each hidden layer, where wanted
 *                        └ x_features, and z turned as the backward pass asks for it, where wanted
 *
 * A sample's results do not depend on the batch it was run in, on the capacity, or on the threads. */
#ifndef RLM_NETWORK_FORWARD_H
#define RLM_NETWORK_FORWARD_H

#include "network/batch.h"
#include "network/pass.h"

/* A pre-activation that is not finite. `sample` is a row of the dataset. Or, with `reading` set and nothing
 * else, rows that could not be read from their file. */
struct rlm_fault {
    size_t layer, unit, sample;
    float value;
    relume_status reading;
    relume_error why;
};

/* From now on layer `layer`, one with RLM_PASS_LIVE, leaves out the units that `out` marks ([units], read
 * now): no sample that is to be run opens them, and they keep an activation of 0. Where so few can be left
 * out that it does not pay, all are worked out. A margin or sum of the others stays as it is. A new pass
 * leaves out none. */
void rlm_pass_leave_out(struct rlm_pass *pass, size_t layer, const uint8_t *out);

/* What layer `layer` takes in as feature panels [batch, count]: its inputs list[0 … count−1], or all `count`
 * of them where list is NULL; those of the first layer, which has no list, at rlm_copies_at(…). Where `layer`
 * is above that, they are made now, and hold until others or lists of terms are. With RLM_PASS_FEATURES. */
const float *rlm_pass_features(const struct rlm_pass *pass, size_t layer, const uint32_t *list, size_t count);

/* Runs a batch of 1 to capacity samples, whose feature count is the network's. False when a pre-activation is
 * not finite: the pass stops after that layer, and `fault` (may be NULL) tells its first unit and that unit's
 * first sample; or when rows could not be read. Allocates nothing. */
bool rlm_pass_run(struct rlm_pass *pass, const struct rlm_batch *batch, struct rlm_fault *fault);

/* DIVERGED, or why rows could not be read; with a sentence: `when` (such as "evaluating the test split"),
 * unit, value, sample. */
relume_status rlm_fault_report(const struct rlm_fault *fault, const relume_network *network, const char *when,
                               relume_error *error);

/* MISMATCH, named, unless the dataset has as many features as the network takes. */
relume_status rlm_pass_check(const relume_network *network, const relume_dataset *dataset,
                             relume_error *error);

#endif
