/* The inside of an autopsy: what planning (autopsy.c), dividing the work (docket.c), holding one inquest
 * (inquest.c), repeating (replay.c) and following units through every update (episodes.c) share. */
#ifndef RLM_RUN_AUTOPSY_H
#define RLM_RUN_AUTOPSY_H

#include <pthread.h>
#include <stdatomic.h>

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

#define RLM_SIZES_EVERY 16 /* updates between those whose sizes are kept */

/* Update sizes of a layer's units at some of the steps repeated. */
struct rlm_sizes {
    float *ratio;
    size_t count, capacity;
};

/* A part of the run that can be repeated without the others: from a checkpoint to the last death that may lie
 * behind it. No two have an update in common, so that what is repeated in all does not depend on how many are
 * repeated at once. */
struct rlm_stretch {
    uint64_t begin, end;       /* updates done at the checkpoint, and at the end at most */
    bool births;               /* it has the initial weights to look at */
    size_t ends_from, ends_to; /* and those of the end, for the deaths of these layers; none: not at all */
    size_t first, last;        /* of the targets: those sought in it */
    struct rlm_sizes *sizes;   /* [layers] */
    uint64_t repeated;
    double cost; /* what it takes, reckoned beforehand, in updates */
};

/* What is to be found out, and by how many at once. The targets of a stretch, and the stretch, belong to the
 * inquest that has taken it; all else stays as it is while inquests are held. */
struct rlm_docket {
    relume_run *run;
    struct rlm_history *history; /* of the run, open */
    const relume_autopsy_options *options;
    struct rlm_target *target; /* [targets]: units born dead, then the others by `after` */
    size_t targets, births;
    size_t layers; /* hidden layers that matter */
    uint64_t as_of;
    uint64_t *checkpoint; /* [checkpoints]: those there are, ascending */
    size_t checkpoints;
    bool *counted; /* [checkpoints]: a census was held at these weights */
    struct rlm_ground ground;
    struct rlm_stretch *stretch; /* [stretches], by `begin` */
    size_t stretches;
    struct rlm_stretch **order; /* [stretches]: as they are to be taken */

    atomic_size_t taken;  /* of `order` */
    pthread_mutex_t lock; /* of the run's paths, and of what follows */
    relume_status status; /* of the first inquest that failed */
    relume_error error;
    atomic_bool halted;    /* one has: the others need not go on */
    atomic_size_t working; /* inquests under way */
    atomic_uint_least64_t done;
    uint64_t total; /* updates: for progress */
};

/* Divides the work and does it, a stretch at a time or several side by side, each in a thread of its own. */
relume_status rlm_docket_clear(struct rlm_docket *docket, relume_error *error);
/* dead[units of the first layer] = 1 where a census found a unit dead at the very weights of the checkpoint
 * after `step` updates, else 0. */
void rlm_docket_list_dead(const struct rlm_docket *docket, uint64_t step, uint8_t *dead);
/* A zeroed struct is fine; the targets are the caller's. */
void rlm_docket_deinit(struct rlm_docket *docket);

/* The last checkpoint up to `step`. */
relume_status rlm_docket_checkpoint(const struct rlm_docket *docket, uint64_t step, uint64_t *found,
                                    relume_error *error);

/* Who repeats stretches, one after the other, with an engine of its own. */
struct rlm_inquest {
    struct rlm_docket *docket;
    struct rlm_stretch *stretch; /* the one under way */
    struct rlm_target *target;   /* [targets]: those looked at now */
    size_t targets, layers;
    relume_network *network, *before;
    relume_trainer *trainer;
    struct rlm_moment moment;
    struct rlm_strata strata;
    struct rlm_causes causes;
    struct rlm_pass pass;   /* for hints */
    uint8_t *spared;        /* [units of the first layer]: 1: left out of it */
    double *ratio;          /* [widest layer] */
    uint8_t *dead;          /* [widest layer] */
    relume_death **list;    /* [targets of the docket] */
    uint32_t *sample;       /* [RLM_TRIED] */
    struct rlm_batch batch; /* of the update under way */
    bool placed;            /* trainer and network stand at a step of the run */
    bool tells;             /* it works in the caller's thread, and may tell of progress */
};

/* For the stretches of a docket, by the threads of `engine`. `inquest` does not move after that. NO_MEMORY,
 * and what loading a network gives. */
relume_status rlm_inquest_init(struct rlm_inquest *inquest, struct rlm_docket *docket, relume_engine *engine,
                               relume_error *error);
/* A zeroed struct is fine. */
void rlm_inquest_deinit(struct rlm_inquest *inquest);

/* Finds out what the stretch has to tell. */
relume_status rlm_inquest_examine(struct rlm_inquest *inquest, struct rlm_stretch *stretch,
                                  relume_error *error);

/* Puts network and trainer where the run was after `step` updates: from where they are, or from the nearest
 * checkpoint. */
relume_status rlm_inquest_go(struct rlm_inquest *inquest, uint64_t step, relume_error *error);
/* One update, counted and told. INTERRUPTED. */
relume_status rlm_inquest_step(struct rlm_inquest *inquest, relume_error *error);

/* The trainer's observer: the gates of a batch are hints. */
void rlm_inquest_observe(void *user, const struct rlm_step_view *view);

/* Finds every death of the targets, with its cause; those that were not the end get their prognosis. */
relume_status rlm_inquest_replay(struct rlm_inquest *inquest, relume_error *error);

/* Follows the units of the deaths from the first update to the last, and gives each its episodes; by
 * rlm_alloc, owned by the deaths. */
relume_status rlm_inquest_follow(struct rlm_inquest *inquest, relume_error *error);

/* Which of the samples of hint[0 … count − 1] opens its unit at the network's weights. */
relume_status rlm_inquest_try(struct rlm_inquest *inquest, struct rlm_hint *hint, size_t count,
                              relume_error *error);

#endif
