/* Numbers in sentences: what is said to be a safe rate must be one. */
#include "world.h"

#include <math.h>

#include "report/words.h"

static void test_rates(void **state)
{
    (void)state;
    static const struct {
        double rate;
        const char *text;
    } cases[] = {{0.1, "0.1"},
                 {(double)0.3f, "0.3"},
                 {0.70489, "0.704"},
                 {0.0999999, "0.0999"},
                 {1, "1"},
                 {9.999, "9.99"},
                 {12.3456, "12.3"},
                 {123456, "123000"},
                 {0.001, "0.001"},
                 {1.2345e-5, "0.0000123"},
                 {2.5e-12, "25e-13"},
                 {3e12, "3e12"},
                 {0, "0"},
                 {-1, "0"},
                 {(double)NAN, "0"}};
    struct rlm_words words = {.next = 0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(rlm_words_rate(&words, cases[i].rate), cases[i].text);
}

/* Never above the rate but for what a power of ten loses as a double. */
static void test_rates_are_rounded_down(void **state)
{
    (void)state;
    struct rlm_words words = {.next = 0};
    for (double rate = 1e-12; rate < 1e7; rate *= 1.0137) {
        double said = strtod(rlm_words_rate(&words, rate), NULL);
        assert_true(said <= rate * (1 + 1e-11) && said > rate * 0.99);
    }
}

static void test_others(void **state)
{
    (void)state;
    struct rlm_words words = {.next = 0};
    assert_string_equal(rlm_words_number(&words, 0), "0");
    assert_string_equal(rlm_words_number(&words, 1234567), "1,234,567");
    assert_string_equal(rlm_words_percent(&words, 0.8555), "85.6\u00a0%");
    assert_string_equal(rlm_words_loss(&words, 0.26409), "0.264");
    assert_string_equal(rlm_words_loss(&words, (double)INFINITY), "not a finite number");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_rates_are_rounded_down),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
