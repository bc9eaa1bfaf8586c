/* getopt_long driven by the table, and the checks of what it finds. getopt's own messages are off: ours name
 * the command, what was found and what is expected. */
#include "args.h"

#include <assert.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "suggest.h"

/* Where a message goes while arguments are read. */
struct parse {
    struct cli_args *args;
    char *message;
    size_t size;
    size_t positionals;
};

__attribute__((format(printf, 2, 3))) static bool refuse(struct parse *parse, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(parse->message, parse->size, format, list);
    va_end(list);
    return false;
}

/* Long options are numbered from here on, above every letter. */
enum { FIRST_CODE = 256 };

static void fill_getopt(const struct cli_args *args, struct option *longs, char *letters)
{
    *letters++ = '-'; /* hand positionals out in order, whatever POSIXLY_CORRECT says */
    *letters++ = ':'; /* tell a missing value from an unknown option */
    for (size_t i = 0; i < args->count; i++) {
        const struct cli_option *option = args->value[i].option;
        bool takes = option->kind != CLI_FLAG;
        longs[i] =
            (struct option){option->name, takes ? required_argument : no_argument, NULL, FIRST_CODE + (int)i};
        if (option->letter)
            *letters++ = option->letter;
        if (option->letter && takes)
            *letters++ = ':';
    }
    longs[args->count] = (struct option){0};
    *letters = 0;
}

static struct cli_value *value_of_code(struct cli_args *args, int code)
{
    for (size_t i = 0; i < args->count; i++)
        if (code == FIRST_CODE + (int)i ||
            (args->value[i].option->letter && code == args->value[i].option->letter))
            return &args->value[i];
    return NULL;
}

/* Words for a range: " from 1", " above 0", " from 0 to 1", " from 0 to below 1". */
static void range_words(const struct cli_option *option, char *text, size_t size)
{
    int used = snprintf(text, size, " %s %.16g", option->above ? "above" : "from", option->low);
    if (option->high != 0)
        snprintf(text + used, size - (size_t)used, " to %s%.16g", option->below ? "below " : "",
                 option->high);
}

void cli_expects(const struct cli_option *option, char *text, size_t size)
{
    char range[64];
    range_words(option, range, sizeof range);
    const char *choices = option->choices ? option->choices : "";
    switch (option->kind) {
    case CLI_WHOLE:
        snprintf(text, size, "a whole number%s", range);
        return;
    case CLI_NUMBER:
        snprintf(text, size, "a number%s", range);
        return;
    case CLI_SHARE:
        snprintf(text, size, "a share%s, such as 5%% or 0.05", range);
        return;
    case CLI_CHOICE:
        snprintf(text, size, "one of %s", choices);
        return;
    case CLI_WIDTHS:
        snprintf(text, size,
                 "units of each hidden layer, such as 512,512 (up to %d layers, 1 to 16777216 units each)",
                 CLI_MAX_WIDTHS);
        return;
    case CLI_INTERVAL:
        snprintf(text, size, "%s%s or a number of steps from 1", strchr(choices, '|') ? "one of " : "",
                 choices);
        return;
    case CLI_SCHEDULE:
        snprintf(text, size, "one of %s, or STEP:RATE,STEP:RATE,... with ascending steps from 1", choices);
        return;
    default:
        snprintf(text, size, "%s", option->value ? option->value : "no value");
    }
}

static bool in_range(const struct cli_option *option, double number)
{
    if (option->above ? number <= option->low : number < option->low)
        return false;
    return option->high == 0 || (option->below ? number < option->high : number <= option->high);
}

/* Reads value->text as the option's kind; false when the row does not allow it. */
static bool read_value(struct cli_value *value)
{
    const struct cli_option *option = value->option;
    struct cli_widths widths;
    struct cli_interval interval;
    struct cli_schedule schedule;
    switch (option->kind) {
    case CLI_WHOLE:
        return cli_read_whole(value->text, &value->whole) && in_range(option, (double)value->whole);
    case CLI_NUMBER:
        return cli_read_number(value->text, &value->number) && in_range(option, value->number);
    case CLI_SHARE:
        return cli_read_share(value->text, &value->number) && in_range(option, value->number);
    case CLI_CHOICE:
        return cli_read_choice(value->text, option->choices, &value->choice);
    case CLI_WIDTHS:
        return cli_read_widths(value->text, &widths);
    case CLI_INTERVAL:
        return cli_read_interval(value->text, option->choices, &interval);
    case CLI_SCHEDULE:
        return cli_read_schedule(value->text, option->choices, &schedule);
    case CLI_FLAG:
        return true;
    default:
        return *value->text != 0;
    }
}

static bool take_value(struct parse *parse, struct cli_value *value, const char *text)
{
    value->given = true;
    value->text = text ? text : "";
    if (read_value(value))
        return true;
    char expects[256], hint[96] = "";
    cli_expects(value->option, expects, sizeof expects);
    if (value->option->choices) {
        struct cli_suggestion nearest = {.typed = text};
        char word[64], words[16][64];
        for (size_t i = 0; i < 16 && cli_choice_at(value->option->choices, i, word, sizeof word); i++)
            cli_suggest(&nearest, memcpy(words[i], word, sizeof word));
        if (nearest.word)
            snprintf(hint, sizeof hint, "; did you mean %s?", nearest.word);
    }
    return refuse(parse, "--%s wants %s, found \"%s\"%s", value->option->name, expects, value->text, hint);
}

/* The row of the table for the positional at this place, which one that repeats also takes for those after
 * it. */
static const struct cli_positional *positional_at(const struct cli_command *command, size_t place)
{
    const struct cli_positional *positional = command->positionals;
    for (; place > 0 && positional->name; place--)
        if (!cli_positional_repeats(positional))
            positional++;
    return positional;
}

static bool take_positional(struct parse *parse, const char *text)
{
    const struct cli_command *command = parse->args->command;
    const struct cli_positional *positional = positional_at(command, parse->positionals);
    if (parse->positionals + 1 >= CLI_MAX_POSITIONALS)
        return refuse(parse, "\"%s\" is one argument too many; expected at most %d", text,
                      CLI_MAX_POSITIONALS - 1);
    if (!positional->name)
        return refuse(
            parse, "\"%s\" is one argument too many; expected relume %s%s%s%s%s", text, command->name,
            parse->positionals > 0 ? " " : "", parse->positionals > 0 ? command->positionals[0].name : "",
            parse->positionals > 1 ? " " : "", parse->positionals > 1 ? command->positionals[1].name : "");
    if (*text == 0)
        return refuse(parse, "%s is empty; expected %s", positional->name, positional->help);
    parse->args->positional[parse->positionals++] = text;
    return true;
}

void cli_did_you_mean_option(const struct cli_command *command, const char *typed, char *text, size_t size)
{
    struct cli_suggestion nearest = {.typed = typed};
    const struct cli_option *option;
    for (size_t i = 0; (option = cli_option_at(command, i)) != NULL; i++)
        cli_suggest(&nearest, option->name);
    snprintf(text, size, nearest.word ? "; did you mean --%s?" : "%.0s", nearest.word ? nearest.word : "");
}

void cli_did_you_mean_command(const char *typed, char *text, size_t size)
{
    struct cli_suggestion nearest = {.typed = typed};
    for (const struct cli_command *const *command = cli_commands; *command; command++)
        cli_suggest(&nearest, (*command)->name);
    snprintf(text, size, nearest.word ? "; did you mean %s?" : "%.0s", nearest.word ? nearest.word : "");
}

/* The name in "--name" or "--name=value", without either. */
static void long_name(const char *token, char *name, size_t size)
{
    size_t length = strcspn(token + 2, "=");
    snprintf(name, size, "%.*s", (int)(length < size ? length : size - 1), token + 2);
}

static bool refuse_unknown(struct parse *parse, const char *token)
{
    char name[64], hint[96];
    if (strncmp(token, "--", 2) != 0)
        return refuse(parse, "there is no option -%c", optopt);
    long_name(token, name, sizeof name);
    const struct cli_option *known = cli_option_find(parse->args->command, name, 0);
    if (known)
        return refuse(parse, "--%s takes no value, found \"%s\"", name, token + 3 + strlen(name));
    cli_did_you_mean_option(parse->args->command, name, hint, sizeof hint);
    return refuse(parse, "there is no option --%s%s", name, hint);
}

static bool refuse_missing_value(struct parse *parse)
{
    const struct cli_value *value = value_of_code(parse->args, optopt);
    char expects[256];
    cli_expects(value->option, expects, sizeof expects);
    return refuse(parse, "--%s wants a value: %s", value->option->name, expects);
}

/* One thing getopt has found: `token` is the argument it began with. */
static bool take(struct parse *parse, int code, const char *token)
{
    char name[64];
    if (code == 1)
        return take_positional(parse, optarg);
    if (code == '?')
        return refuse_unknown(parse, token);
    if (code != ':' && strncmp(token, "--", 2) == 0) {
        long_name(token, name, sizeof name);
        if (!cli_option_find(parse->args->command, name, 0))
            return refuse_unknown(parse, token); /* getopt took a shortened name */
    }
    if (code == ':')
        return refuse_missing_value(parse);
    return take_value(parse, value_of_code(parse->args, code), optarg);
}

/* --help anywhere before `--` is answered at once, whatever else is wrong. */
static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static bool check_complete(struct parse *parse)
{
    const struct cli_command *command = parse->args->command;
    const struct cli_positional *missing = positional_at(command, parse->positionals);
    if (missing->name && !missing->optional)
        return refuse(parse, "%s is missing: %s", missing->name, missing->help);
    for (size_t i = 0; i < parse->args->count; i++) {
        const struct cli_value *value = &parse->args->value[i];
        if (value->option->required && !value->given)
            return refuse(parse, "--%s %s is missing: %s", value->option->name, value->option->value,
                          value->option->help);
    }
    return true;
}

static void set_defaults(struct cli_args *args, const struct cli_command *command)
{
    const struct cli_option *option;
    *args = (struct cli_args){.command = command};
    while ((option = cli_option_at(command, args->count)) != NULL) {
        assert(args->count < CLI_MAX_OPTIONS);
        struct cli_value *value = &args->value[args->count++];
        value->option = option;
        value->text = option->fallback;
        if (option->fallback)
            (void)read_value(value); /* that defaults can be read is tested */
    }
}

bool cli_args_parse(const struct cli_command *command, int argc, char **argv, struct cli_args *args,
                    char *message, size_t size)
{
    struct option longs[CLI_MAX_OPTIONS + 1];
    char letters[2 * CLI_MAX_OPTIONS + 3];
    struct parse parse = {args, message, size, 0};
    set_defaults(args, command);
    args->help = asks_for_help(argc, argv);
    if (args->help)
        return true;
    fill_getopt(args, longs, letters);
    opterr = 0;
    optind = 0; /* start afresh, also after a former parse */
    for (;;) {
        int at = optind > 0 ? optind : 1;
        int code = getopt_long(argc, argv, letters, longs, NULL);
        if (code == -1)
            break;
        if (!take(&parse, code, argv[at]))
            return false;
    }
    while (optind < argc) /* what stands behind `--` */
        if (!take_positional(&parse, argv[optind++]))
            return false;
    return check_complete(&parse);
}

static const struct cli_value *value_named(const struct cli_args *args, const char *name)
{
    for (size_t i = 0; i < args->count; i++)
        if (strcmp(args->value[i].option->name, name) == 0)
            return &args->value[i];
    assert(0 && "an option that the table does not have");
    return NULL;
}

bool cli_given(const struct cli_args *args, const char *name)
{
    return value_named(args, name)->given;
}

const char *cli_text(const struct cli_args *args, const char *name)
{
    return value_named(args, name)->text;
}

uint64_t cli_whole(const struct cli_args *args, const char *name)
{
    return value_named(args, name)->whole;
}

double cli_number(const struct cli_args *args, const char *name)
{
    return value_named(args, name)->number;
}

size_t cli_choice(const struct cli_args *args, const char *name)
{
    return value_named(args, name)->choice;
}
