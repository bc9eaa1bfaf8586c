/* See condense.h. */
#include "train/condense.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "train/backward.h"

static void layout(struct rlm_arena *arena, struct rlm_condensed *condensed, size_t slots)
{
    size_t units = condensed->units, most = condensed->features / 2, elements = 0;
    if (!rlm_size_multiply(units, rlm_network_stride(rlm_size_max(most, 1)), &elements))
        arena->overflow = true;
    condensed->live = rlm_arena_take(arena, most, sizeof *condensed->live);
    condensed->weight = rlm_arena_take(arena, elements, sizeof *condensed->weight);
    condensed->s1 = rlm_arena_take(arena, elements, sizeof *condensed->s1);
    condensed->s2 = slots > 1 ? rlm_arena_take(arena, elements, sizeof *condensed->s2) : NULL;
    condensed->since = rlm_arena_take(arena, units, sizeof *condensed->since);
    condensed->resting = rlm_arena_take(arena, condensed->features, sizeof *condensed->resting);
    condensed->late = rlm_arena_take(arena, units, sizeof *condensed->late);
    condensed->missed = rlm_arena_take(arena, units, sizeof *condensed->missed);
}

void rlm_condensed_init(struct rlm_condensed *condensed, const relume_network *network, size_t slots)
{
    const struct rlm_layer *layer = &network->layers[1];
    struct rlm_condensed made = {.units = layer->out_features, .features = layer->in_features};
    layout(&made.arena, &made, slots);
    if (!rlm_arena_init_unset(&made.arena, &network->engine->allocator))
        return; /* it is for speed alone */
    layout(&made.arena, &made, slots);
    *condensed = made;
}

void rlm_condensed_deinit(struct rlm_condensed *condensed)
{
    rlm_arena_deinit(&condensed->arena);
    *condensed = (struct rlm_condensed){0};
}

void rlm_condensed_forget(struct rlm_condensed *condensed)
{
    condensed->count = condensed->seen = 0;
}

/* ---- looking ---- */

/* Updates between two looks: one takes as long as a third of an update of all inputs. */
#define LOOK_UPDATES 64
#define LOOK_SHARE 8 /* and at once where one more in so many has fallen asleep */

bool rlm_condensed_is_due(const struct rlm_condensed *condensed, const struct rlm_sleep *first, uint64_t step)
{
    size_t out = condensed->count > 0 ? condensed->features - condensed->count : 0;
    if (condensed->units == 0 || 2 * first->sleepers < condensed->features ||
        LOOK_SHARE * (first->sleepers - rlm_size_min(first->sleepers, out)) < condensed->features - out)
        return false;
    bool more = first->sleepers > condensed->seen &&
                LOOK_SHARE * (first->sleepers - condensed->seen) >= condensed->features;
    return more || step % LOOK_UPDATES == 0;
}

/* By kernels/rest.h, with a gradient that stays 0. */
static bool is_at_rest(const struct rlm_rest_bound *bound, const struct rlm_update *update, float w, float s1,
                       float s2)
{
    bool adam = update->kind == RLM_UPDATE_ADAM || update->kind == RLM_UPDATE_ADAMW;
    float size = fabsf(w), room = adam ? size * (sqrtf(s2) + update->epsilon) : size;
    return size > bound->limit && fabsf(s1) * bound->state < room;
}

/* Weights and states as they lie: all of them, or those of the inputs that are left. */
struct present {
    const float *weight, *s1, *s2;
    size_t stride, inputs;
    const uint32_t *input; /* NULL: 0 … inputs − 1 */
};

static struct present present_of(const struct rlm_condensed *condensed, const struct rlm_condense_view *view)
{
    const struct rlm_layer *layer = &view->place.network->layers[1];
    if (condensed->count == 0)
        return (struct present){layer->weight, view->place.s1,     view->place.s2,
                                layer->stride, layer->in_features, NULL};
    return (struct present){condensed->weight, condensed->s1,    condensed->s2,
                            condensed->stride, condensed->count, condensed->live};
}

/* Of the columns listed those stay of which every weight is at rest. A unit asleep has come to rest as a
 * whole. Returns how many are left. */
static size_t sift(const struct present *present, const struct rlm_condense_view *view, uint32_t *list,
                   size_t count)
{
    const struct rlm_update *update = &view->place.update->weight;
    for (size_t n = 0; n < view->second->units && count > 0; n++) {
        size_t left = 0;
        if (view->second->slept[n] != 0)
            continue;
        for (size_t i = 0; i < count; i++) {
            size_t at = n * present->stride + list[i];
            float s2 = present->s2 ? present->s2[at] : 1.0f;
            list[left] = list[i];
            left += is_at_rest(&view->bound, update, present->weight[at], present->s1[at], s2);
        }
        count = left;
    }
    return count;
}

/* Marks what can be left out beside what already is; returns how many more that is. */
static size_t mark(struct rlm_condensed *condensed, const struct rlm_condense_view *view)
{
    struct present present = present_of(condensed, view);
    uint32_t list[256]; /* some at a time */
    size_t more = 0;
    for (size_t at = 0; at < present.inputs;) {
        size_t count = 0;
        for (; at < present.inputs && count < sizeof list / sizeof *list; at++) {
            size_t k = present.input ? present.input[at] : at;
            condensed->resting[k] = 0;
            if (view->rest->proved[k] && view->first->slept[k] != 0)
                list[count++] = (uint32_t)at;
        }
        count = sift(&present, view, list, count);
        for (size_t i = 0; i < count; i++)
            condensed->resting[present.input ? present.input[list[i]] : list[i]] = 1;
        more += count;
    }
    return more;
}

/* ---- condensing ---- */

static void gather_row(const struct rlm_condensed *condensed, size_t unit, const float *from, size_t stride,
                       float *to)
{
    const float *row = from + unit * stride;
    float *out = to + unit * condensed->stride;
    for (size_t i = 0; i < condensed->count; i++)
        out[i] = row[condensed->live[i]];
    memset(out + condensed->count, 0, (condensed->stride - condensed->count) * sizeof *out);
}

static void scatter_row(const struct rlm_condensed *condensed, size_t unit, const float *from, float *to,
                        size_t stride)
{
    const float *row = from + unit * condensed->stride;
    float *out = to + unit * stride;
    for (size_t i = 0; i < condensed->count; i++)
        out[condensed->live[i]] = row[i];
}

/* Leaves the marked inputs out. States of a unit asleep are those of when it fell asleep, for all inputs. */
static void condense(struct rlm_condensed *condensed, const struct rlm_condense_view *view)
{
    const struct rlm_sleep_place *place = &view->place;
    const struct rlm_layer *layer = &place->network->layers[1];
    condensed->count = 0;
    for (size_t k = 0; k < condensed->features; k++)
        if (!condensed->resting[k])
            condensed->live[condensed->count++] = (uint32_t)k;
    condensed->stride = rlm_network_stride(condensed->count);
    for (size_t n = 0; n < condensed->units; n++) {
        gather_row(condensed, n, layer->weight, layer->stride, condensed->weight);
        gather_row(condensed, n, place->s1, layer->stride, condensed->s1);
        if (condensed->s2)
            gather_row(condensed, n, place->s2, layer->stride, condensed->s2);
        condensed->since[n] = view->second->slept[n] != 0 ? view->second->slept[n] : place->step;
    }
}

void rlm_condensed_look(struct rlm_condensed *condensed, const struct rlm_condense_view *view)
{
    size_t before = condensed->count > 0 ? condensed->count : condensed->features;
    size_t more = mark(condensed, view), left = before - more;
    condensed->seen = view->first->sleepers;
    if (left == 0 || 2 * left > condensed->features || LOOK_SHARE * more < before)
        return;
    if (condensed->count > 0) {
        struct rlm_sleep_place here = rlm_condensed_place(condensed, &view->place);
        rlm_sleep_settle(view->second, &here, NULL);
        rlm_condensed_settle(condensed, &view->place, NULL);
    }
    condense(condensed, view);
}

/* ---- states and weights ---- */

struct rlm_sleep_place rlm_condensed_place(const struct rlm_condensed *condensed,
                                           const struct rlm_sleep_place *place)
{
    struct rlm_sleep_place made = *place;
    made.columns = condensed->count;
    made.stride = condensed->stride;
    made.s1 = condensed->s1;
    made.s2 = condensed->s2;
    return made;
}

static void clear_row(const struct rlm_condensed *condensed, size_t unit, float *state, size_t stride)
{
    for (size_t i = 0; i < condensed->count; i++)
        state[unit * stride + condensed->live[i]] = 0.0f;
}

/* All of a row decays, and the inputs that are left are then put in their places. What lay there would hold
 * up the decay of its neighbours, most of which have come to an end. */
void rlm_condensed_settle(struct rlm_condensed *condensed, const struct rlm_sleep_place *place,
                          const uint8_t *wanted)
{
    struct rlm_latecomers late = {condensed->late, condensed->missed, 0, 0};
    for (size_t n = 0; condensed->count > 0 && n < condensed->units; n++) {
        if (wanted && !wanted[n])
            continue;
        rlm_latecomers_add(&late, n, place->step - condensed->since[n]);
        condensed->since[n] = place->step;
    }
    for (size_t i = 0; i < late.count; i++) {
        clear_row(condensed, late.unit[i], place->s1, place->stride);
        if (condensed->s2)
            clear_row(condensed, late.unit[i], place->s2, place->stride);
    }
    rlm_latecomers_catch_up(&late, place, false);
    for (size_t i = 0; i < late.count; i++) {
        scatter_row(condensed, late.unit[i], condensed->s1, place->s1, place->stride);
        if (condensed->s2)
            scatter_row(condensed, late.unit[i], condensed->s2, place->s2, place->stride);
    }
}

void rlm_condensed_hand_over(const struct rlm_condensed *condensed, const struct rlm_layer *layer,
                             const uint32_t *units, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        scatter_row(condensed, units ? units[i] : i, condensed->weight, layer->weight, layer->stride);
}
