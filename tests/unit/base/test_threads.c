/* The thread pool: every task once, for every number of threads; after fork(); without allocation; refusals.
 */
#include "check.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/threads.h"

#define TASKS 1000

struct tally {
    atomic_int times[TASKS];
    size_t threads;
    atomic_int wrong_thread;
};

static void count_task(void *context, size_t task, size_t thread)
{
    struct tally *tally = context;
    atomic_fetch_add(&tally->times[task], 1);
    if (thread >= tally->threads)
        atomic_fetch_add(&tally->wrong_thread, 1);
}

/* Runs `tasks` tasks; 1 when each was done exactly once. */
static int each_once(struct rlm_pool *pool, size_t tasks)
{
    struct tally *tally = calloc(1, sizeof *tally);
    tally->threads = rlm_pool_threads(pool);
    rlm_pool_run(pool, count_task, tally, tasks);
    int right = tally->wrong_thread == 0;
    for (size_t i = 0; i < TASKS; i++)
        right &= tally->times[i] == (i < tasks);
    free(tally);
    return right;
}

static struct rlm_pool *pool_of(size_t threads)
{
    struct rlm_pool *pool = NULL;
    relume_error error;
    assert_ok(rlm_pool_create(NULL, threads, &pool, &error), error);
    return pool;
}

static void test_each_task_once(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 3, 7, 16, 999, TASKS};
    for (size_t threads = 1; threads <= 9; threads++) {
        struct rlm_pool *pool = pool_of(threads);
        assert_int_equal(rlm_pool_threads(pool), threads);
        for (int round = 0; round < 20; round++)
            for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
                assert_true(each_once(pool, counts[i]));
        rlm_pool_destroy(pool);
    }
}

/* Plain memory: that a task sees what the caller wrote before, and the caller what tasks wrote, is for the
 * thread sanitizer. */
static void add_one(void *context, size_t task, size_t thread)
{
    (void)thread;
    ((long *)context)[task]++;
}

static void test_many_short_regions(void **state)
{
    (void)state;
    struct rlm_pool *pool = pool_of(4);
    long cells[5] = {0};
    for (int i = 0; i < 20000; i++) {
        cells[i % 5]++; /* between the regions the memory is the caller's */
        rlm_pool_run(pool, add_one, cells, 5);
    }
    for (int i = 0; i < 5; i++)
        assert_int_equal(cells[i], 24000);
    rlm_pool_destroy(pool);
}

/* Workers that have gone to sleep are woken. */
static void test_after_a_pause(void **state)
{
    (void)state;
    struct rlm_pool *pool = pool_of(3);
    struct timespec pause = {0, 20000000};
    for (int i = 0; i < 5; i++) {
        (void)nanosleep(&pause, NULL);
        assert_true(each_once(pool, 64));
    }
    rlm_pool_destroy(pool);
}

struct slow {
    atomic_size_t threads[2]; /* the thread that did each task */
    atomic_int arrived;
};

/* Each of the two waits for the other, so they can only be done by two threads. */
static void meet(void *context, size_t task, size_t thread)
{
    struct slow *slow = context;
    slow->threads[task] = thread;
    atomic_fetch_add(&slow->arrived, 1);
    while (atomic_load(&slow->arrived) < 2)
        (void)sched_yield();
}

static void test_tasks_run_side_by_side(void **state)
{
    (void)state;
    struct rlm_pool *pool = pool_of(2);
    struct slow slow = {0};
    rlm_pool_run(pool, meet, &slow, 2);
    assert_int_equal(slow.threads[0] + slow.threads[1], 1);
    rlm_pool_destroy(pool);
}

/* Forks; the child calls `act` and ends with 0 when that gave 1. */
static void assert_in_child(int (*act)(struct rlm_pool *), struct rlm_pool *pool)
{
    (void)fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)alarm(30); /* a pool that waits for threads that are not there must not hang the tests */
        _exit(act(pool) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static int child_runs(struct rlm_pool *pool)
{
    int right = 1;
    for (int i = 0; i < 200; i++)
        right &= each_once(pool, 100);
    rlm_pool_destroy(pool);
    return right;
}

static int child_has_two_threads(struct rlm_pool *pool)
{
    struct slow slow = {0};
    rlm_pool_run(pool, meet, &slow, 2);
    rlm_pool_destroy(pool);
    return slow.threads[0] + slow.threads[1] == 1;
}

static int child_destroys(struct rlm_pool *pool)
{
    rlm_pool_destroy(pool);
    return 1;
}

static int child_forks_again(struct rlm_pool *pool)
{
    if (!each_once(pool, 100))
        return 0;
    pid_t child = fork();
    if (child == 0)
        _exit(child_runs(pool) ? 0 : 1);
    int status;
    return waitpid(child, &status, 0) == child && status == 0 && child_runs(pool);
}

/* The sanitizers' own runtimes keep locks over fork() when several threads run, so that the child hangs in
 * them. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FORK_IS_UNSAFE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FORK_IS_UNSAFE 1
#endif
#endif

static void test_fork(void **state)
{
    (void)state;
#ifdef FORK_IS_UNSAFE
    skip_because("this sanitizer does not survive fork() of several threads");
#endif
    struct rlm_pool *pool = pool_of(4);
    for (int i = 0; i < 10; i++) {
        assert_true(each_once(pool, 100)); /* so that workers are awake or going to sleep at the fork */
        assert_in_child(child_runs, pool);
        assert_in_child(child_destroys, pool);
        assert_in_child(child_forks_again, pool);
        assert_true(each_once(pool, 100));
    }
    rlm_pool_destroy(pool);
    pool = pool_of(2);
    assert_in_child(child_has_two_threads, pool);
    rlm_pool_destroy(pool);
}

static size_t allocations;

static void *counting_alloc(void *user, size_t size, size_t align)
{
    allocations++;
    return rlm_allocator_default.alloc(user, size, align);
}

static void counting_free(void *user, void *memory, size_t size)
{
    rlm_allocator_default.free(user, memory, size);
}

static void *refusing_alloc(void *user, size_t size, size_t align)
{
    (void)user;
    (void)size;
    (void)align;
    return NULL;
}

static void test_allocates_in_create_only(void **state)
{
    (void)state;
    relume_allocator allocator = {counting_alloc, counting_free, NULL};
    struct rlm_pool *pool = NULL;
    relume_error error;
    long cells[8] = {0};
    assert_ok(rlm_pool_create(&allocator, 3, &pool, &error), error);
    assert_int_equal(allocations, 1);
    for (int i = 0; i < 100; i++)
        rlm_pool_run(pool, add_one, cells, 8);
    assert_int_equal(allocations, 1);
    rlm_pool_destroy(pool);
}

static void test_refusals(void **state)
{
    (void)state;
    struct rlm_pool *pool = NULL;
    relume_error error;
    assert_status(rlm_pool_create(NULL, 0, &pool, &error), RELUME_USAGE);
    assert_status(rlm_pool_create(NULL, RLM_POOL_THREADS_MAX + 1, &pool, &error), RELUME_USAGE);
    assert_string_equal(error.message, "1025 threads were asked for; 1 to 1024 are possible");
    relume_allocator allocator = {refusing_alloc, counting_free, NULL};
    assert_status(rlm_pool_create(&allocator, 2, &pool, &error), RELUME_NO_MEMORY);
    assert_null(pool);
    rlm_pool_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_task_once), cmocka_unit_test(test_many_short_regions),
        cmocka_unit_test(test_after_a_pause),  cmocka_unit_test(test_tasks_run_side_by_side),
        cmocka_unit_test(test_fork),           cmocka_unit_test(test_allocates_in_create_only),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
