/* What is written to terminals: widths, wrapping, strangers' bytes, tables, sparklines. */
#include "check.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "term.h"

static char *written;
static size_t written_size;
static struct cli_term term;

/* A term that writes into `written`. */
static void begin(bool unicode)
{
    memset(&term, 0, sizeof term);
    term.stream = open_memstream(&written, &written_size);
    term.unicode = unicode;
    term.width = 80;
    assert_non_null(term.stream);
}

static void assert_written(const char *expected)
{
    fclose(term.stream);
    assert_string_equal(written, expected);
    free(written);
}

static void widths_are_those_of_a_terminal(void **state)
{
    (void)state;
    begin(true);
    assert_int_equal(cli_text_width(&term, "abc"), 3);
    assert_int_equal(cli_text_width(&term, "Größe"), 5);
    assert_int_equal(cli_text_width(&term, "日本"), 4);
    assert_int_equal(cli_text_width(&term, "e\xcc\x81"), 1); /* a combining accent */
    assert_int_equal(cli_text_width(&term, "\xff\xfe"), 2);  /* each shown as '?' */
    assert_written("");
}

static void control_characters_never_reach_the_terminal(void **state)
{
    (void)state;
    begin(true);
    cli_put_text(&term, "a\033[31mb\rc\x9b\x07 \xc2\x9b");
    assert_written("a?[31mb?c?? ?");
}

static void without_utf8_only_ascii_is_written(void **state)
{
    (void)state;
    begin(false);
    cli_put_text(&term, "x\xc3\xb6y");
    assert_written("x??y");
}

static void words_wrap_under_themselves(void **state)
{
    (void)state;
    begin(true);
    cli_put_wrapped(&term, "one two three four", 2, 2, 10);
    cli_put_wrapped(&term, "a-word-longer-than-the-line b", 0, 1, 10);
    cli_put_wrapped(&term, "first\nsecond", 0, 0, 40);
    assert_written("one two\n  three\n  four\na-word-longer-than-the-line\n b\nfirst\nsecond\n");
}

static void tables_align_by_display_width(void **state)
{
    struct cli_columns table;
    (void)state;
    begin(true);
    assert_true(cli_columns_init(&table, "name|>n|end"));
    assert_true(cli_columns_row(&table));
    cli_columns_set(&table, 0, CLI_PLAIN, "日本");
    cli_columns_set(&table, 1, CLI_RED, "%d", 7);
    assert_true(cli_columns_row(&table));
    cli_columns_set(&table, 0, CLI_PLAIN, "x");
    cli_columns_set(&table, 1, CLI_PLAIN, "%d", 1234);
    cli_columns_set(&table, 2, CLI_PLAIN, "z");
    cli_columns_print(&table, &term);
    cli_columns_deinit(&table);
    assert_written("name     n  end\n日本     7\nx     1234  z\n");
}

static void colour_is_only_written_where_it_is_wanted(void **state)
{
    (void)state;
    begin(true);
    cli_style(&term, CLI_RED);
    term.colour = true;
    cli_style(&term, CLI_RED);
    cli_style(&term, CLI_PLAIN);
    assert_written("\033[31m\033[0m");
}

static void sparklines_show_none_lowest_and_all_highest(void **state)
{
    const double value[] = {0, 0.001, 0.5, 1, NAN};
    char text[64];
    (void)state;
    begin(true);
    cli_sparkline(&term, value, 5, 1, 20, text);
    assert_string_equal(text, "▁▂▅█?");
    cli_sparkline(&term, value, 4, 0, 20, text);
    assert_string_equal(text, "▁▁▁▁");
    cli_sparkline(&term, value, 4, 1, 2, text); /* thinned: the first and the last stay */
    assert_string_equal(text, "▁█");
    cli_sparkline(&term, value, 4, 1, 1, text);
    assert_string_equal(text, "█");
    cli_sparkline(&term, value, 0, 1, 20, text);
    assert_string_equal(text, "");
    term.unicode = false;
    cli_sparkline(&term, value, 5, 1, 20, text);
    assert_string_equal(text, "0059?");
    assert_written("");
}

static void thousands_are_grouped(void **state)
{
    char text[32];
    (void)state;
    assert_string_equal(cli_grouped(0, text), "0");
    assert_string_equal(cli_grouped(999, text), "999");
    assert_string_equal(cli_grouped(1000, text), "1,000");
    assert_string_equal(cli_grouped(18446744073709551615ULL, text), "18,446,744,073,709,551,615");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widths_are_those_of_a_terminal),
        cmocka_unit_test(control_characters_never_reach_the_terminal),
        cmocka_unit_test(without_utf8_only_ascii_is_written),
        cmocka_unit_test(words_wrap_under_themselves),
        cmocka_unit_test(tables_align_by_display_width),
        cmocka_unit_test(colour_is_only_written_where_it_is_wanted),
        cmocka_unit_test(sparklines_show_none_lowest_and_all_highest),
        cmocka_unit_test(thousands_are_grouped),
    };
    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
