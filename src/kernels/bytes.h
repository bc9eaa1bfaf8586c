/* Work on samples kept as bytes, for which some CPUs have instructions of their own. Neither kernel makes a
 * result by itself: one gives back the floats that pack.inc makes, bit for bit, and the other bounds sums of
 * them (network/sketch.h).
 *
 * A byte group holds 32 samples of K features:  u[⌈K/4⌉][32][4], four features of a sample side by side, 0
 * beyond the samples and K. Four such features over the samples of a group are a quad; those that are 0
 * throughout may not be there at all, and a list tells which the others are. */
#ifndef RLM_KERNELS_BYTES_H
#define RLM_KERNELS_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

#define RLM_BYTE_GROUP ((size_t)32) /* samples */
#define RLM_QUAD_BYTES (RLM_BYTE_GROUP * 4)

/* Puts a sample, raw[features], at its place in a byte group with all its quads. */
void rlm_bytes_put(uint8_t *group, size_t place, const uint8_t *raw, size_t features);

/* The quads of a byte group that are there, ascending. */
struct rlm_quads {
    const uint16_t *list; /* [count]; NULL: all, and count is not looked at */
    size_t count;
};

/* A byte group of data scaled by 255 as sample panels: x[2][features][16], each number the float nearest to
 * u / 255; of quads that are not there nothing is written. Writes up to 48 floats beyond. */
typedef void rlm_widen_kernel(const uint8_t *bytes, size_t features, struct rlm_quads quads, float *x);
/* The kernel of this CPU, where computing goes on at `level`; NULL: none. */
rlm_widen_kernel *rlm_widen_find(enum rlm_cpu_level level);

#define RLM_DOTS_ROWS 8 /* rows of one call, at most */

/* out[r][s] = Σ over k of row[r][k] · u[k] of sample s of a byte group, exact; what is not there is 0. A sum
 * must fit 32 bits: 4·quads ≤ 66,000 does. x is aligned to 64 bytes. */
struct rlm_dots {
    size_t quads, rows;               /* quads of a row */
    const uint8_t *x;                 /* the byte group */
    const int8_t *row[RLM_DOTS_ROWS]; /* [rows] of [4·quads] each */
    int32_t *out;                     /* [RLM_DOTS_ROWS][32]; rows beyond `rows` mean nothing */
    struct rlm_quads used;            /* those of x; zeroed: all */
};
typedef void rlm_dots_kernel(const struct rlm_dots *arguments);

/* The kernel of this CPU, where computing goes on at `level`; NULL: it has none that is faster than floats.
 */
rlm_dots_kernel *rlm_dots_find(enum rlm_cpu_level level);
/* The meaning; for tests. */
void rlm_dots_ref(const struct rlm_dots *arguments);

#endif
