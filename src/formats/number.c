/* See number.h. Short numbers, which is nearly all of them, are exact in one multiplication or division by a
 * power of ten that is itself exact (W. D. Clinger, How to read floating point numbers accurately, 1990); the
 * others go to strtod in the C locale. */
#define _GNU_SOURCE /* strtod_l */
#include "formats/number.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

_Static_assert(FLT_EVAL_METHOD == 0, "double arithmetic rounds to double");

/* A number taken apart: digits without the point, and the power of ten that goes with them. */
struct parts {
    bool negative, integer;
    bool exact; /* digits are all in `digits`, and the power is small enough to be counted */
    uint64_t digits;
    int power;
};

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

/* Digits from `at` into parts; how many there were. */
static size_t take_digits(const char *at, struct parts *parts)
{
    size_t count = 0;
    for (; is_digit(at[count]); count++) {
        if (parts->digits >= (uint64_t)1 << 53)
            parts->exact = false;
        else
            parts->digits = parts->digits * 10 + (uint64_t)(at[count] - '0');
    }
    return count;
}

static bool take_apart(const char *text, size_t length, struct parts *parts)
{
    const char *at = text;
    *parts = (struct parts){.negative = *at == '-', .integer = true, .exact = true};
    at += *at == '-' || *at == '+';
    size_t whole = take_digits(at, parts), fraction = 0;
    at += whole;
    if (*at == '.') {
        parts->integer = false;
        fraction = take_digits(++at, parts);
        at += fraction;
    }
    if (whole + fraction == 0)
        return false;
    parts->exact = parts->exact && fraction < 40;
    int power = 0;
    if (*at == 'e' || *at == 'E') {
        parts->integer = false;
        bool negative = *++at == '-';
        at += *at == '-' || *at == '+';
        if (!is_digit(*at))
            return false;
        for (; is_digit(*at); at++)
            power = power < 10000 ? power * 10 + (*at - '0') : power;
        power = negative ? -power : power;
    }
    parts->power = power - (int)(fraction < 40 ? fraction : 40);
    return at == text + length;
}

/* Whether a text is a word of small letters, in any case. strcasecmp would ask the locale, in which the small
 * letter of I may be another than i. */
static bool is_word(const char *text, const char *word)
{
    while (*word && (*text | 0x20) == *word) {
        text++;
        word++;
    }
    return !*word && !*text;
}

static bool is_nonfinite(const char *text)
{
    text += *text == '-' || *text == '+';
    return is_word(text, "nan") || is_word(text, "inf") || is_word(text, "infinity");
}

static double slow_value(const char *text)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0)
        return (double)NAN; /* glibc's C locale is static: this does not happen there */
    double value = strtod_l(text, NULL, plain);
    freelocale(plain);
    return value;
}

enum rlm_number rlm_number_read(const char *text, size_t length, double *value)
{
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct parts parts;
    if (!take_apart(text, length, &parts)) {
        if (!is_nonfinite(text))
            return RLM_NUMBER_NONE;
        *value = (double)NAN;
        return RLM_NUMBER_NONFINITE;
    }
    if (parts.exact && parts.digits < (uint64_t)1 << 53 && parts.power >= -22 && parts.power <= 22) {
        double digits = (double)parts.digits;
        digits = parts.power < 0 ? digits / tens[-parts.power] : digits * tens[parts.power];
        *value = parts.negative ? -digits : digits;
    } else {
        *value = slow_value(text);
    }
    if (!isfinite(*value))
        return RLM_NUMBER_NONFINITE;
    return parts.integer ? RLM_NUMBER_INTEGER : RLM_NUMBER_REAL;
}
