/* Edit distance over short words; see suggest.h. Holds nothing between calls. */
#include "suggest.h"

#include <string.h>

enum { LONGEST = 31, FAR = 1000 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* One table of (letters of a so far) × (letters of b so far), filled row by row. */
size_t cli_edit_distance(const char *a, const char *b)
{
    size_t table[LONGEST + 1][LONGEST + 1];
    size_t m = strlen(a), n = strlen(b);
    if (m > LONGEST || n > LONGEST)
        return FAR;
    for (size_t i = 0; i <= m; i++)
        table[i][0] = i;
    for (size_t j = 0; j <= n; j++)
        table[0][j] = j;
    for (size_t i = 1; i <= m; i++)
        for (size_t j = 1; j <= n; j++) {
            size_t best = table[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = least(best, least(table[i - 1][j], table[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = least(best, table[i - 2][j - 2] + 1);
            table[i][j] = best;
        }
    return table[m][n];
}

/* A word typed in part ("optim" for "optimizer") is near whatever its length. */
static size_t distance_to(const char *typed, const char *word)
{
    size_t length = strlen(typed);
    if (length >= 3 && strncmp(typed, word, length) == 0)
        return 1;
    return cli_edit_distance(typed, word);
}

void cli_suggest(struct cli_suggestion *suggestion, const char *word)
{
    size_t distance = distance_to(suggestion->typed, word);
    size_t allowed = strlen(suggestion->typed) < 4 ? 1 : strlen(suggestion->typed) / 3 + 1;
    if (distance > allowed || distance >= strlen(word) ||
        (suggestion->word && distance >= suggestion->distance))
        return;
    suggestion->word = word;
    suggestion->distance = distance;
}
