/* Help as text, man page and shell completions: four prints of the one table. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "table.h"
#include "term.h"

/* `relume --help`: what it is, the commands, DATA, MODEL, exit status, environment. */
void cli_help_program(const struct cli_term *term);
/* `relume COMMAND --help`: examples first, then arguments, then options by group. */
void cli_help_command(const struct cli_term *term, const struct cli_command *command);
/* `relume help errors`: every code, its exit status, its meaning and what to do. */
void cli_help_errors(const struct cli_term *term);

/* The man page, as scdoc source. */
void cli_print_man(FILE *stream, const char *version);
/* Completion scripts. */
void cli_print_bash(FILE *stream);
void cli_print_zsh(FILE *stream);
void cli_print_fish(FILE *stream);

/* Columns that help is wrapped at: the terminal's, at most 100, where lines still read well. */
size_t cli_help_width(const struct cli_term *term);
/* "-o, --output RUN" or "--batch N", as help and man page write it. */
void cli_option_synopsis(const struct cli_option *option, char *text, size_t size);
/* "relume train DATA --output RUN [options]". */
void cli_command_synopsis(const struct cli_command *command, char *text, size_t size);
/* "[default: 128]" or "[one of a, b; default: a]", or "". */
void cli_option_note(const struct cli_option *option, char *text, size_t size);

/* Exit statuses and what each means, ended by a NULL text. */
struct cli_exit {
    int status;
    const char *help;
};
extern const struct cli_exit cli_exits[];

#endif
