/* relume autopsy RUN [UNIT...]: when, by which update and why each unit died, and whether it can return. */
#include <stdlib.h>
#include <string.h>

#include "autopsy.h"
#include "progress.h"
#include "signals.h"

/* "h1.37" as a unit. False for anything else. */
static bool read_unit(const char *text, relume_autopsy_unit *unit)
{
    char *end;
    if (text[0] != 'h' || text[1] < '1' || text[1] > '9')
        return false;
    unsigned long layer = strtoul(text + 1, &end, 10);
    if (*end != '.' || end[1] < '0' || end[1] > '9' || layer > 100000)
        return false;
    unsigned long long number = strtoull(end + 1, &end, 10);
    *unit = (relume_autopsy_unit){layer - 1, (size_t)number};
    return *end == 0 && number < 1000000000000ULL;
}

/* The units named, into `unit`, which has room for as many as there are arguments. */
static bool read_units(const struct cli_args *args, relume_autopsy_unit *unit, size_t *count,
                       const char **wrong)
{
    for (*count = 0; args->positional[*count + 1]; ++*count)
        if (!read_unit(args->positional[*count + 1], &unit[*count])) {
            *wrong = args->positional[*count + 1];
            return false;
        }
    return true;
}

static relume_status hold(struct cli_program *program, relume_run *run, const relume_autopsy_options *options,
                          relume_error *error)
{
    struct cli_autopsy autopsy = {
        .program = program, .run = run, .unit = options->unit, .units = options->unit_count};
    relume_autopsy *found = NULL;
    relume_status status = relume_run_load_dataset(run, error);
    if (status == RELUME_OK)
        status = relume_autopsy_hold(run, options, &found, error);
    cli_progress_clear(&program->err);
    if (status != RELUME_OK)
        return status;
    autopsy.found = found;
    if (cli_given(program->args, "json"))
        status = cli_print_autopsy_json(&autopsy, error);
    else if (!cli_print_autopsy(&autopsy))
        status = cli_error(error, RELUME_NO_MEMORY, "cannot allocate memory for the table");
    relume_autopsy_destroy(found);
    return status;
}

int cmd_autopsy(struct cli_program *program)
{
    relume_autopsy_unit unit[CLI_MAX_POSITIONALS];
    const char *wrong = NULL;
    relume_autopsy_options options;
    relume_autopsy_options_default(&options);
    if (!read_units(program->args, unit, &options.unit_count, &wrong)) {
        char message[256];
        snprintf(message, sizeof message,
                 "\"%.80s\" is no unit; expected a hidden layer and a number, such as h1.37", wrong);
        return cli_misuse(&program->err, "autopsy", message);
    }
    options.unit = options.unit_count > 0 ? unit : NULL;
    options.all = cli_given(program->args, "all");
    options.episodes = cli_given(program->args, "episodes");
    options.progress = program->err.tty ? cli_progress_repeating : NULL;
    options.user = &program->err;
    options.stop = &cli_stop;
    cli_signals_catch();
    relume_error error = {0};
    relume_engine *engine = NULL;
    relume_run *run = NULL;
    relume_status status = cli_engine(program, &engine, &error);
    if (status == RELUME_OK)
        status = relume_run_open(engine, program->args->positional[0], &run, &error);
    if (status == RELUME_OK)
        status = hold(program, run, &options, &error);
    int code = status == RELUME_OK ? 0 : cli_fail(program, &error);
    if (status == RELUME_INTERRUPTED)
        code = 128 + cli_stop;
    relume_run_destroy(run);
    relume_engine_destroy(engine);
    return code;
}
