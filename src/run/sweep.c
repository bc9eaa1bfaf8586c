/* One training of a sweep, in memory: network, trainer, census and ledger as in a run, without its
 * directory. The reading of several rows, the cliff, is in cliff.c. See relume/sweep.h. */
#include "relume/sweep.h"

#include <math.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "run/counting.h"
#include "run/run.h"

struct sweep {
    relume_engine *engine;
    const relume_dataset *dataset;
    const relume_run_options *options;
    relume_network *network;
    relume_trainer *trainer;
    relume_census *census;
    struct rlm_ledger ledger;
};

static void sweep_deinit(struct sweep *sweep)
{
    rlm_ledger_deinit(&sweep->ledger);
    relume_census_destroy(sweep->census);
    relume_trainer_destroy(sweep->trainer);
    relume_network_destroy(sweep->network);
}

static relume_loss loss_of(const struct sweep *sweep)
{
    if (sweep->options->loss >= 0)
        return (relume_loss)sweep->options->loss;
    return relume_dataset_get_task(sweep->dataset) == RELUME_REGRESSION ? RELUME_LOSS_MSE
                                                                        : RELUME_LOSS_SOFTMAX;
}

static relume_status sweep_init(struct sweep *sweep, relume_error *error)
{
    const relume_run_options *options = sweep->options;
    RLM_TRY(rlm_network_for(sweep->engine, options, sweep->dataset, loss_of(sweep), &sweep->network, error));
    RLM_TRY(relume_trainer_create(sweep->network, sweep->dataset, &options->trainer, &sweep->trainer, error));
    relume_census_options census;
    relume_census_options_default(&census);
    census.nearly_dead = options->nearly_dead;
    RLM_TRY(rlm_census_create_beside(sweep->network, sweep->dataset, RELUME_SPLIT_TRAIN, &census,
                                     rlm_trainer_lend(sweep->trainer), &sweep->census, error));
    RLM_TRY(rlm_ledger_init(&sweep->ledger, sweep->network, rlm_is_gradient_only(&options->trainer), error));
    struct rlm_observer observer = rlm_ledger_observer(&sweep->ledger);
    rlm_trainer_observe(sweep->trainer, &observer);
    return RELUME_OK;
}

/* Steps and censuses to the end. */
static relume_status sweep_advance(struct sweep *sweep, relume_error *error)
{
    const volatile int *stop = sweep->options->stop;
    for (;;) {
        relume_progress progress = relume_trainer_get_progress(sweep->trainer);
        if (rlm_interval_is_due(&sweep->options->census, &progress, progress.step)) {
            RLM_TRY(rlm_count_between(sweep->census, sweep->trainer, stop, error));
            rlm_ledger_enter(&sweep->ledger, sweep->census, progress.step);
        }
        if (progress.step == progress.steps)
            return RELUME_OK;
        RLM_TRY(relume_trainer_step(sweep->trainer, error));
        if (stop && *stop != 0)
            return rlm_error_set(error, RELUME_INTERRUPTED, "stopped by signal %d", *stop);
    }
}

static relume_status row_new(relume_engine *engine, const relume_run_options *options, size_t layers,
                             relume_sweep_row *row, relume_error *error)
{
    relume_score none = {(double)NAN, (double)NAN};
    *row = (relume_sweep_row){.init = options->init,
                              .optimizer = options->trainer.optimizer,
                              .learning_rate = options->trainer.learning_rate,
                              .train = none,
                              .test = none,
                              .layers = layers};
    row->layer = rlm_alloc_zero(&engine->allocator, layers, sizeof *row->layer);
    return row->layer || layers == 0
               ? RELUME_OK
               : rlm_error_memory(error, layers * sizeof *row->layer, "a row of the sweep");
}

/* The ledger's counts, and who is dead by the last census. */
static void take_ledger(const struct sweep *sweep, relume_sweep_row *row)
{
    for (size_t l = 0; l < row->layers; l++) {
        const struct rlm_ledger_layer *from = &sweep->ledger.layer[l];
        relume_run_layer *to = &row->layer[l];
        *to = (relume_run_layer){
            .born_dead = from->born_dead, .deaths = from->deaths, .revivals = from->revivals};
        for (size_t u = 0; u < from->units; u++)
            to->dead_at_end += from->dead[u];
        row->units += from->units;
        row->total.born_dead += to->born_dead;
        row->total.deaths += to->deaths;
        row->total.revivals += to->revivals;
        row->total.dead_at_end += to->dead_at_end;
    }
}

/* The scores at the end: the last census has the training split's. */
static relume_status take_scores(const struct sweep *sweep, relume_sweep_row *row, relume_error *error)
{
    row->train =
        (relume_score){relume_census_get_loss(sweep->census), relume_census_get_accuracy(sweep->census)};
    if (relume_dataset_get_samples(sweep->dataset, RELUME_SPLIT_TEST) == 0)
        return RELUME_OK;
    return relume_network_evaluate(sweep->network, sweep->dataset, RELUME_SPLIT_TEST, &row->test, error);
}

static relume_status sweep_run(struct sweep *sweep, relume_sweep_row *row, relume_error *error)
{
    relume_status status = sweep_advance(sweep, error);
    if (status == RELUME_OK)
        status = take_scores(sweep, row, error);
    if (status == RELUME_DIVERGED) {
        relume_score none = {(double)NAN, (double)NAN};
        row->train = row->test = none;
        row->diverged = 1;
        rlm_error_clear(error);
        status = RELUME_OK;
    }
    relume_progress progress = relume_trainer_get_progress(sweep->trainer);
    row->epochs = progress.epoch;
    row->steps = progress.step;
    take_ledger(sweep, row);
    return status;
}

relume_status relume_sweep_train(relume_engine *engine, const relume_dataset *dataset,
                                 const relume_run_options *options, relume_sweep_row *row,
                                 relume_error *error)
{
    double begun = rlm_clock_now();
    rlm_error_clear(error);
    struct sweep sweep = {.engine = engine, .dataset = dataset, .options = options};
    relume_sweep_row made;
    RLM_TRY(row_new(engine, options, options->hidden_layers, &made, error));
    relume_status status = sweep_init(&sweep, error);
    if (status == RELUME_OK)
        status = sweep_run(&sweep, &made, error);
    sweep_deinit(&sweep);
    made.seconds = rlm_clock_now() - begun;
    if (status == RELUME_OK)
        *row = made;
    else
        relume_sweep_row_deinit(&made);
    return status;
}

relume_status relume_sweep_read(const relume_run *run, int diverged, relume_sweep_row *row,
                                relume_error *error)
{
    const relume_run_result *result = relume_run_get_result(run);
    const relume_network *network = relume_run_get_network(run);
    rlm_error_clear(error);
    RLM_TRY(row_new(run->engine, &run->options, relume_network_get_layers(network) - 1, row, error));
    row->epochs = result->epochs;
    row->steps = result->steps;
    row->diverged = diverged;
    if (!diverged) {
        row->train = result->train;
        row->test = result->test;
    }
    row->total = result->total;
    row->seconds = result->seconds;
    for (size_t l = 0; l < row->layers; l++) {
        row->layer[l] = relume_run_get_layer(run, l);
        row->units += relume_network_get_layer(network, l).out_features;
    }
    return RELUME_OK;
}

void relume_sweep_row_deinit(relume_sweep_row *row)
{
    rlm_free(row->layer);
    *row = (relume_sweep_row){0};
}
