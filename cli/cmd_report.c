/* relume report RUN: every unit's life, in the terminal, as JSON, or as a page in one file. */
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "program.h"
#include "progress.h"
#include "signals.h"

/* What was asked for: -o is the page, --json the JSON, neither the terminal. */
static relume_report_format wanted_format(const struct cli_program *program)
{
    if (cli_given(program->args, "output"))
        return RELUME_REPORT_HTML;
    if (cli_given(program->args, "json"))
        return RELUME_REPORT_JSON;
    return program->out.unicode ? RELUME_REPORT_TEXT : RELUME_REPORT_ASCII;
}

static relume_status write_out(const char *path, const char *text, size_t length, bool newline,
                               relume_error *error)
{
    struct cli_output output;
    relume_status status = cli_output_open(&output, path, error);
    if (status != RELUME_OK)
        return status;
    (void)fwrite(text, 1, length, output.stream); /* the stream remembers a failure until it is closed */
    if (newline)
        (void)fputc('\n', output.stream);
    return cli_output_close(&output, error);
}

/* Narration, so that stdout stays the result's. */
static void tell(const struct cli_program *program, const char *path, size_t length)
{
    fputs("wrote ", program->err.stream);
    cli_put_quoted(&program->err, path);
    fprintf(program->err.stream, " (%.1f MB): open it in a browser\n", (double)length / 1e6);
}

static void set_options(struct cli_program *program, relume_report_options *options)
{
    relume_report_options_default(options);
    if (cli_given(program->args, "autopsy"))
        options->autopsy = RELUME_REPORT_AUTOPSY_ALWAYS;
    if (cli_given(program->args, "no-autopsy"))
        options->autopsy = RELUME_REPORT_AUTOPSY_NEVER;
    options->progress = program->err.tty ? cli_progress_repeating : NULL;
    options->user = &program->err;
    options->stop = &cli_stop;
}

static relume_status make_report(struct cli_program *program, relume_engine *engine, relume_error *error)
{
    relume_report_options options;
    const char *path = cli_text(program->args, "output"), *text = NULL;
    relume_report_format format = wanted_format(program);
    size_t length = 0;
    relume_report *report = NULL;
    set_options(program, &options);
    cli_signals_catch();
    relume_status status =
        relume_report_create(engine, program->args->positional[0], &options, &report, error);
    cli_progress_clear(&program->err);
    if (status != RELUME_OK)
        return status;
    status = relume_report_print(report, format, program->out.width, &text, &length, error);
    if (status == RELUME_OK)
        status = write_out(path, text, length, format == RELUME_REPORT_JSON, error);
    if (status == RELUME_OK && path)
        tell(program, path, length);
    relume_report_destroy(report);
    return status;
}

int cmd_report(struct cli_program *program)
{
    relume_error error = {0};
    relume_engine *engine = NULL;
    if (cli_given(program->args, "output") && cli_given(program->args, "json"))
        return cli_misuse(&program->err, "report",
                          "--json and --output are two results: ask for one at a time");
    if (cli_given(program->args, "output") && !relume_report_has_page())
        return cli_misuse(
            &program->err, "report",
            "--output: this build of relume carries no page, for node or the packages of web/ "
            "(npm ci) were missing when it was built; the terminal report and --json say the same");
    if (cli_given(program->args, "autopsy") && cli_given(program->args, "no-autopsy"))
        return cli_misuse(&program->err, "report", "--autopsy and --no-autopsy contradict each other");
    relume_status status = cli_engine(program, &engine, &error);
    if (status == RELUME_OK)
        status = make_report(program, engine, &error);
    relume_engine_destroy(engine);
    int code = status == RELUME_OK ? 0 : cli_fail(program, &error);
    return status == RELUME_INTERRUPTED ? 128 + cli_stop : code;
}
