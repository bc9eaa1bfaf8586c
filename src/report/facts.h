/* The facts of a run, gathered once: what the three printers say. They read this and nothing else.
 *
 * Everything is of the same moment: `step` updates, the weights of the run's model. Memory is the bag's. */
#ifndef RLM_REPORT_FACTS_H
#define RLM_REPORT_FACTS_H

#include <stdbool.h>

#include "relume/autopsy.h"
#include "relume/report.h"
#include "relume/sweep.h"
#include "report/bag.h"
#include "report/pack.h"

/* Columns of one value an epoch, epoch 0 being the start; NaN where there is none. */
struct rlm_facts_epochs {
    size_t count;
    uint64_t *epoch, *step;
    double *learning_rate, *train_loss, *train_accuracy, *test_loss, *test_accuracy;
    uint64_t *dead; /* hidden units, by the last census up to the epoch's end */
};

struct rlm_facts_layer {
    char *name, *foreign_name;
    size_t units, in_features;
    relume_layer_account account; /* its texts and units are copied too */
    relume_unit_account *unit;
    relume_run_layer ledger;
    uint64_t *dead_by_epoch; /* [epochs.count] */
    double *ratio_by_epoch; /* [epochs.count]: log10 of ‖Δw‖ / ‖w‖ by the epoch's last update; else NaN */
    struct rlm_packed active, margin, mean_activation;
};

/* Counts of every unit at some of the censuses held. */
struct rlm_facts_map {
    bool exact;                /* active counts; else firing rates in a byte, see rlm_rate_code */
    size_t count, held;        /* censuses in it; censuses held */
    uint64_t *step, *epoch;    /* [count] */
    double *accuracy;          /* [count]: of the training split; NaN where there are no classes */
    struct rlm_packed *layer;  /* [layers]: [count, units] */
    struct rlm_packed *margin; /* [layers]: [count, units]; without type where left out */
};

/* Events by stretches of `width` steps, all of them counted. */
struct rlm_facts_steps {
    uint64_t width;
    size_t count;
    uint64_t *step, *deaths, *revivals; /* [count]; first step of each stretch */
};

struct rlm_facts_events {
    size_t count, kept;
    size_t exact; /* whose step is the very update; of the others it is the census that found them */
    struct rlm_packed layer, unit, kind, after_step, step;
};

/* Histograms have 64 bins of equal width, a unit each; bin i holds the samples with (i − 32) w < p ≤ (i − 31)
 * w, so that what lies above the gate's 0 begins with bin 32. */
#define RLM_BINS 64

/* Pre-activations over the training split of the units that fit. */
struct rlm_facts_units {
    size_t of, count; /* hidden units; units here. 0: none */
    size_t each;      /* samples named for each */
    struct rlm_packed layer, unit, width, histogram, bias, weight_norm, sample, p;
    size_t weight_rows, weight_columns; /* of the first layer's units among them */
    struct rlm_packed weight_scale, weight;
};

struct rlm_facts_samples {
    size_t count;
    struct rlm_packed index, label, image;
};

/* Deaths of one layer that were of the same making. */
struct rlm_facts_way {
    size_t layer;
    relume_event_kind kind;
    unsigned causes; /* of relume_cause */
    int overdetermined;
    uint64_t deaths, first_step, last_step;
    uint64_t never, returns, open; /* by their prognosis */
};

/* The autopsy of the units that are dead. */
struct rlm_facts_autopsy {
    bool held;
    char *left_out; /* why there is none, although units are dead; NULL otherwise */
    uint64_t steps_repeated;
    size_t deaths;       /* found */
    relume_death *death; /* [deaths], by step; their episodes are left out */
    size_t kept;         /* deaths that have room in a report, those of the units gathered one by one first */
    size_t *keep;        /* [kept]: places in `death` */
    size_t ways;
    struct rlm_facts_way *way;  /* the most frequent first */
    uint64_t starved, outliers; /* deaths over many steps; by a single sample unlike the others */
    double spared_at; /* half of the killed would have lived through their last update at this learning rate;
                         NaN: no rate would have spared so many, or none was killed */
};

/* Runs of the same folder whose settings differ in the learning rate alone, this one among them. */
struct rlm_facts_sweep {
    size_t rows;           /* 0: no other is there */
    relume_sweep_row *row; /* [rows], by rate; without layers and seconds */
    char **run;            /* [rows]: their folders' names */
    size_t own;            /* which is this run */
    relume_sweep_cliff cliff;
    char *says; /* where the cliff is */
};

/* What relume forecast has left with the run. */
struct rlm_facts_forecast_layer {
    double expected, measured, standard_error; /* born-dead shares: the closed form's, and over the seeds */
    char *owed_to;
};
struct rlm_facts_forecast {
    uint64_t seeds; /* networks drawn; 0: there is no forecast */
    size_t layers;
    struct rlm_facts_forecast_layer *layer;
    uint64_t steps;      /* updates in which a rate must kill nobody; 0: none was looked for */
    double safe, lethal; /* NaN: none */
    bool diverged;       /* at `lethal` nobody was killed, but training diverged */
};

struct rlm_facts_text {
    char *key, *value;
};

/* What the head of a report says: see verdict.c. */
#define RLM_POINTS 8
struct rlm_facts_point {
    const char *about; /* "accuracy", "since", "cause", "return", "harm", "advice", "gain" */
    char *text;
};
struct rlm_facts_verdict {
    const char *tone; /* "well", "harmless", "harm", "diverged" */
    char *headline;
    size_t points;
    struct rlm_facts_point point[RLM_POINTS];
};

struct rlm_facts {
    struct rlm_bag bag;
    char *run;
    const char *state;    /* "finished", "unfinished", "diverged" */
    char *trouble;        /* with "diverged": the words of the error */
    bool live;            /* from the history alone, at the last census it holds */
    uint64_t first_step;  /* of a continuation: what happened before it is left out of map, events, epochs */
    uint64_t step, epoch; /* complete to here */
    uint64_t model_step;  /* updates behind the model */
    uint64_t best_epoch;  /* with early stopping: the epoch whose weights were kept; 0: none */

    char *dataset;
    char *dataset_trouble; /* why a pass over the data was not possible; NULL: it was */
    uint64_t samples;
    size_t features, image_rows, image_columns;
    size_t classes;
    char **class_name; /* [classes] */

    size_t parameters, parameters_without_dead;
    size_t settings;
    struct rlm_facts_text *setting;
    relume_score train, test; /* at the model's weights */
    bool regression;          /* there are no classes: accuracy means nothing */
    relume_optimizer optimizer;
    bool first_layer_frozen; /* plain SGD without decay: first-layer deaths last */

    size_t layers; /* hidden layers */
    struct rlm_facts_layer *layer;
    size_t out_features;
    bool ratios;       /* some are recorded */
    double *out_ratio; /* [epochs.count]: as ratio_by_epoch, of the last layer */
    relume_run_layer total;
    size_t hidden_units, dead;

    struct rlm_facts_epochs epochs;
    struct rlm_facts_map map;
    struct rlm_facts_steps steps;
    struct rlm_facts_events events;
    const relume_event *event; /* [events.count], by step; in the bag */
    struct rlm_facts_units units;
    struct rlm_facts_samples sample;
    struct rlm_facts_autopsy autopsy;
    struct rlm_facts_sweep sweep;
    struct rlm_facts_forecast forecast;
    struct rlm_facts_verdict verdict;
};

/* What is wanted of a run: see relume_report_create, and relume_report_create_live for `live` and
 * `first_step`. */
struct rlm_wish {
    const relume_report_options *options; /* NULL with `live` */
    bool live;
    uint64_t first_step; /* 0: all */
};

/* Gathers the facts of the run at `path`. On failure `facts` is empty. */
relume_status rlm_facts_gather(relume_engine *engine, const char *path, const struct rlm_wish *wish,
                               struct rlm_facts *facts, relume_error *error);
void rlm_facts_deinit(struct rlm_facts *facts);

/* How many characters an array may take in a report, so that all of it stays below 5 MB: shares of what 16
 * bytes of final account a unit leave over. */
struct rlm_facts_room {
    size_t map, margins, events, units, images, autopsy;
};
struct rlm_facts_room rlm_facts_room(size_t hidden_units);

/* A firing rate as a byte: 0 dead and 255 always on, exactly; else 1 + round(253 · active / samples), within
 * 1 … 254. */
uint8_t rlm_rate_code(uint64_t active, uint64_t samples);

#endif
