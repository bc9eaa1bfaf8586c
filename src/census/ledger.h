/* The ledger of a training run: who is silent since when, and every birth, death and revival.
 *
 * Between censuses it watches the gate bits of each step; at a census it compares each unit's state with the
 * one before and writes events. What the gates prove narrows the bracket of an event: a unit that opens for a
 * sample of step t is alive on the training split after t − 1 updates. docs/census.md derives what is exact.
 * It reads; it changes nothing of training. */
#ifndef RLM_CENSUS_LEDGER_H
#define RLM_CENSUS_LEDGER_H

#include "base/arena.h"
#include "census/census.h"
#include "train/observer.h"

struct rlm_ledger_layer {
    size_t units;
    uint64_t *last_step;  /* [units]: the last update in whose batch the unit fired; 0: none yet */
    uint64_t *first_step; /* [units]: the first such update since the last census; 0: none */
    uint64_t
        *last_sample; /* [units]: number, from 1, of the last sample trained on that fired it; 0: none yet */
    uint8_t *dead;    /* [units]: 1: dead by the last census */
    uint64_t born_dead, deaths, revivals;
};

struct rlm_ledger {
    size_t layers; /* hidden layers */
    struct rlm_ledger_layer *layer;
    uint64_t samples;     /* trained on so far */
    uint64_t census_step; /* updates before the last census */
    bool counted;         /* a census has been entered */
    bool
        gradient_only; /* nothing but the gradient moves a parameter: SGD without momentum and weight decay */
    relume_event *event; /* [event_capacity]: of the census entered last */
    size_t event_count;
    size_t event_capacity; /* two a unit: it may have returned and died again */
    struct rlm_arena arena;
};

/* Allocates a ledger of the network's hidden layers. NO_MEMORY. */
relume_status rlm_ledger_init(struct rlm_ledger *ledger, const relume_network *network, bool gradient_only,
                              relume_error *error);
/* A zeroed ledger is fine. */
void rlm_ledger_deinit(struct rlm_ledger *ledger);

/* The observer that feeds this ledger; it holds a pointer to it. */
struct rlm_observer rlm_ledger_observer(struct rlm_ledger *ledger);

/* Enters a census held after `step` updates: its events are then event[0 … event_count − 1], by layer and
 * unit. The first one entered tells who was born dead. */
void rlm_ledger_enter(struct rlm_ledger *ledger, const relume_census *census, uint64_t step);

/* Samples trained on since the unit last fired; all of them when it never has. */
uint64_t rlm_ledger_silent(const struct rlm_ledger *ledger, size_t layer, size_t unit);
/* Units of a layer that were silent for the last `samples` samples. */
size_t rlm_ledger_count_silent(const struct rlm_ledger *ledger, size_t layer, uint64_t samples);

#endif
