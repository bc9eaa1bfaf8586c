/* What gzip data are inflated with: zlib everywhere, ISA-L where the build has it, in half the time.
 *
 * Both work in memory that the caller gives at the start and need no more, for they may run on a thread that
 * must not allocate. gunzip.c feeds them and tells what they find. */
#ifndef RLM_FORMATS_INFLATE_H
#define RLM_FORMATS_INFLATE_H

#include <stdbool.h>
#include <stddef.h>

enum rlm_inflated {
    RLM_INFLATE_ON,       /* has used and given what it could, perhaps nothing: the input may be short */
    RLM_INFLATE_END,      /* a member has ended, its checksum and its length are right */
    RLM_INFLATE_DAMAGED,  /* `trouble` says how */
    RLM_INFLATE_NO_MEMORY /* more memory was asked for than is known of */
};

/* A step's input and output; it moves them on. */
struct rlm_inflate {
    unsigned char *in, *out;
    size_t in_left, out_left;
    const char *trouble; /* a few words, static */
};

/* After a step that read and wrote so many bytes. */
static inline void rlm_inflate_move(struct rlm_inflate *inflate, size_t read, size_t written)
{
    inflate->in += read;
    inflate->in_left -= read;
    inflate->out += written;
    inflate->out_left -= written;
}

struct rlm_inflater {
    size_t bytes;               /* of its state, which is aligned as malloc aligns and needs no end */
    bool (*begin)(void *state); /* before the first member; false: as NO_MEMORY */
    void (*next)(void *state);  /* before another, after END */
    enum rlm_inflated (*step)(void *state, struct rlm_inflate *inflate);
};

extern const struct rlm_inflater rlm_inflater_zlib;
#ifdef RLM_ISAL
extern const struct rlm_inflater rlm_inflater_isal;
#define RLM_INFLATER (&rlm_inflater_isal)
#else
#define RLM_INFLATER (&rlm_inflater_zlib)
#endif

#endif
