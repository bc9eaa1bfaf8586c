/* The inside of a trainer: what create allocates and a step uses. Seen by trainer.c and step.c only. */
#ifndef RLM_TRAIN_STATE_H
#define RLM_TRAIN_STATE_H

#include "network/loss.h"
#include "train/backward.h"
#include "train/proof.h"
#include "train/rest.h"
#include "train/trainer.h"

/* A gradient to be clipped: kept as a whole before anything moves. */
struct rlm_gradient {
    float *weight, *bias; /* in the layout of the layer's */
};

struct relume_trainer {
    relume_network *network;
    const relume_dataset *dataset;
    relume_trainer_options options; /* points: into the arena */
    struct rlm_rows rows;           /* of the training split */
    size_t batch_size;              /* not above the samples there are */
    uint64_t steps_per_epoch, steps;

    uint32_t *order;      /* [samples]: rows in the order of epoch order_epoch; NULL without shuffling */
    uint64_t order_epoch; /* from 0; UINT64_MAX: none yet */

    struct rlm_pass pass;
    bool lent; /* since the last step: others have written to the buffers */
    struct rlm_loss_pass loss;
    struct rlm_backward backward;
    struct rlm_rest rest;    /* no units with options.dense */
    struct rlm_proof proof;  /* of the same units, where their death can be proved ahead of time */
    struct rlm_sleep *sleep; /* [layers]: no units with options.dense, or where nobody could ever sleep */
    struct rlm_condensed condensed; /* no units, likewise, or where there is no second hidden layer */
    size_t slot_count;
    struct rlm_slot *slots;         /* [layers][slot_count] */
    struct rlm_gradient *gradients; /* [layers] with clip_norm, else NULL */
    double *squares;                /* [widest layer] with clip_norm */

    struct rlm_observer observer;
    struct rlm_layer_step *views; /* [hidden layers] */

    uint64_t step;    /* updates done */
    bool updates_set; /* backward's updates are those of updates_rate */
    double updates_rate;
    struct rlm_loss_sum epoch_sum;
    double step_seconds;
    unsigned untimed, timed_every; /* steps since the clock was looked at; how many that may be */
    uint64_t samples;
    struct rlm_arena arena; /* order, slots, gradients, squares, views, points */
};

#endif
