/* relume forecast RUN: the network, data and training of a run in place of options, by making the command
 * line that they stand for. The forecast stays with the run, and its report shows it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forecast.h"

/* Options and the settings of a run that stand for them; `none` is the setting's value where there is no
 * need for the option. */
static const struct {
    const char *option, *setting, *none;
    bool flag;
} stand_ins[] = {
    {"labels", "labels", NULL, false},
    {"target", "target", NULL, false},
    {"x-key", "x_key", NULL, false},
    {"y-key", "y_key", NULL, false},
    {"test", "test", NULL, false},
    {"holdout", "holdout", "0", false},
    {"standardize", "standardize", "0", true},
    {"hidden", "hidden", NULL, false},
    {"init", "init", NULL, false},
    {"loss", "loss", NULL, false},
    {"batch", "batch_size", NULL, false},
    {"optimizer", "optimizer", NULL, false},
    {"momentum", "momentum", NULL, false},
    {"weight-decay", "weight_decay", "0", false},
    {"decay-bias", "decay_bias", "0", true},
    {"warmup", "warmup", "0", false},
    {"clip-norm", "clip_norm", "0", false},
    {"no-shuffle", "no_shuffle", "0", true},
    {"seed", "seed", NULL, false},
};

/* A command line under way; its words are on the heap. */
struct line {
    char *word[2 * CLI_MAX_OPTIONS];
    int count;
    bool failed;
};

static void add(struct line *line, const char *option, const char *value)
{
    size_t size = strlen(option) + (value ? strlen(value) : 0) + 4;
    char *word = malloc(size);
    if (!word) {
        line->failed = true;
        return;
    }
    (void)snprintf(word, size, value ? "--%s=%s" : "--%s", option, value);
    line->word[line->count++] = word;
}

static void add_word(struct line *line, const char *text)
{
    char *word = strdup(text);
    line->failed = line->failed || !word;
    if (word)
        line->word[line->count++] = word;
}

static void add_settings(struct line *line, const relume_run *run)
{
    for (size_t i = 0; i < sizeof stand_ins / sizeof *stand_ins; i++) {
        const char *value = relume_run_get_setting(run, stand_ins[i].setting);
        if (value && *value && !(stand_ins[i].none && strcmp(value, stand_ins[i].none) == 0))
            add(line, stand_ins[i].option, stand_ins[i].flag ? NULL : value);
    }
    const char *schedule = relume_run_get_setting(run, "schedule");
    const char *points = relume_run_get_setting(run, "points");
    if (schedule)
        add(line, "schedule", points && *points ? points : schedule);
}

/* The option of a run that was typed beside it; NULL for none. */
static const char *find_clash(const struct cli_args *args)
{
    for (size_t i = 0; i < sizeof stand_ins / sizeof *stand_ins; i++)
        if (cli_given(args, stand_ins[i].option))
            return stand_ins[i].option;
    return cli_given(args, "schedule") ? "schedule" : NULL;
}

static relume_status make_line(struct line *line, const struct cli_args *args, const relume_run *run,
                               relume_error *error)
{
    add_word(line, "forecast");
    for (size_t i = 0; i < args->count; i++) {
        const struct cli_value *value = &args->value[i];
        bool flag = value->option->kind == CLI_FLAG;
        if (value->given)
            add(line, value->option->name, flag ? NULL : value->text);
    }
    add_settings(line, run);
    add_word(line, "--");
    add_word(line, relume_run_get_setting(run, "data"));
    return line->failed ? cli_error(error, RELUME_NO_MEMORY, "not enough memory for the settings of a run")
                        : RELUME_OK;
}

static relume_status check_run(const struct cli_args *args, const relume_run *run, relume_error *error)
{
    const char *path = args->positional[0], *clash = find_clash(args);
    const char *from = relume_run_get_setting(run, "init_from");
    if (clash)
        return cli_error(
            error, RELUME_USAGE,
            "--%s: %.300s is a run, and is forecast with its own settings; leave the option out, "
            "or give DATA in place of the run",
            clash, path);
    if (from && *from)
        return cli_error(error, RELUME_MISMATCH,
                         "%.300s began from the weights of %.300s, which were not drawn: there is nothing to "
                         "forecast",
                         path, from);
    return RELUME_OK;
}

relume_status forecast_read_run(struct forecast *forecast, struct cli_program *program, relume_engine *engine,
                                relume_error *error)
{
    static struct cli_args args; /* its texts are those of `line` */
    static struct line line;
    relume_run *run = NULL;
    char message[512];
    relume_status status = relume_run_open(engine, program->args->positional[0], &run, error);
    if (status == RELUME_OK)
        status = check_run(program->args, run, error);
    /* the data by the rules for a run that a stranger has sent; they are read once more below */
    if (status == RELUME_OK)
        status = relume_run_load_dataset(run, error);
    if (status == RELUME_OK)
        status = make_line(&line, program->args, run, error);
    if (status == RELUME_OK &&
        !cli_args_parse(program->args->command, line.count, line.word, &args, message, sizeof message))
        status =
            cli_error(error, RELUME_MISMATCH, "%.300s was made with settings that forecast cannot take: %s",
                      program->args->positional[0], message);
    if (status == RELUME_OK) {
        const char *fingerprint = relume_run_get_setting(run, "data_fingerprint");
        (void)snprintf(forecast->fingerprint, sizeof forecast->fingerprint, "%s",
                       fingerprint ? fingerprint : "");
        forecast->run = program->args->positional[0];
        program->args = &args;
    }
    relume_run_destroy(run);
    return status;
}

relume_status forecast_check_data(const struct forecast *forecast, relume_error *error)
{
    char found[24];
    if (!forecast->run)
        return RELUME_OK;
    (void)snprintf(found, sizeof found, "%016llx",
                   (unsigned long long)relume_dataset_get_fingerprint(forecast->dataset));
    if (strcmp(found, forecast->fingerprint) == 0)
        return RELUME_OK;
    return cli_error(error, RELUME_MISMATCH,
                     "the data are not those %.300s was trained on: %.200s has fingerprint %s, it was %s",
                     forecast->run, forecast->program->args->positional[0], found, forecast->fingerprint);
}

void forecast_keep(const struct forecast *forecast, relume_engine *engine)
{
    FILE *err = forecast->program->err.stream;
    relume_error error = {0};
    if (!forecast->run)
        return;
    relume_status status = relume_forecast_keep(engine, forecast->run, &forecast->at[0].forecast,
                                                forecast->has_rate ? &forecast->rate : NULL,
                                                cli_whole(forecast->program->args, "steps"), &error);
    if (status == RELUME_OK)
        fputs("kept with the run: relume report shows it\n", err);
    else
        fprintf(err, "not kept with the run: %s\n", error.message);
}
