/* Boundaries: what is done between two updates. In this order, so that a crash at any moment can be mended by
 * doing the boundary again:
 *
 *     count and evaluate     in memory; divergence shows here, before anything is written
 *     checkpoint             the state before this boundary entered anything: a file replaced in one step
 *     history                epoch, census and events: one transaction
 *
 * Resuming takes the newest whole checkpoint N, forgets what the history holds at or after N, and begins with
 * boundary N. */
#include <errno.h>
#include <math.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "network/loss.h"
#include "run/counting.h"
#include "run/run.h"

bool rlm_interval_is_due(const relume_interval *interval, const relume_progress *progress, uint64_t step)
{
    if (step == 0 || step == progress->steps)
        return true;
    if (interval->kind == RELUME_EVERY_STEPS)
        return step % interval->steps == 0;
    return interval->kind == RELUME_EVERY_EPOCH && step % progress->steps_per_epoch == 0;
}

/* Early stopping may end the run, or go back to the weights, at any epoch's end. */
static bool is_due_or_watched(const relume_run *run, const relume_interval *interval, uint64_t step)
{
    relume_progress progress = relume_trainer_get_progress(run->trainer);
    return rlm_interval_is_due(interval, &progress, step) ||
           (run->options.early_stop > 0 && step % progress.steps_per_epoch == 0);
}

bool rlm_boundary_saves(const relume_run *run, uint64_t step)
{
    return is_due_or_watched(run, &run->options.checkpoint, step);
}

/* ---- checkpoints ---- */

/* Checkpoints of moments at which none is due are of interruptions; they are over. */
static relume_status remove_strays(relume_run *run, uint64_t kept, relume_error *error)
{
    uint64_t *steps;
    size_t count;
    RLM_TRY(rlm_checkpoint_list(&run->paths, &run->engine->allocator, &steps, &count, error));
    relume_status status = RELUME_OK;
    for (size_t i = 0; status == RELUME_OK && i < count; i++) {
        if (steps[i] == kept || rlm_boundary_saves(run, steps[i]))
            continue;
        const char *path = rlm_paths_checkpoint(&run->paths, steps[i]);
        if (unlink(path) != 0 && errno != ENOENT)
            status = rlm_error_system(error, RELUME_IO, errno, "%s: cannot remove", path);
    }
    rlm_free(steps);
    return status;
}

relume_status rlm_run_save_checkpoint(relume_run *run, relume_error *error)
{
    double begin = rlm_clock_now();
    uint64_t step = rlm_trainer_get_state(run->trainer).step;
    struct rlm_checkpoint checkpoint = {run->network, run->trainer,
                                        run->options.ledger_off ? NULL : &run->ledger, &run->stride};
    RLM_TRY(rlm_network_check_finite(run->network, error));
    RLM_TRY(rlm_checkpoint_save(&checkpoint, rlm_paths_checkpoint(&run->paths, step), error));
    RLM_TRY(remove_strays(run, step, error));
    run->epoch_seconds.save += rlm_clock_now() - begin;
    return RELUME_OK;
}

/* ---- counting and evaluating ---- */

static relume_status count(relume_run *run, relume_error *error)
{
    double begin = rlm_clock_now();
    RLM_TRY(rlm_count_between(run->census, run->trainer, run->options.stop, error));
    run->census_counted = run->census_valid = true;
    run->epoch_seconds.census += rlm_clock_now() - begin;
    return RELUME_OK;
}

/* Where steps have small batches the census has buffers of its own, which it fills anew at each count. */
static const struct rlm_pass *lender_of(const relume_run *run)
{
    bool own = run->census && !run->census->pass.lender;
    return own ? &run->census->pass : rlm_trainer_lend(run->trainer);
}

static relume_status evaluate(relume_run *run, relume_split split, relume_score *score, relume_error *error)
{
    double begin = rlm_clock_now();
    RLM_TRY(rlm_network_evaluate_beside(run->network, run->dataset, split, lender_of(run), score, error));
    run->epoch_seconds.evaluate += rlm_clock_now() - begin;
    return RELUME_OK;
}

/* The losses at an epoch's end. Training loss costs nothing where a census is held, and is computed otherwise
 * only where it is needed: at the end, or to watch it. */
static relume_status score(relume_run *run, const relume_progress *progress, bool counted,
                           struct rlm_epoch *row, relume_error *error)
{
    relume_score none = {(double)NAN, (double)NAN};
    row->train = row->test = none;
    bool last = progress->step == progress->steps;
    if (counted)
        row->train = (relume_score){run->census->loss, run->census->accuracy};
    else if (last || run->options.early_stop > 0)
        RLM_TRY(evaluate(run, RELUME_SPLIT_TRAIN, &row->train, error));
    if (run->test_samples > 0)
        RLM_TRY(evaluate(run, RELUME_SPLIT_TEST, &row->test, error));
    return RELUME_OK;
}

/* ---- early stopping ---- */

static void watch(relume_run *run, const struct rlm_epoch *row)
{
    if (run->options.early_stop == 0 || row->epoch == 0)
        return;
    double loss = run->test_samples > 0 ? row->test.loss : row->train.loss;
    if (loss < run->best.loss)
        run->best = (struct rlm_best){row->epoch, row->step, loss};
    run->stop_early = row->epoch - run->best.epoch >= run->options.early_stop;
}

/* ---- news ---- */

static size_t count_silent(const relume_run *run)
{
    size_t silent = 0;
    for (size_t l = 0; l < run->ledger.layers; l++)
        silent += rlm_ledger_count_silent(&run->ledger, l,
                                          relume_dataset_get_samples(run->dataset, RELUME_SPLIT_TRAIN));
    return silent;
}

static void note_census(relume_run *run)
{
    run->news.dead = relume_census_get_dead(run->census);
    run->news.counted = 1;
    run->news.event = run->ledger.event;
    run->news.event_count = run->ledger.event_count;
    run->news.deaths = run->news.revivals = 0;
    for (size_t l = 0; l < run->ledger.layers; l++) {
        run->news.deaths += run->ledger.layer[l].deaths;
        run->news.revivals += run->ledger.layer[l].revivals;
    }
}

/* ---- the boundary ---- */

static void add_seconds(relume_run *run, double step_seconds)
{
    run->epoch_seconds.step = step_seconds - run->seconds.step;
    run->seconds.step = step_seconds;
    run->seconds.evaluate += run->epoch_seconds.evaluate;
    run->seconds.census += run->epoch_seconds.census;
    run->seconds.save += run->epoch_seconds.save;
}

relume_status rlm_run_boundary(relume_run *run, relume_error *error)
{
    relume_progress progress = relume_trainer_get_progress(run->trainer);
    bool epoch_end = progress.step % progress.steps_per_epoch == 0;
    bool counts = !run->options.ledger_off && run->options.census.kind != RELUME_OFF &&
                  is_due_or_watched(run, &run->options.census, progress.step);
    struct rlm_epoch row = {.epoch = progress.epoch,
                            .step = progress.step,
                            .learning_rate = progress.learning_rate,
                            .loss = progress.step > 0 ? progress.loss : (double)NAN,
                            .accuracy = progress.step > 0 ? progress.accuracy : (double)NAN};
    struct rlm_boundary boundary = {.step = progress.step, .epoch = progress.epoch};
    run->news.counted = 0;
    run->news.event = NULL;
    run->news.event_count = 0;
    if (counts)
        RLM_TRY(count(run, error));
    if (epoch_end)
        RLM_TRY(score(run, &progress, counts, &row, error));
    if (rlm_boundary_saves(run, progress.step))
        RLM_TRY(rlm_run_save_checkpoint(run, error));
    if (counts) {
        rlm_ledger_enter(&run->ledger, run->census, progress.step);
        boundary.census = run->census;
        boundary.ledger = &run->ledger;
        note_census(run);
    }
    if (epoch_end) {
        add_seconds(run, progress.step_seconds);
        boundary.ended = &row;
        boundary.seconds = &run->epoch_seconds;
        boundary.stride = &run->stride;
        if (!counts && !run->options.ledger_off)
            run->news.dead = count_silent(run);
        run->news.test_loss = row.test.loss;
        run->news.test_accuracy = row.test.accuracy;
        watch(run, &row);
    }
    double begin = rlm_clock_now();
    if (counts || epoch_end)
        RLM_TRY(rlm_history_add_boundary(&run->history, &boundary, error));
    if (epoch_end)
        run->epoch_seconds = (struct rlm_seconds){0};
    run->epoch_seconds.save += rlm_clock_now() - begin;
    return RELUME_OK;
}
