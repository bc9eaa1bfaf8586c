/* See reader.h. The buffer that is not current, and what is in it, belong to the thread while `busy` is set,
 * and to the caller while it is not. */
#include "data/reader.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "data/reader_rows.h"

/* Of a buffer: some 5,000 rows of 784 bytes, half a second's work of a disk that takes 100 µs a row. */
#define BUFFER_BYTES ((size_t)4 << 20)
#define PIECE_MOST ((size_t)1 << 16)
#define LANES ((size_t)16)
/* A row that takes longer than the first, the mean of a buffer, comes from a disk; one that takes less than
 * the second, when it was announced, from the system's memory. */
#define DISK_SECONDS 20e-6
#define CACHED_SECONDS 3e-6

struct buffer {
    unsigned char *rows; /* [piece] */
    uint32_t *index;     /* [piece]: which rows those are, where is_indexed */
    bool is_indexed;
    uintptr_t origin;    /* the address at which that index stood with the caller */
    size_t first, count; /* count 0: it holds nothing */
    relume_status status;
    relume_error error; /* why not */
};

struct rlm_reader {
    struct rlm_reader_rows rows;
    size_t piece;
    struct buffer buffer[2];
    size_t current; /* the buffer that was handed out */
    bool announces; /* belongs to whoever fills a buffer */

    pid_t owner; /* the process in which the thread runs */
    bool has_thread;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake, done;
    bool busy, stopping; /* under the mutex: the other buffer is to be filled; the end */
};

relume_status rlm_reader_is_wanted(uint64_t bytes, bool *wanted, relume_error *error)
{
    const char *asked = getenv("RELUME_STREAM");
    if (!asked || !*asked) {
        *wanted = bytes > rlm_memory_available() / 2;
        return RELUME_OK;
    }
    *wanted = strcmp(asked, "always") == 0;
    if (*wanted || strcmp(asked, "never") == 0)
        return RELUME_OK;
    rlm_error_clear(error);
    return rlm_error_set(error, RELUME_USAGE,
                         "RELUME_STREAM is \"%.60s\"; always, never or nothing was expected", asked);
}

/* ---- the thread ---- */

/* By whoever the buffer belongs to. Where the rows turn out to come from a disk, the next ones are announced
 * before they are read; where they come from the system's memory again, that would be a call too many for
 * each. */
static void buffer_fill(struct rlm_reader *reader, struct buffer *buffer)
{
    const uint32_t *index = buffer->is_indexed ? buffer->index : NULL;
    double begin = rlm_clock_now();
    if (reader->announces)
        rlm_reader_announce(&reader->rows, index, buffer->first, buffer->count);
    buffer->status =
        rlm_reader_fill(&reader->rows, index, buffer->first, buffer->count, buffer->rows, &buffer->error);
    double each = (rlm_clock_now() - begin) / (double)buffer->count;
    reader->announces = each > (reader->announces ? CACHED_SECONDS : DISK_SECONDS);
}

static void *reader_main(void *argument)
{
    struct rlm_reader *reader = argument;
    (void)pthread_mutex_lock(&reader->mutex);
    for (;;) {
        while (!reader->busy && !reader->stopping)
            (void)pthread_cond_wait(&reader->wake, &reader->mutex);
        if (reader->stopping)
            break;
        struct buffer *buffer = &reader->buffer[1 - reader->current];
        (void)pthread_mutex_unlock(&reader->mutex);
        buffer_fill(reader, buffer);
        (void)pthread_mutex_lock(&reader->mutex);
        reader->busy = false;
        (void)pthread_cond_signal(&reader->done);
    }
    (void)pthread_mutex_unlock(&reader->mutex);
    return NULL;
}

/* Signals stay with the program's own threads. 0 or an errno value. */
static int thread_start(struct rlm_reader *reader)
{
    sigset_t all, before;
    int failed = pthread_mutex_init(&reader->mutex, NULL);
    if (!failed)
        failed = pthread_cond_init(&reader->wake, NULL);
    if (!failed)
        failed = pthread_cond_init(&reader->done, NULL);
    if (failed)
        return failed;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&reader->thread, NULL, reader_main, reader);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    reader->has_thread = failed == 0;
    reader->owner = getpid();
    return failed;
}

static void thread_stop(struct rlm_reader *reader)
{
    if (!reader->has_thread || reader->owner != getpid())
        return;
    (void)pthread_mutex_lock(&reader->mutex);
    reader->stopping = true;
    (void)pthread_cond_signal(&reader->wake);
    (void)pthread_mutex_unlock(&reader->mutex);
    (void)pthread_join(reader->thread, NULL);
    (void)pthread_cond_destroy(&reader->done);
    (void)pthread_cond_destroy(&reader->wake);
    (void)pthread_mutex_destroy(&reader->mutex);
}

/* Until the thread has done what it was given. In a fork()ed child there is no thread, and what it was at is
 * lost.
 */
static void thread_await(struct rlm_reader *reader)
{
    if (!reader->has_thread)
        return;
    if (reader->owner != getpid()) {
        reader->has_thread = false;
        reader->buffer[1 - reader->current].count = 0;
        return;
    }
    (void)pthread_mutex_lock(&reader->mutex);
    while (reader->busy)
        (void)pthread_cond_wait(&reader->done, &reader->mutex);
    (void)pthread_mutex_unlock(&reader->mutex);
}

static void thread_begin(struct rlm_reader *reader)
{
    (void)pthread_mutex_lock(&reader->mutex);
    reader->busy = true;
    (void)pthread_cond_signal(&reader->wake);
    (void)pthread_mutex_unlock(&reader->mutex);
}

/* ---- making one ---- */

static void part_deinit(struct rlm_reader_part *part)
{
    if (!part->memory)
        rlm_source_close(&part->source);
    rlm_free(part->memory);
}

/* A part has come to this place: its array reads from the source beside it. */
static void part_settle(struct rlm_reader_part *part)
{
    part->array.stream = (struct rlm_stream){.plain = part->memory ? NULL : &part->source};
}

static relume_status part_init(const relume_engine *engine, const struct rlm_array *array,
                               struct rlm_reader_part *part, relume_error *error)
{
    struct rlm_reader_part made = {.array = *array,
                                   .offset = array->stream.offset,
                                   .rows = array->tensor.shape[0],
                                   .features = array->tensor.count / array->tensor.shape[0]};
    made.row = made.features * rlm_dtype_size(array->kept);
    RLM_TRY(rlm_source_copy(&engine->allocator, array->stream.plain, &made.source, error));
    if (fstat(made.source.descriptor, &made.about) != 0) {
        int number = errno;
        relume_status status =
            rlm_error_system(error, RELUME_IO, number, "%s: cannot look at the file", made.source.name);
        rlm_source_close(&made.source);
        return status;
    }
    *part = made;
    part_settle(part);
    return RELUME_OK;
}

static relume_status buffers_init(const relume_engine *engine, struct rlm_reader *reader, relume_error *error)
{
    size_t row = reader->rows.part[0].row;
    reader->piece = rlm_size_max(LANES, rlm_size_min(PIECE_MOST, BUFFER_BYTES / row) / LANES * LANES);
    for (size_t i = 0; i < 2; i++) {
        struct buffer *buffer = &reader->buffer[i];
        buffer->rows = rlm_alloc(&engine->allocator, reader->piece, row);
        buffer->index = rlm_alloc(&engine->allocator, reader->piece, sizeof *buffer->index);
        if (!buffer->rows || !buffer->index)
            return rlm_error_memory(error, reader->piece * row, "rows read ahead");
    }
    return RELUME_OK;
}

relume_status rlm_reader_create(const relume_engine *engine, const struct rlm_array *array,
                                struct rlm_reader **reader, relume_error *error)
{
    struct rlm_reader *made = rlm_alloc_zero(&engine->allocator, 1, sizeof *made);
    if (!made)
        return rlm_error_memory(error, sizeof *made, "a reader of rows");
    relume_status status = part_init(engine, array, &made->rows.part[0], error);
    if (status == RELUME_OK) {
        made->rows.parts = 1;
        made->rows.rows = made->rows.part[0].rows;
        status = buffers_init(engine, made, error);
    }
    int failed = status == RELUME_OK ? thread_start(made) : 0;
    if (failed)
        status =
            rlm_error_system(error, RELUME_RESOURCE, failed, "the thread that reads rows cannot be started");
    if (status == RELUME_OK)
        *reader = made;
    else
        rlm_reader_destroy(made);
    return status;
}

void rlm_reader_destroy(struct rlm_reader *reader)
{
    if (!reader)
        return;
    thread_stop(reader);
    for (size_t i = 0; i < reader->rows.parts; i++)
        part_deinit(&reader->rows.part[i]);
    for (size_t i = 0; i < 2; i++) {
        rlm_free(reader->buffer[i].rows);
        rlm_free(reader->buffer[i].index);
    }
    rlm_free(reader->rows.order);
    rlm_free(reader);
}

/* Nothing that was read ahead is where it was. */
static void forget(struct rlm_reader *reader)
{
    thread_await(reader);
    reader->buffer[0].count = reader->buffer[1].count = 0;
}

void rlm_reader_join(struct rlm_reader *reader, struct rlm_reader *other)
{
    struct rlm_reader_part *part = &reader->rows.part[1];
    forget(reader);
    forget(other);
    *part = other->rows.part[--other->rows.parts];
    part_settle(part);
    reader->rows.parts = 2;
    reader->rows.rows += part->rows;
    rlm_reader_destroy(other);
}

void rlm_reader_join_memory(struct rlm_reader *reader, void *block, size_t rows, bool before)
{
    struct rlm_reader_part *part = reader->rows.part;
    struct rlm_reader_part joined = {
        .memory = block, .rows = rows, .features = part[0].features, .row = part[0].row};
    forget(reader);
    if (before)
        part[1] = part[0];
    part[before ? 0 : 1] = joined;
    part_settle(&part[0]);
    part_settle(&part[1]);
    reader->rows.parts = 2;
    reader->rows.rows += rows;
}

void rlm_reader_reorder(struct rlm_reader *reader, uint32_t *order)
{
    forget(reader);
    rlm_free(reader->rows.order);
    reader->rows.order = order;
}

size_t rlm_reader_piece(const struct rlm_reader *reader)
{
    return reader->piece;
}

const char *rlm_reader_place(const struct rlm_reader *reader, size_t row, size_t *number)
{
    const struct rlm_reader_part *part = rlm_reader_find(&reader->rows, row, number);
    return part->memory ? NULL : part->source.name;
}

/* ---- handing out ---- */

/* Whether a buffer holds what is asked for, and from which of its rows on. An index is known again by its
 * place and by what it says, for it may have been shuffled anew at the same place. */
static bool buffer_has(const struct buffer *buffer, const struct rlm_request *request, size_t *at)
{
    uintptr_t place = (uintptr_t)request->index;
    if (buffer->is_indexed != (request->index != NULL) ||
        (request->index ? place < buffer->origin : request->first < buffer->first))
        return false;
    *at = request->index ? (place - buffer->origin) / sizeof *request->index : request->first - buffer->first;
    if (*at >= buffer->count || request->count > buffer->count - *at)
        return false;
    return !request->index ||
           memcmp(buffer->index + *at, request->index, request->count * sizeof *request->index) == 0;
}

static void buffer_set(struct buffer *buffer, const uint32_t *index, size_t first, size_t count)
{
    buffer->is_indexed = index != NULL;
    buffer->origin = (uintptr_t)index;
    buffer->first = first;
    buffer->count = count;
    if (index)
        memcpy(buffer->index, index, count * sizeof *index);
}

/* Has the thread read what comes after the current buffer, which holds the request from its row `at` on: as
 * many whole requests of the same size as there is room for, or the one of another size that was announced.
 */
static void read_ahead(struct rlm_reader *reader, const struct rlm_request *request, size_t at)
{
    struct buffer *ahead = &reader->buffer[1 - reader->current];
    size_t held = reader->buffer[reader->current].count - at, end = request->first + held;
    size_t follow =
        request->index ? request->count + request->after - rlm_size_min(held, request->count + request->after)
                       : reader->rows.rows - rlm_size_min(end, reader->rows.rows);
    size_t next = request->next ? request->next : request->count;
    size_t most = next == request->count ? reader->piece / next * next : next;
    ahead->count = 0;
    if (follow == 0 || !reader->has_thread)
        return;
    buffer_set(ahead, request->index ? request->index + held : NULL, end, rlm_size_min(most, follow));
    thread_begin(reader);
}

/* What the current buffer holds from row `at` on, or why it does not. */
static relume_status hand_out(struct rlm_reader *reader, size_t at, const void **rows, relume_error *error)
{
    struct buffer *buffer = &reader->buffer[reader->current];
    if (buffer->status == RELUME_OK) {
        *rows = buffer->rows + at * reader->rows.part[0].row;
        return RELUME_OK;
    }
    buffer->count = 0;
    if (error)
        *error = buffer->error;
    return buffer->status;
}

relume_status rlm_reader_take(struct rlm_reader *reader, const struct rlm_request *request, const void **rows,
                              relume_error *error)
{
    size_t at = 0;
    if (buffer_has(&reader->buffer[reader->current], request, &at))
        return hand_out(reader, at, rows, error);
    thread_await(reader);
    if (buffer_has(&reader->buffer[1 - reader->current], request, &at)) {
        reader->current = 1 - reader->current;
    } else {
        struct buffer *buffer = &reader->buffer[reader->current];
        at = 0;
        buffer_set(buffer, request->index, request->first, request->count);
        buffer_fill(reader, buffer);
    }
    RLM_TRY(hand_out(reader, at, rows, error));
    read_ahead(reader, request, at);
    return RELUME_OK;
}
