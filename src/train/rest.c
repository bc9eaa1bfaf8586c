/* See rest.h. */
#include "train/rest.h"

#include "network/range.h"

void rlm_rest_layout(struct rlm_arena *arena, struct rlm_rest *rest, size_t units)
{
    rest->units = units;
    rest->stirred = rlm_arena_take(arena, units, sizeof *rest->stirred);
    rest->motion = rlm_arena_take(arena, units, sizeof *rest->motion);
    rest->proved = rlm_arena_take(arena, units, sizeof *rest->proved);
    rest->slept = rlm_arena_take(arena, units, sizeof *rest->slept);
    rest->sleeper = rlm_arena_take(arena, units, sizeof *rest->sleeper);
    rest->missed = rlm_arena_take(arena, units, sizeof *rest->missed);
}

void rlm_rest_forget(struct rlm_rest *rest, struct rlm_pass *pass, uint64_t step)
{
    for (size_t n = 0; n < rest->units; n++) {
        rest->stirred[n] = step;
        rest->proved[n] = 0;
        rest->slept[n] = 0;
    }
    rest->sleepers = 0;
    if (rest->units > 0)
        rlm_pass_leave_out(pass, 0, rest->proved);
}

void rlm_rest_note(struct rlm_rest *rest, struct rlm_pass *pass, uint64_t step, bool still)
{
    const struct rlm_pass_layer *layer = &pass->layer[0];
    bool lost = false;
    for (size_t n = 0; n < rest->units; n++) {
        /* a unit that was not left out of the backward pass was moved along with the living */
        bool coasts = !still && layer->listed && layer->active[n] == 0;
        if (coasts && rest->motion[n] == RLM_MOTION_ENDED && rest->proved[n] && rest->slept[n] == 0) {
            rest->slept[n] = step;
            rest->sleepers++;
        }
        if (coasts ? rest->motion[n] != RLM_MOTION_MOVED : still && layer->active[n] == 0)
            continue;
        rest->stirred[n] = step;
        lost |= rest->proved[n];
        rest->proved[n] = 0;
    }
    if (lost)
        rlm_pass_leave_out(pass, 0, rest->proved);
}

void rlm_rest_note_epoch(struct rlm_rest *rest, struct rlm_pass *pass, uint64_t first)
{
    bool found = false;
    for (size_t n = 0; n < rest->units; n++) {
        found |= !rest->proved[n] && rest->stirred[n] < first;
        rest->proved[n] |= rest->stirred[n] < first;
    }
    if (found)
        rlm_pass_leave_out(pass, 0, rest->proved);
}

void rlm_rest_put_back(const struct rlm_rest *rest, struct rlm_pass *pass)
{
    rlm_pass_leave_out(pass, 0, rest->proved);
}

void rlm_rest_note_dead(struct rlm_rest *rest, struct rlm_pass *pass, const uint8_t *dead)
{
    for (size_t n = 0; n < rest->units; n++)
        rest->proved[n] |= dead[n] != 0;
    if (rest->units > 0)
        rlm_pass_leave_out(pass, 0, rest->proved);
}

struct decay_region {
    const struct rlm_kernels *kernels;
    struct rlm_decay arguments;
};

static void decay_range(void *context, size_t begin, size_t end)
{
    const struct decay_region *region = context;
    region->kernels->decay(&region->arguments, begin, end);
}

/* One state of all sleepers, a matrix or, of one column, a vector; NULL: the optimizer has none such. */
static void catch_up(const struct rlm_rest *rest, const relume_network *network, float *state, size_t columns,
                     size_t stride, float keep)
{
    struct decay_region region = {network->kernels,
                                  {columns, stride, rest->sleeper, rest->missed, keep, state}};
    if (state)
        rlm_range_run(network->engine->pool, rest->sleepers, rest->sleepers * columns * 64, decay_range,
                      &region);
}

void rlm_rest_wake(struct rlm_rest *rest, const relume_network *network, const struct rlm_layer_update *first,
                   uint64_t step)
{
    const struct rlm_layer *layer = &network->layers[0];
    if (rest->sleepers == 0)
        return;
    for (size_t n = 0, i = 0; n < rest->units; n++)
        if (rest->slept[n] > 0) {
            rest->sleeper[i] = (uint32_t)n;
            rest->missed[i++] = step - rest->slept[n];
            rest->slept[n] = 0;
        }
    bool adam = first->weight.kind == RLM_UPDATE_ADAM || first->weight.kind == RLM_UPDATE_ADAMW;
    float keep = adam ? first->weight.beta1 : first->weight.momentum;
    catch_up(rest, network, first->weight_s1, layer->in_features, layer->stride, keep);
    catch_up(rest, network, first->bias_s1, 1, 1, keep);
    catch_up(rest, network, first->weight_s2, layer->in_features, layer->stride, first->weight.beta2);
    catch_up(rest, network, first->bias_s2, 1, 1, first->weight.beta2);
    rest->sleepers = 0;
}
