/* Which units of the first hidden layer need not be worked out: proved silent, and at rest.
 *
 * The inputs of the first hidden layer never change. A unit that opened for no sample of a whole epoch, while
 * no bit of its weights and bias changed, opens for no sample of the training split, and will not as long as
 * they stay as they are. Its z is 0 without being computed: the forward pass leaves it out. Its optimizer
 * state and decay still move it; as soon as they change a bit, the proof is gone and the unit is worked out
 * again. So no byte of training depends on this.
 *
 * A census held between two updates proves the same at once. What a step does for a unit without a gradient
 * is a matter of sleep.h.
 *
 * Only the trainer uses this. */
#ifndef RLM_TRAIN_REST_H
#define RLM_TRAIN_REST_H

#include "network/forward.h"

struct rlm_rest {
    size_t units; /* of the first hidden layer; 0: nothing is watched */
    uint64_t
        *stirred;    /* [units]: the last update whose batch opened the unit, or which may have changed it */
    uint8_t *proved; /* [units]: no sample of the training split opens the unit as it is now */
};

/* Takes the arrays of `units` units from the arena; call it a second time for the addresses. */
void rlm_rest_layout(struct rlm_arena *arena, struct rlm_rest *rest, size_t units);

/* After `step` updates somebody else has set the parameters: nothing is known of any unit any more. */
void rlm_rest_forget(struct rlm_rest *rest, struct rlm_pass *pass, uint64_t step);

/* Update `step` is done; `pass` ran its batch. motion[unit] is an enum rlm_motion; NULL: a gradient of 0
 * changes nothing. */
void rlm_rest_note(struct rlm_rest *rest, struct rlm_pass *pass, uint64_t step, const uint8_t *motion);

/* Steps `first` to the last one were a whole epoch. */
void rlm_rest_note_epoch(struct rlm_rest *rest, struct rlm_pass *pass, uint64_t first);

/* Somebody else has written to the buffers of `pass`: what units that are left out hold there is put back. */
void rlm_rest_put_back(const struct rlm_rest *rest, struct rlm_pass *pass);

/* A census found these units dead (dead[unit] != 0) on the training split, as they are now. */
void rlm_rest_note_dead(struct rlm_rest *rest, struct rlm_pass *pass, const uint8_t *dead);

#endif
