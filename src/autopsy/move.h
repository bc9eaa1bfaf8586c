/* One update of one unit, taken apart: what went in, what came out, and what would have come out without one
 * of its parts.
 *
 * The parts of an own update, linear in what went in (v of Adam as it is after the step, the update's
 * denominator D from it):
 *
 *                gradient              momentum (carry)      decay
 *     SGD        −lr·g                 –                     −lr·λ·w
 *     momentum   −lr·g                 −lr·μ·s               −lr·λ·w
 *     Nesterov   −lr·(1+μ)·g           −lr·μ²·s              −lr·(1+μ)·λ·w
 *     Adam       −α·(1−β1)·g / D       −α·β1·m / D           −α·(1−β1)·λ·w / D
 *     AdamW      −α·(1−β1)·g / D       −α·β1·m / D           −lr·λ·w
 *
 * α = lr / (1 − β1ᵗ), D = √v·c + ε; s and m are the state before the step. Leaving a part out computes the
 * update again with g, s or m, or λ set to 0, in the kernels' order of rounding, v kept as it was. */
#ifndef RLM_AUTOPSY_MOVE_H
#define RLM_AUTOPSY_MOVE_H

#include "kernels/kernels.h"
#include "relume/trainer.h"

/* Parts of a change. BELOW is no part of the own update: the layers below. */
enum rlm_part {
    RLM_PART_GRADIENT = 1,
    RLM_PART_MOMENTUM = 2,
    RLM_PART_DECAY = 4,
    RLM_PART_BELOW = 8,
    RLM_PART_WEIGHTS = 16, /* the whole move of the weights */
    RLM_PART_BIAS = 32     /* the whole move of the bias */
};

struct rlm_move {
    const relume_trainer_options *options;
    size_t features;
    uint64_t step; /* the update, from 1 */
    double rate;   /* its learning rate */
    /* [features + 1] each, the bias last */
    const float *before;
    const float *gradient; /* as the update took it: after clipping, before decay */
    const float *s1, *s2;  /* optimizer state before; NULL where the optimizer has none */
};

/* The unit after the update, without the parts in `without` (of rlm_part, or-ed; 0 gives the engine's own
 * result), at learning rate `rate`. */
void rlm_move_make(const struct rlm_move *move, unsigned without, double rate, float *after);

/* How the unit moves per unit of learning rate: after(rate) ≈ before + rate · push. Exact but for rounding:
 * every optimizer's update is linear in its rate. */
void rlm_move_push(const struct rlm_move *move, float *push);

/* How much each part moves parameter i (see the table): real values in double. */
struct rlm_parts {
    double gradient, momentum, decay;
};
struct rlm_parts rlm_move_parts(const struct rlm_move *move, size_t i);
/* What g, s and w of parameter i are multiplied with to give these parts. */
struct rlm_parts rlm_move_rates(const struct rlm_move *move, size_t i);

/* ‖after − before‖ / ‖before‖ over weights and bias; 0 where nothing moved, infinite from nothing. */
double rlm_move_ratio(const float *before, const float *after, size_t features);

#endif
