/* Counts of first-layer units over D by which the sketch goes first. A question about a unit mostly asks for
 * the few samples at which it is highest: whether any opens it, or which comes closest. Where the sketch's
 * bound says that a whole group of samples stays below what matters, nothing is computed; elsewhere the
 * engine's own arithmetic is. A unit that dies, or just died, fires on few samples or none, so little is
 * left.
 *
 * Where there is no sketch, everything is computed. */
#ifndef RLM_AUTOPSY_SIEVE_H
#define RLM_AUTOPSY_SIEVE_H

#include "autopsy/ceiling.h"

/* Scratch memory of one thread. */
struct rlm_sieve_work {
    float *row;     /* [capacity, stride]: the rows that are left for a group, side by side */
    float *bias;    /* [capacity] */
    float *p;       /* sample panels [RLM_GROUP, capacity] */
    uint32_t *open; /* [capacity]: which they are */
};

struct rlm_sieve {
    const struct rlm_ceilings *ceilings; /* whose sketch it is, and its data */
    size_t capacity;
    int8_t *rounded;               /* [capacity][4 · quads] */
    struct rlm_sketched *sketched; /* [capacity] */
    struct rlm_sieve_work *work;   /* [threads] */
    struct rlm_arena arena;
};

/* For up to `capacity` variants of first-layer units. The ceilings must outlive the sieve. NO_MEMORY. */
relume_status rlm_sieve_init(struct rlm_sieve *sieve, const struct rlm_ceilings *ceilings, size_t capacity,
                             relume_error *error);
/* A zeroed struct is fine. */
void rlm_sieve_deinit(struct rlm_sieve *sieve);

/* Takes the first `count` variants as they are now. */
void rlm_sieve_take(struct rlm_sieve *sieve, const struct rlm_variants *variants, size_t count);

/* rlm_variants_count_span of those taken, but p may be −infinity where it is below floor[variant], and below
 * it by more than five times what rlm_inputs_rounding allows; floor NULL: 0 for all. Variants are passed over
 * `together` at a time, a power of 2 up to RLM_DOTS_ROWS: neighbours, all of them or none. Of inputs other
 * than the ceilings' everything is computed. */
void rlm_sieve_count(const struct rlm_sieve *sieve, struct rlm_variants *variants, size_t count,
                     const struct rlm_inputs *inputs, struct rlm_span span, const float *floor,
                     size_t together);

#endif
