/* A run as an object: making and freeing it, and the answers to questions. */
#include "run/run.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "run/lock.h"

relume_status rlm_run_new(relume_engine *engine, const char *path, relume_run **run, relume_error *error)
{
    relume_run *made = rlm_alloc_zero(&engine->allocator, 1, sizeof *made);
    if (!made)
        return rlm_error_memory(error, sizeof *made, "a run");
    double none = (double)NAN;
    made->engine = engine;
    made->lock = -1;
    made->settings.allocator = &engine->allocator;
    made->best.loss = (double)INFINITY;
    made->news.test_loss = made->news.test_accuracy = none;
    made->result.train = made->result.test = (relume_score){none, none};
    relume_status status = rlm_paths_init(&made->paths, &engine->allocator, path, error);
    if (status == RELUME_OK)
        *run = made;
    else
        rlm_free(made);
    return status;
}

void relume_run_destroy(relume_run *run)
{
    if (!run)
        return;
    rlm_history_close(&run->history);
    rlm_lock_release(run->lock);
    rlm_ledger_deinit(&run->ledger);
    rlm_stride_deinit(&run->stride);
    relume_census_destroy(run->census);
    relume_trainer_destroy(run->trainer);
    relume_network_destroy(run->network);
    relume_dataset_destroy(run->dataset);
    rlm_free(run->layer);
    rlm_free(run->event);
    rlm_free(run->dead);
    rlm_settings_deinit(&run->settings);
    rlm_paths_deinit(&run->paths);
    rlm_free(run);
}

const relume_run_result *relume_run_get_result(const relume_run *run)
{
    return &run->result;
}

const relume_network *relume_run_get_network(const relume_run *run)
{
    return run->network;
}

const relume_dataset *relume_run_get_dataset(const relume_run *run)
{
    return run->dataset;
}

const relume_census *relume_run_get_census(const relume_run *run)
{
    return run->census_valid ? run->census : NULL;
}

const relume_census *relume_run_get_last_census(const relume_run *run)
{
    return run->census_counted ? run->census : NULL;
}

int relume_run_is_counted(const relume_run *run)
{
    return run->is_counted;
}

static size_t hidden_layers(const relume_run *run)
{
    return run->layer ? relume_network_get_layers(run->network) - 1 : 0;
}

relume_run_layer relume_run_get_layer(const relume_run *run, size_t layer)
{
    return layer < hidden_layers(run) ? run->layer[layer] : (relume_run_layer){0};
}

size_t relume_run_get_dead_share(const relume_run *run, size_t layer, double *share, size_t count)
{
    size_t layers = hidden_layers(run);
    if (layer >= layers || !run->dead)
        return 0;
    size_t units = relume_network_get_layer(run->network, layer).out_features;
    size_t epochs = (size_t)run->dead_epochs + 1;
    for (size_t e = 0; share && e < count && e < epochs; e++)
        share[e] = (double)run->dead[e * layers + layer] / (double)units;
    return epochs;
}

const relume_event *relume_run_get_events(const relume_run *run, size_t *count)
{
    *count = run->event_count;
    return run->event;
}

const relume_run_options *relume_run_get_options(const relume_run *run)
{
    return &run->options;
}

const char *relume_run_get_setting(const relume_run *run, const char *key)
{
    return rlm_settings_get(&run->settings, key);
}
