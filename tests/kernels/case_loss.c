/* The losses against the reference, and exp, log and log1p against the C library's in double. */
#include <math.h>
#include <stdio.h>

#include "kernels/levels.h"
#include "kernels/loss_math.h"
#include "support.h"

enum loss { SOFTMAX, MSE, BCE };

static void run(const struct rlm_kernels *kernels, enum loss loss, const struct rlm_loss *a)
{
    if (loss == SOFTMAX)
        kernels->loss_softmax(a);
    else if (loss == MSE)
        kernels->loss_mse(a);
    else
        kernels->loss_bce(a);
}

/* Plain logits, equal ones, ±100 or ±1e30 among them, and some far below the largest. */
static float *random_logits(struct random *r, size_t batch, size_t outputs, const char **kind)
{
    static const float extreme[] = {100, -100, 1e30f, -1e30f, 0, -0.0f, 88.7f, -103.5f};
    enum fill fill = random_one_in(r, 4) ? FILL_SPECIAL : FILL_PLAIN;
    size_t mode = random_below(r, 5);
    float *logits = sample_panels(r, fill, batch, outputs);
    *kind = mode == 0 ? "extreme" : mode == 1 ? "equal" : mode == 2 ? "spread" : mode == 3 ? "far" : "plain";
    for (size_t b = 0; b < batch; b++)
        for (size_t n = 0; n < outputs; n++) {
            float *l = logits + (b / RLM_LANES * outputs + n) * RLM_LANES + b % RLM_LANES;
            if (mode == 0 && random_one_in(r, 2))
                *l = extreme[random_below(r, sizeof extreme / sizeof *extreme)];
            else if (mode == 1)
                *l = (float)random_below(r, 3);
            else if (mode == 2)
                *l *= 60;
            else if (mode == 3) /* exp is denormal for half of these, and their sum other than 1 */
                *l = random_one_in(r, 4) ? *l : *l * 16 - 90;
        }
    return logits;
}

static uint32_t *random_labels(struct random *r, size_t batch, size_t outputs)
{
    uint32_t *labels = buffer_take(batch, sizeof *labels);
    for (size_t b = 0; b < batch; b++)
        labels[b] = (uint32_t)random_below(r, outputs);
    return labels;
}

/* Whether some are so small that a kernel that looks for it has to tell: here softmax divides by the batch,
 * up to 130, and by a sum of up to 40 after it has looked. */
static bool any_faint(const float *dlogits, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (dlogits[i] != 0 && fabsf(dlogits[i]) < 0x1p-136F)
            return true;
    return false;
}

static void once(const struct rlm_kernels *kernels, struct random *r, enum loss loss, size_t batch,
                 size_t outputs)
{
    char shape[128];
    const char *kind;
    size_t b16 = rlm_round_up(batch, RLM_LANES);
    bool gradient = !random_one_in(r, 4), labelled = loss == SOFTMAX || random_one_in(r, 2);
    struct rlm_loss a = {
        .batch = batch,
        .out_features = outputs,
        .logits = random_logits(r, batch, outputs, &kind),
        .labels = labelled ? random_labels(r, batch, outputs) : NULL,
        .targets = loss == SOFTMAX ? NULL : sample_panels(r, FILL_PLAIN, batch, outputs),
    };
    snprintf(shape, sizeof shape, "loss %d, batch %zu, out %zu, %s logits", (int)loss, batch, outputs, kind);
    struct pair dlogits = pair_of(NULL, sample_panels_size(batch, outputs), sizeof(float));
    struct pair losses = pair_of(NULL, b16, sizeof(float)), correct = pair_of(NULL, b16, 1);
    bool judged = labelled && !random_one_in(r, 4);
    a.dlogits = gradient ? dlogits.want : NULL, a.loss = losses.want,
    a.correct = judged ? correct.want : NULL;
    run(&rlm_kernels_ref, loss, &a);
    a.dlogits = gradient ? dlogits.got : NULL, a.loss = losses.got, a.correct = judged ? correct.got : NULL;
    enum rlm_faint faint = RLM_FAINT_NONE;
    a.faint = random_one_in(r, 4) ? NULL : &faint;
    run(kernels, loss, &a);
    if (gradient && loss != MSE && a.faint && faint != RLM_FAINT_NUMBERS &&
        any_faint(dlogits.want, sample_panels_size(batch, outputs)))
        fail("%s: denormal gradients are not told of, %s", "loss", shape);
    pair_compare(&dlogits, "loss", "dlogits", shape);
    pair_compare(&losses, "loss", "loss", shape);
    pair_compare(&correct, "loss", "correct", shape);
    buffers_release();
}

static void shapes(const struct rlm_kernels *kernels, struct random *r, size_t rounds, enum loss loss)
{
    for (size_t batch = 1; batch <= 40; batch++)
        once(kernels, r, loss, batch, 1 + random_below(r, 12));
    for (size_t i = 0; i < rounds; i++)
        once(kernels, r, loss, random_dimension(r, 130), random_dimension(r, 40));
}

void check_loss_softmax(const struct rlm_kernels *kernels, struct random *r, size_t rounds)
{
    shapes(kernels, r, rounds, SOFTMAX);
}

void check_loss_mse(const struct rlm_kernels *kernels, struct random *r, size_t rounds)
{
    shapes(kernels, r, rounds, MSE);
}

void check_loss_bce(const struct rlm_kernels *kernels, struct random *r, size_t rounds)
{
    shapes(kernels, r, rounds, BCE);
}

/* ------------------------------------------------------------------------------------- exp, log, log1p */

/* |got − exact| in units of the float next to `exact`; the C library's double is exact enough to judge by:
 * its own error is 2^−29 of such a unit. */
static double ulps(float got, double exact)
{
    if ((double)got == exact)
        return 0;
    int exponent;
    frexp(exact, &exponent);
    return fabs((double)got - exact) / ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

/* Every `stride`-th float from `first` to `last` in pattern, negated if asked. */
static double worst(float (*tested)(float), double (*exact)(double), float first, float last, bool negate)
{
    double most = 0;
    uint32_t begin = rlm_float_bits(first), end = rlm_float_bits(last);
    for (uint64_t bits = begin; bits <= end; bits += 1009) {
        float x = rlm_bits_float((uint32_t)bits);
        x = negate ? -x : x;
        double error = ulps(tested(x), exact((double)x));
        most = error > most ? error : most;
    }
    return most;
}

static float at_most(const char *name, double worst, double limit)
{
    printf("# %s: worst error %.3f ulp\n", name, worst);
    if (!(worst <= limit))
        fail("%s: %.3f ulp, at most %.1f are promised", name, worst, limit);
    return 0;
}

static void expect(const char *name, float got, float want)
{
    if (rlm_float_bits(got) != rlm_float_bits(want) && !(isnan(got) && isnan(want)))
        fail("%s is %a, expected %a", name, (double)got, (double)want);
}

void check_math(void)
{
    at_most("exp, x ≤ 0", worst(rlm_loss_exp, exp, 0, 104, true), 1.1);
    at_most("exp, x ≥ 0", worst(rlm_loss_exp, exp, 0, 88.7f, false), 1.1);
    at_most("log, x ≥ 1", worst(rlm_loss_log, log, 1, 3.4e38f, false), 1.1);
    at_most("log1p, 0 ≤ x ≤ 1", worst(rlm_loss_log1p, log1p, 0, 1, false), 1.1);
    expect("exp(0)", rlm_loss_exp(0), 1);
    expect("exp(−∞)", rlm_loss_exp(-INFINITY), 0);
    expect("exp(−1e30)", rlm_loss_exp(-1e30f), 0);
    expect("exp(∞)", rlm_loss_exp(INFINITY), INFINITY);
    expect("exp(NaN)", rlm_loss_exp(NAN), NAN);
    expect("log(1)", rlm_loss_log(1), 0);
    expect("log(∞)", rlm_loss_log(INFINITY), NAN);
    expect("log(NaN)", rlm_loss_log(NAN), NAN);
    expect("log1p(0)", rlm_loss_log1p(0), 0);
    expect("log1p(NaN)", rlm_loss_log1p(NAN), NAN);
}
