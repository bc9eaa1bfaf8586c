/* What run/ and autopsy/ need of a trainer beyond the public header: observing, saving and restoring its
 * state, and repeating a step. */
#ifndef RLM_TRAIN_TRAINER_H
#define RLM_TRAIN_TRAINER_H

#include "network/forward.h"
#include "relume/trainer.h"
#include "train/observer.h"

struct rlm_stride;

/* Steps from now on measure how far they move the weights, into `stride`; NULL: they do not. Kept by its
 * address. */
void rlm_trainer_measure(relume_trainer *trainer, struct rlm_stride *stride);

/* One observer at a time; NULL takes it off. Copied. */
void rlm_trainer_observe(relume_trainer *trainer, const struct rlm_observer *observer);

/* Optimizer state beside layer `index`'s parameters: 0, 1 or 2 tensors a parameter, in the weight's layout.
 */
struct rlm_slot {
    const char *suffix; /* "velocity", or "m" and "v" */
    float *weight;      /* [out_features, stride of the layer] */
    float *bias;        /* [out_features] */
};
size_t
rlm_trainer_slots(const relume_trainer *trainer); /* 0 SGD, 1 momentum and nesterov, 2 adam and adamw */
/* Until the next step. Call rlm_trainer_settle first. */
struct rlm_slot rlm_trainer_get_slot(const relume_trainer *trainer, size_t layer, size_t slot);

/* Brings up to date the states of silent units, which steps leave as they were for as long as that can be
 * made up for. States of units that fired at the last step are always up to date. The second: of the units of
 * one layer with wanted[unit] != 0. */
void rlm_trainer_settle(relume_trainer *trainer);
void rlm_trainer_settle_units(relume_trainer *trainer, size_t layer, const uint8_t *wanted);

/* The scalars of the state. With the weights and slots they are all that a checkpoint needs to go on bit for
 * bit. */
struct rlm_trainer_state {
    uint64_t step;          /* updates done */
    double epoch_loss;      /* sum of sample losses over the current epoch so far */
    uint64_t epoch_correct; /* samples classified correctly in it */
    uint64_t epoch_samples; /* samples trained on in it */
};
struct rlm_trainer_state rlm_trainer_get_state(const relume_trainer *trainer);
/* The caller has put back weights and slots. USAGE when the step is beyond the last. */
relume_status rlm_trainer_set_state(relume_trainer *trainer, const struct rlm_trainer_state *state,
                                    relume_error *error);

/* Samples trained on since it was created; progress tells the same and more, at the price of a short step. */
uint64_t rlm_trainer_get_samples(const relume_trainer *trainer);

/* Whether a unit of the first hidden layer is known to be, bit for bit, what it was after `step` updates.
 * False where nothing is known, as with options.dense. */
bool rlm_trainer_unit_rested(const relume_trainer *trainer, size_t unit, uint64_t step);

/* The buffers of a step, for a pass between two steps (rlm_pass_init_beside). To be asked for before each
 * such pass, also where it keeps them from before; valid as long as the trainer. */
const struct rlm_pass *rlm_trainer_lend(relume_trainer *trainer);

/* Tells that these units of the first hidden layer (dead[unit] != 0) open for no training sample as they are
 * now: the forward pass leaves them out until something moves them. */
void rlm_trainer_note_dead(relume_trainer *trainer, const uint8_t *dead);
/* Which they are by now, and others of which the trainer has seen as much: 1 for each unit that no training
 * sample opens as it is now. NULL: it does not watch them. */
const uint8_t *rlm_trainer_get_dead(const relume_trainer *trainer);

/* The samples of the next step, of which one must be left. Its index is valid until an epoch later than that
 * step's begins. */
struct rlm_batch rlm_trainer_get_batch(relume_trainer *trainer);

/* The learning rate of update `step` (from 1) under these options, `steps` in all. */
double rlm_schedule_rate(const relume_trainer_options *options, uint64_t step, uint64_t steps);
/* No update has a larger one. */
double rlm_schedule_largest(const relume_trainer_options *options);

#endif
