/* Coasting: how a unit that gets no gradient moves on, by what its optimizer still carries and by weight
 * decay, its inputs held fixed; and at which steps it is alive. Every weight is computed by the engine's own
 * kernel, so that a predicted step is the step. */
#ifndef RLM_AUTOPSY_COAST_H
#define RLM_AUTOPSY_COAST_H

#include "autopsy/bounds.h"

/* A unit on its way. */
struct rlm_coast {
    const struct rlm_inputs *inputs;
    const relume_trainer_options *options;
    uint64_t step;  /* updates done */
    uint64_t steps; /* of the whole training: beyond them the rate stays that of the last step */
    /* [rlm_variant_stride], aligned to 64 bytes, as after `step`; s1, s2 NULL where the optimizer has none.
     * Moved on by the scan */
    float *variant, *s1, *s2;
};

/* One step on, without gradient. `zeros` is [rlm_variant_stride], aligned. */
void rlm_coast_step(struct rlm_coast *coast, const float *zeros);

/* Whether no parameter of the unit will ever change again, given that the step just done changed none. Sound,
 * not complete: `false` may also mean that it cannot be told. */
bool rlm_coast_settled(const struct rlm_coast *coast);

/* A change of state on the way: alive after `step`, or dead. */
struct rlm_turn {
    uint64_t step;
    bool alive;
};

/* What a scan found. */
struct rlm_course {
    struct rlm_turn *turn; /* [turn_capacity] by the caller: the first ones; */
    size_t turn_capacity;
    size_t turn_count;    /* all there were */
    struct rlm_turn last; /* the last one; step 0: none */
    bool alive;           /* at the end */
    bool settled;         /* nothing will ever change again: the course is known for all time */
    uint64_t step;        /* scanned up to here */
};

/* Moves `coast` on up to step `until` and reports every change from the state `alive` it starts in. Ends
 * early when everything has settled, or, with `first`, after the first change. By count over all samples at
 * every step. Allocates nothing. */
void rlm_coast_scan(struct rlm_coast *coast, bool alive, uint64_t until, bool first, struct rlm_bench *bench,
                    struct rlm_course *course);

#endif
