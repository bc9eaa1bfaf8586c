/* What a layer is fed over all of D, against a plain loop: ceilings that let units be passed over, units left
 * out as proved dead, and the bounds on what units above make of it, by intervals and by one update's rise,
 * while the weights wander. Data of floats, of bytes, which are read and looked at as bytes, and of bytes
 * scaled feature by feature. */
#include "check.h"

#include <math.h>
#include <string.h>

#include "autopsy/sieve.h"
#include "autopsy/strata.h"
#include "base/rng.h"
#include "network/network.h"
#include "world.h"

#define SAMPLES 707 /* no multiple of a group */
#define FEATURES 22 /* no multiple of 4 */
#define UNITS 40
#define GROUPS ((SAMPLES + RLM_GROUP - 1) / RLM_GROUP)
#define MOVES 40
#define ASKED 7 /* units of the second layer */

struct wander {
    relume_dataset *dataset;
    relume_network *before, *after;
    struct rlm_ground ground;
    struct rlm_strata strata;
    struct rlm_rng rng;
    uint64_t draws;
    struct rlm_sieve sieve;
    struct rlm_variants all, sieved;
    struct rlm_arena scratch;
    struct rlm_bounded bounded;
    struct rlm_interval_work work;
    size_t shut, some, passed_over, below;
    size_t enclosed[2], settled; /* by side; bounds below the highest */
};

static float draw(struct wander *w)
{
    return (float)rlm_rng_normal(&w->rng, w->draws++);
}

/* One update: now a small one, now a large one; some units stay as they are. */
static void move(struct wander *w, uint64_t step)
{
    static const float sizes[] = {0.001f, 0.02f, 0.1f, 0.0f};
    const struct rlm_layer *from = &w->after->layers[0], *to = &w->before->layers[0];
    memcpy(to->weight, from->weight, UNITS * from->stride * sizeof(float));
    memcpy(to->bias, from->bias, UNITS * sizeof(float));
    for (size_t u = 0; u < UNITS; u++) {
        float size = sizes[(u + step) % 4];
        for (size_t k = 0; k < FEATURES; k++)
            from->weight[u * from->stride + k] += size * draw(w);
        from->bias[u] += size * draw(w);
    }
}

static float output(const struct wander *w, const relume_network *network, size_t unit, size_t place)
{
    const struct rlm_layer *layer = &network->layers[0];
    float p = 0.0f;
    for (size_t k = 0; k < FEATURES; k++)
        p = fmaf(rlm_inputs_get(&w->strata.layer[0].inputs[0], place, k),
                 layer->weight[unit * layer->stride + k], p);
    p += layer->bias[unit];
    return p > 0.0f ? p : 0.0f;
}

/* Every output that is there has the bits of the loop; one that is left out is 0. */
static void check_place(struct wander *w, const relume_network *network, const struct rlm_inputs *inputs,
                        size_t place)
{
    const struct rlm_stratum *layer = &w->strata.layer[1];
    for (size_t u = 0, k = 0; u < UNITS; u++) {
        bool there = k < layer->live_count && layer->live[k] == u;
        float told = there ? rlm_inputs_get(inputs, place, k) : 0.0f;
        assert_float_equal(told, output(w, network, u, place), 0.0f);
        k += there;
    }
}

static void count_shut(struct wander *w)
{
    const struct rlm_ceilings *c = &w->strata.ceilings;
    for (size_t k = 0; k < w->strata.layer[1].live_count; k++)
        for (size_t group = 0; group < GROUPS; group++)
            w->shut += c->ceiling[(size_t)w->strata.layer[1].live[k] * GROUPS + group] < 0.0f;
}

static void scratch_layout(struct wander *w)
{
    w->bounded.weight = rlm_arena_take(&w->scratch, (size_t)ASKED * 2 * UNITS, sizeof(float));
    w->bounded.bias = rlm_arena_take(&w->scratch, ASKED, sizeof(float));
    rlm_interval_work_layout(&w->scratch, &w->work, UNITS, ASKED);
}

/* Units that ask: of all signs, of one, of none, and with weights that products of would be denormal. */
static void draw_asked(struct wander *w, size_t features)
{
    rlm_variants_fit(&w->all, rlm_strata_at(&w->strata, 1, RLM_AFTER));
    for (size_t i = 0; i < ASKED; i++) {
        float row[UNITS + 1];
        for (size_t k = 0; k <= features; k++)
            row[k] = i == 1 ? -fabsf(draw(w)) : i == 2 ? 0.0f : i == 3 ? 0x1p-130f * draw(w) : draw(w);
        rlm_variants_put(&w->all, i, row);
    }
    rlm_bounded_take(&w->bounded, &w->all, ASKED);
}

/* A unit above, in the engine's arithmetic, and what γ(n + 1) allows it to be off by. */
static float ask(const struct wander *w, const struct rlm_live *live, const relume_network *network, size_t i,
                 size_t place, double *rounding)
{
    const float *row = w->all.weight + i * w->all.stride;
    float p = 0.0f;
    double size = fabs((double)w->all.bias[i]);
    for (size_t k = 0; k < live->count; k++) {
        float x = output(w, network, live->unit[k], place);
        p = fmaf(x, row[k], p);
        size += fabs((double)row[k]) * (double)x;
    }
    *rounding = rlm_gamma(UNITS + 1) * size;
    return p + w->all.bias[i];
}

/* At no sample a unit above is as high as its bound, by five times its rounding. */
static void check_enclosed(struct wander *w, enum rlm_side side)
{
    const relume_network *network = side == RLM_BEFORE ? w->before : w->after;
    struct rlm_enclosure enclosure;
    if (!rlm_strata_enclose(&w->strata, side, SAMPLES, &enclosure))
        return;
    draw_asked(w, enclosure.live.count);
    w->enclosed[side]++;
    for (size_t place = 0; place < SAMPLES; place += check_rounds(1, 3)) {
        rlm_enclosure_bound(&enclosure, place / RLM_GROUP, &w->bounded, ASKED, &w->work);
        for (size_t i = 0; i < ASKED; i++) {
            double rounding;
            float p = ask(w, &enclosure.live, network, i, place, &rounding);
            size_t panel = place % RLM_GROUP / RLM_LANES;
            float above = w->work.above[(panel * ASKED + i) * RLM_LANES + place % RLM_LANES];
            assert_true((double)p + 5.0 * rounding <= (double)above);
            w->settled += above < 0.0f;
        }
    }
}

/* The groups asked for are computed, whatever lies in the others. */
static void check_exposed(struct wander *w, enum rlm_side side)
{
    const struct rlm_inputs *inputs = rlm_strata_at(&w->strata, 1, side);
    uint8_t open[GROUPS];
    for (int turn = 0; turn < 2; turn++) { /* the second adds to the first */
        for (size_t group = 0; group < GROUPS; group++)
            open[group] = group % 3 == (w->some + turn) % 3;
        rlm_strata_expose(&w->strata, 1, side, open);
        for (size_t place = 0; place < SAMPLES; place += check_rounds(1, 7)) {
            if (open[place / RLM_GROUP])
                check_place(w, side == RLM_BEFORE ? w->before : w->after, inputs, place);
            else
                w->passed_over++;
        }
    }
    w->some++;
}

/* A count through the sieve has the bits of a plain one, or −infinity where that lies below the floor by more
 * than five times its rounding. */
static void check_sieve(struct wander *w, size_t together)
{
    const struct rlm_inputs *data = &w->strata.layer[0].inputs[0];
    const struct rlm_layer *layer = &w->after->layers[0];
    float floor[UNITS], row[FEATURES + 1];
    rlm_variants_fit(&w->all, data);
    for (size_t u = 0; u < UNITS; u++) {
        memcpy(row, layer->weight + u * layer->stride, FEATURES * sizeof *row);
        row[FEATURES] = layer->bias[u];
        rlm_variants_put(&w->all, u, row);
        rlm_variants_put(&w->sieved, u, row);
        floor[u] = u % 4 == 0 ? -INFINITY : draw(w);
    }
    bool zero = together == 4; /* no floors given */
    rlm_variants_count(&w->all, UNITS, data);
    rlm_sieve_take(&w->sieve, &w->sieved, UNITS);
    for (struct rlm_span span = {0, 0}; span.last < SAMPLES;) {
        span = (struct rlm_span){span.last, span.last + RLM_INPUTS_CHUNK};
        span.last = span.last < SAMPLES ? span.last : SAMPLES;
        rlm_sieve_count(&w->sieve, &w->sieved, UNITS, data, span, zero ? NULL : floor, together);
    }
    for (size_t u = 0; u < UNITS; u++)
        for (size_t place = 0; place < SAMPLES; place++) {
            float meant = rlm_variants_get(&w->all, u, place), told = rlm_variants_get(&w->sieved, u, place);
            if (told == meant)
                continue;
            double largest = fmax((double)fabsf(layer->bias[u]),
                                  rlm_variant_largest(layer->weight + u * layer->stride, FEATURES - 1));
            double below = (double)(zero ? 0.0f : floor[u]) - 5.0 * rlm_inputs_rounding(data, largest, place);
            assert_true(told == -INFINITY && (double)meant < below);
            w->below++;
        }
}

/* `hole`: hardly anything is 0, so that nobody lists what is not, but four features of some samples are. */
static relume_dataset *bytes(relume_engine *engine, bool standardize, bool hole, uint64_t seed)
{
    return world_bytes(engine, &(struct world_bytes){.samples = SAMPLES,
                                                     .features = FEATURES,
                                                     .classes = 3,
                                                     .rng = {seed, RLM_RNG_TEST, 4},
                                                     .standardize = standardize,
                                                     .uneven = !hole,
                                                     .hole = hole});
}

static relume_network *network_for(relume_engine *engine, const relume_dataset *dataset, uint64_t seed)
{
    static const size_t widths[] = {FEATURES, UNITS, 12, 3, 0};
    relume_network *network = world_network(engine, widths, RELUME_LOSS_SOFTMAX, seed);
    relume_error error = {0};
    relume_scaling scaling = relume_dataset_get_scaling(dataset);
    assert_ok(rlm_network_set_scaling(network, &scaling, &error), error);
    return network;
}

/* Ceilings, and the bytes where there are any, are at work. */
static void check_work(const struct wander *w, bool is_bytes, bool uniform)
{
    enum rlm_cpu_level level = w->before->engine->level;
    const struct rlm_inputs *data = &w->strata.layer[0].inputs[0];
    assert_true(w->shut > 1000 && w->some > MOVES / 4 && w->passed_over > 0);
    assert_true((data->widen != NULL) == (is_bytes && uniform && rlm_widen_find(level) != NULL));
    bool sketched = w->ground.sums.sketch.dots != NULL;
    assert_true(sketched == (is_bytes && rlm_dots_find(level) != NULL));
    assert_true(sketched ? w->below > 1000 : w->below == 0);
    assert_true((w->enclosed[RLM_AFTER] > 0) == sketched);
    assert_true(w->enclosed[RLM_BEFORE] > MOVES / 4 && w->settled > 1000);
}

static void wander_about(relume_engine *engine, relume_dataset *dataset, uint64_t seed)
{
    relume_error error;
    struct wander w = {.rng = {seed, RLM_RNG_TEST, 3}, .dataset = dataset};
    w.before = network_for(engine, dataset, seed);
    w.after = network_for(engine, dataset, seed);
    for (size_t u = 0; u < UNITS; u++)
        w.after->layers[0].bias[u] = -0.1f * (float)u; /* from lively ones to dead ones */
    assert_ok(rlm_ground_init(&w.ground, w.after, w.dataset, &error), error);
    assert_ok(rlm_strata_init(&w.strata, w.after, &w.ground, 2, &error), error);
    const struct rlm_inputs *data = &w.strata.layer[0].inputs[0];
    assert_ok(rlm_sieve_init(&w.sieve, &w.strata.ceilings, UNITS, &error), error);
    struct rlm_inputs widest = *data; /* of either layer */
    widest.features = UNITS;
    assert_ok(rlm_variants_init(&w.all, &widest, UNITS, &error), error);
    assert_ok(rlm_variants_init(&w.sieved, data, UNITS, &error), error);
    scratch_layout(&w);
    assert_true(rlm_arena_init(&w.scratch, &engine->allocator));
    scratch_layout(&w);
    for (uint64_t i = 0, step = 1; i < MOVES; i++, step += 1 + i % 2) {
        move(&w, step);
        rlm_strata_move(&w.strata, w.before, w.after, step);
        if (i % 4 != 1) { /* the inputs themselves have not been asked for */
            check_enclosed(&w, RLM_AFTER);
            check_exposed(&w, RLM_AFTER);
            check_enclosed(&w, RLM_BEFORE);
            check_exposed(&w, RLM_BEFORE);
        }
        if (i % 4 == 3)
            continue;
        const struct rlm_inputs *now = rlm_strata_get(&w.strata, 1, RLM_AFTER);
        for (size_t place = 0; place < SAMPLES; place += check_rounds(1, 7))
            check_place(&w, w.after, now, place);
        count_shut(&w);
        check_sieve(&w, (size_t)1 << i % 3);
        check_enclosed(&w, RLM_BEFORE);
        check_exposed(&w, RLM_BEFORE);
        if (i % 3 != 0)
            continue;
        const struct rlm_inputs *then = rlm_strata_get(&w.strata, 1, RLM_BEFORE);
        for (size_t place = 0; place < SAMPLES; place += check_rounds(1, 7))
            check_place(&w, w.before, then, place);
    }
    check_work(&w, dataset->element == RELUME_U8, dataset->scaling.uniform != 0);
    rlm_arena_deinit(&w.scratch);
    rlm_variants_deinit(&w.all);
    rlm_variants_deinit(&w.sieved);
    rlm_sieve_deinit(&w.sieve);
    rlm_strata_deinit(&w.strata);
    rlm_ground_deinit(&w.ground);
    relume_network_destroy(w.before);
    relume_network_destroy(w.after);
    relume_dataset_destroy(w.dataset);
}

static void test_against_loop(void **state)
{
    for (uint64_t seed = 1; seed <= check_rounds(2, 1); seed++) {
        wander_about(*state, world_dataset(*state, SAMPLES, FEATURES, 3, 0, seed), seed);
        wander_about(*state, bytes(*state, false, false, seed), seed);
        wander_about(*state, bytes(*state, false, true, seed), seed);
        wander_about(*state, bytes(*state, true, false, seed), seed);
    }
}

static int engine_begin(void **state)
{
    *state = world_engine(NULL, 3, NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_loop)};
    return cmocka_run_group_tests(tests, engine_begin, world_end);
}
