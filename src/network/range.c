/* See range.h. */
#include "network/range.h"

#include "base/checked.h"
#include "kernels/kernels.h"

/* Multiply-adds a task should have at least: a few microseconds, well above what handing it over costs. */
#define TASK_WORK ((size_t)1 << 17)
/* Tasks a thread, so that one that is interrupted by another program does not hold up the rest for long. */
#define TASKS_PER_THREAD 2

struct cut {
    rlm_range_task *task;
    void *context;
    size_t count, step;
};

static void cut_run(void *context, size_t task, size_t thread)
{
    (void)thread;
    const struct cut *cut = context;
    size_t begin = task * cut->step;
    cut->task(cut->context, begin, rlm_size_min(cut->count, begin + cut->step));
}

bool rlm_range_is_cut(const struct rlm_pool *pool, size_t count, size_t work)
{
    return rlm_pool_threads(pool) > 1 && count > RLM_LANES && work >= 2 * TASK_WORK;
}

void rlm_range_run(struct rlm_pool *pool, size_t count, size_t work, rlm_range_task *task, void *context)
{
    if (!rlm_range_is_cut(pool, count, work)) {
        task(context, 0, count);
        return;
    }
    size_t threads = rlm_pool_threads(pool), blocks = rlm_divide_up(count, RLM_LANES);
    size_t tasks = rlm_size_min(blocks, work / TASK_WORK);
    tasks = rlm_size_min(tasks, threads * TASKS_PER_THREAD);
    struct cut cut = {task, context, count, rlm_divide_up(blocks, tasks) * RLM_LANES};
    rlm_pool_run(pool, cut_run, &cut, rlm_divide_up(count, cut.step));
}
