/* relume sweep DATA: the same training at one rate after another, then table, cliff and plot. */
#include "sweep.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "signals.h"

/* ---- one training ---- */

/* As a run directory: the same command again finds it finished, or goes on with it. */
static relume_status train_run(struct sweep *sweep, relume_engine *engine, relume_sweep_row *row,
                               relume_error *error)
{
    char name[SWEEP_RUN_NAME], path[4096 + SWEEP_RUN_NAME];
    relume_run_options options = sweep->options;
    relume_run *run = NULL;
    relume_sweep_row named = {.init = options.init,
                              .optimizer = options.trainer.optimizer,
                              .learning_rate = options.trainer.learning_rate};
    sweep_run_name(sweep, &named, name);
    (void)snprintf(path, sizeof path, "%.4095s/%s", cli_text(sweep->program->args, "output"), name);
    options.path = path;
    options.resume = 1;
    relume_status status = relume_run_train(engine, &options, &run, error);
    if (status == RELUME_OK || (status == RELUME_DIVERGED && run))
        status = relume_sweep_read(run, status == RELUME_DIVERGED, row, error);
    relume_run_destroy(run);
    return status;
}

static void tell_row(const struct sweep *sweep, const relume_sweep_row *row)
{
    FILE *err = sweep->program->err.stream;
    fprintf(err, "%zu/%zu  ", sweep->rows, sweep->plan.groups * sweep->plan.rates);
    if (sweep->plan.groups > 1)
        fprintf(err, "%s  %s  ", relume_init_name(row->init), relume_optimizer_name(row->optimizer));
    fprintf(err, "lr %g  ", row->learning_rate);
    if (row->diverged)
        fprintf(err, "diverged after step %llu", (unsigned long long)row->steps);
    else if (isfinite(relume_sweep_row_accuracy(row)))
        fprintf(err, "accuracy %.4f", relume_sweep_row_accuracy(row));
    else
        fprintf(err, "loss %.4g", isfinite(row->test.loss) ? row->test.loss : row->train.loss);
    fprintf(err, "  dead %llu/%zu  %.1f s\n", (unsigned long long)row->total.dead_at_end, row->units,
            row->seconds);
    fflush(err);
}

static relume_status train_all(struct sweep *sweep, relume_engine *engine, relume_error *error)
{
    const struct sweep_plan *plan = &sweep->plan;
    for (size_t g = 0; g < plan->groups; g++) {
        for (size_t i = 0; i < plan->rates; i++) {
            relume_sweep_row *row = &sweep->row[sweep->rows];
            sweep->options.init = plan->group[g].init;
            sweep->options.trainer.optimizer = plan->group[g].optimizer;
            sweep->options.trainer.learning_rate = plan->rate[i];
            relume_status status =
                cli_given(sweep->program->args, "output")
                    ? train_run(sweep, engine, row, error)
                    : relume_sweep_train(engine, sweep->dataset, &sweep->options, row, error);
            if (status != RELUME_OK)
                return status;
            sweep->rows++;
            tell_row(sweep, row);
        }
    }
    return RELUME_OK;
}

/* ---- before and after ---- */

static void set_options(struct sweep *sweep)
{
    const struct cli_args *args = sweep->program->args;
    relume_run_options *options = &sweep->options;
    relume_run_options_default(options);
    cli_training_read(&sweep->training, args);
    options->data = args->positional[0];
    cli_data_options(args, &options->data_options);
    options->data_options.standardize = cli_given(args, "standardize");
    options->hidden = sweep->training.widths.unit;
    options->hidden_layers = sweep->training.widths.count;
    options->loss = (int)cli_choice(args, "loss") - 1; /* auto is -1 */
    options->trainer = sweep->training.trainer;
    options->trainer.epochs = cli_whole(args, "epochs");
    options->census = cli_interval_option(args, "census");
    options->checkpoint.kind = RELUME_EVERY_EPOCH;
    options->stop = &cli_stop;
}

static relume_status make_folder(const char *path, relume_error *error)
{
    if (!path || mkdir(path, 0777) == 0 || errno == EEXIST)
        return RELUME_OK;
    int number = errno;
    return cli_error(error, RELUME_IO, "%.300s: cannot make the folder: %s", path, strerror(number));
}

static relume_status prepare(struct sweep *sweep, relume_engine *engine, relume_dataset **dataset,
                             relume_error *error)
{
    size_t rows = sweep->plan.groups * sweep->plan.rates;
    sweep->engine = engine;
    relume_status status = make_folder(cli_text(sweep->program->args, "output"), error);
    if (status == RELUME_OK)
        status =
            relume_dataset_load(engine, sweep->options.data, &sweep->options.data_options, dataset, error);
    sweep->dataset = *dataset;
    sweep->row = calloc(rows, sizeof *sweep->row);
    if (status == RELUME_OK && !sweep->row)
        status = cli_error(error, RELUME_NO_MEMORY, "cannot allocate memory for %zu trainings", rows);
    return status;
}

static relume_status print_result(const struct sweep *sweep, relume_error *error)
{
    return cli_given(sweep->program->args, "json") ? sweep_print_json(sweep, error)
                                                   : sweep_print_text(sweep, error);
}

/* What was trained before a stop is shown too. */
static int conclude(const struct sweep *sweep, relume_status status, relume_error *error)
{
    if (status == RELUME_INTERRUPTED) {
        size_t all = sweep->plan.groups * sweep->plan.rates;
        fprintf(sweep->program->err.stream, "stopped: %zu of %zu %s %s done\n", sweep->rows, all,
                cli_agree(all, "training", "trainings"), cli_agree(sweep->rows, "is", "are"));
        int number = cli_stop;
        if (sweep->rows > 0 && print_result(sweep, error) != RELUME_OK)
            return cli_fail(sweep->program, error);
        return number > 0 ? 128 + number : relume_status_exit(RELUME_INTERRUPTED);
    }
    if (status == RELUME_OK)
        status = print_result(sweep, error);
    return status == RELUME_OK ? 0 : cli_fail(sweep->program, error);
}

int cmd_sweep(struct cli_program *program)
{
    static struct sweep sweep; /* large, and there is one */
    char message[512];
    relume_engine *engine = NULL;
    relume_dataset *dataset = NULL;
    relume_error error = {0};
    sweep.program = program;
    if (!sweep_plan_read(&sweep.plan, program->args, message, sizeof message))
        return cli_misuse(&program->err, "sweep", message);
    set_options(&sweep);
    relume_status status = cli_engine(program, &engine, &error);
    if (status == RELUME_OK)
        status = prepare(&sweep, engine, &dataset, &error);
    if (status == RELUME_OK) {
        cli_signals_catch();
        status = train_all(&sweep, engine, &error);
    }
    int exit_status = conclude(&sweep, status, &error);
    for (size_t i = 0; i < sweep.rows; i++)
        relume_sweep_row_deinit(&sweep.row[i]);
    free(sweep.row);
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
    return exit_status;
}
