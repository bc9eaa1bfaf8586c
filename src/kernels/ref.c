/* The meaning of every kernel: short scalar loops in the one order of rounding (docs/numerics.md), never
 * tuned. The fast levels must give the same bytes. Shapes and formulas are in args.inc.
 *
 * One source, three precisions: ref_f64.c defines RLM_REF_DOUBLE, ref_wide.c RLM_REF_WIDE, and each includes
 * this file. */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "kernels/levels.h"
#include "kernels/loss_math.h"

#ifdef RLM_REF_WIDE
#define RLM_REAL long double
#define RLM_NAME(name) name##_wide
#define FMA(a, b, c) ((a) * (b) + (c)) /* fmal would be a slow call, and no bytes are compared here */
#define SQRT sqrtl
#define EXP expl
#define LOG logl
#define LOG1P log1pl
#define ABSOLUTE fabsl
#elif defined(RLM_REF_DOUBLE)
#define RLM_REAL double
#define RLM_NAME(name) name##_f64
#define FMA fma
#define SQRT sqrt
#define EXP exp
#define LOG log
#define LOG1P log1p
#define ABSOLUTE fabs
#else
#define RLM_REAL float
#define RLM_NAME(name) name
#define FMA fmaf
#define SQRT sqrtf
#define EXP rlm_loss_exp
#define LOG rlm_loss_log
#define LOG1P rlm_loss_log1p
#define ABSOLUTE fabsf
#endif

/* Where a[b, f] is in sample panels of `features` columns. */
static size_t sample_at(size_t b, size_t f, size_t features)
{
    return (b / RLM_LANES * features + f) * RLM_LANES + b % RLM_LANES;
}

/* Entry i of a list, which NULL makes the list of all. */
static size_t listed(const uint32_t *list, size_t i)
{
    return list ? list[i] : i;
}

/* --------------------------------------------------------------------------------------------- forward */

static RLM_REAL pre_activation(const struct RLM_NAME(rlm_forward) * a, size_t b, size_t n)
{
    RLM_REAL p = 0;
    for (size_t i = 0; i < (a->inputs ? a->input_count : a->in_features); i++) {
        size_t k = listed(a->inputs, i);
        p = FMA(a->x[sample_at(b, k, a->in_features)], a->weight[n * a->stride + k], p);
    }
    return p + a->bias[n];
}

/* Gate bits, count, margin and sum of unit n, from one sample's p; returns z. */
static RLM_REAL activate(const struct RLM_NAME(rlm_forward) * a, size_t b, size_t n, RLM_REAL p)
{
    bool gate = p > 0 || isnan(p);
    RLM_REAL z = gate ? p : 0;
    if (a->gates && gate)
        a->gates[b / RLM_LANES * a->out_features + n] |= (uint16_t)(1u << b % RLM_LANES);
    if (a->active)
        a->active[n] += gate;
    if (a->margin && p > a->margin[n])
        a->margin[n] = p + 0; /* −0 becomes +0, so that the order of equal maxima does not matter */
    if (a->sum)
        a->sum[n * RLM_LANES + b % RLM_LANES] += (double)z;
    return z;
}

static void forward_clear(const struct RLM_NAME(rlm_forward) * a, size_t n)
{
    for (size_t panel = 0; a->gates && panel < rlm_divide_up(a->batch, RLM_LANES); panel++)
        a->gates[panel * a->out_features + n] = 0;
    if (a->active)
        a->active[n] = 0;
}

/* z, and what is counted, of unit n; returns whether every pre-activation is finite. */
static bool forward_unit(const struct RLM_NAME(rlm_forward) * a, size_t n)
{
    bool finite = true;
    if (a->relu)
        forward_clear(a, n);
    for (size_t b = 0; b < rlm_round_up(a->batch, RLM_LANES); b++) {
        RLM_REAL z = 0;
        if (b < a->batch) {
            RLM_REAL p = pre_activation(a, b, n);
            finite = finite && isfinite(p);
            z = a->relu ? activate(a, b, n, p) : p;
        }
        a->z[sample_at(b, n, a->out_features)] = z;
    }
    return finite;
}

static bool forward(const struct RLM_NAME(rlm_forward) * a, size_t unit_begin, size_t unit_end)
{
    bool finite = true;
    size_t at = 0;
    for (size_t n = unit_begin; n < unit_end; n++) {
        while (a->units && at < a->unit_count && a->units[at] < n)
            at++;
        if (!a->units || (at < a->unit_count && a->units[at] == n))
            finite = forward_unit(a, n) && finite;
    }
    return finite;
}

#ifndef RLM_REF_WIDE /* only the way forward is needed that wide */

/* Where a[b, f] is in feature panels of `batch` rows. */
static size_t feature_at(size_t b, size_t f, size_t batch)
{
    return (f / RLM_LANES * rlm_round_up(batch, RLM_LANES) + b) * RLM_LANES + f % RLM_LANES;
}

/* --------------------------------------------------------------------------------------------- updates */

/* s1 / (√s2 · root_correction + epsilon), with the moments moved on. */
static RLM_REAL adam_direction(const struct RLM_NAME(rlm_update) * u, RLM_REAL g, RLM_REAL *s1, RLM_REAL *s2)
{
    *s1 = FMA(u->beta1, *s1, u->one_minus_beta1 * g);
    *s2 = FMA(u->beta2, *s2, u->one_minus_beta2 * g * g);
    return *s1 / FMA(SQRT(*s2), u->root_correction, u->epsilon);
}

/* Moves element i of a tensor along its gradient g, or stores the gradient. */
static void update(const struct RLM_NAME(rlm_update) * u, RLM_REAL g, size_t i, RLM_REAL *w, RLM_REAL *s1,
                   RLM_REAL *s2, RLM_REAL *gradient)
{
    if (u->decay != 0 && u->kind != RLM_UPDATE_ADAMW)
        g = FMA(u->decay, w[i], g);
    switch (u->kind) {
    case RLM_UPDATE_STORE:
        if (gradient) /* apply has none */
            gradient[i] = g;
        break;
    case RLM_UPDATE_SGD:
        w[i] = FMA(-u->learning_rate, g, w[i]);
        break;
    case RLM_UPDATE_MOMENTUM:
        s1[i] = FMA(u->momentum, s1[i], g);
        w[i] = FMA(-u->learning_rate, s1[i], w[i]);
        break;
    case RLM_UPDATE_NESTEROV:
        s1[i] = FMA(u->momentum, s1[i], g);
        w[i] = FMA(-u->learning_rate, FMA(u->momentum, s1[i], g), w[i]);
        break;
    case RLM_UPDATE_ADAM:
        w[i] = FMA(-u->step_size, adam_direction(u, g, s1 + i, s2 + i), w[i]);
        break;
    case RLM_UPDATE_ADAMW:
        w[i] = FMA(-u->step_size, adam_direction(u, g, s1 + i, s2 + i), w[i] * u->shrink);
        break;
    }
}

static void apply(const struct RLM_NAME(rlm_apply) * a, size_t row_begin, size_t row_end)
{
    for (size_t row = row_begin; row < row_end; row++)
        for (size_t i = row * a->stride; i < row * a->stride + a->columns; i++) {
            RLM_REAL g = a->gradient[i];
            if (a->gradient_scale != 1)
                g *= a->gradient_scale;
            update(&a->update, g, i, a->parameter, a->s1, a->s2, NULL);
        }
}

/* -------------------------------------------------------------------------------------------- backward */

/* kernels/rest.h */
static bool is_at_rest(const struct RLM_NAME(rlm_update) * u, const struct rlm_rest_bound *rest, RLM_REAL w,
                       RLM_REAL s1, RLM_REAL s2)
{
    bool adam = u->kind == RLM_UPDATE_ADAM || u->kind == RLM_UPDATE_ADAMW;
    RLM_REAL divisor = adam ? SQRT(s2) + u->epsilon : 1;
    return ABSOLUTE(w) > rest->limit && ABSOLUTE(s1) * rest->state < ABSOLUTE(w) * divisor;
}

/* Moves a parameter as update() does, and raises `motion` to what that tells of its unit. */
static void coast(const struct RLM_NAME(rlm_update) * u, RLM_REAL g, size_t i,
                  const struct rlm_rest_bound *rest, RLM_REAL *w, RLM_REAL *s1, RLM_REAL *s2,
                  RLM_REAL *gradient, enum rlm_motion *motion)
{
    RLM_REAL before = w[i];
    update(u, g, i, w, s1, s2, gradient);
    bool ended = s1 && is_at_rest(u, rest, w[i], s1[i], s2 ? s2[i] : 0);
    if (memcmp(&before, w + i, sizeof before) != 0)
        *motion = RLM_MOTION_MOVED;
    else if (!ended && *motion == RLM_MOTION_ENDED)
        *motion = RLM_MOTION_NONE;
}

/* Σ dz · x of unit column n and x's column i. */
static RLM_REAL weight_gradient(const struct RLM_NAME(rlm_backward_weights) * a, size_t n, size_t i)
{
    RLM_REAL g = 0;
    for (size_t b = 0; b < a->batch; b++)
        g = FMA(a->dz[sample_at(b, n, a->out_features)], a->x_features[feature_at(b, i, a->batch)], g);
    return g + 0;
}

static void backward_weights(const struct RLM_NAME(rlm_backward_weights) * a, size_t unit_begin,
                             size_t unit_end)
{
    for (size_t n = unit_begin; n < unit_end; n++) {
        size_t row = listed(a->units, n), i = 0;
        enum rlm_motion motion = RLM_MOTION_ENDED;
        for (size_t k = 0; k < a->in_features; k++) {
            bool has = !a->features || (i < a->feature_count && a->features[i] == k);
            RLM_REAL g = has ? weight_gradient(a, n, i++) : 0;
            coast(&a->weight_update, g, row * a->stride + k, &a->rest, a->weight, a->weight_s1, a->weight_s2,
                  a->dweight, &motion);
        }
        RLM_REAL g = 0;
        for (size_t b = 0; b < a->batch; b++)
            g += a->dz[sample_at(b, n, a->out_features)];
        coast(&a->bias_update, g + 0, row, &a->rest, a->bias, a->bias_s1, a->bias_s2, a->dbias, &motion);
        if (a->motion && a->batch == 0)
            a->motion[row] = (uint8_t)motion;
    }
}

static void backward_input(const struct RLM_NAME(rlm_backward_input) * a, size_t feature_begin,
                           size_t feature_end)
{
    for (size_t k = feature_begin; k < feature_end; k++)
        for (size_t b = 0; b < rlm_round_up(a->batch, RLM_LANES); b++) {
            size_t feature = listed(a->features, k);
            size_t all = a->features ? a->gate_features : a->in_features;
            uint16_t open = a->gates ? a->gates[b / RLM_LANES * all + feature] : UINT16_MAX;
            RLM_REAL dx = 0;
            if (b < a->batch && (open >> b % RLM_LANES & 1)) {
                for (size_t n = 0; n < a->out_features; n++)
                    dx = FMA(a->dz[sample_at(b, n, a->out_features)],
                             a->weight[listed(a->units, n) * a->stride + feature], dx);
                dx += 0;
            }
            a->dx[sample_at(b, k, a->in_features)] = dx;
        }
}

#endif

/* ---------------------------------------------------------------------------------------------- losses */

/* Writes what a loss gives for sample b; `logit` walks over the sample's outputs. */
static void loss_finish(const struct RLM_NAME(rlm_loss) * a, size_t b, RLM_REAL loss)
{
    a->loss[b] = loss;
    if (!a->correct || !a->labels)
        return;
    size_t best = 0;
    for (size_t n = 1; n < a->out_features; n++)
        if (a->logits[sample_at(b, n, a->out_features)] > a->logits[sample_at(b, best, a->out_features)])
            best = n;
    a->correct[b] = best == a->labels[b];
}

/* Everything beyond the batch is 0. */
static void loss_clear(const struct RLM_NAME(rlm_loss) * a)
{
    for (size_t b = a->batch; b % RLM_LANES != 0; b++) {
        a->loss[b] = 0;
        if (a->correct)
            a->correct[b] = 0;
        for (size_t n = 0; a->dlogits && n < a->out_features; n++)
            a->dlogits[sample_at(b, n, a->out_features)] = 0;
    }
}

static void loss_softmax(const struct RLM_NAME(rlm_loss) * a)
{
    RLM_REAL mean = (RLM_REAL)(1.0 / (double)a->batch);
    for (size_t b = 0; b < a->batch; b++) {
        const RLM_REAL *l = a->logits + sample_at(b, 0, a->out_features); /* output n is at l[16 n] */
        RLM_REAL *d = a->dlogits ? a->dlogits + sample_at(b, 0, a->out_features) : NULL;
        RLM_REAL largest = l[0], sum = 0;
        for (size_t n = 1; n < a->out_features; n++)
            largest = l[n * RLM_LANES] > largest ? l[n * RLM_LANES] : largest;
        for (size_t n = 0; n < a->out_features; n++)
            sum += EXP(l[n * RLM_LANES] - largest);
        for (size_t n = 0; d && n < a->out_features; n++) {
            RLM_REAL share = EXP(l[n * RLM_LANES] - largest) / sum;
            d[n * RLM_LANES] = (n == a->labels[b] ? share - 1 : share) * mean;
        }
        loss_finish(a, b, LOG(sum) - (l[a->labels[b] * (size_t)RLM_LANES] - largest));
    }
    loss_clear(a);
}

static void loss_mse(const struct RLM_NAME(rlm_loss) * a)
{
    RLM_REAL mean = (RLM_REAL)(1.0 / (double)a->out_features);
    RLM_REAL scale = (RLM_REAL)(2.0 / ((double)a->batch * (double)a->out_features));
    for (size_t b = 0; b < a->batch; b++) {
        RLM_REAL squares = 0;
        for (size_t n = 0; n < a->out_features; n++) {
            size_t at = sample_at(b, n, a->out_features);
            RLM_REAL d = a->logits[at] - a->targets[at];
            squares = FMA(d, d, squares);
            if (a->dlogits)
                a->dlogits[at] = d * scale;
        }
        loss_finish(a, b, squares * mean);
    }
    loss_clear(a);
}

static void loss_bce(const struct RLM_NAME(rlm_loss) * a)
{
    RLM_REAL mean = (RLM_REAL)(1.0 / (double)a->out_features);
    RLM_REAL scale = (RLM_REAL)(1.0 / ((double)a->batch * (double)a->out_features));
    for (size_t b = 0; b < a->batch; b++) {
        RLM_REAL sum = 0;
        for (size_t n = 0; n < a->out_features; n++) {
            size_t at = sample_at(b, n, a->out_features);
            RLM_REAL l = a->logits[at], t = a->targets[at];
            RLM_REAL e = EXP(-ABSOLUTE(l));
            sum += ((l > 0 ? l : 0) - l * t) + LOG1P(e);
            if (a->dlogits)
                a->dlogits[at] =
                    ((l > 0 ? 1 : e) / (1 + e) - t) * scale; /* sigmoid(l) − t, without overflow */
        }
        loss_finish(a, b, sum * mean);
    }
    loss_clear(a);
}

/* ---------------------------------------------------------------------------------- data and gradients */

#if !defined(RLM_REF_DOUBLE) && !defined(RLM_REF_WIDE)

static float scaled(const struct rlm_pack *a, size_t b, size_t f)
{
    size_t row = a->index ? a->index[b] : a->first + b;
    size_t at = row * a->features + f;
    float raw = a->is_u8 ? (float)((const uint8_t *)a->raw)[at] : ((const float *)a->raw)[at];
    size_t feature = a->uniform ? 0 : f;
    return (raw - a->offset[feature]) / a->divisor[feature];
}

static void pack(const struct rlm_pack *a, size_t panel_begin, size_t panel_end)
{
    for (size_t b = panel_begin * RLM_LANES; b < panel_end * RLM_LANES; b++)
        for (size_t f = 0; f < rlm_round_up(a->features, RLM_LANES); f++) {
            float x = b < a->batch && f < a->features ? scaled(a, b, f) : 0;
            if (a->x && f < a->features)
                a->x[sample_at(b, f, a->features)] = x;
            if (a->x_features)
                a->x_features[feature_at(b, f, a->batch)] = x;
        }
}

static void pick(const struct rlm_pick *a, size_t begin, size_t end)
{
    for (size_t b = 0; b < rlm_round_up(a->batch, RLM_LANES); b++) {
        for (size_t i = begin; i < end; i++)
            a->out[feature_at(b, i, a->batch)] =
                b < a->batch ? a->in[sample_at(b, listed(a->list, i), a->columns)] : 0;
        for (size_t i = end; end == a->count && i % RLM_LANES != 0; i++)
            a->out[feature_at(b, i, a->batch)] = 0;
    }
}

static void terms(const struct rlm_terms *a, size_t panel_begin, size_t panel_end)
{
    size_t groups = rlm_divide_up(a->columns, RLM_TERMS), b16 = rlm_round_up(a->batch, RLM_LANES);
    for (size_t g = 0; g < groups; g++)
        for (size_t b = panel_begin * RLM_LANES; b < panel_end * RLM_LANES; b++) {
            size_t at = g * b16 + b, end = rlm_size_min(a->columns, (g + 1) * RLM_TERMS);
            a->count[at] = 0;
            for (size_t f = g * RLM_TERMS; f < end; f++) {
                float value = a->in[sample_at(b, f, a->columns)];
                if (value == 0)
                    continue;
                a->value[at * RLM_TERMS + a->count[at]] = value;
                a->place[at * RLM_TERMS + a->count[at]++] = (uint8_t)(f - g * RLM_TERMS);
            }
        }
}

static void decay(const struct rlm_decay *a, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        for (size_t k = 0; k < a->columns; k++)
            for (uint64_t t = 0; t < a->times[i]; t++) {
                float *s = a->state + a->rows[i] * a->stride + k;
                *s = FMA(a->keep, *s, 0);
            }
}

static void row_squares(const float *matrix, size_t columns, size_t stride, double *squares, size_t row_begin,
                        size_t row_end)
{
    for (size_t row = row_begin; row < row_end; row++) {
        double lanes[RLM_LANES] = {0};
        for (size_t k = 0; k < columns; k++) {
            double g = (double)matrix[row * stride + k];
            lanes[k % RLM_LANES] += g * g; /* the square of a float is exact in double */
        }
        squares[row] = 0;
        for (size_t lane = 0; lane < RLM_LANES; lane++)
            squares[row] += lanes[lane];
    }
}

const struct rlm_kernels rlm_kernels_ref = {
    .name = "ref",
#define RLM_KERNEL(result, kernel, arguments) .kernel = (kernel),
#include "kernels/kernels.def"
#undef RLM_KERNEL
};

#elif defined(RLM_REF_WIDE)

const struct rlm_kernels_wide rlm_kernels_ref_wide = {
    .forward = forward,
    .loss_softmax = loss_softmax,
    .loss_mse = loss_mse,
    .loss_bce = loss_bce,
};

#else

const struct rlm_kernels_f64 rlm_kernels_ref_f64 = {
    .forward = forward,
    .backward_weights = backward_weights,
    .backward_input = backward_input,
    .apply = apply,
    .loss_softmax = loss_softmax,
    .loss_mse = loss_mse,
    .loss_bce = loss_bce,
};

#endif
