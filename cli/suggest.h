/* "Did you mean …?": the nearest of some words to a mistyped one. */
#ifndef CLI_SUGGEST_H
#define CLI_SUGGEST_H

#include <stddef.h>

/* Edits that turn `a` into `b`: letters put in, left out, changed, or two neighbours swapped (Damerau and
 * Levenshtein, each letter touched once). Words longer than 31 letters count as far away. */
size_t cli_edit_distance(const char *a, const char *b);

/* The nearest word so far: fill in `typed`, offer words, read `word` (NULL when none is near enough to
 * suggest). */
struct cli_suggestion {
    const char *typed;
    const char *word;
    size_t distance;
};
void cli_suggest(struct cli_suggestion *suggestion, const char *word);

#endif
