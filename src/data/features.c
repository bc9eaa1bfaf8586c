/* See features.h. Arrays that stand in their files as they are kept are read in pieces by all threads, each
 * into pages that were asked for together. Compressed ones take one thread each; another, if it has nothing
 * better to do, asks the system for the block's pages ahead of them, for clearing those is a fifth of what
 * inflating costs. */
#define _DEFAULT_SOURCE /* madvise */
#include "data/features.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "data/reader.h"

#define PIECE ((size_t)2 << 20)

/* An array on its way into the block. */
struct filling {
    struct rlm_array *array;
    char *to;
    size_t tasks; /* pieces, or 1 */
    bool direct;
    atomic_bool failed, done;
    relume_status status; /* of an array that is no pieces, once it is done */
    relume_error error;
};

struct block {
    struct filling part[2];
    size_t parts;
};

/* Makes pages be there before they are written to, which is cheaper at once than one at a time; contents
 * stay. False where the system cannot: then they come when they are touched. */
static bool populate(char *from, size_t size)
{
#ifdef MADV_POPULATE_WRITE
    long page = sysconf(_SC_PAGESIZE);
    if (page <= 0)
        return false;
    size_t mask = (size_t)page - 1, ahead = -(uintptr_t)from & mask;
    return size > ahead + mask && madvise(from + ahead, (size - ahead) & ~mask, MADV_POPULATE_WRITE) == 0;
#else
    (void)from;
    (void)size;
    return false;
#endif
}

static void fill_whole(struct filling *filling)
{
    filling->status = rlm_array_fill(filling->array, filling->to, &filling->error);
    atomic_store(&filling->done, true);
}

static void fill_piece(struct filling *filling, size_t piece)
{
    size_t begin = piece * PIECE, size = rlm_size_min(PIECE, filling->array->bytes - begin);
    (void)populate(filling->to + begin, size);
    if (rlm_array_fill_part(filling->array, begin, filling->to + begin, size, NULL) != RELUME_OK)
        atomic_store(&filling->failed, true);
}

/* The pages of an array that is being inflated. */
static void fetch_pages(struct filling *filling)
{
    size_t at = 0, size = PIECE;
    for (; at < filling->array->bytes && !atomic_load(&filling->done); at += size) {
        size = rlm_size_min(PIECE, filling->array->bytes - at);
        if (!populate(filling->to + at, size))
            return;
    }
}

/* Tasks are the pieces of each part, and, beyond those, the pages of each part. */
static void block_task(void *context, size_t task, size_t thread)
{
    (void)thread;
    struct block *block = context;
    for (size_t i = 0; i < block->parts; i++) {
        struct filling *filling = &block->part[i];
        if (task < filling->tasks) {
            if (filling->direct)
                fill_piece(filling, task);
            else
                fill_whole(filling);
            return;
        }
        task -= filling->tasks;
    }
    if (task < block->parts && !block->part[task].direct)
        fetch_pages(&block->part[task]);
}

static bool block_plan(struct block *block, struct rlm_array *const *arrays, size_t count, size_t *bytes)
{
    *bytes = 0;
    block->parts = count;
    for (size_t i = 0; i < count; i++) {
        struct filling *filling = &block->part[i];
        filling->array = arrays[i];
        filling->direct = rlm_array_is_direct(arrays[i]);
        filling->tasks = filling->direct ? rlm_divide_up(arrays[i]->bytes, PIECE) : 1;
        atomic_init(&filling->failed, false);
        atomic_init(&filling->done, false);
        if (!rlm_size_add(*bytes, arrays[i]->bytes, bytes))
            return false;
    }
    return true;
}

static void block_fill(struct block *block, struct rlm_pool *pool)
{
    size_t tasks = 0, pages = 0;
    bool here = rlm_pool_threads(pool) == 1;
    for (size_t i = 0; i < block->parts; i++) {
        here = here || block->part[i].array->is_member;
        tasks += block->part[i].tasks;
        pages += !block->part[i].direct;
    }
    if (!here)
        rlm_pool_run(pool, block_task, block, pages ? tasks + block->parts : tasks);
    for (size_t task = 0; here && task < tasks; task++)
        block_task(block, task, 0);
}

/* What became of a part. One of pieces that failed is read once more from its beginning, so that what is told
 * does not depend on which piece came first. */
static relume_status filling_end(struct filling *filling, relume_error *error)
{
    if (filling->direct)
        return atomic_load(&filling->failed) ? rlm_array_fill(filling->array, filling->to, error)
                                             : rlm_array_expect_end(filling->array, error);
    if (filling->status != RELUME_OK && error)
        *error = filling->error;
    return filling->status;
}

static relume_status block_read(relume_engine *engine, struct rlm_array *const *arrays, size_t count,
                                char **read, relume_error *error)
{
    struct block block = {.parts = 0};
    size_t bytes;
    bool fits = block_plan(&block, arrays, count, &bytes);
    char *memory = fits ? rlm_alloc(&engine->allocator, bytes, 1) : NULL;
    if (!memory)
        return rlm_error_memory(error, bytes, arrays[0]->stream.name);
    char *to = memory;
    for (size_t i = 0; i < count; to += arrays[i++]->bytes)
        block.part[i].to = to;
    block_fill(&block, engine->pool);
    relume_status status = RELUME_OK;
    for (size_t i = 0; status == RELUME_OK && i < count; i++)
        status = filling_end(&block.part[i], error);
    if (status == RELUME_OK)
        *read = memory;
    else
        rlm_free(memory);
    return status;
}

static relume_status take(struct rlm_part *part, const struct rlm_array *array, void *values,
                          relume_error *error)
{
    struct rlm_tensor tensor = array->tensor;
    tensor.dtype = array->kept;
    tensor.data = values;
    return rlm_part_take_features(part, &tensor, error);
}

/* Reads one array into a block of its own. */
static relume_status read_alone(relume_engine *engine, struct rlm_array *array, struct rlm_part *part,
                                relume_error *error)
{
    char *values = NULL;
    RLM_TRY(block_read(engine, &array, 1, &values, error));
    relume_status status = take(part, array, values, error);
    if (status != RELUME_OK)
        rlm_free(values);
    return status;
}

/* Rows of one size and kind. Whether they mean the same is checked when the dataset is assembled. */
static bool are_alike(const struct rlm_array *a, const struct rlm_array *b)
{
    size_t rows_a = a->tensor.rank ? a->tensor.shape[0] : 0, rows_b = b->tensor.rank ? b->tensor.shape[0] : 0;
    return rows_a && rows_b && a->kept == b->kept && a->tensor.count / rows_a == b->tensor.count / rows_b;
}

/* ---- in their file ---- */

static relume_status leave_one(relume_engine *engine, const struct rlm_array *array, struct rlm_part *part,
                               relume_error *error)
{
    RLM_TRY(rlm_part_take_shape(part, &array->tensor, error));
    part->element = array->kept == RLM_F32 ? RELUME_F32 : RELUME_U8;
    part->divisor = array->kept == RLM_U8 ? 255.0f : 1.0f;
    return rlm_reader_create(engine, array, &part->reader, error);
}

/* Nothing may follow the values, as where they are read at once. */
static relume_status leave(relume_engine *engine, struct rlm_array *train, struct rlm_array *test,
                           struct rlm_parts *parts, relume_error *error)
{
    RLM_TRY(leave_one(engine, train, &parts->train, error));
    RLM_TRY(rlm_array_expect_end(train, error));
    if (!test)
        return RELUME_OK;
    RLM_TRY(leave_one(engine, test, &parts->test, error));
    return rlm_array_expect_end(test, error);
}

/* Whether the features stay in their files: all of them, for a reader has rows of one kind. */
static relume_status should_leave(const struct rlm_array *train, const struct rlm_array *test, bool *leaves,
                                  relume_error *error)
{
    uint64_t bytes = (uint64_t)train->bytes + (test ? test->bytes : 0);
    RLM_TRY(rlm_reader_is_wanted(bytes, leaves, error));
    *leaves = *leaves && rlm_array_is_seekable(train) && (!test || rlm_array_is_seekable(test));
    return RELUME_OK;
}

relume_status rlm_features_read(relume_engine *engine, struct rlm_array *train, struct rlm_array *test,
                                struct rlm_parts *parts, relume_error *error)
{
    struct rlm_array *both[] = {train, test};
    char *values = NULL;
    bool leaves;
    RLM_TRY(should_leave(train, test, &leaves, error));
    if (leaves)
        return leave(engine, train, test, parts, error);
    if (!test || !are_alike(train, test)) {
        RLM_TRY(read_alone(engine, train, &parts->train, error));
        return test ? read_alone(engine, test, &parts->test, error) : RELUME_OK;
    }
    RLM_TRY(block_read(engine, both, 2, &values, error));
    relume_status status = take(&parts->train, train, values, error);
    if (status != RELUME_OK) {
        rlm_free(values);
        return status;
    }
    RLM_TRY(take(&parts->test, test, values + train->bytes, error));
    parts->test.x = NULL; /* part of the training part's block */
    parts->joined = true;
    return RELUME_OK;
}
