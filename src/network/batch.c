/* See batch.h. Packing is cut by panels of 16 samples. */
#include "network/batch.h"

#include "base/checked.h"
#include "base/error.h"
#include "network/range.h"

/* A batch of more bytes would push out of the second-level cache what the step needs before it. */
#define FETCH_MOST ((size_t)256 << 10)
#define CACHE_LINE 64

struct pack_region {
    const struct rlm_kernels *kernels;
    struct rlm_pack arguments;
    size_t begin, end; /* samples of the batch, `begin` a multiple of 16 */
    struct rlm_copies copies;
};

static void pack_range(void *context, size_t begin, size_t end)
{
    const struct pack_region *region = context;
    region->kernels->pack(&region->arguments, (region->begin + begin) / RLM_LANES,
                          rlm_divide_up(region->begin + end, RLM_LANES));
}

static void copy_pack(void *context, size_t copy, size_t thread)
{
    (void)thread;
    const struct pack_region *region = context;
    struct rlm_pack arguments = region->arguments;
    arguments.x += copy * region->copies.elements;
    arguments.x_features += copy * region->copies.elements;
    region->kernels->pack(&arguments, region->begin / RLM_LANES, rlm_divide_up(region->end, RLM_LANES));
}

static void rows_pack(struct pack_region *region, const relume_network *network)
{
    size_t count = region->end - region->begin;
    if (region->copies.count > 1) {
        rlm_pool_run(network->engine->pool, copy_pack, region, region->copies.count);
        return;
    }
    /* an element costs some eight multiply-adds: a read out of order, a division, two writes */
    rlm_range_run(network->engine->pool, count, count * region->arguments.features * 8, pack_range, region);
}

/* A batch of rows that stay in their file, in pieces of equal size that the reader can hold. */
static relume_status pieces_pack(struct pack_region *region, const relume_network *network,
                                 const struct rlm_batch *batch, relume_error *error)
{
    const relume_dataset *dataset = batch->dataset;
    size_t piece = rlm_dataset_piece(dataset), pieces = rlm_divide_up(batch->count, piece);
    piece = rlm_round_up(rlm_divide_up(batch->count, pieces), RLM_LANES);
    region->arguments.index = NULL;
    for (size_t begin = 0, count; begin < batch->count; begin += count) {
        count = rlm_size_min(piece, batch->count - begin);
        size_t follow = batch->count - begin - count;
        struct rlm_request request = {.index = batch->index ? batch->index + begin : NULL,
                                      .first = batch->first + begin,
                                      .count = count,
                                      .after = follow + batch->after,
                                      .next = rlm_size_min(piece, follow ? follow : batch->count)};
        RLM_TRY(rlm_dataset_read(dataset, &request, &region->arguments.raw, error));
        region->arguments.first = (size_t)0 - begin; /* sample b of the batch is row b − begin of these */
        region->begin = begin;
        region->end = begin + count;
        rows_pack(region, network);
    }
    return RELUME_OK;
}

const relume_scaling *rlm_batch_scaling(const relume_network *network, const relume_dataset *dataset)
{
    return network->scaling_unstated ? &dataset->scaling : &network->scaling;
}

relume_status rlm_batch_pack(struct rlm_pass *pass, const struct rlm_batch *batch, relume_error *error)
{
    const relume_network *network = pass->network;
    const relume_dataset *dataset = batch->dataset;
    const relume_scaling *scaling = rlm_batch_scaling(network, dataset);
    struct pack_region region = {
        .kernels = network->kernels,
        .arguments = {.batch = batch->count,
                      .features = dataset->features,
                      .raw = dataset->x,
                      .is_u8 = dataset->element == RELUME_U8,
                      .index = batch->index,
                      .first = batch->first,
                      .uniform = scaling->uniform != 0,
                      .offset = scaling->offset,
                      .divisor = scaling->divisor,
                      .x = pass->x,
                      .x_features = pass->x_features},
        .end = batch->count,
        .copies = pass->copies,
    };
    if (dataset->reader)
        return pieces_pack(&region, network, batch, error);
    rows_pack(&region, network);
    return RELUME_OK;
}

/* Asks for a row's lines, and for its label. */
static inline void row_fetch(const relume_dataset *dataset, size_t place, size_t bytes)
{
    const char *row = (const char *)dataset->x + place * bytes, *end = row + bytes;
    for (row -= (uintptr_t)row % CACHE_LINE; row < end; row += CACHE_LINE)
        __builtin_prefetch(row, 0, 2); /* the second level: 2 % faster than the first */
    if (dataset->labels)
        __builtin_prefetch(dataset->labels + place);
}

void rlm_batch_fetch(const struct rlm_batch *batch, size_t begin, size_t end)
{
    const relume_dataset *dataset = batch->dataset;
    size_t bytes = rlm_dataset_row_bytes(dataset);
    if (dataset->reader ||
        bytes * batch->count > FETCH_MOST) /* a reader has been told; else all are in memory */
        return;
    for (size_t i = begin; i < end; i++)
        row_fetch(dataset, batch->index ? batch->index[i] : batch->first + i, bytes);
}
