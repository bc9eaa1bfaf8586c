/* Counts that look only where something may be found, against plain ones: units of the first and the second
 * layer that are about to die, on data of bytes, while the weights wander. The highest samples, whether any
 * opens a unit, and the rates of an update that kill it. */
#include "check.h"

#include <math.h>
#include <string.h>

#include "autopsy/seek.h"
#include "base/rng.h"
#include "network/network.h"
#include "world.h"

#define SAMPLES 3007 /* no multiple of a group, and more groups than are looked at together */
#define FEATURES 22
#define UNITS 40
#define MOVES 40
#define PAIRS ((size_t)7)
#define VARIANTS (2 * PAIRS)

struct scene {
    relume_dataset *dataset;
    relume_network *before, *after;
    struct rlm_ground ground;
    struct rlm_strata strata, plain; /* the same weights; everything is computed in the second */
    struct rlm_seek seek;
    struct rlm_variants sought, counted;
    struct rlm_bench bench;
    struct rlm_rng rng;
    uint64_t draws;
    float row[VARIANTS][UNITS + 1]; /* over all features of the layer, the bias last */
    size_t layer, features;
    size_t left_out[2], told[2]; /* by side: what has not been computed, and what has */
    size_t lethal, endless;
};

static float draw(struct scene *s)
{
    return (float)rlm_rng_normal(&s->rng, s->draws++);
}

/* A large move and small ones, by which dead units stay proved dead: what is known is kept. */
static void move(struct scene *s, uint64_t turn)
{
    float size = turn % 4 % 3 != 0 ? 0.0005f : 0.02f;
    const struct rlm_layer *from = &s->after->layers[0], *to = &s->before->layers[0];
    memcpy(to->weight, from->weight, UNITS * from->stride * sizeof(float));
    memcpy(to->bias, from->bias, UNITS * sizeof(float));
    for (size_t u = 0; u < UNITS; u++) {
        for (size_t k = 0; k < FEATURES; k++)
            from->weight[u * from->stride + k] += size * draw(s);
        from->bias[u] += size * draw(s);
    }
}

/* What an update adds for a rate of 1: of either sign, of one sign, none, or next to none. */
static float draw_push(struct scene *s, size_t pair)
{
    switch (pair) {
    case 0:
        return -fabsf(draw(s));
    case 1:
        return 0.0f;
    case 2:
        return -0x1p-130f * fabsf(draw(s));
    case 3:
        return fabsf(draw(s));
    default:
        return draw(s);
    }
}

/* Each strata leave out what they have proved to be 0. */
static void gather(const struct scene *s, const struct rlm_strata *strata, const float *row, float *variant)
{
    rlm_strata_gather(strata, s->layer, row, row[s->features], variant);
}

static void put(struct scene *s, size_t index, const float *row)
{
    float variant[UNITS + 1];
    gather(s, &s->strata, row, variant);
    rlm_variants_put(&s->sought, index, variant);
    gather(s, &s->plain, row, variant);
    rlm_variants_put(&s->counted, index, variant);
}

/* Units that no sample opens by `near`, or that a few do, and what an update does to each. */
static void draw_pairs(struct scene *s, const struct rlm_inputs *plain, size_t layer, float near)
{
    s->layer = layer;
    s->features = layer == 0 ? FEATURES : UNITS;
    rlm_variants_fit(&s->sought, rlm_strata_open(&s->strata, layer));
    rlm_variants_fit(&s->counted, plain);
    for (size_t pair = 0; pair < PAIRS; pair++) {
        float *before = s->row[2 * pair], *push = s->row[2 * pair + 1];
        for (size_t k = 0; k < s->features; k++) {
            before[k] = draw(s);
            push[k] = draw_push(s, pair);
        }
        before[s->features] = 0.0f;
        push[s->features] = draw_push(s, pair);
        put(s, 0, before);
        rlm_variants_count(&s->counted, 1, plain);
        before[s->features] = near - rlm_variants_tally(&s->counted, 0, plain).margin;
    }
}

/* p has the plain bits, or is −infinity where it lies below what is known of some sample. */
static void check_high(struct scene *s, size_t layer, enum rlm_side side, const struct rlm_inputs *plain)
{
    float floor[PAIRS];
    bool given = s->draws % 2 == 0;
    for (size_t i = 0; i < PAIRS; i++) {
        floor[i] = i % 3 == 0 ? -INFINITY : -fabsf(draw(s));
        put(s, i, s->row[2 * i]);
    }
    rlm_seek_take(&s->seek, layer, &s->sought, PAIRS);
    rlm_seek_high(&s->seek, layer, side, &s->sought, PAIRS, rlm_inputs_all(plain), given ? floor : NULL,
                  RLM_SEEK_ALL);
    rlm_variants_count(&s->counted, PAIRS, plain);
    for (size_t i = 0; i < PAIRS; i++) {
        struct rlm_tally meant = rlm_variants_tally(&s->counted, i, plain);
        float least = given ? floor[i] : 0.0f;
        float known = meant.margin < 0.0f ? meant.margin : 0.0f;
        for (size_t place = 0; place < SAMPLES; place++) {
            float is = rlm_variants_get(&s->counted, i, place), told = rlm_variants_get(&s->sought, i, place);
            s->told[side] += told == is;
            s->left_out[side] += told != is;
            assert_true(told == is || (told == -INFINITY && (is < least || is < known)));
        }
        if (meant.margin < least)
            continue;
        struct rlm_tally tally = rlm_variants_tally(&s->sought, i, plain);
        assert_true(tally.margin == meant.margin && tally.nearest == meant.nearest);
        assert_int_equal(tally.active, meant.active);
    }
}

static void check_life(struct scene *s, size_t layer, enum rlm_side side, const struct rlm_inputs *plain)
{
    struct rlm_span all = rlm_inputs_all(plain);
    rlm_seek_high(&s->seek, layer, side, &s->sought, PAIRS, all, NULL, RLM_SEEK_FIRST);
    for (size_t i = 0; i < PAIRS; i++)
        assert_int_equal(rlm_variants_alive(&s->sought, i, all), rlm_variants_alive(&s->counted, i, all));
    bool meant = rlm_variants_alive(&s->counted, 0, all);
    assert_int_equal(rlm_seek_life(&s->seek, layer, side, &s->sought), meant);
}

/* The lethal rates of each unit are those found with every sample at hand. */
static void check_rates(struct scene *s, size_t layer, const struct rlm_inputs *plain)
{
    const struct rlm_inputs *inputs = rlm_strata_at(&s->strata, layer, RLM_AFTER);
    relume_trainer_options options;
    relume_trainer_options_default(&options);
    options.optimizer = RELUME_SGD;
    rlm_variants_fit(&s->bench.variants, plain);
    for (size_t i = 0; i < VARIANTS; i++)
        put(s, i, s->row[i]);
    rlm_seek_take(&s->seek, layer, &s->sought, VARIANTS);
    rlm_seek_rates(&s->seek, layer, &s->sought, PAIRS);
    for (size_t pair = 0; pair < PAIRS; pair++) {
        float gradient[UNITS + 1], side[2][2][UNITS + 1];
        for (size_t k = 0; k <= s->features; k++)
            gradient[k] = -s->row[2 * pair + 1][k];
        gather(s, &s->plain, s->row[2 * pair], side[0][0]);
        gather(s, &s->plain, gradient, side[0][1]);
        gather(s, &s->strata, s->row[2 * pair], side[1][0]);
        gather(s, &s->strata, gradient, side[1][1]);
        struct rlm_move move = {.options = &options,
                                .features = plain->features,
                                .step = 1,
                                .before = side[0][0],
                                .gradient = side[0][1]};
        struct rlm_lethal meant, told;
        rlm_lethal_find(plain, &move, 0.0, &s->bench, &meant);
        if (!meant.some)
            continue;
        double anchor = (double)meant.low; /* the ends are sought from it: both searches begin there */
        rlm_lethal_find(plain, &move, anchor, &s->bench, &meant);
        move.features = inputs->features;
        move.before = side[1][0];
        move.gradient = side[1][1];
        struct rlm_columns columns = {&s->sought, 2 * pair, 2 * pair + 1};
        rlm_lethal_search(inputs, &move, &columns, anchor, &s->bench, 0, &told);
        assert_true(told.some && told.low == meant.low && told.safe == meant.safe && told.high == meant.high);
        s->lethal++;
        s->endless += isinf(told.high) != 0;
    }
}

static void check_layer(struct scene *s, size_t layer, uint64_t turn)
{
    static const float near[] = {-0.01f, 0.02f, -0.5f, 0.5f, 0.1f};
    const struct rlm_inputs *now = rlm_strata_get(&s->plain, layer, RLM_AFTER);
    draw_pairs(s, now, layer, near[turn % 5]);
    check_high(s, layer, RLM_AFTER, now);
    check_life(s, layer, RLM_AFTER, now);
    check_rates(s, layer, now);
    if (layer == 0)
        return;
    const struct rlm_inputs *then = rlm_strata_get(&s->plain, layer, RLM_BEFORE);
    check_high(s, layer, RLM_BEFORE, then);
    check_life(s, layer, RLM_BEFORE, then);
}

/* A unit that many samples open is seen to live by the first of them: the look ends early, and what the next
 * update calls before it is known in part. */
static void check_early(struct scene *s)
{
    const struct rlm_inputs *plain = rlm_strata_get(&s->plain, 1, RLM_AFTER);
    draw_pairs(s, plain, 1, 3.0f);
    put(s, 0, s->row[0]);
    assert_true(rlm_seek_life(&s->seek, 1, RLM_AFTER, &s->sought));
}

static void scene_begin(struct scene *s, relume_engine *engine, bool standardize, uint64_t seed)
{
    static const size_t widths[] = {FEATURES, UNITS, 12, 3, 0};
    relume_error error = {0};
    *s = (struct scene){.rng = {seed, RLM_RNG_TEST, 8}};
    s->dataset = world_bytes(engine, &(struct world_bytes){.samples = SAMPLES,
                                                           .features = FEATURES,
                                                           .classes = 3,
                                                           .rng = {seed, RLM_RNG_TEST, 4},
                                                           .standardize = standardize,
                                                           .uneven = true});
    s->before = world_network(engine, widths, RELUME_LOSS_SOFTMAX, seed);
    s->after = world_network(engine, widths, RELUME_LOSS_SOFTMAX, seed);
    relume_scaling scaling = relume_dataset_get_scaling(s->dataset);
    assert_ok(rlm_network_set_scaling(s->before, &scaling, &error), error);
    assert_ok(rlm_network_set_scaling(s->after, &scaling, &error), error);
    for (size_t u = 0; u < UNITS; u++)
        s->after->layers[0].bias[u] = -0.05f * (float)u; /* from lively ones to dead ones */
    assert_ok(rlm_ground_init(&s->ground, s->after, s->dataset, &error), error);
    assert_ok(rlm_strata_init(&s->strata, s->after, &s->ground, 2, &error), error);
    assert_ok(rlm_strata_init(&s->plain, s->after, &s->ground, 2, &error), error);
    assert_ok(rlm_seek_init(&s->seek, &s->strata, VARIANTS, &error), error);
    const struct rlm_inputs *widest = &s->strata.layer[1].inputs[0];
    assert_ok(rlm_variants_init(&s->sought, widest, VARIANTS, &error), error);
    assert_ok(rlm_variants_init(&s->counted, widest, VARIANTS, &error), error);
    assert_ok(rlm_bench_init(&s->bench, widest, &error), error);
}

static void scene_end(struct scene *s)
{
    rlm_bench_deinit(&s->bench);
    rlm_variants_deinit(&s->counted);
    rlm_variants_deinit(&s->sought);
    rlm_seek_deinit(&s->seek);
    rlm_strata_deinit(&s->plain);
    rlm_strata_deinit(&s->strata);
    rlm_ground_deinit(&s->ground);
    relume_network_destroy(s->before);
    relume_network_destroy(s->after);
    relume_dataset_destroy(s->dataset);
}

static void test_against_plain_counts(void **state)
{
    relume_engine *engine = *state;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct scene s;
        scene_begin(&s, engine, seed == 2, seed);
        for (uint64_t turn = 0, step = 1; turn < MOVES; turn++, step += 1 + turn % 2) {
            move(&s, turn);
            rlm_strata_move(&s.strata, s.before, s.after, step);
            rlm_strata_move(&s.plain, s.before, s.after, step);
            if (turn % 4 == 1) /* the next step follows at once */
                check_early(&s);
            else
                check_layer(&s, turn % 4 == 3 ? 0 : 1, turn);
        }
        assert_true(s.lethal > MOVES && s.endless > 0);
        print_message("# left out %zu of %zu before, %zu of %zu after; %zu intervals of lethal rates, %zu "
                      "without end\n",
                      s.left_out[RLM_BEFORE], s.left_out[RLM_BEFORE] + s.told[RLM_BEFORE],
                      s.left_out[RLM_AFTER], s.left_out[RLM_AFTER] + s.told[RLM_AFTER], s.lethal, s.endless);
        bool sketched = s.ground.sums.sketch.dots != NULL;
        assert_true(s.left_out[RLM_BEFORE] > s.told[RLM_BEFORE] / 5);
        assert_true(sketched ? s.left_out[RLM_AFTER] > s.told[RLM_AFTER] / 5 : s.left_out[RLM_AFTER] == 0);
        scene_end(&s);
    }
}

static int engine_begin(void **state)
{
    *state = world_engine(NULL, 3, NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_plain_counts)};
    return cmocka_run_group_tests(tests, engine_begin, world_end);
}
