/* The inside of a run: what training (train.c, boundary.c), opening (open.c) and asking (run.c) share. */
#ifndef RLM_RUN_RUN_H
#define RLM_RUN_RUN_H

#include "census/ledger.h"
#include "relume/run.h"
#include "run/checkpoint.h"
#include "run/folder.h"
#include "run/history.h"
#include "run/settings.h"
#include "train/stride.h"
#include "train/trainer.h"

/* The best epoch so far, by the loss that early stopping watches. */
struct rlm_best {
    uint64_t epoch, step;
    double loss; /* infinite before the first */
};

/* One struct for a run that trains and one that is asked. The fields marked "while training" are empty in one
 * that was opened; result, layers, events and dead come from the history in both (rlm_run_recall). */
struct relume_run {
    relume_engine *engine;
    struct rlm_paths paths;
    struct rlm_settings settings;
    relume_run_options options; /* texts point into settings; path into paths */
    struct rlm_history history; /* open while training, and after relume_run_count; else closed again */
    int lock;                   /* −1: not held */
    relume_dataset *dataset;
    relume_network *network;
    relume_trainer *trainer;  /* while training */
    relume_census *census;    /* of the training split */
    bool census_counted;      /* it has been counted */
    bool census_valid;        /* and that at the weights the run has come to */
    struct rlm_ledger ledger; /* while training */
    struct rlm_stride stride; /* while training, with a ledger */

    uint64_t test_samples;
    struct rlm_best best;
    bool stop_early;                           /* patience is at an end */
    struct rlm_seconds seconds, epoch_seconds; /* of this call; of the epoch under way */
    relume_run_news news; /* what the listener is told after a step, kept up to date between them */

    relume_run_result result;
    relume_run_layer *layer; /* [hidden layers] */
    relume_event *event;
    size_t event_count;
    bool is_counted; /* by some census, up to the weights in hand */
    uint64_t *dead;  /* [epochs recorded + 1][hidden layers]; NULL: not counted */
    uint64_t dead_epochs;
};

/* An empty run at a directory. NO_MEMORY. */
relume_status rlm_run_new(relume_engine *engine, const char *path, relume_run **run, relume_error *error);

/* Claims the directory and makes network, trainer, census and ledger, at the newest whole checkpoint of a run
 * that was begun or at the beginning. *finished: nothing is left to do, and only the network has been loaded.
 * EXISTS, LOCKED, MISMATCH, and what loading and creating give. */
relume_status rlm_run_start(relume_run *run, const relume_run_options *options, bool *finished,
                            relume_error *error);

/* Whether a moment of the interval lies after `step` updates; the start and the end always do. */
bool rlm_interval_is_due(const relume_interval *interval, const relume_progress *progress, uint64_t step);
/* A network for `dataset` as the options want it, at its initial weights. */
relume_status rlm_network_for(relume_engine *engine, const relume_run_options *options,
                              const relume_dataset *dataset, relume_loss loss, relume_network **network,
                              relume_error *error);
/* Whether nothing but the gradient moves a parameter. */
bool rlm_is_gradient_only(const relume_trainer_options *options);

/* What is due after `step` updates, and done there: evaluation, census, checkpoint, history. Everything else
 * in the run depends on `step` and the state alone, so that a boundary can be done again after a crash. */
bool rlm_boundary_saves(const relume_run *run, uint64_t step);
relume_status rlm_run_boundary(relume_run *run, relume_error *error);

/* Writes the checkpoint of the current state, and removes those that an interruption left where none is due.
 */
relume_status rlm_run_save_checkpoint(relume_run *run, relume_error *error);

/* Options that a history holds, and that nobody has asked for just now, are its own fault: of USAGE it makes
 * a BAD_FORMAT that names the history. Any other status stays as it is. */
relume_status rlm_run_blame_history(const relume_run *run, relume_status status, relume_error *error);

/* relume_run_open; with `recorded`, a run that is not finished is opened as of the last census its history
 * holds. The network may then be newer or older than that: its shapes and names are good, its weights are not
 * those counted. `stop` (may be NULL) outlives the run: its history's statements heed it, INTERRUPTED. */
relume_status rlm_run_open(relume_engine *engine, const char *path, bool recorded, const volatile int *stop,
                           relume_run **run, relume_error *error);

/* Fills result, layers, events, dead shares and, where it was not counted here, the census from the history,
 * which is open. Once for a run.
 */
relume_status rlm_run_recall(relume_run *run, relume_error *error);

/* Loads the weights after `step` updates into run->network (which exists), or the state into trainer and
 * ledger too. For replay. `trainer` and `ledger` may be NULL. */
relume_status rlm_run_load_checkpoint(relume_run *run, uint64_t step, relume_network *network,
                                      relume_trainer *trainer, struct rlm_ledger *ledger,
                                      relume_error *error);
/* The largest step up to `step` with a checkpoint on disk. NOT_FOUND. */
relume_status rlm_run_find_checkpoint(relume_run *run, uint64_t step, uint64_t *found, relume_error *error);
/* The same among steps[count], as rlm_checkpoint_list has listed them. */
relume_status rlm_run_pick_checkpoint(const relume_run *run, const uint64_t *steps, size_t count,
                                      uint64_t step, uint64_t *found, relume_error *error);

#endif
