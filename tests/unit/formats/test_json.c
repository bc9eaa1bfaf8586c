/* The JSON reader: the same values as jansson's own on right and wrong texts, every cut of them and every
 * byte changed; and jansson's words for what is wrong. */
#include "check.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "formats/json.h"

static const char *const texts[] = {
    "{}",
    "[]",
    "true",
    "false",
    "null",
    "0",
    "-0",
    "12",
    "-9223372036854775808",
    "9223372036854775807",
    "9223372036854775808",
    "1.5",
    "-2.5e-3",
    "1E5",
    "1e999",
    "01",
    "1.",
    ".5",
    "-",
    "+1",
    "1e",
    "NaN",
    "0x10",
    "\"\"",
    "\"plain\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    "\"\\u00e9\\u20ac\\ud83d\\ude00\"",
    "\"\\u0000\"",
    "\"\\ud83d\"",
    "\"\\ude00\"",
    "\"\\ud83d\\u0041\"",
    "\"\\x\"",
    "\"open",
    "\"tab\tinside\"",
    "\"\xc3\xa9\"",
    "\"\xff\"",
    "\"\xc0\x80\"",
    "\"\\\"",
    "[1, 2, [3, {\"a\": null}], \"x\"]",
    "[1,]",
    "[,1]",
    "[1 2]",
    "{\"a\": 1, \"b\": [true, false], \"c\": {\"d\": 1.25}}",
    "{\"a\": 1, \"a\": 2}",
    "{\"a\"}",
    "{\"a\":}",
    "{a: 1}",
    "{\"a\": 1,}",
    "{\"\": 0}",
    "{\"k\\u00e9y\": \"v\"}",
    "{\"nul\\u0000\": 1}",
    " \t\r\n[ 1 ]\n",
    "[1] 2",
    "",
    " ",
    ("{\"__metadata__\": {\"relume\": \"1\"}, \"h1.weight\": {\"dtype\": \"F32\", \"shape\": [12, 64], "
     "\"data_offsets\": [0, 3072]}}"),
    "123456789012345678901234567890123456789012345678901234567890123456789.5",
};

static void compare(const char *text, size_t size)
{
    json_error_t trouble = {0}, expected_trouble = {0};
    char *copy = malloc(size + 1); /* exactly as long as the text: a sanitizer sees a read behind it */
    assert_non_null(copy);
    memcpy(copy, text, size);
    char *exact = size ? memcpy(malloc(size), copy, size) : copy;
    json_t *value = NULL, *expected = json_loadb(exact, size, JSON_REJECT_DUPLICATES, &expected_trouble);
    relume_status status = rlm_json_parse(exact, size, &value, &trouble);
    if ((status == RELUME_OK) != (expected != NULL))
        fail_msg("%.*s: %s, jansson: %s", (int)size, text, relume_status_name(status), expected_trouble.text);
    if (expected && !json_equal(value, expected))
        fail_msg("%.*s: another value than jansson's", (int)size, text);
    if (!expected) {
        assert_int_equal(status, RELUME_BAD_FORMAT);
        assert_string_equal(trouble.text, expected_trouble.text);
        assert_int_equal(trouble.position, expected_trouble.position);
    }
    json_decref(value);
    json_decref(expected);
    if (exact != copy)
        free(exact);
    free(copy);
}

static void test_as_jansson(void **state)
{
    (void)state;
    size_t compared = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t size = strlen(texts[i]);
        char changed[256];
        memcpy(changed, texts[i], size);
        for (size_t cut = 0; cut <= size; cut++, compared++)
            compare(texts[i], cut);
        for (size_t at = 0; at < size; at++)
            for (unsigned byte = 0; byte < 256; byte += 1, compared++) {
                changed[at] = (char)byte;
                compare(changed, size);
                changed[at] = texts[i][at];
            }
    }
    print_message("# %zu texts\n", compared);
}

static void test_depth(void **state)
{
    (void)state;
    static char deep[5001];
    for (size_t depth = 2000; depth < 2100; depth++) {
        memset(deep, '[', depth);
        memset(deep + depth, ']', depth);
        compare(deep, 2 * depth);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_jansson), cmocka_unit_test(test_depth)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
