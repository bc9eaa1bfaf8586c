/* A run: training with a memory. A directory holds the final model, checkpoints and the history of every
 * unit.
 *
 *     RUN/model.safetensors            the final model
 *     RUN/checkpoints/step-N.safetensors   the state after N updates, optimizer state beside the weights
 *     RUN/history.sqlite               settings, machine, metrics by epoch, counts by epoch and unit, births
 * and deaths
 *
 * docs/run-directory.md documents each table and tensor. */
#ifndef RELUME_RUN_H
#define RELUME_RUN_H

#include "relume/census.h"
#include "relume/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* When something is done: at the end of each epoch, only at the end of the run, every `steps` updates as
 * well as at the end, or, a census alone, never. */
typedef struct relume_interval {
    enum { RELUME_EVERY_EPOCH, RELUME_FINAL, RELUME_EVERY_STEPS, RELUME_OFF } kind;
    uint64_t steps;
} relume_interval;

/* What a run tells while it goes on. */
typedef struct relume_run_news {
    relume_progress progress;
    int epoch_end;                   /* not 0: an epoch has just ended, and the fields below are of its end */
    double test_loss, test_accuracy; /* NaN without a test split */
    size_t dead; /* hidden units dead by the last census; silent for an epoch where none was held */
    size_t hidden_units;
    uint64_t deaths, revivals; /* so far */
    const relume_event *event; /* [event_count]: what a census held after this step has found; valid during
                                  the call */
    size_t event_count;
    int counted; /* not 0: a census was held after this step; `dead` is its count */
} relume_run_news;

typedef struct relume_run_options {
    const char *path; /* the directory */
    const char *data; /* the dataset's name or path, remembered to find it again */
    relume_dataset_options data_options;
    size_t hidden_layers;
    const size_t *hidden;  /* [hidden_layers] */
    relume_init init;      /* = HE_NORMAL */
    const char *init_from; /* = NULL: else a model, or a run with one, whose weights training starts from */
    int loss;              /* = -1: by the data; else a relume_loss */
    relume_trainer_options trainer;
    relume_interval census;     /* = every epoch; OFF: none is held, and relume_run_count makes up for it */
    relume_interval checkpoint; /* = every epoch */
    uint64_t
        early_stop; /* = 0: off; else stop after this many epochs without a better test (or training) loss */
    double nearly_dead; /* = 0.01 */
    int resume;         /* = 0 */
    int ledger_off;     /* = 0; 1: no silence counters and no census while training (for benchmarks) */
    void (*news)(void *user,
                 const relume_run_news *news); /* = NULL: called after every step, from the caller's thread */
    void *user;
    const volatile int
        *stop; /* = NULL: polled after each step; a signal's number there stops the run, saved */
} relume_run_options;
RELUME_API void relume_run_options_default(relume_run_options *options);

typedef struct relume_run_layer {
    uint64_t born_dead, deaths, revivals, dead_at_end;
} relume_run_layer;

/* What a finished, or stopped, run has come to. */
typedef struct relume_run_result {
    int finished;           /* not 0: trained to the end (or stopped early by early_stop) */
    int was_finished;       /* not 0: --resume found it finished and did nothing */
    int diverged;           /* not 0: ended by a number that was not finite */
    int stopped_by;         /* the signal's number, 0 for none */
    uint64_t epochs, steps; /* done */
    uint64_t best_epoch;    /* with early_stop: the epoch whose weights were kept; 0: none */
    double seconds;         /* of this call, everything counted */
    double step_seconds, load_seconds, evaluate_seconds, census_seconds, save_seconds; /* of this call */
    double samples_per_second; /* training steps alone */
    relume_score train, test;  /* at the final weights; NaN where there is none */
    relume_run_layer total;
} relume_run_result;

typedef struct relume_run relume_run;

/* Trains as the options say and keeps the run open for questions. EXISTS for a directory with a run, or with
 * anything else in it, when `resume` is 0; LOCKED; MISMATCH for resume with other settings or changed data
 * (the setting is named); INTERRUPTED after a stop with the state saved (the run is returned as well),
 * DIVERGED (likewise, the state before the update that diverged kept), and all that loading and training
 * give. */
RELUME_API relume_status relume_run_train(relume_engine *engine, const relume_run_options *options,
                                          relume_run **run, relume_error *error) RELUME_MUST_CHECK;

/* Opens a run for questions only: nothing is written, and a process that trains it is not disturbed. The
 * network is the final model, or that of the newest checkpoint while there is none; the census is what the
 * history holds of the last one at these weights. NOT_FOUND when `path` holds no run, BAD_FORMAT, IO,
 * NO_MEMORY. */
RELUME_API relume_status relume_run_open(relume_engine *engine, const char *path, relume_run **run,
                                         relume_error *error) RELUME_MUST_CHECK;
RELUME_API void relume_run_destroy(relume_run *run);

/* Whether units were counted in this run: where none were, as with a census that is OFF, its layers, their
 * total, the dead shares and the events say nothing (0), and no unit is known to be dead or alive. */
RELUME_API int relume_run_is_counted(const relume_run *run);

/* Counts what such a run has left uncounted: its first weights, and those it has come to. From then on it
 * answers as one does that was trained with FINAL, to the same bytes; all in memory, nothing is written to
 * its directory. A run that is counted stays as it is. The data are loaded where they are not. `stop` (may be
 * NULL) is looked at between batches: INTERRUPTED. MISMATCH when the data changed, NOT_FOUND when a
 * checkpoint is gone, DIVERGED, IO, NO_MEMORY. */
RELUME_API relume_status relume_run_count(relume_run *run, const volatile int *stop,
                                          relume_error *error) RELUME_MUST_CHECK;

/* Whether `path` is a directory that holds a run. */
RELUME_API int relume_run_exists(const char *path);

/* The model at `path`: a model file, or a run directory's model as relume_run_open chooses it. */
RELUME_API relume_status relume_run_load_network(relume_engine *engine, const char *path,
                                                 relume_network **network,
                                                 relume_error *error) RELUME_MUST_CHECK;

/* Loads the data the run remembers, unless it has them already. MISMATCH when they changed since. */
RELUME_API relume_status relume_run_load_dataset(relume_run *run, relume_error *error) RELUME_MUST_CHECK;

RELUME_API const relume_run_result *relume_run_get_result(const relume_run *run);
RELUME_API const relume_network *relume_run_get_network(const relume_run *run);
RELUME_API const relume_dataset *
relume_run_get_dataset(const relume_run *run); /* NULL while none is loaded */
RELUME_API const relume_census *
relume_run_get_census(const relume_run *run); /* the final one; NULL if none was held */
/* The same where there is one; after a training that was stopped or diverged, the last one held on the way,
 * which is of earlier weights; NULL if none was held. */
RELUME_API const relume_census *relume_run_get_last_census(const relume_run *run);
RELUME_API relume_run_layer relume_run_get_layer(const relume_run *run, size_t layer);
/* Dead share by epoch of a hidden layer: `count` values into `share` (NULL to ask for the count). Epoch 0 is
 * the start. */
RELUME_API size_t relume_run_get_dead_share(const relume_run *run, size_t layer, double *share, size_t count);
/* Every birth, death and revival, by step, layer and unit: `count` of them. Valid as long as the run. */
RELUME_API const relume_event *relume_run_get_events(const relume_run *run, size_t *count);
/* The options the run was made with, as its history remembers them. Texts are valid as long as the run. */
RELUME_API const relume_run_options *relume_run_get_options(const relume_run *run);
/* One remembered setting as text, such as "learning_rate"; NULL when there is none of that name. Keys are
 * those of the table `setting` in docs/run-directory.md. */
RELUME_API const char *relume_run_get_setting(const relume_run *run, const char *key);

#ifdef __cplusplus
}
#endif
#endif
