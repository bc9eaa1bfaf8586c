/* The commands and options of the program, as data.
 *
 * One table says everything there is to say about the command line: names, kinds of value, ranges, defaults,
 * words of help. The parser, `--help`, the man page and the completions of three shells are made from it, so
 * that they cannot disagree. It holds no code and knows nothing of the library. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

/* What a value is, which decides how it is checked and completed. */
enum cli_kind {
    CLI_FLAG,     /* takes no value */
    CLI_WHOLE,    /* a whole number within a range */
    CLI_NUMBER,   /* a real number within a range */
    CLI_SHARE,    /* a share of a whole: 5% or 0.05 */
    CLI_CHOICE,   /* one of `choices` */
    CLI_WIDTHS,   /* units of each hidden layer: 512,512 */
    CLI_INTERVAL, /* epoch, final (where allowed by `choices`) or a number of steps */
    CLI_SCHEDULE, /* one of `choices`, or STEP:LR,STEP:LR,… */
    CLI_TEXT,     /* any text that is not empty */
    CLI_FILE,     /* a path */
    CLI_FOLDER,   /* a path of a folder */
    CLI_DATA,     /* a path, or the name of a data set that comes with relume */
    CLI_TOPIC     /* a command's name, or another page of help */
};

struct cli_option {
    const char *name; /* "batch" for --batch; NULL ends a list */
    char letter;      /* 'o' for -o; 0: none */
    bool required;
    enum cli_kind kind;
    const char *value;    /* what help calls the value: "N" */
    const char *fallback; /* the default, as text that the parser reads; NULL: none */
    const char *choices;  /* "sgd|momentum"; NULL: none */
    double low, high;     /* WHOLE, NUMBER, SHARE: the range; high 0: no upper end */
    bool above, below;    /* not 0: `low`, `high` itself is outside */
    const char *help;     /* half a sentence, without a full stop */
};

/* Options under one heading. */
struct cli_group {
    const char *title; /* NULL ends a list */
    const struct cli_option *options;
};

struct cli_positional {
    const char
        *name; /* "DATA"; NULL ends a list; the last one, ending in "...", may be given again and again */
    enum cli_kind kind;
    bool optional;
    const char *help;
};

struct cli_example {
    const char *command; /* what to type; NULL ends a list */
    const char *says;    /* what it does */
};

struct cli_command {
    const char *name;
    const char *summary;
    const char *about; /* a paragraph or more, separated by \n */
    const struct cli_example *examples;
    const struct cli_positional *positionals;
    const struct cli_group *groups;
};

/* The table, ended by NULL. */
extern const struct cli_command *const cli_commands[];

/* Pages of help that are no command ("errors"), ended by NULL; and the data sets that need no file. */
extern const char *const cli_topics[];
extern const char *const cli_data_names[];

/* Environment variables the program reads, ended by a NULL name. */
struct cli_variable {
    const char *name, *help;
};
extern const struct cli_variable cli_variables[];

/* What DATA and MODEL may be; one line each, ended by NULL. */
extern const char *const cli_data_forms[];
extern const char *const cli_model_forms[];

/* Whether its name ends in "...". */
bool cli_positional_repeats(const struct cli_positional *positional);

/* The command of this name, or NULL. */
const struct cli_command *cli_command_find(const char *name);

/* The option of a command by its long name, or by its letter when `name` is NULL; NULL when it has none. */
const struct cli_option *cli_option_find(const struct cli_command *command, const char *name, char letter);

/* The command's options as one list: the option at `index`, counted through the groups; NULL after the last.
 */
const struct cli_option *cli_option_at(const struct cli_command *command, size_t index);

#endif
