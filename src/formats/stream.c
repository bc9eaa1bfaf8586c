/* See stream.h. A plain stream reads straight into the caller's memory; a gzip stream inflates straight into
 * it. */
#include "formats/stream.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "formats/text.h"

#define INPUT_BYTES ((size_t)128 << 10)
/* What zlib asks for to inflate: a state of some 7 KiB at once, a window of 32 KiB when it first needs one,
 * perhaps on a thread that may not allocate. */
#define ZLIB_BYTES ((size_t)56 << 10)

struct gunzip {
    const struct rlm_source *source;
    z_stream inflate;
    uint64_t fed; /* bytes of the source given to zlib */
    bool between; /* at the start, or after a whole member */
    size_t taken; /* of zlib's memory */
    unsigned char input[INPUT_BYTES];
    _Alignas(64) unsigned char memory[ZLIB_BYTES];
};

bool rlm_stream_is_gzip(const unsigned char *bytes, size_t size)
{
    return size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

static relume_status plain_read(struct rlm_stream *stream, void *to, size_t size, size_t *got,
                                relume_error *error)
{
    const struct rlm_source *source = stream->plain;
    uint64_t left = stream->most - stream->offset;
    if (size > left)
        size = (size_t)left;
    RLM_TRY(rlm_source_read(source, stream->offset, to, size, error));
    *got = size;
    return RELUME_OK;
}

static void *zlib_alloc(void *context, unsigned count, unsigned size)
{
    struct gunzip *gunzip = context;
    size_t bytes = rlm_round_up((size_t)count * size, 64);
    if (bytes > ZLIB_BYTES - gunzip->taken)
        return NULL;
    gunzip->taken += bytes;
    return gunzip->memory + gunzip->taken - bytes;
}

static void zlib_free(void *context, void *block) /* it goes with the stream */
{
    (void)context;
    (void)block;
}

/* The place in the compressed file that zlib has come to. */
static uint64_t gunzip_place(const struct gunzip *gunzip)
{
    return gunzip->fed - gunzip->inflate.avail_in;
}

static relume_status gunzip_feed(struct gunzip *gunzip, relume_error *error)
{
    uint64_t left = gunzip->source->size - gunzip->fed;
    size_t size = left < INPUT_BYTES ? (size_t)left : INPUT_BYTES;
    RLM_TRY(rlm_source_read(gunzip->source, gunzip->fed, gunzip->input, size, error));
    gunzip->fed += size;
    gunzip->inflate.next_in = gunzip->input;
    gunzip->inflate.avail_in = (unsigned)size;
    return RELUME_OK;
}

/* After a member: another one (*more), or nothing but zero bytes, with which tapes and some tools fill up. */
static relume_status gunzip_next_member(struct gunzip *gunzip, bool *more, relume_error *error)
{
    *more = false;
    for (;;) {
        if (gunzip->inflate.avail_in == 0) {
            if (gunzip->fed == gunzip->source->size)
                return RELUME_OK;
            RLM_TRY(gunzip_feed(gunzip, error));
        }
        if (*gunzip->inflate.next_in != 0)
            break;
        gunzip->inflate.next_in++;
        gunzip->inflate.avail_in--;
    }
    if (*gunzip->inflate.next_in != 0x1f)
        return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, gunzip->source->name, gunzip_place(gunzip),
                                  "the gzip data end here, but other bytes follow");
    *more = true;
    gunzip->between = false;
    (void)inflateReset(&gunzip->inflate); /* fails only for a stream that was never begun */
    return RELUME_OK;
}

/* Inflates once into `to`; zlib's verdict as a status. */
static relume_status gunzip_step(struct gunzip *gunzip, unsigned char *to, size_t size, size_t *got,
                                 relume_error *error)
{
    const char *name = gunzip->source->name;
    unsigned room = size < UINT_MAX ? (unsigned)size : UINT_MAX;
    if (gunzip->inflate.avail_in == 0) {
        if (gunzip->fed == gunzip->source->size)
            return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, name, gunzip->fed,
                                      "the file ends within gzip data");
        RLM_TRY(gunzip_feed(gunzip, error));
    }
    gunzip->inflate.next_out = to;
    gunzip->inflate.avail_out = room;
    int verdict = inflate(&gunzip->inflate, Z_NO_FLUSH);
    *got = room - gunzip->inflate.avail_out;
    if (verdict == Z_STREAM_END)
        gunzip->between = true;
    if (verdict == Z_OK || verdict == Z_STREAM_END || verdict == Z_BUF_ERROR)
        return RELUME_OK;
    if (verdict == Z_MEM_ERROR)
        return rlm_error_memory(error, INPUT_BYTES, "inflating gzip data");
    return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, name, gunzip_place(gunzip),
                              "the gzip data are damaged (%s)",
                              gunzip->inflate.msg ? gunzip->inflate.msg : "a dictionary is asked for");
}

static relume_status expands_too_far(const struct rlm_stream *stream, relume_error *error)
{
    const struct gunzip *gunzip = stream->context;
    return rlm_refuse_at_byte(
        error, RELUME_BAD_DATA, stream->name, gunzip_place(gunzip),
        "%llu compressed bytes expand to more than %llu, the most that is read of such a file; if you trust "
        "it, expand it with gunzip first",
        (unsigned long long)gunzip->source->size, (unsigned long long)stream->most);
}

static relume_status gunzip_read(struct rlm_stream *stream, void *to, size_t size, size_t *got,
                                 relume_error *error)
{
    struct gunzip *gunzip = stream->context;
    unsigned char *at = to;
    size_t done = 0;
    while (done < size) {
        if (gunzip->between) {
            bool more;
            RLM_TRY(gunzip_next_member(gunzip, &more, error));
            if (!more)
                break;
        }
        size_t step = 0;
        RLM_TRY(gunzip_step(gunzip, at + done, size - done, &step, error));
        done += step;
        if (stream->offset + done > stream->most)
            return expands_too_far(stream, error);
    }
    *got = done;
    return RELUME_OK;
}

static void gunzip_close(struct rlm_stream *stream)
{
    struct gunzip *gunzip = stream->context;
    (void)inflateEnd(&gunzip->inflate);
    rlm_free(gunzip);
}

static relume_status gunzip_open(const relume_allocator *allocator, const struct rlm_source *source,
                                 struct rlm_stream *stream, relume_error *error)
{
    struct gunzip *gunzip = rlm_alloc(allocator, 1, sizeof *gunzip);
    if (!gunzip)
        return rlm_error_memory(error, sizeof *gunzip, "inflating gzip data");
    gunzip->source = source;
    gunzip->fed = 0;
    gunzip->between = false;
    gunzip->taken = 0;
    gunzip->inflate = (z_stream){.zalloc = zlib_alloc, .zfree = zlib_free, .opaque = gunzip};
    if (inflateInit2(&gunzip->inflate, 16 + MAX_WBITS) != Z_OK) {
        rlm_free(gunzip);
        return rlm_error_memory(error, ZLIB_BYTES, "inflating gzip data");
    }
    *stream = (struct rlm_stream){.name = source->name,
                                  .most = rlm_limits_expanded(&source->limits, source->size),
                                  .compressed = true,
                                  .read = gunzip_read,
                                  .close = gunzip_close,
                                  .context = gunzip};
    return RELUME_OK;
}

relume_status rlm_stream_open(const relume_allocator *allocator, const struct rlm_source *source,
                              struct rlm_stream *stream, relume_error *error)
{
    unsigned char magic[2] = {0};
    if (rlm_stream_is_gzip(magic, rlm_source_peek(source, 0, magic, sizeof magic)))
        return gunzip_open(allocator, source, stream, error);
    *stream =
        (struct rlm_stream){.name = source->name, .most = source->size, .plain = source, .read = plain_read};
    return RELUME_OK;
}

void rlm_stream_close(struct rlm_stream *stream)
{
    if (stream->close)
        stream->close(stream);
    *stream = (struct rlm_stream){0};
}

relume_status rlm_stream_read_some(struct rlm_stream *stream, void *to, size_t size, size_t *got,
                                   relume_error *error)
{
    RLM_TRY(stream->read(stream, to, size, got, error));
    stream->offset += *got;
    return RELUME_OK;
}

relume_status rlm_stream_read(struct rlm_stream *stream, void *to, size_t size, const char *what,
                              relume_error *error)
{
    size_t got = 0;
    RLM_TRY(rlm_stream_read_some(stream, to, size, &got, error));
    if (got < size)
        return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, stream->name, stream->offset,
                                  "the %s here, within %s (%zu of its last %zu bytes are there)",
                                  stream->compressed ? "inflated data end" : "file ends", what, got, size);
    return RELUME_OK;
}

relume_status rlm_stream_expect_end(struct rlm_stream *stream, relume_error *error)
{
    unsigned char byte;
    size_t got = 0;
    uint64_t place = stream->offset;
    RLM_TRY(rlm_stream_read_some(stream, &byte, 1, &got, error));
    if (got)
        return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, stream->name, place,
                                  "the values end here by the header, but more bytes follow");
    return RELUME_OK;
}

relume_status rlm_stream_expect(const struct rlm_stream *stream, uint64_t bytes, const char *what,
                                relume_error *error)
{
    uint64_t left = stream->most - stream->offset;
    if (bytes <= left)
        return RELUME_OK;
    if (!stream->compressed)
        return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, stream->name, stream->most,
                                  "the file ends here: the header promises %llu bytes of %s, %llu are there",
                                  (unsigned long long)bytes, what, (unsigned long long)left);
    return rlm_refuse_at_byte(error, RELUME_BAD_DATA, stream->name, stream->offset,
                              "the header promises %llu bytes of %s; at most %llu are inflated from a file "
                              "of this size; if you trust "
                              "it, expand it with gunzip first",
                              (unsigned long long)bytes, what, (unsigned long long)left);
}
