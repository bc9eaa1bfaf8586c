/* Errors and growing texts: places, cutting to size, the list of codes, failed allocations. */
#include "check.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/strbuf.h"

static void test_place_and_message(void **state)
{
    (void)state;
    relume_error error;
    memset(&error, 'x', sizeof error);
    rlm_error_clear(&error);
    rlm_error_at_byte(&error, "model.safetensors", 8);
    rlm_error_at_item(&error, "h1.weight");
    assert_int_equal(rlm_error_set(&error, RELUME_BAD_FORMAT, "%s: found %d", "here", 3), RELUME_BAD_FORMAT);
    assert_int_equal(error.status, RELUME_BAD_FORMAT);
    assert_string_equal(error.message, "here: found 3");
    assert_string_equal(error.file, "model.safetensors");
    assert_string_equal(error.item, "h1.weight");
    assert_true(error.has_byte && error.byte == 8 && error.line == 0);
    rlm_error_at_line(&error, NULL, 3, 4);
    assert_string_equal(error.file, "model.safetensors");
    assert_true(error.line == 3 && error.column == 4);
}

static void test_null_error(void **state)
{
    (void)state;
    rlm_error_clear(NULL);
    rlm_error_at_byte(NULL, "f", 1);
    rlm_error_at_line(NULL, "f", 1, 1);
    rlm_error_at_item(NULL, "i");
    assert_int_equal(rlm_error_set(NULL, RELUME_IO, "x"), RELUME_IO);
    assert_int_equal(rlm_error_system(NULL, RELUME_IO, ENOSPC, "x"), RELUME_IO);
    assert_int_equal(rlm_error_memory(NULL, 3, "x"), RELUME_NO_MEMORY);
}

static void test_system_text(void **state)
{
    (void)state;
    relume_error error = {0};
    assert_status(rlm_error_system(&error, RELUME_IO, ENOSPC, "cannot write %s", "f"), RELUME_IO);
    assert_string_equal(error.message, "cannot write f: No space left on device");
}

static void test_long_texts_are_cut(void **state)
{
    (void)state;
    char name[5000];
    relume_error error = {0};
    memset(name, 'm', sizeof name);
    memcpy(name, "begin", 5);
    memcpy(name + sizeof name - 4, "end", 4);
    rlm_error_at_file(&error, name);
    assert_int_equal(strlen(error.file), sizeof error.file - 1);
    assert_int_equal(strncmp(error.file, "begin", 5), 0);
    assert_string_equal(error.file + sizeof error.file - 4, "end");
    assert_non_null(strstr(error.file, "m...m"));
    assert_status(rlm_error_set(&error, RELUME_IO, "%s", name), RELUME_IO);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
    assert_status(rlm_error_system(&error, RELUME_IO, EIO, "%s", name), RELUME_IO);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
}

static void test_list_of_codes(void **state)
{
    (void)state;
    for (int status = 0; status < RELUME_STATUS_COUNT; status++) {
        assert_true(strlen(relume_status_name((relume_status)status)) > 1);
        assert_true(strlen(relume_status_meaning((relume_status)status)) > 3);
        assert_true(strlen(relume_status_remedy((relume_status)status)) > 3);
        int code = relume_status_exit((relume_status)status);
        assert_true((code >= 0 && code <= 6) || code == 130);
    }
    assert_string_equal(relume_status_name(RELUME_BAD_FORMAT), "BAD_FORMAT");
    assert_string_equal(relume_status_name((relume_status)-1), "UNKNOWN");
    assert_string_equal(relume_status_name(RELUME_STATUS_COUNT), "UNKNOWN");
    assert_string_equal(relume_status_remedy(RELUME_STATUS_COUNT), "");
}

static void test_text_grows(void **state)
{
    (void)state;
    struct rlm_strbuf text = {0};
    for (int i = 0; i < 1000; i++)
        rlm_strbuf_print(&text, "%d,", i);
    assert_int_equal(text.length, 3890);
    assert_int_equal(strlen(text.text), 3890);
    assert_string_equal(text.text + 3886, "999,");
    rlm_strbuf_reset(&text);
    assert_int_equal(text.length, 0);
    rlm_strbuf_append(&text, "a\0b", 3);
    assert_int_equal(text.length, 3);
    assert_memory_equal(text.text, "a\0b", 4);
    assert_false(text.failed);
    rlm_strbuf_deinit(&text);
}

static void *refusing_alloc(void *user, size_t size, size_t align)
{
    (void)user;
    (void)size;
    (void)align;
    return NULL;
}

static void test_text_without_memory(void **state)
{
    (void)state;
    relume_allocator allocator = {refusing_alloc, rlm_allocator_default.free, NULL};
    struct rlm_strbuf text = {.allocator = &allocator};
    rlm_strbuf_print(&text, "%s", "anything");
    rlm_strbuf_append(&text, "more", 4);
    assert_true(text.failed);
    assert_int_equal(text.length, 0);
    rlm_strbuf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_place_and_message),   cmocka_unit_test(test_null_error),
        cmocka_unit_test(test_system_text),         cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_list_of_codes),       cmocka_unit_test(test_text_grows),
        cmocka_unit_test(test_text_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
