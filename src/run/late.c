/* Counting after the fact, for a run that was trained without a census: its first weights and those it has
 * come to are in its checkpoints, and so is what the ledger saw in between. The two censuses are entered as a
 * run with a census at its start and its end enters them, into tables of the history's connection alone, so
 * that whoever asks the run, or reads its history through that connection, finds what such a run holds. */
#include "base/alloc.h"
#include "base/error.h"
#include "run/run.h"

/* What the two counts share. */
struct late {
    relume_run *run;
    const volatile int *stop;
    relume_network *network; /* at the weights of one checkpoint, then of the other */
    relume_census *census;
    struct rlm_ledger ledger;
    struct rlm_ending ending;
};

static uint64_t model_step(const struct late *late)
{
    bool finished = late->run->result.finished != 0;
    return finished ? late->ending.model_step : late->run->result.steps;
}

static relume_status load(struct late *late, uint64_t step, struct rlm_ledger *ledger, relume_error *error)
{
    uint64_t found;
    RLM_TRY(rlm_run_find_checkpoint(late->run, step, &found, error));
    if (found != step)
        return rlm_error_set(error, RELUME_NOT_FOUND,
                             "%s lacks the checkpoint of step %llu, at which its units are to be counted",
                             late->run->paths.checkpoints, (unsigned long long)step);
    return rlm_run_load_checkpoint(late->run, step, late->network, NULL, ledger, error);
}

static relume_status count(struct late *late, uint64_t step, relume_error *error)
{
    uint64_t steps = late->ending.steps_per_epoch;
    RLM_TRY(rlm_census_count(late->census, late->stop, error));
    rlm_ledger_enter(&late->ledger, late->census, step);
    struct rlm_boundary boundary = {
        .step = step, .epoch = steps > 0 ? step / steps : 0, .census = late->census, .ledger = &late->ledger};
    return rlm_history_add_boundary(&late->run->history, &boundary, error);
}

/* The ledger of the checkpoint has seen every step, but no census: who was dead at the first is put in. */
static relume_status load_end(struct late *late, uint64_t step, relume_error *error)
{
    struct rlm_ledger *ledger = &late->ledger;
    RLM_TRY(load(late, step, late->run->options.ledger_off ? NULL : ledger, error));
    ledger->counted = true;
    ledger->census_step = 0;
    for (size_t l = 0; l < ledger->layers; l++)
        for (size_t u = 0; u < ledger->layer[l].units; u++)
            ledger->layer[l].dead[u] = late->census->layer[l].unit[u].active == 0;
    return RELUME_OK;
}

static relume_status equip(struct late *late, relume_error *error)
{
    relume_run *run = late->run;
    relume_census_options options;
    relume_census_options_default(&options);
    options.nearly_dead = run->options.nearly_dead;
    RLM_TRY(rlm_history_open(&run->history, run->paths.history, false, error));
    RLM_TRY(rlm_history_set_aside(&run->history, error));
    RLM_TRY(rlm_history_get_ending(&run->history, &late->ending, error));
    RLM_TRY(relume_network_load(run->engine, rlm_paths_checkpoint(&run->paths, 0), &late->network, error));
    late->network->loss = (relume_loss)run->options.loss;
    RLM_TRY(relume_census_create(late->network, run->dataset, RELUME_SPLIT_TRAIN, &options, &late->census,
                                 error));
    return rlm_ledger_init(&late->ledger, late->network, rlm_is_gradient_only(&run->options.trainer), error);
}

static void free_recalled(const relume_run *run)
{
    rlm_free(run->layer);
    rlm_free(run->event);
    rlm_free(run->dead);
}

/* What was filled in while nothing was counted gives way, or stays where the new cannot be had. */
static relume_status recall_again(relume_run *run, relume_error *error)
{
    relume_run before = *run;
    run->layer = NULL;
    run->event = NULL;
    run->dead = NULL;
    relume_status status = rlm_run_recall(run, error);
    if (status == RELUME_OK) {
        free_recalled(&before);
    } else {
        free_recalled(run);
        run->layer = before.layer;
        run->event = before.event;
        run->event_count = before.event_count;
        run->dead = before.dead;
        run->dead_epochs = before.dead_epochs;
        run->result = before.result;
        run->is_counted = false;
    }
    return status;
}

static relume_status count_both(struct late *late, relume_error *error)
{
    RLM_TRY(equip(late, error));
    RLM_TRY(count(late, 0, error));
    uint64_t step = model_step(late);
    if (step > 0) {
        RLM_TRY(load_end(late, step, error));
        RLM_TRY(count(late, step, error));
    }
    return recall_again(late->run, error);
}

relume_status relume_run_count(relume_run *run, const volatile int *stop, relume_error *error)
{
    rlm_error_clear(error);
    if (run->is_counted)
        return RELUME_OK;
    RLM_TRY(relume_run_load_dataset(run, error));
    struct late late = {.run = run, .stop = stop};
    relume_status status = count_both(&late, error);
    rlm_ledger_deinit(&late.ledger);
    relume_census_destroy(late.census);
    relume_network_destroy(late.network);
    if (status != RELUME_OK)
        rlm_history_close(&run->history);
    return status;
}
