/* What the commands share; see program.h. */
#include "program.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

static void put_prefix(const struct cli_term *err, const char *command)
{
    cli_style(err, CLI_BOLD);
    fputs("relume: ", err->stream);
    if (command)
        fprintf(err->stream, "%s: ", command);
    cli_style(err, CLI_PLAIN);
}

int cli_fail(const struct cli_program *program, const relume_error *error)
{
    const struct cli_term *err = &program->err;
    const char *command = program->args ? program->args->command->name : NULL;
    put_prefix(err, command);
    cli_put_text(err, *error->message ? error->message : relume_status_meaning(error->status));
    if (error->status == RELUME_USAGE)
        fprintf(err->stream, "\n  See: relume %s%s--help\n", command ? command : "", command ? " " : "");
    else if (error->status == RELUME_INTERRUPTED)
        fputc('\n', err->stream); /* only what trains has a state to go on from, and says so */
    else
        fprintf(err->stream, "\n  %s: %s\n", relume_status_name(error->status),
                relume_status_remedy(error->status));
    return relume_status_exit(error->status);
}

int cli_misuse(const struct cli_term *err, const char *command, const char *message)
{
    put_prefix(err, command);
    cli_put_text(err, message);
    if (command)
        fprintf(err->stream, "\n  See: relume %s --help\n", command);
    else
        fputs("\n  See: relume --help\n", err->stream);
    return relume_status_exit(RELUME_USAGE);
}

relume_status cli_error(relume_error *error, relume_status status, const char *format, ...)
{
    va_list list;
    memset(error, 0, sizeof *error);
    error->status = status;
    va_start(list, format);
    vsnprintf(error->message, sizeof error->message, format, list);
    va_end(list);
    return status;
}

relume_status cli_engine(const struct cli_program *program, relume_engine **engine, relume_error *error)
{
    relume_engine_options options;
    relume_engine_options_default(&options);
    if (cli_option_find(program->args->command, "threads", 0))
        options.threads = (size_t)cli_whole(program->args, "threads");
    return relume_engine_create(&options, engine, error);
}

const char *cli_agree(unsigned long long number, const char *one, const char *many)
{
    return number == 1 ? one : many;
}

void cli_data_options(const struct cli_args *args, relume_dataset_options *options)
{
    relume_dataset_options_default(options);
    options->labels = cli_text(args, "labels");
    options->target = cli_text(args, "target");
    options->x_key = cli_text(args, "x-key");
    options->y_key = cli_text(args, "y-key");
    options->test = cli_text(args, "test");
    options->holdout = cli_number(args, "holdout");
    options->seed = cli_whole(args, "seed");
    if (cli_option_find(args->command, "loss", 0))
        options->classes = strcmp(cli_text(args, "loss"), "softmax") == 0;
}

/* A softmax model tells classes apart, whatever numbers the file writes its labels as. */
static relume_status load_for(relume_engine *engine, const char *path, relume_dataset_options *options,
                              const relume_network *model, relume_dataset **dataset, relume_error *error)
{
    options->classes = relume_network_get_loss(model) == RELUME_LOSS_SOFTMAX;
    return relume_dataset_load(engine, path, options, dataset, error);
}

relume_status cli_load_for_model(relume_engine *engine, const char *path, relume_dataset_options *options,
                                 const relume_network *model, relume_dataset **dataset, relume_error *error)
{
    relume_dataset *made = NULL;
    relume_status status = load_for(engine, path, options, model, &made, error);
    if (status == RELUME_OK)
        status = relume_network_number_labels(model, made, error);
    if (status == RELUME_OK)
        *dataset = made;
    else
        relume_dataset_destroy(made);
    return status;
}

relume_status cli_open_model_and_data(const struct cli_program *program, relume_engine *engine,
                                      relume_network **network, relume_dataset **dataset, relume_error *error)
{
    relume_dataset_options options;
    relume_network *model = NULL;
    relume_status status = relume_run_load_network(engine, program->args->positional[0], &model, error);
    if (status != RELUME_OK)
        return status;
    cli_data_options(program->args, &options);
    options.need_targets = 0;
    status = load_for(engine, program->args->positional[1], &options, model, dataset, error);
    if (status != RELUME_OK) {
        relume_network_destroy(model);
        return status;
    }
    *network = model;
    return RELUME_OK;
}

relume_split cli_split(const struct cli_args *args)
{
    static const relume_split split[] = {RELUME_SPLIT_TRAIN, RELUME_SPLIT_TEST, RELUME_SPLIT_ALL};
    return split[cli_choice(args, "split")];
}

void cli_put_quoted(const struct cli_term *term, const char *word)
{
    const char *plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=,:%+@";
    if (*word && word[strspn(word, plain)] == 0) {
        fputs(word, term->stream);
        return;
    }
    fputc('\'', term->stream);
    for (; *word; word++)
        if (*word == '\'')
            fputs("'\\''", term->stream);
        else
            fputc((unsigned char)*word < 0x20 || *word == 0x7f ? '?' : *word, term->stream);
    fputc('\'', term->stream);
}

void cli_put_data_options(const struct cli_term *term, const struct cli_args *args)
{
    static const char *const names[] = {"labels", "target", "x-key", "y-key", "test", "holdout", "seed"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (cli_given(args, names[i])) {
            fprintf(term->stream, " --%s ", names[i]);
            cli_put_quoted(term, cli_text(args, names[i]));
        }
}

int cli_check_dead(const struct cli_program *program, size_t dead, size_t units)
{
    const struct cli_args *args = program->args;
    double share = units > 0 ? (double)dead / (double)units : 0;
    if (!cli_given(args, "fail-if-dead") || share <= cli_number(args, "fail-if-dead"))
        return relume_status_exit(RELUME_OK);
    put_prefix(&program->err, args->command->name);
    fprintf(program->err.stream,
            "check failed: %zu of %zu hidden %s %s dead (%.2f %%), more than the %s allowed\n", dead, units,
            cli_agree(units, "unit", "units"), cli_agree(dead, "is", "are"), 100 * share,
            cli_text(args, "fail-if-dead"));
    return relume_status_exit(RELUME_CHECK_FAILED);
}

int cli_close_stdout(const struct cli_term *err, int status)
{
    errno = 0;
    bool failed = ferror(stdout) != 0;
    if (fflush(stdout) != 0)
        failed = true;
    if (!failed)
        return status;
    if (errno == 0) /* the stream has forgotten why: one more byte of what is cut anyway */
        (void)!write(STDOUT_FILENO, "\n", 1);
    put_prefix(err, NULL);
    fprintf(err->stream, "cannot write the results to standard output%s%s\n  %s: %s\n", errno ? ": " : "",
            errno ? strerror(errno) : "", relume_status_name(RELUME_IO), relume_status_remedy(RELUME_IO));
    return relume_status_exit(RELUME_IO);
}
