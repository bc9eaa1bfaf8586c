/* Cuts a dimension into ranges for the threads: ends are multiples of 16 or the end, as the kernels ask for.
 * Work too small to be worth waking a thread stays with the caller. The result never depends on the cut. */
#ifndef RLM_NETWORK_RANGE_H
#define RLM_NETWORK_RANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/threads.h"

typedef void rlm_range_task(void *context, size_t begin, size_t end);

/* Covers 0 … count−1 with calls of `task`, in parallel when `work` (multiply-adds in all, a rough count) is
 * worth it. */
void rlm_range_run(struct rlm_pool *pool, size_t count, size_t work, rlm_range_task *task, void *context);

/* Whether rlm_range_run would do that in parallel. */
bool rlm_range_is_cut(const struct rlm_pool *pool, size_t count, size_t work);

#endif
