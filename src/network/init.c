/* Initial weights. Element i (row-major) of a layer is a function of (seed, layer, i) alone, so threads and
 * the order of drawing do not matter; every operation is correctly rounded or the project's own, so the bytes
 * are the same everywhere. */
#include <math.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/rng.h"
#include "network/network.h"
#include "network/range.h"

/* A draw costs about as much as this many multiply-adds. */
#define DRAW_WORK 64

struct draw {
    struct rlm_layer *layer;
    struct rlm_rng weight, bias;
    bool normal;
    double scale; /* deviation of the normal, limit of the uniform */
};

static double draw_at(const struct draw *draw, const struct rlm_rng *rng, uint64_t index)
{
    double value = draw->normal ? rlm_rng_normal(rng, index) : 2.0 * rlm_rng_uniform(rng, index) - 1.0;
    return value * draw->scale;
}

#define DRAW_MOST 256

/* Elements index … index + count − 1, at most DRAW_MOST, as draw_at draws them. */
static void draw_some(const struct draw *draw, uint64_t index, size_t count, float *weight)
{
    double value[DRAW_MOST];
    if (draw->normal)
        rlm_rng_normals(&draw->weight, index, count, value);
    for (size_t i = 0; i < count; i++)
        weight[i] = (float)(draw->normal ? value[i] * draw->scale : draw_at(draw, &draw->weight, index + i));
}

static void weights_draw(void *context, size_t begin, size_t end)
{
    const struct draw *draw = context;
    struct rlm_layer *layer = draw->layer;
    for (size_t n = begin; n < end; n++)
        for (size_t k = 0, count; k < layer->in_features; k += count) {
            count = rlm_size_min(DRAW_MOST, layer->in_features - k);
            draw_some(draw, n * layer->in_features + k, count, layer->weight + n * layer->stride + k);
        }
}

/* The deviation or limit of the table in relume/network.h. */
static void draw_scale(struct draw *draw, relume_init init)
{
    double n = (double)draw->layer->in_features, m = (double)draw->layer->out_features;
    draw->normal = init == RELUME_INIT_HE_NORMAL || init == RELUME_INIT_XAVIER_NORMAL ||
                   init == RELUME_INIT_LECUN_NORMAL || init == RELUME_INIT_ORTHOGONAL;
    switch (init) {
    case RELUME_INIT_HE_NORMAL:
        draw->scale = sqrt(2.0 / n);
        break;
    case RELUME_INIT_HE_UNIFORM:
        draw->scale = sqrt(6.0 / n);
        break;
    case RELUME_INIT_XAVIER_NORMAL:
        draw->scale = sqrt(2.0 / (n + m));
        break;
    case RELUME_INIT_XAVIER_UNIFORM:
        draw->scale = sqrt(6.0 / (n + m));
        break;
    case RELUME_INIT_LECUN_NORMAL:
    case RELUME_INIT_PYTORCH:
        draw->scale = sqrt(1.0 / n);
        break;
    default:
        draw->scale = 1.0;
    }
}

/* ---- orthogonal ---- */

/* Sums in eight lanes, added in order at the end: fast without a library, and one order everywhere. */
static double dot(const double *a, const double *b, size_t count)
{
    double lanes[8] = {0}, sum = 0.0;
    size_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (size_t j = 0; j < 8; j++)
            lanes[j] += a[i + j] * b[i + j];
    for (; i < count; i++)
        lanes[i % 8] += a[i] * b[i];
    for (size_t j = 0; j < 8; j++)
        sum += lanes[j];
    return sum;
}

static void subtract_projection(double *row, const double *unit, size_t count)
{
    double along = dot(row, unit, count);
    for (size_t i = 0; i < count; i++)
        row[i] -= along * unit[i];
}

/* Modified Gram–Schmidt, each row twice ("twice is enough", Kahan and Parlett): rows become orthonormal to
 * rounding. */
static void rows_orthonormalize(double *matrix, size_t rows, size_t columns)
{
    for (size_t r = 0; r < rows; r++) {
        double *row = matrix + r * columns;
        for (int pass = 0; pass < 2; pass++) {
            for (size_t before = 0; before < r; before++)
                subtract_projection(row, matrix + before * columns, columns);
            double length = sqrt(dot(row, row, columns));
            double inverse = length > 0.0 ? 1.0 / length : 0.0;
            for (size_t i = 0; i < columns; i++)
                row[i] *= inverse;
        }
    }
}

/* The shorter side's vectors are made orthonormal: rows, or columns where there are more rows than columns.
 */
static relume_status layer_orthogonal(const relume_allocator *allocator, const struct draw *draw,
                                      relume_error *error)
{
    struct rlm_layer *layer = draw->layer;
    size_t n = layer->out_features, k = layer->in_features, elements;
    bool tall = n > k;
    size_t rows = tall ? k : n, columns = tall ? n : k;
    double *matrix =
        rlm_size_multiply(n, k, &elements) ? rlm_alloc(allocator, elements, sizeof *matrix) : NULL;
    if (!matrix)
        return rlm_error_memory(error, n * k * sizeof *matrix, "an orthogonal matrix");
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k; j++)
            matrix[tall ? j * n + i : i * k + j] = draw_at(draw, &draw->weight, i * k + j);
    rows_orthonormalize(matrix, rows, columns);
    double gain = sqrt(2.0);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k; j++)
            layer->weight[i * layer->stride + j] = (float)(gain * matrix[tall ? j * n + i : i * k + j]);
    rlm_free(matrix);
    return RELUME_OK;
}

relume_status rlm_network_draw(relume_network *network, relume_init init, uint64_t seed, relume_error *error)
{
    for (size_t l = 0; l < network->layer_count; l++) {
        struct rlm_layer *layer = &network->layers[l];
        struct draw draw = {
            .layer = layer, .weight = {seed, RLM_RNG_WEIGHT, l}, .bias = {seed, RLM_RNG_BIAS, l}};
        draw_scale(&draw, init);
        if (init == RELUME_INIT_ORTHOGONAL)
            RLM_TRY(layer_orthogonal(&network->engine->allocator, &draw, error));
        else
            rlm_range_run(network->engine->pool, layer->out_features,
                          layer->out_features * layer->in_features * DRAW_WORK, weights_draw, &draw);
        for (size_t n = 0; n < layer->out_features; n++)
            layer->bias[n] = init == RELUME_INIT_PYTORCH ? (float)draw_at(&draw, &draw.bias, n) : 0.0f;
    }
    network->init = init;
    return RELUME_OK;
}
