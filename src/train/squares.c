/* See squares.h. */
#include "train/squares.h"

#include "base/checked.h"
#include "network/range.h"

struct squares_region {
    const struct rlm_kernels *kernels;
    const float *matrix;
    size_t columns, stride;
    double *squares;
};

static void squares_range(void *context, size_t begin, size_t end)
{
    const struct squares_region *region = context;
    region->kernels->row_squares(region->matrix, region->columns, region->stride, region->squares, begin,
                                 end);
}

void rlm_squares_find(const relume_network *network, size_t index, const float *dweight, const float *dbias,
                      double *rows, double *bias)
{
    const struct rlm_layer *layer = &network->layers[index];
    struct squares_region region = {network->kernels, dweight, layer->in_features, layer->stride, rows};
    rlm_range_run(network->engine->pool, layer->out_features, layer->out_features * layer->in_features,
                  squares_range, &region);
    *bias = 0.0;
    network->kernels->row_squares(dbias, layer->out_features, rlm_round_up(layer->out_features, RLM_LANES),
                                  bias, 0, 1);
}
