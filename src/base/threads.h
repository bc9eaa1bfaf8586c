/* A pool of POSIX threads for fork–join work: the caller works too, tasks are taken from one counter.
 *
 * The result of a parallel region must not depend on which thread does which task: tasks write disjoint
 * outputs. Workers spin briefly and then sleep. A fork()ed child has no workers: the pool notices by the
 * process id and starts them again on first use. */
#ifndef RLM_BASE_THREADS_H
#define RLM_BASE_THREADS_H

#include <stddef.h>

#include "relume/engine.h"

struct rlm_pool;

/* `thread` is the number of the thread that does the task, 0 (the caller) to threads − 1: an index for
 * scratch memory. */
typedef void rlm_task(void *context, size_t task, size_t thread);

#define RLM_POOL_THREADS_MAX 1024

/* A pool in which `threads` threads work, the caller among them; 1 starts none. USAGE for 0 or more than
 * RLM_POOL_THREADS_MAX, RESOURCE, NO_MEMORY. */
relume_status rlm_pool_create(const relume_allocator *allocator, size_t threads, struct rlm_pool **pool,
                              relume_error *error);
void rlm_pool_destroy(struct rlm_pool *pool);
size_t rlm_pool_threads(const struct rlm_pool *pool);

/* Does tasks 0 … tasks−1 and returns when all are done. One region at a time; not from inside a task.
 * Allocates nothing. Should workers not start again after a fork, the caller does all the work alone. */
void rlm_pool_run(struct rlm_pool *pool, rlm_task *function, void *context, size_t tasks);

#endif
