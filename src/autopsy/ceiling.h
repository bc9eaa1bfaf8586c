/* Ceilings: bounds from above on the pre-activations of the first hidden layer's units, for groups of
 * samples, carried along while the weights move. Where a ceiling is not above 0, every sample of the group
 * leaves the unit at 0, and its outputs need no computing. Units fire on few samples in most networks, and
 * from one look at all of D to the next the weights move little, so that this leaves out most of the work of
 * a forward pass over D.
 *
 * A ceiling holds for real numbers. When a group has been computed it is the largest float pre-activation
 * plus its rounding; when the parameters move by Δ it rises by Σ_b ‖Δ_b‖ · S_b + |Δ bias|, over blocks b of
 * 16 features, S_b the largest ‖x_b‖ of the block over the group's samples (Cauchy and Schwarz). A ceiling
 * that was not above 0 and has risen above it is looked at by the sketch (sketch.h) before anything is
 * computed. */
#ifndef RLM_AUTOPSY_CEILING_H
#define RLM_AUTOPSY_CEILING_H

#include <float.h>

#include "autopsy/ground.h"
#include "kernels/enclose.h"

/* Scratch memory of one thread. The rows of one group stay for the next, which needs most of them again. */
struct rlm_ceiling_work {
    float *row;      /* [units, stride]: the rows to be computed, side by side */
    float *bias;     /* [units rounded up to 16] */
    float *z;        /* sample panels [RLM_GROUP, units] */
    float *margin;   /* [units] */
    uint32_t *list;  /* [held]: the places in the map of the rows that are there */
    uint32_t *slot;  /* [units]: where the row of a place in the map is, or RLM_NO_SLOT */
    uint32_t *open;  /* [units]: what is computed, places in the map, ascending */
    uint32_t *spare; /* [units]: slots that may be filled */
    uint32_t *doubt; /* [units]: those whose ceilings are in doubt */
    uint8_t *wanted; /* [units], by place in the map: 1: to be computed */
    float *by;       /* [blocks]: how far a unit has moved in each */
    size_t held;     /* rows that are there */
};
#define RLM_NO_SLOT UINT32_MAX

struct rlm_ceilings {
    const struct rlm_ground *ground;
    const struct rlm_inputs *inputs; /* D, as this thread works with it */
    size_t units, stride, groups, blocks;
    float *row; /* [units, stride + 16]: the parameters that the ceilings hold for, the bias at `stride` */
    float *ceiling; /* [units, groups]; infinite at first */
    uint8_t *firm;  /* [units, groups]: 1: above 0 when it was last computed */
    float *weight;  /* [units]: the largest |parameter| of its row */
    float *weights; /* [units]: the same of its row and the one last settled for or looked at */
    float *rise;    /* [units, groups]: how far pre-activations of the two are apart at most */
    rlm_rise_kernel *rise_kernel;
    float gamma;                   /* of the rounding in inputs.h, for this many features */
    struct rlm_ceiling_work *work; /* [threads] */
    int8_t *rounded; /* [units][4 · quads]: the rows of this and the next, where there is a sketch */
    struct rlm_sketched *sketched; /* [units] */
    struct rlm_arena arena;
};

/* For the units of the network's first layer over a ground and a share in its data, both of which must
 * outlive them. NO_MEMORY. */
relume_status rlm_ceilings_init(struct rlm_ceilings *ceilings, const relume_network *network,
                                const struct rlm_ground *ground, const struct rlm_inputs *inputs,
                                relume_error *error);
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

/* For each group, places in the map of units: all others surely give 0 to each of its samples. */
struct rlm_openings {
    const uint32_t *list;  /* of all groups; ascending in each */
    const size_t *first;   /* [groups]: where a group's begin */
    const uint32_t *count; /* [groups] */
};
/* The same for the groups that `open` [groups] names; the ceilings stay as they are. Which units are computed
 * is told by the openings; without them (NULL) it is by ceilings and by how far the layer's parameters, which
 * have been looked at, are from those that they hold for. */
void rlm_ceilings_forward_some(struct rlm_ceilings *ceilings, const struct rlm_live *live,
                               const uint8_t *open, const struct rlm_openings *openings,
                               struct rlm_inputs *next);

/* Looks at unit[count] of a group by the sketch, at parameters that the ceilings are settled for, and brings
 * the ceilings down where it can. count ≤ RLM_DOTS_ROWS; value and slack: as of rlm_sketch_values. */
void rlm_ceilings_lower(struct rlm_ceilings *ceilings, const uint32_t *unit, size_t count, size_t group,
                        float *value, float *slack);

/* The highest ceiling of a unit. */
float rlm_ceilings_highest(const struct rlm_ceilings *ceilings, size_t unit);

/* ---- of one unit and one group ---- */

/* More than a sum of some hundred floats, none of them negative, can be low by. */
#define RLM_CEILING_UPWARD (1.0f + 0x1p-16f)

/* What a float pre-activation may differ by from the real one: as in inputs.h, for parameters no larger than
 * `weight`. */
static inline float rlm_ceilings_rounding(const struct rlm_ceilings *c, float weight, size_t group)
{
    return (c->gamma * weight * c->ground->heaviest[group] + FLT_MIN) * RLM_CEILING_UPWARD;
}

/* Adding a rise to a ceiling is off by half a unit in the last place of what comes out. */
static inline float rlm_raised(float ceiling, float rise)
{
    float up = ceiling + rise;
    return up + fabsf(up) * 0x1p-22f;
}

/* Whether the unit is 0 for each sample of the group, at the parameters that the ceilings hold for. */
static inline bool rlm_ceilings_is_shut(const struct rlm_ceilings *c, size_t unit, size_t group)
{
    return c->ceiling[unit * c->groups + group] + rlm_ceilings_rounding(c, c->weight[unit], group) <= 0.0f;
}

/* The most that it gives any of them, at those parameters and at those looked at; at most 0 where it is shut.
 */
static inline float rlm_ceilings_top_of_both(const struct rlm_ceilings *c, size_t unit, size_t group)
{
    size_t at = unit * c->groups + group;
    return rlm_raised(c->ceiling[at], c->rise[at]) + rlm_ceilings_rounding(c, c->weights[unit], group);
}

#endif
