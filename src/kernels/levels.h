/* The tables that dispatch.c chooses from, one a file. */
#ifndef RLM_KERNELS_LEVELS_H
#define RLM_KERNELS_LEVELS_H

#include "kernels/kernels.h"

extern const struct rlm_kernels rlm_kernels_ref;

#if defined(__x86_64__)
extern const struct rlm_kernels rlm_kernels_avx2;
extern const struct rlm_kernels rlm_kernels_avx512;
#elif defined(__aarch64__)
extern const struct rlm_kernels rlm_kernels_neon;
#endif

#endif
