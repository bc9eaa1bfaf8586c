/* The man page as scdoc source: scdoc turns it into roff when relume is built. */
#include <string.h>

#include "help.h"

/* Characters that scdoc reads as markup get a backslash. */
static void put_escaped(FILE *stream, const char *text)
{
    for (; *text; text++) {
        if (strchr("*_\\#[]|`<>~", *text))
            fputc('\\', stream);
        fputc(*text, stream);
    }
}

static void put_term(FILE *stream, const char *bold, const char *plain, const char *words)
{
    fputc('*', stream);
    put_escaped(stream, bold);
    fputc('*', stream);
    if (*plain)
        fputc(' ', stream);
    put_escaped(stream, plain);
    fputs("\n\t", stream);
    put_escaped(stream, words);
    fputs("\n\n", stream);
}

static void put_option(FILE *stream, const struct cli_option *option)
{
    char note[256], words[768], name[64], letter[8] = "";
    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(name, sizeof name, "%s--%s", letter, option->name);
    cli_option_note(option, note, sizeof note);
    snprintf(words, sizeof words, "%s%s", option->help, note);
    put_term(stream, name, option->value ? option->value : "", words);
}

static void put_command(FILE *stream, const struct cli_command *command)
{
    char synopsis[256];
    cli_command_synopsis(command, synopsis, sizeof synopsis);
    fprintf(stream, "## %s\n\n", synopsis);
    put_escaped(stream, command->about);
    fputs("\n\n", stream);
    for (const struct cli_positional *p = command->positionals; p->name; p++)
        put_term(stream, p->name, "", p->help);
    const struct cli_option *option;
    for (size_t i = 0; (option = cli_option_at(command, i)) != NULL; i++)
        put_option(stream, option);
}

static void put_list(FILE *stream, const char *title, const char *const *lines)
{
    fprintf(stream, "# %s\n\n", title);
    for (; *lines; lines++) {
        fputs("- ", stream);
        put_escaped(stream, *lines);
        fputc('\n', stream);
    }
    fputc('\n', stream);
}

static void put_examples(FILE *stream)
{
    fputs("# EXAMPLES\n\n", stream);
    for (const struct cli_command *const *command = cli_commands; *command; command++)
        for (const struct cli_example *example = (*command)->examples; example->command; example++)
            put_term(stream, example->command, "", example->says);
}

void cli_print_man(FILE *stream, const char *version)
{
    fprintf(stream, "relume(1) \"relume %s\" \"User Commands\"\n\n# NAME\n\n", version);
    fputs("relume - train fully connected ReLU networks, and account for every unit that dies\n\n# "
          "SYNOPSIS\n\n",
          stream);
    for (const struct cli_command *const *command = cli_commands; *command; command++) {
        char synopsis[256];
        cli_command_synopsis(*command, synopsis, sizeof synopsis);
        put_escaped(stream, synopsis);
        fputs("++\n", stream);
    }
    fputs("relume --version\n\n# DESCRIPTION\n\n", stream);
    fputs("Results go to standard output, narration and progress to standard error. Options stand before or "
          "after "
          "arguments; *--* ends them. *relume* _COMMAND_ *--help* shows a command's options, *relume help "
          "errors* what "
          "each error asks for.\n\n# COMMANDS\n\n",
          stream);
    for (const struct cli_command *const *command = cli_commands; *command; command++)
        put_command(stream, *command);
    put_list(stream, "DATA", cli_data_forms);
    put_list(stream, "MODEL", cli_model_forms);
    put_examples(stream);
    fputs("# EXIT STATUS\n\n", stream);
    for (const struct cli_exit *exit = cli_exits; exit->help; exit++) {
        char status[16];
        snprintf(status, sizeof status, "%d", exit->status);
        put_term(stream, status, "", exit->help);
    }
    fputs("# ENVIRONMENT\n\n", stream);
    for (const struct cli_variable *variable = cli_variables; variable->name; variable++)
        put_term(stream, variable->name, "", variable->help);
}
