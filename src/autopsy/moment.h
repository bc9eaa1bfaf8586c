/* One update of a run that is being repeated: the state before it, kept, the state after it, and its batch
 * taken apart. */
#ifndef RLM_AUTOPSY_MOMENT_H
#define RLM_AUTOPSY_MOMENT_H

#include "autopsy/dissection.h"
#include "autopsy/move.h"
#include "train/trainer.h"

/* Optimizer state of one layer as it was; NULL where the optimizer has none. */
struct rlm_kept_slot {
    float *weight, *bias;
};

struct rlm_moment {
    const relume_trainer_options *options;
    relume_trainer *trainer;
    const relume_network *after;
    relume_network *before;     /* the caller's, of the same shape */
    struct rlm_kept_slot *slot; /* [layers][2] */
    uint8_t **wanted;           /* [layers][units]: 1: the optimizer's state of this unit is kept */
    uint8_t *dead;              /* [units of the first layer]: scratch */
    uint64_t step;              /* the update, from 1; 0: none kept */
    double rate;
    struct rlm_batch batch;
    struct rlm_dissection dissection;
    bool dissected;
    struct rlm_arena arena;
};

/* `before` and `after` are two networks of one shape; `trainer` moves `after`. All must outlive the moment.
 * NO_MEMORY. */
relume_status rlm_moment_init(struct rlm_moment *moment, const relume_trainer_options *options,
                              relume_trainer *trainer, relume_network *before, const relume_network *after,
                              const relume_dataset *dataset, relume_error *error);
/* A zeroed struct is fine. */
void rlm_moment_deinit(struct rlm_moment *moment);

/* Of which units the optimizer's state is to be kept: of all, until the first call of these. */
void rlm_moment_want_none(struct rlm_moment *moment);
void rlm_moment_want(struct rlm_moment *moment, size_t layer, size_t unit);

/* Keeps the state as it is: the next step of the trainer is then the moment's update. Where anything but
 * steps has changed the state since the last time, call rlm_moment_forget first. */
void rlm_moment_keep(struct rlm_moment *moment);
void rlm_moment_forget(struct rlm_moment *moment);

/* Takes the batch apart, unless that has been done. DIVERGED. */
relume_status rlm_moment_dissect(struct rlm_moment *moment, relume_error *error);

/* One unit's part in the update: [in_features + 1] each, the bias last. */
struct rlm_unit_rows {
    float *before, *after, *gradient, *s1, *s2;
};
/* Fills rows that have room; `gradient` only after rlm_moment_dissect, and s1, s2 where the optimizer has
 * them. The unit is one of those wanted. */
void rlm_moment_get(const struct rlm_moment *moment, size_t layer, size_t unit,
                    const struct rlm_unit_rows *rows);
/* How many optimizer tensors a parameter has. */
size_t rlm_moment_slots(const struct rlm_moment *moment);

/* ‖Δ‖/‖w‖ of every unit of a layer in this update. */
void rlm_moment_ratios(const struct rlm_moment *moment, size_t layer, double *ratio);

#endif
