/* backward_weights and backward_input against the reference, with every kind of update. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/levels.h"
#include "support.h"

struct parameters {
    struct pair value, s1, s2, gradient;
};

struct job {
    const struct rlm_kernels *kernels;
    const void *arguments;
};

static void weights_range(void *context, size_t begin, size_t end)
{
    struct job *job = context;
    job->kernels->backward_weights(job->arguments, begin, end);
}

static void input_range(void *context, size_t begin, size_t end)
{
    struct job *job = context;
    job->kernels->backward_input(job->arguments, begin, end);
}

static struct rlm_update random_update(struct random *r)
{
    return (struct rlm_update){
        .kind = (enum rlm_update_kind)random_below(r, RLM_UPDATE_ADAMW + 1),
        .learning_rate = 0.1f,
        .decay = random_one_in(r, 2) ? 0 : 0.01f,
        .momentum = random_one_in(r, 8) ? 0 : 0.9f,
        .beta1 = random_one_in(r, 8) ? 0 : 0.9f,
        .one_minus_beta1 = 0.1f,
        .beta2 = random_one_in(r, 8) ? 0 : 0.999f,
        .one_minus_beta2 = 0.001f,
        .epsilon = random_one_in(r, 4) ? 0 : 1e-8f,
        .step_size = 0.01f,
        .root_correction = 1.5f,
        .shrink = 0.999f,
    };
}

static struct parameters parameters_take(struct random *r, size_t rows, size_t columns, size_t stride)
{
    enum fill values = random_one_in(r, 2) ? FILL_PLAIN : random_one_in(r, 4) ? FILL_WIDE : FILL_SPARSE;
    static const enum fill kinds[] = {FILL_PLAIN, FILL_PLAIN,   FILL_PLAIN,  FILL_RESTING,
                                      FILL_FAINT, FILL_RESTING, FILL_SPARSE, FILL_SPECIAL};
    enum fill states = kinds[random_below(r, sizeof kinds / sizeof *kinds)];
    float *second = weight_matrix(r, states, rows, columns, stride);
    for (size_t i = 0; i < rows * stride; i++)
        second[i] =
            fabsf(second[i]) < 0x1p-60F || random_one_in(r, 20) ? fabsf(second[i]) : second[i] * second[i];
    return (struct parameters){
        .value = pair_of(weight_matrix(r, values, rows, columns, stride), rows * stride, sizeof(float)),
        .s1 = pair_of(weight_matrix(r, states, rows, columns, stride), rows * stride, sizeof(float)),
        .s2 = pair_of(second, rows * stride, sizeof(float)),
        .gradient = pair_of(NULL, rows * stride, sizeof(float)),
    };
}

/* Where a kind has no use for a tensor it gets NULL. */
static float *needed(const struct pair *pair, bool got, bool need)
{
    return !need ? NULL : got ? pair->got : pair->want;
}

static void set_parameters(struct rlm_backward_weights *a, const struct parameters *w,
                           const struct parameters *b, bool got)
{
    enum rlm_update_kind weight = a->weight_update.kind, bias = a->bias_update.kind;
    a->weight = got ? w->value.got : w->value.want;
    a->weight_s1 = needed(&w->s1, got, weight >= RLM_UPDATE_MOMENTUM);
    a->weight_s2 = needed(&w->s2, got, weight >= RLM_UPDATE_ADAM);
    a->dweight = needed(&w->gradient, got, weight == RLM_UPDATE_STORE);
    a->bias = got ? b->value.got : b->value.want;
    a->bias_s1 = needed(&b->s1, got, bias >= RLM_UPDATE_MOMENTUM);
    a->bias_s2 = needed(&b->s2, got, bias >= RLM_UPDATE_ADAM);
    a->dbias = needed(&b->gradient, got, bias == RLM_UPDATE_STORE);
}

static void parameters_compare(const struct parameters *p, const char *of, const char *shape)
{
    pair_compare(&p->value, of, "parameter", shape);
    pair_compare(&p->s1, of, "s1", shape);
    pair_compare(&p->s2, of, "s2", shape);
    pair_compare(&p->gradient, of, "gradient", shape);
}

/* Takes the first moment from half of the rows, which without a gradient then stay as they are; in every
 * other of these one element keeps it. */
static void still_rows(struct random *r, const struct parameters *w, const struct parameters *b, size_t rows,
                       size_t stride)
{
    static const float still[] = {-0x1p-140F, 0x1p-70F, 0x1p-50F, -0x1p-30F};
    for (size_t row = 0; row < rows; row++) {
        if (random_one_in(r, 2))
            continue;
        size_t kept = random_one_in(r, 2) ? random_below(r, stride) : stride;
        for (size_t i = 0; i < stride; i++)
            if (i != kept)
                ((float *)w->s1.want)[row * stride + i] = ((float *)w->s1.got)[row * stride + i] =
                    random_one_in(r, 4) ? still[random_below(r, 4)] : 0;
        ((float *)b->s1.want)[row] = ((float *)b->s1.got)[row] = 0;
    }
}

/* What to multiply numbers of a kind with. */
static enum fill factors_of(struct random *r, enum fill fill)
{
    return random_one_in(r, 2) ? fill : fill == FILL_FAINT ? FILL_COARSE : FILL_PLAIN;
}

static void weights_once(const struct rlm_kernels *kernels, struct random *r, size_t batch, size_t features,
                         size_t units)
{
    char shape[128];
    enum fill fill = random_fill(r);
    size_t stride = rlm_round_up(features, RLM_LANES) + RLM_LANES * random_below(r, 2), listed, columns;
    uint32_t *list = random_list(r, units, 1, &listed);
    uint32_t *feature_list = random_list(r, features, 0, &columns);
    float *x = sample_panels(r, fill == FILL_FAINT ? FILL_COARSE : fill, batch, columns);
    float *dz = sample_panels(r, random_one_in(r, 2) ? fill : FILL_SPARSE, batch, listed);
    size_t open = 1 + random_below(r, 8); /* one in so many stays */
    for (size_t i = 0; i < sample_panels_size(batch, listed); i++)
        if (!random_one_in(r, open))
            dz[i] = random_one_in(r, 4) && dz[i] != 0 ? -0.0F : 0.0F;
    struct rlm_backward_weights a = {
        .batch = batch,
        .in_features = features,
        .out_features = listed,
        .units = list,
        .dz = dz,
        .skip_zeros = fill != FILL_SPECIAL && random_one_in(r, 2),
        .faint = (enum rlm_faint)random_below(r, RLM_FAINT_NUMBERS + 1),
        .x_features = feature_panels(x, batch, columns),
        .features = feature_list,
        .feature_count = columns,
        .weight_update = random_update(r),
        .bias_update = random_update(r),
        .stride = stride,
        .rest = {random_one_in(r, 4)   ? INFINITY
                 : random_one_in(r, 2) ? 0
                                       : 0x1p-20F,
                 random_one_in(r, 4) ? INFINITY : 0x1p30F},
    };
    if (batch > 0 && !feature_list && random_one_in(r, 2))
        a.terms = terms_of(a.x_features, features, rlm_round_up(batch, RLM_LANES));
    snprintf(shape, sizeof shape,
             "batch %zu, in %zu of %zu, out %zu of %zu, fill %d, updates %d %d, terms %d", batch, columns,
             features, listed, units, (int)fill, (int)a.weight_update.kind, (int)a.bias_update.kind,
             a.terms != NULL);
    struct parameters w = parameters_take(r, units, features, stride),
                      b = parameters_take(r, 1, units, units);
    struct pair motion = pair_of(NULL, units, sizeof(uint8_t));
    bool watched = batch == 0 && !random_one_in(r, 4);
    if (batch == 0)
        still_rows(r, &w, &b, units, stride);
    set_parameters(&a, &w, &b, false);
    a.motion = watched ? motion.want : NULL;
    rlm_kernels_ref.backward_weights(&a, 0, listed);
    set_parameters(&a, &w, &b, true);
    a.motion = watched ? motion.got : NULL;
    in_ranges(r, listed, weights_range, &(struct job){kernels, &a});
    parameters_compare(&w, "backward_weights: weight", shape);
    pair_compare(&motion, "backward_weights", "motion", shape);
    parameters_compare(&b, "backward_weights: bias", shape);
    buffers_release();
}

static void input_once(const struct rlm_kernels *kernels, struct random *r, size_t batch, size_t features,
                       size_t units)
{
    char shape[128];
    enum fill fill = random_fill(r);
    size_t stride = rlm_round_up(features, RLM_LANES) + RLM_LANES * random_below(r, 2);
    size_t panels = rlm_divide_up(batch, RLM_LANES), listed_units, listed_features;
    uint32_t *unit_list = random_list(r, units, 0, &listed_units);
    uint32_t *feature_list = random_list(r, features, 1, &listed_features);
    uint16_t *gates = buffer_take(panels * features, sizeof *gates);
    for (size_t i = 0; i < panels * features; i++) {
        unsigned samples = (1u << rlm_size_min(batch - i / features * RLM_LANES, RLM_LANES)) - 1;
        gates[i] = (uint16_t)(random_next(r) & samples);
    }
    struct rlm_backward_input a = {
        .batch = batch,
        .in_features = listed_features,
        .out_features = listed_units,
        .units = unit_list,
        .features = feature_list,
        .gate_features = features,
        .dz = sample_panels(r, fill, batch, listed_units),
        .weight = weight_matrix(r, factors_of(r, fill), units, features, stride),
        .stride = stride,
        .faint = (enum rlm_faint)random_below(r, RLM_FAINT_NUMBERS + 1),
        .gates = random_one_in(r, 4) ? NULL : gates,
    };
    if (fill != FILL_SPECIAL && random_one_in(r, 2))
        a.terms = terms_of(a.dz, batch, listed_units);
    snprintf(shape, sizeof shape, "batch %zu, in %zu of %zu, out %zu of %zu, fill %d, gates %d, terms %d",
             batch, listed_features, features, listed_units, units, (int)fill, a.gates != NULL,
             a.terms != NULL);
    struct pair dx = pair_of(NULL, sample_panels_size(batch, listed_features), sizeof(float));
    a.dx = dx.want;
    rlm_kernels_ref.backward_input(&a, 0, listed_features);
    a.dx = dx.got;
    in_ranges(r, listed_features, input_range, &(struct job){kernels, &a});
    pair_compare(&dx, "backward_input", "dx", shape);
    buffers_release();
}

static void shapes(const struct rlm_kernels *kernels, struct random *r, size_t rounds,
                   void (*once)(const struct rlm_kernels *, struct random *, size_t, size_t, size_t))
{
    for (size_t batch = 1; batch <= 40; batch++)
        once(kernels, r, batch, 1 + random_below(r, 40), 1 + random_below(r, 60));
    for (size_t units = 1; units <= 50; units++)
        once(kernels, r, 1 + random_below(r, 40), 1 + random_below(r, 40), units);
    for (size_t features = 1; features <= 50; features++)
        once(kernels, r, 1 + random_below(r, 40), features, 1 + random_below(r, 40));
    for (size_t i = 0; i < rounds; i++)
        once(kernels, r, random_dimension(r, 130), random_dimension(r, 130), random_dimension(r, 200));
    for (size_t i = 0; i < rounds; i++) /* sums of one term or two, which may be −0 */
        once(kernels, r, 1 + random_below(r, 2), 1 + random_below(r, 33), 1 + random_below(r, 2));
    once(kernels, r, 257, 20, 17); /* around the cuts of long sums */
    once(kernels, r, 600, 33, 17);
    once(kernels, r, 20, 33, 300);
}

/* Around the heights, blocks and widths of tiles whose update is put off, and the steps between its rows. */
static void deferred_shapes(const struct rlm_kernels *kernels, struct random *r)
{
    static const size_t batches[] = {1, 2, 12, 13, 16, 17, 32, 100, 128, 256},
                        features[] = {31, 32, 63, 64, 79},
                        units[] = {5, 6, 7, 11, 12, 13, 23, 25, 131, 132, 133, 137, 138, 139, 270};
    for (size_t i = 0; i < 150; i++)
        weights_once(kernels, r, batches[random_below(r, sizeof batches / sizeof *batches)],
                     features[random_below(r, sizeof features / sizeof *features)],
                     units[i % (sizeof units / sizeof *units)]);
}

/* Around the blocks, parts and strips of rows with few terms. */
static void few_terms_shapes(const struct rlm_kernels *kernels, struct random *r)
{
    static const size_t batches[] = {31, 32, 33, 63, 64, 65, 127, 128, 129, 193, 255, 256, 257},
                        features[] = {63, 64, 65, 127, 128, 129, 143, 176, 240, 400},
                        units[] = {1, 17, 63, 64, 65, 127, 129};
    for (size_t i = 0; i < 150; i++)
        weights_once(kernels, r, batches[i % (sizeof batches / sizeof *batches)],
                     features[random_below(r, sizeof features / sizeof *features)],
                     units[random_below(r, sizeof units / sizeof *units)]);
}

/* ---- roots ----
 *
 * Some roots of Adam are worked out by multiply-adds (simd/update.inc). Rows without a gradient, whose
 * moments the update leaves as they are, show them: from w = 0 and s1 = 1 the parameter becomes
 * 1 / (√s2 + epsilon), and with an epsilon of −1 and s2 from 1 to 4 no two neighbouring roots give the same.
 */

#define ROOT_ROWS ((size_t)64)
#define ROOT_COLUMNS ((size_t)256)
#define ROOT_BATCH ((size_t)32)

struct roots {
    struct rlm_backward_weights arguments;
    const struct rlm_kernels *kernels;
    float *weight, *s1, *s2;
};

static uint32_t bits_of(float a)
{
    uint32_t bits;
    memcpy(&bits, &a, sizeof bits);
    return bits;
}

/* The numbers with the patterns first, first + step, …, each in vectors of either parity. */
static void roots_once(struct roots *r, uint32_t first, uint32_t step, float epsilon)
{
    for (size_t i = 0; i < ROOT_ROWS * ROOT_COLUMNS; i++) {
        uint32_t bits = first + (uint32_t)(i / 32 * 16 + i % 16) * step;
        memcpy(&r->s2[i], &bits, sizeof bits);
        r->s1[i] = 1;
        r->weight[i] = 0;
    }
    r->arguments.weight_update.epsilon = epsilon;
    r->kernels->backward_weights(&r->arguments, 0, ROOT_ROWS);
    for (size_t i = 0; i < ROOT_ROWS * ROOT_COLUMNS; i++) {
        float want = 1 / (sqrtf(r->s2[i]) + epsilon);
        if (bits_of(want) != bits_of(r->weight[i])) {
            fail("backward_weights: s2 %a gives %a, not %a", (double)r->s2[i], (double)r->weight[i],
                 (double)want);
            return;
        }
    }
}

static void roots_all(const struct rlm_kernels *kernels)
{
    struct random unused = {0};
    static const uint32_t one = 0x3f800000, four = 0x40800000, infinity = 0x7f800000,
                          each = ROOT_ROWS * ROOT_COLUMNS / 2;
    struct roots r = {.kernels = kernels,
                      .weight = buffer_take(ROOT_ROWS * ROOT_COLUMNS, sizeof(float)),
                      .s1 = buffer_take(ROOT_ROWS * ROOT_COLUMNS, sizeof(float)),
                      .s2 = buffer_take(ROOT_ROWS * ROOT_COLUMNS, sizeof(float))};
    r.arguments = (struct rlm_backward_weights){
        .batch = ROOT_BATCH,
        .in_features = ROOT_COLUMNS,
        .out_features = ROOT_ROWS,
        .feature_count = ROOT_COLUMNS,
        .stride = ROOT_COLUMNS,
        .skip_zeros = true,
        .dz = sample_panels(&unused, FILL_ZERO, ROOT_BATCH, ROOT_ROWS),
        .x_features = sample_panels(&unused, FILL_ZERO, ROOT_BATCH, ROOT_COLUMNS),
        .weight_update =
            {.kind = RLM_UPDATE_ADAM, .beta1 = 1, .beta2 = 1, .step_size = -1, .root_correction = 1},
        .bias_update = {.kind = RLM_UPDATE_SGD},
        .weight = r.weight,
        .weight_s1 = r.s1,
        .weight_s2 = r.s2,
        .bias = buffer_take(ROOT_ROWS, sizeof(float)),
    };
    /* the other levels ask their CPU: there some numbers are enough */
    uint32_t step = strcmp(kernels->name, "avx512") == 0 ? 1 : 257;
    for (uint32_t bits = one; bits < four; bits += each * step)
        roots_once(&r, bits, step, -1);
    roots_once(&r, 0, infinity / (each - 1), 0);
    roots_once(&r, infinity - each + 1, 1, 0);
    roots_once(&r, bits_of(0x1p-100F) - each / 2, 1, 0);
    roots_once(&r, bits_of(0x1p126F) - each / 2, 1, 0);
    buffers_release();
}

/* One panel of samples, which has tiles of its own: under plain SGD for features that fill a tile. */
static void small_shapes(const struct rlm_kernels *kernels, struct random *r,
                         void (*once)(const struct rlm_kernels *, struct random *, size_t, size_t, size_t))
{
    for (size_t i = 0; i < 480; i++) {
        bool fills = once == weights_once;
        size_t features = fills ? 32 * (1 + random_below(r, 3)) : 1 + i % 34;
        once(kernels, r, 1 + random_below(r, 16), features, fills ? 1 + i % 30 : 1 + random_below(r, 40));
    }
}

void check_backward_weights(const struct rlm_kernels *kernels, struct random *r, size_t rounds)
{
    shapes(kernels, r, rounds, weights_once);
    deferred_shapes(kernels, r);
    few_terms_shapes(kernels, r);
    roots_all(kernels);
    small_shapes(kernels, r, weights_once);
    for (size_t i = 0; i < 40 + rounds; i++)
        weights_once(kernels, r, 0, random_dimension(r, 600), 1 + random_below(r, 40));
}

void check_backward_input(const struct rlm_kernels *kernels, struct random *r, size_t rounds)
{
    shapes(kernels, r, rounds, input_once);
    for (size_t i = 0; i < rounds; i++)
        input_once(kernels, r, random_dimension(r, 130), random_dimension(r, 300), random_dimension(r, 200));
    small_shapes(kernels, r, input_once);
}

/* ------------------------------------------------------------------------------- apply and row_squares */

static void apply_range(void *context, size_t begin, size_t end)
{
    struct job *job = context;
    job->kernels->apply(job->arguments, begin, end);
}

static void apply_set(struct rlm_apply *a, const struct parameters *p, bool got)
{
    a->parameter = got ? p->value.got : p->value.want;
    a->s1 = needed(&p->s1, got, a->update.kind >= RLM_UPDATE_MOMENTUM);
    a->s2 = needed(&p->s2, got, a->update.kind >= RLM_UPDATE_ADAM);
}

void check_apply(const struct rlm_kernels *kernels, struct random *r, size_t rounds)
{
    for (size_t i = 0; i < rounds; i++) {
        char shape[128];
        enum fill fill = random_fill(r);
        bool bias = random_one_in(r, 4);
        size_t rows = bias ? 1 : random_dimension(r, 70), columns = random_dimension(r, 130);
        size_t stride = bias ? columns : rlm_round_up(columns, RLM_LANES) + RLM_LANES * random_below(r, 2);
        struct parameters p = parameters_take(r, rows, columns, stride);
        struct rlm_apply a = {
            .rows = rows,
            .columns = columns,
            .stride = stride,
            .gradient = weight_matrix(r, fill, rows, columns, stride),
            .gradient_scale = random_one_in(r, 2) ? 1 : 0.37f,
            .update = random_update(r),
        };
        if (a.update.kind == RLM_UPDATE_STORE)
            a.update.kind = RLM_UPDATE_SGD;
        snprintf(shape, sizeof shape, "%zu × %zu, stride %zu, fill %d, update %d", rows, columns, stride,
                 (int)fill, (int)a.update.kind);
        apply_set(&a, &p, false);
        rlm_kernels_ref.apply(&a, 0, rows);
        apply_set(&a, &p, true);
        in_ranges(r, rows, apply_range, &(struct job){kernels, &a});
        parameters_compare(&p, "apply", shape);
        buffers_release();
    }
}

static void pick_range(void *context, size_t begin, size_t end)
{
    struct job *job = context;
    job->kernels->pick(job->arguments, begin, end);
}

void check_pick(const struct rlm_kernels *kernels, struct random *r, size_t rounds)
{
    for (size_t i = 0; i < rounds; i++) {
        char shape[128];
        size_t batch = random_dimension(r, 130), columns = random_dimension(r, 130);
        enum fill fill = random_fill(r);
        struct rlm_pick a = {
            .batch = batch, .columns = columns, .in = sample_panels(r, fill, batch, columns)};
        a.list = random_list(r, columns, 1, &a.count);
        struct pair out = pair_of(NULL, feature_panels_size(batch, a.count), sizeof(float));
        snprintf(shape, sizeof shape, "batch %zu, %zu of %zu, fill %d", batch, a.count, columns, (int)fill);
        a.out = out.want;
        rlm_kernels_ref.pick(&a, 0, a.count);
        a.out = out.got;
        in_ranges(r, a.count, pick_range, &(struct job){kernels, &a});
        pair_compare(&out, "pick", "out", shape);
        buffers_release();
    }
}

static void decay_range(void *context, size_t begin, size_t end)
{
    struct job *job = context;
    job->kernels->decay(job->arguments, begin, end);
}

void check_decay(const struct rlm_kernels *kernels, struct random *r, size_t rounds)
{
    static const float keeps[] = {0.9F, 0.999F, 0.5F, 0x1p-20F, 0x1.fffffep-1F};
    for (size_t i = 0; i < rounds; i++) {
        char shape[128];
        size_t rows = random_dimension(r, 40), columns = random_dimension(r, 300), listed;
        size_t stride = rlm_round_up(columns, RLM_LANES) + RLM_LANES * random_below(r, 2);
        enum fill fill = random_one_in(r, 3) ? FILL_RESTING : random_fill(r);
        uint32_t *list = random_list(r, rows, 1, &listed);
        if (!list) {
            list = buffer_take(rows, sizeof *list);
            for (size_t row = 0; row < rows; row++)
                list[row] = (uint32_t)row;
        }
        uint64_t *times = buffer_take(listed, sizeof *times);
        for (size_t row = 0; row < listed; row++)
            times[row] = random_one_in(r, 4) ? random_below(r, 3) : random_below(r, 300);
        struct pair state =
            pair_of(weight_matrix(r, fill, rows, columns, stride), rows * stride, sizeof(float));
        struct rlm_decay a = {.columns = columns,
                              .stride = stride,
                              .rows = list,
                              .times = times,
                              .keep = keeps[random_below(r, sizeof keeps / sizeof *keeps)]};
        snprintf(shape, sizeof shape, "%zu of %zu × %zu, stride %zu, fill %d, keep %g", listed, rows, columns,
                 stride, (int)fill, (double)a.keep);
        a.state = state.want;
        rlm_kernels_ref.decay(&a, 0, listed);
        a.state = state.got;
        in_ranges(r, listed, decay_range, &(struct job){kernels, &a});
        pair_compare(&state, "decay", "state", shape);
        buffers_release();
    }
}

void check_row_squares(const struct rlm_kernels *kernels, struct random *r, size_t rounds)
{
    for (size_t i = 0; i < rounds; i++) {
        char shape[128];
        enum fill fill = random_fill(r);
        size_t rows = random_dimension(r, 40), columns = random_dimension(r, 300);
        size_t stride = rows == 1 ? columns : rlm_round_up(columns, RLM_LANES);
        float *matrix = weight_matrix(r, fill, rows, columns, stride);
        struct pair squares = pair_of(NULL, rows, sizeof(double));
        size_t begin = random_below(r, rows);
        snprintf(shape, sizeof shape, "%zu × %zu, rows from %zu, fill %d", rows, columns, begin, (int)fill);
        rlm_kernels_ref.row_squares(matrix, columns, stride, squares.want, begin, rows);
        kernels->row_squares(matrix, columns, stride, squares.got, begin, rows);
        pair_compare(&squares, "row_squares", "squares", shape);
        buffers_release();
    }
}
