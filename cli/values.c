/* Reading values: strtod and strtoull with the loopholes closed (signs, spaces, hexadecimal, overflow). */
#include "values.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_LENGTH = 64 };
static const uint64_t widest_layer = 16777216;

bool cli_read_whole(const char *text, uint64_t *value)
{
    if (*text == 0 || text[strspn(text, "0123456789")] != 0)
        return false;
    errno = 0;
    unsigned long long number = strtoull(text, NULL, 10);
    if (errno == ERANGE)
        return false;
    *value = number;
    return true;
}

bool cli_read_number(const char *text, double *value)
{
    /* Only these letters: so no "inf", "nan", "0x10" or leading space. */
    if (*text == 0 || text[strspn(text, "0123456789+-.eE")] != 0)
        return false;
    char *end;
    double number = strtod(text, &end);
    if (*end != 0 || !isfinite(number))
        return false;
    *value = number;
    return true;
}

bool cli_read_share(const char *text, double *value)
{
    char number[NUMBER_LENGTH];
    size_t length = strlen(text);
    if (length == 0 || length >= sizeof number)
        return false;
    bool percent = text[length - 1] == '%';
    memcpy(number, text, length + 1);
    if (percent)
        number[length - 1] = 0;
    double share;
    if (!cli_read_number(number, &share))
        return false;
    *value = percent ? share / 100 : share;
    return true;
}

bool cli_choice_at(const char *choices, size_t index, char *word, size_t size)
{
    while (index-- > 0) {
        choices = strchr(choices, '|');
        if (!choices)
            return false;
        choices++;
    }
    size_t length = strcspn(choices, "|");
    if (length >= size)
        return false;
    memcpy(word, choices, length);
    word[length] = 0;
    return true;
}

bool cli_read_choice(const char *text, const char *choices, size_t *index)
{
    char word[NUMBER_LENGTH];
    for (size_t i = 0; cli_choice_at(choices, i, word, sizeof word); i++)
        if (strcmp(word, text) == 0) {
            *index = i;
            return true;
        }
    return false;
}

/* Copies what stands before the next `mark` (or the end) and moves `text` behind it; false when it is too
 * long. */
static bool take_until(const char **text, char mark, char *piece)
{
    const char marks[] = {mark, 0};
    size_t length = strcspn(*text, marks);
    if (length >= NUMBER_LENGTH)
        return false;
    memcpy(piece, *text, length);
    piece[length] = 0;
    *text += length;
    return true;
}

bool cli_read_widths(const char *text, struct cli_widths *widths)
{
    struct cli_widths found = {0};
    for (;;) {
        char piece[NUMBER_LENGTH];
        uint64_t units;
        if (found.count == CLI_MAX_WIDTHS || !take_until(&text, ',', piece) ||
            !cli_read_whole(piece, &units) || units == 0 || units > widest_layer)
            return false;
        found.unit[found.count++] = (size_t)units;
        if (*text++ == 0)
            break;
    }
    *widths = found;
    return true;
}

bool cli_read_interval(const char *text, const char *choices, struct cli_interval *interval)
{
    size_t choice;
    uint64_t steps;
    if (cli_read_choice(text, choices, &choice)) {
        interval->kind = choice == 0 ? CLI_EVERY_EPOCH : choice == 1 ? CLI_FINAL : CLI_OFF;
        interval->steps = 0;
        return true;
    }
    if (!cli_read_whole(text, &steps) || steps == 0)
        return false;
    interval->kind = CLI_EVERY_STEPS;
    interval->steps = steps;
    return true;
}

static bool read_point(const char **text, struct cli_point *point)
{
    char step[NUMBER_LENGTH], rate[NUMBER_LENGTH];
    if (!take_until(text, ':', step) || **text != ':')
        return false;
    ++*text;
    return take_until(text, ',', rate) && cli_read_whole(step, &point->step) && point->step > 0 &&
           cli_read_number(rate, &point->rate) && point->rate >= 0;
}

bool cli_read_schedule(const char *text, const char *choices, struct cli_schedule *schedule)
{
    char word[NUMBER_LENGTH];
    schedule->count = 0;
    if (cli_read_choice(text, choices, &schedule->choice))
        return true;
    while (cli_choice_at(choices, schedule->choice = schedule->count, word, sizeof word))
        schedule->count++;
    schedule->count = 0;
    for (;;) {
        struct cli_point *point = &schedule->point[schedule->count];
        if (schedule->count == CLI_MAX_POINTS || !read_point(&text, point) ||
            (schedule->count > 0 && point->step <= point[-1].step))
            return false;
        schedule->count++;
        if (*text++ == 0)
            return true;
    }
}
