/* See inflate.h: by zlib. */
#define ZLIB_CONST
#include <limits.h>
#include <zlib.h>

#include "base/checked.h"
#include "formats/inflate.h"

/* What zlib asks for to inflate: a state of some 7 KiB at once, and a window of 32 KiB when it first needs
 * one. */
#define ZLIB_BYTES ((size_t)56 << 10)

struct zlib {
    z_stream inflate;
    size_t taken; /* of the memory */
    _Alignas(max_align_t) unsigned char memory[ZLIB_BYTES];
};

static void *zlib_alloc(void *context, unsigned count, unsigned size)
{
    struct zlib *zlib = context;
    size_t bytes = rlm_round_up((size_t)count * size, 64);
    if (bytes > ZLIB_BYTES - zlib->taken)
        return NULL;
    zlib->taken += bytes;
    return zlib->memory + zlib->taken - bytes;
}

static void zlib_free(void *context, void *block) /* it goes with the state */
{
    (void)context;
    (void)block;
}

static bool zlib_begin(void *state)
{
    struct zlib *zlib = state;
    zlib->taken = 0;
    zlib->inflate = (z_stream){.zalloc = zlib_alloc, .zfree = zlib_free, .opaque = zlib};
    return inflateInit2(&zlib->inflate, 16 + MAX_WBITS) == Z_OK;
}

static void zlib_next(void *state)
{
    struct zlib *zlib = state;
    (void)inflateReset(&zlib->inflate); /* fails only for a stream that was never begun */
}

static enum rlm_inflated zlib_step(void *state, struct rlm_inflate *work)
{
    z_stream *stream = &((struct zlib *)state)->inflate;
    unsigned room = (unsigned)rlm_size_min(work->out_left, UINT_MAX);
    unsigned input = (unsigned)rlm_size_min(work->in_left, UINT_MAX);
    stream->next_in = work->in;
    stream->avail_in = input;
    stream->next_out = work->out;
    stream->avail_out = room;
    int verdict = inflate(stream, Z_NO_FLUSH);
    rlm_inflate_move(work, input - stream->avail_in, room - stream->avail_out);
    work->trouble = stream->msg ? stream->msg : "a dictionary is asked for";
    if (verdict == Z_STREAM_END)
        return RLM_INFLATE_END;
    if (verdict == Z_MEM_ERROR)
        return RLM_INFLATE_NO_MEMORY;
    return verdict == Z_OK || verdict == Z_BUF_ERROR ? RLM_INFLATE_ON : RLM_INFLATE_DAMAGED;
}

const struct rlm_inflater rlm_inflater_zlib = {
    .bytes = sizeof(struct zlib), .begin = zlib_begin, .next = zlib_next, .step = zlib_step};
