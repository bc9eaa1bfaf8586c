/* See words.h. Decimals are made of whole parts, so that no locale changes them. */
#include "report/words.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const char *rlm_words_number(struct rlm_words *words, uint64_t value)
{
    char *text = words->text[words->next++ % 8] + 31;
    *text = '\0';
    for (int digits = 0; digits == 0 || value > 0; digits++, value /= 10) {
        if (digits > 0 && digits % 3 == 0)
            *--text = ',';
        *--text = (char)('0' + value % 10);
    }
    return text;
}

const char *rlm_words_plural(uint64_t value)
{
    return value == 1 ? "" : "s";
}

const char *rlm_words_percent(struct rlm_words *words, double share)
{
    char *text = words->text[words->next++ % 8];
    long tenths = lround(share * 1000);
    (void)snprintf(text, 32, "%ld.%ld\u00a0%%", tenths / 10, labs(tenths % 10));
    return text;
}

const char *rlm_words_loss(struct rlm_words *words, double loss)
{
    char *text = words->text[words->next++ % 8];
    if (!isfinite(loss) || fabs(loss) >= 1e6)
        return "not a finite number";
    long long thousandths = llround(fabs(loss) * 1000);
    (void)snprintf(text, 32, "%s%lld.%03lld", loss < 0 ? "−" : "", thousandths / 1000, thousandths % 1000);
    return text;
}

const char *rlm_words_rate(struct rlm_words *words, double rate)
{
    char *text = words->text[words->next++ % 8];
    if (!(rate > 0) || !isfinite(rate))
        return "0";
    int power = (int)floor(log10(rate)) - 2;
    /* a rate such as 0.1 must not fall to 0.0999 because a power of ten is no float */
    long digits = (long)floor(rate / pow(10, power) * (1 + 1e-12));
    for (; digits > 0 && digits % 10 == 0; power++)
        digits /= 10;
    if (power >= 0 && power < 6)
        (void)snprintf(text, 32, "%.0f", (double)digits * pow(10, power));
    else if (power >= 0 || power < -9)
        (void)snprintf(text, 32, "%lde%d", digits, power);
    else {
        long unit = lround(pow(10, -power));
        (void)snprintf(text, 32, "%ld.%0*ld", digits / unit, -power, digits % unit);
    }
    return text;
}
