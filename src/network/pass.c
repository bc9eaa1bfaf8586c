/* See pass.h. What shares memory with what is decided here, and nowhere else. */
#include "network/pass.h"

#include <math.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "network/range.h"

static size_t panel_elements(struct rlm_arena *arena, size_t a, size_t b)
{
    size_t elements = 0;
    if (a > SIZE_MAX - RLM_LANES || b > SIZE_MAX - RLM_LANES ||
        !rlm_size_multiply(rlm_round_up(a, RLM_LANES), rlm_round_up(b, RLM_LANES), &elements))
        arena->overflow = true;
    return elements;
}

/* `lent`: room for z; NULL: it is to be taken. */
static void layer_layout(struct rlm_arena *arena, struct rlm_pass_layer *layer, float *lent, size_t capacity,
                         size_t units, unsigned wants)
{
    size_t elements = panel_elements(arena, capacity, units);
    *layer = (struct rlm_pass_layer){.z = lent ? lent : rlm_arena_take(arena, elements, sizeof(float))};
    if (wants & RLM_PASS_GATES)
        layer->gates = rlm_arena_take(arena, elements / RLM_LANES, sizeof(uint16_t));
    if (wants & RLM_PASS_ACTIVE)
        layer->active = rlm_arena_take(arena, units, sizeof(uint32_t));
    if (wants & RLM_PASS_LIVE) {
        layer->live = rlm_arena_take(arena, units, sizeof(uint32_t));
        layer->asked = rlm_arena_take(arena, units, sizeof(uint32_t));
    }
    if (wants & RLM_PASS_MARGIN)
        layer->margin = rlm_arena_take(arena, units, sizeof(float));
}

/* The sums of all layers, in turn: in the lender's x_features, which it alone uses, where these have room. */
static void sums_layout(struct rlm_arena *arena, struct rlm_pass *pass)
{
    const relume_network *network = pass->network;
    const struct rlm_pass *lender = pass->lender;
    size_t units = 0, done = 0, room = 0;
    for (size_t l = 0; l + 1 < network->layer_count; l++)
        units += network->layers[l].out_features;
    if (lender && lender->x_features)
        room = rlm_round_up(lender->capacity, RLM_LANES) * network->layers[0].in_features * sizeof(float);
    double *sums = room > 0 && units <= room / (RLM_LANES * sizeof(double))
                       ? (double *)(void *)lender->x_features
                       : rlm_arena_take(arena, units, RLM_LANES * sizeof(double));
    for (size_t l = 0; sums && l + 1 < network->layer_count; done += network->layers[l++].out_features)
        pass->layer[l].sum = sums + done * RLM_LANES;
}

/* What all copies of the packed batch may take beside the first, in bytes. */
#define COPIES_MOST ((size_t)1 << 20)

/* A line that another core has just written takes some 6 ns to be read, and a core that writes a line has to
 * take it from the others first: that costs more than packing it oneself, where the first layer is small. A
 * larger one works on its batch for so long that it does not matter, and its copies would need memory.
 * Measured: docs/performance.md. */
static size_t copies_count(const struct rlm_pass *pass, size_t elements, unsigned wants)
{
    const struct rlm_layer *first = &pass->network->layers[0];
    struct rlm_pool *pool = pass->network->engine->pool;
    size_t copies = rlm_pool_threads(pool);
    bool pays = wants & RLM_PASS_FEATURES && !pass->lender &&
                elements <= COPIES_MOST / (2 * sizeof(float)) / rlm_size_max(copies - 1, 1) &&
                rlm_range_is_cut(pool, first->out_features,
                                 pass->capacity * first->in_features * first->out_features);
    return pays ? copies : 1;
}

static size_t widest_hidden(const relume_network *network)
{
    size_t widest = 0;
    for (size_t l = 0; l + 1 < network->layer_count; l++)
        widest = rlm_size_max(widest, network->layers[l].out_features);
    return widest;
}

/* Room for the lists of one matrix of the batch, by samples, or of the data by features (network/terms.h). */
static void terms_layout(struct rlm_arena *arena, struct rlm_pass *pass)
{
    size_t features = pass->network->layers[0].in_features, rows = 0;
    size_t widest = rlm_size_max(features, widest_hidden(pass->network));
    if (pass->capacity > SIZE_MAX - RLM_LANES || widest > SIZE_MAX - RLM_LANES ||
        !rlm_size_multiply(rlm_round_up(pass->capacity, RLM_LANES), rlm_divide_up(widest, RLM_TERMS), &rows))
        arena->overflow = true;
    else if (pass->capacity <= RLM_TERMS_BATCH)
        rows =
            rlm_size_max(rows, rlm_round_up(features, RLM_LANES) * rlm_divide_up(pass->capacity, RLM_TERMS));
    pass->terms.value = rlm_arena_take(arena, rows, RLM_TERMS * sizeof *pass->terms.value);
    pass->terms.place = rlm_arena_take(arena, rows, RLM_TERMS);
    pass->terms.count = rlm_arena_take(arena, rows, 1);
}

/* Room for the widest layer's activations as feature panels. Lists of terms are no longer read when these are
 * made, and have more. */
static float *features_layout(struct rlm_arena *arena, const struct rlm_pass *pass, unsigned wants)
{
    if (wants & RLM_PASS_LIVE)
        return pass->terms.value;
    size_t elements = panel_elements(arena, pass->capacity, widest_hidden(pass->network));
    return rlm_arena_take(arena, elements, sizeof(float));
}

/* Room for the packed batch, and for a gradient of every layer that is to lie there (rlm_pass_holds_dz). */
static float *batch_layout(struct rlm_arena *arena, const struct rlm_pass *pass, size_t elements,
                           unsigned wants)
{
    const relume_network *network = pass->network;
    for (size_t l = 0; wants & RLM_PASS_FEATURES && l + 1 < network->layer_count; l++)
        if (rlm_pass_holds_dz(pass, l))
            elements = rlm_size_max(elements,
                                    panel_elements(arena, pass->capacity, network->layers[l].out_features));
    return rlm_arena_take(arena, elements, sizeof(float));
}

static void pass_layout(struct rlm_arena *arena, struct rlm_pass *pass, unsigned wants)
{
    const relume_network *network = pass->network;
    size_t elements = panel_elements(arena, pass->capacity, network->layers[0].in_features);
    const struct rlm_pass *lender = pass->lender;
    pass->copies = (struct rlm_copies){copies_count(pass, elements, wants), elements};
    elements *= pass->copies.count;
    pass->x = lender ? lender->x : batch_layout(arena, pass, elements, wants);
    pass->x_features = wants & RLM_PASS_FEATURES ? rlm_arena_take(arena, elements, sizeof(float)) : NULL;
    if (wants & RLM_PASS_LIVE && lender && lender->terms.value)
        pass->terms = lender->terms;
    else if (wants & RLM_PASS_LIVE)
        terms_layout(arena, pass);
    if (wants & RLM_PASS_FEATURES)
        pass->features = features_layout(arena, pass, wants);
    for (size_t l = 0; l < network->layer_count; l++)
        layer_layout(arena, &pass->layer[l], lender ? lender->layer[l].z : NULL, pass->capacity,
                     network->layers[l].out_features, network->layers[l].relu ? wants : 0);
    if (wants & RLM_PASS_SUM)
        sums_layout(arena, pass);
}

/* A batch this large reads the weights seldom enough. */
#define LENT_LEAST 128

relume_status rlm_pass_init_beside(struct rlm_pass *pass, const relume_network *network, size_t capacity,
                                   unsigned wants, const struct rlm_pass *lender, relume_error *error)
{
    const relume_allocator *allocator = &network->engine->allocator;
    size_t room = lender ? rlm_round_up(lender->capacity, RLM_LANES) : 0;
    bool lent = room >= rlm_size_min(capacity, LENT_LEAST);
    struct rlm_pass made = {.network = network,
                            .capacity = lent ? rlm_size_min(capacity, room) : capacity,
                            .lender = lent ? lender : NULL,
                            .eager = wants & RLM_PASS_EAGER};
    made.layer = rlm_alloc_zero(allocator, network->layer_count, sizeof *made.layer);
    if (!made.layer)
        return rlm_error_memory(error, network->layer_count * sizeof *made.layer, "a forward pass");
    pass_layout(&made.arena, &made, wants);
    size_t bytes = made.arena.overflow ? SIZE_MAX : made.arena.used;
    if (!rlm_arena_init(&made.arena, allocator)) {
        rlm_free(made.layer);
        return rlm_error_memory(error, bytes, "the activations of a batch");
    }
    pass_layout(&made.arena, &made, wants);
    rlm_pass_reset(&made);
    *pass = made;
    return RELUME_OK;
}

relume_status rlm_pass_init(struct rlm_pass *pass, const relume_network *network, size_t capacity,
                            unsigned wants, relume_error *error)
{
    return rlm_pass_init_beside(pass, network, capacity, wants, NULL, error);
}

void rlm_pass_deinit(struct rlm_pass *pass)
{
    rlm_free(pass->layer);
    rlm_arena_deinit(&pass->arena);
    *pass = (struct rlm_pass){0};
}

void rlm_pass_reset(struct rlm_pass *pass)
{
    for (size_t l = 0; l < pass->network->layer_count; l++) {
        struct rlm_pass_layer *layer = &pass->layer[l];
        size_t units = pass->network->layers[l].out_features;
        for (size_t n = 0; layer->margin && n < units; n++)
            layer->margin[n] = -INFINITY;
        for (size_t i = 0; layer->sum && i < units * RLM_LANES; i++)
            layer->sum[i] = 0.0;
    }
}

size_t rlm_pass_capacity(size_t samples)
{
    return rlm_round_up(rlm_size_min(rlm_size_max(samples, 1), 256), RLM_LANES);
}

bool rlm_pass_holds_dz(const struct rlm_pass *pass, size_t layer)
{
    size_t above = pass->network->layer_count - 1 - layer;
    return above % 2 == 1;
}

size_t rlm_copies_at(struct rlm_copies copies, size_t begin, size_t count)
{
    /* no unit at all is a part, too */
    return begin > 0 ? begin * copies.count / count * copies.elements : 0;
}

const float *rlm_pass_input(const struct rlm_pass *pass, size_t layer)
{
    return layer == 0 ? pass->x : pass->layer[layer - 1].z;
}
