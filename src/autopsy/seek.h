/* Counts over D that look only where something may be found, best first. What is asked of a unit is mostly
 * settled by the few samples at which it is highest: whether any opens it, which comes closest, which rate of
 * an update it survives. Where a bound says that a group of samples cannot matter, nothing is computed there;
 * of the others those that promise most are computed first, since what they give may settle the rest.
 *
 * Units of the first layer are bounded by the sketch (sieve.h), those of the second by intervals of what
 * feeds them (intervals.h); in deeper layers, and where there are no bounds, everything is computed. */
#ifndef RLM_AUTOPSY_SEEK_H
#define RLM_AUTOPSY_SEEK_H

#include "autopsy/bounds.h"
#include "autopsy/sieve.h"
#include "autopsy/strata.h"

struct rlm_seek {
    struct rlm_strata *strata;
    struct rlm_sieve sieve;
    size_t capacity;
    float *score;                   /* [capacity][groups]: what a group promises a variant, or a pair */
    float *enough;                  /* [capacity]: a group that promises less is not looked at */
    float *largest;                 /* [capacity]: the largest |parameter| of a variant, for rates */
    struct rlm_bounded bounded;     /* [capacity] */
    uint8_t *open, *done;           /* [groups] */
    uint32_t *chosen;               /* [groups] */
    struct rlm_interval_work *work; /* [threads] */
    struct rlm_arena arena;
};

/* For up to `capacity` variants. The strata must outlive it, and not move. NO_MEMORY. */
relume_status rlm_seek_init(struct rlm_seek *seek, struct rlm_strata *strata, size_t capacity,
                            relume_error *error);
/* A zeroed struct is fine. */
void rlm_seek_deinit(struct rlm_seek *seek);

/* Takes the first `count` variants of units of a layer as they are now, for the counts to come. */
void rlm_seek_take(struct rlm_seek *seek, size_t layer, const struct rlm_variants *variants, size_t count);

enum rlm_seek_end { RLM_SEEK_ALL, RLM_SEEK_FIRST };
/* rlm_variants_count_span of those taken, at one side, but p may be −infinity where it lies below floor[·],
 * or below 0 and below another of the span, and below it by more than five times what rlm_inputs_rounding
 * allows; floor NULL: 0 for all. RLM_SEEK_FIRST: and anywhere once a variant is seen to fire. The inputs are
 * there wherever p is. Spans begin at 0 and follow each other. */
void rlm_seek_high(struct rlm_seek *seek, size_t layer, enum rlm_side side, struct rlm_variants *variants,
                   size_t count, struct rlm_span span, const float *floor, enum rlm_seek_end end);

/* Which samples to count next, in search of one that opens a unit, when those up to span.last have been. */
struct rlm_span rlm_seek_next(const struct rlm_seek *seek, size_t layer, struct rlm_span span);

/* Whether some sample opens variant 0, as it is now. */
bool rlm_seek_life(struct rlm_seek *seek, size_t layer, enum rlm_side side, struct rlm_variants *variants);

/* What rlm_lethal_search has to know of all samples after the update, of variants that were taken: the first
 * 2 · pairs of them are each a unit before the update and what a rate of 1 adds to it. Both may be −infinity
 * where it says so. */
void rlm_seek_rates(struct rlm_seek *seek, size_t layer, struct rlm_variants *variants, size_t pairs);

/* Fills variants->p, about, by what fed the layer some updates ago: for guesses. False: there is nothing to
 * go by. */
bool rlm_seek_guess(struct rlm_seek *seek, size_t layer, struct rlm_variants *variants, size_t count);

#endif
