/* Units at rest: what is proved of them, when the proof ends, and that leaving them out of forward passes and
 * censuses changes no byte. */
#include "world.h"

#include "base/checked.h"
#include "census/census.h"
#include "network/network.h"
#include "run/counting.h"
#include "train/optimizer.h"
#include "train/state.h"

#define SAMPLES 150
#define FEATURES 24
#define UNITS 64

struct training {
    relume_dataset *dataset;
    relume_network *network;
    relume_trainer *trainer;
    relume_census *census;
};

static relume_trainer_options options_of(relume_optimizer optimizer, double rate)
{
    relume_trainer_options options;
    relume_trainer_options_default(&options);
    options.optimizer = optimizer;
    options.learning_rate = rate;
    options.batch_size = 20; /* 8 steps an epoch, the last of 10 samples */
    options.epochs = 400;
    options.dense = -1; /* so small a network would not be watched */
    return options;
}

/* One unit in `apart` is born dead, or nearly so. */
static struct training training_of(relume_engine *engine, const relume_trainer_options *options,
                                   size_t features, size_t apart)
{
    struct training t = {
        world_dataset(engine, SAMPLES, features, 5, 0, 3),
        world_network(engine, (const size_t[]){features, UNITS, 40, 5, 0}, RELUME_LOSS_SOFTMAX, 1), NULL,
        NULL};
    relume_error error = {0};
    for (size_t n = 0; n < UNITS; n += apart)
        t.network->layers[0].bias[n] = -4;
    assert_ok(relume_trainer_create(t.network, t.dataset, options, &t.trainer, &error), error);
    assert_ok(relume_census_create(t.network, t.dataset, RELUME_SPLIT_TRAIN, NULL, &t.census, &error), error);
    return t;
}

static struct training training_begin(relume_engine *engine, const relume_trainer_options *options)
{
    return training_of(engine, options, FEATURES, 2);
}

static void training_end(struct training *t)
{
    relume_census_destroy(t->census);
    relume_trainer_destroy(t->trainer);
    relume_network_destroy(t->network);
    relume_dataset_destroy(t->dataset);
}

static void step(struct training *t, size_t count)
{
    relume_error error = {0};
    for (size_t i = 0; i < count; i++)
        assert_ok(relume_trainer_step(t->trainer, &error), error);
}

static size_t left_out(const struct training *t)
{
    const struct rlm_pass_layer *layer = &t->trainer->pass.layer[0];
    return layer->asks ? UNITS - layer->asked_count : 0;
}

/* The optimizer states of both, to the byte. */
static void assert_same_states(const struct training *a, const struct training *b)
{
    rlm_trainer_settle(a->trainer);
    for (size_t l = 0; l < a->network->layer_count; l++)
        for (size_t s = 0; s < rlm_trainer_slots(a->trainer); s++) {
            const struct rlm_layer *layer = &a->network->layers[l];
            struct rlm_slot one = rlm_trainer_get_slot(a->trainer, l, s);
            struct rlm_slot other = rlm_trainer_get_slot(b->trainer, l, s);
            assert_memory_equal(one.weight, other.weight,
                                layer->out_features * layer->stride * sizeof *one.weight);
            assert_memory_equal(one.bias, other.bias, layer->out_features * sizeof *one.bias);
        }
}

static void assert_same_account(const relume_census *a, const relume_census *b)
{
    assert_true(relume_census_get_loss(a) == relume_census_get_loss(b));
    for (size_t l = 0; l < relume_census_get_layers(a); l++) {
        relume_layer_account first = relume_census_get_layer(a, l), second = relume_census_get_layer(b, l);
        assert_memory_equal(first.unit, second.unit, first.units * sizeof *first.unit);
    }
}

/* Trains side by side: one that leaves out what it can, with a census every `every` steps, and one that
 * leaves out nothing and counts every unit. Adds to `out` the units left out of steps, to `lost` the proofs
 * that ended. */
static void compare(const char *cpu, size_t threads, const relume_trainer_options *options, size_t steps,
                    size_t every, size_t *out, size_t *lost)
{
    relume_engine *engine = world_engine(cpu, threads, NULL);
    relume_trainer_options dense = *options;
    dense.dense = 1;
    struct training a = training_begin(engine, options), b = training_begin(engine, &dense);
    relume_error error = {0};
    size_t before = 0;
    for (size_t done = 0; done < steps; done++) {
        if (every > 0 && done % every == 0) {
            assert_ok(rlm_count_between(a.census, a.trainer, NULL, &error), error);
            assert_ok(relume_census_count(b.census, &error), error);
            assert_same_account(a.census, b.census);
            before = left_out(&a);
        }
        step(&a, 1);
        step(&b, 1);
        assert_true(world_networks_equal(a.network, b.network));
        *out += left_out(&a);
        *lost += left_out(&a) < before;
        before = left_out(&a);
    }
    training_end(&a);
    training_end(&b);
    relume_engine_destroy(engine);
}

static void test_bytes(void **state)
{
    (void)state;
    static const struct {
        relume_optimizer optimizer;
        double rate;
    } settings[] = {{RELUME_SGD, 1.5},
                    {RELUME_MOMENTUM, 0.2},
                    {RELUME_NESTEROV, 0.2},
                    {RELUME_ADAM, 0.05},
                    {RELUME_ADAMW, 0.05}};
    const char *levels[RLM_CPU_LEVELS];
    size_t count = world_levels(levels);
    for (size_t s = 0; s < sizeof settings / sizeof *settings; s += check_rounds(1, 2))
        for (size_t l = check_rounds(0, count - 1); l < count; l++) { /* the best is the last */
            if (strcmp(levels[l], "ref") == 0 && settings[s].optimizer != RELUME_MOMENTUM)
                continue; /* slow, and the rest is the same at every level */
            relume_trainer_options options = options_of(settings[s].optimizer, settings[s].rate);
            size_t epochs_only = 0, counted = 0, lost = 0, none = 0;
            options.warmup = 3;
            compare(levels[l], 1, &options, 160, 0, &epochs_only, &none);
            compare(levels[l], 3, &options, 160, 5, &counted, &lost);
            if (epochs_only == 0 || counted <= epochs_only)
                fail_msg("%s, %s: %zu units were left out of steps by epochs, %zu with censuses", levels[l],
                         relume_optimizer_name(settings[s].optimizer), epochs_only, counted);
            if (settings[s].optimizer != RELUME_SGD && lost == 0)
                fail_msg("%s, %s: no proof ever ended", levels[l],
                         relume_optimizer_name(settings[s].optimizer));
        }
}

/* Steps: raises `most` to the units asleep after one of them, and adds those of the second layer that one has
 * woken. */
static void step_watched(struct training *t, size_t count, size_t *most, size_t *woken)
{
    const struct rlm_sleep *sleep = t->trainer->sleep;
    for (size_t i = 0; i < count; i++) {
        size_t before = sleep[1].sleepers;
        step(t, 1);
        *most = rlm_size_max(*most, sleep[0].sleepers + sleep[1].sleepers);
        *woken += before > sleep[1].sleepers ? before - sleep[1].sleepers : 0;
    }
}

/* States that have decayed for so long that nothing moves stand still, and what they have missed is made up
 * for. */
static void test_sleep(void **state)
{
    (void)state;
    static const relume_optimizer optimizers[] = {RELUME_MOMENTUM, RELUME_NESTEROV, RELUME_ADAM,
                                                  RELUME_ADAMW};
    const char *levels[RLM_CPU_LEVELS];
    size_t count = world_levels(levels), woken = 0;
    for (size_t o = 0; o < sizeof optimizers / sizeof *optimizers; o++)
        for (size_t l = check_rounds(0, count - 1); l < count; l++) {
            if (strcmp(levels[l], "ref") == 0 && optimizers[o] != RELUME_ADAM)
                continue; /* slow, and the rest is the same at every level */
            bool adam = optimizers[o] == RELUME_ADAM || optimizers[o] == RELUME_ADAMW;
            relume_engine *engine = world_engine(levels[l], 2, NULL);
            relume_trainer_options options = options_of(optimizers[o], adam ? 0.05 : 0.2), dense;
            options.momentum = options.beta1 =
                0.5; /* what is left of a gradient is denormal after 130 steps */
            dense = options;
            dense.dense = 1;
            struct training a = training_begin(engine, &options), b = training_begin(engine, &dense);
            size_t most = 0;
            for (size_t round = 0; round < 12; round++) {
                step_watched(&a, 29, &most, &woken);
                step(&b, 29);
                if (round % 3 == 2)
                    assert_same_states(&a, &b);
                assert_true(world_networks_equal(a.network, b.network));
            }
            if (most == 0)
                fail_msg("%s, %s: no unit ever slept", levels[l], relume_optimizer_name(optimizers[o]));
            training_end(&a);
            training_end(&b);
            relume_engine_destroy(engine);
        }
    assert_true(woken > 0);
}

/* Too few silent units for the lists of a pass: they sleep all the same. */
static void test_sleep_unlisted(void **state)
{
    (void)state;
    const char *levels[RLM_CPU_LEVELS];
    size_t count = world_levels(levels);
    for (size_t l = check_rounds(0, count - 1); l < count; l++)
        for (relume_optimizer o = RELUME_MOMENTUM; o < RELUME_OPTIMIZER_COUNT; o++) {
            bool adam = o == RELUME_ADAM || o == RELUME_ADAMW;
            relume_engine *engine = world_engine(levels[l], 2, NULL);
            relume_trainer_options options = options_of(o, adam ? 0.001 : 0.01), dense;
            options.dense = 0;
            options.momentum = options.beta1 = 0.5;
            dense = options;
            dense.dense = 1;
            struct training a = training_of(engine, &options, 80, 8), b = training_of(engine, &dense, 80, 8);
            size_t most = 0, woken = 0;
            for (size_t round = 0; round < 5; round++) {
                step_watched(&a, 29, &most, &woken);
                step(&b, 29);
                assert_false(a.trainer->pass.layer[0].listed);
                assert_true(world_networks_equal(a.network, b.network));
            }
            assert_same_states(&a, &b);
            if (most == 0)
                fail_msg("%s, %s: no unit ever slept", levels[l], relume_optimizer_name(o));
            training_end(&a);
            training_end(&b);
            relume_engine_destroy(engine);
        }
}

#define BOUND_COLUMNS 64

/* One row without a gradient, moved by the updates from `step` on. */
struct lonely {
    float w[BOUND_COLUMNS], s1[BOUND_COLUMNS], s2[BOUND_COLUMNS], bias[RLM_LANES], b1[RLM_LANES],
        b2[RLM_LANES];
} __attribute__((aligned(64)));

/* Whether an update changes a bit of the row. */
static bool moves(struct lonely *row, const relume_trainer_options *options, uint64_t step)
{
    struct lonely before = *row;
    struct rlm_update update = rlm_optimizer_update(options, options->learning_rate, step, false);
    uint32_t unit = 0;
    uint8_t motion = RLM_MOTION_MOVED;
    struct rlm_backward_weights a = {.in_features = BOUND_COLUMNS,
                                     .out_features = 1,
                                     .units = &unit,
                                     .weight_update = update,
                                     .bias_update = update,
                                     .stride = BOUND_COLUMNS,
                                     .weight = row->w,
                                     .bias = row->bias,
                                     .weight_s1 = row->s1,
                                     .weight_s2 = row->s2,
                                     .bias_s1 = row->b1,
                                     .bias_s2 = row->b2,
                                     .motion = &motion,
                                     .rest = rlm_optimizer_rest_bound(options)};
    rlm_kernels_get(RLM_CPU_REF)->backward_weights(&a, 0, 1);
    bool moved = memcmp(before.w, row->w, sizeof row->w) != 0;
    assert_int_equal(motion == RLM_MOTION_MOVED, moved);
    return moved;
}

/* Parameters whose states are only just small enough for the bound: no update without a gradient moves them,
 * from whatever step on. With states 64 times as large the first one moves some. */
static void test_bound(void **state)
{
    (void)state;
    size_t moved = 0;
    for (relume_optimizer o = RELUME_MOMENTUM; o < RELUME_OPTIMIZER_COUNT; o++)
        for (uint64_t first = 1; first < 3000; first = first * 3 + 1) {
            bool adam = o == RELUME_ADAM || o == RELUME_ADAMW;
            relume_trainer_options options = options_of(o, 0.01);
            struct rlm_rest_bound bound = rlm_optimizer_rest_bound(&options);
            struct lonely row = {0}, larger;
            row.bias[0] = 1;
            for (size_t i = 0; i < BOUND_COLUMNS; i++) {
                row.w[i] = (i % 2 ? -1.0f : 1.0f) * ldexpf(1.0f + (float)(i % 7) / 8, -(int)(i % 11));
                row.s2[i] = adam ? ldexpf(1.3f, -(int)(i * 5 % 130)) : 0;
                float divisor = adam ? sqrtf(row.s2[i]) + (float)options.epsilon : 1;
                row.s1[i] = fabsf(row.w[i]) * divisor / bound.state * (1 - 0x1p-20f);
            }
            larger = row;
            for (size_t i = 0; i < BOUND_COLUMNS; i++)
                larger.s1[i] *= 64;
            for (uint64_t t = first; t < first + 300; t++)
                if (moves(&row, &options, t))
                    fail_msg("%s: update %llu from %llu on moves a row at rest", relume_optimizer_name(o),
                             (unsigned long long)t, (unsigned long long)first);
            moved += moves(&larger, &options, first);
        }
    assert_true(moved > 0);
}

/* With weight decay nothing ever rests; with clipping only plain SGD leaves a unit alone. */
static void test_never(void **state)
{
    (void)state;
    relume_trainer_options options = options_of(RELUME_SGD, 1.5);
    size_t out = 0, lost = 0;
    options.weight_decay = 0.001;
    compare(NULL, 1, &options, 200, 0, &out, &lost);
    options = options_of(RELUME_ADAM, 0.05);
    options.clip_norm = 0.5;
    compare(NULL, 1, &options, 200, 0, &out, &lost);
    assert_int_equal(out, 0);
    options = options_of(RELUME_SGD, 30);
    options.clip_norm = 0.5;
    compare(NULL, 1, &options, 200, 0, &out, &lost);
    assert_true(out > 0);
}

/* A unit that was left out and that somebody revives by hand trains on. */
static void test_written(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_trainer_options options = options_of(RELUME_SGD, 1.5), dense = options;
    dense.dense = 1;
    struct training a = training_begin(engine, &options), b = training_begin(engine, &dense);
    step(&a, 200);
    step(&b, 200);
    assert_true(left_out(&a) > 0);
    for (size_t n = 0; n < UNITS; n++) {
        relume_network_get_layer(a.network, 0).bias[n] = 1;
        relume_network_get_layer(b.network, 0).bias[n] = 1;
    }
    relume_trainer_parameters_changed(a.trainer);
    assert_int_equal(left_out(&a), 0);
    step(&a, 60);
    step(&b, 60);
    assert_true(world_networks_equal(a.network, b.network));
    training_end(&a);
    training_end(&b);
    relume_engine_destroy(engine);
}

/* What rlm_count_between may take over from the last count: only units whose parameters no update has
 * touched. */
static void test_rested(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_trainer_options options = options_of(RELUME_ADAM, 0.05);
    struct training t = training_begin(engine, &options);
    size_t stride = t.network->layers[0].stride, agree = 0;
    float *before = malloc(UNITS * stride * sizeof *before);
    for (size_t round = 0; round < 100; round++) {
        uint64_t at = rlm_trainer_get_state(t.trainer).step;
        memcpy(before, t.network->layers[0].weight, UNITS * stride * sizeof *before);
        step(&t, 1 + round % 7);
        for (size_t n = 0; n < UNITS; n++) {
            bool same = memcmp(before + n * stride, t.network->layers[0].weight + n * stride,
                               stride * sizeof *before) == 0;
            bool rested = rlm_trainer_unit_rested(t.trainer, n, at);
            assert_true(same || !rested);
            agree += rested;
        }
    }
    assert_true(agree > 0);
    free(before);
    training_end(&t);
    relume_engine_destroy(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),   cmocka_unit_test(test_sleep),  cmocka_unit_test(test_never),
        cmocka_unit_test(test_written), cmocka_unit_test(test_rested), cmocka_unit_test(test_sleep_unlisted),
        cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
