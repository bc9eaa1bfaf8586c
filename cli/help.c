/* --help in words, wrapped at the terminal's width (at most 100 columns, where lines still read well). */
#include "help.h"

#include <string.h>

enum { OPTION_INDENT = 26 };

const struct cli_exit cli_exits[] = {{0, "done"},
                                     {1, "done, and a check asked for did not hold"},
                                     {2, "wrong usage"},
                                     {3, "bad input; the file, the place and the reason are named"},
                                     {4, "the system refused to read or write"},
                                     {5, "out of memory or another resource"},
                                     {6, "a number stopped being finite; step, layer and unit are named"},
                                     {130, "stopped by SIGINT with the state saved (143: by SIGTERM)"},
                                     {0, NULL}};

size_t cli_help_width(const struct cli_term *term)
{
    const size_t widest = 100;
    return term->width < widest ? term->width : widest;
}

static void heading(const struct cli_term *term, const char *text)
{
    fputc('\n', term->stream);
    cli_style(term, CLI_BOLD);
    fputs(text, term->stream);
    cli_style(term, CLI_PLAIN);
    fputc('\n', term->stream);
}

/* "  NAME   words, wrapped under themselves", the words on a line of their own where the name is long. */
static void entry(const struct cli_term *term, const char *name, size_t indent, const char *words)
{
    fputs("  ", term->stream);
    cli_style(term, CLI_BOLD);
    fputs(name, term->stream);
    cli_style(term, CLI_PLAIN);
    size_t at = 2 + strlen(name);
    if (at + 2 > indent) {
        fputc('\n', term->stream);
        at = 0;
    }
    fprintf(term->stream, "%*s", (int)(indent - at), "");
    cli_put_wrapped(term, words, indent, indent, cli_help_width(term));
}

static void paragraph(const struct cli_term *term, const char *words)
{
    cli_put_wrapped(term, words, 0, 0, cli_help_width(term));
}

void cli_option_synopsis(const struct cli_option *option, char *text, size_t size)
{
    char letter[8] = "";
    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(text, size, "%s--%s%s%s", letter, option->name, option->value ? " " : "",
             option->value ? option->value : "");
}

void cli_option_note(const struct cli_option *option, char *text, size_t size)
{
    char choices[160];
    size_t used = 0;
    for (const char *at = option->kind == CLI_CHOICE ? option->choices : ""; *at && used + 2 < sizeof choices;
         at++) {
        choices[used++] = *at == '|' ? ',' : *at;
        if (*at == '|')
            choices[used++] = ' ';
    }
    choices[used] = 0;
    const char *fallback = option->fallback;
    if (*choices)
        snprintf(text, size, " [one of %s%s%s]", choices, fallback ? "; default: " : "",
                 fallback ? fallback : "");
    else
        snprintf(text, size, "%s%s%s", fallback ? " [default: " : "", fallback ? fallback : "",
                 fallback ? "]" : "");
}

void cli_command_synopsis(const struct cli_command *command, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "relume %s", command->name);
    for (const struct cli_positional *p = command->positionals; p->name && used < size; p++)
        used += (size_t)snprintf(text + used, size - used, p->optional ? " [%s]" : " %s", p->name);
    const struct cli_option *option;
    for (size_t i = 0; (option = cli_option_at(command, i)) != NULL && used < size; i++)
        if (option->required)
            used += (size_t)snprintf(text + used, size - used, " -%c %s", option->letter, option->value);
    if (used < size)
        snprintf(text + used, size - used, " [options]");
}

static void put_example(const struct cli_term *term, const struct cli_example *example)
{
    fprintf(term->stream, "  %s\n", example->command);
    cli_style(term, CLI_DIM);
    fputs("      ", term->stream);
    cli_put_wrapped(term, example->says, 6, 6, cli_help_width(term));
    cli_style(term, CLI_PLAIN);
}

static void put_option(const struct cli_term *term, const struct cli_option *option)
{
    char name[64], note[256], words[768];
    cli_option_synopsis(option, name, sizeof name);
    cli_option_note(option, note, sizeof note);
    snprintf(words, sizeof words, "%s%s", option->help, note);
    entry(term, name, OPTION_INDENT, words);
}

static bool command_takes(const struct cli_command *command, const char *positional)
{
    for (const struct cli_positional *p = command->positionals; p->name; p++)
        if (strcmp(p->name, positional) == 0)
            return true;
    return false;
}

static void put_forms(const struct cli_term *term, const char *title, const char *const *forms)
{
    heading(term, title);
    for (; *forms; forms++) {
        fputs("  ", term->stream);
        cli_put_wrapped(term, *forms, 2, 4, cli_help_width(term));
    }
}

void cli_help_command(const struct cli_term *term, const struct cli_command *command)
{
    char synopsis[256];
    cli_command_synopsis(command, synopsis, sizeof synopsis);
    fprintf(term->stream, "relume %s: ", command->name);
    cli_put_wrapped(term, command->summary, strlen(command->name) + 9, 0, cli_help_width(term));
    heading(term, "Examples");
    for (const struct cli_example *example = command->examples; example->command; example++)
        put_example(term, example);
    heading(term, "Usage");
    fprintf(term->stream, "  %s\n\n", synopsis);
    paragraph(term, command->about);
    if (command->positionals->name)
        heading(term, "Arguments");
    for (const struct cli_positional *p = command->positionals; p->name; p++)
        entry(term, p->name, OPTION_INDENT, p->help);
    for (const struct cli_group *group = command->groups; group->title; group++) {
        heading(term, group->title);
        for (const struct cli_option *option = group->options; option->name; option++)
            put_option(term, option);
    }
    if (command_takes(command, "DATA"))
        put_forms(term, "DATA is one of", cli_data_forms);
    if (command_takes(command, "MODEL"))
        put_forms(term, "MODEL is one of", cli_model_forms);
}

void cli_help_program(const struct cli_term *term)
{
    fputs("relume: ", term->stream);
    cli_put_wrapped(term, "train fully connected ReLU networks, and account for every unit that dies", 8, 0,
                    cli_help_width(term));
    heading(term, "Start here");
    for (const struct cli_command *const *command = cli_commands; *command; command++)
        if (strcmp((*command)->name, "help") != 0)
            put_example(term, (*command)->examples);
    heading(term, "Commands");
    for (const struct cli_command *const *command = cli_commands; *command; command++)
        entry(term, (*command)->name, 12, (*command)->summary);
    fputc('\n', term->stream);
    paragraph(
        term,
        "`relume COMMAND --help` shows a command's options, `relume help errors` what each error asks for, "
        "`relume --version` the version, the CPU level and the threads.");
    put_forms(term, "DATA is one of", cli_data_forms);
    put_forms(term, "MODEL is one of", cli_model_forms);
    heading(term, "Exit status");
    for (const struct cli_exit *exit = cli_exits; exit->help; exit++) {
        char status[16];
        snprintf(status, sizeof status, "%d", exit->status);
        entry(term, status, 8, exit->help);
    }
    heading(term, "Environment");
    for (const struct cli_variable *variable = cli_variables; variable->name; variable++)
        entry(term, variable->name, 16, variable->help);
}
