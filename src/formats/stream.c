/* See stream.h. A plain stream reads straight into the caller's memory; gunzip.c inflates straight into it.
 */
#include "formats/stream.h"

#include "base/error.h"
#include "formats/gunzip.h"

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

relume_status rlm_stream_open(const relume_allocator *allocator, const struct rlm_source *source,
                              struct rlm_stream *stream, relume_error *error)
{
    unsigned char magic[2] = {0};
    if (rlm_stream_is_gzip(magic, rlm_source_peek(source, 0, magic, sizeof magic)))
        return rlm_gunzip_open(allocator, source, RLM_INFLATER, stream, error);
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
