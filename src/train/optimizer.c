/* See optimizer.h. */
#include "train/optimizer.h"

#include <math.h>

#include "kernels/rest.h"
#include "train/trainer.h"

const char *relume_optimizer_name(relume_optimizer optimizer)
{
    static const char *const names[] = {
#define OPTIMIZER_NAME(name, text) text,
        RELUME_OPTIMIZER_LIST(OPTIMIZER_NAME)
#undef OPTIMIZER_NAME
    };
    return (unsigned)optimizer < RELUME_OPTIMIZER_COUNT ? names[optimizer] : NULL;
}

size_t rlm_optimizer_slots(relume_optimizer optimizer)
{
    if (optimizer == RELUME_ADAM || optimizer == RELUME_ADAMW)
        return 2;
    return optimizer == RELUME_SGD ? 0 : 1;
}

const char *rlm_optimizer_slot_name(relume_optimizer optimizer, size_t slot)
{
    if (rlm_optimizer_slots(optimizer) == 1)
        return "velocity";
    return slot == 0 ? "m" : "v";
}

/* A relative error of some exponent · 2⁻⁵³ builds up; where that could matter the power itself, at most 1,
 * has long vanished beside the 1 it is taken from: t · betaᵗ is at most 1/(e · (1 − beta)). */
double rlm_optimizer_power(double base, uint64_t exponent)
{
    double power = 1.0;
    for (; exponent > 0; exponent >>= 1) {
        if (exponent & 1)
            power *= base;
        base *= base;
    }
    return power;
}

static enum rlm_update_kind update_kind(relume_optimizer optimizer)
{
    static const enum rlm_update_kind kinds[RELUME_OPTIMIZER_COUNT] = {
        [RELUME_SGD] = RLM_UPDATE_SGD,           [RELUME_MOMENTUM] = RLM_UPDATE_MOMENTUM,
        [RELUME_NESTEROV] = RLM_UPDATE_NESTEROV, [RELUME_ADAM] = RLM_UPDATE_ADAM,
        [RELUME_ADAMW] = RLM_UPDATE_ADAMW,
    };
    return kinds[optimizer];
}

struct rlm_update rlm_optimizer_update(const relume_trainer_options *options, double rate, uint64_t step,
                                       bool bias)
{
    double decay = bias && !options->decay_bias ? 0.0 : options->weight_decay;
    struct rlm_update update = {
        .kind = update_kind(options->optimizer),
        .learning_rate = (float)rate,
        .decay = (float)decay,
        .momentum = (float)options->momentum,
        .beta1 = (float)options->beta1,
        .one_minus_beta1 = (float)(1.0 - options->beta1),
        .beta2 = (float)options->beta2,
        .one_minus_beta2 = (float)(1.0 - options->beta2),
        .epsilon = (float)options->epsilon,
        .shrink = (float)(1.0 - rate * decay),
    };
    if (rlm_optimizer_slots(options->optimizer) == 2) {
        update.step_size = (float)(rate / (1.0 - rlm_optimizer_power(options->beta1, step)));
        update.root_correction = (float)(1.0 / sqrt(1.0 - rlm_optimizer_power(options->beta2, step)));
    }
    return update;
}

struct rlm_rest_bound rlm_optimizer_rest_bound(const relume_trainer_options *options)
{
    bool adam = options->optimizer == RELUME_ADAM || options->optimizer == RELUME_ADAMW;
    double rate = rlm_schedule_largest(options);
    if (options->optimizer == RELUME_SGD || options->weight_decay != 0)
        return (struct rlm_rest_bound){INFINITY, INFINITY};
    if (!adam)
        return rlm_rest_bound_momentum(rate, (float)options->momentum);
    rate /= 1 - options->beta1; /* the first step has the largest factor */
    return rlm_rest_bound_adam(rate, (float)options->beta1, (float)options->beta2, (float)options->epsilon);
}
