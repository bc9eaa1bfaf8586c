/* Opening a run for questions, and filling in what a history tells of it. What is asked later is answered
 * from memory: the file is let go once it has been read, so that nobody who asks holds up a run that writes.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/file.h"
#include "run/run.h"
#include "run/vet.h"

/* ---- from the history into the run ---- */

/* Adds up the events by layer; those of layers or units that the network has not are damage. */
static relume_status sum_events(relume_run *run, size_t layers, relume_error *error)
{
    run->result.total = (relume_run_layer){0};
    for (size_t i = 0; i < run->event_count; i++) {
        const relume_event *event = &run->event[i];
        if (event->layer >= layers ||
            event->unit >= relume_network_get_layer(run->network, event->layer).out_features)
            return rlm_error_set(error, RELUME_BAD_FORMAT,
                                 "%s: an event of h%zu.%zu, which the network does not have",
                                 run->paths.history, event->layer + 1, event->unit);
        relume_run_layer *layer = &run->layer[event->layer];
        layer->born_dead += event->kind == RELUME_BORN_DEAD;
        layer->deaths += event->kind == RELUME_KILLED;
        layer->revivals += event->kind == RELUME_REVIVED;
    }
    for (size_t l = 0; l < layers; l++) {
        relume_run_layer *layer = &run->layer[l], *total = &run->result.total;
        layer->dead_at_end = layer->born_dead + layer->deaths - layer->revivals;
        total->born_dead += layer->born_dead;
        total->deaths += layer->deaths;
        total->revivals += layer->revivals;
        total->dead_at_end += layer->dead_at_end;
    }
    return RELUME_OK;
}

static relume_status recall_dead(relume_run *run, size_t layers, uint64_t last_epoch, relume_error *error)
{
    uint64_t epochs;
    size_t count;
    if (!run->is_counted)
        return RELUME_OK;
    RLM_TRY(rlm_history_get_epochs(&run->history, &epochs, error));
    epochs = epochs < last_epoch ? epochs : last_epoch;
    if (!rlm_size_add((size_t)epochs, 1, &count) || !rlm_size_multiply(count, layers, &count) ||
        !(run->dead = rlm_alloc_zero(&run->engine->allocator, count, sizeof *run->dead)))
        return rlm_error_memory(error, (size_t)epochs, "dead units by epoch");
    run->dead_epochs = epochs;
    return rlm_history_get_dead(&run->history, epochs, layers, run->dead, error);
}

/* Whether some census up to the model's stands in the history. */
static relume_status recall_counted(relume_run *run, uint64_t step, relume_error *error)
{
    uint64_t last;
    RLM_TRY(rlm_history_get_census_step(&run->history, step, &last, error));
    run->is_counted = last != UINT64_MAX;
    return RELUME_OK;
}

static relume_status recall_census(relume_run *run, uint64_t step, relume_error *error)
{
    if (run->census_valid)
        return RELUME_OK;
    relume_census_options options;
    relume_census_options_default(&options);
    options.nearly_dead = run->options.nearly_dead;
    relume_census *census = NULL;
    RLM_TRY(rlm_history_get_census(&run->history, step, run->network, &options, &census, error));
    if (!census)
        return RELUME_OK; /* what was counted last stays, for relume_run_get_last_census */
    relume_census_destroy(run->census);
    run->census = census;
    run->census_counted = run->census_valid = true;
    return RELUME_OK;
}

/* The step the weights in hand are of: told by the history at the end, by the trainer or the checkpoint
 * before it. */
static void settle_result(relume_run *run, const struct rlm_ending *ending)
{
    relume_run_result *result = &run->result;
    result->finished = strcmp(ending->status, "finished") == 0;
    result->diverged = strcmp(ending->status, "diverged") == 0;
    result->epochs = ending->epochs;
    result->steps = ending->steps;
    result->best_epoch = ending->best_epoch;
    result->train = ending->train;
    result->test = ending->test;
}

relume_status rlm_run_recall(relume_run *run, relume_error *error)
{
    struct rlm_ending ending;
    RLM_TRY(rlm_history_get_ending(&run->history, &ending, error));
    bool finished = strcmp(ending.status, "finished") == 0;
    if (!finished) {
        if (run->trainer)
            ending.steps = rlm_trainer_get_state(run->trainer).step;
        else
            ending.steps = run->result.steps;
        ending.epochs = ending.steps_per_epoch > 0 ? ending.steps / ending.steps_per_epoch : 0;
        ending.model_step = ending.steps;
    }
    settle_result(run, &ending);
    size_t layers = relume_network_get_layers(run->network) - 1;
    run->layer = rlm_alloc_zero(&run->engine->allocator, layers, sizeof *run->layer);
    if (!run->layer)
        return rlm_error_memory(error, layers * sizeof *run->layer, "a run's layers");
    RLM_TRY(rlm_history_get_events(&run->history, ending.model_step, &run->engine->allocator, &run->event,
                                   &run->event_count, error));
    RLM_TRY(sum_events(run, layers, error));
    RLM_TRY(recall_counted(run, ending.model_step, error));
    RLM_TRY(recall_dead(run, layers, ending.epochs, error));
    return recall_census(run, ending.model_step, error);
}

/* ---- opening ---- */

int relume_run_exists(const char *path)
{
    char history[PATH_MAX]; /* no memory is asked for: then there is no third answer */
    if (!path || !rlm_file_is_folder(path))
        return 0;
    int length = snprintf(history, sizeof history, "%s/history.sqlite", path);
    return length > 0 && (size_t)length < sizeof history && rlm_file_exists(history);
}

static relume_status no_model(const relume_run *run, relume_error *error)
{
    rlm_error_clear(error);
    rlm_error_at_file(error, run->paths.folder);
    return rlm_error_set(error, RELUME_NOT_FOUND, "%s holds no model and no whole checkpoint yet",
                         run->paths.folder);
}

/* The network of the newest checkpoint that can be read; its step goes to result.steps. */
static relume_status open_newest(relume_run *run, relume_error *error)
{
    uint64_t *steps;
    size_t count;
    RLM_TRY(rlm_checkpoint_list(&run->paths, &run->engine->allocator, &steps, &count, error));
    relume_status status = no_model(run, error);
    for (; count > 0 && status != RELUME_OK; count--) {
        status = relume_network_load(run->engine, rlm_paths_checkpoint(&run->paths, steps[count - 1]),
                                     &run->network, error);
        run->result.steps = steps[count - 1];
        if (status == RELUME_NO_MEMORY)
            break;
    }
    rlm_free(steps);
    return status;
}

static relume_status open_network(relume_run *run, relume_error *error)
{
    struct rlm_ending ending;
    RLM_TRY(rlm_history_get_ending(&run->history, &ending, error));
    if (strcmp(ending.status, "finished") == 0)
        return relume_network_load(run->engine, run->paths.model, &run->network, error);
    return open_newest(run, error);
}

/* result.steps becomes the last step at which a census was held. */
static relume_status go_to_census(relume_run *run, relume_error *error)
{
    struct rlm_ending ending;
    uint64_t step;
    if (run->options.census.kind == RELUME_OFF)
        return rlm_error_set(error, RELUME_NOT_FOUND,
                             "%s is trained with --census off: there is no count to follow, but relume "
                             "report counts its units",
                             run->paths.folder);
    RLM_TRY(rlm_history_get_ending(&run->history, &ending, error));
    if (strcmp(ending.status, "finished") == 0)
        return RELUME_OK;
    RLM_TRY(rlm_history_get_census_step(&run->history, INT64_MAX, &step, error));
    if (step == UINT64_MAX)
        return rlm_error_set(error, RELUME_NOT_FOUND, "%s holds no census yet", run->paths.folder);
    run->result.steps = step;
    return RELUME_OK;
}

static relume_status open_parts(relume_run *run, bool recorded, relume_error *error)
{
    RLM_TRY(rlm_history_open(&run->history, run->paths.history, false, error));
    RLM_TRY(rlm_vet_states(&run->paths, error));
    RLM_TRY(rlm_history_get_settings(&run->history, &run->settings, error));
    if (run->settings.count == 0)
        return no_model(run, error);
    relume_run_options_default(&run->options);
    run->options.path = run->paths.folder;
    RLM_TRY(rlm_settings_apply(&run->settings, &run->options, error));
    RLM_TRY(open_network(run, error));
    if (recorded)
        RLM_TRY(go_to_census(run, error));
    return rlm_run_recall(run, error);
}

/* What a history says is judged in places that do not know where it stands. */
static void name_history(const relume_run *run, relume_status status, relume_error *error)
{
    char message[sizeof error->message];
    if (!error || strstr(error->message, run->paths.folder) ||
        (status != RELUME_BAD_FORMAT && status != RELUME_BAD_DATA && status != RELUME_MISMATCH))
        return;
    memcpy(message, error->message, sizeof message);
    rlm_error_at_file(error, run->paths.history);
    (void)rlm_error_set(error, status, "%.200s: %s", run->paths.history, message);
}

relume_status rlm_run_blame_history(const relume_run *run, relume_status status, relume_error *error)
{
    if (status != RELUME_USAGE)
        return status;
    name_history(run, RELUME_BAD_FORMAT, error);
    return RELUME_BAD_FORMAT;
}

relume_status relume_run_open(relume_engine *engine, const char *path, relume_run **run, relume_error *error)
{
    return rlm_run_open(engine, path, false, NULL, run, error);
}

relume_status rlm_run_open(relume_engine *engine, const char *path, bool recorded, const volatile int *stop,
                           relume_run **run, relume_error *error)
{
    relume_run *made;
    rlm_error_clear(error);
    RLM_TRY(rlm_run_new(engine, path, &made, error));
    made->history.sql.stop = stop;
    relume_status status = open_parts(made, recorded, error);
    rlm_history_close(&made->history);
    if (status == RELUME_OK) {
        *run = made;
    } else {
        name_history(made, status, error);
        relume_run_destroy(made);
    }
    return status;
}

relume_status relume_run_load_network(relume_engine *engine, const char *path, relume_network **network,
                                      relume_error *error)
{
    if (!rlm_file_is_folder(path))
        return relume_network_load(engine, path, network, error);
    relume_run *run;
    RLM_TRY(relume_run_open(engine, path, &run, error));
    *network = run->network;
    run->network = NULL;
    relume_census_destroy(run->census); /* it speaks of the network that has just left */
    run->census = NULL;
    relume_run_destroy(run);
    return RELUME_OK;
}

static relume_status read_data(relume_run *run, relume_dataset **dataset, relume_error *error)
{
    const char *data = run->options.data;
    relume_dataset_options options = run->options.data_options;
    options.classes = run->options.loss == RELUME_LOSS_SOFTMAX;
    RLM_TRY(rlm_vet_data(data, error));
    RLM_TRY(rlm_vet_data(options.test, error));
    RLM_TRY(rlm_vet_data(options.labels, error));
    relume_status status = relume_dataset_load(run->engine, data, &options, dataset, error);
    if (status == RELUME_USAGE)
        return rlm_run_blame_history(run, status, error);
    if (status != RELUME_NOT_FOUND || *data != '/' || rlm_file_exists(data))
        return status;
    rlm_error_clear(error);
    rlm_error_at_file(error, data);
    return rlm_error_set(
        error, RELUME_NOT_FOUND,
        "%.300s: the data that %.300s was trained on are not there any more; put them back, "
        "or tell where they are by its relume train command with their new place and --resume",
        data, run->paths.folder);
}

relume_status relume_run_load_dataset(relume_run *run, relume_error *error)
{
    if (run->dataset)
        return RELUME_OK;
    relume_dataset *dataset;
    char now[24];
    RLM_TRY(read_data(run, &dataset, error));
    (void)snprintf(now, sizeof now, "%016" PRIx64, relume_dataset_get_fingerprint(dataset));
    const char *was = rlm_settings_get(&run->settings, "data_fingerprint");
    if (was && strcmp(was, now) == 0) {
        run->dataset = dataset;
        return RELUME_OK;
    }
    relume_dataset_destroy(dataset);
    rlm_error_clear(error);
    rlm_error_at_file(error, run->options.data);
    return rlm_error_set(error, RELUME_MISMATCH,
                         "%s: the data have changed since %s was trained on them: fingerprint %s, it was %s",
                         run->options.data, run->paths.folder, now, was ? was : "not recorded");
}

/* ---- checkpoints, for those who repeat a stretch of training ---- */

relume_status rlm_run_pick_checkpoint(const relume_run *run, const uint64_t *steps, size_t count,
                                      uint64_t step, uint64_t *found, relume_error *error)
{
    while (count > 0 && steps[count - 1] > step)
        count--;
    if (count == 0)
        return rlm_error_set(error, RELUME_NOT_FOUND, "%s holds no checkpoint up to step %" PRIu64,
                             run->paths.checkpoints, step);
    *found = steps[count - 1];
    return RELUME_OK;
}

relume_status rlm_run_find_checkpoint(relume_run *run, uint64_t step, uint64_t *found, relume_error *error)
{
    uint64_t *steps;
    size_t count;
    RLM_TRY(rlm_checkpoint_list(&run->paths, &run->engine->allocator, &steps, &count, error));
    relume_status status = rlm_run_pick_checkpoint(run, steps, count, step, found, error);
    rlm_free(steps);
    return status;
}

relume_status rlm_run_load_checkpoint(relume_run *run, uint64_t step, relume_network *network,
                                      relume_trainer *trainer, struct rlm_ledger *ledger, relume_error *error)
{
    struct rlm_checkpoint checkpoint = {network, trainer, ledger, NULL};
    return rlm_checkpoint_load(&checkpoint, rlm_paths_checkpoint(&run->paths, step), error);
}
