/* Every optimizer against its formula, written out once more in double for the smallest network there is: y =
 * w x + b, loss (y − t)². */
#include "world.h"

#include <math.h>

#include "train/optimizer.h"

struct scalar {
    double w, s1, s2;
};

/* torch.optim.SGD, Adam and AdamW, one parameter, as their documentation states them. */
static void scalar_step(struct scalar *p, double g, const relume_trainer_options *o, double decay, double t)
{
    double rate = o->learning_rate;
    if (o->optimizer == RELUME_ADAMW)
        p->w -= rate * decay * p->w;
    else
        g += decay * p->w;
    if (o->optimizer == RELUME_ADAM || o->optimizer == RELUME_ADAMW) {
        p->s1 = o->beta1 * p->s1 + (1 - o->beta1) * g;
        p->s2 = o->beta2 * p->s2 + (1 - o->beta2) * g * g;
        double m = p->s1 / (1 - pow(o->beta1, t)), v = p->s2 / (1 - pow(o->beta2, t));
        p->w -= rate * m / (sqrt(v) + o->epsilon);
        return;
    }
    double direction = g;
    if (o->optimizer != RELUME_SGD) {
        p->s1 = o->momentum * p->s1 + g;
        direction = o->optimizer == RELUME_NESTEROV ? g + o->momentum * p->s1 : p->s1;
    }
    p->w -= rate * direction;
}

static void compare(relume_optimizer optimizer, double decay, int decay_bias, double clip)
{
    relume_engine *engine = world_engine(NULL, 1, NULL);
    const float x = 1.25f, target = -0.75f;
    relume_matrix matrix = {
        .samples = 1, .features = 1, .element = RELUME_F32, .x = &x, .targets = &target, .outputs = 1};
    relume_dataset *dataset = NULL;
    relume_error error = {0};
    assert_ok(relume_dataset_create(engine, "one", &matrix, NULL, &dataset, &error), error);
    relume_network *network = world_network(engine, (const size_t[]){1, 1, 0}, RELUME_LOSS_MSE, 1);
    relume_layer out = relume_network_get_layer(network, 0);
    out.weight[0] = 1.5f;
    out.bias[0] = 0.5f;
    relume_trainer_options options;
    relume_trainer_options_default(&options);
    options.epochs = 50;
    options.optimizer = optimizer;
    options.learning_rate = 0.02;
    options.weight_decay = decay;
    options.decay_bias = decay_bias;
    options.clip_norm = clip;
    relume_trainer *trainer = NULL;
    assert_ok(relume_trainer_create(network, dataset, &options, &trainer, &error), error);
    struct scalar w = {1.5, 0, 0}, b = {0.5, 0, 0};
    for (int step = 1; step <= 50; step++) {
        assert_ok(relume_trainer_step(trainer, &error), error);
        double d = 2 * (w.w * 1.25 + b.w + 0.75), norm = fabs(d) * sqrt(1.25 * 1.25 + 1);
        double scale = clip > 0 && norm > clip ? clip / norm : 1;
        scalar_step(&w, scale * d * 1.25, &options, decay, step);
        scalar_step(&b, scale * d, &options, decay_bias ? decay : 0, step);
        /* About ten float roundings a step of numbers below 8, 8·2⁻²⁴ = 5e-7 each: 50 steps stay below 2.5e-4
         * at the very worst; in fact they do not all point one way, and the loss pulls back. */
        assert_true(fabs((double)out.weight[0] - w.w) < 1e-5);
        assert_true(fabs((double)out.bias[0] - b.w) < 1e-5);
    }
    relume_trainer_destroy(trainer);
    relume_network_destroy(network);
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
}

static void test_every_optimizer(void **state)
{
    (void)state;
    for (int optimizer = 0; optimizer < RELUME_OPTIMIZER_COUNT; optimizer++) {
        compare((relume_optimizer)optimizer, 0, 0, 0);
        compare((relume_optimizer)optimizer, 0.1, 0, 0);
        compare((relume_optimizer)optimizer, 0.1, 1, 0);
        compare((relume_optimizer)optimizer, 0, 0, 0.5);
        compare((relume_optimizer)optimizer, 0.1, 1, 0.5);
    }
}

/* Within exponent · 2⁻⁵² relative, as each squaring doubles the relative error and adds one rounding. */
static void test_power(void **state)
{
    (void)state;
    assert_true(rlm_optimizer_power(0.9, 0) == 1.0);
    assert_true(rlm_optimizer_power(0.999, 1) == 0.999);
    assert_true(rlm_optimizer_power(0.5, 10) == 0x1p-10);
    for (uint64_t t = 1; t < 5000; t += 7) {
        double expected = pow(0.999, (double)t);
        assert_true(fabs(rlm_optimizer_power(0.999, t) - expected) <= (double)t * 0x1p-52 * expected);
    }
    assert_true(rlm_optimizer_power(0.9, UINT64_MAX) == 0.0);
}

static void test_slots(void **state)
{
    (void)state;
    assert_int_equal(rlm_optimizer_slots(RELUME_SGD), 0);
    assert_int_equal(rlm_optimizer_slots(RELUME_NESTEROV), 1);
    assert_int_equal(rlm_optimizer_slots(RELUME_ADAMW), 2);
    assert_string_equal(rlm_optimizer_slot_name(RELUME_MOMENTUM, 0), "velocity");
    assert_string_equal(rlm_optimizer_slot_name(RELUME_ADAM, 1), "v");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_optimizer),
        cmocka_unit_test(test_power),
        cmocka_unit_test(test_slots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
