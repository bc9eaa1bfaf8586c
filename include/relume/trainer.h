/* Trains a network by backpropagation, one step at a time.
 *
 * One step: gather `batch_size` samples, forward, loss, backward, update. Steps count updates from 1. The
 * order of samples, and so every byte of the result, follows from the options, the seed and the data alone.
 */
#ifndef RELUME_TRAINER_H
#define RELUME_TRAINER_H

#include "relume/network.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RELUME_OPTIMIZER_LIST(X)                                                                             \
    X(SGD, "sgd")                                                                                            \
    X(MOMENTUM, "momentum")                                                                                  \
    X(NESTEROV, "nesterov")                                                                                  \
    X(ADAM, "adam")                                                                                          \
    X(ADAMW, "adamw")

/* The updates are those of torch.optim.SGD, Adam and AdamW; docs/numerics.md gives each one's order of
 * rounding. */
typedef enum relume_optimizer {
#define RELUME_OPTIMIZER_ENUM(name, text) RELUME_##name,
    RELUME_OPTIMIZER_LIST(RELUME_OPTIMIZER_ENUM)
#undef RELUME_OPTIMIZER_ENUM
        RELUME_OPTIMIZER_COUNT
} relume_optimizer;

#define RELUME_SCHEDULE_LIST(X)                                                                              \
    X(CONSTANT, "constant")                                                                                  \
    X(STEP, "step")                                                                                          \
    X(COSINE, "cosine")                                                                                      \
    X(POINTS, "points")

/* STEP: divided by 10 after half and again after three quarters of the steps · COSINE: half a cosine from the
 * rate to 0 over all steps · POINTS: the rate of the last point whose step is not after this one, from a
 * list. */
typedef enum relume_schedule {
#define RELUME_SCHEDULE_ENUM(name, text) RELUME_SCHEDULE_##name,
    RELUME_SCHEDULE_LIST(RELUME_SCHEDULE_ENUM)
#undef RELUME_SCHEDULE_ENUM
        RELUME_SCHEDULE_COUNT
} relume_schedule;

RELUME_API const char *relume_optimizer_name(relume_optimizer optimizer);
RELUME_API const char *relume_schedule_name(relume_schedule schedule);

typedef struct relume_schedule_point {
    uint64_t step; /* first update with this rate, from 1 */
    double learning_rate;
} relume_schedule_point;

typedef struct relume_trainer_options {
    uint64_t epochs;                     /* = 10 */
    size_t batch_size;                   /* = 128; a short last batch is trained on too */
    relume_optimizer optimizer;          /* = MOMENTUM */
    double learning_rate;                /* = 0.1 */
    double momentum;                     /* = 0.9 */
    double beta1, beta2, epsilon;        /* = 0.9, 0.999, 1e-8 */
    double weight_decay;                 /* = 0 */
    int decay_bias;                      /* = 0: weights only */
    relume_schedule schedule;            /* = CONSTANT */
    const relume_schedule_point *points; /* with POINTS: ascending; copied */
    size_t point_count;
    uint64_t
        warmup; /* = 0: steps over which the rate rises linearly from 0: step t has lr · t / (warmup + 1) */
    double clip_norm; /* = 0: off; else the gradient is scaled down to this global 2-norm */
    int no_shuffle;   /* = 0 */
    int dense; /* = 0: skip the work of silent units where that pays; 1: skip nothing; −1: skip all there is,
                  paying or not (both for comparison: the bytes are the same) */
    uint64_t seed; /* = 0 */
} relume_trainer_options;

RELUME_API void relume_trainer_options_default(relume_trainer_options *options);

typedef struct relume_trainer relume_trainer;

/* Creates a trainer of `network` on the training split of `dataset`; both must outlive it. Everything a step
 * needs is allocated here. USAGE for options out of range (named), MISMATCH (features, outputs, loss and
 * targets), NO_MEMORY. */
RELUME_API relume_status relume_trainer_create(relume_network *network, const relume_dataset *dataset,
                                               const relume_trainer_options *options,
                                               relume_trainer **trainer,
                                               relume_error *error) RELUME_MUST_CHECK;
RELUME_API void relume_trainer_destroy(relume_trainer *trainer);

/* Does one step. DIVERGED names step, layer and unit when a pre-activation or the loss is not finite: the
 * weights are then those before this step's update. USAGE after the last step. Allocates nothing. */
RELUME_API relume_status relume_trainer_step(relume_trainer *trainer, relume_error *error) RELUME_MUST_CHECK;
/* Does the steps that are left of the current epoch. */
RELUME_API relume_status relume_trainer_epoch(relume_trainer *trainer, relume_error *error) RELUME_MUST_CHECK;

/* Tells the trainer that somebody else has written parameters of its network between two steps. It leaves
 * units out of its work that are proved dead on the training split as long as no update moves them; after
 * this call it works out all of them again. */
RELUME_API void relume_trainer_parameters_changed(relume_trainer *trainer);

/* Where training is. */
typedef struct relume_progress {
    uint64_t step, steps;   /* updates done; updates in all */
    uint64_t epoch, epochs; /* epochs finished; in all */
    uint64_t steps_per_epoch;
    double learning_rate; /* of the last step; of the first before it */
    double loss;     /* mean loss over the epoch's samples so far, each at the weights it was trained with */
    double accuracy; /* likewise; NaN where there are no classes */
    double step_seconds; /* spent in steps since the trainer was created */
    uint64_t samples;    /* trained on since the trainer was created */
} relume_progress;
RELUME_API relume_progress relume_trainer_get_progress(const relume_trainer *trainer);

/* Mean loss and accuracy (NaN without classes) at the current weights over a split. MISMATCH without targets,
 * DIVERGED, NO_MEMORY. */
typedef struct relume_score {
    double loss, accuracy;
} relume_score;
RELUME_API relume_status relume_network_evaluate(const relume_network *network, const relume_dataset *dataset,
                                                 relume_split split, relume_score *score,
                                                 relume_error *error) RELUME_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
