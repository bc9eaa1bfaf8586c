/* Command lines. The first byte of an input chooses the command, a line is a word. Every value that is let
 * through is within its row of the table. */
#include <math.h>

#include "args.h"
#include "fuzz.h"

enum { WORDS_MOST = 40, TEXT_MOST = 4096 };

static void check_value(const struct cli_value *value)
{
    const struct cli_option *option = value->option;
    FUZZ_MUST(!value->given || value->text || option->kind == CLI_FLAG);
    FUZZ_MUST(!option->required || value->text);
    if (!value->text)
        return;
    double number = option->kind == CLI_WHOLE ? (double)value->whole : value->number;
    char word[64];
    switch (option->kind) {
    case CLI_WHOLE:
    case CLI_NUMBER:
    case CLI_SHARE:
        FUZZ_MUST(isfinite(number) && number >= option->low);
        FUZZ_MUST(!option->above || number > option->low);
        FUZZ_MUST(option->high == 0 || number <= option->high);
        break;
    case CLI_CHOICE:
        FUZZ_MUST(cli_choice_at(option->choices, value->choice, word, sizeof word));
        FUZZ_MUST(strcmp(word, value->text) == 0);
        break;
    case CLI_FLAG:
        break;
    default:
        FUZZ_MUST(*value->text);
    }
}

static void check(const struct cli_args *args)
{
    FUZZ_MUST(args->count <= CLI_MAX_OPTIONS);
    for (size_t i = 0; i < args->count; i++)
        check_value(&args->value[i]);
    const struct cli_positional *positional = args->command->positionals;
    for (size_t i = 0; positional && positional[i].name; i++)
        FUZZ_MUST(args->positional[i] || positional[i].optional);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cli_args args;
    char text[TEXT_MOST], message[768] = "", *words[WORDS_MOST + 1];
    size_t commands = 1; /* there is one at least */
    if (size == 0 || size >= TEXT_MOST)
        return 0;
    while (cli_commands[commands])
        commands++;
    const struct cli_command *command = cli_commands[data[0] % commands];
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    int count = 0;
    words[count++] = (char *)(uintptr_t)command->name;
    for (char *word = text; word && count < WORDS_MOST; count++) {
        words[count] = word;
        word = strchr(word, '\n');
        if (word)
            *word++ = '\0';
    }
    words[count] = NULL;
    if (cli_args_parse(command, count, words, &args, message, sizeof message)) {
        if (!args.help)
            check(&args);
    } else {
        FUZZ_MUST(strlen(message) > 10);
    }
    return 0;
}
