/* The squares of a gradient, for its 2-norm. Rows are summed by themselves, whatever thread does it, so that
 * a caller who adds them in order has the same norm on every machine. */
#ifndef RLM_TRAIN_SQUARES_H
#define RLM_TRAIN_SQUARES_H

#include "network/network.h"

/* Of the gradient of layer `index`: of its weights, in their layout, and of its biases: rows[out_features]
 * and *bias. */
void rlm_squares_find(const relume_network *network, size_t index, const float *dweight, const float *dbias,
                      double *rows, double *bias);

#endif
