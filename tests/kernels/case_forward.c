/* forward against the reference: z, gates, counts, margins, sums and the verdict on
 * finiteness. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/levels.h"
#include "support.h"

struct outputs {
    struct pair z, gates, active, margin, sum;
};

struct job {
    const struct rlm_kernels *kernels;
    struct rlm_forward *arguments;
    bool finite;
};

static void range(void *context, size_t begin, size_t end)
{
    struct job *job = context;
    job->finite = job->kernels->forward(job->arguments, begin, end) && job->finite;
}

static struct outputs outputs_take(struct random *r, size_t batch, size_t units)
{
    size_t panels = rlm_divide_up(batch, RLM_LANES);
    float *margin = floats_take(r, FILL_PLAIN, units);
    for (size_t n = 0; n < units; n++)
        margin[n] = random_one_in(r, 2) ? -INFINITY : margin[n];
    double *sum = buffer_take(units * RLM_LANES, sizeof *sum);
    for (size_t i = 0; i < units * RLM_LANES; i++)
        sum[i] = (double)(random_unit(r) + 1);
    return (struct outputs){
        .z = pair_of(NULL, sample_panels_size(batch, units), sizeof(float)),
        .gates = pair_of(NULL, panels * units, sizeof(uint16_t)),
        .active = pair_of(NULL, units, sizeof(uint32_t)),
        .margin = pair_of(margin, units, sizeof(float)),
        .sum = pair_of(sum, units * RLM_LANES, sizeof(double)),
    };
}

/* What a call with a list of units expects of the others. */
static void outputs_clear(const struct outputs *o)
{
    const struct pair *const pairs[] = {&o->z, &o->gates, &o->active};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        memset(pairs[i]->want, 0, pairs[i]->count * pairs[i]->size);
        memset(pairs[i]->got, 0, pairs[i]->count * pairs[i]->size);
    }
}

/* `wanted` has a bit for each output that is optional. */
static void outputs_set(struct rlm_forward *a, const struct outputs *o, bool got, unsigned wanted)
{
    a->z = got ? o->z.got : o->z.want;
    a->gates = wanted & 1 ? (got ? o->gates.got : o->gates.want) : NULL;
    a->active = wanted & 2 ? (got ? o->active.got : o->active.want) : NULL;
    a->margin = wanted & 4 ? (got ? o->margin.got : o->margin.want) : NULL;
    a->sum = wanted & 8 ? (got ? o->sum.got : o->sum.want) : NULL;
}

static void outputs_compare(const struct outputs *o, const char *shape)
{
    pair_compare(&o->z, "forward", "z", shape);
    pair_compare(&o->gates, "forward", "gates", shape);
    pair_compare(&o->active, "forward", "active", shape);
    pair_compare(&o->margin, "forward", "margin", shape);
    pair_compare(&o->sum, "forward", "sum", shape);
}

static float *biases(struct random *r, enum fill fill, size_t units)
{
    float *bias = floats_take(r, fill, units);
    for (size_t n = 0; n < units; n++)
        if (random_one_in(r, 4)) /* a unit that no sample opens */
            bias[n] = -1e9f;
        else if (random_one_in(r, 4)) /* keeps the −0 of a product that underflows */
            bias[n] = -0.0f;
    return bias;
}

/* x as a list of inputs promises it: 0 at all others. */
static void keep_listed(const struct rlm_forward *a, float *x)
{
    size_t at = 0;
    for (size_t k = 0; k < a->in_features; k++) {
        bool listed = !a->inputs || (at < a->input_count && a->inputs[at] == k);
        at += listed;
        for (size_t panel = 0; !listed && panel < rlm_divide_up(a->batch, RLM_LANES); panel++)
            memset(x + (panel * a->in_features + k) * RLM_LANES, 0, RLM_LANES * sizeof *x);
    }
}

static void once(const struct rlm_kernels *kernels, struct random *r, size_t batch, size_t features,
                 size_t units)
{
    char shape[128];
    enum fill fill = random_fill(r);
    size_t stride = rlm_round_up(features, RLM_LANES) + RLM_LANES * random_below(r, 2);
    unsigned wanted = (unsigned)random_below(r, 16);
    float *x = sample_panels(r, fill, batch, features);
    struct rlm_forward a = {
        .batch = batch,
        .in_features = features,
        .out_features = units,
        .x = x,
        .weight = weight_matrix(r, random_one_in(r, 2) ? fill : FILL_PLAIN, units, features, stride),
        .stride = stride,
        .bias = biases(r, fill, units),
        .relu = !random_one_in(r, 4),
    };
    a.inputs = random_list(r, features, 0, &a.input_count);
    a.units = random_list(r, units, 0, &a.unit_count);
    /* without lists nothing but zeros is passed over, which is the same for finite weights alone */
    if (a.relu && !a.units && fill != FILL_SPECIAL && random_one_in(r, 2)) {
        keep_listed(&a, x);
        a.terms = terms_of(x, batch, features);
    }
    snprintf(shape, sizeof shape,
             "batch %zu, in %zu (%zu used), out %zu (%zu asked), fill %d, relu %d, terms %d, wanted %u",
             batch, features, a.input_count, units, a.unit_count, (int)fill, a.relu, a.terms != NULL, wanted);
    struct outputs o = outputs_take(r, batch, units);
    if (a.units)
        outputs_clear(&o);
    outputs_set(&a, &o, false, wanted);
    bool finite = rlm_kernels_ref.forward(&a, 0, units);
    outputs_set(&a, &o, true, wanted);
    struct job job = {kernels, &a, true};
    in_ranges(r, units, range, &job);
    outputs_compare(&o, shape);
    if (job.finite != finite)
        fail("forward: says finite %d, the reference %d (%s)", job.finite, finite, shape);
    buffers_release();
}

void check_forward(const struct rlm_kernels *kernels, struct random *r, size_t rounds)
{
    for (size_t batch = 1; batch <= 40; batch++)
        once(kernels, r, batch, 1 + random_below(r, 40), 1 + random_below(r, 60));
    for (size_t units = 1; units <= 50; units++)
        once(kernels, r, 1 + random_below(r, 40), 1 + random_below(r, 40), units);
    for (size_t i = 0; i < rounds; i++)
        once(kernels, r, random_dimension(r, 130), random_dimension(r, 300), random_dimension(r, 300));
    for (size_t i = 0; i < rounds; i++) /* sums of one term or two, which may be −0 */
        once(kernels, r, 1 + random_below(r, 3), 1 + random_below(r, 2), 1 + random_below(r, 20));
    for (size_t i = 0; i < 480;
         i++) /* one panel, which has tiles of its own: one in 16 has no list, margin or sum */
        once(kernels, r, 1 + random_below(r, 16), 1 + random_below(r, 40), 1 + i % 34);
    once(kernels, r, 33, 1023, 20); /* around the cut of long sums */
    once(kernels, r, 33, 1024, 20);
    once(kernels, r, 33, 2049, 20);
}
