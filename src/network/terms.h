/* Lists of what is not 0 in a matrix of the batch, sample by sample (struct rlm_terms), made where sums over
 * the listed terms alone cost less than over everything: from how many zeros on that is, was measured
 * (docs/performance.md). A pass has the memory for one matrix at a time, if it was made with RLM_PASS_LIVE.
 */
#ifndef RLM_NETWORK_TERMS_H
#define RLM_NETWORK_TERMS_H

#include "network/pass.h"

/* Lists what layer `layer` of the batch takes in, for its own sums. False where that does not pay. The lists
 * hold until others are made. */
bool rlm_terms_forward(struct rlm_pass *pass, size_t layer, struct rlm_terms *terms);

/* Lists hidden layer `layer`'s gradients dz, sample panels [batch, its live units where it is listed, or all
 * units], for dX. False where that does not pay. */
bool rlm_terms_backward(const struct rlm_pass *pass, size_t layer, const float *dz, struct rlm_terms *terms);

/* Lists the packed batch by features, for the first layer's dW. False where that does not pay. */
bool rlm_terms_weights(const struct rlm_pass *pass, struct rlm_terms *terms);

#endif
