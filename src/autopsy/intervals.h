/* Intervals: what the second hidden layer is fed, to within a little, over all of D. For each group of
 * samples the units of the first layer that may fire there, and for each of these and each sample an interval
 * that its output lies in. They come from the sketch (network/sketch.h) in a fraction of the time of the
 * outputs themselves, or from outputs that have been computed.
 *
 * A unit of the second layer mostly asks for the few samples at which it is highest. Its pre-activation at a
 * sample is no higher than with each input at the end of its interval that suits it best; where that is low
 * enough, the inputs need not be computed. */
#ifndef RLM_AUTOPSY_INTERVALS_H
#define RLM_AUTOPSY_INTERVALS_H

#include "autopsy/ceiling.h"
#include "kernels/enclose.h"

struct rlm_intervals {
    struct rlm_ceilings *ceilings;
    size_t most;     /* units: of the whole layer */
    size_t *first;   /* [groups]: where what is listed of a group begins in the next three */
    uint32_t *count; /* [groups]: and how many units it is */
    uint32_t *list;  /* the places in the map of units that may fire, ascending */
    float *slack;    /* an interval's half is error · Σu + slack */
    float *middle;   /* [·][RLM_GROUP] */
    float *error;    /* [most]: of a unit */
    rlm_enclose_kernel *enclose;
    struct rlm_arena arena;
};

/* Room for the units of these ceilings, which must outlive them; none where there is no sketch. NO_MEMORY. */
relume_status rlm_intervals_init(struct rlm_intervals *intervals, struct rlm_ceilings *ceilings,
                                 relume_error *error);
/* A zeroed struct is fine. */
void rlm_intervals_deinit(struct rlm_intervals *intervals);

/* The intervals of these units for the samples of a span, by the sketch, at parameters that the ceilings are
 * settled for; they are brought down where they can be. opened: as in rlm_ceilings_forward, 1 where a unit
 * may fire. */
void rlm_intervals_make(struct rlm_intervals *intervals, const struct rlm_live *live, struct rlm_span span,
                        uint8_t *opened);

/* Which units are listed. */
struct rlm_openings rlm_intervals_openings(const struct rlm_intervals *intervals);

/* What is known of the inputs, when a unit of the second layer asks. */
struct rlm_enclosure {
    const struct rlm_intervals *intervals;
    const struct rlm_inputs *outputs; /* they have been computed; NULL: intervals by the sketch */
    bool apart; /* either is of the parameters that the ceilings hold for, the question of those they have
                   looked at: intervals are widened by what lies between the two */
    struct rlm_live live;
};

/* Scratch memory for the question below, of one thread. */
struct rlm_interval_work {
    struct rlm_enclosed *input; /* [units]: those that may be above 0 */
    float *above;               /* sample panels [RLM_GROUP, variants]: the answer */
    float *size;                /* the same: Σ|w|x at most */
};
/* For up to `variants` of them. */
void rlm_interval_work_layout(struct rlm_arena *arena, struct rlm_interval_work *work, size_t units,
                              size_t variants);

/* Weights of units that are asked about, as a bound may take them: a weight between −2⁻⁹⁰ and 2⁻⁹⁰ as the end
 * of that range, or the 0 in it, that is above it. What a rate adds to a unit is often so small that products
 * of it would be denormal numbers, which take a CPU a hundred times as long. */
struct rlm_bounded {
    float *weight; /* [·][stride] */
    size_t stride;
    float *bias; /* [·] */
};
/* Takes the first `count` variants into rows that have room for them. */
void rlm_bounded_take(struct rlm_bounded *bounded, const struct rlm_variants *variants, size_t count);

/* How high the first `count` rows, units of the second layer, are at most at each sample of a group, in the
 * engine's arithmetic and five times its rounding more: work->above. A rounding is γ(n + 1) · (Σ|w||x| +
 * |b|), no more than what inputs.h gives. Lanes beyond the last sample mean nothing. */
void rlm_enclosure_bound(const struct rlm_enclosure *enclosure, size_t group,
                         const struct rlm_bounded *bounded, size_t count,
                         const struct rlm_interval_work *work);

#endif
