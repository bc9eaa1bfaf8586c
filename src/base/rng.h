/* Random numbers from a counter: Philox4x64-10 (Salmon et al. 2011), so that number i of a purpose is a
 * function of (seed, purpose, epoch or layer, i) and nothing else: no state, no order of calls, no threads.
 *
 * key = {seed, purpose}, counter = {index, group, 0, 0}. The bits are those of numpy.random.Philox with the
 * same key and a counter one lower. Uniform, normal and shuffle are this project's own and fixed by test
 * vectors. */
#ifndef RLM_BASE_RNG_H
#define RLM_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* What a number is for: part of the key, so never renumber. */
enum rlm_rng_purpose {
    RLM_RNG_WEIGHT = 1,  /* group: layer; index: element of the weight, row-major */
    RLM_RNG_BIAS = 2,    /* group: layer; index: unit */
    RLM_RNG_SHUFFLE = 3, /* group: epoch, from 0 */
    RLM_RNG_HOLDOUT = 4,
    RLM_RNG_TEST = 5 /* for tests and benches */
};

struct rlm_rng {
    uint64_t seed;
    uint64_t purpose;
    uint64_t group;
};

/* The four 64-bit words of block `index`. */
void rlm_rng_block(const struct rlm_rng *rng, uint64_t index, uint64_t words[4]);

/* Number `index`: uniform in [0, 1) on a grid of 2⁻⁵³; standard normal by Box–Muller in double (log, cos and
 * sqrt from base/fmath.h, so that a libm does not decide). */
double rlm_rng_uniform(const struct rlm_rng *rng, uint64_t index);
double rlm_rng_normal(const struct rlm_rng *rng, uint64_t index);
/* Numbers index … index + count − 1 of the normal, to the same bits, several times as fast. */
void rlm_rng_normals(const struct rlm_rng *rng, uint64_t index, size_t count, double *values);

/* A uniform whole number in [0, bound), bound > 0, without bias (Lemire's multiplication, rejecting within
 * the block and then into further blocks of the same index). */
uint64_t rlm_rng_below(const struct rlm_rng *rng, uint64_t index, uint64_t bound);

/* Fills order[count] with a random permutation of 0 … count−1 (Fisher–Yates from the end; draw i uses index
 * i). */
void rlm_rng_shuffle(const struct rlm_rng *rng, uint32_t *order, size_t count);

#endif
