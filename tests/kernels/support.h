/* What the kernel tests share: random numbers from a printed seed, buffers that end at a page no one may
 * touch, and byte comparison. A failure is printed and counted; the test goes on. */
#ifndef RLM_TESTS_KERNELS_SUPPORT_H
#define RLM_TESTS_KERNELS_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "kernels/kernels.h"

/* splitmix64 */
struct random {
    uint64_t state;
};
uint64_t random_next(struct random *r);
size_t random_below(struct random *r, size_t end);
bool random_one_in(struct random *r, size_t n);
float random_unit(struct random *r); /* −1 … 1 */

/* What numbers a buffer is filled with. */
enum fill {
    FILL_ZERO,
    FILL_PLAIN,   /* −1 … 1 */
    FILL_SPARSE,  /* half zeros, some of them −0 */
    FILL_TINY,    /* products underflow: denormals and signed zeros come up */
    FILL_WIDE,    /* exponents from −40 to 40 */
    FILL_HUGE,    /* sums overflow */
    FILL_SPECIAL, /* plain, with a NaN or an infinity here and there */
    FILL_RESTING, /* a third each plain, 0 and denormal or on the way there, of either sign */
    FILL_FAINT,   /* plain, 0, and few units of some place around the last of denormal numbers: with coarse
                     factors they come to ties, and to sums that cancel there */
    FILL_COARSE,  /* eighths from −1 to 1 */
    FILL_KINDS
};
enum fill random_fill(struct random *r); /* all but ZERO */

/* Buffers, each right in front of a page without access and behind a canary. All are given back at once,
 * which also looks after the canaries. */
void *buffer_take(size_t count, size_t size);
void buffers_release(void);
void fill_floats(struct random *r, enum fill fill, float *to, size_t count);
float *floats_take(struct random *r, enum fill fill, size_t count);

/* A buffer that a kernel changes, twice with the same first contents: for the reference and for the level
 * tested. */
struct pair {
    void *want, *got;
    size_t count, size; /* size: 1, 2, 4 (float or uint32_t) or 8 (double) */
};
struct pair pair_of(const void *contents, size_t count, size_t size); /* contents NULL: poison */
/* Equal bytes, where every NaN counts as the same. */
void pair_compare(const struct pair *pair, const char *kernel, const char *what, const char *shape);

/* a[rows, columns] as sample or feature panels, zeros outside. */
float *sample_panels(struct random *r, enum fill fill, size_t batch, size_t features);
float *feature_panels(const float *samples, size_t batch, size_t features);
size_t sample_panels_size(size_t batch, size_t features);
size_t feature_panels_size(size_t batch, size_t features);
/* The terms of sample panels, by the reference. */
const struct rlm_terms *terms_of(const float *samples, size_t batch, size_t columns);
/* A weight matrix [rows, stride] with zeros from column `columns` on. */
float *weight_matrix(struct random *r, enum fill fill, size_t rows, size_t columns, size_t stride);

/* Ascending numbers below `end`: each with a chance that is the same for all of one list, at least `least` of
 * them. Sets *count. NULL, with *count = end, for the list of all. */
uint32_t *random_list(struct random *r, size_t end, size_t least, size_t *count);

/* A dimension from 1 to most, oftenest near the widths of vectors, panels and tiles. */
size_t random_dimension(struct random *r, size_t most);
/* Calls `range(context, begin, end)` on pieces of [0, end) cut at multiples of 16, in a random order of two
 * halves. */
void in_ranges(struct random *r, size_t end, void (*range)(void *context, size_t begin, size_t end),
               void *context);

void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
size_t failures(void);

/* One a kernel: random and edge input, `rounds` times. */
typedef void kernel_check(const struct rlm_kernels *kernels, struct random *r, size_t rounds);
kernel_check check_terms, check_forward, check_backward_weights, check_backward_input, check_apply,
    check_decay, check_pick, check_row_squares;
kernel_check check_loss_softmax, check_loss_mse, check_loss_bce, check_pack, check_pack_bytes;
/* exp, log and log1p against the C library's in double; needs no level. */
void check_math(void);

/* The tables to test: those built that this CPU can run, or the emulated one. */
size_t kernels_under_test(const struct rlm_kernels *tables[RLM_CPU_LEVELS]);

/* Prints GFLOP/s of each kernel and its share of the FMA peak. */
void bench(const struct rlm_kernels *kernels);

#endif
