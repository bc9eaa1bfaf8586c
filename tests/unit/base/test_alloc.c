/* alloc and arena: alignment, zeroing, overflow, a failing allocator. */
#include "check.h"

#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "memory.h"

static void test_block_is_aligned_and_zeroed(void **state)
{
    (void)state;
    for (size_t size = 0; size < 300; size += 7) {
        unsigned char *block = rlm_alloc_zero(NULL, size, 1);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 64, 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(block[i], 0);
        rlm_free(block);
    }
}

static void test_overflow_is_refused(void **state)
{
    (void)state;
    assert_null(rlm_alloc(NULL, SIZE_MAX, 2));
    assert_null(rlm_alloc(NULL, SIZE_MAX, 1));
    assert_null(rlm_alloc(NULL, SIZE_MAX / 2 + 1, 2));
}

static void test_realloc_keeps_contents(void **state)
{
    (void)state;
    char *block = rlm_strdup(NULL, "light");
    block = rlm_realloc(NULL, block, 1000, 1);
    assert_string_equal(block, "light");
    rlm_free(block);
}

static void test_injected_allocator_is_used_and_given_back(void **state)
{
    (void)state;
    struct world_memory memory = {.refuse_from = 2};
    relume_allocator allocator = world_allocator(&memory);
    void *first = rlm_alloc(&allocator, 10, 10);
    assert_non_null(first);
    assert_null(rlm_alloc(&allocator, 1, 1));
    rlm_free(first);
    assert_int_equal(memory.held, 0);
}

struct pieces {
    float *a;
    double *b;
};

static void layout(struct rlm_arena *arena, struct pieces *pieces)
{
    pieces->a = rlm_arena_take(arena, 33, sizeof *pieces->a);
    pieces->b = rlm_arena_take(arena, 1, sizeof *pieces->b);
}

static void test_arena_measures_then_hands_out(void **state)
{
    (void)state;
    struct rlm_arena arena = {0};
    struct pieces pieces;
    layout(&arena, &pieces);
    assert_null(pieces.a);
    assert_int_equal(arena.used, 192 + 64);
    assert_true(rlm_arena_init(&arena, NULL));
    layout(&arena, &pieces);
    assert_int_equal((uintptr_t)pieces.a % 64, 0);
    assert_int_equal((char *)pieces.b - (char *)pieces.a, 192);
    assert_null(rlm_arena_take(&arena, 1, 1));
    assert_true(arena.overflow);
    rlm_arena_deinit(&arena);
}

static void test_arena_overflow(void **state)
{
    (void)state;
    struct rlm_arena arena = {0};
    (void)rlm_arena_take(&arena, SIZE_MAX / 2, 3);
    assert_true(arena.overflow);
    assert_false(rlm_arena_init(&arena, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block_is_aligned_and_zeroed),
        cmocka_unit_test(test_overflow_is_refused),
        cmocka_unit_test(test_realloc_keeps_contents),
        cmocka_unit_test(test_injected_allocator_is_used_and_given_back),
        cmocka_unit_test(test_arena_measures_then_hands_out),
        cmocka_unit_test(test_arena_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
