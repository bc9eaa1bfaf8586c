/* relume demo: the same network on the same digits, once at a rate that suits it and once at one that kills.
 *
 * A screenful. What it says is worked out from the two runs, so that it is true for every seed. Both runs are
 * written to a temporary folder, which is removed. */
#include "account.h"
#include "columns.h"
#include "help.h"
#include "signals.h"
#include "temporary.h"

enum { EPOCHS = 40, HIDDEN_LAYERS = 2, CURVE = 20 };

static const size_t hidden[HIDDEN_LAYERS] = {128, 64};
static const double loss_of_guessing = 2.302585; /* ln 10, of ten classes */

/* One of the two trainings. The rates were chosen by measuring 20 seeds of each: at 0.001, which is Adam's
 * customary rate, from 4 to 9 % of the hidden units end dead, at 0.03 from 40 to 56 %; the median accuracy is
 * 97.8 % and 98.1 %. */
struct act {
    const char *folder;
    double learning_rate;
    double loss[EPOCHS]; /* mean over an epoch's samples */
    size_t epochs;
    relume_run *run;
};

static void keep_loss(void *user, const relume_run_news *news)
{
    struct act *act = user;
    if (news->epoch_end && act->epochs < EPOCHS)
        act->loss[act->epochs++] = news->progress.loss;
}

static relume_status train(const struct cli_program *program, relume_engine *engine, const char *parent,
                           struct act *act, relume_error *error)
{
    char path[CLI_PATH + 16];
    relume_run_options options;
    relume_run_options_default(&options);
    snprintf(path, sizeof path, "%s/%s", parent, act->folder);
    options.path = path;
    options.data = "digits";
    options.data_options.holdout = 0.2;
    options.data_options.seed = cli_whole(program->args, "seed");
    options.hidden = hidden;
    options.hidden_layers = HIDDEN_LAYERS;
    options.trainer.epochs = EPOCHS;
    options.trainer.batch_size = 32;
    options.trainer.optimizer = RELUME_ADAM;
    options.trainer.schedule = RELUME_SCHEDULE_COSINE;
    options.trainer.learning_rate = act->learning_rate;
    options.trainer.seed = cli_whole(program->args, "seed");
    options.checkpoint.kind = RELUME_FINAL;
    options.news = keep_loss;
    options.user = act;
    options.stop = &cli_stop;
    return relume_run_train(engine, &options, &act->run, error);
}

static double last_loss(const struct act *act)
{
    return act->epochs > 0 ? act->loss[act->epochs - 1] : loss_of_guessing;
}

static bool tell(const struct cli_term *out, const struct act *act)
{
    const relume_run_result *result = relume_run_get_result(act->run);
    char curve[3 * CURVE + 1];
    cli_style(out, CLI_BOLD);
    printf("Learning rate %g", act->learning_rate);
    cli_style(out, CLI_PLAIN);
    printf("\n");
    if (!cli_print_run_table(out, act->run))
        return false;
    cli_sparkline(out, act->loss, act->epochs, loss_of_guessing, CURVE, curve);
    printf("loss by epoch %s %.4f; read right of the digits it never saw: %.1f %%\n\n", curve, last_loss(act),
           100 * result->test.accuracy);
    return true;
}

static void introduce(const struct cli_term *out, const relume_engine *engine)
{
    char text[320];
    snprintf(
        text, sizeof text,
        "1,797 handwritten digits, a fifth of them kept aside. A network of 64-%zu-%zu-10 units learns the "
        "others twice, %d epochs of Adam: only the learning rate differs. (%s, %zu %s)",
        hidden[0], hidden[1], EPOCHS, relume_engine_get_kernel(engine), relume_engine_get_threads(engine),
        cli_agree(relume_engine_get_threads(engine), "thread", "threads"));
    cli_put_wrapped(out, text, 0, 0, cli_help_width(out));
    fputc('\n', out->stream);
}

/* The verdict, whatever the seed has brought. */
static void compare(const struct cli_term *out, const struct act *first, const struct act *second)
{
    const relume_run_result *a = relume_run_get_result(first->run), *b = relume_run_get_result(second->run);
    const double little = 0.02, little_loss = 0.05;
    unsigned long long before = a->total.dead_at_end, after = b->total.dead_at_end;
    char text[640];
    int used =
        snprintf(text, sizeof text,
                 "Of its %zu hidden units the second network has %llu that fire for no training digit; "
                 "the first has %llu. ",
                 hidden[0] + hidden[1], after, before);
    bool hidden_from_view =
        a->test.accuracy - b->test.accuracy <= little && last_loss(second) <= last_loss(first) + little_loss;
    const char *says = after <= before
                           ? "With this seed the higher rate killed no more than the lower: try --seed."
                       : hidden_from_view ? "Neither loss nor accuracy shows it: only the count does."
                                          : "With this seed loss or accuracy suffered too.";
    snprintf(text + used, sizeof text - (size_t)used, "%s", says);
    cli_put_wrapped(out, text, 0, 0, cli_help_width(out));
}

/* The first epoch by whose end at least half of the run's deaths were proved, and how many there were. */
static uint64_t half_of_deaths(const relume_run *run, size_t *deaths)
{
    const relume_run_result *result = relume_run_get_result(run);
    size_t count, proved = 0;
    const relume_event *event = relume_run_get_events(run, &count);
    uint64_t epoch = 0, steps_per_epoch = result->epochs > 0 ? result->steps / result->epochs : 1;
    *deaths = (size_t)result->total.deaths;
    while (2 * proved < *deaths && epoch < result->epochs) {
        epoch++;
        proved = 0;
        for (size_t i = 0; i < count; i++)
            proved += event[i].kind == RELUME_KILLED && event[i].step <= epoch * steps_per_epoch;
    }
    return epoch;
}

/* What is left of the network without its dead units. */
static size_t parameters_alive(const relume_run *run)
{
    const relume_network *network = relume_run_get_network(run);
    const relume_census *census = relume_run_get_census(run);
    size_t inputs = relume_network_get_in_features(network), parameters = 0;
    for (size_t i = 0; i < relume_network_get_layers(network); i++) {
        size_t units = relume_network_get_layer(network, i).out_features;
        if (i < relume_census_get_layers(census))
            units -= relume_census_get_layer(census, i).dead;
        parameters += units * (inputs + 1);
        inputs = units;
    }
    return parameters;
}

static void conclude(const struct cli_program *program, const struct act *first, const struct act *second)
{
    const struct cli_term *out = &program->out;
    size_t deaths;
    uint64_t epoch = half_of_deaths(second->run, &deaths);
    char text[640], left[32], all[32];
    compare(out, first, second);
    snprintf(text, sizeof text,
             "Half of its %zu deaths had happened by the end of epoch %llu. A dead unit gives 0 and learns "
             "nothing: "
             "without them %s of %s parameters would do, with the same output for every training digit.",
             deaths, (unsigned long long)epoch, cli_grouped(parameters_alive(second->run), left),
             cli_grouped(relume_network_get_parameters(relume_run_get_network(second->run)), all));
    if (deaths > 0)
        cli_put_wrapped(out, text, 0, 0, cli_help_width(out));
    printf("\nYour turn:  %s train digits --holdout 0.2 -o run\n            %s report run\n", program->name,
           program->name);
}

static relume_status play(const struct cli_program *program, relume_engine *engine, const char *parent,
                          relume_error *error)
{
    struct act acts[] = {{.folder = "gentle", .learning_rate = 0.001},
                         {.folder = "lethal", .learning_rate = 0.03}};
    relume_status status = RELUME_OK;
    introduce(&program->out, engine);
    for (size_t i = 0; status == RELUME_OK && i < 2; i++) {
        status = train(program, engine, parent, &acts[i], error);
        if (status == RELUME_OK && !tell(&program->out, &acts[i]))
            status = cli_error(error, RELUME_NO_MEMORY, "cannot allocate memory for the table");
        fflush(stdout);
    }
    if (status == RELUME_OK)
        conclude(program, &acts[0], &acts[1]);
    relume_run_destroy(acts[0].run);
    relume_run_destroy(acts[1].run);
    return status;
}

int cmd_demo(struct cli_program *program)
{
    struct cli_temporary folder = {0};
    relume_engine *engine = NULL;
    relume_error error = {0};
    relume_status status = cli_engine(program, &engine, &error);
    if (status == RELUME_OK)
        status = cli_temporary_make(&folder, "demo", &error);
    if (status == RELUME_OK) {
        cli_signals_catch();
        status = play(program, engine, folder.path, &error);
        cli_temporary_remove(&folder);
    }
    relume_engine_destroy(engine);
    if (status == RELUME_INTERRUPTED)
        return cli_stop > 0 ? 128 + cli_stop : relume_status_exit(status);
    return status == RELUME_OK ? 0 : cli_fail(program, &error);
}
