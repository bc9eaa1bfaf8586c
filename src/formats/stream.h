/* A source read from front to back, through gzip when it begins as gzip does.
 *
 * The stream knows the most it can deliver before it has delivered it (the file's size, or what the limits
 * let gzip expand to), so that a reader can refuse a header that promises more before it allocates. */
#ifndef RLM_FORMATS_STREAM_H
#define RLM_FORMATS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/source.h"

struct rlm_stream {
    const char *name;
    uint64_t offset;                /* bytes delivered */
    uint64_t most;                  /* bytes it can deliver in all: a bound, exact unless `compressed` */
    bool compressed;                /* offsets count expanded bytes */
    const struct rlm_source *plain; /* whose bytes these are, at the same offsets; NULL: of none */
    /* Delivers up to `size` bytes; fewer only at the end. */
    relume_status (*read)(struct rlm_stream *stream, void *to, size_t size, size_t *got, relume_error *error);
    void (*close)(struct rlm_stream *stream); /* NULL: nothing is held */
    void *context;                            /* of whoever made the stream */
};

/* The usual stream over a source: plain, or gunzip. The source must outlive it. Once open it may be read on
 * any thread, and allocates nothing. BAD_FORMAT, IO, NO_MEMORY. */
relume_status rlm_stream_open(const relume_allocator *allocator, const struct rlm_source *source,
                              struct rlm_stream *stream, relume_error *error);
void rlm_stream_close(struct rlm_stream *stream);

/* Reads exactly `size` bytes; BAD_FORMAT with the place where the data end and `what` was expected. */
relume_status rlm_stream_read(struct rlm_stream *stream, void *to, size_t size, const char *what,
                              relume_error *error);
/* Reads up to `size` bytes. */
relume_status rlm_stream_read_some(struct rlm_stream *stream, void *to, size_t size, size_t *got,
                                   relume_error *error);
/* BAD_FORMAT unless the stream ends here; checks gzip's and zip's checksums on the way. */
relume_status rlm_stream_expect_end(struct rlm_stream *stream, relume_error *error);
/* BAD_FORMAT unless `bytes` more can still come: called before they are allocated. */
relume_status rlm_stream_expect(const struct rlm_stream *stream, uint64_t bytes, const char *what,
                                relume_error *error);

/* Whether bytes begin as a gzip member. */
bool rlm_stream_is_gzip(const unsigned char *bytes, size_t size);

#endif
