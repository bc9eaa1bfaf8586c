/* What a layer is fed: every sample of D at fixed weights, packed once, so that any number of variants of a
 * unit can be counted over the whole of D with the engine's own rounding.
 *
 * A *variant* is one unit's parameters as they were at some step, or as they would have been: in_features
 * weights, then the bias, `features + 1` floats. Its pre-activations are those the forward kernel gives, bit
 * for bit. */
#ifndef RLM_AUTOPSY_INPUTS_H
#define RLM_AUTOPSY_INPUTS_H

#include <math.h>

#include "base/arena.h"
#include "base/checked.h"
#include "base/rounding.h"
#include "data/dataset.h"
#include "kernels/bytes.h"
#include "network/network.h"

/* Floats from one variant to the next where several lie side by side, each aligned for the kernels. */
static inline size_t rlm_variant_stride(size_t features)
{
    return rlm_round_up(features + 1, RLM_LANES);
}

/* Samples lie in an order of their own, like beside like, so that many of a group of neighbours can be passed
 * over together. A *place* counts in that order, a *sample* is a row of the training split. */
struct rlm_inputs {
    relume_engine *engine;
    size_t samples, features;
    size_t width; /* features with those that were left out because they are 0 for every sample: bounds on
                     rounding are of these, so that they do not depend on what was left out */
    const uint32_t *order; /* [samples]: the sample at a place; NULL: as they come */
    const uint32_t *where; /* [samples]: the place of a sample */
    float *x;              /* sample panels [samples, features], by place */
    double *norm1;         /* [samples], by place: Σ|x| + 1, the 1 being the bias's input; rounded upward */
    double *norm2;         /* [samples], by place: √(Σx² + 1) */
    uint32_t *used; /* [groups][features]: a group's features but those that are 0 for all its samples */
    uint32_t *used_count; /* [groups]; NULL: not listed */
    size_t laid_out;      /* features at which `clean` was noted */
    uint8_t *clean;       /* [groups]: 1: x is known to be 0 but at the features listed */
    uint8_t *bytes; /* [groups][4 · quads · RLM_GROUP]: byte groups, by place: the raw data, when they are
                       bytes. NULL: not kept */
    uint16_t *quad; /* [groups][quads of four features]: those that are there, the others being all 0 */
    uint32_t *quad_count;    /* [groups] */
    rlm_widen_kernel *widen; /* makes x of them, in less time than it takes to read x; NULL: it does not */
    float *wide;             /* [threads][·]: a group of it each */
    struct rlm_arena arena, lists, raw;
};
#define RLM_GROUP 32 /* samples of a group: two panels */

static inline size_t rlm_inputs_place(const struct rlm_inputs *inputs, size_t sample)
{
    return inputs->where ? inputs->where[sample] : sample;
}
static inline size_t rlm_inputs_sample(const struct rlm_inputs *inputs, size_t place)
{
    return inputs->order ? inputs->order[place] : place;
}

/* Room for `samples` inputs of `features` each, nothing set. NO_MEMORY. */
relume_status rlm_inputs_init(struct rlm_inputs *inputs, relume_engine *engine, size_t samples,
                              size_t features, relume_error *error);
/* A zeroed struct is fine. */
void rlm_inputs_deinit(struct rlm_inputs *inputs);

/* The training split, scaled as the network scales it, in the inputs' order: what the first hidden layer is
 * fed. Its norms are not filled. */
void rlm_inputs_pack(struct rlm_inputs *inputs, const relume_network *network, const relume_dataset *dataset);

/* An order in which like samples are neighbours, from inputs packed as they come: by the nearest of some
 * samples, and the second nearest. order, where: [samples]. False: they are too few, or memory is. */
bool rlm_inputs_arrange(const struct rlm_inputs *inputs, uint32_t *order, uint32_t *where);

/* Lists the features that each group uses, for inputs whose x has been written and will not change; without
 * memory for that, or where it would not pay, none are listed. */
void rlm_inputs_list(struct rlm_inputs *inputs);

/* Room for such lists, of inputs whose writer fills them; where there is no memory, none. */
void rlm_inputs_make_lists(struct rlm_inputs *inputs);

/* Keeps bytes beside x, for inputs packed from this dataset in the order that they have now; where the data
 * are not bytes, the CPU has no use for them, or there is no memory, none are kept. */
void rlm_inputs_keep_bytes(struct rlm_inputs *inputs, const relume_network *network,
                           const relume_dataset *dataset);

/* Inputs of which another engine's threads can make use at the same time: everything is that of `of`, which
 * must outlive them and stay as it is, but for the memory in which a thread makes floats of bytes. NO_MEMORY.
 */
relume_status rlm_inputs_share(struct rlm_inputs *inputs, const struct rlm_inputs *of, relume_engine *engine,
                               relume_error *error);

/* The quads of a group that are not all 0, where bytes are kept. */
static inline struct rlm_quads rlm_inputs_quads(const struct rlm_inputs *inputs, size_t group)
{
    return (struct rlm_quads){inputs->quad + group * rlm_divide_up(inputs->features, 4),
                              inputs->quad_count[group]};
}

/* A layer's parameters. */
struct rlm_dense {
    const float *weight; /* [units, stride] */
    size_t stride;
    const float *bias; /* [units] */
};

/* What the forward kernel is told of a group of samples and of `units` units: their number, x, in memory of
 * this thread where it is made of bytes, the features that they use, and where p goes, sample panels at z.
 * All that the kernel may keep beside p is the caller's to set. */
struct rlm_forward rlm_inputs_group(const struct rlm_inputs *inputs, size_t group, size_t thread,
                                    const struct rlm_dense *dense, size_t units, float *z);

/* Samples first … last − 1; `first` is a multiple of RLM_INPUTS_CHUNK. */
#define RLM_INPUTS_CHUNK 256
struct rlm_span {
    size_t first, last;
};

static inline struct rlm_span rlm_inputs_all(const struct rlm_inputs *inputs)
{
    return (struct rlm_span){0, inputs->samples};
}

/* One layer on, with ReLU, for the samples of a span: x of the next layer's inputs, which have as many
 * features as the layer has units. Their norms are not filled. */
void rlm_inputs_forward(const struct rlm_inputs *inputs, struct rlm_span span, const struct rlm_dense *dense,
                        struct rlm_inputs *next);

/* Fills norm1 and norm2 of inputs whose x has been written. */
void rlm_inputs_measure(struct rlm_inputs *inputs);
/* The same for one panel, from Σ|x| and Σx² of its samples, each summed in the order of the features. */
void rlm_inputs_put_norms(struct rlm_inputs *inputs, size_t panel, const double *sum, const double *squares);
/* norm1 at one place, the same bits. */
double rlm_inputs_norm1(const struct rlm_inputs *inputs, size_t place);

/* Several variants, laid out as the kernel wants them. */
struct rlm_variants {
    size_t capacity, features, stride;
    float *weight; /* [capacity, stride] */
    float *bias;   /* [capacity] */
    float *p;      /* [⌈samples/16⌉][count][16]: what the last count gave */
    size_t count;  /* of the last count */
    struct rlm_arena arena;
};
relume_status rlm_variants_init(struct rlm_variants *variants, const struct rlm_inputs *inputs,
                                size_t capacity, relume_error *error);
void rlm_variants_deinit(struct rlm_variants *variants);
/* Puts `variant` (features + 1 floats) in place `index`. */
void rlm_variants_put(struct rlm_variants *variants, size_t index, const float *variant);

/* Fills variants->p for the first `count` of them over all samples. */
void rlm_variants_count(struct rlm_variants *variants, size_t count, const struct rlm_inputs *inputs);
/* The same for the samples of a span. The spans of one count have the same `count`. */
void rlm_variants_count_span(struct rlm_variants *variants, size_t count, const struct rlm_inputs *inputs,
                             struct rlm_span span);

/* The same piece by piece: −infinity for the samples of a span, of `count` variants; and for those of some
 * groups what they are, list[listed] of them. */
void rlm_variants_clear(struct rlm_variants *variants, size_t count, struct rlm_span span);
void rlm_variants_count_groups(struct rlm_variants *variants, const struct rlm_inputs *inputs,
                               const uint32_t *list, size_t listed);

/* Pre-activation of variant `index` at a place, from the last count. */
static inline float rlm_variants_get(const struct rlm_variants *variants, size_t index, size_t place)
{
    return variants->p[(place / RLM_LANES * variants->count + index) * RLM_LANES + place % RLM_LANES];
}

/* Whether any of the 16 places from `place` on, a multiple of 16, has a pre-activation above `floor`; places
 * beyond the last sample have one of 0. */
static inline bool rlm_variants_above(const struct rlm_variants *variants, size_t index, size_t place,
                                      float floor)
{
    const float *p = variants->p + (place / RLM_LANES * variants->count + index) * RLM_LANES;
    unsigned above = 0;
    for (size_t lane = 0; lane < RLM_LANES; lane++)
        above += p[lane] > floor;
    return above > 0;
}

/* What the last count says of one variant. */
struct rlm_tally {
    uint64_t active; /* samples with p > 0 */
    float margin;    /* max p, a −0 as +0 */
    size_t nearest;  /* the first sample of that p */
};
struct rlm_tally rlm_variants_tally(const struct rlm_variants *variants, size_t index,
                                    const struct rlm_inputs *inputs);

/* The same piece by piece: takes a span, from the count of it, into a tally that began as RLM_TALLY_NONE. */
#define RLM_TALLY_NONE ((struct rlm_tally){.margin = -INFINITY})
void rlm_tally_add(struct rlm_tally *tally, const struct rlm_variants *variants, size_t index,
                   const struct rlm_inputs *inputs, struct rlm_span span);

/* Whether some sample of a span opens it, by the count of it. */
bool rlm_variants_alive(const struct rlm_variants *variants, size_t index, struct rlm_span span);

/* How many samples to look at next when `span.last` have been: some, then twice as many, and so on. */
struct rlm_span rlm_span_next(struct rlm_span span, size_t samples);

/* One pre-activation, the kernel's bits, without a count. */
float rlm_inputs_preactivate(const struct rlm_inputs *inputs, size_t place, const float *variant);
/* Input k at a place. */
static inline float rlm_inputs_get(const struct rlm_inputs *inputs, size_t place, size_t k)
{
    return inputs->x[(place / RLM_LANES * inputs->features + k) * RLM_LANES + place % RLM_LANES];
}

/* How far a float pre-activation may lie from the real one: a chain of n = features fused multiply-adds and
 * one addition of the bias gives |p̂ − p| ≤ γ(n + 1) · (Σ|w||x| + |b|), γ(m) = m u / (1 − m u), u = 2⁻²⁴
 * (Higham, Accuracy and Stability of Numerical Algorithms, §3.1; a fused step rounds once where his rounds
 * twice). With |w|, |b| ≤ largest that is at most γ(n + 1) · largest · norm1. Products below the normal range
 * add at most (n + 1) · 2⁻¹⁴⁹ more. */
static inline double rlm_inputs_rounding_of(const struct rlm_inputs *inputs, double largest, double norm1)
{
    return rlm_gamma(inputs->width + 1) * largest * norm1 + (double)(inputs->width + 1) * 0x1p-149;
}
static inline double rlm_inputs_rounding(const struct rlm_inputs *inputs, double largest, size_t place)
{
    return rlm_inputs_rounding_of(inputs, largest, inputs->norm1[place]);
}

/* Largest |element| of a variant. */
double rlm_variant_largest(const float *variant, size_t features);

#endif
