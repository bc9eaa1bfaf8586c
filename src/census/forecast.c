/* The forecast of born-dead units: moments of the inputs, the closed form carried through the layers, and
 * exact counts over several drawn networks. The learning-rate half of relume/forecast.h needs the trainer and
 * lives in run/safe_rate.c. */
#include "relume/forecast.h"

#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "census/closed_forms.h"
#include "census/silent.h"

const char *relume_blame_name(relume_blame blame)
{
    static const char *const names[] = {"nothing", "uncentred inputs", "drawn biases", "depth", "chance"};
    return (unsigned)blame < sizeof names / sizeof *names ? names[blame] : "";
}

/* Second moments of the scaled inputs: mean ‖x‖², ‖mean x‖², and the mean of x·y over pairs of different
 * samples. */
struct moments {
    double square, mean_square, pair;
};

static double scaled(const relume_dataset *dataset, const void *rows, size_t row, size_t feature)
{
    size_t at = row * dataset->features + feature, f = dataset->scaling.uniform ? 0 : feature;
    float raw =
        dataset->element == RELUME_U8 ? (float)((const uint8_t *)rows)[at] : ((const float *)rows)[at];
    return (double)((raw - dataset->scaling.offset[f]) / dataset->scaling.divisor[f]);
}

/* `mean` has room for a row of features. */
static relume_status measure_moments(const relume_dataset *dataset, struct rlm_rows split, double *mean,
                                     struct moments *measured, relume_error *error)
{
    double square = 0.0;
    for (size_t f = 0; f < dataset->features; f++)
        mean[f] = 0.0;
    for (size_t done = 0, count; done < split.count; done += count) {
        const void *rows;
        count = split.count - done;
        RLM_TRY(rlm_dataset_read_some(dataset, split.first + done, &count, &rows, error));
        for (size_t i = 0; i < count; i++)
            for (size_t f = 0; f < dataset->features; f++) {
                double x = scaled(dataset, rows, i, f);
                mean[f] += x;
                square += x * x;
            }
    }
    double n = (double)split.count;
    struct moments moments = {.square = square / n};
    for (size_t f = 0; f < dataset->features; f++)
        moments.mean_square += (mean[f] / n) * (mean[f] / n);
    moments.pair = n > 1.0 ? (n * moments.mean_square - moments.square) / (n - 1.0) : moments.square;
    *measured = moments;
    return RELUME_OK;
}

/* Variances of one weight and one bias as drawn; fan_in n, fan_out m (relume/network.h names the sources). */
struct variances {
    double weight, bias;
};

static struct variances init_variances(relume_init init, double n, double m)
{
    switch (init) {
    case RELUME_INIT_XAVIER_NORMAL:
    case RELUME_INIT_XAVIER_UNIFORM:
        return (struct variances){2.0 / (n + m), 0.0};
    case RELUME_INIT_LECUN_NORMAL:
        return (struct variances){1.0 / n, 0.0};
    case RELUME_INIT_PYTORCH:
        return (struct variances){1.0 / (3.0 * n), 1.0 / (3.0 * n)};
    case RELUME_INIT_ORTHOGONAL:
        return (struct variances){2.0 / fmax(n, m), 0.0};
    default: /* both of He */
        return (struct variances){2.0 / n, 0.0};
    }
}

/* What a layer's born-dead units would be owed to, if there are any. */
static relume_blame blame_of(size_t layer, struct variances drawn, double covariance, double expected,
                             uint64_t samples)
{
    if (drawn.bias > 0.5 * covariance)
        return RELUME_BLAME_BIAS;
    if (rlm_born_dead(0.0, samples) > 0.5 * expected)
        return RELUME_BLAME_CHANCE;
    return layer > 0 ? RELUME_BLAME_DEPTH : RELUME_BLAME_UNCENTRED;
}

/* Carries mean square q and mean pair product c of a layer's inputs through pre-activations (variance K = σw²
 * q + σb², covariance C = σw² c + σb²) and ReLU (q' = N K / 2, c' = N K / 2 · ρ'(C/K)). Exact as the widths
 * grow. */
static void expect_layers(const relume_network_options *options, const struct moments *moments,
                          relume_forecast *forecast)
{
    double square = moments->square, pair = moments->pair;
    double fan_in = (double)options->in_features;
    for (size_t k = 0; k < forecast->layers; k++) {
        double units = (double)options->hidden[k];
        struct variances drawn = init_variances(options->init, fan_in, units);
        double variance = drawn.weight * square + drawn.bias;
        double covariance = drawn.weight * pair + drawn.bias;
        double correlation = variance > 0.0 ? fmin(covariance / variance, 1.0) : 1.0;
        relume_forecast_layer *layer = &forecast->layer[k];
        layer->correlation = correlation;
        layer->expected = rlm_born_dead(correlation, forecast->samples);
        layer->blame = blame_of(k, drawn, covariance, layer->expected, forecast->samples);
        square = units * variance / 2.0;
        pair = square * rlm_relu_correlation(correlation);
        fan_in = units;
    }
}

/* Draws the network of one seed and adds its dead units to the layers' measured sums. */
static relume_status count_seed(relume_engine *engine, const relume_network_options *options,
                                relume_forecast *forecast, double *squares, relume_error *error)
{
    relume_network *network = NULL;
    RLM_TRY(relume_network_create(engine, options, &network, error));
    struct rlm_silent silent;
    relume_status status = rlm_silent_init(&silent, network, options->dataset, RELUME_SPLIT_TRAIN, error);
    if (status == RELUME_OK) {
        bool whole = false;
        status = rlm_silent_find(&silent, error);
        for (size_t k = 0; status == RELUME_OK && k < forecast->layers; k++) {
            relume_forecast_layer *layer = &forecast->layer[k];
            double share = (double)silent.count[k] / (double)layer->units;
            layer->measured += share;
            squares[k] += share * share;
            layer->least = fmin(layer->least, share);
            layer->most = fmax(layer->most, share);
            whole = whole || silent.count[k] == layer->units;
        }
        forecast->networks_dead += whole;
        rlm_silent_deinit(&silent);
    }
    relume_network_destroy(network);
    return status;
}

static void finish_layers(relume_forecast *forecast, const double *squares)
{
    double seeds = (double)forecast->seeds;
    for (size_t k = 0; k < forecast->layers; k++) {
        relume_forecast_layer *layer = &forecast->layer[k];
        layer->measured /= seeds;
        double variance = squares[k] / seeds - layer->measured * layer->measured;
        layer->standard_error = forecast->seeds > 1 ? sqrt(fmax(variance, 0.0) / (seeds - 1.0)) : 0.0;
        if (layer->measured < 0.005)
            layer->blame = RELUME_BLAME_NOTHING;
    }
}

static relume_status count_seeds(relume_engine *engine, const relume_network_options *network,
                                 relume_forecast *forecast, relume_error *error)
{
    double *squares = rlm_alloc_zero(&engine->allocator, forecast->layers, sizeof *squares);
    if (!squares)
        return rlm_error_memory(error, forecast->layers * sizeof *squares, "the forecast's sums");
    relume_network_options drawn = *network;
    relume_status status = RELUME_OK;
    for (size_t i = 0; status == RELUME_OK && i < forecast->seeds; i++, drawn.seed++)
        status = count_seed(engine, &drawn, forecast, squares, error);
    if (status == RELUME_OK)
        finish_layers(forecast, squares);
    rlm_free(squares);
    return status;
}

static relume_status expect(relume_engine *engine, const relume_network_options *network,
                            relume_forecast *forecast, relume_error *error)
{
    const relume_dataset *dataset = network->dataset;
    double *mean = rlm_alloc(&engine->allocator, dataset->features, sizeof *mean);
    if (!mean)
        return rlm_error_memory(error, dataset->features * sizeof *mean, "the mean of the inputs");
    struct moments moments = {0};
    relume_status status =
        measure_moments(dataset, rlm_dataset_rows(dataset, RELUME_SPLIT_TRAIN), mean, &moments, error);
    rlm_free(mean);
    if (status != RELUME_OK)
        return status;
    forecast->mean_norm = sqrt(moments.mean_square);
    forecast->deviation_norm = sqrt(fmax(moments.square - moments.mean_square, 0.0));
    forecast->gamma =
        forecast->deviation_norm > 0.0 ? forecast->mean_norm / forecast->deviation_norm : INFINITY;
    expect_layers(network, &moments, forecast);
    double alive = 0.0; /* the logarithm of its probability */
    for (size_t k = 0; k < forecast->layers; k++)
        alive += log1p(-rlm_network_born_dead(network->hidden[k], 1));
    forecast->network_dead = network->init == RELUME_INIT_PYTORCH ? (double)NAN : -expm1(alive);
    return RELUME_OK;
}

relume_status relume_forecast_count(relume_engine *engine, const relume_network_options *network,
                                    size_t seeds, relume_forecast *forecast, relume_error *error)
{
    if (!network->dataset || seeds == 0)
        return rlm_error_set(error, RELUME_USAGE, "a forecast needs a data set and at least one seed");
    relume_forecast made = {.seeds = seeds, .layers = network->hidden_layers};
    made.samples = relume_dataset_get_samples(network->dataset, RELUME_SPLIT_TRAIN);
    made.layer = rlm_alloc_zero(&engine->allocator, made.layers, sizeof *made.layer);
    if (!made.layer)
        return rlm_error_memory(error, made.layers * sizeof *made.layer, "the forecast");
    for (size_t k = 0; k < made.layers; k++) {
        (void)snprintf(made.layer[k].name, sizeof made.layer[k].name, "h%zu", k + 1);
        made.layer[k].units = network->hidden[k];
        made.layer[k].least = 1.0;
    }
    relume_status status = expect(engine, network, &made, error);
    if (status == RELUME_OK)
        status = count_seeds(engine, network, &made, error);
    if (status == RELUME_OK)
        *forecast = made;
    else
        relume_forecast_deinit(&made);
    return status;
}

void relume_forecast_deinit(relume_forecast *forecast)
{
    rlm_free(forecast->layer);
    *forecast = (relume_forecast){0};
}
