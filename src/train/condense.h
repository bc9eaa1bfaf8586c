/* The second layer without the inputs that are dead for good.
 *
 * A unit of the first layer that is proved dead (rest.h) and asleep (sleep.h) hands on 0 for every sample, so
 * the gradient of each weight that it feeds is +0. Once these are at rest as well (kernels/rest.h), no update
 * moves them any more, and only their states go on to decay, which can be made up for at any time. Where that
 * holds of half the inputs or more, weights and states of the others are kept side by side, and an update
 * works on these alone: where four fifths of a first layer have died, on a fifth of the memory. The weights
 * are handed to the network after each update. So no byte of training depends on this. */
#ifndef RLM_TRAIN_CONDENSE_H
#define RLM_TRAIN_CONDENSE_H

#include "train/rest.h"
#include "train/sleep.h"

struct rlm_condensed {
    size_t units, features;  /* of the second layer; 0 units: it never is */
    size_t count, stride;    /* the inputs that are left; 0: it is not condensed */
    uint32_t *live;          /* [features/2]: they, ascending */
    float *weight, *s1, *s2; /* [units, stride]: theirs; s2 NULL where the optimizer has none */
    /* private */
    uint64_t
        *since; /* [units]: the updates that the other inputs' states have seen, in the trainer's slots */
    uint8_t *resting; /* [features]: 1: left out, or about to be */
    size_t seen;      /* units of the first layer that were asleep at the last look */
    uint32_t *late;   /* [units], as in sleep.h */
    uint64_t *missed; /* [units] */
    struct rlm_arena arena;
};

/* For the second layer of a network; `slots`: tensors of state that a weight has, at least 1. Memory that is
 * not used is not touched; without memory it never is condensed. */
void rlm_condensed_init(struct rlm_condensed *condensed, const relume_network *network, size_t slots);
/* A zeroed struct is fine. */
void rlm_condensed_deinit(struct rlm_condensed *condensed);

/* Somebody else has set parameters or states: all inputs are worked with again, nothing is made up for. */
void rlm_condensed_forget(struct rlm_condensed *condensed);

/* What looking takes. The place is that of the second layer, as the slots hold it. */
struct rlm_condense_view {
    struct rlm_sleep_place place;
    const struct rlm_rest *rest;
    const struct rlm_sleep *first; /* of the first layer */
    struct rlm_sleep *second;
    struct rlm_rest_bound bound;
};

/* Whether enough units of the first layer sleep, and it is time to look. */
bool rlm_condensed_is_due(const struct rlm_condensed *condensed, const struct rlm_sleep *first,
                          uint64_t step);
/* Looks which inputs can be left out, and leaves them out where it pays. */
void rlm_condensed_look(struct rlm_condensed *condensed, const struct rlm_condense_view *view);

/* Where the states of a layer that is condensed are worked on. */
struct rlm_sleep_place rlm_condensed_place(const struct rlm_condensed *condensed,
                                           const struct rlm_sleep_place *place);

/* Brings the states of the units with wanted[unit] != 0 (NULL: of all) in the slots to where they are by now,
 * after rlm_sleep_settle has done so here. */
void rlm_condensed_settle(struct rlm_condensed *condensed, const struct rlm_sleep_place *place,
                          const uint8_t *wanted);

/* Hands the weights of places begin … end − 1 in `units` (NULL: of these units) to the layer. */
void rlm_condensed_hand_over(const struct rlm_condensed *condensed, const struct rlm_layer *layer,
                             const uint32_t *units, size_t begin, size_t end);

#endif
