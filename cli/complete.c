/* Completion scripts for bash, zsh and fish. Each needs nothing but its shell. */
#include <string.h>

#include "help.h"

/* "a|b|c" as "a b c". */
static void put_words(FILE *stream, const char *choices)
{
    for (; *choices; choices++)
        fputc(*choices == '|' ? ' ' : *choices, stream);
}

static void put_names(FILE *stream, const char *const *names)
{
    for (size_t i = 0; names[i]; i++)
        fprintf(stream, "%s%s", i ? " " : "", names[i]);
}

static void put_commands(FILE *stream)
{
    for (size_t i = 0; cli_commands[i]; i++)
        fprintf(stream, "%s%s", i ? " " : "", cli_commands[i]->name);
}

/* Text within single quotes of a shell. */
static void put_quoted(FILE *stream, const char *text, const char *escape)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\'", stream);
        if (strchr(escape, *text))
            fputc('\\', stream);
        fputc(*text, stream);
    }
}

/* bash */

/* The statement that fills COMPREPLY with values of this kind. */
static void bash_values(FILE *stream, enum cli_kind kind, const char *choices)
{
    switch (kind) {
    case CLI_CHOICE:
    case CLI_INTERVAL:
    case CLI_SCHEDULE:
        fputs("_relume_words \"", stream);
        put_words(stream, choices);
        fputs("\"", stream);
        return;
    case CLI_DATA:
        fputs("_relume_files -f; _relume_words \"", stream);
        put_names(stream, cli_data_names);
        fputs("\"", stream);
        return;
    case CLI_TOPIC:
        fputs("_relume_words \"", stream);
        put_commands(stream);
        fputc(' ', stream);
        put_names(stream, cli_topics);
        fputs("\"", stream);
        return;
    case CLI_FILE:
        fputs("_relume_files -f", stream);
        return;
    case CLI_FOLDER:
        fputs("_relume_files -d", stream);
        return;
    default:
        fputs(":", stream); /* a number or a name: nothing to offer */
    }
}

static void bash_command(FILE *stream, const struct cli_command *command)
{
    const struct cli_option *option;
    fprintf(stream, "    %s)\n        case $before in\n", command->name);
    for (size_t i = 0; (option = cli_option_at(command, i)) != NULL; i++) {
        if (option->kind == CLI_FLAG)
            continue;
        fprintf(stream, "        --%s", option->name);
        if (option->letter)
            fprintf(stream, "|-%c", option->letter);
        fputs(") ", stream);
        bash_values(stream, option->kind, option->choices);
        fputs("; return ;;\n", stream);
    }
    fputs("        esac\n        case $word in\n        -*) _relume_words \"", stream);
    for (size_t i = 0; (option = cli_option_at(command, i)) != NULL; i++)
        fprintf(stream, "%s--%s", i ? " " : "", option->name);
    fputs("\" ;;\n        *) ", stream);
    /* The last positional serves for all: files are offered for MODEL and DATA alike. */
    const struct cli_positional *last = command->positionals;
    while (last->name && last[1].name && last[1].kind != CLI_TEXT)
        last++;
    bash_values(stream, last->name ? last->kind : CLI_TEXT, ""); /* a positional has no choices */
    fputs(" ;;\n        esac\n        ;;\n", stream);
}

void cli_print_bash(FILE *stream)
{
    fputs(
        "# bash completion for relume; made from the program's own table of options\n"
        "_relume_words() {\n"
        "    local found\n"
        "    while IFS= read -r found; do COMPREPLY+=(\"$found\"); done < <(compgen -W \"$1\" -- \"$word\")\n"
        "}\n"
        "_relume_files() {\n"
        "    local found\n"
        "    compopt -o filenames 2>/dev/null\n"
        "    while IFS= read -r found; do COMPREPLY+=(\"$found\"); done < <(compgen \"$1\" -- \"$word\")\n"
        "}\n"
        "_relume() {\n"
        "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
        "    COMPREPLY=()\n"
        "    if [[ $word == = ]]; then\n"
        "        word=\n"
        "    elif [[ $before == = ]]; then\n"
        "        before=${COMP_WORDS[COMP_CWORD - 2]}\n"
        "    fi\n"
        "    if ((COMP_CWORD == 1)); then\n"
        "        _relume_words \"",
        stream);
    put_commands(stream);
    fputs(" --help --version\"\n        return\n    fi\n    case ${COMP_WORDS[1]} in\n", stream);
    for (const struct cli_command *const *command = cli_commands; *command; command++)
        bash_command(stream, *command);
    fputs("    esac\n}\ncomplete -F _relume relume\n", stream);
}

/* zsh */

static void zsh_values(FILE *stream, enum cli_kind kind, const char *choices)
{
    switch (kind) {
    case CLI_CHOICE:
    case CLI_INTERVAL:
    case CLI_SCHEDULE:
        fputc('(', stream);
        put_words(stream, choices);
        fputc(')', stream);
        return;
    case CLI_TOPIC:
        fputc('(', stream);
        put_commands(stream);
        fputc(' ', stream);
        put_names(stream, cli_topics);
        fputc(')', stream);
        return;
    case CLI_DATA:
        fputs("_relume_data", stream);
        return;
    case CLI_FILE:
        fputs("_files", stream);
        return;
    case CLI_FOLDER:
        fputs("_files -/", stream);
        return;
    default:
        fputc(' ', stream);
    }
}

static void zsh_command(FILE *stream, const struct cli_command *command)
{
    const struct cli_option *option;
    fprintf(stream, "    %s)\n        _arguments -S", command->name);
    for (size_t i = 0; (option = cli_option_at(command, i)) != NULL; i++) {
        fputs(" \\\n            ", stream);
        if (option->letter)
            fprintf(stream, "{-%c,--%s%s}'[", option->letter, option->name,
                    option->kind == CLI_FLAG ? "" : "=");
        else
            fprintf(stream, "'--%s%s[", option->name, option->kind == CLI_FLAG ? "" : "=");
        put_quoted(stream, option->help, "[]:\\");
        fputc(']', stream);
        if (option->kind != CLI_FLAG) {
            fprintf(stream, ":%s:", option->value);
            zsh_values(stream, option->kind, option->choices);
        }
        fputc('\'', stream);
    }
    int place = 1;
    for (const struct cli_positional *p = command->positionals; p->name; p++, place++) {
        if (cli_positional_repeats(p))
            fprintf(stream, " \\\n            '*:%s:", p->name);
        else
            fprintf(stream, " \\\n            '%d:%s:", place, p->name);
        zsh_values(stream, p->kind, "");
        fputc('\'', stream);
    }
    fputs("\n        ;;\n", stream);
}

void cli_print_zsh(FILE *stream)
{
    fputs("#compdef relume\n# zsh completion for relume; made from the program's own table of options\n"
          "_relume_data() {\n    _alternative 'names:data set:(",
          stream);
    put_names(stream, cli_data_names);
    fputs(")' 'files:file:_files'\n}\n"
          "_relume() {\n    local -a commands\n    commands=(\n",
          stream);
    for (const struct cli_command *const *command = cli_commands; *command; command++) {
        fprintf(stream, "        '%s:", (*command)->name);
        put_quoted(stream, (*command)->summary, ":\\");
        fputs("'\n", stream);
    }
    fputs("    )\n    if ((CURRENT == 2)); then\n        _describe command commands\n        return\n    fi\n"
          "    local command=$words[2]\n    shift words\n    ((CURRENT--))\n    case $command in\n",
          stream);
    for (const struct cli_command *const *command = cli_commands; *command; command++)
        zsh_command(stream, *command);
    fputs("    esac\n}\nif [[ $funcstack[1] == _relume ]]; then\n    _relume \"$@\"\nelse\n"
          "    compdef _relume relume\nfi\n",
          stream);
}

/* fish */

static void fish_values(FILE *stream, enum cli_kind kind, const char *choices)
{
    switch (kind) {
    case CLI_CHOICE:
    case CLI_INTERVAL:
    case CLI_SCHEDULE:
        fputs(" -x -a '", stream);
        put_words(stream, choices);
        fputc('\'', stream);
        return;
    case CLI_DATA:
        fputs(" -r -F -a '", stream);
        put_names(stream, cli_data_names);
        fputc('\'', stream);
        return;
    case CLI_FILE:
    case CLI_FOLDER:
        fputs(" -r -F", stream);
        return;
    default:
        fputs(" -x", stream);
    }
}

static void fish_command(FILE *stream, const struct cli_command *command)
{
    const struct cli_option *option;
    fprintf(stream, "complete -c relume -n __fish_use_subcommand -f -a %s -d '", command->name);
    put_quoted(stream, command->summary, "");
    fputs("'\n", stream);
    for (size_t i = 0; (option = cli_option_at(command, i)) != NULL; i++) {
        fprintf(stream, "complete -c relume -n '__fish_seen_subcommand_from %s' -l %s", command->name,
                option->name);
        if (option->letter)
            fprintf(stream, " -s %c", option->letter);
        if (option->kind != CLI_FLAG)
            fish_values(stream, option->kind, option->choices);
        fputs(" -d '", stream);
        put_quoted(stream, option->help, "");
        fputs("'\n", stream);
    }
    for (const struct cli_positional *p = command->positionals; p->name; p++) {
        if (p->kind != CLI_DATA && p->kind != CLI_TOPIC)
            continue;
        fprintf(stream, "complete -c relume -n '__fish_seen_subcommand_from %s' %s -a '", command->name,
                p->kind == CLI_TOPIC ? "-f" : "-F");
        if (p->kind == CLI_TOPIC)
            put_commands(stream);
        fputs(p->kind == CLI_TOPIC ? " " : "", stream);
        put_names(stream, p->kind == CLI_TOPIC ? cli_topics : cli_data_names);
        fputs("'\n", stream);
    }
}

void cli_print_fish(FILE *stream)
{
    fputs("# fish completion for relume; made from the program's own table of options\n"
          "complete -c relume -n __fish_use_subcommand -l help -d 'show what there is'\n"
          "complete -c relume -n __fish_use_subcommand -l version -d 'show the version, the CPU level and "
          "the threads'\n",
          stream);
    for (const struct cli_command *const *command = cli_commands; *command; command++)
        fish_command(stream, *command);
}
