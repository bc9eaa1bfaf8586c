/* relume forecast DATA, or RUN: counts for the network asked for and for its alternatives, then the search
 * for a rate; forecast_text.c and forecast_json.c print them. */
#include "forecast.h"

#include "signals.h"

/* Normal inits differ by a factor alone, and so do uniform ones, where biases are 0: whether a unit is dead
 * does not depend on it. */
static relume_init kind_of(relume_init init)
{
    if (init == RELUME_INIT_XAVIER_NORMAL || init == RELUME_INIT_LECUN_NORMAL)
        return RELUME_INIT_HE_NORMAL;
    return init == RELUME_INIT_XAVIER_UNIFORM ? RELUME_INIT_HE_UNIFORM : init;
}

/* The case chosen, then every kind of init on data as they are and standardized. */
static void plan_cases(struct forecast *forecast, relume_init chosen, bool standardize)
{
    static const relume_init inits[] = {RELUME_INIT_HE_NORMAL, RELUME_INIT_HE_UNIFORM, RELUME_INIT_ORTHOGONAL,
                                        RELUME_INIT_PYTORCH};
    forecast->at[forecast->cases++] = (struct forecast_case){.init = chosen, .standardize = standardize};
    for (int other = 0; other < 2; other++) {
        bool scaled = other ? !standardize : standardize;
        for (size_t i = 0; i < sizeof inits / sizeof *inits; i++)
            if (scaled != standardize || inits[i] != kind_of(chosen))
                forecast->at[forecast->cases++] =
                    (struct forecast_case){.init = inits[i], .standardize = scaled};
    }
}

static relume_status count_cases(struct forecast *forecast, relume_engine *engine,
                                 const relume_dataset *const dataset[2], relume_error *error)
{
    size_t seeds = (size_t)cli_whole(forecast->program->args, "seeds"), fewer = (seeds + 3) / 4;
    fprintf(forecast->program->err.stream, "counting %zu %s, and %zu of each alternative\n", seeds,
            cli_agree(seeds, "network", "networks"), fewer);
    for (size_t i = 0; i < forecast->cases; i++) {
        struct forecast_case *at = &forecast->at[i];
        relume_network_options network;
        cli_network_options(&forecast->training, forecast->program->args, dataset[at->standardize], &network);
        network.init = at->init;
        if (cli_stop != 0)
            return cli_error(error, RELUME_INTERRUPTED, "stopped by signal %d", cli_stop);
        relume_status status =
            relume_forecast_count(engine, &network, i == 0 ? seeds : fewer, &at->forecast, error);
        if (status != RELUME_OK)
            return status;
    }
    return RELUME_OK;
}

/* Rates from a thousandth of the optimizer's usual one to a thousand times that. */
static relume_status find_rate(struct forecast *forecast, relume_engine *engine, relume_error *error)
{
    uint64_t steps = cli_whole(forecast->program->args, "steps");
    relume_trainer_options trainer = forecast->training.trainer;
    double usual = cli_usual_rate(trainer.optimizer);
    if (steps == 0)
        return RELUME_OK;
    if (cli_stop != 0)
        return cli_error(error, RELUME_INTERRUPTED, "stopped by signal %d", cli_stop);
    size_t samples = relume_dataset_get_samples(forecast->dataset, RELUME_SPLIT_TRAIN);
    uint64_t steps_per_epoch = (samples + trainer.batch_size - 1) / trainer.batch_size;
    uint64_t epochs = (steps + steps_per_epoch - 1) / steps_per_epoch;
    trainer.epochs = epochs > trainer.epochs ? epochs : trainer.epochs;
    forecast->has_rate = true;
    char words[40];
    forecast_steps(forecast, words, sizeof words);
    fprintf(forecast->program->err.stream, "training the first %s again and again\n", words);
    return relume_forecast_rate(engine, &forecast->network, &trainer, steps, usual / 1000, usual * 1000,
                                &forecast->rate, error);
}

static relume_status load(const struct forecast *forecast, relume_engine *engine, relume_dataset *dataset[2],
                          relume_error *error)
{
    relume_dataset_options options;
    cli_data_options(forecast->program->args, &options);
    for (int standardize = 0; standardize < 2; standardize++) {
        options.standardize = standardize;
        relume_status status = relume_dataset_load(engine, forecast->program->args->positional[0], &options,
                                                   &dataset[standardize], error);
        if (status != RELUME_OK)
            return status;
    }
    return RELUME_OK;
}

static relume_status gather(struct forecast *forecast, relume_engine *engine, relume_dataset *dataset[2],
                            relume_error *error)
{
    const struct cli_args *args = forecast->program->args;
    const relume_dataset *const read[2] = {dataset[0], dataset[1]};
    forecast->engine = engine;
    forecast->dataset = dataset[cli_given(args, "standardize")];
    relume_status status = forecast_check_data(forecast, error);
    if (status != RELUME_OK)
        return status;
    cli_training_read(&forecast->training, args);
    cli_network_options(&forecast->training, args, forecast->dataset, &forecast->network);
    plan_cases(forecast, forecast->network.init, cli_given(args, "standardize"));
    status = count_cases(forecast, engine, read, error);
    return status == RELUME_OK ? find_rate(forecast, engine, error) : status;
}

int cmd_forecast(struct cli_program *program)
{
    static struct forecast forecast; /* large, and there is one */
    relume_engine *engine = NULL;
    relume_dataset *dataset[2] = {NULL, NULL};
    relume_error error = {0};
    forecast.program = program;
    relume_status status = cli_engine(program, &engine, &error);
    if (status == RELUME_OK && relume_run_exists(program->args->positional[0]))
        status = forecast_read_run(&forecast, program, engine, &error);
    if (status == RELUME_OK)
        status = load(&forecast, engine, dataset, &error);
    if (status == RELUME_OK) {
        cli_signals_catch();
        status = gather(&forecast, engine, dataset, &error);
    }
    if (status == RELUME_OK)
        status = cli_given(program->args, "json") ? forecast_print_json(&forecast, &error)
                                                  : forecast_print_text(&forecast, &error);
    if (status == RELUME_OK)
        forecast_keep(&forecast, engine);
    for (size_t i = 0; i < forecast.cases; i++)
        relume_forecast_deinit(&forecast.at[i].forecast);
    relume_dataset_destroy(dataset[0]);
    relume_dataset_destroy(dataset[1]);
    relume_engine_destroy(engine);
    if (status == RELUME_INTERRUPTED)
        return cli_stop > 0 ? 128 + cli_stop : relume_status_exit(status);
    return status == RELUME_OK ? 0 : cli_fail(program, &error);
}
