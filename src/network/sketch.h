/* Bounds from above on what units of the first hidden layer make of samples kept as bytes.
 *
 * Raw bytes u are fed to a network as x = (u − o) / d.
 * A unit's p = Σ w·x + b is then Σ ω·u + c with ω = w / d and c = b − Σ w·o / d. With ω rounded to whole
 * multiples q of a unit s, |q| ≤ 127, the sum Σ q·u is one of whole numbers, which a CPU of today does four
 * times as fast as one of floats and which reads a quarter of the memory; and as u ≥ 0,
 *
 *     p ≤ s · Σ q·u + max|ω − s·q| · Σ u + c,
 *
 * up to a rounding that is added. In most places that is far below 0, and nothing more need be computed
 * there. */
#ifndef RLM_NETWORK_SKETCH_H
#define RLM_NETWORK_SKETCH_H

#include "kernels/bytes.h"
#include "kernels/enclose.h"
#include "network/network.h"

#define RLM_SKETCH_SAMPLES RLM_BYTE_GROUP
#define RLM_SKETCH_LONGEST 65000 /* features: sums fit 31 bits, and Σ u is exact as a float */

struct rlm_sketch {
    rlm_dots_kernel *dots; /* NULL: there is no sketch */
    rlm_middles_kernel *middles;
    relume_scaling scaling;
    size_t features, quads;
};

/* For the first layer of this network, fed through this scaling. False, and no sketch, where the CPU would
 * not be faster for it: it is for speed alone. */
bool rlm_sketch_init(struct rlm_sketch *sketch, const relume_network *network, const relume_scaling *scaling);

/* Samples to be bounded together. */
struct rlm_sketch_group {
    const uint8_t *x;       /* a byte group */
    const float *sum;       /* [32]: Σ u of each, exact */
    float heaviest;         /* the largest of them */
    float longest;          /* no Σ|x| + 1 of them is larger */
    struct rlm_quads quads; /* those of x; zeroed: all */
};

/* Fills sum[32], group->sum and group->heaviest from group->x. ones[4·quads]: each 1. */
void rlm_sketch_weigh(const struct rlm_sketch *sketch, const int8_t *ones, float *sum,
                      struct rlm_sketch_group *group);

/* One unit, rounded. */
struct rlm_sketched {
    float scale, error;  /* s; max|ω − s·q| */
    float constant;      /* c */
    float largest, size; /* max|ω|; |b| + Σ|w·o/d|, which c is made of */
    float weight;        /* the largest |parameter| */
};
/* Rounds a unit: weight[features], its bias; q[4·quads]. */
void rlm_sketch_round(const struct rlm_sketch *sketch, const float *weight, float bias, int8_t *q,
                      struct rlm_sketched *unit);

/* Bounds of `count` ≤ RLM_DOTS_ROWS units over a group: bound[count], no real pre-activation of the float
 * inputs is above it. */
void rlm_sketch_bound(const struct rlm_sketch *sketch, const struct rlm_sketch_group *group,
                      const int8_t *const *q, const struct rlm_sketched *const *unit, size_t count,
                      float *bound);

/* What the rounded units give: value[count][32] = s · Σ q·u + c. The real pre-activation of the float inputs
 * of a sample is no further from its value than error · Σu + slack[count], and so none is above bound[count].
 */
void rlm_sketch_values(const struct rlm_sketch *sketch, const struct rlm_sketch_group *group,
                       const int8_t *const *q, const struct rlm_sketched *const *unit, size_t count,
                       float *value, float *slack, float *bound);

#endif
