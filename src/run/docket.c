/* The docket of an autopsy: the run divided into stretches that can be repeated one without the other, and
 * who repeats them. See autopsy.h.
 *
 * A step of a middle-sized network gains less than twice by a second thread; two stretches side by side, one
 * thread each, do gain twice. What a stretch tells depends on it alone, so how many are repeated at a time
 * decides nothing but how long it takes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/engine.h"
#include "base/error.h"
#include "base/larger.h"
#include "base/memory.h"
#include "run/autopsy.h"

/* ---- dividing ---- */

relume_status rlm_docket_checkpoint(const struct rlm_docket *docket, uint64_t step, uint64_t *found,
                                    relume_error *error)
{
    return rlm_run_pick_checkpoint(docket->run, docket->checkpoint, docket->checkpoints, step, found, error);
}

/* Censuses are held at the weights of many checkpoints. */
static relume_status find_counted(struct rlm_docket *docket, relume_error *error)
{
    docket->counted = rlm_alloc_zero(&docket->run->engine->allocator, docket->checkpoints, 1);
    if (!docket->counted)
        return rlm_error_memory(error, docket->checkpoints, "the checkpoints of a run");
    for (size_t i = 0; i < docket->checkpoints; i++) {
        uint64_t found = UINT64_MAX;
        RLM_TRY(rlm_history_get_census_step(docket->history, docket->checkpoint[i], &found, error));
        docket->counted[i] = found == docket->checkpoint[i];
    }
    return RELUME_OK;
}

void rlm_docket_list_dead(const struct rlm_docket *docket, uint64_t step, uint8_t *dead)
{
    const relume_run *run = docket->run;
    bool counted = false;
    memset(dead, 0, run->network->layers[0].out_features);
    for (size_t i = 0; i < docket->checkpoints; i++)
        counted = counted || (docket->checkpoint[i] == step && docket->counted[i]);
    for (size_t i = 0; counted && i < run->event_count; i++) /* by step */
        if (run->event[i].layer == 0 && run->event[i].step <= step)
            dead[run->event[i].unit] = run->event[i].kind != RELUME_REVIVED;
}

/* The last stretch, if it may come as far as `begin`; else a new one that begins there. */
static struct rlm_stretch *stretch_over(struct rlm_docket *docket, uint64_t begin)
{
    size_t count = docket->stretches;
    if (count > 0 && docket->stretch[count - 1].end > begin)
        return &docket->stretch[count - 1];
    struct rlm_stretch *made = &docket->stretch[docket->stretches++];
    *made = (struct rlm_stretch){.begin = begin};
    return made;
}

static void reach_to(struct rlm_stretch *stretch, uint64_t end)
{
    stretch->end = end > stretch->end ? end : stretch->end;
}

/* Targets come by `after`, so where they begin never falls. One whose death may lie behind the beginning of
 * the next holds both together. */
static relume_status cut_deaths(struct rlm_docket *docket, relume_error *error)
{
    for (size_t i = docket->births; i < docket->targets; i++) {
        const struct rlm_target *target = &docket->target[i];
        uint64_t begin = 0;
        RLM_TRY(rlm_docket_checkpoint(docket, target->after, &begin, error));
        struct rlm_stretch *stretch = stretch_over(docket, begin);
        if (stretch->last == 0)
            stretch->first = i;
        stretch->last = i + 1;
        reach_to(stretch, target->until);
    }
    return RELUME_OK;
}

/* The state at the end is looked at where it has been come to, if the last stretch may come that far. Where
 * there is a checkpoint of it, the first layer's deaths and those of the others are two tasks. */
static relume_status cut_end(struct rlm_docket *docket, relume_error *error)
{
    uint64_t begin = 0;
    RLM_TRY(rlm_docket_checkpoint(docket, docket->as_of, &begin, error));
    struct rlm_stretch *stretch = stretch_over(docket, begin);
    stretch->ends_to = docket->layers;
    reach_to(stretch, docket->as_of);
    if (begin < docket->as_of || docket->layers < 2)
        return RELUME_OK;
    stretch->ends_to = 1;
    stretch = stretch_over(docket, begin);
    stretch->ends_from = 1;
    stretch->ends_to = docket->layers;
    reach_to(stretch, docket->as_of);
    return RELUME_OK;
}

#define SIZES_MOST 4096 /* updates of which sizes are kept */

static relume_status make_sizes(struct rlm_docket *docket, relume_error *error)
{
    const relume_allocator *allocator = &docket->run->engine->allocator;
    uint64_t left = SIZES_MOST;
    for (size_t i = 0; i < docket->stretches; i++) {
        struct rlm_stretch *stretch = &docket->stretch[i];
        uint64_t steps = stretch->end / RLM_SIZES_EVERY - stretch->begin / RLM_SIZES_EVERY;
        steps = steps < left ? steps : left;
        left -= steps;
        stretch->sizes = rlm_alloc_zero(allocator, docket->layers, sizeof *stretch->sizes);
        for (size_t l = 0; stretch->sizes && l < docket->layers; l++) {
            struct rlm_sizes *sizes = &stretch->sizes[l];
            sizes->capacity = docket->run->network->layers[l].out_features * (size_t)steps;
            sizes->ratio = rlm_alloc(allocator, sizes->capacity, sizeof *sizes->ratio);
            if (!sizes->ratio)
                return rlm_error_memory(error, sizes->capacity * sizeof *sizes->ratio,
                                        "the sizes of updates");
        }
        if (!stretch->sizes)
            return rlm_error_memory(error, docket->layers * sizeof *stretch->sizes, "the sizes of updates");
    }
    return RELUME_OK;
}

static relume_status divide(struct rlm_docket *docket, relume_error *error)
{
    const relume_allocator *allocator = &docket->run->engine->allocator;
    size_t most = docket->targets + 3;
    RLM_TRY(rlm_checkpoint_list(&docket->run->paths, allocator, &docket->checkpoint, &docket->checkpoints,
                                error));
    RLM_TRY(find_counted(docket, error));
    docket->stretch = rlm_alloc_zero(allocator, most, sizeof *docket->stretch);
    docket->order = rlm_alloc(allocator, most, sizeof(struct rlm_stretch *));
    if (!docket->stretch || !docket->order)
        return rlm_error_memory(error, most * sizeof *docket->stretch, "the stretches of a run");
    if (docket->births > 0)
        docket->stretch[docket->stretches++] = (struct rlm_stretch){.births = true};
    RLM_TRY(cut_deaths(docket, error));
    RLM_TRY(cut_end(docket, error));
    for (size_t i = 0; i < docket->stretches; i++) {
        docket->order[i] = &docket->stretch[i];
        docket->total += docket->stretch[i].end - docket->stretch[i].begin;
    }
    if (docket->options->episodes)
        docket->total += docket->as_of;
    return make_sizes(docket, error);
}

/* ---- how many at once ---- */

/* What finding a death and its causes takes, in updates, on 784-512-512-10 and 60,000 samples: a unit of the
 * first layer is counted over the data alone, one of a deeper layer over what the layers below make of them.
 * Last, the prognosis of one. */
#define COST_FIRST 6.0
#define COST_DEEPER 28.0
#define COST_PROGNOSIS 1.0
#define COST_YOUNG 2.0 /* an update of the first stretch, most of whose units are alive */

static void estimate(struct rlm_docket *docket)
{
    for (size_t i = 0; i < docket->stretches; i++) {
        struct rlm_stretch *stretch = &docket->stretch[i];
        double update = stretch->begin == 0 ? COST_YOUNG : 1.0;
        stretch->cost = update * (double)(stretch->end - stretch->begin) + 1.0;
        for (size_t t = 0; stretch->ends_to > 0 && t < docket->targets; t++) {
            size_t layer = docket->target[t].death.layer;
            stretch->cost += layer >= stretch->ends_from && layer < stretch->ends_to ? COST_PROGNOSIS : 0.0;
        }
        for (size_t t = stretch->first; t < stretch->last; t++)
            stretch->cost += docket->target[t].death.layer == 0 ? COST_FIRST : COST_DEEPER;
    }
}

/* The longest first, so that none is left for the end when the others are done. */
static int by_cost(const void *a, const void *b)
{
    const struct rlm_stretch *x = *(const struct rlm_stretch *const *)a,
                             *y = *(const struct rlm_stretch *const *)b;
    if (x->cost != y->cost)
        return x->cost > y->cost ? -1 : 1;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

/* What an inquest takes, about, beside the ground. */
static double bytes_of_one(const struct rlm_docket *docket)
{
    const relume_network *network = docket->run->network;
    double samples = (double)docket->run->dataset->train_samples, floats = 128.0 * samples;
    for (size_t l = 0; l < docket->layers; l++) {
        const struct rlm_layer *layer = &network->layers[l];
        floats += (l > 0 ? 2.0 : 0.0) * samples * (double)layer->in_features;
        floats += 8.0 * (double)layer->in_features * (double)layer->out_features;
    }
    floats += 3.0 * (double)network->layers[0].out_features * samples / RLM_GROUP;
    return floats * (double)sizeof(float);
}

#define HALF_OF_MEMORY 0.5 /* may be taken */

/* As many as make the work end soonest, by this reckoning: `threads` threads do one stretch √threads times as
 * fast as one does. More than one only where memory allows, and comes from any thread. */
static size_t find_number(const struct rlm_docket *docket)
{
    const relume_engine *engine = docket->run->engine;
    size_t threads = rlm_pool_threads(engine->pool), best = 1;
    double sum = 0.0, longest = 0.0, least = INFINITY;
    if (engine->allocator.alloc != rlm_allocator_default.alloc || docket->options->episodes)
        return 1;
    double memory = HALF_OF_MEMORY * (double)rlm_memory_available();
    for (size_t i = 0; i < docket->stretches; i++) {
        sum += docket->stretch[i].cost;
        longest = rlm_larger(longest, docket->stretch[i].cost);
    }
    for (size_t number = 1; number <= rlm_size_min(threads, docket->stretches); number++) {
        size_t each = threads / number; /* at least */
        double share = sum / (double)number;
        double takes = rlm_larger(share, longest) / sqrt((double)each);
        if (takes < least && (number == 1 || (double)number * bytes_of_one(docket) <= memory)) {
            least = takes;
            best = number;
        }
    }
    return best;
}

/* ---- side by side ---- */

/* Those who hold inquests, and their engines. */
struct crew {
    struct rlm_docket *docket;
    struct rlm_inquest *inquest; /* [number] */
    relume_engine **engine;      /* [number]; NULL: the run's own */
    size_t number;
};

static void crew_dismiss(struct crew *crew)
{
    for (size_t i = 0; crew->inquest && i < crew->number; i++)
        rlm_inquest_deinit(&crew->inquest[i]);
    for (size_t i = 0; crew->engine && i < crew->number; i++)
        relume_engine_destroy(crew->engine[i]);
    rlm_free(crew->inquest);
    rlm_free(crew->engine);
    crew->inquest = NULL;
    crew->engine = NULL;
}

/* The threads of the run's engine, shared out. */
static relume_status make_engine(const struct crew *crew, size_t index, relume_error *error)
{
    const relume_engine *whole = crew->docket->run->engine;
    size_t threads = rlm_pool_threads(whole->pool);
    relume_engine_options options = {.threads = threads * (index + 1) / crew->number -
                                                threads * index / crew->number,
                                     .cpu = rlm_cpu_level_name(whole->level),
                                     .allocator = &whole->allocator};
    return relume_engine_create(&options, &crew->engine[index], error);
}

static relume_status crew_call(struct crew *crew, relume_error *error)
{
    relume_engine *whole = crew->docket->run->engine;
    crew->inquest = rlm_alloc_zero(&whole->allocator, crew->number, sizeof *crew->inquest);
    crew->engine = rlm_alloc_zero(&whole->allocator, crew->number, sizeof(relume_engine *));
    if (!crew->inquest || !crew->engine)
        return rlm_error_memory(error, crew->number * sizeof *crew->inquest, "the inquests of a run");
    for (size_t i = 0; i < crew->number; i++) {
        if (crew->number > 1)
            RLM_TRY(make_engine(crew, i, error));
        RLM_TRY(rlm_inquest_init(&crew->inquest[i], crew->docket, crew->number > 1 ? crew->engine[i] : whole,
                                 error));
    }
    return RELUME_OK;
}

/* The first failure is the one told. */
static void note_failure(struct rlm_docket *docket, relume_status status, const relume_error *error)
{
    (void)pthread_mutex_lock(&docket->lock);
    if (docket->status == RELUME_OK) {
        docket->status = status;
        docket->error = *error;
    }
    atomic_store(&docket->halted, true);
    (void)pthread_mutex_unlock(&docket->lock);
}

/* One of the crew takes stretches until none is left. */
static void work(const struct crew *crew, struct rlm_inquest *inquest, bool tells)
{
    struct rlm_docket *docket = crew->docket;
    relume_error error;
    inquest->tells = tells;
    while (!atomic_load(&docket->halted)) {
        size_t next = atomic_fetch_add(&docket->taken, 1);
        if (next >= docket->stretches)
            return;
        struct rlm_stretch *stretch = docket->order[next];
        relume_status status = rlm_inquest_examine(inquest, stretch, &error);
        if (status != RELUME_OK)
            note_failure(docket, status, &error);
        atomic_fetch_add(&docket->done, stretch->end - stretch->begin - stretch->repeated);
    }
}

#define TOLD_EVERY 50000000 /* ns */

/* Whoever works in the caller's thread and finds no stretch left tells of the others' progress, and so lets
 * the caller stop them. */
static void tell_until_done(const struct rlm_docket *docket)
{
    const relume_autopsy_options *options = docket->options;
    const struct timespec while_others_work = {.tv_nsec = TOLD_EVERY};
    while (options->progress && atomic_load(&docket->working) > 0) {
        (void)nanosleep(&while_others_work, NULL);
        options->progress(options->user, atomic_load(&docket->done), docket->total);
    }
}

static void work_and_tell(void *context, size_t task, size_t thread)
{
    const struct crew *crew = context;
    atomic_fetch_add(&crew->docket->working, 1);
    work(crew, &crew->inquest[task], thread == 0);
    atomic_fetch_sub(&crew->docket->working, 1);
    if (thread == 0)
        tell_until_done(crew->docket);
}

static relume_status crew_work(struct crew *crew, relume_error *error)
{
    struct rlm_docket *docket = crew->docket;
    if (crew->number > 1)
        qsort(docket->order, docket->stretches, sizeof *docket->order, by_cost);
    rlm_pool_run(docket->run->engine->pool, work_and_tell, crew, crew->number);
    if (docket->status != RELUME_OK) {
        *error = docket->error;
        return docket->status;
    }
    return docket->options->episodes ? rlm_inquest_follow(&crew->inquest[0], error) : RELUME_OK;
}

/* Where many find no room, one may. */
static relume_status crew_gather(struct crew *crew, relume_error *error)
{
    estimate(crew->docket);
    crew->number = find_number(crew->docket);
    relume_status status = crew_call(crew, error);
    if (crew->number == 1 || (status != RELUME_NO_MEMORY && status != RELUME_RESOURCE))
        return status;
    crew_dismiss(crew);
    crew->number = 1;
    return crew_call(crew, error);
}

relume_status rlm_docket_clear(struct rlm_docket *docket, relume_error *error)
{
    struct crew crew = {.docket = docket};
    int failed = pthread_mutex_init(&docket->lock, NULL);
    if (failed)
        return rlm_error_system(error, RELUME_RESOURCE, failed, "cannot share out the stretches of a run");
    relume_status status = divide(docket, error);
    if (status == RELUME_OK)
        status = rlm_ground_init(&docket->ground, docket->run->network, docket->run->dataset, error);
    if (status == RELUME_OK)
        status = crew_gather(&crew, error);
    if (status == RELUME_OK)
        status = crew_work(&crew, error);
    crew_dismiss(&crew);
    (void)pthread_mutex_destroy(&docket->lock);
    return status;
}

void rlm_docket_deinit(struct rlm_docket *docket)
{
    for (size_t i = 0; i < docket->stretches; i++) {
        struct rlm_stretch *stretch = &docket->stretch[i];
        for (size_t l = 0; stretch->sizes && l < docket->layers; l++)
            rlm_free(stretch->sizes[l].ratio);
        rlm_free(stretch->sizes);
    }
    rlm_free(docket->stretch);
    rlm_free(docket->order);
    rlm_free(docket->checkpoint);
    rlm_free(docket->counted);
    rlm_ground_deinit(&docket->ground);
}
