/* The arguments of one command, parsed and checked against the table.
 *
 * After a successful parse every option has a value that its row of the table allows: commands read them
 * without checking again. Options stand before or after positionals, `--name=value` and `--name value` are
 * the same, `--` ends the options, and the last of several equal options counts. Names are never shortened: a
 * script that works today must work when an option is added. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "table.h"
#include "values.h"

enum { CLI_MAX_OPTIONS = 48, CLI_MAX_POSITIONALS = 64 };

struct cli_value {
    const struct cli_option *option;
    const char *text; /* as typed, else the default; NULL: not given and no default */
    bool given;       /* typed by the user */
    uint64_t whole;   /* WHOLE */
    double number;    /* NUMBER, SHARE */
    size_t choice;    /* CHOICE */
};

struct cli_args {
    const struct cli_command *command;
    struct cli_value value[CLI_MAX_OPTIONS];
    size_t count;
    const char *positional[CLI_MAX_POSITIONALS]; /* NULL where an optional one is left out */
    bool help;                                   /* --help was asked for: nothing else was checked */
};

/* Parses argv[1 … argc-1], argv[0] being the command's name; argv is permuted by getopt. False: `message`
 * holds one sentence for the user. Not for two threads at once (getopt). */
bool cli_args_parse(const struct cli_command *command, int argc, char **argv, struct cli_args *args,
                    char *message, size_t size);

/* The value of an option by its long name, which must be in the command's rows. */
bool cli_given(const struct cli_args *args, const char *name);       /* typed; the value of a flag */
const char *cli_text(const struct cli_args *args, const char *name); /* NULL: none */
uint64_t cli_whole(const struct cli_args *args, const char *name);   /* 0: none */
double cli_number(const struct cli_args *args, const char *name);    /* 0: none */
size_t cli_choice(const struct cli_args *args, const char *name);

/* What an option's value must be, in words: "a whole number from 1". */
void cli_expects(const struct cli_option *option, char *text, size_t size);

/* "; did you mean --batch?" for a mistyped option or command, else "". Also used for the command's name
 * itself. */
void cli_did_you_mean_option(const struct cli_command *command, const char *typed, char *text, size_t size);
void cli_did_you_mean_command(const char *typed, char *text, size_t size);

#endif
