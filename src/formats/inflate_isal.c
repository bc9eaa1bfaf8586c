/* See inflate.h: by ISA-L.
 *
 * Its header reader is called by itself: isal_inflate forgets a header that comes in two pieces. It does not
 * look at the header's reserved flags, which zlib refuses. On x86-64 only: the version in Debian 12 takes
 * blocks for the last one on arm64 (docs/dependencies.md). */
#include <immintrin.h>
#include <isa-l/igzip_lib.h>

#include "base/checked.h"
#include "formats/inflate.h"

#define RESERVED_FLAGS 0xe0

struct isal {
    struct inflate_state inflate;
    struct isal_gzip_header header;
    bool in_header;
};

static void isal_next(void *state)
{
    struct isal *isal = state;
    isal_inflate_reset(&isal->inflate);
    isal_gzip_header_init(&isal->header); /* names and comments are left out */
    isal->in_header = true;
}

static bool isal_begin(void *state)
{
    struct isal *isal = state;
    isal_inflate_init(&isal->inflate);
    isal->inflate.crc_flag = ISAL_GZIP_NO_HDR_VER; /* the trailer is checked */
    isal_next(state);
    return true;
}

__attribute__((target("avx"))) static void clear_upper(void)
{
    _mm256_zeroupper();
}

/* ISA-L's assembly leaves the upper halves of the vector registers in use, and then whatever the thread does
 * with the older vector instructions is slow until something clears them: the reference kernels took 30 times
 * as long. */
static void isal_leave(void)
{
    if (__builtin_cpu_supports("avx"))
        clear_upper();
}

static int isal_header(struct isal *isal)
{
    int verdict = isal_read_gzip_header(&isal->inflate, &isal->header);
    if (verdict != ISAL_DECOMP_OK)
        return verdict;
    isal->in_header = false;
    return isal->header.flags & RESERVED_FLAGS ? ISAL_INVALID_WRAPPER : verdict;
}

static enum rlm_inflated isal_step(void *state, struct rlm_inflate *work)
{
    struct isal *isal = state;
    struct inflate_state *inflate = &isal->inflate;
    uint32_t room = (uint32_t)rlm_size_min(work->out_left, INT32_MAX);
    uint32_t input = (uint32_t)rlm_size_min(work->in_left, INT32_MAX);
    inflate->next_in = work->in;
    inflate->avail_in = input;
    inflate->next_out = work->out;
    inflate->avail_out = room;
    int verdict = isal->in_header ? isal_header(isal) : isal_inflate(inflate);
    isal_leave();
    rlm_inflate_move(work, input - inflate->avail_in, room - inflate->avail_out);
    work->trouble = "ISA-L says so, zlib does not"; /* told when zlib has been asked */
    if (verdict < 0)
        return RLM_INFLATE_DAMAGED;
    return inflate->block_state == ISAL_BLOCK_FINISH ? RLM_INFLATE_END : RLM_INFLATE_ON;
}

const struct rlm_inflater rlm_inflater_isal = {
    .bytes = sizeof(struct isal), .begin = isal_begin, .next = isal_next, .step = isal_step};
