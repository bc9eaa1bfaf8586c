/* Counting: every sample of a split once through the network at fixed weights.
 *
 * The account is the same for every batch size, thread count and CPU level: counts and largest values do not
 * depend on order, each pre-activation has one order of rounding, and activations are added in 16 lanes by
 * sample number modulo 16, in double, the lanes then in order. For that a batch begins at a multiple of 16,
 * so batch sizes are multiples of 16. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "census/census.h"

void relume_census_options_default(relume_census_options *options)
{
    *options = (relume_census_options){.nearly_dead = 0.01};
}

static void layout(struct rlm_arena *arena, relume_census *census)
{
    census->layer = rlm_arena_take(arena, census->layers, sizeof *census->layer);
    for (size_t l = 0; l < census->layers; l++) {
        size_t units = census->network->layers[l].out_features;
        relume_unit_account *unit = rlm_arena_take(arena, units, sizeof *unit);
        uint64_t *active = rlm_arena_take(arena, units, sizeof *active);
        if (!census->layer)
            continue; /* measuring */
        relume_layer view = relume_network_get_layer(census->network, l);
        census->layer[l] = (struct rlm_census_layer){
            .account = {.name = view.name, .foreign_name = view.foreign_name, .units = units, .unit = unit},
            .unit = unit,
            .active = active,
        };
    }
    size_t first = census->layers > 0 ? census->network->layers[0].out_features : 0;
    census->known = rlm_arena_take(arena, first, sizeof *census->known);
}

/* The part of creation that stored and counted censuses share. NULL: no memory, and the error says so. */
static relume_census *census_new(const relume_network *network, const relume_census_options *options,
                                 relume_error *error)
{
    const relume_allocator *allocator = &network->engine->allocator;
    relume_census *census = rlm_alloc_zero(allocator, 1, sizeof *census);
    if (!census) {
        (void)rlm_error_memory(error, sizeof *census, "a census");
        return NULL;
    }
    census->network = network;
    census->layers = network->layer_count - 1;
    census->loss = census->accuracy = (double)NAN;
    relume_census_options_default(&census->options);
    if (options)
        census->options = *options;
    layout(&census->arena, census);
    size_t wanted = census->arena.used;
    if (!rlm_arena_init(&census->arena, allocator)) {
        relume_census_destroy(census);
        (void)rlm_error_memory(error, wanted, "the account of a census");
        return NULL;
    }
    layout(&census->arena, census);
    return census;
}

relume_status rlm_census_create_stored(const relume_network *network, uint64_t samples,
                                       const relume_census_options *options, relume_census **census,
                                       relume_error *error)
{
    rlm_error_clear(error);
    relume_census *made = census_new(network, options, error);
    if (!made)
        return RELUME_NO_MEMORY;
    made->samples = samples;
    *census = made;
    return RELUME_OK;
}

static const char *split_name(relume_split split)
{
    return split == RELUME_SPLIT_TEST ? "test" : split == RELUME_SPLIT_TRAIN ? "train" : "all";
}

static size_t batch_capacity(const relume_census *census)
{
    size_t wanted = census->options.batch_size;
    if (wanted == 0)
        wanted = rlm_pass_capacity(census->rows.count);
    wanted = rlm_size_max(1, rlm_size_min(wanted, census->rows.count));
    return rlm_round_up(wanted, RLM_LANES);
}

/* Gives a new census its data and the buffers of a pass over them. */
static relume_status census_equip(relume_census *census, const relume_dataset *dataset,
                                  const struct rlm_pass *lender, relume_error *error)
{
    census->dataset = dataset;
    census->samples = census->rows.count;
    census->has_loss =
        dataset->task != RELUME_UNLABELLED && rlm_loss_check(census->network, dataset, NULL) == RELUME_OK;
    const unsigned wants = RLM_PASS_ACTIVE | RLM_PASS_LIVE | RLM_PASS_MARGIN | RLM_PASS_SUM;
    RLM_TRY(
        rlm_pass_init_beside(&census->pass, census->network, batch_capacity(census), wants, lender, error));
    if (!census->has_loss)
        return RELUME_OK;
    return rlm_loss_init(&census->loss_pass, census->network, dataset, census->pass.capacity, error);
}

relume_status relume_census_create(const relume_network *network, const relume_dataset *dataset,
                                   relume_split split, const relume_census_options *options,
                                   relume_census **census, relume_error *error)
{
    return rlm_census_create_beside(network, dataset, split, options, NULL, census, error);
}

relume_status rlm_census_create_beside(const relume_network *network, const relume_dataset *dataset,
                                       relume_split split, const relume_census_options *options,
                                       const struct rlm_pass *lender, relume_census **census,
                                       relume_error *error)
{
    rlm_error_clear(error);
    if (options && !(options->nearly_dead >= 0 && options->nearly_dead <= 1)) {
        rlm_error_at_item(error, "nearly_dead");
        return rlm_error_set(error, RELUME_USAGE, "nearly_dead is %g, expected a share from 0 to 1",
                             options->nearly_dead);
    }
    RLM_TRY(rlm_pass_check(network, dataset, error));
    struct rlm_rows rows = rlm_dataset_rows(dataset, split);
    if (rows.count == 0)
        return rlm_error_set(error, RELUME_NOT_FOUND, "%s has no samples in its %s split", dataset->name,
                             split_name(split));
    relume_census *made = census_new(network, options, error);
    if (!made)
        return RELUME_NO_MEMORY;
    made->rows = rows;
    relume_status status = census_equip(made, dataset, lender, error);
    if (status == RELUME_OK)
        *census = made;
    else
        relume_census_destroy(made);
    return status;
}

void rlm_census_close(relume_census *census)
{
    rlm_loss_deinit(&census->loss_pass);
    rlm_pass_deinit(&census->pass);
    census->dataset = NULL;
}

void relume_census_destroy(relume_census *census)
{
    if (!census)
        return;
    rlm_loss_deinit(&census->loss_pass);
    rlm_pass_deinit(&census->pass);
    rlm_arena_deinit(&census->arena);
    rlm_free(census);
}

static void census_begin(relume_census *census)
{
    rlm_pass_reset(&census->pass);
    for (size_t l = 0; l < census->layers; l++)
        memset(census->layer[l].active, 0, census->layer[l].account.units * sizeof *census->layer[l].active);
    if (census->layers > 0)
        rlm_pass_leave_out(&census->pass, 0, census->known);
}

static void add_active(relume_census *census)
{
    for (size_t l = 0; l < census->layers; l++) {
        const uint32_t *batch = census->pass.layer[l].active;
        uint64_t *total = census->layer[l].active;
        for (size_t u = 0; u < census->layer[l].account.units; u++)
            total[u] += batch[u];
    }
}

static double add_lanes(const double lanes[RLM_LANES])
{
    double sum = 0;
    for (size_t i = 0; i < RLM_LANES; i++)
        sum += lanes[i];
    return sum;
}

/* Everything went well: the new account takes the place of the former one. */
static void census_publish(relume_census *census, const struct rlm_loss_sum *sum)
{
    for (size_t l = 0; l < census->layers; l++) {
        const struct rlm_pass_layer *pass = &census->pass.layer[l];
        struct rlm_census_layer *layer = &census->layer[l];
        for (size_t u = 0; u < layer->account.units; u++) {
            if (l == 0 && census->known[u])
                continue;
            layer->unit[u].active = layer->active[u];
            layer->unit[u].margin = pass->margin[u];
            layer->unit[u].mean_activation = add_lanes(pass->sum + u * RLM_LANES) / (double)census->samples;
        }
    }
    rlm_census_settle(census);
    census->counted = true;
    if (census->has_loss) {
        census->loss = rlm_loss_mean(sum);
        census->accuracy = rlm_loss_accuracy(sum, census->dataset);
    }
}

/* Every sample once. */
static relume_status count_samples(relume_census *census, const volatile int *stop, struct rlm_loss_sum *sum,
                                   relume_error *error)
{
    for (size_t done = 0; done < census->rows.count; done += census->pass.capacity) {
        if (stop && *stop)
            return rlm_error_set(error, RELUME_INTERRUPTED, "stopped while counting");
        struct rlm_batch batch = {.dataset = census->dataset,
                                  .first = census->rows.first + done,
                                  .count = rlm_size_min(census->pass.capacity, census->rows.count - done)};
        struct rlm_fault fault;
        if (!rlm_pass_run(&census->pass, &batch, &fault))
            return rlm_fault_report(&fault, census->network, "counting", error);
        add_active(census);
        if (!census->has_loss)
            continue;
        rlm_loss_run(&census->loss_pass, &census->pass, &batch, NULL);
        rlm_loss_add(&census->loss_pass, batch.count, sum);
    }
    return RELUME_OK;
}

relume_status rlm_census_count(relume_census *census, const volatile int *stop, relume_error *error)
{
    rlm_error_clear(error);
    if (!census->dataset)
        return rlm_error_set(error, RELUME_USAGE,
                             "this census was read from a history and has no data to count over");
    struct rlm_loss_sum sum = {0};
    census_begin(census);
    relume_status status = count_samples(census, stop, &sum, error);
    if (status == RELUME_OK)
        census_publish(census, &sum);
    if (census->layers > 0)
        memset(census->known, 0, census->layer[0].account.units);
    return status;
}

relume_status relume_census_count(relume_census *census, relume_error *error)
{
    return rlm_census_count(census, NULL, error);
}
