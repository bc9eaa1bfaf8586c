/* Causes: the change of a unit that died, at the sample that came closest to keeping it alive, split into its
 * parts; which parts were necessary, by leaving each out and counting again over the whole of D; which
 * learning rates of this one update kill; and which samples of the batch pushed. docs/autopsy.md derives it.
 */
#ifndef RLM_AUTOPSY_CAUSE_H
#define RLM_AUTOPSY_CAUSE_H

#include "autopsy/bounds.h"
#include "autopsy/moment.h"
#include "autopsy/seek.h"
#include "relume/autopsy.h"

#define RLM_CAUSE_UNITS 16   /* looked at in one count */
#define RLM_CAUSE_COUNTED 96 /* variants that `now` has room for */
#define RLM_CAUSE_TRIALS 4   /* of one unit: each part of its own update left out, and a sample */

/* Scratch memory for layers up to a width, over all samples. */
struct rlm_causes {
    struct rlm_variants now, then; /* counts over the inputs after the update, and before it */
    struct rlm_seek seek;          /* for counts of them */
    struct rlm_bench bench;
    size_t stride;       /* floats of one vector below */
    float *whole;        /* [5][stride]: one unit's rows, all features */
    float *part;         /* [RLM_CAUSE_UNITS][5][stride]: without the features left out */
    float *variant;      /* [stride] */
    double *push;        /* [batch] */
    double *norm;        /* [batch], and as much again to sort in */
    double *coefficient; /* [stride] */
    uint8_t *open;       /* [groups] */
    size_t centred;      /* 1 + the layer whose mean input is in coefficient; 0: none */
    double gamma;        /* and its γ */
    struct rlm_arena arena;
};
/* For deaths in the layers of these strata, which must outlive it, and not move. NO_MEMORY. */
relume_status rlm_causes_init(struct rlm_causes *causes, struct rlm_strata *strata, size_t batch,
                              relume_error *error);
/* A zeroed struct is fine. */
void rlm_causes_deinit(struct rlm_causes *causes);

/* Fills the deaths of one layer that one update brought: from fired_before to largest_safe_rate in
 * relume_death, all but the percentiles. Their layer, unit, step, and what is known from after the update
 * (samples, margin_after, sample, after) are given. The moment is dissected, and the strata stand at it.
 * BAD_FORMAT when the update cannot be repeated. */
relume_status rlm_causes_find(struct rlm_causes *causes, const struct rlm_moment *moment,
                              struct rlm_strata *strata, relume_death *const *deaths, size_t count,
                              relume_error *error);

/* The same for a unit born dead: the strata stand at the initial weights on both sides. */
void rlm_causes_birth(struct rlm_causes *causes, struct rlm_strata *strata, relume_death *death);

#endif
