/* Proves units of the first hidden layer dead ahead of time, where the features are bytes.
 *
 * By itself a trainer knows a unit for dead after a whole epoch in which it neither fired nor moved (rest.h),
 * up to two epochs after it died, and goes on working it out until then. A bound on what it makes of all
 * training samples (network/sketch.h) takes a fraction of the time of a forward pass and settles nearly every
 * dead unit at once: 99 in 100 on Fashion-MNIST. So whenever enough units have come to rest in silence, and
 * enough of the epoch is left for it to pay, they are bounded. Units above the bound are left to the epoch's
 * end.
 *
 * For speed alone: no byte of training depends on it. */
#ifndef RLM_TRAIN_PROOF_H
#define RLM_TRAIN_PROOF_H

#include "data/dataset.h"
#include "network/sketch.h"
#include "train/rest.h"
#include "train/sleep.h"

struct rlm_proof {
    size_t units; /* of the first hidden layer; 0: nothing is ever proved */
    /* private */
    struct rlm_sketch sketch;
    const uint8_t *x; /* [samples, features] */
    size_t samples;
    float reach, shift; /* max 1/|d|, Σ |o/d|: Σ|x| ≤ reach · Σu + shift */
    uint64_t *failed;   /* [units]: 1 + rest->stirred when a bound could not tell; 0: there was none such */
    uint8_t *dead;      /* [units] */
    uint32_t *asked;    /* [units] */
    int8_t *rounded;    /* [units asked together, 4 · quads] */
    int8_t *ones;       /* [4 · quads] */
    struct rlm_sketched *unit;
    uint8_t *panel; /* [threads, 2, quads, 16, 4] */
};

/* Takes the arrays from the arena, where there is anything to prove by; call it a second time for the
 * addresses. */
void rlm_proof_layout(struct rlm_arena *arena, struct rlm_proof *proof, const relume_network *network,
                      const relume_dataset *dataset);

/* Whether it may pay to look after `step` updates, when `left` of an epoch's `epoch` steps could gain by it.
 */
bool rlm_proof_is_due(const struct rlm_proof *proof, uint64_t step, uint64_t left, uint64_t epoch);

/* Between two steps: bounds units at rest, if there are enough of them. `rest` and `sleep` are of the first
 * layer after `step` updates. Returns how many are newly known to be dead. */
size_t rlm_proof_look(struct rlm_proof *proof, struct rlm_pass *pass, struct rlm_rest *rest,
                      const struct rlm_sleep *sleep, uint64_t step);

#endif
