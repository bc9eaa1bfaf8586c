/* See threads.h.
 *
 * A region is published in one word, the ticket: its number in the upper bits, its tasks in the lower. Each
 * thread has a share of them, by position, and a word that says how many of the share are left and in which
 * region; a word of an earlier region means the whole share. A task is taken by a compare-and-swap on that
 * word, from the own share first, then from the others'. When it succeeds, a task of that very region was
 * still open; its caller is still inside rlm_pool_run and the function and context read before belong to it.
 * A worker that comes late finds words of this region or a later one, and touches nothing, so the caller
 * waits for tasks that were taken, never for a worker to wake up.
 *
 * Shares by position keep a thread with the same part of the network in every step, whose weights are then in
 * that core's own cache. */
#include "base/threads.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/error.h"

/* How long a thread looks at a word before it goes to sleep. Being woken takes some 40 µs; the threads of a
 * region of 500 µs end up to 200 µs apart where another program gets a core now and then. */
#define SPIN_SECONDS 500e-6
#define SPIN_LOOKS 64 /* between two looks at the clock: 1 to 4 µs */

#define TASKS_BITS 24
#define TASKS_MASK (((uint64_t)1 << TASKS_BITS) - 1)

/* What is left of a thread's share, beside the region's number; a line of its own, for others seldom look. */
struct share {
    _Alignas(64) _Atomic uint64_t left;
};

struct worker {
    struct rlm_pool *pool;
    size_t number; /* 1 … threads − 1 */
    pthread_t thread;
};

struct rlm_pool {
    size_t threads;
    size_t started; /* workers that run, of threads − 1 */
    pid_t owner;    /* the process in which they run */
    bool spins;     /* not when there are more threads than cores: it would keep another from its work */

    _Alignas(64) _Atomic uint64_t ticket;
    _Atomic(rlm_task *) function;
    _Atomic(void *) context;

    _Alignas(64) atomic_size_t unfinished; /* tasks of the region not yet done */

    _Alignas(64) atomic_size_t sleepers; /* workers asleep, or about to be */
    atomic_bool caller_sleeps;
    atomic_bool stopping;
    pthread_mutex_t mutex; /* for sleeping only */
    pthread_cond_t work, finished;
    struct share *shares; /* [threads], behind the workers */
    struct worker workers[];
};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

struct spin {
    double begin; /* 0: the clock has not been looked at */
    unsigned looks;
};

/* False once it is time to sleep. */
static bool spin_on(const struct rlm_pool *pool, struct spin *spin)
{
    if (!pool->spins)
        return false;
    relax();
    if (++spin->looks % SPIN_LOOKS != 0)
        return true;
    double now = rlm_clock_now();
    if (spin->begin == 0.0)
        spin->begin = now;
    return now - spin->begin < SPIN_SECONDS;
}

/* Takes a task from the share of `thread` in the region of `ticket`; false when none is left, or the region
 * is over. */
static bool task_take(struct rlm_pool *pool, uint64_t ticket, size_t thread, size_t *task)
{
    uint64_t region = ticket & ~TASKS_MASK, tasks = ticket & TASKS_MASK;
    uint64_t begin = tasks * thread / pool->threads, end = tasks * (thread + 1) / pool->threads;
    _Atomic uint64_t *share = &pool->shares[thread].left;
    uint64_t word = atomic_load_explicit(share, memory_order_relaxed), left;
    do {
        left = (word & ~TASKS_MASK) < region ? end - begin : word & TASKS_MASK;
        if (left == 0 || (word & ~TASKS_MASK) > region)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(share, &word, region | (left - 1), memory_order_acquire,
                                                    memory_order_relaxed));
    *task = end - left;
    return true;
}

static void task_finish(struct rlm_pool *pool)
{
    if (atomic_fetch_sub(&pool->unfinished, 1) == 1 && atomic_load(&pool->caller_sleeps)) {
        (void)pthread_mutex_lock(&pool->mutex);
        (void)pthread_cond_signal(&pool->finished);
        (void)pthread_mutex_unlock(&pool->mutex);
    }
}

/* Does what is left of the region of `ticket`: the own share, then those of the threads after this one. */
static void tasks_do(struct rlm_pool *pool, uint64_t ticket, size_t thread)
{
    rlm_task *function = atomic_load_explicit(&pool->function, memory_order_relaxed);
    void *context = atomic_load_explicit(&pool->context, memory_order_relaxed);
    size_t task;
    for (size_t i = 0; i < pool->threads; i++)
        while (task_take(pool, ticket, (thread + i) % pool->threads, &task)) {
            function(context, task, thread);
            task_finish(pool);
        }
}

/* A region that this worker has not seen, or the end. */
static bool work_is_there(struct rlm_pool *pool, uint64_t seen)
{
    return atomic_load(&pool->ticket) != seen || atomic_load(&pool->stopping);
}

static void work_await(struct rlm_pool *pool, uint64_t seen)
{
    struct spin spin = {0};
    do {
        if (work_is_there(pool, seen))
            return;
    } while (spin_on(pool, &spin));
    (void)pthread_mutex_lock(&pool->mutex);
    /* first count, then look: the caller first publishes, then counts. One of the two sees the other. */
    atomic_fetch_add(&pool->sleepers, 1);
    while (!work_is_there(pool, seen))
        (void)pthread_cond_wait(&pool->work, &pool->mutex);
    atomic_fetch_sub(&pool->sleepers, 1);
    (void)pthread_mutex_unlock(&pool->mutex);
}

static void *worker_main(void *argument)
{
    const struct worker *worker = argument;
    struct rlm_pool *pool = worker->pool;
    uint64_t seen = 0; /* no region has that number */
    while (work_await(pool, seen), !atomic_load(&pool->stopping)) {
        seen = atomic_load_explicit(&pool->ticket, memory_order_acquire);
        tasks_do(pool, seen, worker->number);
    }
    return NULL;
}

static void workers_wake(struct rlm_pool *pool)
{
    if (atomic_load(&pool->sleepers) == 0)
        return;
    (void)pthread_mutex_lock(&pool->mutex);
    (void)pthread_cond_broadcast(&pool->work);
    (void)pthread_mutex_unlock(&pool->mutex);
}

/* Starts the workers of this process; signals stay with the program's own threads. 0 or the errno value of
 * the first that could not be started; those before it run. */
static int workers_start(struct rlm_pool *pool)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = 0;
    for (pool->started = 0; pool->started < pool->threads - 1; pool->started++) {
        struct worker *worker = &pool->workers[pool->started];
        *worker = (struct worker){.pool = pool, .number = pool->started + 1};
        failed = pthread_create(&worker->thread, NULL, worker_main, worker);
        if (failed)
            break;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

static void workers_stop(struct rlm_pool *pool)
{
    atomic_store(&pool->stopping, true);
    workers_wake(pool);
    for (size_t i = 0; i < pool->started; i++)
        (void)pthread_join(pool->workers[i].thread, NULL);
    pool->started = 0;
}

/* Puts everything that sleeping and counting use into its first state: after fork() another thread may have
 * held any of it. */
static int state_init(struct rlm_pool *pool)
{
    pool->owner = getpid();
    pool->started = 0;
    atomic_store(&pool->ticket, 0);
    for (size_t i = 0; i < pool->threads; i++)
        atomic_store(&pool->shares[i].left, 0);
    atomic_store(&pool->unfinished, 0);
    atomic_store(&pool->sleepers, 0);
    atomic_store(&pool->caller_sleeps, false);
    atomic_store(&pool->stopping, false);
    int failed = pthread_mutex_init(&pool->mutex, NULL);
    if (!failed)
        failed = pthread_cond_init(&pool->work, NULL);
    if (!failed)
        failed = pthread_cond_init(&pool->finished, NULL);
    return failed;
}

static bool spins_with(size_t threads)
{
    char reason[256];
    return threads <= rlm_cpu_cores(reason, sizeof reason);
}

relume_status rlm_pool_create(const relume_allocator *allocator, size_t threads, struct rlm_pool **pool,
                              relume_error *error)
{
    rlm_error_clear(error);
    if (threads < 1 || threads > RLM_POOL_THREADS_MAX)
        return rlm_error_set(error, RELUME_USAGE, "%zu threads were asked for; 1 to %d are possible", threads,
                             RLM_POOL_THREADS_MAX);
    size_t workers = rlm_round_up(sizeof(struct rlm_pool) + (threads - 1) * sizeof(struct worker), 64);
    size_t bytes = workers + threads * sizeof(struct share);
    struct rlm_pool *made = rlm_alloc_zero(allocator, 1, bytes);
    if (!made)
        return rlm_error_memory(error, bytes, "the thread pool");
    made->threads = threads;
    made->shares = (struct share *)(void *)((char *)made + workers);
    made->spins = spins_with(threads);
    int failed = state_init(made);
    if (!failed)
        failed = workers_start(made);
    if (failed) {
        size_t started = made->started;
        rlm_pool_destroy(made);
        return rlm_error_system(error, RELUME_RESOURCE, failed, "%zu of %zu threads could be started",
                                started + 1, threads);
    }
    *pool = made;
    return RELUME_OK;
}

void rlm_pool_destroy(struct rlm_pool *pool)
{
    if (!pool)
        return;
    /* in a fork()ed child that never used it there are no workers, and the mutex may be held by a thread that
     * is not there */
    if (pool->owner == getpid()) {
        workers_stop(pool);
        (void)pthread_cond_destroy(&pool->finished);
        (void)pthread_cond_destroy(&pool->work);
        (void)pthread_mutex_destroy(&pool->mutex);
    }
    rlm_free(pool);
}

size_t rlm_pool_threads(const struct rlm_pool *pool)
{
    return pool->threads;
}

/* Waits for tasks that workers have taken and not yet finished. */
static void finish_await(struct rlm_pool *pool)
{
    struct spin spin = {0};
    do {
        if (atomic_load_explicit(&pool->unfinished, memory_order_acquire) == 0)
            return;
    } while (spin_on(pool, &spin));
    (void)pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->caller_sleeps, true); /* then look; a worker counts down first, then looks at this */
    while (atomic_load(&pool->unfinished) != 0)
        (void)pthread_cond_wait(&pool->finished, &pool->mutex);
    atomic_store(&pool->caller_sleeps, false);
    (void)pthread_mutex_unlock(&pool->mutex);
}

void rlm_pool_run(struct rlm_pool *pool, rlm_task *function, void *context, size_t tasks)
{
    if (pool->owner != getpid() && state_init(pool) == 0)
        (void)workers_start(pool);
    if (tasks < 2 || tasks > TASKS_MASK || pool->started == 0) {
        for (size_t task = 0; task < tasks; task++)
            function(context, task, 0);
        return;
    }
    atomic_store_explicit(&pool->function, function, memory_order_relaxed);
    atomic_store_explicit(&pool->context, context, memory_order_relaxed);
    atomic_store_explicit(&pool->unfinished, tasks, memory_order_relaxed);
    uint64_t region = (atomic_load_explicit(&pool->ticket, memory_order_relaxed) >> TASKS_BITS) + 1;
    uint64_t ticket = region << TASKS_BITS | tasks;
    atomic_store(&pool->ticket, ticket);
    workers_wake(pool);
    tasks_do(pool, ticket, 0);
    finish_await(pool);
}
