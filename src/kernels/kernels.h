/* The contract of the kernels: pure computation on memory the caller has. They never allocate, fail, log,
 * read globals or touch files; the same arguments give the same bytes at every level, because every sum has
 * one order (docs/numerics.md).
 *
 * ref.c is the meaning. A table starts as ref's functions; each instruction set overwrites what it does
 * better. kernels.def lists them. Work is cut for threads by ranges [begin, end) of outputs, whose ends are
 * multiples of 16 or the end of the dimension: ranges never share a written byte. */
#ifndef RLM_KERNELS_KERNELS_H
#define RLM_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

#define RLM_LANES 16

/* In batches of up to 16 samples a layer of at most so many weights (rows × stride) has tiles of its own, for
 * calls without lists (simd/small.inc). */
#define RLM_SMALL_WEIGHTS ((size_t)1 << 15)

enum rlm_update_kind {
    RLM_UPDATE_STORE,
    RLM_UPDATE_SGD,
    RLM_UPDATE_MOMENTUM,
    RLM_UPDATE_NESTEROV,
    RLM_UPDATE_ADAM,
    RLM_UPDATE_ADAMW
};

/* What a step without a gradient did to a unit's parameters. */
enum rlm_motion {
    RLM_MOTION_NONE,  /* no bit of them changed */
    RLM_MOTION_MOVED, /* some did */
    RLM_MOTION_ENDED /* none did, and none will as long as there is no gradient, by a struct rlm_rest_bound */
};

/* For every parameter of a unit, |w| > limit and |s1| · state < |w| · D (kernels/rest.h). */
struct rlm_rest_bound {
    float limit, state;
};

/* How small a batch's gradients may be, other than 0. x86 is slow where numbers are denormal; who is told to
 * look for them can go ways around them. For speed alone: no byte depends on it. */
enum rlm_faint {
    RLM_FAINT_NONE,
    RLM_FAINT_SQUARES, /* their squares may be denormal */
    RLM_FAINT_NUMBERS  /* they may be themselves */
};

/* Columns in a group of struct rlm_terms. */
#define RLM_TERMS ((size_t)64)

/* The largest batch whose samples backward_weights takes from lists by features. */
#define RLM_TERMS_BATCH ((size_t)256)

/* The terms of a batch matrix a[B, F] that are not 0, sample by sample, in groups of 64 columns: sample b has
 * count[g · B16 + b] of them in group g. Their values and their places in the group, ascending, are at
 * [(g · B16 + b) · 64]; what follows them there means nothing. B16 is B rounded up to 16. */
struct rlm_terms {
    size_t batch, columns;
    const float *in; /* sample panels [B, F] */
    float *value;    /* [⌈F/64⌉][B16][64] */
    uint8_t *place;  /* the same */
    uint8_t *count;  /* [⌈F/64⌉][B16] */
};

#define RLM_REAL float
#define RLM_NAME(name) name
#include "kernels/args.inc"
#undef RLM_REAL
#undef RLM_NAME
#define RLM_REAL double
#define RLM_NAME(name) name##_f64
#include "kernels/args.inc"
#undef RLM_REAL
#undef RLM_NAME
#define RLM_REAL long double
#define RLM_NAME(name) name##_wide
#include "kernels/args.inc"
#undef RLM_REAL
#undef RLM_NAME

/* Gathers samples from raw features, scales them and lays them out. x = (raw − offset) / divisor, each
 * rounded once (float32; u8 is converted exactly first). */
struct rlm_pack {
    size_t batch, features;
    const void *raw; /* [·, features] row-major: uint8_t or float */
    bool is_u8;
    const uint32_t *index; /* [B]: rows of raw; NULL: rows first, first + 1, … */
    size_t first;
    bool uniform; /* offset[0] and divisor[0] serve every feature */
    const float *offset, *divisor;
    float *x;          /* sample panels [B, F]; NULL: not wanted */
    float *x_features; /* feature panels [B, F]; NULL: not wanted */
};

/* A batch matrix, or columns of it, in the other layout: out[b, i] = in[b, list[i]]. */
struct rlm_pick {
    size_t batch, columns; /* of `in` */
    const float *in;       /* sample panels [B, columns] */
    const uint32_t *list;  /* [count]; NULL: all columns, and count is how many there are */
    size_t count;
    float *out; /* feature panels [B, count] */
};

/* What is left of optimizer state after steps without a gradient: each number s of row rows[i] becomes
 * fma(keep, s, +0), times[i] times over. 0 < keep < 1. */
struct rlm_decay {
    size_t columns, stride;
    const uint32_t *rows;
    const uint64_t *times;
    float keep;
    float *state; /* [·, stride] */
};

struct rlm_kernels {
    const char *name; /* "ref", "avx2", "avx512", "neon" */
/* NOLINTNEXTLINE(bugprone-macro-parentheses): a declaration */
#define RLM_KERNEL(result, kernel, arguments) result(*kernel) arguments;
#include "kernels/kernels.def"
#undef RLM_KERNEL
};

/* The table of a level; the reference's for a level that this build does not have. `fma` is required by every
 * level above REF. */
const struct rlm_kernels *rlm_kernels_get(enum rlm_cpu_level level);

/* The levels built into this binary, best last; for tests and benches. Returns how many. */
size_t rlm_kernels_built(enum rlm_cpu_level levels[RLM_CPU_LEVELS]);

/* The reference in double: the same source compiled again, with the C library's exp and log. */
struct rlm_kernels_f64 {
    bool (*forward)(const struct rlm_forward_f64 *arguments, size_t begin, size_t end);
    void (*backward_weights)(const struct rlm_backward_weights_f64 *arguments, size_t begin, size_t end);
    void (*backward_input)(const struct rlm_backward_input_f64 *arguments, size_t begin, size_t end);
    void (*apply)(const struct rlm_apply_f64 *arguments, size_t begin, size_t end);
    void (*loss_softmax)(const struct rlm_loss_f64 *arguments);
    void (*loss_mse)(const struct rlm_loss_f64 *arguments);
    void (*loss_bce)(const struct rlm_loss_f64 *arguments);
};
extern const struct rlm_kernels_f64 rlm_kernels_ref_f64;

/* The way forward once more in long double: 64 bits of mantissa on x86-64, 113 on arm64. */
struct rlm_kernels_wide {
    bool (*forward)(const struct rlm_forward_wide *arguments, size_t begin, size_t end);
    void (*loss_softmax)(const struct rlm_loss_wide *arguments);
    void (*loss_mse)(const struct rlm_loss_wide *arguments);
    void (*loss_bce)(const struct rlm_loss_wide *arguments);
};
extern const struct rlm_kernels_wide rlm_kernels_ref_wide;

#endif
