/* relume train DATA -o RUN: settings on stderr, progress while it lasts, then what the run has come to. */
#include <math.h>
#include <string.h>

#include "account.h"
#include "columns.h"
#include "progress.h"
#include "signals.h"
#include "training.h"
#include "watch.h"

/* The options of a run and what they point into. */
struct settings {
    relume_run_options run;
    struct cli_training training;
    struct cli_watch watch;
};

/* A rate that was given stays what it is unless a schedule is asked for; the default rate comes down to 0.
 * Measured on fashion-mnist, 15 epochs of momentum at 0.05, seeds 0 to 2: test accuracy 0.899, 0.900, 0.899
 * with cosine and no unit dead; constant rates of 0.03 and 0.1 gave 0.872 to 0.889. */
static void set_trainer(struct settings *settings, const struct cli_args *args)
{
    relume_trainer_options *trainer = &settings->run.trainer;
    cli_training_read(&settings->training, args);
    *trainer = settings->training.trainer;
    trainer->epochs = cli_whole(args, "epochs");
    trainer->dense = cli_given(args, "dense");
    if (cli_given(args, "lr"))
        trainer->learning_rate = cli_number(args, "lr");
    else if (!cli_given(args, "schedule"))
        trainer->schedule = RELUME_SCHEDULE_COSINE;
}

static void set_run(struct settings *settings, const struct cli_args *args, struct cli_progress *progress)
{
    struct cli_watch *watch = &settings->watch;
    relume_run_options *run = &settings->run;
    relume_run_options_default(run);
    run->path = cli_text(args, "output");
    run->data = args->positional[0];
    cli_data_options(args, &run->data_options);
    run->data_options.standardize = cli_given(args, "standardize");
    set_trainer(settings, args);
    run->hidden = settings->training.widths.unit;
    run->hidden_layers = settings->training.widths.count;
    run->init = (relume_init)cli_choice(args, "init");
    run->init_from = cli_text(args, "init-from");
    run->loss = (int)cli_choice(args, "loss") - 1; /* auto is -1 */
    run->census = cli_interval_option(args, "census");
    run->checkpoint = cli_interval_option(args, "checkpoint");
    run->early_stop = cli_whole(args, "early-stop");
    run->nearly_dead = cli_number(args, "nearly-dead");
    run->resume = cli_given(args, "resume");
    *watch = (struct cli_watch){.progress = progress,
                                .warn = cli_given(args, "warn"),
                                .limited = cli_given(args, "warn") && cli_given(args, "fail-if-dead"),
                                .limit = cli_number(args, "fail-if-dead")};
    run->news = cli_watch_news;
    run->user = watch;
    run->stop = &cli_stop;
}

/* With --init-from and without --hidden, the model says how many units each layer has. */
static relume_status take_widths(struct settings *settings, const struct cli_args *args,
                                 relume_engine *engine, relume_error *error)
{
    relume_network *network;
    if (!settings->run.init_from || cli_given(args, "hidden"))
        return RELUME_OK;
    relume_status status = relume_run_load_network(engine, settings->run.init_from, &network, error);
    if (status != RELUME_OK)
        return status;
    size_t layers = relume_network_get_layers(network) - 1;
    settings->run.hidden_layers = settings->training.widths.count =
        layers < CLI_MAX_WIDTHS ? layers : CLI_MAX_WIDTHS;
    for (size_t i = 0; i < settings->training.widths.count; i++)
        settings->training.widths.unit[i] = relume_network_get_layer(network, i).out_features;
    relume_network_destroy(network);
    return RELUME_OK;
}

/* What is about to be done, defaults and all, on stderr. */
static void tell_settings(const struct cli_program *program, const struct settings *settings,
                          const relume_engine *engine)
{
    const struct cli_args *args = program->args;
    const struct cli_term *err = &program->err;
    const relume_trainer_options *trainer = &settings->run.trainer;
    fputs("training on ", err->stream);
    cli_put_text(err, settings->run.data);
    fputs(", into ", err->stream);
    cli_put_text(err, settings->run.path);
    fputs("\n  network   hidden ", err->stream);
    for (size_t i = 0; i < settings->training.widths.count; i++)
        fprintf(err->stream, "%s%zu", i ? "," : "", settings->training.widths.unit[i]);
    fprintf(err->stream, "  init %s  loss %s\n",
            settings->run.init_from ? "from a model" : cli_text(args, "init"), cli_text(args, "loss"));
    fprintf(err->stream, "  training  %s  lr %g  schedule %s  epochs %s  batch %s  seed %s\n",
            cli_text(args, "optimizer"), trainer->learning_rate,
            cli_given(args, "schedule") ? cli_text(args, "schedule")
                                        : relume_schedule_name(trainer->schedule),
            cli_text(args, "epochs"), cli_text(args, "batch"), cli_text(args, "seed"));
    if (trainer->optimizer == RELUME_MOMENTUM || trainer->optimizer == RELUME_NESTEROV ||
        trainer->weight_decay > 0 || trainer->warmup > 0)
        fprintf(err->stream, "            momentum %s  weight decay %s%s  warmup %s\n",
                cli_text(args, "momentum"), cli_text(args, "weight-decay"),
                trainer->decay_bias ? " (biases too)" : "", cli_text(args, "warmup"));
    fprintf(err->stream, "  account   census %s  checkpoint %s\n", cli_text(args, "census"),
            cli_text(args, "checkpoint"));
    fprintf(err->stream, "  machine   %s  threads %zu\n", relume_engine_get_kernel(engine),
            relume_engine_get_threads(engine));
    fflush(err->stream);
}

static json_t *score_json(struct cli_json *document, relume_score score)
{
    json_t *object = json_object();
    cli_json_set(document, object, "loss", cli_json_double(score.loss));
    cli_json_set(document, object, "accuracy", cli_json_double(score.accuracy));
    return object;
}

/* How a training came to its end, in the words of the schema. */
static const char *ending_words(const struct settings *settings, relume_status status)
{
    if (status == RELUME_DIVERGED)
        return "diverged";
    if (status == RELUME_INTERRUPTED)
        return settings->watch.exceeded ? "too many dead units" : "interrupted";
    return "finished";
}

static relume_status print_json(const struct settings *settings, const relume_engine *engine,
                                const relume_run *run, const char *ended, relume_error *error)
{
    const relume_run_result *result = relume_run_get_result(run);
    struct cli_json document;
    cli_json_init(&document, "relume.train/1");
    json_t *root = document.root;
    cli_json_set(&document, root, "run", cli_json_text(settings->run.path));
    cli_json_set(&document, root, "seed", cli_json_count(settings->run.trainer.seed));
    cli_json_set(&document, root, "kernel", cli_json_text(relume_engine_get_kernel(engine)));
    cli_json_set(&document, root, "threads", cli_json_count(relume_engine_get_threads(engine)));
    cli_json_set(&document, root, "epochs", cli_json_count(result->epochs));
    cli_json_set(&document, root, "steps", cli_json_count(result->steps));
    cli_json_set(&document, root, "seconds", cli_json_double(result->seconds));
    cli_json_set(&document, root, "samples_per_second", cli_json_double(result->samples_per_second));
    cli_json_set(&document, root, "train", score_json(&document, result->train));
    cli_json_set(&document, root, "test", score_json(&document, result->test));
    cli_json_set(&document, root, "layers", cli_layers_json(&document, relume_run_get_last_census(run)));
    cli_json_set(&document, root, "ledger", cli_ledger_json(&document, run));
    cli_json_set(&document, root, "was_finished", json_boolean(result->was_finished));
    cli_json_set(&document, root, "best_epoch",
                 result->best_epoch ? cli_json_count(result->best_epoch) : json_null());
    cli_json_set(&document, root, "step_seconds", cli_json_double(result->step_seconds));
    cli_json_set(&document, root, "load_seconds", cli_json_double(result->load_seconds));
    cli_json_set(&document, root, "evaluate_seconds", cli_json_double(result->evaluate_seconds));
    cli_json_set(&document, root, "census_seconds", cli_json_double(result->census_seconds));
    cli_json_set(&document, root, "save_seconds", cli_json_double(result->save_seconds));
    cli_json_set(&document, root, "ended", cli_json_text(ended));
    relume_status status = cli_json_print(&document, error);
    cli_json_deinit(&document);
    return status;
}

static void print_score(const char *split, relume_score score)
{
    if (!isfinite(score.loss))
        return;
    if (isfinite(score.accuracy))
        printf("%s accuracy %.4f (loss %.4f)", split, score.accuracy, score.loss);
    else
        printf("%s loss %.6g", split, score.loss);
}

static void print_outcome(const struct cli_program *program, const struct settings *settings,
                          const relume_run *run)
{
    const relume_run_result *result = relume_run_get_result(run);
    char steps[32];
    fputs("\nresult  ", stdout);
    print_score("train", result->train);
    if (isfinite(result->test.loss))
        fputs(", ", stdout);
    print_score("test", result->test);
    printf("\nafter   %llu %s, %s %s", (unsigned long long)result->epochs,
           cli_agree(result->epochs, "epoch", "epochs"), cli_grouped(result->steps, steps),
           cli_agree(result->steps, "step", "steps"));
    if (result->best_epoch)
        printf("; the weights of epoch %llu were the best and are kept",
               (unsigned long long)result->best_epoch);
    fputs("\nledger  ", stdout);
    cli_print_ledger(run);
    fputs("run     ", stdout);
    cli_put_text(&program->out, settings->run.path);
    fputs("\nnext    ", stdout);
    cli_put_quoted(&program->out, program->name);
    if (!relume_run_is_counted(run)) {
        fputs(" autopsy ", stdout);
        cli_put_quoted(&program->out, settings->run.path);
        putchar('\n');
        return;
    }
    fputs(" census ", stdout);
    cli_put_quoted(&program->out, settings->run.path);
    putchar(' ');
    cli_put_quoted(&program->out, settings->run.data);
    cli_put_data_options(&program->out, program->args);
    fputs(" --units\n", stdout);
}

/* Many dead units deserve words, not only a number. */
static void warn_of_deaths(const struct cli_program *program, const struct settings *settings,
                           const relume_run *run)
{
    const relume_census *census = relume_run_get_census(run);
    const double many = 0.1;
    for (size_t i = 0; census && i < relume_census_get_layers(census); i++) {
        relume_layer_account layer = relume_census_get_layer(census, i);
        if ((double)layer.dead < many * (double)layer.units)
            continue;
        cli_style(&program->err, CLI_YELLOW);
        fprintf(program->err.stream, "warning: %zu of %s%zu %s of %s %s dead: no training sample opens %s",
                layer.dead, cli_agree(layer.units, "", "the "), layer.units,
                cli_agree(layer.units, "unit", "units"), layer.name, cli_agree(layer.dead, "is", "are"),
                cli_agree(layer.dead, "it", "them"));
        cli_style(&program->err, CLI_PLAIN);
        fprintf(program->err.stream,
                "\n  To lose fewer, train again with a lower rate (--lr %.2g) or with --warmup %llu\n",
                settings->run.trainer.learning_rate / 3,
                (unsigned long long)relume_run_get_result(run)->steps / 20 + 1);
        return;
    }
}

static relume_status print_result(const struct cli_program *program, const struct settings *settings,
                                  const relume_engine *engine, const relume_run *run, relume_error *error)
{
    const relume_run_result *result = relume_run_get_result(run);
    if (result->was_finished)
        fputs("this run is finished already; nothing was trained\n", program->err.stream);
    if (cli_given(program->args, "json"))
        return print_json(settings, engine, run, ending_words(settings, RELUME_OK), error);
    if (!cli_print_run_table(&program->out, run))
        return cli_error(error, RELUME_NO_MEMORY, "cannot allocate memory for the table");
    print_outcome(program, settings, run);
    warn_of_deaths(program, settings, run);
    return RELUME_OK;
}

/* A run that diverged: where it stands, and what helps. */
static int tell_diverged(const struct cli_program *program, const struct settings *settings,
                         const relume_error *error)
{
    int status = cli_fail(program, error);
    const struct cli_term *err = &program->err;
    fputs("  The checkpoints before that update are kept in ", err->stream);
    cli_put_text(err, settings->run.path);
    fprintf(err->stream,
            "/checkpoints.\n  Train again, into a new run, with a lower rate (--lr %.2g), --warmup 100 or "
            "--clip-norm 1\n",
            settings->run.trainer.learning_rate / 10);
    return status;
}

static int tell_stopped(const struct cli_program *program, const struct settings *settings,
                        const relume_run *run)
{
    const struct cli_term *err = &program->err;
    int number = cli_stop;
    if (settings->watch.exceeded) {
        fprintf(err->stream,
                "ended early after step %llu: --warn with --fail-if-dead; the state is saved in ",
                (unsigned long long)relume_run_get_result(run)->steps);
        cli_put_text(err, settings->run.path);
        fputs("\n  To go on all the same: the same command without --warn, with --resume\n", err->stream);
        return cli_check_dead(program, settings->watch.dead, settings->watch.units);
    }
    if (run) {
        fprintf(err->stream, "stopped after step %llu, with the state saved in ",
                (unsigned long long)relume_run_get_result(run)->steps);
        cli_put_text(err, settings->run.path);
        fputs("\n  To go on from there: the same command with --resume\n", err->stream);
    }
    return number > 0 ? 128 + number : relume_status_exit(RELUME_INTERRUPTED);
}

static int conclude(const struct cli_program *program, const struct settings *settings,
                    const relume_engine *engine, relume_status status, const relume_run *run,
                    relume_error *error)
{
    relume_error trouble = {0};
    if (run && status != RELUME_OK && cli_given(program->args, "json") &&
        print_json(settings, engine, run, ending_words(settings, status), &trouble) != RELUME_OK)
        return cli_fail(program, &trouble);
    if (status == RELUME_INTERRUPTED)
        return tell_stopped(program, settings, run);
    if (status == RELUME_DIVERGED && run)
        return tell_diverged(program, settings, error);
    if (status == RELUME_OK)
        status = print_result(program, settings, engine, run, error);
    if (status != RELUME_OK)
        return cli_fail(program, error);
    const relume_census *census = relume_run_get_census(run);
    return census ? cli_check_dead(program, relume_census_get_dead(census), relume_census_get_units(census))
                  : 0;
}

/* What asks for counts that --census off does not make. NULL: nothing. */
static const char *find_contradiction(const struct cli_args *args)
{
    if (cli_interval_option(args, "census").kind != RELUME_OFF)
        return NULL;
    if (cli_given(args, "warn"))
        return "--warn tells of deaths as a census finds them, and --census off holds none; give --census "
               "epoch, final or a number of steps";
    if (cli_given(args, "fail-if-dead"))
        return "--fail-if-dead judges by the last census, and --census off holds none; give --census epoch, "
               "final or a number of steps";
    return NULL;
}

int cmd_train(struct cli_program *program)
{
    static struct settings settings; /* large, and there is one */
    struct cli_progress progress;
    relume_engine *engine = NULL;
    relume_run *run = NULL;
    relume_error error = {0};
    const char *contradiction = find_contradiction(program->args);
    if (contradiction)
        return cli_misuse(&program->err, "train", contradiction);
    cli_progress_init(&progress, &program->err, (enum cli_progress_how)cli_choice(program->args, "progress"));
    set_run(&settings, program->args, &progress);
    progress.uncounted = settings.run.census.kind == RELUME_OFF;
    relume_status status = cli_engine(program, &engine, &error);
    if (status == RELUME_OK)
        status = take_widths(&settings, program->args, engine, &error);
    if (status == RELUME_OK) {
        tell_settings(program, &settings, engine);
        cli_signals_catch();
        status = relume_run_train(engine, &settings.run, &run, &error);
        cli_progress_end(&progress);
    }
    int exit_status = conclude(program, &settings, engine, status, run, &error);
    relume_run_destroy(run);
    relume_engine_destroy(engine);
    return exit_status;
}
