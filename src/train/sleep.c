/* See sleep.h. */
#include "train/sleep.h"

#include "network/range.h"
#include "train/backward.h"

void rlm_sleep_layout(struct rlm_arena *arena, struct rlm_sleep *sleep, size_t units)
{
    sleep->units = units;
    sleep->motion = rlm_arena_take(arena, units, sizeof *sleep->motion);
    sleep->slept = rlm_arena_take(arena, units, sizeof *sleep->slept);
    sleep->fired = rlm_arena_take(arena, units, sizeof *sleep->fired);
    sleep->late = rlm_arena_take(arena, units, sizeof *sleep->late);
    sleep->missed = rlm_arena_take(arena, units, sizeof *sleep->missed);
}

void rlm_sleep_forget(struct rlm_sleep *sleep)
{
    for (size_t n = 0; n < sleep->units; n++)
        sleep->slept[n] = sleep->fired[n] = 0;
    sleep->sleepers = sleep->silent = 0;
}

/* A state has decayed to a thousandth by then, of the 2⁻²⁷ of a weight that it has to fall to. */
#define SILENT_UPDATES 64

bool rlm_sleep_is_silent(const struct rlm_sleep *sleep, size_t unit, uint64_t step)
{
    return step >= sleep->fired[unit] + SILENT_UPDATES;
}

void rlm_sleep_note(struct rlm_sleep *sleep, const uint32_t *active, uint64_t step)
{
    sleep->silent = 0;
    for (size_t n = 0; n < sleep->units; n++) {
        if (active[n] > 0) {
            sleep->fired[n] = step;
            continue;
        }
        sleep->silent += rlm_sleep_is_silent(sleep, n, step);
        if (sleep->motion[n] == RLM_MOTION_ENDED && sleep->slept[n] == 0) {
            sleep->slept[n] = step;
            sleep->sleepers++;
        }
    }
}

/* ---- catching up ---- */

struct decay_region {
    const struct rlm_kernels *kernels;
    struct rlm_decay arguments;
};

static void decay_range(void *context, size_t begin, size_t end)
{
    const struct decay_region *region = context;
    region->kernels->decay(&region->arguments, begin, end);
}

struct rlm_sleep_place rlm_sleep_place_of(const relume_network *network, size_t layer,
                                          const struct rlm_layer_update *update, uint64_t step)
{
    const struct rlm_layer *shape = &network->layers[layer];
    return (struct rlm_sleep_place){.network = network,
                                    .update = update,
                                    .columns = shape->in_features,
                                    .stride = shape->stride,
                                    .s1 = update->weight_s1,
                                    .s2 = update->weight_s2,
                                    .step = step};
}

void rlm_latecomers_add(struct rlm_latecomers *late, size_t unit, uint64_t by)
{
    if (by == 0)
        return;
    late->unit[late->count] = (uint32_t)unit;
    late->by[late->count++] = by;
    late->missed += (size_t)by;
}

/* One of their states, a matrix or, of one column, a vector; NULL: the optimizer has none such. */
static void decay_state(const struct rlm_latecomers *late, const relume_network *network, float *state,
                        size_t columns, size_t stride, float keep)
{
    struct decay_region region = {network->kernels, {columns, stride, late->unit, late->by, keep, state}};
    if (state)
        rlm_range_run(network->engine->pool, late->count, late->missed * columns, decay_range, &region);
}

void rlm_latecomers_catch_up(const struct rlm_latecomers *late, const struct rlm_sleep_place *place,
                             bool biases)
{
    const struct rlm_layer_update *update = place->update;
    bool adam = update->weight.kind == RLM_UPDATE_ADAM || update->weight.kind == RLM_UPDATE_ADAMW;
    float keep = adam ? update->weight.beta1 : update->weight.momentum, keep2 = update->weight.beta2;
    if (late->count == 0)
        return;
    decay_state(late, place->network, place->s1, place->columns, place->stride, keep);
    decay_state(late, place->network, place->s2, place->columns, place->stride, keep2);
    decay_state(late, place->network, biases ? update->bias_s1 : NULL, 1, 1, keep);
    decay_state(late, place->network, biases ? update->bias_s2 : NULL, 1, 1, keep2);
}

void rlm_sleep_wake(struct rlm_sleep *sleep, const struct rlm_sleep_place *place, const uint32_t *units,
                    size_t count)
{
    struct rlm_latecomers late = {sleep->late, sleep->missed, 0, 0};
    if (sleep->sleepers == 0)
        return;
    for (size_t i = 0; i < (units ? count : sleep->units); i++) {
        size_t n = units ? units[i] : i;
        if (sleep->slept[n] == 0)
            continue;
        rlm_latecomers_add(&late, n, place->step - sleep->slept[n]);
        sleep->slept[n] = 0;
        sleep->sleepers--;
    }
    rlm_latecomers_catch_up(&late, place, true);
}

void rlm_sleep_settle(struct rlm_sleep *sleep, const struct rlm_sleep_place *place, const uint8_t *wanted)
{
    struct rlm_latecomers late = {sleep->late, sleep->missed, 0, 0};
    for (size_t n = 0; sleep->sleepers > 0 && n < sleep->units; n++) {
        if (sleep->slept[n] == 0 || (wanted && !wanted[n]))
            continue;
        rlm_latecomers_add(&late, n, place->step - sleep->slept[n]);
        sleep->slept[n] = place->step;
    }
    rlm_latecomers_catch_up(&late, place, true);
}
