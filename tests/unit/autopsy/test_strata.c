/* What a layer is fed over all of D, against a plain loop: ceilings that let units be passed over, units left
 * out as proved dead, and the bounds on how far one update moves what it is fed, while the weights wander.
 * Data of floats, of bytes, which are read and looked at as bytes, and of bytes scaled feature by feature. */
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

struct wander {
    relume_dataset *dataset;
    relume_network *before, *after;
    struct rlm_ground ground;
    struct rlm_strata strata;
    struct rlm_rng rng;
    uint64_t draws;
    struct rlm_sieve sieve;
    struct rlm_variants all, sieved;
    size_t shut, some, passed_over, below;
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

/* The sway of each sample bounds what the update moves a sum by, upward, at that sample. */
static void check_samples(const struct wander *w, const struct rlm_live *live, const float *weight)
{
    const struct rlm_inputs *now = rlm_strata_at((struct rlm_strata *)&w->strata, 1, RLM_AFTER);
    for (size_t panel = 0; panel * RLM_LANES < SAMPLES; panel++) {
        float sway[RLM_LANES];
        rlm_ceilings_compare_panel(&w->strata.ceilings, live, weight, panel, now, sway);
        for (size_t place = panel * RLM_LANES; place < SAMPLES && place / RLM_LANES == panel;
             place += check_rounds(1, 7)) {
            double rise = 0.0;
            for (size_t k = 0; k < live->count; k++)
                rise += (double)weight[k] * ((double)output(w, w->before, live->unit[k], place) -
                                             (double)output(w, w->after, live->unit[k], place));
            assert_true(rise <= (double)sway[place % RLM_LANES]);
        }
    }
}

/* sway and stretch bound what the update changed at every sample; the groups asked for are computed. */
static void check_before(struct wander *w)
{
    float weight[UNITS];
    double sway[GROUPS], stretch[GROUPS];
    uint8_t open[GROUPS];
    if (!rlm_strata_begin_some(&w->strata, 1))
        return;
    struct rlm_live live = rlm_strata_live(&w->strata, RLM_BEFORE);
    const struct rlm_inputs *then = rlm_strata_at(&w->strata, 1, RLM_BEFORE);
    for (size_t k = 0; k < live.count; k++)
        weight[k] = draw(w);
    for (size_t group = 0; group < GROUPS; group++)
        open[group] = group % 3 != w->some % 3;
    rlm_ceilings_compare(&w->strata.ceilings, &live, weight, sway, stretch);
    check_samples(w, &live, weight);
    rlm_strata_get_some(&w->strata, open);
    w->some++;
    for (size_t place = 0; place < SAMPLES; place += check_rounds(1, 7)) {
        size_t group = place / RLM_GROUP;
        double sum = 0.0, plain = 0.0;
        for (size_t k = 0; k < live.count; k++) {
            double by = fabs((double)output(w, w->before, live.unit[k], place) -
                             (double)output(w, w->after, live.unit[k], place));
            sum += fabs((double)weight[k]) * by;
            plain += by;
        }
        assert_true(sum <= sway[group]);
        assert_true(plain <= stretch[group]);
        if (open[group])
            check_place(w, w->before, then, place);
        else
            w->passed_over++;
    }
}

/* A count through the sieve has the bits of a plain one, or −infinity where that lies below the floor by more
 * than five times its rounding. */
static void check_sieve(struct wander *w, size_t together)
{
    const struct rlm_inputs *data = &w->strata.layer[0].inputs[0];
    const struct rlm_layer *layer = &w->after->layers[0];
    float floor[UNITS], row[FEATURES + 1];
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

static relume_dataset *bytes(relume_engine *engine, bool standardize, uint64_t seed)
{
    return world_bytes(engine, &(struct world_bytes){.samples = SAMPLES,
                                                     .features = FEATURES,
                                                     .classes = 3,
                                                     .rng = {seed, RLM_RNG_TEST, 4},
                                                     .standardize = standardize,
                                                     .uneven = true});
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
    assert_ok(rlm_variants_init(&w.all, data, UNITS, &error), error);
    assert_ok(rlm_variants_init(&w.sieved, data, UNITS, &error), error);
    for (uint64_t i = 0, step = 1; i < MOVES; i++, step += 1 + i % 2) {
        move(&w, step);
        rlm_strata_move(&w.strata, w.before, w.after, step);
        const struct rlm_inputs *now = rlm_strata_get(&w.strata, 1, RLM_AFTER);
        for (size_t place = 0; place < SAMPLES; place += check_rounds(1, 7))
            check_place(&w, w.after, now, place);
        count_shut(&w);
        check_sieve(&w, (size_t)1 << i % 3);
        check_before(&w);
        if (i % 3 != 0)
            continue;
        const struct rlm_inputs *then = rlm_strata_get(&w.strata, 1, RLM_BEFORE);
        for (size_t place = 0; place < SAMPLES; place += check_rounds(1, 7))
            check_place(&w, w.before, then, place);
    }
    check_work(&w, dataset->element == RELUME_U8, dataset->scaling.uniform != 0);
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
        wander_about(*state, bytes(*state, false, seed), seed);
        wander_about(*state, bytes(*state, true, seed), seed);
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
