/* Streams, plain and gzipped: whatever the sizes of the reads, the same bytes come, or the same refusal; and
 * what zlib makes of gzip, the inflater in use makes of it too. The first byte of an input is the size of the
 * second reader's reads. */
#include "formats/gunzip.h"
#include "formats/stream.h"
#include "fuzz.h"

struct outcome {
    relume_status status;
    uint64_t sum, bytes;
};

/* `inflater` NULL: as relume reads it. */
static struct outcome read_all(const relume_allocator *allocator, const struct rlm_source *source,
                               const struct rlm_inflater *inflater, size_t step)
{
    static unsigned char chunk[(size_t)64 << 10];
    struct outcome outcome = {0};
    struct rlm_stream stream;
    relume_error error = {0};
    outcome.status = inflater ? rlm_gunzip_open(allocator, source, inflater, &stream, &error)
                              : rlm_stream_open(allocator, source, &stream, &error);
    for (size_t got = step; outcome.status == RELUME_OK && got == step;) {
        outcome.status = rlm_stream_read_some(&stream, chunk, step, &got, &error);
        for (size_t i = 0; outcome.status == RELUME_OK && i < got; i++)
            outcome.sum = outcome.sum * 31 + chunk[i];
        outcome.bytes = stream.offset;
        FUZZ_MUST(outcome.bytes <= stream.most);
    }
    if (outcome.status == RELUME_OK)
        FUZZ_MUST(rlm_stream_expect_end(&stream, &error) == RELUME_OK);
    else
        fuzz_check_refusal(outcome.status, &error);
    rlm_stream_close(&stream);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct fuzz_memory memory = {.most = (size_t)1 << 19};
    relume_allocator allocator = fuzz_allocator(&memory);
    struct rlm_source source = rlm_source_of_bytes(FUZZ_NAME, data + 1, size - 1);
    source.limits = (struct rlm_limits){.free_bytes = 4096, .ratio = 20, .memory = 1 << 20};
    struct outcome whole = read_all(&allocator, &source, NULL, (size_t)64 << 10);
    struct outcome pieces = read_all(&allocator, &source, NULL, 1 + (size_t)data[0]);
    /* which of two faults is met first may depend on the reads: damaged, or expands too far */
    FUZZ_MUST((whole.status == RELUME_OK) == (pieces.status == RELUME_OK));
    if (whole.status == RELUME_OK)
        FUZZ_MUST(whole.sum == pieces.sum && whole.bytes == pieces.bytes);
    if (fuzz_is_gzip(data + 1, size - 1)) {
        struct outcome zlib = read_all(&allocator, &source, &rlm_inflater_zlib, (size_t)64 << 10);
        /* another may let codes pass that zlib refuses, where the checksum is right */
        FUZZ_MUST(zlib.status != RELUME_OK ||
                  (whole.status == RELUME_OK && whole.sum == zlib.sum && whole.bytes == zlib.bytes));
    }
    FUZZ_MUST(memory.held == 0);
    return 0;
}
