/* The largest learning rate that kills nobody in the first steps, found by training from the same start at
 * one rate after another. The other half of relume/forecast.h is census/forecast.c. */
#include "relume/forecast.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "census/silent.h"

/* What every trial of a rate shares. */
struct search {
    relume_engine *engine;
    const relume_network_options *network;
    relume_trainer_options trainer;
    uint64_t steps;
    uint8_t **born_dead; /* [layers][units] at the start */
};

/* How a rate ended: nobody killed (killed and diverged false), or the first death. */
struct trial {
    bool killed, diverged;
    uint64_t step;
    size_t layer, unit;
};

/* Whether some unit that lived at the start is dead now. */
static bool find_killed(const struct search *search, const struct rlm_silent *silent, struct trial *trial)
{
    for (size_t k = 0; k < silent->layers; k++) {
        size_t units = search->network->hidden[k];
        for (size_t n = 0; n < units; n++) {
            if (silent->dead[k][n] && !search->born_dead[k][n]) {
                trial->killed = true;
                trial->layer = k;
                trial->unit = n;
                return true;
            }
        }
    }
    return false;
}

/* Steps until somebody dies, a number diverges, or `steps` are done. */
static relume_status run_steps(const struct search *search, relume_trainer *trainer,
                               struct rlm_silent *silent, struct trial *trial, relume_error *error)
{
    for (uint64_t step = 1; step <= search->steps; step++) {
        relume_status status = relume_trainer_step(trainer, error);
        if (status == RELUME_OK)
            status = rlm_silent_find(silent, error);
        trial->step = step;
        if (status == RELUME_DIVERGED) {
            trial->diverged = true;
            return RELUME_OK;
        }
        RLM_TRY(status);
        if (find_killed(search, silent, trial))
            return RELUME_OK;
    }
    return RELUME_OK;
}

/* Marks who is dead before training; search->born_dead has room. */
static void remember_born_dead(struct search *search, const struct rlm_silent *silent)
{
    for (size_t k = 0; k < silent->layers; k++)
        memcpy(search->born_dead[k], silent->dead[k], search->network->hidden[k]);
}

static relume_status try_rate(struct search *search, double rate, struct trial *trial, relume_error *error)
{
    *trial = (struct trial){0};
    relume_network *network = NULL;
    relume_trainer *trainer = NULL;
    struct rlm_silent silent = {0};
    RLM_TRY(relume_network_create(search->engine, search->network, &network, error));
    search->trainer.learning_rate = rate;
    relume_status status =
        relume_trainer_create(network, search->network->dataset, &search->trainer, &trainer, error);
    if (status == RELUME_OK)
        status = rlm_silent_init(&silent, network, search->network->dataset, RELUME_SPLIT_TRAIN, error);
    if (status == RELUME_OK) {
        status = rlm_silent_find(&silent, error);
        if (status == RELUME_OK) {
            remember_born_dead(search, &silent);
            silent.ignore = search->born_dead; /* only a unit that lived can be killed */
            status = run_steps(search, trainer, &silent, trial, error);
        }
        rlm_silent_deinit(&silent);
    }
    relume_trainer_destroy(trainer);
    relume_network_destroy(network);
    return status;
}

/* Between the rates found safe and lethal so far, 0: none yet. */
struct bracket {
    double safe, lethal;
    struct trial worst; /* at the lethal one */
};

static relume_status narrow(struct search *search, double rate, struct bracket *bracket, relume_error *error)
{
    struct trial trial;
    RLM_TRY(try_rate(search, rate, &trial, error));
    if (trial.killed || trial.diverged) {
        bracket->lethal = rate;
        bracket->worst = trial;
    } else {
        bracket->safe = rate;
    }
    return RELUME_OK;
}

/* Doubles from `least` to the first rate that kills, then halves the interval until it is within 5 %. */
static relume_status search_rates(struct search *search, double least, double most, relume_safe_rate *found,
                                  relume_error *error)
{
    struct bracket b = {0};
    for (double rate = least; b.lethal == 0.0 && b.safe < most; rate = rate * 2.0 < most ? rate * 2.0 : most)
        RLM_TRY(narrow(search, rate, &b, error));
    while (b.safe > 0.0 && b.lethal > b.safe * 1.05)
        RLM_TRY(narrow(search, b.safe + (b.lethal - b.safe) * 0.5, &b, error));
    *found = (relume_safe_rate){.safe = b.safe,
                                .lethal = b.lethal,
                                .diverged = b.worst.diverged,
                                .step = b.lethal > 0.0 ? b.worst.step : 0,
                                .layer = b.worst.layer,
                                .unit = b.worst.unit};
    return RELUME_OK;
}

static void search_free(struct search *search)
{
    for (size_t k = 0; search->born_dead && k < search->network->hidden_layers; k++)
        rlm_free(search->born_dead[k]);
    rlm_free(search->born_dead);
}

relume_status relume_forecast_rate(relume_engine *engine, const relume_network_options *network,
                                   const relume_trainer_options *trainer, uint64_t steps, double least,
                                   double most, relume_safe_rate *rate, relume_error *error)
{
    if (!network->dataset || steps == 0 || !(least > 0.0) || !(most > least))
        return rlm_error_set(
            error, RELUME_USAGE,
            "a search for a safe rate needs a data set, at least one step, and rates 0 < %g < %g", least,
            most);
    struct search search = {.engine = engine, .network = network, .trainer = *trainer, .steps = steps};
    search.born_dead = rlm_alloc_zero(&engine->allocator, network->hidden_layers, sizeof *search.born_dead);
    bool whole = search.born_dead != NULL;
    for (size_t k = 0; whole && k < network->hidden_layers; k++) {
        search.born_dead[k] = rlm_alloc(&engine->allocator, network->hidden[k], 1);
        whole = search.born_dead[k] != NULL;
    }
    relume_status status =
        whole ? search_rates(&search, least, most, rate, error)
              : rlm_error_memory(error, network->hidden_layers, "the marks of born-dead units");
    search_free(&search);
    return status;
}
