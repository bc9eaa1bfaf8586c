/* See ground.h. */
#include "autopsy/ground.h"

#include <math.h>

#include "base/error.h"
#include "base/larger.h"

static void layout(struct rlm_arena *arena, struct rlm_ground *ground, size_t samples)
{
    ground->order = rlm_arena_take(arena, samples, sizeof *ground->order);
    ground->where = rlm_arena_take(arena, samples, sizeof *ground->where);
    ground->reach = rlm_arena_take(arena, ground->blocks * ground->groups, sizeof *ground->reach);
    ground->heaviest = rlm_arena_take(arena, ground->groups, sizeof *ground->heaviest);
}

/* Packs the data, and packs them again in the order that suits them. */
static void pack(struct rlm_ground *ground, const relume_network *network, const relume_dataset *dataset)
{
    struct rlm_inputs *data = &ground->data;
    rlm_inputs_pack(data, network, dataset);
    if (rlm_inputs_arrange(data, ground->order, ground->where)) {
        data->order = ground->order;
        data->where = ground->where;
        rlm_inputs_pack(data, network, dataset);
    }
    rlm_inputs_measure(data);
    rlm_inputs_keep_bytes(data, network, dataset);
    rlm_inputs_list(data);
    for (size_t place = 1; place < data->samples; place++)
        if (data->norm1[place] > data->norm1[ground->longest])
            ground->longest = place;
}

/* ‖x‖² of a block of features: the largest among the samples of a panel. */
static double measure_block(const struct rlm_inputs *data, size_t panel, size_t block)
{
    size_t end = rlm_size_min(data->features, (block + 1) * RLM_LANES);
    const float *x = data->x + panel * RLM_LANES * data->features;
    double sum[RLM_LANES] = {0}, largest = 0.0;
    for (size_t k = block * RLM_LANES; k < end; k++)
        for (size_t lane = 0; lane < RLM_LANES; lane++)
            sum[lane] += (double)x[k * RLM_LANES + lane] * (double)x[k * RLM_LANES + lane];
    for (size_t lane = 0; lane < RLM_LANES; lane++) /* 0 beyond the last sample */
        largest = rlm_larger(largest, sum[lane]);
    return largest;
}

static void measure_group(void *context, size_t group, size_t thread)
{
    (void)thread;
    const struct rlm_ground *ground = context;
    const struct rlm_inputs *data = &ground->data;
    size_t first = group * RLM_GROUP, last = rlm_size_min(data->samples, first + RLM_GROUP);
    for (size_t place = first; place < last; place++)
        ground->heaviest[group] =
            (float)rlm_larger((double)ground->heaviest[group], (double)rlm_at_least(data->norm1[place]));
    for (size_t block = 0; block < ground->blocks; block++) {
        double largest = 0.0;
        for (size_t panel = first / RLM_LANES; panel * RLM_LANES < last; panel++)
            largest = rlm_larger(largest, measure_block(data, panel, block));
        ground->reach[block * ground->groups + group] = rlm_at_least(sqrt(largest));
    }
}

static relume_status refuse_streamed(const relume_dataset *dataset, relume_error *error)
{
    rlm_error_clear(error);
    rlm_error_at_file(error, dataset->name);
    return rlm_error_set(error, RELUME_RESOURCE,
                         "%.300s: an autopsy holds the whole training split in memory, and this one is read "
                         "from its file because it is more than half of what there is; "
                         "RELUME_STREAM=never has it loaded all the same",
                         dataset->name);
}

relume_status rlm_ground_init(struct rlm_ground *ground, const relume_network *network,
                              const relume_dataset *dataset, relume_error *error)
{
    size_t samples = dataset->train_samples, features = network->layers[0].in_features;
    struct rlm_ground made = {.groups = rlm_divide_up(samples, RLM_GROUP),
                              .blocks = rlm_divide_up(features, RLM_LANES)};
    if (dataset->reader)
        return refuse_streamed(dataset, error);
    layout(&made.arena, &made, samples);
    size_t bytes = made.arena.overflow ? SIZE_MAX : made.arena.used;
    if (!rlm_arena_init(&made.arena, &network->engine->allocator))
        return rlm_error_memory(error, bytes, "the account of the training split");
    layout(&made.arena, &made, samples);
    relume_status status = rlm_inputs_init(&made.data, network->engine, samples, features, error);
    if (status != RELUME_OK) {
        rlm_arena_deinit(&made.arena);
        return status;
    }
    pack(&made, network, dataset);
    rlm_pool_run(network->engine->pool, measure_group, &made, made.groups);
    *ground = made;
    rlm_byte_sums_init(&ground->sums, network, &ground->data);
    return RELUME_OK;
}

void rlm_ground_deinit(struct rlm_ground *ground)
{
    rlm_byte_sums_deinit(&ground->sums);
    rlm_inputs_deinit(&ground->data);
    rlm_arena_deinit(&ground->arena);
    *ground = (struct rlm_ground){0};
}
