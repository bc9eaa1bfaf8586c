/* See ledger.h. A step costs one comparison a unit, and for a unit that fired a look at the last word of its
 * gate bits. */
#include "census/ledger.h"

#include <string.h>

#include "base/bits.h"
#include "base/error.h"

static void layout(struct rlm_arena *arena, struct rlm_ledger *ledger, const relume_network *network)
{
    ledger->layer = rlm_arena_take(arena, ledger->layers, sizeof *ledger->layer);
    for (size_t l = 0; l < ledger->layers; l++) {
        size_t units = network->layers[l].out_features;
        struct rlm_ledger_layer layer = {.units = units};
        layer.last_step = rlm_arena_take(arena, units, sizeof *layer.last_step);
        layer.first_step = rlm_arena_take(arena, units, sizeof *layer.first_step);
        layer.last_sample = rlm_arena_take(arena, units, sizeof *layer.last_sample);
        layer.dead = rlm_arena_take(arena, units, sizeof *layer.dead);
        if (ledger->layer)
            ledger->layer[l] = layer;
    }
    ledger->event = rlm_arena_take(arena, ledger->event_capacity, sizeof *ledger->event);
}

relume_status rlm_ledger_init(struct rlm_ledger *ledger, const relume_network *network, bool gradient_only,
                              relume_error *error)
{
    *ledger = (struct rlm_ledger){.layers = network->layer_count - 1, .gradient_only = gradient_only};
    for (size_t l = 0; l < ledger->layers; l++)
        ledger->event_capacity +=
            2 * network->layers[l].out_features; /* far below the bytes of the weights */
    layout(&ledger->arena, ledger, network);
    size_t wanted = ledger->arena.used;
    if (!rlm_arena_init_unset(&ledger->arena, &network->engine->allocator)) {
        rlm_ledger_deinit(ledger);
        return rlm_error_memory(error, wanted, "the ledger");
    }
    layout(&ledger->arena, ledger, network);
    /* not the events, behind all else: the system gives no memory for what is never written */
    char *first = (char *)(ledger->layer + ledger->layers);
    memset(first, 0, (size_t)((char *)ledger->event - first));
    return RELUME_OK;
}

void rlm_ledger_deinit(struct rlm_ledger *ledger)
{
    rlm_arena_deinit(&ledger->arena);
    *ledger = (struct rlm_ledger){0};
}

/* The last sample of the first `panels` panels of a batch, from 0, that opened `unit`, which opened for one
 * at least. */
static size_t last_open(const struct rlm_layer_step *step, size_t panels, size_t unit)
{
    size_t panel = panels - 1;
    while (step->gates[panel * step->units + unit] == 0)
        panel--;
    return panel * 16 + rlm_bits_highest(step->gates[panel * step->units + unit]);
}

/* Nearly every unit fires in the last panel of a batch, so that is looked at first. `restrict` keeps what is
 * only read in registers. */
static void observe_layer(const struct rlm_ledger_layer *layer, const struct rlm_layer_step *seen,
                          const struct rlm_step_view *view, uint64_t samples)
{
    size_t panels = (view->batch + 15) / 16, units = layer->units;
    uint64_t step = view->step, before = samples + (panels - 1) * 16 + 1;
    const uint16_t *restrict gates = seen->gates + (panels - 1) * units;
    const uint32_t *restrict active = seen->active;
    uint64_t *restrict last_step = layer->last_step, *restrict first_step = layer->first_step;
    uint64_t *restrict last_sample = layer->last_sample;
    for (size_t u = 0; u < units; u++) {
        if (active[u] == 0)
            continue;
        last_step[u] = step;
        if (first_step[u] == 0)
            first_step[u] = step;
        last_sample[u] = gates[u] != 0 ? before + rlm_bits_highest(gates[u])
                                       : samples + last_open(seen, panels - 1, u) + 1;
    }
}

static void observe(void *user, const struct rlm_step_view *view)
{
    struct rlm_ledger *ledger = user;
    for (size_t l = 0; l < ledger->layers; l++)
        observe_layer(&ledger->layer[l], &view->layer[l], view, ledger->samples);
    ledger->samples += view->batch;
}

struct rlm_observer rlm_ledger_observer(struct rlm_ledger *ledger)
{
    return (struct rlm_observer){.stepped = observe, .user = ledger};
}

static void add_event(struct rlm_ledger *ledger, relume_event event)
{
    struct rlm_ledger_layer *layer = &ledger->layer[event.layer];
    event.exact = event.kind == RELUME_BORN_DEAD || event.step - event.after_step == 1;
    layer->born_dead += event.kind == RELUME_BORN_DEAD;
    layer->deaths += event.kind == RELUME_KILLED;
    layer->revivals += event.kind == RELUME_REVIVED;
    ledger->event[ledger->event_count++] = event;
}

/* Dead now, alive before. It was alive when it last fired, and at the last census. In the first hidden layer,
 * where the inputs stand still, a parameter that only the gradient moves has stood still since: the last
 * firing step was the killing one. */
static void add_death(struct rlm_ledger *ledger, size_t l, size_t u, uint64_t step)
{
    const struct rlm_ledger_layer *layer = &ledger->layer[l];
    relume_event event = {
        .layer = l, .unit = u, .kind = RELUME_KILLED, .after_step = ledger->census_step, .step = step};
    if (layer->first_step[u] != 0) {
        event.after_step = layer->last_step[u] - 1;
        if (l == 0 && ledger->gradient_only)
            event.step = layer->last_step[u];
    }
    add_event(ledger, event);
}

/* Dead at the last census, alive now or in between. It was alive, at the latest, before the update of the
 * first step in which it fired again. */
static void add_revival(struct rlm_ledger *ledger, size_t l, size_t u, uint64_t step)
{
    uint64_t first = ledger->layer[l].first_step[u];
    add_event(ledger, (relume_event){.layer = l,
                                     .unit = u,
                                     .kind = RELUME_REVIVED,
                                     .after_step = ledger->census_step,
                                     .step = first != 0 ? first - 1 : step});
}

static void enter_unit(struct rlm_ledger *ledger, size_t l, size_t u, bool dead, uint64_t step)
{
    struct rlm_ledger_layer *layer = &ledger->layer[l];
    bool was_dead = layer->dead[u] != 0;
    bool fired = layer->first_step[u] != 0;
    if (!ledger->counted) {
        if (dead)
            add_event(ledger, (relume_event){.layer = l, .unit = u, .kind = RELUME_BORN_DEAD, .step = step});
    } else {
        if (was_dead && (!dead || fired))
            add_revival(ledger, l, u, step);
        if (dead && (!was_dead || fired))
            add_death(ledger, l, u, step);
    }
    layer->dead[u] = dead;
    layer->first_step[u] = 0;
}

void rlm_ledger_enter(struct rlm_ledger *ledger, const relume_census *census, uint64_t step)
{
    ledger->event_count = 0;
    for (size_t l = 0; l < ledger->layers; l++)
        for (size_t u = 0; u < ledger->layer[l].units; u++)
            enter_unit(ledger, l, u, census->layer[l].unit[u].active == 0, step);
    ledger->counted = true;
    ledger->census_step = step;
}

uint64_t rlm_ledger_silent(const struct rlm_ledger *ledger, size_t layer, size_t unit)
{
    return ledger->samples - ledger->layer[layer].last_sample[unit];
}

size_t rlm_ledger_count_silent(const struct rlm_ledger *ledger, size_t layer, uint64_t samples)
{
    size_t silent = 0;
    for (size_t u = 0; u < ledger->layer[layer].units; u++)
        silent += rlm_ledger_silent(ledger, layer, u) >= samples;
    return silent;
}
