/* Texts of the command line as values: numbers, shares, choices, lists. Each function is exact: the whole
 * text must be the value, numbers are read in the C locale, and nothing is written unless the text is right.
 */
#ifndef CLI_VALUES_H
#define CLI_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLI_MAX_WIDTHS = 64, CLI_MAX_POINTS = 256 };

/* A whole number in decimal digits, without a sign. */
bool cli_read_whole(const char *text, uint64_t *value);
/* A finite real number; no hexadecimal, no "inf", no "nan". */
bool cli_read_number(const char *text, double *value);
/* A share: "5%" or "0.05". */
bool cli_read_share(const char *text, double *value);
/* The index of `text` among "a|b|c". */
bool cli_read_choice(const char *text, const char *choices, size_t *index);

/* "512,256": from 1 to CLI_MAX_WIDTHS whole numbers from 1 to 16777216. */
struct cli_widths {
    size_t count;
    size_t unit[CLI_MAX_WIDTHS];
};
bool cli_read_widths(const char *text, struct cli_widths *widths);

/* "epoch", "final", "off" or a number of steps from 1. Words must be among `choices`, in this order. */
struct cli_interval {
    enum { CLI_EVERY_EPOCH, CLI_FINAL, CLI_OFF, CLI_EVERY_STEPS } kind;
    uint64_t steps;
};
bool cli_read_interval(const char *text, const char *choices, struct cli_interval *interval);

/* One of `choices`, or "1:0.1,500:0.01": ascending steps from 1, rates of 0 or more. */
struct cli_schedule {
    size_t choice; /* the index; the number of choices when points are given */
    size_t count;
    struct cli_point {
        uint64_t step;
        double rate;
    } point[CLI_MAX_POINTS];
};
bool cli_read_schedule(const char *text, const char *choices, struct cli_schedule *schedule);

/* The word at `index` of "a|b|c", copied into `word`; false after the last. */
bool cli_choice_at(const char *choices, size_t index, char *word, size_t size);

#endif
