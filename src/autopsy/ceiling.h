/* Ceilings: bounds from above on the pre-activations of the first hidden layer's units, for groups of
 * samples, carried along while the weights move. Where a ceiling is not above 0, every sample of the group
 * leaves the unit at 0, and its outputs need no computing. Units fire on few samples in most networks, and
 * from one look at all of D to the next the weights move little, so that this leaves out most of the work of
 * a forward pass over D.
 *
 * A ceiling holds for real numbers. When a group has been computed it is the largest float pre-activation
 * plus its rounding; when the parameters move by Δ it rises by Σ_b ‖Δ_b‖ · S_b + |Δ bias|, over blocks b of
 * 16 features, S_b the largest ‖x_b‖ of the block over the group's samples (Cauchy and Schwarz). */
#ifndef RLM_AUTOPSY_CEILING_H
#define RLM_AUTOPSY_CEILING_H

#include "autopsy/inputs.h"

/* Scratch memory of one thread, for one group or one unit. */
struct rlm_ceiling_work {
    float *row;     /* [units, stride]: the rows to be computed, side by side */
    float *bias;    /* [units rounded up to 16] */
    float *z;       /* sample panels [RLM_GROUP, units] */
    float *margin;  /* [units] */
    uint32_t *list; /* [units]: places in the map of what is computed */
};

struct rlm_ceilings {
    const struct rlm_inputs *inputs; /* D */
    size_t units, stride, groups, blocks;
    float *row; /* [units, stride + 16]: the parameters that the ceilings hold for, the bias at `stride` */
    float *ceiling; /* [units, groups]; infinite at first */
    float *weight;  /* [units]: the largest |parameter| of its row */
    float *weights; /* [units]: the same of its row and the one last settled for or looked at */
    float *rise;    /* [units, groups]: how far pre-activations of the two are apart at most */
    float gamma;    /* of the rounding in inputs.h, for this many features */
    float *reach;   /* [blocks, groups]: S */
    float *longest; /* [groups]: the largest norm1 */
    struct rlm_ceiling_work *work; /* [threads] */
    struct rlm_arena arena;
};

/* For the units of the network's first layer over inputs that have been packed. NO_MEMORY. */
relume_status rlm_ceilings_init(struct rlm_ceilings *ceilings, const relume_network *network,
                                const struct rlm_inputs *inputs, relume_error *error);
/* A zeroed struct is fine. */
void rlm_ceilings_deinit(struct rlm_ceilings *ceilings);

/* Units of a layer that are worked with. */
struct rlm_live {
    const struct rlm_layer *layer;
    const uint32_t *unit; /* [count], ascending */
    size_t count;
};

/* Raises the ceilings of these units to what holds at the layer's parameters. */
void rlm_ceilings_settle(struct rlm_ceilings *ceilings, const struct rlm_live *live);
/* Looks aside: notes how far these units are at the layer's parameters from those that the ceilings hold for,
 * and leaves the ceilings as they are. */
void rlm_ceilings_look(struct rlm_ceilings *ceilings, const struct rlm_live *live);

/* rlm_inputs_forward of these units, with the norms, for ceilings that are settled; what surely is 0 is not
 * computed. opened[threads] [units]: set to 1 for a unit that some sample of the span opens, left as it is
 * for others. */
void rlm_ceilings_forward(struct rlm_ceilings *ceilings, const struct rlm_live *live, struct rlm_span span,
                          uint8_t *opened, struct rlm_inputs *next);
/* The same for the groups that `open` [groups] names, at parameters that have been looked at; the ceilings
 * stay as they are. */
void rlm_ceilings_forward_some(struct rlm_ceilings *ceilings, const struct rlm_live *live,
                               const uint8_t *open, struct rlm_inputs *next);

/* For every group and each of its samples, by how much the outputs of these units differ at most between the
 * parameters that the ceilings hold for and those looked at, in the engine's arithmetic: sway[groups], the
 * sum of |weight[k]| times the k-th; stretch[groups], their plain sum. */
void rlm_ceilings_compare(const struct rlm_ceilings *ceilings, const struct rlm_live *live,
                          const float *weight, double *sway, double *stretch);

/* The highest ceiling of a unit. */
float rlm_ceilings_highest(const struct rlm_ceilings *ceilings, size_t unit);

#endif
