/* One inquest: what it needs, and what it makes of a stretch of the run. See autopsy.h. */
#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "run/autopsy.h"

/* ---- what it needs ---- */

static relume_status make_room(struct rlm_inquest *inquest, relume_error *error)
{
    const struct rlm_docket *docket = inquest->docket;
    const relume_allocator *allocator = &inquest->network->engine->allocator;
    size_t widest = 1, first = inquest->network->layers[0].out_features;
    for (size_t l = 0; l < inquest->layers; l++)
        widest = rlm_size_max(widest, inquest->network->layers[l].out_features);
    inquest->ratio = rlm_alloc(allocator, widest, sizeof *inquest->ratio);
    inquest->dead = rlm_alloc(allocator, widest, 1);
    inquest->spared = rlm_alloc_zero(allocator, first, 1);
    inquest->list = rlm_alloc(allocator, docket->targets, sizeof *inquest->list);
    inquest->sample = rlm_alloc(allocator, RLM_TRIED, sizeof *inquest->sample);
    return inquest->ratio && inquest->dead && inquest->spared && inquest->list && inquest->sample
               ? RELUME_OK
               : rlm_error_memory(error, docket->targets * sizeof *inquest->list, "the deaths of a run");
}

static relume_status open_networks(struct rlm_inquest *inquest, relume_engine *engine, relume_error *error)
{
    relume_run *run = inquest->docket->run;
    uint64_t step;
    RLM_TRY(rlm_docket_checkpoint(inquest->docket, inquest->docket->as_of, &step, error));
    const char *path = rlm_paths_checkpoint(&run->paths, step);
    RLM_TRY(relume_network_load(engine, path, &inquest->network, error));
    RLM_TRY(relume_network_load(engine, path, &inquest->before, error));
    inquest->network->loss = inquest->before->loss = (relume_loss)run->options.loss;
    RLM_TRY(relume_trainer_create(inquest->network, run->dataset, &run->options.trainer, &inquest->trainer,
                                  error));
    struct rlm_observer observer = {rlm_inquest_observe, inquest};
    rlm_trainer_observe(inquest->trainer, &observer);
    return RELUME_OK;
}

relume_status rlm_inquest_init(struct rlm_inquest *inquest, struct rlm_docket *docket, relume_engine *engine,
                               relume_error *error)
{
    relume_run *run = docket->run;
    *inquest = (struct rlm_inquest){.docket = docket, .layers = docket->layers};
    RLM_TRY(open_networks(inquest, engine, error));
    RLM_TRY(make_room(inquest, error));
    RLM_TRY(rlm_moment_init(&inquest->moment, &run->options.trainer, inquest->trainer, inquest->before,
                            inquest->network, run->dataset, error));
    RLM_TRY(rlm_strata_init(&inquest->strata, inquest->network, &docket->ground, inquest->layers, error));
    size_t batch = rlm_size_min(run->options.trainer.batch_size, run->dataset->train_samples);
    RLM_TRY(rlm_causes_init(&inquest->causes, &inquest->strata, batch, error));
    return rlm_pass_init(&inquest->pass, inquest->network, RLM_TRIED,
                         RLM_PASS_GATES | RLM_PASS_ACTIVE | RLM_PASS_LIVE, error);
}

void rlm_inquest_deinit(struct rlm_inquest *inquest)
{
    rlm_pass_deinit(&inquest->pass);
    rlm_causes_deinit(&inquest->causes);
    rlm_strata_deinit(&inquest->strata);
    rlm_moment_deinit(&inquest->moment);
    relume_trainer_destroy(inquest->trainer);
    relume_network_destroy(inquest->before);
    relume_network_destroy(inquest->network);
    rlm_free(inquest->ratio);
    rlm_free(inquest->dead);
    rlm_free(inquest->spared);
    rlm_free(inquest->list);
    rlm_free(inquest->sample);
    *inquest = (struct rlm_inquest){0};
}

/* From now on these of the docket's targets are looked at. */
static void look_at(struct rlm_inquest *inquest, size_t first, size_t last)
{
    inquest->target = inquest->docket->target + first;
    inquest->targets = last - first;
}

/* ---- births, deaths, and the end ---- */

/* Lists the deaths of a layer: born dead at the beginning, or still dead at the end. */
static size_t list_layer(struct rlm_inquest *inquest, size_t layer, bool births)
{
    size_t listed = 0;
    for (size_t i = 0; i < inquest->targets; i++) {
        relume_death *death = &inquest->target[i].death;
        bool wanted = births ? death->kind == RELUME_BORN_DEAD : death->returned == 0;
        if (death->layer == layer && wanted)
            inquest->list[listed++] = death;
    }
    return listed;
}

/* Where a whole layer is dead, no gradient gets to it or below it, and to the layer above it goes nothing but
 * 0. What that layer makes of its biases can move, and with it all that is further up. */
static struct rlm_standing standing_of(const struct rlm_inquest *inquest, bool end)
{
    const relume_run *run = inquest->docket->run;
    struct rlm_standing standing = {
        .trainer = inquest->trainer, .options = &run->options.trainer, .data = run->dataset->name};
    for (size_t l = 0; end && l + 1 < run->network->layer_count; l++)
        if (run->layer[l].dead_at_end == run->network->layers[l].out_features)
            standing.still = l + 2;
    return standing;
}

static relume_status examine_births(struct rlm_inquest *inquest, relume_error *error)
{
    look_at(inquest, 0, inquest->docket->births);
    RLM_TRY(rlm_inquest_go(inquest, 0, error));
    rlm_strata_move(&inquest->strata, inquest->network, inquest->network, 0);
    struct rlm_standing standing = standing_of(inquest, false);
    for (size_t layer = 0; layer < inquest->layers; layer++) {
        size_t listed = list_layer(inquest, layer, true), returned = 0;
        for (size_t i = 0; i < listed; i++) {
            relume_death *death = inquest->list[i];
            death->samples = inquest->docket->run->dataset->train_samples;
            death->layer_deaths = listed;
            rlm_causes_birth(&inquest->causes, &inquest->strata, death);
            ((struct rlm_target *)death)->state = RLM_FOUND;
        }
        for (size_t i = 0; i < listed; i++)
            if (inquest->list[i]->returned != 0)
                inquest->list[returned++] = inquest->list[i];
        if (returned > 0)
            rlm_prognosis_find(&inquest->causes, &inquest->strata, &standing, inquest->list, returned);
    }
    return RELUME_OK;
}

/* Nobody is looked at on the way: deaths of other stretches may be sought at this moment. */
static relume_status foretell(struct rlm_inquest *inquest, relume_error *error)
{
    look_at(inquest, 0, 0);
    RLM_TRY(rlm_inquest_go(inquest, inquest->docket->as_of, error));
    look_at(inquest, 0, inquest->docket->targets);
    rlm_strata_move(&inquest->strata, inquest->network, inquest->network, inquest->docket->as_of);
    struct rlm_standing standing = standing_of(inquest, true);
    for (size_t layer = inquest->stretch->ends_from; layer < inquest->stretch->ends_to; layer++) {
        size_t listed = list_layer(inquest, layer, false);
        if (listed > 0)
            rlm_prognosis_find(&inquest->causes, &inquest->strata, &standing, inquest->list, listed);
    }
    return RELUME_OK;
}

relume_status rlm_inquest_examine(struct rlm_inquest *inquest, struct rlm_stretch *stretch,
                                  relume_error *error)
{
    inquest->stretch = stretch;
    if (stretch->births)
        RLM_TRY(examine_births(inquest, error));
    look_at(inquest, stretch->first, stretch->last);
    RLM_TRY(rlm_inquest_replay(inquest, error));
    return stretch->ends_to > 0 ? foretell(inquest, error) : RELUME_OK;
}
