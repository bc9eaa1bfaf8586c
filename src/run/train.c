/* Training a run: go step by step from boundary to boundary, and finish. How it begins is in start.c, what
 * happens at a boundary in boundary.c. */
#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "run/lock.h"
#include "run/run.h"

void relume_run_options_default(relume_run_options *options)
{
    *options = (relume_run_options){
        .init = RELUME_INIT_HE_NORMAL,
        .loss = -1,
        .census = {.kind = RELUME_EVERY_EPOCH},
        .checkpoint = {.kind = RELUME_EVERY_EPOCH},
        .nearly_dead = 0.01,
    };
    relume_dataset_options_default(&options->data_options);
    relume_trainer_options_default(&options->trainer);
}

/* ---- options ---- */

static relume_status refuse_option(relume_error *error, const char *option, const char *sentence)
{
    rlm_error_at_item(error, option);
    return rlm_error_set(error, RELUME_USAGE, "%s", sentence);
}

static bool is_interval(const relume_interval *interval)
{
    if (interval->kind == RELUME_EVERY_STEPS)
        return interval->steps > 0;
    return interval->kind == RELUME_EVERY_EPOCH || interval->kind == RELUME_FINAL;
}

static relume_status check_options(const relume_run_options *options, relume_error *error)
{
    if (!options->path || !*options->path)
        return refuse_option(error, "path", "a run needs a directory, none was given");
    if (!options->data || !*options->data)
        return refuse_option(error, "data", "a run needs data, none were given");
    if (options->hidden_layers > 0 && !options->hidden)
        return refuse_option(error, "hidden", "hidden layers without widths");
    if (!is_interval(&options->census) && options->census.kind != RELUME_OFF)
        return refuse_option(error, "census", "census every 0 steps, expected at least 1");
    if (options->checkpoint.kind == RELUME_OFF)
        return refuse_option(
            error, "checkpoint",
            "checkpoint off, expected epoch, final or a number of steps: a run keeps that of "
            "its start and that of its end");
    if (!is_interval(&options->checkpoint))
        return refuse_option(error, "checkpoint", "checkpoint every 0 steps, expected at least 1");
    if (options->loss < -1 || options->loss >= RELUME_LOSS_COUNT)
        return refuse_option(error, "loss", "the loss is none of those there are");
    if ((unsigned)options->init >= RELUME_INIT_COUNT)
        return refuse_option(error, "init", "the init is none of those there are");
    if ((unsigned)options->trainer.optimizer >= RELUME_OPTIMIZER_COUNT)
        return refuse_option(error, "optimizer", "the optimizer is none of those there are");
    if ((unsigned)options->trainer.schedule >= RELUME_SCHEDULE_COUNT)
        return refuse_option(error, "schedule", "the schedule is none of those there are");
    return RELUME_OK;
}

/* ---- the end ---- */

/* With early stopping the model is that of the best epoch. */
static relume_status go_back_to_best(relume_run *run, struct rlm_ending *ending, relume_error *error)
{
    struct rlm_epoch row;
    uint64_t epoch = run->best.epoch > 0 ? run->best.epoch : ending->epochs;
    RLM_TRY(rlm_history_get_epoch(&run->history, epoch, &row, error));
    ending->best_epoch = run->best.epoch;
    ending->model_step = row.step;
    ending->train = row.train;
    ending->test = row.test;
    if (row.step == ending->steps)
        return RELUME_OK;
    struct rlm_checkpoint checkpoint = {.network = run->network};
    run->census_valid = false;
    return rlm_checkpoint_load(&checkpoint, rlm_paths_checkpoint(&run->paths, row.step), error);
}

/* The model before the row that calls the run finished: stopped between the two, a run comes to its end once
 * more. */
static relume_status finish(relume_run *run, relume_error *error)
{
    relume_progress progress = relume_trainer_get_progress(run->trainer);
    struct rlm_ending ending = {.status = "finished", .epochs = progress.epoch, .steps = progress.step};
    RLM_TRY(go_back_to_best(run, &ending, error));
    double begin = rlm_clock_now();
    RLM_TRY(relume_network_save(run->network, run->paths.model, error));
    RLM_TRY(rlm_history_end(&run->history, &ending, error));
    run->seconds.save += rlm_clock_now() - begin;
    return RELUME_OK;
}

/* Divergence: the state before it is kept where it can be, the history says what happened. Its own failures
 * are told only where there is nothing worse to tell. A step that fails has moved no weight yet, so the state
 * in hand is the one before it; at a boundary it is the one that diverged, and the newest checkpoint stays.
 */
static relume_status record_divergence(relume_run *run, bool in_step, relume_error *error)
{
    relume_progress progress = relume_trainer_get_progress(run->trainer);
    struct rlm_ending ending = {.status = "diverged",
                                .epochs = progress.epoch,
                                .steps = progress.step,
                                .model_step = progress.step,
                                .train = {(double)NAN, (double)NAN},
                                .test = {(double)NAN, (double)NAN},
                                .message = error->message};
    if (in_step && rlm_network_check_finite(run->network, NULL) == RELUME_OK)
        (void)!rlm_run_save_checkpoint(run, NULL);
    (void)!rlm_history_end(&run->history, &ending, NULL);
    return RELUME_DIVERGED;
}

/* ---- from step to step ---- */

static void tell(relume_run *run)
{
    if (!run->options.news)
        return;
    run->news.progress = relume_trainer_get_progress(run->trainer);
    run->news.epoch_end = run->news.progress.step % run->news.progress.steps_per_epoch == 0;
    run->options.news(run->options.user, &run->news);
}

static bool is_stopped(const relume_run *run)
{
    return run->options.stop && *run->options.stop != 0;
}

static relume_status interrupt(relume_run *run, relume_error *error)
{
    uint64_t step = rlm_trainer_get_state(run->trainer).step;
    run->result.stopped_by = *run->options.stop;
    RLM_TRY(rlm_run_save_checkpoint(run, error));
    rlm_error_clear(error);
    return rlm_error_set(error, RELUME_INTERRUPTED,
                         "%s: stopped by signal %d after step %llu, saved; resume to continue",
                         run->paths.folder, run->result.stopped_by, (unsigned long long)step);
}

/* One update; the last of an epoch is measured. */
static relume_status step(relume_run *run, const relume_progress *progress, relume_error *error)
{
    bool measured = (progress->step + 1) % progress->steps_per_epoch == 0;
    run->stride.known = false;
    rlm_trainer_measure(run->trainer, measured && run->stride.layers > 0 ? &run->stride : NULL);
    return relume_trainer_step(run->trainer, error);
}

/* Steps and boundaries up to the end; *in_step tells whether it was a step or a boundary that failed. */
static relume_status advance(relume_run *run, bool *in_step, relume_error *error)
{
    for (;;) {
        relume_progress progress = relume_trainer_get_progress(run->trainer);
        *in_step = false;
        RLM_TRY(rlm_run_boundary(run, error));
        if (progress.step > 0)
            tell(run);
        if (progress.step == progress.steps || run->stop_early)
            return RELUME_OK;
        *in_step = true;
        run->census_valid = false;
        RLM_TRY(step(run, &progress, error));
        if (is_stopped(run))
            return RELUME_INTERRUPTED;
    }
}

/* Counting or evaluating has found what the update before it left: the message says which update that was. */
static void name_update(const relume_run *run, relume_error *error)
{
    relume_progress progress = relume_trainer_get_progress(run->trainer);
    uint64_t step = progress.step, epoch = step > 0 ? (step - 1) / progress.steps_per_epoch + 1 : 0;
    char found[sizeof error->message];
    (void)snprintf(found, sizeof found, "%s", error->message);
    (void)rlm_error_set(error, RELUME_DIVERGED,
                        "after step %llu (epoch %llu): %s. Lower the learning rate (%g here), warm it up, or "
                        "clip the gradient",
                        (unsigned long long)step, (unsigned long long)epoch, found, progress.learning_rate);
}

/* What of the run's own is not there any more; NULL: all of it is. It is removed file by file, perhaps at
 * this moment. */
static const char *find_gone(const struct rlm_paths *paths, const char **what)
{
    const struct {
        const char *path, *what;
        bool there;
    } own[] = {
        {paths->folder, "run directory", rlm_file_is_folder(paths->folder)},
        {paths->checkpoints, "folder of checkpoints", rlm_file_is_folder(paths->checkpoints)},
        {paths->history, "history", rlm_file_exists(paths->history)},
    };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (!own[i].there) {
            *what = own[i].what;
            return own[i].path;
        }
    return NULL;
}

/* A folder that is moved or removed under the run shows itself as a file that cannot be made. */
static relume_status name_vanished_folder(const relume_run *run, relume_status status, relume_error *error)
{
    bool may_be = status == RELUME_NOT_FOUND || status == RELUME_IO;
    const char *what, *gone = may_be ? find_gone(&run->paths, &what) : NULL;
    if (!gone)
        return status;
    relume_progress progress = relume_trainer_get_progress(run->trainer);
    rlm_error_clear(error);
    rlm_error_at_file(error, gone);
    return rlm_error_set(error, RELUME_IO,
                         "%s: the %s is gone: it was moved or removed while step %llu was trained; "
                         "put it back and resume, or begin again",
                         gone, what, (unsigned long long)progress.step);
}

static relume_status drive(relume_run *run, relume_error *error)
{
    bool in_step = false;
    relume_status status = is_stopped(run) ? RELUME_INTERRUPTED : advance(run, &in_step, error);
    if (status == RELUME_OK)
        status = finish(run, error);
    bool unread = in_step && status != RELUME_OK && status != RELUME_INTERRUPTED && status != RELUME_DIVERGED;
    if (unread) /* rows could not be read: what was learned so far is kept */
        (void)!rlm_run_save_checkpoint(run, NULL);
    if (status == RELUME_INTERRUPTED)
        status = interrupt(run, error);
    if (status == RELUME_DIVERGED) {
        relume_error unseen = {0};
        relume_error *told = error ? error : &unseen;
        if (!error)
            (void)rlm_error_set(told, RELUME_DIVERGED, "a number stopped being finite");
        if (!in_step)
            name_update(run, told);
        status = record_divergence(run, in_step, told);
    }
    return name_vanished_folder(run, status, error);
}

/* ---- the whole ---- */

static void sum_up_time(relume_run *run, double begun)
{
    relume_run_result *result = &run->result;
    relume_progress progress = relume_trainer_get_progress(run->trainer);
    result->step_seconds = progress.step_seconds;
    result->evaluate_seconds = run->seconds.evaluate + run->epoch_seconds.evaluate;
    result->census_seconds = run->seconds.census + run->epoch_seconds.census;
    result->save_seconds = run->seconds.save + run->epoch_seconds.save;
    result->samples_per_second =
        progress.step_seconds > 0 ? (double)progress.samples / progress.step_seconds : 0;
    result->seconds = rlm_clock_now() - begun;
}

static bool is_kept(relume_status status)
{
    return status == RELUME_OK || status == RELUME_INTERRUPTED || status == RELUME_DIVERGED;
}

static size_t count_units(const relume_network *network)
{
    size_t units = 0;
    for (size_t l = 0; l + 1 < relume_network_get_layers(network); l++)
        units += relume_network_get_layer(network, l).out_features;
    return units;
}

static relume_status train(relume_run *run, const relume_run_options *options, double begun,
                           relume_error *error)
{
    bool finished = false;
    RLM_TRY(rlm_run_start(run, options, &finished, error));
    if (finished) {
        run->result.was_finished = 1;
        RLM_TRY(rlm_run_recall(run, error));
        run->result.seconds = rlm_clock_now() - begun;
        return RELUME_OK;
    }
    run->news.hidden_units = count_units(run->network);
    relume_status status = drive(run, error);
    if (!is_kept(status))
        return status;
    relume_status recalled = rlm_run_recall(run, status == RELUME_OK ? error : NULL);
    sum_up_time(run, begun);
    return status == RELUME_OK ? recalled : status;
}

relume_status relume_run_train(relume_engine *engine, const relume_run_options *options, relume_run **run,
                               relume_error *error)
{
    double begun = rlm_clock_now();
    rlm_error_clear(error);
    RLM_TRY(check_options(options, error));
    relume_run *made;
    RLM_TRY(rlm_run_new(engine, options->path, &made, error));
    relume_status status = train(made, options, begun, error);
    rlm_history_close(&made->history);
    rlm_lock_release(made->lock);
    made->lock = -1;
    if (made->census) /* its buffers are the trainer's */
        rlm_census_close(made->census);
    relume_trainer_destroy(made->trainer);
    made->trainer = NULL;
    rlm_stride_deinit(&made->stride);
    if (is_kept(status))
        *run = made;
    else
        relume_run_destroy(made);
    return status;
}
