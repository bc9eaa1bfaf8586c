/* RUN/history.sqlite: what is written at the start, at each boundary and at the end of a run, what is taken
 * back when it is resumed, and what is read of it later. One transaction each, so a crash leaves all of a
 * boundary or nothing. */
#ifndef RLM_RUN_HISTORY_H
#define RLM_RUN_HISTORY_H

#include "census/ledger.h"
#include "relume/run.h"
#include "run/settings.h"
#include "run/sql.h"
#include "train/stride.h"

struct rlm_history {
    struct rlm_sql sql;
};

/* Opens the file: to write (it is made, with its tables, where there is none) or to read. BAD_FORMAT for a
 * database that is no run's history or of another version; NOT_FOUND for reading where there is none, or none
 * with settings; and rlm_sql_open's. */
relume_status rlm_history_open(struct rlm_history *history, const char *path, bool write,
                               relume_error *error);
void rlm_history_close(struct rlm_history *history); /* a zeroed one is fine */

/* From now on, and until it is closed, censuses and events that are added here stay in this connection's
 * memory: what reads them through it finds those alone, and the file, which may be open to read only, keeps
 * its own. */
relume_status rlm_history_set_aside(struct rlm_history *history, relume_error *error);

/* What a run is made of: settings, layers, numbers of samples. */
struct rlm_history_start {
    const struct rlm_settings *settings;
    const relume_network *network;
    uint64_t samples, test_samples, steps_per_epoch;
};
relume_status rlm_history_start(struct rlm_history *history, const struct rlm_history_start *start,
                                relume_error *error);

/* A row of `machine`: this engine works from `step` on. */
relume_status rlm_history_add_machine(struct rlm_history *history, const relume_engine *engine, uint64_t step,
                                      relume_error *error);

/* Forgets everything recorded at or after `step` updates, and how the run ended. */
relume_status rlm_history_rewind(struct rlm_history *history, uint64_t step, relume_error *error);

struct rlm_seconds {
    double step, evaluate, census, save;
};

struct rlm_epoch {
    uint64_t epoch, step;
    double learning_rate, loss, accuracy;
    relume_score train, test; /* at the weights of its end; NaN where not computed */
};

/* What is known after `step` updates; parts that were not done are NULL. */
struct rlm_boundary {
    uint64_t step;
    uint64_t epoch; /* epochs finished */
    const struct rlm_epoch *ended;
    const struct rlm_seconds *seconds; /* of this epoch, with `ended` */
    const struct rlm_stride *stride;   /* of the last update, with `ended` */
    const relume_census *census;       /* with `ledger`, into which it has been entered */
    const struct rlm_ledger *ledger;
};
relume_status rlm_history_add_boundary(struct rlm_history *history, const struct rlm_boundary *boundary,
                                       relume_error *error);

/* How a run stands or ended: the row of `run`. */
struct rlm_ending {
    const char *status; /* "running", "finished", "diverged" */
    uint64_t samples, steps_per_epoch;
    uint64_t epochs, steps; /* done */
    uint64_t model_step;    /* updates behind the final model */
    uint64_t best_epoch;
    relume_score train, test;
    const char *message; /* with "diverged": the words of the error */
};
relume_status rlm_history_end(struct rlm_history *history, const struct rlm_ending *ending,
                              relume_error *error);

/* Remembers where the same data lie now; nothing is written where they lie where they did. */
relume_status rlm_history_move_data(struct rlm_history *history, const struct rlm_settings *was,
                                    const struct rlm_settings *now, relume_error *error);

/* Reading. `ending->status` is one of three static texts, message NULL. */
relume_status rlm_history_get_settings(struct rlm_history *history, struct rlm_settings *settings,
                                       relume_error *error);
relume_status rlm_history_get_ending(struct rlm_history *history, struct rlm_ending *ending,
                                     relume_error *error);
/* A row of SELECT RLM_HISTORY_EPOCH_COLUMNS FROM epoch. */
#define RLM_HISTORY_EPOCH_COLUMNS                                                                            \
    "epoch, step, learning_rate, loss, accuracy, train_loss, train_accuracy, test_loss, test_accuracy"
struct rlm_epoch rlm_history_epoch_row(struct sqlite3_stmt *row);
/* NOT_FOUND when the epoch is not there. */
relume_status rlm_history_get_epoch(struct rlm_history *history, uint64_t epoch, struct rlm_epoch *row,
                                    relume_error *error);
/* Epochs recorded, the start (0) not counted. */
relume_status rlm_history_get_epochs(struct rlm_history *history, uint64_t *epochs, relume_error *error);

/* The census held after `step` updates; *census stays NULL when there is none. */
relume_status rlm_history_get_census(struct rlm_history *history, uint64_t step,
                                     const relume_network *network, const relume_census_options *options,
                                     relume_census **census, relume_error *error);
/* The last step up to `step` at which a census was held; UINT64_MAX for none. */
relume_status rlm_history_get_census_step(struct rlm_history *history, uint64_t step, uint64_t *found,
                                          relume_error *error);

/* Every event that censuses up to `step` have proved, by step, layer, unit; allocated by rlm_alloc. */
relume_status rlm_history_get_events(struct rlm_history *history, uint64_t step,
                                     const relume_allocator *allocator, relume_event **events, size_t *count,
                                     relume_error *error);

/* ratio[epoch · layers + layer] for epochs 0 … epochs, of all layers: ‖Δw‖ / ‖w‖ by the epoch's last update;
 * NaN where none is recorded. */
relume_status rlm_history_get_ratios(struct rlm_history *history, uint64_t epochs, size_t layers,
                                     double *ratio, relume_error *error);

/* dead[epoch · layers + layer] for epochs 0 … epochs: dead units by the last census up to the epoch's end. */
relume_status rlm_history_get_dead(struct rlm_history *history, uint64_t epochs, size_t layers,
                                   uint64_t *dead, relume_error *error);

#endif
