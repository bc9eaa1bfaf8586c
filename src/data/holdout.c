/* See holdout.h. The rows are parted in place: only the test rows are copied aside. Rows that stay in their
 * file are read in another order. */
#include "data/holdout.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rng.h"
#include "formats/source.h"

/* Which rows are test rows, and how many. */
struct choice {
    const unsigned char *test; /* [samples]: 1 for a test row */
    size_t samples, count;
};

static relume_status choose(const relume_allocator *allocator, unsigned char *test, size_t samples,
                            size_t count, uint64_t seed, relume_error *error)
{
    const struct rlm_rng rng = {.seed = seed, .purpose = RLM_RNG_HOLDOUT};
    uint32_t *order = rlm_alloc(allocator, samples, sizeof *order);
    if (!order)
        return rlm_error_memory(error, samples * sizeof *order, "drawing the holdout");
    rlm_rng_shuffle(&rng, order, samples);
    for (size_t i = samples - count; i < samples; i++) /* the last of a shuffled order */
        test[order[i]] = 1;
    rlm_free(order);
    return RELUME_OK;
}

/* Training rows to the front, test rows behind them, each in the order they had. `rows` may be NULL. */
static relume_status part_rows(const relume_allocator *allocator, const struct choice *choice, void *rows,
                               size_t bytes, relume_error *error)
{
    if (!rows)
        return RELUME_OK;
    char *aside = rlm_alloc(allocator, choice->count, bytes);
    if (!aside)
        return rlm_error_memory(error, choice->count * bytes, "setting the holdout aside");
    char *from = rows, *keep = rows, *held = aside;
    for (size_t i = 0; i < choice->samples; i++, from += bytes) {
        char **to = choice->test[i] ? &held : &keep;
        if (*to != from)
            memcpy(*to, from, bytes);
        *to += bytes;
    }
    memcpy(keep, aside, choice->count * bytes);
    rlm_free(aside);
    return RELUME_OK;
}

/* The same of rows that stay in their file: the order they are read in. */
static relume_status part_reader(const relume_allocator *allocator, const struct choice *choice,
                                 struct rlm_reader *reader, relume_error *error)
{
    uint32_t *order = rlm_alloc(allocator, choice->samples, sizeof *order);
    if (!order)
        return rlm_error_memory(error, choice->samples * sizeof *order, "setting the holdout aside");
    size_t keep = 0, held = choice->samples - choice->count;
    for (size_t i = 0; i < choice->samples; i++)
        order[choice->test[i] ? held++ : keep++] = (uint32_t)i;
    rlm_reader_reorder(reader, order);
    return RELUME_OK;
}

relume_status rlm_dataset_hold_out(relume_dataset *dataset, double share, uint64_t seed, relume_error *error)
{
    const relume_allocator *allocator = &dataset->engine->allocator;
    struct choice choice = {.samples = dataset->train_samples};
    choice.count = (size_t)(share * (double)choice.samples + 0.5);
    if (choice.count == 0)
        choice.count = 1;
    if (choice.count >= choice.samples)
        return rlm_refuse_file(error, RELUME_BAD_DATA, dataset->name,
                               "a holdout of %g leaves none of %zu samples to train on", share,
                               choice.samples);
    unsigned char *test = rlm_alloc_zero(allocator, choice.samples, 1);
    if (!test)
        return rlm_error_memory(error, choice.samples, "drawing the holdout");
    choice.test = test;
    relume_status status = choose(allocator, test, choice.samples, choice.count, seed, error);
    if (status == RELUME_OK)
        status = dataset->reader
                     ? part_reader(allocator, &choice, dataset->reader, error)
                     : part_rows(allocator, &choice, dataset->x, rlm_dataset_row_bytes(dataset), error);
    if (status == RELUME_OK)
        status = part_rows(allocator, &choice, dataset->labels, sizeof *dataset->labels, error);
    if (status == RELUME_OK)
        status = part_rows(allocator, &choice, dataset->targets, dataset->outputs * sizeof *dataset->targets,
                           error);
    rlm_free(test);
    if (status == RELUME_OK) {
        dataset->train_samples -= choice.count;
        dataset->test_samples = choice.count;
    }
    return status;
}
