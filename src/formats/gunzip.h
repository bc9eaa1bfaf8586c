/* A stream (stream.h) of what a gzip file expands to: any number of members one after another, then nothing
 * but zero bytes.
 *
 * Whatever inflates, a refusal is told in zlib's words: where another has refused, the file is gone through
 * once more with zlib, so that the message and the place are the same on every machine. */
#ifndef RLM_FORMATS_GUNZIP_H
#define RLM_FORMATS_GUNZIP_H

#include "formats/inflate.h"
#include "formats/stream.h"

/* Opens a source, which must outlive the stream; allocates all that reading needs. NO_MEMORY. Reading:
 * BAD_FORMAT (cut off, damaged, other bytes behind), BAD_DATA (expands too far), IO, NO_MEMORY. */
relume_status rlm_gunzip_open(const relume_allocator *allocator, const struct rlm_source *source,
                              const struct rlm_inflater *inflater, struct rlm_stream *stream,
                              relume_error *error);

#endif
