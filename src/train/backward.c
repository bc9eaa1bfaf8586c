/* See backward.h. */
#include "train/backward.h"

#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "network/range.h"
#include "network/terms.h"

static size_t panel_width(const relume_network *network, size_t l)
{
    return rlm_round_up(network->layers[l].out_features, RLM_LANES);
}

enum place { OWN, BATCH, ABOVE };

/* Where dz of layer l lies: in a buffer of the pass that nobody reads any more when it is written, where one
 * is large enough. The packed batch serves the forward pass alone, and z of layer l + 1 the layers above that
 * one. Never z of the first layer, where units that are left out hold a 0 that is to stay. The logits are
 * read while their dz is written. */
static enum place place_of(const struct rlm_pass *pass, size_t l)
{
    const relume_network *network = pass->network;
    if (rlm_pass_holds_dz(pass, l))
        return BATCH;
    bool last = l + 1 == network->layer_count;
    return !last && panel_width(network, l + 1) >= panel_width(network, l) ? ABOVE : OWN;
}

/* Layers that follow one another never both have room of their own. */
static void backward_layout(struct rlm_arena *arena, struct rlm_backward *backward,
                            const struct rlm_pass *pass)
{
    const relume_network *network = pass->network;
    size_t layers = network->layer_count, own = 0, elements = 0, widest = 0;
    backward->layer = rlm_arena_take(arena, layers, sizeof *backward->layer);
    backward->dz = rlm_arena_take(arena, layers, sizeof *backward->dz);
    for (size_t l = 0; l < layers; l++) {
        widest = rlm_size_max(widest, network->layers[l].out_features);
        if (place_of(pass, l) == OWN)
            own = rlm_size_max(own, panel_width(network, l));
    }
    backward->awake = rlm_arena_take(arena, widest, sizeof *backward->awake);
    backward->apart = rlm_arena_take(arena, widest, sizeof *backward->apart);
    if (pass->capacity > SIZE_MAX - RLM_LANES ||
        !rlm_size_multiply(rlm_round_up(pass->capacity, RLM_LANES), own, &elements))
        arena->overflow = true;
    float *room = rlm_arena_take(arena, elements, sizeof(float));
    for (size_t l = 0; backward->dz && l < layers; l++) {
        enum place place = place_of(pass, l);
        backward->dz[l] = place == BATCH ? pass->x : place == ABOVE ? pass->layer[l + 1].z : room;
    }
}

relume_status rlm_backward_init(struct rlm_backward *backward, const struct rlm_pass *pass,
                                relume_error *error)
{
    struct rlm_backward made = {0};
    backward_layout(&made.arena, &made, pass);
    size_t bytes = made.arena.overflow ? SIZE_MAX : made.arena.used;
    if (!rlm_arena_init(&made.arena, &pass->network->engine->allocator))
        return rlm_error_memory(error, bytes, "the gradients of a batch");
    backward_layout(&made.arena, &made, pass);
    made.dlogits = made.dz[pass->network->layer_count - 1];
    *backward = made;
    return RELUME_OK;
}

void rlm_backward_deinit(struct rlm_backward *backward)
{
    rlm_arena_deinit(&backward->arena);
    *backward = (struct rlm_backward){0};
}

/* ---- one layer ---- */

struct weights_region {
    const struct rlm_kernels *kernels;
    const struct rlm_layer *layer;
    const struct rlm_condensed *condensed; /* what the arguments are of; NULL: the whole layer */
    struct rlm_backward_weights arguments;
    struct rlm_copies copies; /* of x_features */
    size_t first;             /* of rlm_stride_task */
};

static void weights_range(void *context, size_t begin, size_t end)
{
    const struct weights_region *region = context;
    struct rlm_backward_weights arguments = region->arguments;
    arguments.x_features += rlm_copies_at(region->copies, region->first + begin, arguments.out_features);
    region->kernels->backward_weights(&arguments, region->first + begin, region->first + end);
    if (region->condensed)
        rlm_condensed_hand_over(region->condensed, region->layer, arguments.units, region->first + begin,
                                region->first + end);
}

/* The updates of `arguments`, all of them. */
static void weights_update(const struct rlm_backward *backward, const struct rlm_pass *pass, size_t index,
                           struct weights_region *region, size_t work)
{
    struct rlm_stride_task task = {.pool = pass->network->engine->pool,
                                   .layer = &pass->network->layers[index],
                                   .units = region->arguments.units,
                                   .count = region->arguments.out_features,
                                   .work = work,
                                   .task = weights_range,
                                   .context = region,
                                   .first = &region->first};
    rlm_stride_run(backward->stride, &task);
}

bool rlm_update_is_still(const struct rlm_update *update)
{
    return update->kind == RLM_UPDATE_SGD && update->decay == 0.0f;
}

/* ---- rows of dW ---- */

/* The units of a layer, those whose gradient is worked out before those whose gradient is +0, a sum over no
 * samples: column n of dz is of units[n]. NULL: all of them are worked out. */
struct rows {
    const uint32_t *units;
    size_t count; /* of those that are worked out */
};

/* NULL where nobody is watched. */
static struct rlm_sleep *sleep_of(const struct rlm_backward *backward, size_t index)
{
    return backward->sleep && backward->sleep[index].units > 0 ? &backward->sleep[index] : NULL;
}

/* Fewer rows than one in so many are not worth a list. */
#define APART_SHARE 16

/* Lists the units that are worked out, and behind them those that no sample of the batch opened and none has
 * for long. Returns how many come first. */
static size_t list_apart(const struct rlm_backward *backward, const struct rlm_sleep *sleep,
                         const uint32_t *active)
{
    size_t live = 0, silent = 0;
    for (size_t n = 0; n < sleep->units; n++)
        if (active[n] == 0 && rlm_sleep_is_silent(sleep, n, backward->step))
            backward->awake[silent++] = (uint32_t)n;
        else
            backward->apart[live++] = (uint32_t)n;
    memcpy(backward->apart + live, backward->awake, silent * sizeof *backward->apart);
    return live;
}

/* Moves the columns of `units` [count] together, of `all` in sample panels: neighbours at once. */
static void columns_gather(float *dz, size_t panels, const uint32_t *units, size_t count, size_t all)
{
    for (size_t panel = 0; panel < panels; panel++)
        for (size_t i = 0, run; i < count; i += run) {
            for (run = 1; i + run < count && units[i + run] == units[i] + run;)
                run++;
            memmove(dz + (panel * count + i) * RLM_LANES, dz + (panel * all + units[i]) * RLM_LANES,
                    run * RLM_LANES * sizeof *dz);
        }
}

/* Units that have been silent for long, apart from the others, where the pass has no list. */
static struct rows rows_apart(const struct rlm_backward *backward, const struct rlm_pass *pass, size_t index,
                              float *dz)
{
    const struct rlm_sleep *sleep = sleep_of(backward, index);
    size_t units = pass->network->layers[index].out_features;
    if (!sleep || sleep->silent * APART_SHARE < units)
        return (struct rows){NULL, units};
    size_t live = list_apart(backward, sleep, pass->layer[index].active);
    columns_gather(dz, rlm_divide_up(pass->batch, RLM_LANES), backward->apart, live, units);
    return (struct rows){backward->apart, live};
}

static struct rows rows_of(const struct rlm_backward *backward, const struct rlm_pass *pass, size_t index,
                           float *dz)
{
    const struct rlm_pass_layer *kept = &pass->layer[index];
    if (kept->listed)
        return (struct rows){kept->live, kept->live_count};
    return rows_apart(backward, pass, index, dz);
}

/* Of some units those that are not asleep; returns how many. */
static size_t awake_list(const struct rlm_backward *backward, const struct rlm_sleep *sleep,
                         const uint32_t *units, size_t count)
{
    size_t awake = 0;
    for (size_t i = 0; i < count; i++)
        if (sleep->slept[units[i]] == 0)
            backward->awake[awake++] = units[i];
        else
            sleep->motion[units[i]] = RLM_MOTION_ENDED;
    return awake;
}

/* The rows beyond rows->count. Whatever else moves them (momentum, decay) still does. */
static void silent_weights(const struct rlm_backward *backward, const struct rlm_pass *pass, size_t index,
                           const struct rows *rows, struct weights_region *region)
{
    const struct rlm_layer *layer = &pass->network->layers[index];
    if (rlm_update_is_still(&region->arguments.weight_update) &&
        rlm_update_is_still(&region->arguments.bias_update))
        return;
    const uint32_t *units = rows->units + rows->count;
    size_t count = layer->out_features - rows->count;
    const struct rlm_sleep *sleep = sleep_of(backward, index);
    if (sleep && sleep->sleepers > 0) {
        count = awake_list(backward, sleep, units, count);
        units = backward->awake;
    }
    region->arguments.batch = 0;
    region->arguments.units = units;
    region->arguments.out_features = count;
    /* an element's update costs some eight multiply-adds: it is read and written from far away */
    if (count > 0)
        weights_update(backward, pass, index, region, count * region->arguments.in_features * 8);
}

/* Where at most half of the inputs are live, dW takes their columns alone: the gradient of a weight whose
 * input was 0 throughout is +0. A column has to be put in its place one by one, which must be made up for. */
static const uint32_t *features_list(const struct rlm_pass *pass, const struct rlm_pass_layer *below,
                                     size_t features)
{
    bool pays = below->listed && (pass->eager || below->live_count <= features / 2);
    return pays ? below->live : NULL;
}

/* The second layer while it is condensed; NULL: it is not, or it is another. */
static const struct rlm_condensed *condensed_at(const struct rlm_backward *backward, size_t index)
{
    bool is = index == 1 && backward->condensed && backward->condensed->count > 0;
    return is ? backward->condensed : NULL;
}

struct rlm_sleep_place rlm_backward_place(const struct rlm_backward *backward, const relume_network *network,
                                          size_t layer, uint64_t step)
{
    const struct rlm_condensed *condensed = condensed_at(backward, layer);
    struct rlm_sleep_place place = rlm_sleep_place_of(network, layer, &backward->layer[layer], step);
    return condensed ? rlm_condensed_place(condensed, &place) : place;
}

/* The same work on fewer inputs. */
static void put_condensed(const struct rlm_pass *pass, const struct rlm_condensed *condensed,
                          struct weights_region *region)
{
    struct rlm_backward_weights *arguments = &region->arguments;
    region->condensed = condensed;
    arguments->in_features = arguments->feature_count = condensed->count;
    arguments->features = NULL;
    arguments->x_features = rlm_pass_features(pass, 1, condensed->live, condensed->count);
    arguments->stride = condensed->stride;
    arguments->weight = condensed->weight;
    arguments->weight_s1 = condensed->s1;
    arguments->weight_s2 = condensed->s2;
}

static void layer_weights(const struct rlm_backward *backward, const struct rlm_pass *pass, size_t index,
                          float *dz)
{
    const relume_network *network = pass->network;
    const struct rlm_layer *layer = &network->layers[index];
    const struct rlm_pass_layer *kept = &pass->layer[index];
    const struct rlm_pass_layer *below = index > 0 ? kept - 1 : NULL;
    const struct rlm_layer_update *update = &backward->layer[index];
    const struct rlm_condensed *condensed = condensed_at(backward, index);
    const uint32_t *features = below && !condensed ? features_list(pass, below, layer->in_features) : NULL;
    size_t columns = features ? below->live_count : condensed ? condensed->count : layer->in_features;
    struct rlm_sleep *sleep = sleep_of(backward, index);
    struct rows rows = rows_of(backward, pass, index, dz);
    struct rlm_terms terms;
    bool few = kept->live && !below && rlm_terms_weights(pass, &terms);
    struct weights_region region = {
        .kernels = network->kernels,
        .layer = layer,
        .arguments = {.batch = pass->batch,
                      .in_features = layer->in_features,
                      .out_features = rows.count,
                      .dz = dz,
                      .x_features = condensed ? NULL : rlm_pass_features(pass, index, features, columns),
                      .features = features,
                      .feature_count = columns,
                      .terms = few ? &terms : NULL,
                      .units = rows.units,
                      .skip_zeros = kept->live != NULL,
                      .faint = backward->faint,
                      .weight_update = update->weight,
                      .bias_update = update->bias,
                      .stride = layer->stride,
                      .weight = layer->weight,
                      .bias = layer->bias,
                      .weight_s1 = update->weight_s1,
                      .weight_s2 = update->weight_s2,
                      .bias_s1 = update->bias_s1,
                      .bias_s2 = update->bias_s2,
                      .dweight = update->dweight,
                      .dbias = update->dbias,
                      .motion = sleep ? sleep->motion : NULL,
                      .rest = backward->rest},
        .copies = below ? (struct rlm_copies){1, 0} : pass->copies,
    };
    if (condensed)
        put_condensed(pass, condensed, &region);
    if (sleep) {
        struct rlm_sleep_place place = rlm_backward_place(backward, network, index, backward->step);
        rlm_sleep_wake(sleep, &place, rows.units, rows.count);
        memset(sleep->motion, RLM_MOTION_MOVED, sleep->units);
    }
    rlm_stride_begin(backward->stride, layer);
    weights_update(backward, pass, index, &region, pass->batch * columns * region.arguments.out_features);
    if (rows.units)
        silent_weights(backward, pass, index, &rows, &region);
    rlm_stride_end(backward->stride, layer, index);
}

struct input_region {
    const struct rlm_kernels *kernels;
    struct rlm_backward_input arguments;
};

static void input_range(void *context, size_t begin, size_t end)
{
    const struct input_region *region = context;
    region->kernels->backward_input(&region->arguments, begin, end);
}

static void layer_input_gradient(const struct rlm_backward *backward, const struct rlm_pass *pass,
                                 size_t index)
{
    const float *dz = backward->dz[index];
    const relume_network *network = pass->network;
    const struct rlm_layer *layer = &network->layers[index];
    const struct rlm_pass_layer *kept = &pass->layer[index], *below = kept - 1;
    struct rlm_terms terms;
    bool few = kept->live && rlm_terms_backward(pass, index, dz, &terms);
    struct input_region region = {
        .kernels = network->kernels,
        .arguments = {.batch = pass->batch,
                      .in_features = below->listed ? below->live_count : layer->in_features,
                      .out_features = kept->listed ? kept->live_count : layer->out_features,
                      .dz = dz,
                      .weight = layer->weight,
                      .stride = layer->stride,
                      .units = kept->listed ? kept->live : NULL,
                      .features = below->listed ? below->live : NULL,
                      .terms = few ? &terms : NULL,
                      .faint = backward->faint,
                      .gates = below->gates,
                      .gate_features = layer->in_features,
                      .dx = backward->dz[index - 1]},
    };
    rlm_range_run(network->engine->pool, region.arguments.in_features,
                  pass->batch * region.arguments.in_features * region.arguments.out_features, input_range,
                  &region);
}

void rlm_backward_run(struct rlm_backward *backward, const struct rlm_pass *pass)
{
    for (size_t l = pass->network->layer_count; l-- > 0;) {
        if (l > 0) /* before the update: it needs the weights of the forward pass */
            layer_input_gradient(backward, pass, l);
        layer_weights(backward, pass, l, backward->dz[l]);
    }
}
