/* A checkpoint: everything that training needs to go on from after N updates as if it had never stopped. A
 * safetensors file with the network as in a model, and beside it h1.weight.velocity …             optimizer
 * state ledger.h1.last_step, first_step, last_sample, dead
 *     __metadata__ relume.step, …      the scalars of trainer and ledger; the last update's ratios
 * docs/run-directory.md tells all of it. The ledger is as before the census of this step, if one is held. */
#ifndef RLM_RUN_CHECKPOINT_H
#define RLM_RUN_CHECKPOINT_H

#include "census/ledger.h"
#include "train/stride.h"
#include "train/trainer.h"

/* What is saved or restored, of one network. */
struct rlm_checkpoint {
    relume_network *network;
    relume_trainer *trainer;   /* NULL when loading: weights only */
    struct rlm_ledger *ledger; /* NULL: none */
    struct rlm_stride *stride; /* NULL: none */
};

/* Replaces `path` in one step. IO, NO_MEMORY. */
relume_status rlm_checkpoint_save(const struct rlm_checkpoint *checkpoint, const char *path,
                                  relume_error *error);

/* Puts back what `path` holds. BAD_FORMAT for a file that is damaged or incomplete, MISMATCH for shapes of
 * another network; what was to be filled may then be filled in part. */
relume_status rlm_checkpoint_load(const struct rlm_checkpoint *checkpoint, const char *path,
                                  relume_error *error);
/* The same from a file that is open; `path` is for messages. */
struct rlm_safetensors;
relume_status rlm_checkpoint_load_from(const struct rlm_checkpoint *checkpoint,
                                       const struct rlm_safetensors *file, const char *path,
                                       relume_error *error);

#endif
