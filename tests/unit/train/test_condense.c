/* The second layer without the inputs that are dead for good: that leaving them out changes no byte of
 * weights or states, whoever asks for these and when, and that it is done at all. */
#include "world.h"

#include "base/checked.h"
#include "network/network.h"
#include "train/optimizer.h"
#include "train/state.h"

#define SAMPLES 600
#define FEATURES 24
#define UNITS 64
#define SECOND 40

/* One trainer that leaves out what it can, and one that leaves out nothing. */
struct twins {
    relume_dataset *dataset;
    relume_network *network[2];
    relume_trainer *trainer[2];
    struct rlm_stride stride[2];
};

static relume_trainer_options options_of(relume_optimizer optimizer)
{
    bool adam = optimizer == RELUME_ADAM || optimizer == RELUME_ADAMW;
    relume_trainer_options options;
    relume_trainer_options_default(&options);
    options.optimizer = optimizer;
    options.learning_rate = adam ? 0.01 : 0.2;
    options.momentum = options.beta1 = 0.5; /* what is left of a gradient is denormal after 130 steps */
    options.batch_size = 16;                /* 38 steps an epoch, the last of 8 samples */
    options.epochs = 400;
    return options;
}

/* Of eight units of the first layer `born` are born dead. */
static void twins_begin(struct twins *t, relume_engine *engine, const relume_trainer_options *options,
                        size_t born)
{
    relume_error error = {0};
    t->dataset = world_dataset(engine, SAMPLES, FEATURES, 5, 0, 3);
    for (int side = 0; side < 2; side++) {
        relume_trainer_options own = *options;
        own.dense = side == 0 ? -1 : 1; /* −1: so small a network would not be watched */
        t->network[side] =
            world_network(engine, (const size_t[]){FEATURES, UNITS, SECOND, 5, 0}, RELUME_LOSS_SOFTMAX, 1);
        for (size_t n = 0; n < UNITS; n++)
            if (n * 5 % 8 < born)
                t->network[side]->layers[0].bias[n] = -8;
        assert_ok(relume_trainer_create(t->network[side], t->dataset, &own, &t->trainer[side], &error),
                  error);
        assert_ok(rlm_stride_init(&t->stride[side], t->network[side], &error), error);
    }
}

static void twins_end(struct twins *t)
{
    for (int side = 0; side < 2; side++) {
        rlm_stride_deinit(&t->stride[side]);
        relume_trainer_destroy(t->trainer[side]);
        relume_network_destroy(t->network[side]);
    }
    relume_dataset_destroy(t->dataset);
}

static const struct rlm_condensed *condensed(const struct twins *t)
{
    return &t->trainer[0]->condensed;
}

/* Adds to `times` how often inputs were left out, to `again` how often more than before. */
static void step(struct twins *t, size_t count, size_t *times, size_t *again)
{
    relume_error error = {0};
    for (size_t i = 0; i < count; i++) {
        size_t before = condensed(t)->count;
        assert_ok(relume_trainer_step(t->trainer[0], &error), error);
        assert_ok(relume_trainer_step(t->trainer[1], &error), error);
        assert_true(world_networks_equal(t->network[0], t->network[1]));
        *times += condensed(t)->count != before;
        *again += condensed(t)->count < before;
    }
}

/* The states of one unit of the second layer, to the byte. */
static void assert_same_unit(const struct twins *t, size_t unit)
{
    const struct rlm_layer *layer = &t->network[0]->layers[1];
    for (size_t s = 0; s < rlm_trainer_slots(t->trainer[0]); s++) {
        struct rlm_slot one = rlm_trainer_get_slot(t->trainer[0], 1, s),
                        other = rlm_trainer_get_slot(t->trainer[1], 1, s);
        assert_memory_equal(one.weight + unit * layer->stride, other.weight + unit * layer->stride,
                            layer->stride * sizeof *one.weight);
        assert_memory_equal(one.bias + unit, other.bias + unit, sizeof *one.bias);
    }
}

static void ask_for_all(const struct twins *t)
{
    rlm_trainer_settle(t->trainer[0]);
    for (size_t n = 0; n < SECOND; n++)
        assert_same_unit(t, n);
}

static void ask_for_some(const struct twins *t, size_t round)
{
    uint8_t wanted[SECOND];
    for (size_t n = 0; n < SECOND; n++)
        wanted[n] = n % 3 == round % 3;
    rlm_trainer_settle_units(t->trainer[0], 1, wanted);
    for (size_t n = 0; n < SECOND; n++)
        if (wanted[n])
            assert_same_unit(t, n);
}

static void measure(struct twins *t, size_t *times, size_t *again)
{
    for (int side = 0; side < 2; side++)
        rlm_trainer_measure(t->trainer[side], &t->stride[side]);
    step(t, 1, times, again);
    assert_memory_equal(t->stride[0].ratio, t->stride[1].ratio, 3 * sizeof(double));
    for (int side = 0; side < 2; side++)
        rlm_trainer_measure(t->trainer[side], NULL);
}

static void ask(struct twins *t, size_t round, size_t *times, size_t *again)
{
    if (round % 5 == 4)
        ask_for_all(t);
    if (round % 2 == 1)
        ask_for_some(t, round);
    if (round % 3 == 1)
        measure(t, times, again);
}

static void set_bias(struct twins *t, size_t layer, size_t unit, float bias)
{
    t->network[0]->layers[layer].bias[unit] = t->network[1]->layers[layer].bias[unit] = bias;
}

/* Kills units of a layer that are awake: of these the trainer remembers nothing, and need not be told. */
static void kill_some(struct twins *t, size_t layer, size_t count)
{
    for (size_t n = 0; n < t->network[0]->layers[layer].out_features && count > 0; n++) {
        bool proved = layer == 0 && t->trainer[0]->rest.proved[n];
        if (proved || t->trainer[0]->sleep[layer].slept[n] != 0 || t->network[0]->layers[layer].bias[n] < -4)
            continue;
        set_bias(t, layer, n, layer == 0 ? -8 : -50);
        count--;
    }
}

/* Weights so small that nothing is proved of them, whatever their states: kernels/rest.h. Unit 0 is born
 * dead. */
static void make_restless(struct twins *t)
{
    for (int side = 0; side < 2; side++)
        for (size_t n = SECOND / 2; n < SECOND; n++)
            t->network[side]->layers[1].weight[n * t->network[side]->layers[1].stride] = 1e-38f;
}

static float preactivation(const struct twins *t, size_t unit, size_t sample)
{
    const struct rlm_layer *layer = &t->network[0]->layers[0];
    const float *x = (const float *)t->dataset->x + sample * FEATURES;
    float sum = 0;
    for (size_t k = 0; k < FEATURES; k++)
        sum += x[k] * layer->weight[unit * layer->stride + k];
    return sum;
}

/* Some units that live are left to one sample in the data: they sleep for most of an epoch, and are not dead.
 */
static void make_rare(struct twins *t, size_t count)
{
    for (size_t n = UNITS; n-- > 0 && count > 0;) {
        float first = -1e30f, second = first;
        if (t->network[0]->layers[0].bias[n] < -4)
            continue;
        for (size_t sample = 0; sample < SAMPLES; sample++) {
            float p = preactivation(t, n, sample);
            second = p > first ? first : p > second ? p : second;
            first = p > first ? p : first;
        }
        set_bias(t, 0, n, -(0.2f * first + 0.8f * second));
        count--;
    }
}

/* What happens on the way. */
static void interfere(struct twins *t, size_t round)
{
    if (round == 0)
        make_rare(t, 6);
    if (round == 0)
        make_restless(t);
    if (round == 3)
        kill_some(t, 1, 6);
    if (round == 6)
        kill_some(t, 0, 24);
    if (round == 14)
        kill_some(t, 0, 8);
    if (round == 13)
        kill_some(t, 1, 4);
}

static void compare(relume_engine *engine, relume_optimizer optimizer, size_t born, size_t *rare)
{
    relume_trainer_options options = options_of(optimizer);
    struct twins t = {0};
    size_t times = 0, again = 0;
    twins_begin(&t, engine, &options, born);
    for (size_t round = 0; round < 22; round++) {
        interfere(&t, round);
        step(&t, 29, &times, &again);
        ask(&t, round, &times, &again);
        for (size_t n = 0; n < UNITS; n++)
            *rare += t.trainer[0]->sleep[0].slept[n] != 0 && !t.trainer[0]->rest.proved[n];
    }
    if (condensed(&t)->count == 0 || again == 0)
        fail_msg("%s, %s, %zu born dead: inputs were left out %zu times, more than before %zu times",
                 relume_engine_get_kernel(engine), relume_optimizer_name(optimizer), born, times, again);
    assert_int_equal(condensed(&t)->live[0], 0);
    twins_end(&t);
}

static void test_bytes(void **state)
{
    (void)state;
    const char *levels[RLM_CPU_LEVELS];
    size_t count = world_levels(levels), rare = 0;
    for (relume_optimizer o = RELUME_MOMENTUM; o < RELUME_OPTIMIZER_COUNT; o++)
        for (size_t l = check_rounds(0, count - 1); l < count; l++) { /* the best is the last */
            if (strcmp(levels[l], "ref") == 0 && o != RELUME_ADAM)
                continue; /* slow, and the rest is the same at every level */
            relume_engine *engine = world_engine(levels[l], 2, NULL);
            compare(engine, o, 5, &rare);
            compare(engine, o, 1, &rare);
            relume_engine_destroy(engine);
        }
    assert_true(rare > 0);
}

/* A unit of the first layer that somebody revives by hand is an input again. */
static void test_revived(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_trainer_options options = options_of(RELUME_ADAM);
    struct twins t = {0};
    size_t times = 0, again = 0;
    twins_begin(&t, engine, &options, 5);
    step(&t, 400, &times, &again);
    assert_true(condensed(&t)->count > 0);
    relume_trainer_parameters_changed(t.trainer[0]);
    assert_int_equal(condensed(&t)->count, 0);
    for (size_t n = 0; n < UNITS; n++)
        t.network[0]->layers[0].bias[n] = t.network[1]->layers[0].bias[n] = 1;
    ask_for_all(&t);
    step(&t, 100, &times, &again);
    ask_for_all(&t);
    twins_end(&t);
    relume_engine_destroy(engine);
}

/* Where nothing ever rests, or a clipped gradient is applied to all of a layer at once, all inputs stay. */
static void test_never(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    for (int way = 0; way < 3; way++) {
        relume_trainer_options options = options_of(way == 2 ? RELUME_SGD : RELUME_ADAM);
        struct twins t = {0};
        size_t times = 0, again = 0;
        options.weight_decay = way == 0 ? 0.001 : 0.0;
        options.clip_norm = way == 1 ? 0.5 : 0.0;
        twins_begin(&t, engine, &options, 5);
        step(&t, 300, &times, &again);
        assert_int_equal(times, 0);
        twins_end(&t);
    }
    relume_engine_destroy(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_revived),
        cmocka_unit_test(test_never),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
