/* See gunzip.h. */
#include "formats/gunzip.h"

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"

#define INPUT_BYTES ((size_t)128 << 10)

struct gunzip {
    const struct rlm_source *source;
    const struct rlm_inflater *inflater;
    struct rlm_inflate work;
    uint64_t fed; /* bytes of the source read into `input` */
    bool between; /* at the start, or after a whole member */
    unsigned char input[INPUT_BYTES];
    _Alignas(max_align_t) unsigned char state[]; /* of whichever inflater wants most */
};

/* The place in the compressed file that inflating has come to. */
static uint64_t gunzip_place(const struct gunzip *gunzip)
{
    return gunzip->fed - gunzip->work.in_left;
}

static bool is_all_fed(const struct gunzip *gunzip)
{
    return gunzip->fed == gunzip->source->size;
}

static relume_status gunzip_begin(struct gunzip *gunzip, const struct rlm_inflater *inflater,
                                  relume_error *error)
{
    gunzip->inflater = inflater;
    gunzip->work = (struct rlm_inflate){.in = gunzip->input};
    gunzip->fed = 0;
    gunzip->between = false;
    return inflater->begin(gunzip->state) ? RELUME_OK
                                          : rlm_error_memory(error, inflater->bytes, "inflating gzip data");
}

static relume_status gunzip_feed(struct gunzip *gunzip, relume_error *error)
{
    uint64_t left = gunzip->source->size - gunzip->fed;
    size_t size = left < INPUT_BYTES ? (size_t)left : INPUT_BYTES;
    RLM_TRY(rlm_source_read(gunzip->source, gunzip->fed, gunzip->input, size, error));
    gunzip->fed += size;
    gunzip->work.in = gunzip->input;
    gunzip->work.in_left = size;
    return RELUME_OK;
}

/* After a member: another one (*more), or nothing but zero bytes, with which tapes and some tools fill up. */
static relume_status gunzip_next_member(struct gunzip *gunzip, bool *more, relume_error *error)
{
    struct rlm_inflate *work = &gunzip->work;
    *more = false;
    for (;;) {
        if (work->in_left == 0) {
            if (is_all_fed(gunzip))
                return RELUME_OK;
            RLM_TRY(gunzip_feed(gunzip, error));
        }
        if (*work->in != 0)
            break;
        work->in++;
        work->in_left--;
    }
    if (*work->in != 0x1f)
        return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, gunzip->source->name, gunzip_place(gunzip),
                                  "the gzip data end here, but other bytes follow");
    *more = true;
    gunzip->between = false;
    gunzip->inflater->next(gunzip->state);
    return RELUME_OK;
}

/* What an inflater found, as a status. One that neither takes nor gives anything has no more input where the
 * file is at its end, and would never come to an end where it is not. */
static relume_status gunzip_judge(struct gunzip *gunzip, enum rlm_inflated verdict, bool stuck,
                                  relume_error *error)
{
    const char *name = gunzip->source->name;
    if (verdict == RLM_INFLATE_NO_MEMORY)
        return rlm_error_memory(error, gunzip->inflater->bytes, "inflating gzip data");
    if (verdict == RLM_INFLATE_ON && stuck && gunzip->work.in_left == 0)
        return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, name, gunzip->fed,
                                  "the file ends within gzip data");
    if (verdict == RLM_INFLATE_DAMAGED || (verdict == RLM_INFLATE_ON && stuck))
        return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, name, gunzip_place(gunzip),
                                  "the gzip data are damaged (%s)", gunzip->work.trouble);
    gunzip->between = verdict == RLM_INFLATE_END;
    return RELUME_OK;
}

/* Inflates once into `to`. Input that is all used is no end yet: output may be kept back. */
static relume_status gunzip_step(struct gunzip *gunzip, unsigned char *to, size_t size, size_t *got,
                                 relume_error *error)
{
    struct rlm_inflate *work = &gunzip->work;
    if (work->in_left == 0 && !is_all_fed(gunzip))
        RLM_TRY(gunzip_feed(gunzip, error));
    size_t input = work->in_left;
    work->out = to;
    work->out_left = size;
    enum rlm_inflated verdict = gunzip->inflater->step(gunzip->state, work);
    *got = size - work->out_left;
    return gunzip_judge(gunzip, verdict, *got == 0 && work->in_left == input, error);
}

static relume_status expands_too_far(const struct rlm_stream *stream, relume_error *error)
{
    const struct gunzip *gunzip = stream->context;
    return rlm_refuse_file(
        error, RELUME_BAD_DATA, stream->name,
        "its %llu compressed bytes expand to more than %llu, the most that is read of such a file; if you "
        "trust it, expand it with gunzip first",
        (unsigned long long)gunzip->source->size, (unsigned long long)stream->most);
}

static relume_status gunzip_fill(struct rlm_stream *stream, unsigned char *to, size_t size, size_t *got,
                                 relume_error *error)
{
    struct gunzip *gunzip = stream->context;
    size_t done = 0;
    while (done < size) {
        if (gunzip->between) {
            bool more;
            RLM_TRY(gunzip_next_member(gunzip, &more, error));
            if (!more)
                break;
        }
        size_t step = 0;
        RLM_TRY(gunzip_step(gunzip, to + done, size - done, &step, error));
        done += step;
        if (stream->offset + done > stream->most)
            return expands_too_far(stream, error);
    }
    *got = done;
    return RELUME_OK;
}

/* Goes through the file again with zlib, up to its refusal; `error` holds that of another inflater, which
 * stands if zlib has none. */
static relume_status gunzip_again(struct rlm_stream *stream, relume_error *error)
{
    unsigned char waste[4096];
    size_t got = sizeof waste;
    stream->offset = 0;
    RLM_TRY(gunzip_begin(stream->context, &rlm_inflater_zlib, error));
    while (got == sizeof waste) {
        RLM_TRY(gunzip_fill(stream, waste, sizeof waste, &got, error));
        stream->offset += got;
    }
    return RELUME_BAD_FORMAT;
}

static relume_status gunzip_read(struct rlm_stream *stream, void *to, size_t size, size_t *got,
                                 relume_error *error)
{
    const struct gunzip *gunzip = stream->context;
    relume_status status = gunzip_fill(stream, to, size, got, error);
    if (status == RELUME_BAD_FORMAT && gunzip->inflater != &rlm_inflater_zlib)
        status = gunzip_again(stream, error);
    return status;
}

static void gunzip_close(struct rlm_stream *stream)
{
    rlm_free(stream->context);
}

relume_status rlm_gunzip_open(const relume_allocator *allocator, const struct rlm_source *source,
                              const struct rlm_inflater *inflater, struct rlm_stream *stream,
                              relume_error *error)
{
    size_t bytes = sizeof(struct gunzip) + rlm_size_max(inflater->bytes, rlm_inflater_zlib.bytes);
    struct gunzip *gunzip = rlm_alloc(allocator, 1, bytes);
    if (!gunzip)
        return rlm_error_memory(error, bytes, "inflating gzip data");
    gunzip->source = source;
    relume_status status = gunzip_begin(gunzip, inflater, error);
    if (status != RELUME_OK) {
        rlm_free(gunzip);
        return status;
    }
    *stream = (struct rlm_stream){.name = source->name,
                                  .most = rlm_limits_expanded(&source->limits, source->size),
                                  .compressed = true,
                                  .read = gunzip_read,
                                  .close = gunzip_close,
                                  .context = gunzip};
    return RELUME_OK;
}
