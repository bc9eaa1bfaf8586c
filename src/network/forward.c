/* See forward.h. Each layer is cut by ranges of 16 units. */
#include "network/forward.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "network/range.h"
#include "network/terms.h"

/* Lists cost little beside what they save: the sums of forward and dW are as fast with a list of all units as
 * without, those of dX need the weights packed number by number, which a small batch does not make up for,
 * and the tiles of small layers have no lists at all. Measured: docs/performance.md. */
static bool list_pays(const struct rlm_pass *pass, size_t index, size_t live)
{
    const struct rlm_layer *layer = &pass->network->layers[index];
    size_t units = layer->out_features;
    if (pass->eager)
        return live < units;
    if (pass->capacity <= RLM_LANES && units * layer->stride <= RLM_SMALL_WEIGHTS)
        return live * 2 <= units;
    return live * 16 <= units * (pass->capacity > 64 ? 15 : 12);
}

/* What a unit that is not worked out is to hold, in every panel that a batch may reach. */
static void unit_clear(const struct rlm_pass *pass, struct rlm_pass_layer *layer, size_t units, size_t n)
{
    layer->active[n] = 0;
    for (size_t panel = 0; panel < rlm_divide_up(pass->capacity, RLM_LANES); panel++) {
        memset(layer->z + (panel * units + n) * RLM_LANES, 0, RLM_LANES * sizeof *layer->z);
        if (layer->gates)
            layer->gates[panel * units + n] = 0;
    }
}

void rlm_pass_leave_out(struct rlm_pass *pass, size_t layer, const uint8_t *out)
{
    struct rlm_pass_layer *kept = &pass->layer[layer];
    size_t units = pass->network->layers[layer].out_features;
    kept->asked_count = 0;
    for (size_t n = 0; n < units; n++)
        if (!out[n])
            kept->asked[kept->asked_count++] = (uint32_t)n;
    kept->asks = list_pays(pass, layer, kept->asked_count);
    for (size_t n = 0; kept->asks && n < units; n++)
        if (out[n])
            unit_clear(pass, kept, units, n);
}

/* Sorts a layer's units by whether the batch opened them. Whether that pays is asked of a whole batch, so
 * that the shorter one at an epoch's end is not treated otherwise. */
static void live_list(const struct rlm_pass *pass, size_t index)
{
    struct rlm_pass_layer *layer = &pass->layer[index];
    size_t units = pass->network->layers[index].out_features, live = 0, dead = 0;
    layer->open = 0;
    for (size_t n = 0; n < units; n++) {
        live += layer->active[n] > 0;
        layer->open += layer->active[n];
    }
    layer->live_count = live;
    layer->listed = list_pays(pass, index, live);
    if (!layer->listed)
        return;
    for (size_t n = 0; n < units; n++)
        if (layer->active[n] > 0)
            layer->live[n - dead] = (uint32_t)n;
        else
            layer->live[live + dead++] = (uint32_t)n;
}

struct forward_region {
    const struct rlm_kernels *kernels;
    struct rlm_forward arguments;
    struct rlm_copies copies; /* of x */
    atomic_bool finite;
};

static void forward_range(void *context, size_t begin, size_t end)
{
    struct forward_region *region = context;
    struct rlm_forward arguments = region->arguments;
    arguments.x += rlm_copies_at(region->copies, begin, arguments.out_features);
    if (!region->kernels->forward(&arguments, begin, end))
        atomic_store_explicit(&region->finite, false, memory_order_relaxed);
}

static bool layer_forward(struct rlm_pass *pass, size_t index)
{
    const relume_network *network = pass->network;
    const struct rlm_layer *layer = &network->layers[index];
    struct rlm_pass_layer *kept = &pass->layer[index];
    const struct rlm_pass_layer *below = index > 0 ? kept - 1 : NULL;
    bool listed = below && below->listed;
    size_t steps = listed ? below->live_count : layer->in_features;
    size_t units = kept->asks ? kept->asked_count : layer->out_features;
    struct rlm_terms terms;
    bool few = kept->live && !kept->asks && rlm_terms_forward(pass, index, &terms);
    struct forward_region region = {
        .kernels = network->kernels,
        .arguments = {.batch = pass->batch,
                      .in_features = layer->in_features,
                      .out_features = layer->out_features,
                      .x = rlm_pass_input(pass, index),
                      .weight = layer->weight,
                      .stride = layer->stride,
                      .inputs = listed ? below->live : NULL,
                      .input_count = steps,
                      .units = kept->asks ? kept->asked : NULL,
                      .unit_count = units,
                      .terms = few ? &terms : NULL,
                      .bias = layer->bias,
                      .z = kept->z,
                      .relu = layer->relu,
                      .gates = kept->gates,
                      .active = kept->active,
                      .margin = kept->margin,
                      .sum = kept->sum},
        .copies = index == 0 ? pass->copies : (struct rlm_copies){1, 0},
    };
    atomic_init(&region.finite, true);
    rlm_range_run(network->engine->pool, layer->out_features, pass->batch * steps * units, forward_range,
                  &region);
    if (kept->live)
        live_list(pass, index);
    return atomic_load_explicit(&region.finite, memory_order_relaxed);
}

struct features_region {
    const struct rlm_kernels *kernels;
    struct rlm_pick arguments;
};

static void features_range(void *context, size_t begin, size_t end)
{
    const struct features_region *region = context;
    region->kernels->pick(&region->arguments, begin, end);
}

const float *rlm_pass_features(const struct rlm_pass *pass, size_t layer, const uint32_t *list, size_t count)
{
    if (layer == 0)
        return pass->x_features;
    struct features_region region = {
        .kernels = pass->network->kernels,
        .arguments = {.batch = pass->batch,
                      .columns = pass->network->layers[layer].in_features,
                      .in = rlm_pass_input(pass, layer),
                      .list = list,
                      .count = count,
                      .out = pass->features},
    };
    /* a number costs some eight multiply-adds: read, turned, written */
    if (count > 0)
        rlm_range_run(pass->network->engine->pool, count, pass->batch * count * 8, features_range, &region);
    return pass->features;
}

/* The pre-activation of one unit and sample once more, as the kernel's definition says. */
static float preactivation(const struct rlm_pass *pass, size_t index, size_t unit, size_t place)
{
    const struct rlm_layer *layer = &pass->network->layers[index];
    const float *x =
        rlm_pass_input(pass, index) + place / RLM_LANES * layer->in_features * RLM_LANES + place % RLM_LANES;
    float sum = 0.0f;
    for (size_t k = 0; k < layer->in_features; k++)
        sum = fmaf(x[k * RLM_LANES], layer->weight[unit * layer->stride + k], sum);
    return sum + layer->bias[unit];
}

static void fault_find(const struct rlm_pass *pass, size_t layer, const struct rlm_batch *batch,
                       struct rlm_fault *fault)
{
    *fault = (struct rlm_fault){.layer = layer, .value = NAN};
    for (size_t unit = 0; unit < pass->network->layers[layer].out_features; unit++)
        for (size_t place = 0; place < pass->batch; place++) {
            float value = preactivation(pass, layer, unit, place);
            if (!isfinite(value)) {
                size_t sample = batch->index ? batch->index[place] : batch->first + place;
                fault->unit = unit;
                fault->sample = sample;
                fault->value = value;
                return;
            }
        }
}

bool rlm_pass_run(struct rlm_pass *pass, const struct rlm_batch *batch, struct rlm_fault *fault)
{
    pass->batch = batch->count;
    relume_status reading = rlm_batch_pack(pass, batch, fault ? &fault->why : NULL);
    if (reading != RELUME_OK) {
        if (fault)
            fault->reading = reading;
        return false;
    }
    for (size_t l = 0; l < pass->network->layer_count; l++)
        if (!layer_forward(pass, l)) {
            if (fault)
                fault_find(pass, l, batch, fault);
            return false;
        }
    return true;
}

relume_status rlm_fault_report(const struct rlm_fault *fault, const relume_network *network, const char *when,
                               relume_error *error)
{
    char unit[64];
    if (fault->reading != RELUME_OK) {
        if (error)
            *error = fault->why;
        return fault->reading;
    }
    (void)snprintf(unit, sizeof unit, "%s.%zu", network->layers[fault->layer].name, fault->unit);
    rlm_error_at_item(error, unit);
    return rlm_error_set(error, RELUME_DIVERGED,
                         "%s: the pre-activation of unit %s is %g for sample %zu, expected a finite number",
                         when, unit, (double)fault->value, fault->sample);
}

relume_status rlm_pass_check(const relume_network *network, const relume_dataset *dataset,
                             relume_error *error)
{
    if (dataset->features == network->layers[0].in_features)
        return RELUME_OK;
    return rlm_error_set(error, RELUME_MISMATCH, "dataset %s has %zu features, the network takes %zu",
                         dataset->name, dataset->features, network->layers[0].in_features);
}
