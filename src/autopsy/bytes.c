/* The raw bytes of D beside its floats. See inputs.h: they are for speed alone. A reading of all of D takes
 * as long as its memory takes, and bytes are a quarter of it. */
#include <string.h>

#include "autopsy/inputs.h"
#include "base/error.h"
#include "network/sketch.h"

static size_t groups_of(const struct rlm_inputs *inputs)
{
    return rlm_divide_up(inputs->samples, RLM_GROUP);
}

/* Floats of a thread's memory for a group. */
static size_t wide_floats(const struct rlm_inputs *inputs)
{
    return rlm_round_up(inputs->features * RLM_GROUP + 3 * (size_t)RLM_LANES, RLM_LANES);
}

static void wide_layout(struct rlm_arena *arena, struct rlm_inputs *inputs)
{
    inputs->wide = rlm_arena_take(arena, rlm_pool_threads(inputs->engine->pool) * wide_floats(inputs),
                                  sizeof *inputs->wide);
}

_Static_assert(RLM_GROUP == RLM_BYTE_GROUP, "groups are the same");

static void layout(struct rlm_arena *arena, struct rlm_inputs *inputs)
{
    size_t group = (size_t)RLM_GROUP * 4 * rlm_divide_up(inputs->features, 4), bytes = 0;
    if (!rlm_size_multiply(groups_of(inputs), group, &bytes))
        arena->overflow = true;
    inputs->bytes = rlm_arena_take(arena, bytes, 1);
    inputs->quad = rlm_arena_take(arena, bytes / ((size_t)RLM_GROUP * 4), sizeof *inputs->quad);
    inputs->quad_count = rlm_arena_take(arena, groups_of(inputs), sizeof *inputs->quad_count);
    wide_layout(arena, inputs);
}

relume_status rlm_inputs_share(struct rlm_inputs *inputs, const struct rlm_inputs *of, relume_engine *engine,
                               relume_error *error)
{
    struct rlm_inputs made = *of;
    made.engine = engine;
    made.arena = made.lists = made.raw = (struct rlm_arena){0};
    if (made.widen) {
        wide_layout(&made.raw, &made);
        size_t bytes = made.raw.overflow ? SIZE_MAX : made.raw.used;
        if (!rlm_arena_init(&made.raw, &engine->allocator))
            return rlm_error_memory(error, bytes, "a part of the training split");
        wide_layout(&made.raw, &made);
    }
    *inputs = made;
    return RELUME_OK;
}

struct fill_region {
    const struct rlm_inputs *inputs;
    const uint8_t *raw; /* [·, features] */
};

static bool is_used(const uint8_t *quad)
{
    unsigned any = 0;
    for (size_t i = 0; i < RLM_QUAD_BYTES; i++)
        any |= quad[i];
    return any != 0;
}

/* Lists the quads of a group that are not all 0, and moves them together: they are read one after the other.
 */
static void list_quads(const struct rlm_inputs *inputs, size_t group)
{
    size_t quads = rlm_divide_up(inputs->features, 4), count = 0;
    uint8_t *bytes = inputs->bytes + group * quads * RLM_QUAD_BYTES;
    for (size_t quad = 0; quad < quads; quad++) {
        if (!is_used(bytes + quad * RLM_QUAD_BYTES))
            continue;
        if (count < quad)
            memcpy(bytes + count * RLM_QUAD_BYTES, bytes + quad * RLM_QUAD_BYTES, RLM_QUAD_BYTES);
        inputs->quad[group * quads + count++] = (uint16_t)quad;
    }
    inputs->quad_count[group] = (uint32_t)count;
}

static void fill_group(void *context, size_t group, size_t thread)
{
    (void)thread;
    const struct fill_region *region = context;
    const struct rlm_inputs *inputs = region->inputs;
    size_t features = inputs->features, first = group * RLM_GROUP;
    uint8_t *bytes = inputs->bytes + first * 4 * rlm_divide_up(features, 4);
    for (size_t place = first; place < rlm_size_min(inputs->samples, first + RLM_GROUP); place++)
        rlm_bytes_put(bytes, place - first, region->raw + rlm_inputs_sample(inputs, place) * features,
                      features);
    list_quads(inputs, group);
}

void rlm_inputs_keep_bytes(struct rlm_inputs *inputs, const relume_network *network,
                           const relume_dataset *dataset)
{
    enum rlm_cpu_level level = inputs->engine->level;
    const relume_scaling *scaling = &network->scaling;
    bool useful = rlm_widen_find(level) || rlm_dots_find(level);
    if (!useful || dataset->element != RELUME_U8 || inputs->features > RLM_SKETCH_LONGEST)
        return;
    layout(&inputs->raw, inputs);
    if (!rlm_arena_init(&inputs->raw, &inputs->engine->allocator)) {
        inputs->bytes = NULL;
        return;
    }
    layout(&inputs->raw, inputs);
    struct fill_region region = {inputs, dataset->x}; /* training rows come first in a dataset */
    rlm_pool_run(inputs->engine->pool, fill_group, &region, groups_of(inputs));
    if (scaling->uniform && scaling->offset[0] == 0.0f && scaling->divisor[0] == 255.0f)
        inputs->widen = rlm_widen_find(level);
}

static const float *widened(const struct rlm_inputs *inputs, size_t group, size_t thread)
{
    size_t all = rlm_divide_up(inputs->features, 4);
    float *wide = inputs->wide + thread * wide_floats(inputs);
    struct rlm_quads quads = rlm_inputs_quads(inputs, group);
    if (!inputs->used_count && quads.count < all) /* nobody knows which they are */
        memset(wide, 0, wide_floats(inputs) * sizeof *wide);
    inputs->widen(inputs->bytes + group * RLM_GROUP * 4 * all, inputs->features, quads, wide);
    return wide;
}

struct rlm_forward rlm_inputs_group(const struct rlm_inputs *inputs, size_t group, size_t thread,
                                    const struct rlm_dense *dense, size_t units, float *z)
{
    size_t first = group * RLM_GROUP;
    struct rlm_forward forward = {.batch = rlm_size_min(RLM_GROUP, inputs->samples - first),
                                  .in_features = inputs->features,
                                  .out_features = units,
                                  .weight = dense->weight,
                                  .stride = dense->stride,
                                  .bias = dense->bias,
                                  .z = z};
    forward.x = inputs->widen ? widened(inputs, group, thread) : inputs->x + first * inputs->features;
    if (inputs->used_count) {
        forward.inputs = inputs->used + group * inputs->features;
        forward.input_count = inputs->used_count[group];
    }
    return forward;
}
