/* The gradient in double against differences of the loss in long double; see relume/gradcheck.h and
 * docs/gradcheck.md. Changes no network: it works on copies in a wider precision (precise.inc).
 *
 * Moving a weight of unit n in layer l changes unit n there and everything above, so only that is computed
 * again. With all gates below fixed a pre-activation is linear in the parameter: a gate that is the same at
 * −2h, −h, 0, h and 2h is the same in between, so looking at those five points is enough. */
#include "relume/gradcheck.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/rng.h"
#include "network/loss.h"

#define RLM_REAL double
#define RLM_NAME(name) name##_f64
#define RLM_TABLE rlm_kernels_ref_f64
#include "train/precise.inc"
#undef RLM_REAL
#undef RLM_NAME
#undef RLM_TABLE
#define RLM_REAL long double
#define RLM_NAME(name) name##_wide
#define RLM_TABLE rlm_kernels_ref_wide
#include "train/precise.inc"
#undef RLM_REAL
#undef RLM_NAME
#undef RLM_TABLE

#define STEP 0x1p-12 /* a power of two: w ± h is exact in long double */
#define FLOOR 1e-8

struct relume_gradcheck {
    relume_gradcheck_summary summary;
    size_t tensor_count, flip_count;
    relume_gradcheck_tensor *tensor;
    relume_gradcheck_flip *flip; /* [hidden units] while checking; then those with parameters, first */
};

/* What a check works with. */
struct bench {
    const relume_network *network;
    struct rlm_pass pass;
    struct rlm_loss_pass loss;
    struct precise_f64 exact;
    struct precise_wide wide;
    double *dz[2];      /* sample panels [batch, widest layer] */
    double *features;   /* feature panels [batch, widest input of a layer] */
    double **gradient;  /* [2 · layers]: weight [units, stride] and bias [units] of each layer */
    uint16_t **gates;   /* [layers]: the wide net's gates at the weights as they are */
    size_t *first_unit; /* [layers]: place of its unit 0 in relume_gradcheck.flip */
    struct rlm_arena arena;
};

void relume_gradcheck_options_default(relume_gradcheck_options *options)
{
    *options = (relume_gradcheck_options){
        .split = RELUME_SPLIT_TRAIN, .batch_size = 37, .parameters = 256, .tolerance = 1e-7};
}

/* ---- the bench ---- */

static void bench_layout(struct rlm_arena *arena, struct bench *bench)
{
    const relume_network *network = bench->network;
    size_t widest = 0, inputs = 0, panels = rlm_divide_up(bench->pass.batch, RLM_LANES),
           layers = network->layer_count;
    bench->gradient = rlm_arena_take(arena, 2 * layers, sizeof *bench->gradient);
    bench->gates = rlm_arena_take(arena, layers, sizeof *bench->gates);
    bench->first_unit = rlm_arena_take(arena, layers, sizeof *bench->first_unit);
    for (size_t l = 0; l < layers; l++) {
        const struct rlm_layer *layer = &network->layers[l];
        widest = rlm_size_max(widest, layer->out_features);
        inputs = rlm_size_max(inputs, rlm_round_up(layer->in_features, RLM_LANES));
        double *weight = rlm_arena_take(arena, layer->out_features * layer->stride, sizeof(double));
        double *bias = rlm_arena_take(arena, rlm_round_up(layer->out_features, RLM_LANES), sizeof(double));
        uint16_t *gates = rlm_arena_take(arena, panels * layer->out_features, sizeof(uint16_t));
        if (!bench->gradient)
            continue;
        bench->gradient[2 * l] = weight;
        bench->gradient[2 * l + 1] = bias;
        bench->gates[l] = gates;
        bench->first_unit[l] = l == 0 ? 0 : bench->first_unit[l - 1] + layer->in_features;
    }
    for (int i = 0; i < 2; i++)
        bench->dz[i] = rlm_arena_take(arena, panels * widest, RLM_LANES * sizeof(double));
    bench->features = rlm_arena_take(arena, panels * inputs, RLM_LANES * sizeof(double));
}

static void bench_deinit(struct bench *bench)
{
    rlm_arena_deinit(&bench->arena);
    rlm_arena_deinit(&bench->wide.arena);
    rlm_arena_deinit(&bench->exact.arena);
    rlm_loss_deinit(&bench->loss);
    rlm_pass_deinit(&bench->pass);
}

/* Runs the batch once as training does: that packs it, fetches its targets, and finds what is not finite. */
static relume_status bench_run_batch(struct bench *bench, const relume_dataset *dataset, size_t first,
                                     size_t count, relume_error *error)
{
    const struct rlm_batch batch = {.dataset = dataset, .first = first, .count = count};
    struct rlm_fault fault;
    RLM_TRY(rlm_pass_init(&bench->pass, bench->network, count, 0, error));
    RLM_TRY(rlm_loss_init(&bench->loss, bench->network, dataset, count, error));
    if (!rlm_pass_run(&bench->pass, &batch, &fault))
        return rlm_fault_report(&fault, bench->network, "checking the gradient", error);
    rlm_loss_run(&bench->loss, &bench->pass, &batch, NULL);
    return RELUME_OK;
}

static relume_status bench_init(struct bench *bench, const relume_dataset *dataset, size_t first,
                                size_t count, relume_error *error)
{
    RLM_TRY(bench_run_batch(bench, dataset, first, count, error));
    RLM_TRY(precise_init_f64(&bench->exact, &bench->pass, &bench->loss, error));
    RLM_TRY(precise_init_wide(&bench->wide, &bench->pass, &bench->loss, error));
    bench_layout(&bench->arena, bench);
    size_t bytes = bench->arena.overflow ? SIZE_MAX : bench->arena.used;
    if (!rlm_arena_init(&bench->arena, &bench->network->engine->allocator))
        return rlm_error_memory(error, bytes, "the gradient in double");
    bench_layout(&bench->arena, bench);
    return RELUME_OK;
}

/* ---- the gradient, in double ---- */

/* What layer `l` takes in, as feature panels. */
static const double *features_turn(const struct bench *bench, size_t l)
{
    const double *in = l == 0 ? bench->exact.x : bench->exact.layer[l - 1].z;
    size_t features = bench->exact.layer[l].in_features, b16 = rlm_round_up(bench->exact.batch, RLM_LANES);
    memset(bench->features, 0, b16 * rlm_round_up(features, RLM_LANES) * sizeof *bench->features);
    for (size_t b = 0; b < b16; b++)
        for (size_t f = 0; f < features; f++)
            bench->features[(f / RLM_LANES * b16 + b) * RLM_LANES + f % RLM_LANES] =
                in[(b / RLM_LANES * features + f) * RLM_LANES + b % RLM_LANES];
    return bench->features;
}

static void gradient_of_layer(const struct bench *bench, size_t l, const double *dz)
{
    const struct precise_layer_f64 *layer = &bench->exact.layer[l];
    struct rlm_backward_weights_f64 arguments = {
        .batch = bench->exact.batch,
        .in_features = layer->in_features,
        .out_features = layer->out_features,
        .dz = dz,
        .x_features = features_turn(bench, l),
        .weight_update = {.kind = RLM_UPDATE_STORE},
        .bias_update = {.kind = RLM_UPDATE_STORE},
        .stride = layer->stride,
        .weight = layer->weight,
        .bias = layer->bias,
        .dweight = bench->gradient[2 * l],
        .dbias = bench->gradient[2 * l + 1],
    };
    rlm_kernels_ref_f64.backward_weights(&arguments, 0, layer->out_features);
}

static void gradient_below(const struct bench *bench, size_t l, const double *dz, double *dx)
{
    const struct precise_layer_f64 *layer = &bench->exact.layer[l];
    struct rlm_backward_input_f64 arguments = {
        .batch = bench->exact.batch,
        .in_features = layer->in_features,
        .out_features = layer->out_features,
        .dz = dz,
        .weight = layer->weight,
        .stride = layer->stride,
        .gates = bench->exact.layer[l - 1].gates,
        .dx = dx,
    };
    rlm_kernels_ref_f64.backward_input(&arguments, 0, layer->in_features);
}

/* Fills bench->gradient; returns the loss. */
static double compute_gradient(struct bench *bench)
{
    double *dz = bench->dz[0], *dx = bench->dz[1];
    precise_from_f64(&bench->exact, 0);
    double loss = precise_loss_f64(&bench->exact, dz);
    for (size_t l = bench->exact.layers; l-- > 0;) {
        gradient_of_layer(bench, l, dz);
        if (l > 0)
            gradient_below(bench, l, dz, dx);
        double *done = dz;
        dz = dx;
        dx = done;
    }
    return loss;
}

/* ---- differences, in long double ---- */

static void remember_gates(struct bench *bench)
{
    precise_from_wide(&bench->wide, 0);
    size_t panels = rlm_divide_up(bench->wide.batch, RLM_LANES);
    for (size_t l = 0; l < bench->wide.layers; l++)
        memcpy(bench->gates[l], bench->wide.layer[l].gates,
               panels * bench->wide.layer[l].out_features * sizeof(uint16_t));
}

/* Marks the units of layer `l` and above whose gates are not what they were. */
static bool find_flips(const struct bench *bench, size_t l, bool *flipped)
{
    size_t panels = rlm_divide_up(bench->wide.batch, RLM_LANES);
    bool any = false;
    for (; l + 1 < bench->wide.layers; l++) {
        size_t units = bench->wide.layer[l].out_features;
        const uint16_t *now = bench->wide.layer[l].gates, *was = bench->gates[l];
        if (memcmp(now, was, panels * units * sizeof *now) == 0)
            continue;
        any = true;
        for (size_t i = 0; i < panels * units; i++)
            if (now[i] != was[i])
                flipped[bench->first_unit[l] + i % units] = true;
    }
    return any;
}

/* The loss with *parameter, of unit `unit` in layer `l`, at `value`. */
static long double loss_at(struct bench *bench, size_t l, size_t unit, long double *parameter,
                           long double value, bool *flipped, bool *any)
{
    *parameter = value;
    precise_units_wide(&bench->wide, l, unit, unit + 1);
    precise_from_wide(&bench->wide, l + 1);
    *any = find_flips(bench, l, flipped) || *any;
    return precise_loss_wide(&bench->wide, NULL);
}

/* The difference quotient; *any: a gate flipped, and it means nothing. */
static double difference(struct bench *bench, size_t l, size_t unit, long double *parameter, bool *flipped,
                         bool *any)
{
    const long double h = STEP, was = *parameter;
    long double near = loss_at(bench, l, unit, parameter, was + h, flipped, any) -
                       loss_at(bench, l, unit, parameter, was - h, flipped, any);
    long double far = loss_at(bench, l, unit, parameter, was + 2 * h, flipped, any) -
                      loss_at(bench, l, unit, parameter, was - 2 * h, flipped, any);
    *parameter = was;
    precise_units_wide(&bench->wide, l, unit, unit + 1);
    return (double)((8 * near - far) / (12 * h));
}

/* ---- one tensor ---- */

static void note_flips(relume_gradcheck *check, bool *flipped, size_t hidden_units)
{
    for (size_t i = 0; i < hidden_units; i++) {
        check->flip[i].parameters += flipped[i];
        flipped[i] = false;
    }
}

static void note(relume_gradcheck_tensor *tensor, size_t unit, size_t input, double gradient,
                 double difference)
{
    double error = fabs(gradient - difference) / fmax(FLOOR, fabs(gradient) + fabs(difference));
    tensor->checked++;
    if (error <= tensor->worst && tensor->checked > 1)
        return;
    tensor->worst = isnan(error) ? (double)INFINITY : error;
    tensor->unit = unit;
    tensor->input = input;
    tensor->gradient = gradient;
    tensor->difference = difference;
}

/* Parameters first, first + total/count, …, spread evenly from a place that the seed decides. */
static void check_tensor(relume_gradcheck *check, struct bench *bench, size_t index,
                         const relume_gradcheck_options *options, bool *flipped, size_t hidden_units)
{
    relume_gradcheck_tensor *tensor = &check->tensor[index];
    size_t l = index / 2;
    struct precise_layer_wide *layer = &bench->wide.layer[l];
    size_t columns = tensor->is_bias ? 1 : layer->in_features, total = tensor->parameters;
    size_t count = options->parameters > 0 ? rlm_size_min(options->parameters, total) : total;
    struct rlm_rng rng = {options->seed, RLM_RNG_TEST, index};
    precise_from_wide(&bench->wide,
                      0); /* all activations as they are: the tensor before moved those above it */
    size_t first = count < total ? (size_t)rlm_rng_below(&rng, 0, total) : 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = (first + (size_t)((double)i * (double)total / (double)count)) % total;
        size_t unit = at / columns, input = at % columns;
        size_t place = tensor->is_bias ? unit : unit * layer->stride + input;
        bool any = false;
        double measured = difference(bench, l, unit, (tensor->is_bias ? layer->bias : layer->weight) + place,
                                     flipped, &any);
        if (any) {
            tensor->left_out++;
            note_flips(check, flipped, hidden_units);
        } else {
            note(tensor, unit, input, bench->gradient[index][place], measured);
        }
    }
}

/* ---- the whole ---- */

/* Memory for the results, filled in as far as the network alone says. */
static relume_status create_result(const relume_network *network, size_t hidden_units,
                                   relume_gradcheck **check, relume_error *error)
{
    const relume_allocator *allocator = &network->engine->allocator;
    size_t tensors = 2 * network->layer_count;
    relume_gradcheck *made = rlm_alloc_zero(allocator, 1, sizeof *made);
    if (made) {
        made->tensor = rlm_alloc_zero(allocator, tensors, sizeof *made->tensor);
        made->flip = rlm_alloc_zero(allocator, hidden_units, sizeof *made->flip);
    }
    if (!made || !made->tensor || !made->flip) {
        relume_gradcheck_destroy(made);
        return rlm_error_memory(error, tensors * sizeof *made->tensor + hidden_units * sizeof *made->flip,
                                "the results of a gradient check");
    }
    made->tensor_count = tensors;
    relume_gradcheck_flip *flip = made->flip;
    for (size_t i = 0; i < tensors; i++) {
        const struct rlm_layer *layer = &network->layers[i / 2];
        made->tensor[i].layer = layer->name;
        made->tensor[i].is_bias = i % 2 != 0;
        made->tensor[i].parameters = layer->out_features * (i % 2 ? 1 : layer->in_features);
        for (size_t n = 0; i % 2 && layer->relu && n < layer->out_features; n++)
            *flip++ = (relume_gradcheck_flip){.layer = layer->name, .unit = n};
    }
    *check = made;
    return RELUME_OK;
}

static void sum_up(relume_gradcheck *check, size_t hidden_units)
{
    relume_gradcheck_summary *summary = &check->summary;
    for (size_t i = 0; i < check->tensor_count; i++) {
        const relume_gradcheck_tensor *tensor = &check->tensor[i];
        summary->parameters += tensor->parameters;
        summary->checked += tensor->checked;
        summary->left_out += tensor->left_out;
        if (tensor->worst > summary->worst) {
            summary->worst = tensor->worst;
            summary->worst_tensor = i;
        }
    }
    summary->holds = summary->checked > 0 && summary->worst <= summary->tolerance;
    for (size_t i = 0; i < hidden_units; i++)
        if (check->flip[i].parameters > 0)
            check->flip[check->flip_count++] = check->flip[i];
}

static relume_status run(relume_gradcheck *check, struct bench *bench,
                         const relume_gradcheck_options *options, size_t hidden_units, relume_error *error)
{
    bool *flipped = rlm_alloc_zero(&bench->network->engine->allocator, hidden_units, sizeof *flipped);
    if (!flipped)
        return rlm_error_memory(error, hidden_units, "the gates of a gradient check");
    check->summary.loss = compute_gradient(bench);
    remember_gates(bench);
    for (size_t i = 0; i < check->tensor_count; i++)
        check_tensor(check, bench, i, options, flipped, hidden_units);
    rlm_free(flipped);
    sum_up(check, hidden_units);
    return RELUME_OK;
}

static relume_status check_options(const relume_network *network, const relume_dataset *dataset,
                                   const relume_gradcheck_options *options, relume_error *error)
{
    if (options->batch_size == 0 || !(options->tolerance >= 0))
        return rlm_error_set(error, RELUME_USAGE,
                             "a gradient check wants a batch of 1 or more and a tolerance of 0 or more, "
                             "found %zu and %g",
                             options->batch_size, options->tolerance);
    RLM_TRY(rlm_pass_check(network, dataset, error));
    RLM_TRY(rlm_loss_check(network, dataset, error));
    if (relume_dataset_get_samples(dataset, options->split) == 0)
        return rlm_error_set(error, RELUME_NOT_FOUND, "dataset %s has no samples in the split asked for",
                             dataset->name);
    return RELUME_OK;
}

relume_status relume_gradcheck_run(const relume_network *network, const relume_dataset *dataset,
                                   const relume_gradcheck_options *options, relume_gradcheck **check,
                                   relume_error *error)
{
    relume_gradcheck_options defaults;
    relume_gradcheck *made = NULL;
    struct bench bench = {.network = network};
    size_t hidden_units = 0;
    rlm_error_clear(error);
    if (!options) {
        relume_gradcheck_options_default(&defaults);
        options = &defaults;
    }
    RLM_TRY(check_options(network, dataset, options, error));
    for (size_t l = 0; l + 1 < network->layer_count; l++)
        hidden_units += network->layers[l].out_features;
    struct rlm_rows rows = rlm_dataset_rows(dataset, options->split);
    size_t count = rlm_size_min(options->batch_size, rows.count);
    RLM_TRY(create_result(network, hidden_units, &made, error));
    made->summary = (relume_gradcheck_summary){.batch = count, .tolerance = options->tolerance, .step = STEP};
    relume_status status = bench_init(&bench, dataset, rows.first, count, error);
    if (status == RELUME_OK)
        status = run(made, &bench, options, hidden_units, error);
    bench_deinit(&bench);
    if (status != RELUME_OK) {
        relume_gradcheck_destroy(made);
        return status;
    }
    *check = made;
    return RELUME_OK;
}

void relume_gradcheck_destroy(relume_gradcheck *check)
{
    if (!check)
        return;
    rlm_free(check->tensor);
    rlm_free(check->flip);
    rlm_free(check);
}

relume_gradcheck_summary relume_gradcheck_get_summary(const relume_gradcheck *check)
{
    return check->summary;
}

size_t relume_gradcheck_get_tensors(const relume_gradcheck *check)
{
    return check->tensor_count;
}

relume_gradcheck_tensor relume_gradcheck_get_tensor(const relume_gradcheck *check, size_t index)
{
    return check->tensor[index];
}

size_t relume_gradcheck_get_flips(const relume_gradcheck *check)
{
    return check->flip_count;
}

relume_gradcheck_flip relume_gradcheck_get_flip(const relume_gradcheck *check, size_t index)
{
    return check->flip[index];
}
