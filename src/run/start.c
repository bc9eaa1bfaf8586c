/* The beginning of a run: claim the directory, load the data, compare the settings of a run that was begun
 * before, make what is trained, and begin or take up again from the newest whole checkpoint. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "run/lock.h"
#include "run/run.h"
#include "run/vet.h"

/* ---- the directory ---- */

static relume_status refuse_folder(const relume_run *run, enum rlm_folder_kind kind, bool resume,
                                   relume_error *error)
{
    if (kind != RLM_FOLDER_FOREIGN && (kind != RLM_FOLDER_RUN || resume))
        return RELUME_OK;
    rlm_error_clear(error);
    rlm_error_at_file(error, run->paths.folder);
    if (kind == RLM_FOLDER_RUN)
        return rlm_error_set(error, RELUME_EXISTS, "%s holds a run; resume it, or choose another directory",
                             run->paths.folder);
    return rlm_error_set(
        error, RELUME_EXISTS,
        "%s is not empty and holds no run; expected a directory that is empty or does not exist",
        run->paths.folder);
}

/* Looks, locks where there is something to lock, and looks again: another process may have been quicker. */
static relume_status claim(relume_run *run, bool resume, enum rlm_folder_kind *kind, relume_error *error)
{
    RLM_TRY(rlm_folder_classify(&run->paths, kind, error));
    RLM_TRY(refuse_folder(run, *kind, resume, error));
    if (*kind == RLM_FOLDER_MISSING)
        return RELUME_OK;
    RLM_TRY(rlm_lock_take(run->paths.lock, &run->lock, error));
    RLM_TRY(rlm_folder_classify(&run->paths, kind, error));
    RLM_TRY(refuse_folder(run, *kind, resume, error));
    RLM_TRY(rlm_folder_refuse_links(&run->paths, error));
    return rlm_vet_states(&run->paths, error);
}

/* ---- what is trained ---- */

/* A path that is to be found again from another working directory. Names that are no file stay as they are.
 */
static relume_status remember_path(relume_run *run, const char **path, relume_error *error)
{
    char folder[PATH_MAX];
    if (!*path || **path == '/' || !rlm_file_exists(*path) || !getcwd(folder, sizeof folder))
        return RELUME_OK;
    size_t room = strlen(folder) + strlen(*path) + 2;
    char *absolute = rlm_alloc(&run->engine->allocator, room, 1);
    if (!absolute)
        return rlm_error_memory(error, room, "a path");
    (void)snprintf(absolute, room, "%s/%s", folder, *path);
    *path = absolute;
    return RELUME_OK;
}

/* The settings of this call, which become the run's own options. */
static relume_status settle_options(relume_run *run, const relume_run_options *options, relume_error *error)
{
    relume_run_options now = *options;
    if (now.loss < 0)
        now.loss = relume_dataset_get_task(run->dataset) == RELUME_REGRESSION ? RELUME_LOSS_MSE
                                                                              : RELUME_LOSS_SOFTMAX;
    const char **paths[] = {&now.data, &now.data_options.test, &now.data_options.labels, &now.init_from};
    const char *given[] = {now.data, now.data_options.test, now.data_options.labels, now.init_from};
    relume_status status = RELUME_OK;
    for (size_t i = 0; status == RELUME_OK && i < sizeof paths / sizeof *paths; i++)
        status = remember_path(run, paths[i], error);
    if (status == RELUME_OK)
        status = rlm_settings_gather(&run->settings, &now, run->dataset, error);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (*paths[i] != given[i])
            rlm_free((void *)*paths[i]);
    if (status != RELUME_OK)
        return status;
    /* The caller's texts may not live as long as the run: they are dropped, and those of the settings take
     * their places. */
    run->options = *options;
    run->options.data_options.test = run->options.data_options.labels = run->options.init_from = NULL;
    run->options.data_options.target = run->options.data_options.x_key = run->options.data_options.y_key =
        NULL;
    run->options.path = run->paths.folder;
    return rlm_settings_apply(&run->settings, &run->options, error);
}

static relume_status load_data(relume_run *run, const relume_run_options *options, relume_error *error)
{
    double begin = rlm_clock_now();
    relume_dataset_options data_options = options->data_options;
    data_options.need_targets = 1;
    data_options.classes = options->loss == RELUME_LOSS_SOFTMAX;
    RLM_TRY(relume_dataset_load(run->engine, options->data, &data_options, &run->dataset, error));
    run->result.load_seconds = rlm_clock_now() - begin;
    run->test_samples = relume_dataset_get_samples(run->dataset, RELUME_SPLIT_TEST);
    return RELUME_OK;
}

/* A model to start from decides the architecture; widths that were given too must be its own. */
static relume_status check_widths(const relume_run *run, relume_error *error)
{
    size_t hidden = relume_network_get_layers(run->network) - 1;
    bool same = run->options.hidden_layers == 0 || run->options.hidden_layers == hidden;
    for (size_t l = 0; same && l < run->options.hidden_layers; l++)
        same = relume_network_get_layer(run->network, l).out_features == run->options.hidden[l];
    if (same)
        return RELUME_OK;
    rlm_error_clear(error);
    rlm_error_at_file(error, run->options.init_from);
    rlm_error_at_item(error, "hidden");
    return rlm_error_set(error, RELUME_MISMATCH, "%s has other hidden layers than were asked for",
                         run->options.init_from);
}

relume_status rlm_network_for(relume_engine *engine, const relume_run_options *options,
                              const relume_dataset *dataset, relume_loss loss, relume_network **network,
                              relume_error *error)
{
    relume_network_options wanted;
    relume_network_options_default(&wanted);
    wanted.in_features = relume_dataset_get_features(dataset);
    wanted.hidden_layers = options->hidden_layers;
    wanted.hidden = options->hidden;
    wanted.out_features = relume_dataset_get_outputs(dataset);
    wanted.loss = loss;
    wanted.init = options->init;
    wanted.seed = options->trainer.seed;
    wanted.dataset = dataset;
    return relume_network_create(engine, &wanted, network, error);
}

/* A model that states its scaling keeps it, for its weights were fitted to it; any other takes that of the
 * data. What the outputs are called is for the data to say. */
static relume_status fit_to_data(relume_run *run, relume_error *error)
{
    relume_network *network = run->network;
    if (network->scaling_unstated)
        return rlm_network_take_dataset(network, run->dataset, error);
    if (run->options.data_options.standardize)
        return rlm_refuse_file(error, RELUME_MISMATCH, run->options.init_from,
                               "this model states a scaling of its own, which its weights were fitted to; "
                               "leave out --standardize");
    return rlm_network_set_class_names(network, (const char *const *)run->dataset->class_names,
                                       run->dataset->class_names ? run->dataset->outputs : 0, error);
}

static relume_status create_network(relume_run *run, relume_error *error)
{
    const relume_run_options *options = &run->options;
    if (options->init_from) {
        RLM_TRY(relume_run_load_network(run->engine, options->init_from, &run->network, error));
        run->network->loss = (relume_loss)options->loss;
        RLM_TRY(check_widths(run, error));
        return fit_to_data(run, error);
    }
    return rlm_network_for(run->engine, options, run->dataset, (relume_loss)options->loss, &run->network,
                           error);
}

bool rlm_is_gradient_only(const relume_trainer_options *options)
{
    bool plain = options->optimizer == RELUME_SGD ||
                 ((options->optimizer == RELUME_MOMENTUM || options->optimizer == RELUME_NESTEROV) &&
                  options->momentum == 0);
    return plain && options->weight_decay == 0;
}

/* All that works on the network, once there is one. */
static relume_status equip(relume_run *run, relume_error *error)
{
    RLM_TRY(relume_trainer_create(run->network, run->dataset, &run->options.trainer, &run->trainer, error));
    if (run->options.ledger_off)
        return RELUME_OK;
    relume_census_options census;
    relume_census_options_default(&census);
    census.nearly_dead = run->options.nearly_dead;
    if (run->options.census.kind != RELUME_OFF)
        RLM_TRY(rlm_census_create_beside(run->network, run->dataset, RELUME_SPLIT_TRAIN, &census,
                                         rlm_trainer_lend(run->trainer), &run->census, error));
    RLM_TRY(rlm_stride_init(&run->stride, run->network, error));
    RLM_TRY(rlm_ledger_init(&run->ledger, run->network, rlm_is_gradient_only(&run->options.trainer), error));
    struct rlm_observer observer = rlm_ledger_observer(&run->ledger);
    rlm_trainer_observe(run->trainer, &observer);
    return RELUME_OK;
}

/* ---- taking up again ---- */

/* Whether a checkpoint that gave this status may be passed over for an older one. */
static bool is_damage(relume_status status)
{
    return status == RELUME_BAD_FORMAT || status == RELUME_BAD_DATA || status == RELUME_NOT_FOUND ||
           status == RELUME_MISMATCH;
}

/* The network of the newest whole checkpoint among steps[0 … *count − 1]; those after it are dropped from the
 * count. */
static relume_status load_newest(relume_run *run, const uint64_t *steps, size_t *count, relume_error *error)
{
    for (; *count > 0; --*count) {
        const char *path = rlm_paths_checkpoint(&run->paths, steps[*count - 1]);
        relume_status status = relume_network_load(run->engine, path, &run->network, error);
        if (status == RELUME_OK || !is_damage(status))
            return status;
    }
    return RELUME_OK;
}

/* Restores trainer and ledger from the newest checkpoint that is whole; *count becomes 0 when none is. */
static relume_status restore_newest(relume_run *run, const uint64_t *steps, size_t *count,
                                    relume_error *error)
{
    struct rlm_checkpoint checkpoint = {run->network, run->trainer,
                                        run->options.ledger_off ? NULL : &run->ledger, &run->stride};
    for (; *count > 0; --*count) {
        relume_status status =
            rlm_checkpoint_load(&checkpoint, rlm_paths_checkpoint(&run->paths, steps[*count - 1]), error);
        if (status == RELUME_OK)
            return rlm_trainer_get_state(run->trainer).step == steps[*count - 1]
                       ? RELUME_OK
                       : rlm_error_set(error, RELUME_BAD_FORMAT, "%s: holds the state of another step",
                                       rlm_paths_checkpoint(&run->paths, steps[*count - 1]));
        if (!is_damage(status))
            return status;
    }
    return RELUME_OK;
}

/* Counts of the ledger, and early stopping's best epoch, follow from what the history still holds. */
static relume_status restore_counts(relume_run *run, uint64_t step, relume_error *error)
{
    relume_event *events = NULL;
    size_t count = 0;
    RLM_TRY(rlm_history_get_events(&run->history, step, &run->engine->allocator, &events, &count, error));
    for (size_t i = 0; i < count; i++) {
        if (events[i].layer >= run->ledger.layers)
            continue;
        struct rlm_ledger_layer *layer = &run->ledger.layer[events[i].layer];
        layer->born_dead += events[i].kind == RELUME_BORN_DEAD;
        layer->deaths += events[i].kind == RELUME_KILLED;
        layer->revivals += events[i].kind == RELUME_REVIVED;
        run->news.deaths += events[i].kind == RELUME_KILLED;
        run->news.revivals += events[i].kind == RELUME_REVIVED;
    }
    rlm_free(events);
    uint64_t epochs;
    RLM_TRY(rlm_history_get_epochs(&run->history, &epochs, error));
    for (uint64_t epoch = 1; run->options.early_stop > 0 && epoch <= epochs; epoch++) {
        struct rlm_epoch row;
        RLM_TRY(rlm_history_get_epoch(&run->history, epoch, &row, error));
        double loss = run->test_samples > 0 ? row.test.loss : row.train.loss;
        if (loss < run->best.loss)
            run->best = (struct rlm_best){row.epoch, row.step, loss};
    }
    return RELUME_OK;
}

/* Network, trainer, ledger and history at the newest checkpoint, or at the beginning where there is none. The
 * checkpoint is read twice: the network first, for the trainer is made for it, and then the trainer's state.
 */
static relume_status take_up(relume_run *run, const uint64_t *steps, size_t count, relume_error *error)
{
    RLM_TRY(load_newest(run, steps, &count, error));
    if (!run->network)
        RLM_TRY(create_network(run, error));
    RLM_TRY(equip(run, error));
    size_t whole = count;
    RLM_TRY(restore_newest(run, steps, &whole, error));
    if (whole == 0 &&
        count > 0) /* a network could be read, but no state: its weights are not those of the beginning */
        return rlm_error_set(error, RELUME_BAD_FORMAT, "%s: no checkpoint is whole", run->paths.checkpoints);
    uint64_t step = rlm_trainer_get_state(run->trainer).step;
    RLM_TRY(rlm_history_rewind(&run->history, step, error));
    RLM_TRY(restore_counts(run, step, error));
    return rlm_history_add_machine(&run->history, run->engine, step, error);
}

static relume_status resume(relume_run *run, relume_error *error)
{
    uint64_t *steps;
    size_t count;
    rlm_folder_sweep(&run->paths);
    RLM_TRY(rlm_folder_create(&run->engine->allocator, run->paths.checkpoints, error));
    RLM_TRY(rlm_checkpoint_list(&run->paths, &run->engine->allocator, &steps, &count, error));
    relume_status status = take_up(run, steps, count, error);
    rlm_free(steps);
    return status;
}

/* ---- beginning ---- */

static relume_status begin(relume_run *run, relume_error *error)
{
    relume_progress progress = relume_trainer_get_progress(run->trainer);
    struct rlm_history_start start = {
        .settings = &run->settings,
        .network = run->network,
        .samples = relume_dataset_get_samples(run->dataset, RELUME_SPLIT_TRAIN),
        .test_samples = run->test_samples,
        .steps_per_epoch = progress.steps_per_epoch,
    };
    RLM_TRY(rlm_history_start(&run->history, &start, error));
    RLM_TRY(rlm_history_add_machine(&run->history, run->engine, 0, error));
    return rlm_folder_create(&run->engine->allocator, run->paths.checkpoints, error);
}

/* Everything is checked and allocated before the first file appears. */
static relume_status start_new(relume_run *run, enum rlm_folder_kind kind, relume_error *error)
{
    RLM_TRY(create_network(run, error));
    RLM_TRY(equip(run, error));
    if (kind == RLM_FOLDER_MISSING) {
        RLM_TRY(rlm_folder_create(&run->engine->allocator, run->paths.folder, error));
        relume_status claimed = claim(run, false, &kind, error);
        if (claimed == RELUME_EXISTS && run->options.resume) /* "resume it" would be no advice */
            return rlm_error_set(error, RELUME_LOCKED,
                                 "%s: another process began this run at the same moment; once more, the same "
                                 "command will resume it",
                                 run->paths.folder);
        RLM_TRY(claimed);
    }
    if (!run->history.sql.handle)
        RLM_TRY(rlm_history_open(&run->history, run->paths.history, true, error));
    return begin(run, error);
}

/* ---- the whole ---- */

/* Reads the settings of a run that was begun, and compares. *begun: there are some; *finished: nothing is
 * left to do. */
static relume_status look_back(relume_run *run, bool *begun, bool *finished, relume_error *error)
{
    RLM_TRY(rlm_history_open(&run->history, run->paths.history, true, error));
    struct rlm_settings was = {.allocator = &run->engine->allocator};
    relume_status status = rlm_history_get_settings(&run->history, &was, error);
    *begun = was.count > 0;
    if (status == RELUME_OK && *begun)
        status = rlm_settings_compare(&was, &run->settings, run->paths.folder, error);
    if (status == RELUME_OK && *begun)
        status = rlm_history_move_data(&run->history, &was, &run->settings, error);
    rlm_settings_deinit(&was);
    if (status != RELUME_OK || !*begun)
        return status;
    struct rlm_ending ending;
    RLM_TRY(rlm_history_get_ending(&run->history, &ending, error));
    *finished = strcmp(ending.status, "finished") == 0 && rlm_file_exists(run->paths.model);
    return RELUME_OK;
}

relume_status rlm_run_start(relume_run *run, const relume_run_options *options, bool *finished,
                            relume_error *error)
{
    enum rlm_folder_kind kind;
    bool begun = false, ended = false;
    RLM_TRY(claim(run, options->resume != 0, &kind, error));
    RLM_TRY(load_data(run, options, error));
    RLM_TRY(settle_options(run, options, error));
    if (kind == RLM_FOLDER_RUN)
        RLM_TRY(look_back(run, &begun, &ended, error));
    relume_status status;
    if (ended)
        status = relume_network_load(run->engine, run->paths.model, &run->network, error);
    else
        status = begun ? resume(run, error) : start_new(run, kind, error);
    *finished = ended;
    /* a model that is not finite is bad input here: no training has begun */
    return status == RELUME_DIVERGED || status == RELUME_INTERRUPTED ? RELUME_BAD_DATA : status;
}
