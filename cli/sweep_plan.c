/* What a sweep is to train: lists of rates, inits and optimizers. */
#include "sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* To three significant digits, so that a rate in a table can be typed again and gives the same training. */
static double rounded(double rate)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%.3g", rate);
    return strtod(text, NULL);
}

static bool read_range(struct sweep_plan *plan, const char *text, size_t points, char *message, size_t size)
{
    char low_text[64];
    const char *dots = strstr(text, "..");
    double low, high;
    size_t length = (size_t)(dots - text);
    (void)snprintf(low_text, sizeof low_text, "%.*s", (int)length, text);
    if (!cli_read_number(low_text, &low) || !cli_read_number(dots + 2, &high) || !(low > 0) ||
        !(high > low)) {
        (void)snprintf(message, size, "--lr %.60s: expected LOW..HIGH with 0 < LOW < HIGH, such as 0.001..10",
                       text);
        return false;
    }
    for (size_t i = 0; i < points; i++) {
        double share = (double)i / (double)(points - 1);
        double rate = i == 0 ? low : i + 1 == points ? high : rounded(low * pow(high / low, share));
        if (plan->rates == 0 || rate > plan->rate[plan->rates - 1])
            plan->rate[plan->rates++] = rate;
    }
    return true;
}

static int compare(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;
    return (first > second) - (first < second);
}

/* Takes the next piece of a list; false at its end. A piece too long is cut, and then is no value. */
static bool next_piece(const char **text, char piece[64])
{
    if (!*text)
        return false;
    size_t length = strcspn(*text, ",");
    (void)snprintf(piece, 64, "%.*s", (int)length, *text);
    *text = (*text)[length] ? *text + length + 1 : NULL;
    return true;
}

static bool read_rates(struct sweep_plan *plan, const char *text, char *message, size_t size)
{
    const char *at = text;
    char piece[64];
    double rate;
    while (next_piece(&at, piece)) {
        if (!cli_read_number(piece, &rate) || !(rate > 0)) {
            (void)snprintf(message, size,
                           "--lr: \"%.60s\" is no rate; expected numbers above 0, such as 0.01,0.1,1, or "
                           "LOW..HIGH",
                           piece);
            return false;
        }
        if (plan->rates == SWEEP_RATES) {
            (void)snprintf(message, size, "--lr lists more than %d rates", SWEEP_RATES);
            return false;
        }
        plan->rate[plan->rates++] = rate;
    }
    qsort(plan->rate, plan->rates, sizeof *plan->rate, compare);
    size_t kept = 1;
    for (size_t i = 1; i < plan->rates; i++)
        if (plan->rate[i] > plan->rate[kept - 1])
            plan->rate[kept++] = plan->rate[i];
    plan->rates = kept;
    return true;
}

/* Names of a list as their places among the choices of the option `single`; that option's value where there
 * is no list. */
static bool read_names(const struct cli_args *args, const char *list, const char *single, size_t place[],
                       size_t most, size_t *count, char *message, size_t size)
{
    const char *choices = cli_option_find(args->command, single, 0)->choices, *at = cli_text(args, list);
    char piece[64];
    *count = 0;
    if (!at) {
        place[(*count)++] = cli_choice(args, single);
        return true;
    }
    while (next_piece(&at, piece)) {
        size_t found;
        if (!cli_read_choice(piece, choices, &found)) {
            char words[160];
            (void)snprintf(words, sizeof words, "%s", choices);
            for (char *bar = words; *bar; bar++)
                *bar = *bar == '|' ? ' ' : *bar;
            (void)snprintf(message, size, "--%s: \"%.60s\" is none of %s", list, piece, words);
            return false;
        }
        bool twice = false;
        for (size_t i = 0; i < *count; i++)
            twice = twice || place[i] == found;
        if (!twice && *count < most)
            place[(*count)++] = found;
    }
    return true;
}

bool sweep_plan_read(struct sweep_plan *plan, const struct cli_args *args, char *message, size_t size)
{
    const char *rates = cli_text(args, "lr");
    size_t init[RELUME_INIT_COUNT], optimizer[RELUME_OPTIMIZER_COUNT], inits, optimizers;
    *plan = (struct sweep_plan){0};
    bool read = strstr(rates, "..")
                    ? read_range(plan, rates, (size_t)cli_whole(args, "points"), message, size)
                    : read_rates(plan, rates, message, size);
    if (!read || !read_names(args, "inits", "init", init, RELUME_INIT_COUNT, &inits, message, size) ||
        !read_names(args, "optimizers", "optimizer", optimizer, RELUME_OPTIMIZER_COUNT, &optimizers, message,
                    size))
        return false;
    for (size_t i = 0; i < inits; i++)
        for (size_t k = 0; k < optimizers; k++)
            plan->group[plan->groups++] =
                (struct sweep_group){(relume_init)init[i], (relume_optimizer)optimizer[k]};
    return true;
}
