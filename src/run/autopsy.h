/* The inside of an autopsy: what planning (autopsy.c), repeating (replay.c) and following units through every
 * update (episodes.c) share. */
#ifndef RLM_RUN_AUTOPSY_H
#define RLM_RUN_AUTOPSY_H

#include "autopsy/prognosis.h"
#include "run/run.h"

/* Samples remembered of a unit: a pass over them costs a thousandth of one over D. */
#define RLM_HINTS 64

/* A death to be found. */
struct rlm_target {
    relume_death death;
    uint64_t after, until; /* alive after `after` updates, dead after `until`, both proved */
    enum { RLM_WAITING, RLM_SOUGHT, RLM_FOUND } state;
    float highest;            /* of the first layer, sought: p at the hints tried last, the largest */
    bool doubtful;            /* sought, and not yet seen to live or to be dead after the update under way */
    uint32_t hint[RLM_HINTS]; /* [hints]: samples that have opened it, first the one by which it was last seen
                                 to live */
    size_t hints, next;       /* next: how many have been put in an older one's place */
};

#define RLM_TRIED 256 /* of them, of any units, tried at once */

/* A sample that may open a unit. */
struct rlm_hint {
    size_t layer, unit, sample;
    bool fires;
};

/* Update sizes of a layer's units at some of the steps repeated. */
struct rlm_sizes {
    float *ratio;
    size_t count, capacity;
};

struct rlm_inquest {
    relume_run *run;
    const relume_autopsy_options *options;
    struct rlm_target *target; /* [targets], by `after` */
    size_t targets, layers;    /* hidden layers that matter */
    relume_network *network, *before;
    relume_trainer *trainer;
    struct rlm_moment moment;
    struct rlm_strata strata;
    struct rlm_causes causes;
    struct rlm_pass pass; /* for hints */
    uint8_t *spared;      /* [units of the first layer]: 1: left out of it */
    struct rlm_history *history, own_history;
    relume_census *census; /* the last one looked up, of census_step */
    uint64_t census_step;
    struct rlm_sizes *sizes; /* [layers] */
    double *ratio;           /* [widest layer] */
    uint8_t *dead;           /* [widest layer] */
    relume_death **list;     /* [targets] */
    uint32_t *sample;        /* [RLM_TRIED] */
    struct rlm_batch batch;  /* of the update under way */
    bool placed;             /* trainer and network stand at a step of the run */
    uint64_t as_of, repeated;
};

/* Puts network and trainer where the run was after `step` updates: from where they are, or from the nearest
 * checkpoint. Calls moved(user) after every update on the way, when there is one. */
relume_status rlm_inquest_go(struct rlm_inquest *inquest, uint64_t step, relume_error *error);
/* One update, counted and told. INTERRUPTED. */
relume_status rlm_inquest_step(struct rlm_inquest *inquest, relume_error *error);

/* The trainer's observer: the gates of a batch are hints. */
void rlm_inquest_observe(void *user, const struct rlm_step_view *view);

/* Finds every death sought, with its cause; those that were not the end get their prognosis. */
relume_status rlm_inquest_replay(struct rlm_inquest *inquest, relume_error *error);

/* Follows the units of the deaths from the first update to the last, and gives each its episodes; by
 * rlm_alloc, owned by the deaths. */
relume_status rlm_inquest_follow(struct rlm_inquest *inquest, relume_error *error);

/* Which of the samples of hint[0 … count − 1] opens its unit at the network's weights. */
relume_status rlm_inquest_try(struct rlm_inquest *inquest, struct rlm_hint *hint, size_t count,
                              relume_error *error);

#endif
