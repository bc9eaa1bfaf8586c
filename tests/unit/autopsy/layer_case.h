/* A random layer for the autopsy's tests: inputs, one unit with optimizer state and a gradient, all from one
 * seed. */
#ifndef RLM_TESTS_LAYER_CASE_H
#define RLM_TESTS_LAYER_CASE_H

#include "check.h"

#include <math.h>

#include "autopsy/bounds.h"
#include "autopsy/coast.h"
#include "autopsy/move.h"
#include "base/rng.h"
#include "world.h"

#define CASE_FEATURES 32 /* at most */
#define CASE_STRIDE 48

struct layer_case {
    struct rlm_rng rng;
    uint64_t draws;
    relume_trainer_options options;
    struct rlm_inputs inputs;
    _Alignas(64) float before[CASE_STRIDE], gradient[CASE_STRIDE], s1[CASE_STRIDE], s2[CASE_STRIDE];
    struct rlm_move move;
};

static inline double case_uniform(struct layer_case *c)
{
    return rlm_rng_uniform(&c->rng, c->draws++);
}

static inline double case_normal(struct layer_case *c)
{
    return rlm_rng_normal(&c->rng, c->draws++);
}

/* Optimizer number `seed` modulo five, decay for some, random everything. The inputs are not negative, as
 * behind a ReLU or in an image. */
static inline void case_begin(struct layer_case *c, relume_engine *engine, uint64_t seed)
{
    relume_error error;
    *c = (struct layer_case){.rng = {seed, RLM_RNG_TEST, 7}};
    relume_trainer_options_default(&c->options);
    c->options.optimizer = (relume_optimizer)(seed % RELUME_OPTIMIZER_COUNT);
    c->options.learning_rate = pow(10.0, -3.0 + 4.0 * case_uniform(c));
    if (seed / 5 % 3 == 1)
        c->options.weight_decay = 0.1 * case_uniform(c);
    c->options.decay_bias = seed / 15 % 2 == 1;
    size_t samples = 1 + (size_t)(60.0 * case_uniform(c)), features = 1 + (size_t)(10.0 * case_uniform(c));
    assert_ok(rlm_inputs_init(&c->inputs, engine, samples, features, &error), error);
    for (size_t s = 0; s < samples; s++)
        for (size_t k = 0; k < features; k++)
            c->inputs.x[(s / RLM_LANES * features + k) * RLM_LANES + s % RLM_LANES] =
                (float)fmax(0.0, case_normal(c));
    rlm_inputs_measure(&c->inputs);
    for (size_t i = 0; i <= features; i++) {
        c->before[i] = (float)(case_normal(c) - 0.3);
        c->gradient[i] = (float)(case_normal(c) + 0.5);
        c->s1[i] = (float)case_normal(c);
        c->s2[i] = (float)(case_uniform(c) * case_uniform(c));
    }
    bool adam = c->options.optimizer == RELUME_ADAM || c->options.optimizer == RELUME_ADAMW;
    c->move = (struct rlm_move){.options = &c->options,
                                .features = features,
                                .step = 1 + (uint64_t)(300.0 * case_uniform(c)),
                                .rate = c->options.learning_rate,
                                .before = c->before,
                                .gradient = c->gradient,
                                .s1 = c->options.optimizer == RELUME_SGD ? NULL : c->s1,
                                .s2 = adam ? c->s2 : NULL};
}

static inline void case_end(struct layer_case *c)
{
    rlm_inputs_deinit(&c->inputs);
}

/* The plain truth: a loop over all samples, one chain each. */
static inline bool case_dead(const struct layer_case *c, const float *variant)
{
    for (size_t s = 0; s < c->inputs.samples; s++) {
        float p = 0.0f;
        for (size_t k = 0; k < c->inputs.features; k++)
            p = fmaf(rlm_inputs_get(&c->inputs, s, k), variant[k], p);
        if (p + variant[c->inputs.features] > 0.0f)
            return false;
    }
    return true;
}

#endif
