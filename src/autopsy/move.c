/* See move.h. The arithmetic of one element repeats kernels/ref.c's update, with parts left out; a test
 * compares the two. */
#include "autopsy/move.h"

#include <math.h>
#include <stdbool.h>

#include "train/optimizer.h"

/* What goes into the update of one parameter. */
struct element {
    float w, g, s1, s2;
};

static struct element element_get(const struct rlm_move *move, size_t i)
{
    return (struct element){.w = move->before[i],
                            .g = move->gradient[i],
                            .s1 = move->s1 ? move->s1[i] : 0.0f,
                            .s2 = move->s2 ? move->s2[i] : 0.0f};
}

/* √v·c + ε with v after the step: of the whole update, whatever is left out. */
static float adam_denominator(const struct rlm_update *u, const struct element *e)
{
    float g = e->g;
    if (u->decay != 0.0f && u->kind == RLM_UPDATE_ADAM)
        g = fmaf(u->decay, e->w, g);
    float v = fmaf(u->beta2, e->s2, u->one_minus_beta2 * g * g);
    return fmaf(sqrtf(v), u->root_correction, u->epsilon);
}

static float element_move(const struct rlm_update *u, const struct element *e, unsigned without)
{
    bool decays = u->decay != 0.0f && !(without & RLM_PART_DECAY);
    float s = without & RLM_PART_MOMENTUM ? 0.0f : e->s1;
    float g = without & RLM_PART_GRADIENT ? 0.0f : e->g;
    if (decays && u->kind != RLM_UPDATE_ADAMW)
        g = fmaf(u->decay, e->w, g);
    switch (u->kind) {
    case RLM_UPDATE_SGD:
        return fmaf(-u->learning_rate, g, e->w);
    case RLM_UPDATE_MOMENTUM:
        return fmaf(-u->learning_rate, fmaf(u->momentum, s, g), e->w);
    case RLM_UPDATE_NESTEROV:
        return fmaf(-u->learning_rate, fmaf(u->momentum, fmaf(u->momentum, s, g), g), e->w);
    case RLM_UPDATE_ADAM:
    case RLM_UPDATE_ADAMW: {
        float m = fmaf(u->beta1, s, u->one_minus_beta1 * g);
        float w = u->kind == RLM_UPDATE_ADAMW && decays ? e->w * u->shrink : e->w;
        return fmaf(-u->step_size, m / adam_denominator(u, e), w);
    }
    case RLM_UPDATE_STORE:
        break;
    }
    return e->w;
}

void rlm_move_make(const struct rlm_move *move, unsigned without, double rate, float *after)
{
    struct rlm_update weight = rlm_optimizer_update(move->options, rate, move->step, false);
    struct rlm_update bias = rlm_optimizer_update(move->options, rate, move->step, true);
    for (size_t i = 0; i <= move->features; i++) {
        bool is_bias = i == move->features;
        struct element e = element_get(move, i);
        if (without & (is_bias ? RLM_PART_BIAS : RLM_PART_WEIGHTS))
            after[i] = e.w;
        else
            after[i] = element_move(is_bias ? &bias : &weight, &e, without);
    }
}

/* What each of g, s and w is multiplied with. */
static struct rlm_parts element_rates(const struct rlm_update *u, const struct element *e)
{
    double rate = -(double)u->learning_rate, mu = (double)u->momentum, decay = (double)u->decay;
    switch (u->kind) {
    case RLM_UPDATE_SGD:
        return (struct rlm_parts){rate, 0.0, rate * decay};
    case RLM_UPDATE_MOMENTUM:
        return (struct rlm_parts){rate, rate * mu, rate * decay};
    case RLM_UPDATE_NESTEROV:
        return (struct rlm_parts){rate * (1.0 + mu), rate * mu * mu, rate * (1.0 + mu) * decay};
    case RLM_UPDATE_ADAM:
    case RLM_UPDATE_ADAMW: {
        double scale = -(double)u->step_size / (double)adam_denominator(u, e);
        double decays = u->kind == RLM_UPDATE_ADAMW ? u->decay != 0.0f ? (double)u->shrink - 1.0 : 0.0
                                                    : scale * (double)u->one_minus_beta1 * decay;
        return (struct rlm_parts){scale * (double)u->one_minus_beta1, scale * (double)u->beta1, decays};
    }
    case RLM_UPDATE_STORE:
        break;
    }
    return (struct rlm_parts){0};
}

struct rlm_parts rlm_move_rates(const struct rlm_move *move, size_t i)
{
    struct rlm_update u = rlm_optimizer_update(move->options, move->rate, move->step, i == move->features);
    struct element e = element_get(move, i);
    return element_rates(&u, &e);
}

struct rlm_parts rlm_move_parts(const struct rlm_move *move, size_t i)
{
    struct rlm_parts rates = rlm_move_rates(move, i);
    struct element e = element_get(move, i);
    return (struct rlm_parts){rates.gradient * (double)e.g, rates.momentum * (double)e.s1,
                              rates.decay * (double)e.w};
}

void rlm_move_push(const struct rlm_move *move, float *push)
{
    struct rlm_move one = *move;
    one.rate = 1.0;
    for (size_t i = 0; i <= move->features; i++) {
        struct rlm_parts parts = rlm_move_parts(&one, i);
        bool decays = i < move->features || move->options->decay_bias;
        if (move->options->optimizer == RELUME_ADAMW) /* 1 − lr·λ is rounded beside 1: λ·w itself is finer */
            parts.decay = decays ? -move->options->weight_decay * (double)move->before[i] : 0.0;
        push[i] = (float)(parts.gradient + parts.momentum + parts.decay);
    }
}

double rlm_move_ratio(const float *before, const float *after, size_t features)
{
    double moved = 0.0, size = 0.0;
    for (size_t i = 0; i <= features; i++) {
        double change = (double)after[i] - (double)before[i];
        moved += change * change;
        size += (double)before[i] * (double)before[i];
    }
    return moved > 0.0 ? sqrt(moved / size) : 0.0;
}
