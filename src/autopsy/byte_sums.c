/* See byte_sums.h. */
#include "autopsy/byte_sums.h"

#include <string.h>

static void layout(struct rlm_arena *arena, struct rlm_byte_sums *sums)
{
    size_t groups = rlm_divide_up(sums->samples, RLM_GROUP);
    sums->sum = rlm_arena_take(arena, groups * RLM_GROUP, sizeof *sums->sum);
    sums->heaviest = rlm_arena_take(arena, groups, sizeof *sums->heaviest);
    sums->ones = rlm_arena_take(arena, 4 * sums->sketch.quads, sizeof *sums->ones);
}

/* The sums of a group; bytes beyond the last sample are 0. */
static void sum_group(void *context, size_t group, size_t thread)
{
    (void)thread;
    const struct rlm_byte_sums *sums = context;
    struct rlm_sketch_group made = rlm_byte_sums_group(sums, group, 0.0f);
    rlm_sketch_weigh(&sums->sketch, sums->ones, sums->sum + group * RLM_GROUP, &made);
    sums->heaviest[group] = made.heaviest;
}

void rlm_byte_sums_init(struct rlm_byte_sums *sums, const relume_network *network,
                        const struct rlm_inputs *inputs)
{
    struct rlm_byte_sums made = {.samples = inputs->samples, .inputs = inputs, .x = inputs->bytes};
    *sums = (struct rlm_byte_sums){0};
    if (!made.x || !rlm_sketch_init(&made.sketch, network, &network->scaling))
        return;
    layout(&made.arena, &made);
    if (!rlm_arena_init(&made.arena, &inputs->engine->allocator))
        return;
    layout(&made.arena, &made);
    memset(made.ones, 1, 4 * made.sketch.quads);
    rlm_pool_run(inputs->engine->pool, sum_group, &made, rlm_divide_up(made.samples, RLM_GROUP));
    *sums = made;
}

void rlm_byte_sums_deinit(struct rlm_byte_sums *sums)
{
    rlm_arena_deinit(&sums->arena);
    *sums = (struct rlm_byte_sums){0};
}

struct rlm_sketch_group rlm_byte_sums_group(const struct rlm_byte_sums *sums, size_t group, float longest)
{
    return (struct rlm_sketch_group){.x = sums->x + group * RLM_GROUP * 4 * sums->sketch.quads,
                                     .sum = sums->sum + group * RLM_GROUP,
                                     .heaviest = sums->heaviest[group],
                                     .longest = longest,
                                     .quads = rlm_inputs_quads(sums->inputs, group)};
}
