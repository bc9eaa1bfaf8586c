/* Sweeps: the same training at one learning rate after another, and where the deaths begin.
 *
 * A row is one training. It is held in memory and leaves nothing behind, or it is the outcome of a run
 * directory; both count alike. Divergence is a row, not a failure. */
#ifndef RELUME_SWEEP_H
#define RELUME_SWEEP_H

#include "relume/run.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct relume_sweep_row {
    relume_init init;
    relume_optimizer optimizer;
    double learning_rate;
    uint64_t epochs, steps;   /* done */
    int diverged;             /* not 0: after `steps` updates a number was no longer finite */
    relume_score train, test; /* at the end; NaN where there is none, and after divergence */
    size_t units;             /* hidden units */
    relume_run_layer total;   /* by the ledger; after divergence as of the last census */
    size_t layers;            /* hidden layers */
    relume_run_layer *layer;  /* [layers] */
    double seconds;
} relume_sweep_row;

/* Trains as `options` say, without a directory: `path`, `data`, `data_options`, `checkpoint`, `resume`,
 * `init_from` and `early_stop` are not looked at, `news` is not called. The censuses are those of a run with
 * the same options, and so are the counts. INTERRUPTED when `stop` is set, and what creating and training
 * give, but not DIVERGED. Free the row with relume_sweep_row_deinit. */
RELUME_API relume_status relume_sweep_train(relume_engine *engine, const relume_dataset *dataset,
                                            const relume_run_options *options, relume_sweep_row *row,
                                            relume_error *error) RELUME_MUST_CHECK;

/* The row of a run that has finished, or diverged. NO_MEMORY. */
RELUME_API relume_status relume_sweep_read(const relume_run *run, int diverged, relume_sweep_row *row,
                                           relume_error *error) RELUME_MUST_CHECK;
RELUME_API void relume_sweep_row_deinit(relume_sweep_row *row);

/* Accuracy on the test split, or on the training split where there is none; NaN after divergence and without
 * classes. */
RELUME_API double relume_sweep_row_accuracy(const relume_sweep_row *row);

/* Where things happen along ascending rates: places among the rows, SIZE_MAX for nowhere. */
typedef struct relume_sweep_cliff {
    size_t safe;   /* the largest rate up to which no unit was killed and nothing diverged */
    size_t deaths; /* the first with a death */
    size_t dead;   /* the first at which more than a tenth of the units are dead at the end, those born dead
                      left out */
    size_t best;   /* the highest accuracy; without classes the lowest loss */
    size_t fall;   /* the first beyond it that is worse by more than ten points of accuracy (without classes:
                      has more than twice the loss), or diverged */
    size_t diverged; /* the first that diverged */
} relume_sweep_cliff;
RELUME_API relume_sweep_cliff relume_sweep_find_cliff(const relume_sweep_row *rows, size_t count);

#ifdef __cplusplus
}
#endif
#endif
