/* Bounds from above on what units of the first hidden layer make of D, by its bytes.
 *
 * Inputs kept as raw bytes u (inputs.h) are x = (u − o) / d.
 * A unit's p = Σ w·x + b is then Σ ω·u + c with ω = w / d and c = b − Σ w·o / d. With ω rounded to whole
 * multiples q of a unit s, |q| ≤ 127, the sum Σ q·u is one of whole numbers, which a CPU of today does four
 * times as fast as one of floats and which reads a quarter of the memory; and as u ≥ 0,
 *
 *     p ≤ s · Σ q·u + max|ω − s·q| · Σ u + c,
 *
 * up to a rounding that is added. In most places that is far below 0, and nothing more need be computed
 * there. */
#ifndef RLM_AUTOPSY_SKETCH_H
#define RLM_AUTOPSY_SKETCH_H

#include "autopsy/inputs.h"
#include "kernels/bytes.h"

struct rlm_sketch {
    rlm_dots_kernel *dots; /* NULL: there is no sketch */
    relume_scaling scaling;
    size_t samples, features, quads;
    const uint8_t *x; /* byte panels, those of the inputs */
    float *sum;       /* [samples rounded up to 32]: Σ u, exact */
    float *heaviest;  /* [⌈samples/32⌉]: the largest of a group */
    struct rlm_arena arena;
};

/* For the first layer of this network. None is made of inputs without bytes, where the CPU would not be
 * faster for it, or without the memory: it is for speed alone. */
void rlm_sketch_init(struct rlm_sketch *sketch, const relume_network *network,
                     const struct rlm_inputs *inputs);
/* A zeroed struct is fine. */
void rlm_sketch_deinit(struct rlm_sketch *sketch);

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

/* Bounds of `count` ≤ RLM_DOTS_ROWS units over a group of samples: bound[count], no real pre-activation of
 * the float inputs is above it. longest: the largest norm1 of the group. */
void rlm_sketch_bound(const struct rlm_sketch *sketch, size_t group, float longest, const int8_t *const *q,
                      const struct rlm_sketched *const *unit, size_t count, float *bound);

#endif
