/* Units that no update moves any more fall asleep: a step does nothing for them until a sample opens them.
 *
 * Where no sample of a batch opens a unit its gradient is +0, and momentum or Adam alone still move it, along
 * a state that decays. Once the state is so small that this update changes no bit of the unit's parameters
 * and none that follow could (kernels/rest.h), nothing is left to do but to decay the states, and that can be
 * made up for at any time: it follows from the number of steps alone. It is made up for before a step that
 * gives the unit a gradient, and before anybody reads the states. So no byte of training depends on this.
 *
 * Nothing is assumed of later batches: a unit asleep is worked out by every forward pass, as it is. Which
 * units need not even that is a matter of rest.h. */
#ifndef RLM_TRAIN_SLEEP_H
#define RLM_TRAIN_SLEEP_H

#include "network/forward.h"

struct rlm_layer_update;

/* Of one hidden layer. */
struct rlm_sleep {
    size_t units; /* of the layer; 0: nothing is watched, and every unit is awake */
    uint8_t
        *motion; /* [units]: what the last step did, an enum rlm_motion; MOVED where that was not watched */
    uint64_t *slept; /* [units]: the updates its states have seen, for a unit asleep; 0: it is awake */
    size_t sleepers; /* how many are asleep */
    uint64_t *fired; /* [units]: the last update whose batch opened it */
    size_t silent;   /* how many rlm_sleep_is_silent is true of after the last step */
    /* private */
    uint32_t *late; /* [units]: those whose states have to catch up, and [units]: by how many updates */
    uint64_t *missed;
};

/* Takes the arrays of `units` units from the arena; call it a second time for the addresses. */
void rlm_sleep_layout(struct rlm_arena *arena, struct rlm_sleep *sleep, size_t units);

/* Somebody else has set parameters or states: everybody is awake, and nothing is made up for. */
void rlm_sleep_forget(struct rlm_sleep *sleep);

/* Update `step` (from 1) is done; active[unit] counts the samples of its batch that opened the unit. Who has
 * come to rest falls asleep. */
void rlm_sleep_note(struct rlm_sleep *sleep, const uint32_t *active, uint64_t step);

/* Where states are brought up to date. */
struct rlm_sleep_place {
    const relume_network *network;         /* whose threads do it */
    const struct rlm_layer_update *update; /* has the biases' states, and the coefficients of the last step */
    size_t columns, stride;                /* of the weights' states: */
    float *s1, *s2;                        /* [units, stride]; NULL: the optimizer has none such */
    uint64_t step;                         /* updates done so far */
};
/* All states of a layer, as the update holds them. */
struct rlm_sleep_place rlm_sleep_place_of(const relume_network *network, size_t layer,
                                          const struct rlm_layer_update *update, uint64_t step);

/* Units whose states are about to catch up. */
struct rlm_latecomers {
    uint32_t *unit;
    uint64_t *by; /* how many updates each is late */
    size_t count;
    size_t missed; /* updates, of all of them */
};
/* By 0: it is not late. */
void rlm_latecomers_add(struct rlm_latecomers *late, size_t unit, uint64_t by);
void rlm_latecomers_catch_up(const struct rlm_latecomers *late, const struct rlm_sleep_place *place,
                             bool biases);

/* Whether no sample has opened the unit for so many updates that it may be asleep before it fires again. */
bool rlm_sleep_is_silent(const struct rlm_sleep *sleep, size_t unit, uint64_t step);

/* Wakes the listed units (NULL: all of them) after bringing their states to where they are by now. */
void rlm_sleep_wake(struct rlm_sleep *sleep, const struct rlm_sleep_place *place, const uint32_t *units,
                    size_t count);

/* Brings the states of the units with wanted[unit] != 0 (NULL: of all) to where they are by now. They sleep
 * on. */
void rlm_sleep_settle(struct rlm_sleep *sleep, const struct rlm_sleep_place *place, const uint8_t *wanted);

#endif
