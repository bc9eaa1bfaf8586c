/* Work on samples kept as bytes, for which some CPUs have instructions of their own. Neither kernel makes a
 * result by itself: one gives back the floats that pack.inc makes, bit for bit, and the other bounds sums of
 * them (network/sketch.h).
 *
 * Byte panels of K features:  u[⌈B/16⌉][⌈K/4⌉][16][4], four features of a sample side by side, 0 beyond B and
 * K. Four such features over the samples of a panel are a quad; of two panels, those that are 0 throughout
 * can be left out by a list of the others. */
#ifndef RLM_KERNELS_BYTES_H
#define RLM_KERNELS_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

/* Puts a sample, raw[features], at its place in byte panels, counted from the first lane of the first. */
void rlm_bytes_put(uint8_t *panels, size_t place, const uint8_t *raw, size_t features);

/* Quads of two panels, ascending. */
struct rlm_quads {
    const uint16_t *list; /* [count]; NULL: all that there are, and count is not looked at */
    size_t count;
};

/* Two byte panels of data scaled by 255 as sample panels: x[2][features][16], each number the float nearest
 * to u / 255; what lies in no quad of the list means nothing. Writes up to 48 floats beyond. */
typedef void rlm_widen_kernel(const uint8_t *bytes, size_t features, struct rlm_quads quads, float *x);
/* The kernel of this CPU, where computing goes on at `level`; NULL: none. */
rlm_widen_kernel *rlm_widen_find(enum rlm_cpu_level level);

#define RLM_DOTS_ROWS 8 /* rows of one call, at most */

/* out[r][p][lane] = Σ over k of row[r][k] · x[p][k / 4][lane][k % 4], exact, for two byte panels; k / 4 is of
 * the list. A sum must fit 32 bits: 4·quads ≤ 66,000 does. x is aligned to 64 bytes. */
struct rlm_dots {
    size_t quads, rows;
    const uint8_t *x;                 /* [2][quads][16][4] */
    const int8_t *row[RLM_DOTS_ROWS]; /* [rows] of [4·quads] each */
    int32_t *out;                     /* [RLM_DOTS_ROWS][2][16]; rows beyond `rows` mean nothing */
    struct rlm_quads used;            /* those that count; zeroed: all */
};
typedef void rlm_dots_kernel(const struct rlm_dots *arguments);

/* The kernel of this CPU, where computing goes on at `level`; NULL: it has none that is faster than floats.
 */
rlm_dots_kernel *rlm_dots_find(enum rlm_cpu_level level);
/* The meaning; for tests. */
void rlm_dots_ref(const struct rlm_dots *arguments);

#endif
