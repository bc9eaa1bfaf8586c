/* The program: which command, its arguments, and what holds for all of them (streams, locale, the last
 * flush). */
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "help.h"
#include "program.h"
#include "suggest.h"

static const struct {
    const char *name;
    int (*run)(struct cli_program *program);
} functions[] = {
    {"autopsy", cmd_autopsy}, {"bench", cmd_bench},       {"census", cmd_census},       {"demo", cmd_demo},
    {"explain", cmd_explain}, {"forecast", cmd_forecast}, {"gradcheck", cmd_gradcheck}, {"help", cmd_help},
    {"inspect", cmd_inspect}, {"predict", cmd_predict},   {"report", cmd_report},       {"serve", cmd_serve},
    {"sweep", cmd_sweep},     {"train", cmd_train},
};

/* A stream closed by the caller (`>&-`) would lend its number to the next file opened, and results would be
 * written into it. Put something harmless there: neither reading it nor writing it works. */
static void occupy_standard_streams(void)
{
    for (int descriptor = 0; descriptor <= 2; descriptor++)
        if (fcntl(descriptor, F_GETFD) == -1)
            (void)open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY);
}

/* The version, and why computing goes the way it does. */
static int print_version(struct cli_program *program)
{
    relume_engine *engine;
    relume_error error;
    printf("relume %s\n", relume_version());
    if (relume_engine_create(NULL, &engine, &error) != RELUME_OK)
        return cli_fail(program, &error);
    printf("CPU level: %s (%s)\n", relume_engine_get_kernel(engine), relume_engine_get_kernel_reason(engine));
    printf("threads: %zu (%s)\n", relume_engine_get_threads(engine),
           relume_engine_get_threads_reason(engine));
    relume_engine_destroy(engine);
    return 0;
}

int cmd_help(struct cli_program *program)
{
    const char *topic = program->args->positional[0];
    char hint[96], message[256];
    if (!topic) {
        cli_help_program(&program->out);
        return 0;
    }
    const struct cli_command *command = cli_command_find(topic);
    if (command) {
        cli_help_command(&program->out, command);
        return 0;
    }
    if (strcmp(topic, "errors") == 0) {
        cli_help_errors(&program->out);
        return 0;
    }
    cli_did_you_mean_command(topic, hint, sizeof hint);
    snprintf(message, sizeof message, "there is no command or page \"%.100s\"%s", topic, hint);
    return cli_misuse(&program->err, "help", message);
}

static int run_command(struct cli_program *program, const struct cli_command *command, int argc, char **argv)
{
    struct cli_args args = {0};
    char message[768];
    if (!cli_args_parse(command, argc, argv, &args, message, sizeof message))
        return cli_misuse(&program->err, command->name, message);
    if (args.help) {
        cli_help_command(&program->out, command);
        return 0;
    }
    program->args = &args; /* cppcheck-suppress autoVariables; the command ends before they do */
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strcmp(functions[i].name, command->name) == 0)
            return functions[i].run(program);
    abort(); /* a row of the table without a function: a test runs each */
}

static int run(struct cli_program *program, int argc, char **argv)
{
    char hint[96], message[256];
    if (argc < 2)
        return cli_misuse(&program->err, NULL, "a command is missing, such as demo, train or census");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        cli_help_program(&program->out);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0)
        return print_version(program);
    const struct cli_command *command = cli_command_find(argv[1]);
    if (command)
        return run_command(program, command, argc - 1, argv + 1);
    if (argv[1][0] == '-') {
        struct cli_suggestion nearest = {.typed = argv[1]};
        cli_suggest(&nearest, "--help");
        cli_suggest(&nearest, "--version");
        snprintf(message, sizeof message, "%.100s: a command comes first, such as relume train%s%s%s",
                 argv[1], nearest.word ? "; did you mean " : "", nearest.word ? nearest.word : "",
                 nearest.word ? "?" : "");
        return cli_misuse(&program->err, NULL, message);
    }
    cli_did_you_mean_command(argv[1], hint, sizeof hint);
    snprintf(message, sizeof message, "there is no command \"%.100s\"%s", argv[1], hint);
    return cli_misuse(&program->err, NULL, message);
}

int main(int argc, char **argv)
{
    struct cli_program program = {.name = argc > 0 && strchr(argv[0], '/') ? argv[0] : "relume"};
    occupy_standard_streams();
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error to report, not a silent death */
    signal(SIGXFSZ, SIG_IGN); /* and so is a limit on the size of files */
    setlocale(LC_CTYPE, "");  /* names only: numbers stay in the C locale */
    cli_term_init(&program.out, stdout);
    cli_term_init(&program.err, stderr);
    return cli_close_stdout(&program.err, run(&program, argc, argv));
}
