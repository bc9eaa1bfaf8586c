/* What every hidden layer is fed, over the whole training split, at the weights before an update and after
 * it. Computed on demand, layer by layer and as far as asked for, in the engine's own rounding.
 *
 * Outputs of the first hidden layer that are 0 for every sample are left out where that is proved. A unit
 * whose highest ceiling over D was once found to be M is dead as long as M and what its parameters have moved
 * since cannot add up to more than 0. A zero term changes no sum, so nothing that is computed from what is
 * left differs. In a network that has lost most of its first layer this saves most of the work. */
#ifndef RLM_AUTOPSY_STRATA_H
#define RLM_AUTOPSY_STRATA_H

#include "autopsy/intervals.h"

enum rlm_side { RLM_BEFORE, RLM_AFTER };

struct rlm_stratum {
    struct rlm_inputs inputs[2]; /* by side; of the first layer only [0], which serves both */
    size_t filled[2];            /* samples computed so far, by side */
    size_t held[2];              /* samples of which there is something, of these or of earlier weights */
    bool measured[2];            /* the norms are those of these inputs */
    uint32_t *live; /* [live_count]: the outputs of the layer below that are features here, ascending */
    size_t live_count, width;
};

struct rlm_strata {
    const relume_network *network[2]; /* by side, of one shape */
    const struct rlm_ground *ground;
    size_t layers;             /* hidden layers that may be asked for */
    struct rlm_stratum *layer; /* [layers] */
    uint64_t step[2];          /* updates behind each side */
    bool chosen;               /* what is left out has been settled for these weights */
    /* of the first layer's units */
    uint8_t *dead;      /* [units]: 1: dead_row has been counted dead */
    float *dead_row;    /* [units, stride + 16]: weights, then the bias */
    float *dead_margin; /* [units]: its highest ceiling then */
    uint8_t *wanted;    /* [units]: 1: live, in the map there is */
    uint8_t *verdict;   /* [units]: 1: not proved dead, for a new map */
    uint8_t *opened[2]; /* [threads][units], by side: 1: seen to fire in the pass under way */
    struct rlm_ceilings ceilings;
    uint64_t settled; /* the updates behind the weights that the ceilings hold for */
    bool looked;      /* and they have looked at those of the other side */
    /* of what feeds the second layer, by side */
    struct rlm_intervals intervals[2];
    size_t enclosed[2]; /* samples that the intervals are of */
    size_t kept[2];     /* the same, of these or of earlier weights */
    uint8_t *there[2];  /* [groups]: 1: the inputs have been computed */
    uint8_t *need;      /* [groups] */
    float *row;         /* the second layer's weights without what is left out, side by side */
    struct rlm_arena arena;
};

/* Room for the inputs of the first `layers` hidden layers, at least one, of a network of this shape. The
 * ground must outlive them; the network's engine does the work. NO_MEMORY. */
relume_status rlm_strata_init(struct rlm_strata *strata, const relume_network *network,
                              const struct rlm_ground *ground, size_t layers, relume_error *error);
/* A zeroed struct is fine. */
void rlm_strata_deinit(struct rlm_strata *strata);

/* From now on of these weights: `before` after step − 1 updates and `after` after `step`. They may be the
 * same network, for a single moment. What is still valid is kept. */
void rlm_strata_move(struct rlm_strata *strata, const relume_network *before, const relume_network *after,
                     uint64_t step);

/* The inputs of hidden layer `layer`, all samples, with norms. Allocates nothing. */
const struct rlm_inputs *rlm_strata_get(struct rlm_strata *strata, size_t layer, enum rlm_side side);
/* The same, of which only the first `samples` are sure to be computed, and no norms. */
const struct rlm_inputs *rlm_strata_peek(struct rlm_strata *strata, size_t layer, enum rlm_side side,
                                         size_t samples);

/* The inputs of a layer after the update, of which nothing but their features need have been settled. */
const struct rlm_inputs *rlm_strata_open(struct rlm_strata *strata, size_t layer);
/* The inputs as they are, nothing computed. */
const struct rlm_inputs *rlm_strata_at(struct rlm_strata *strata, size_t layer, enum rlm_side side);

/* Intervals of what feeds the second layer at one side, for the first `samples` at least. False: there are
 * none that are had for less than the inputs themselves, which have to be asked for. */
bool rlm_strata_enclose(struct rlm_strata *strata, enum rlm_side side, size_t samples,
                        struct rlm_enclosure *enclosure);
/* Computes the inputs of a layer, with norms, for the groups that `open` names, which lie where the second
 * layer's are enclosed; the others mean nothing where they have not been asked for. rlm_strata_get and _peek
 * go on as if nothing had been computed. */
void rlm_strata_expose(struct rlm_strata *strata, size_t layer, enum rlm_side side, const uint8_t *open);

/* The last inputs of a layer that were computed for all samples, or a mixture of such: of weights of some
 * updates ago. Good for guessing which samples open a unit. NULL when there are none; there may be intervals,
 * then, as old. */
const struct rlm_inputs *rlm_strata_recall(const struct rlm_strata *strata, size_t layer);
bool rlm_strata_recall_enclosure(const struct rlm_strata *strata, size_t layer,
                                 struct rlm_enclosure *enclosure);

/* The units of the first layer that are the second one's features. */
struct rlm_live rlm_strata_live(const struct rlm_strata *strata, enum rlm_side side);

/* A unit of the first layer was counted dead at the parameters it has in `network`, no pre-activation being
 * above `margin`. */
void rlm_strata_note_dead(struct rlm_strata *strata, const relume_network *network, size_t unit,
                          float margin);
/* dead[units of the first layer] = 1 where it is proved that a unit is dead at its parameters in `network`,
 * else 0. */
void rlm_strata_list_dead(const struct rlm_strata *strata, const relume_network *network, uint8_t *dead);

/* Takes from a unit's parameters, full[in_features] and its bias, those that belong to the features of the
 * layer's inputs: variant[live_count + 1]. Call rlm_strata_get or _peek of the layer first. */
void rlm_strata_gather(const struct rlm_strata *strata, size_t layer, const float *full, float bias,
                       float *variant);

/* Sets the layout of `variants`, made for inputs at least as wide, to these inputs. */
void rlm_variants_fit(struct rlm_variants *variants, const struct rlm_inputs *inputs);

#endif
