/* See terms.h. */
#include "network/terms.h"

#include "base/checked.h"
#include "network/range.h"

/* The smallest work for which lists are made. */
#define LEAST_BATCH 32
#define LEAST_WIDTH RLM_TERMS

/* Percent of the terms of a tile that may be other than 0 for lists to pay. The way forward has weights to
 * turn as well, all of them, which costs what the terms of 15 samples do. */
#define BACKWARD_PERCENT 56
#define FORWARD_PERCENT 59
#define FORWARD_SAMPLES 15
#define FORWARD_BATCH 64 /* below, so few may be other than 0 that it is not worth looking */

/* dW by features: x is to have so many percent fewer than that, and than the gates. */
#define WEIGHTS_PERCENT 57
#define WEIGHTS_LESS 12
#define WEIGHTS_BATCH 64

/* Whether features may be listed at all: for shorter batches lists are too short. */
static bool weights_large_enough(const struct rlm_pass *pass)
{
    return pass->capacity >= (pass->eager ? LEAST_BATCH : WEIGHTS_BATCH) && pass->capacity <= RLM_TERMS_BATCH;
}

struct terms_region {
    const struct rlm_kernels *kernels;
    struct rlm_terms arguments;
};

static void terms_range(void *context, size_t begin, size_t end)
{
    const struct terms_region *region = context;
    region->kernels->terms(&region->arguments, begin / RLM_LANES, rlm_divide_up(end, RLM_LANES));
}

/* Lists the panels `in` of a matrix [rows, columns]. */
static void terms_list(const struct rlm_pass *pass, const float *in, size_t rows, size_t columns,
                       struct rlm_terms *terms)
{
    *terms = pass->terms;
    terms->batch = rows;
    terms->columns = columns;
    terms->in = in;
    struct terms_region region = {pass->network->kernels, *terms};
    /* a number costs some eight multiply-adds: turned, written, counted */
    rlm_range_run(pass->network->engine->pool, rows, rows * columns * 8, terms_range, &region);
}

/* How many numbers of the packed batch are not 0, going by its first panel. */
static size_t packed_open(const struct rlm_pass *pass)
{
    size_t columns = pass->network->layers[0].in_features, open = 0;
    for (size_t i = 0; i < columns * RLM_LANES; i++)
        open += pass->x[i] != 0;
    return open * pass->batch / rlm_size_min(pass->batch, RLM_LANES);
}

/* Whether that pays is asked of a whole batch, so that the shorter one at an epoch's end is not treated
 * otherwise. */
static bool large_enough(const struct rlm_pass *pass, const struct rlm_layer *layer)
{
    return pass->capacity >= LEAST_BATCH && layer->in_features >= LEAST_WIDTH &&
           layer->out_features >= LEAST_WIDTH;
}

/* What the layer's sums would go over otherwise: `inputs` of in_features. */
static bool forward_pays(struct rlm_pass *pass, size_t layer, const struct rlm_layer *of)
{
    const struct rlm_pass_layer *below = layer > 0 ? &pass->layer[layer - 1] : NULL;
    size_t inputs = below && below->listed ? below->live_count : of->in_features;
    if (!large_enough(pass, of) || pass->capacity < FORWARD_BATCH)
        return false;
    if (!below)
        pass->x_open = packed_open(pass);
    size_t open = below ? below->open : pass->x_open, turned = FORWARD_SAMPLES * of->in_features;
    return open * 100 / pass->batch * pass->capacity + turned * 100 <=
           inputs * pass->capacity * FORWARD_PERCENT;
}

bool rlm_terms_forward(struct rlm_pass *pass, size_t layer, struct rlm_terms *terms)
{
    const struct rlm_layer *of = &pass->network->layers[layer];
    bool pays = pass->eager || forward_pays(pass, layer, of);
    if (pays)
        terms_list(pass, rlm_pass_input(pass, layer), pass->batch, of->in_features, terms);
    return pays;
}

bool rlm_terms_backward(const struct rlm_pass *pass, size_t layer, const float *dz, struct rlm_terms *terms)
{
    const struct rlm_layer *of = &pass->network->layers[layer];
    const struct rlm_pass_layer *kept = &pass->layer[layer];
    size_t units = kept->listed ? kept->live_count : of->out_features;
    bool pays =
        pass->eager || (large_enough(pass, of) && kept->open * 100 <= pass->batch * units * BACKWARD_PERCENT);
    if (pays)
        terms_list(pass, dz, pass->batch, units, terms);
    return pays;
}

/* The numbers of x that are not 0 against the open gates, whose lists are the other way. */
static bool weights_pay(const struct rlm_pass *pass, const struct rlm_layer *of)
{
    const struct rlm_pass_layer *kept = &pass->layer[0];
    size_t units = kept->listed ? kept->live_count : of->out_features;
    if (!large_enough(pass, of) || pass->x_open == 0 || units == 0)
        return false;
    size_t percent = pass->x_open * 100 / (pass->batch * of->in_features);
    size_t gates = kept->open * 100 / (pass->batch * units);
    return percent + WEIGHTS_LESS <= rlm_size_min(gates, WEIGHTS_PERCENT);
}

bool rlm_terms_weights(const struct rlm_pass *pass, struct rlm_terms *terms)
{
    const struct rlm_layer *of = &pass->network->layers[0];
    bool pays = weights_large_enough(pass) && (pass->eager || weights_pay(pass, of));
    if (pays)
        terms_list(pass, pass->x_features, of->in_features, rlm_round_up(pass->batch, RLM_LANES), terms);
    return pays;
}
