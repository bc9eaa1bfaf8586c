/* relume census MODEL DATA: count every unit over a whole split at fixed weights. */
#include "account.h"
#include "columns.h"

static relume_status print_json(const struct cli_program *program, const relume_engine *engine,
                                const relume_dataset *dataset, const relume_census *census,
                                relume_error *error)
{
    struct cli_json document;
    size_t units = relume_census_get_units(census), dead = relume_census_get_dead(census);
    cli_json_init(&document, "relume.census/1");
    json_t *root = document.root;
    cli_json_set(&document, root, "model", cli_json_text(program->args->positional[0]));
    cli_json_set(&document, root, "kernel", cli_json_text(relume_engine_get_kernel(engine)));
    cli_json_set(&document, root, "dataset",
                 cli_dataset_json(&document, dataset, cli_text(program->args, "split")));
    cli_json_set(&document, root, "layers", cli_layers_json(&document, census));
    cli_json_set(&document, root, "hidden_units", cli_json_count(units));
    cli_json_set(&document, root, "dead", cli_json_count(dead));
    cli_json_set(&document, root, "dead_fraction",
                 cli_json_double(units > 0 ? (double)dead / (double)units : 0));
    if (cli_given(program->args, "units"))
        cli_json_set(&document, root, "units", cli_units_json(&document, census));
    relume_status status = cli_json_print(&document, error);
    cli_json_deinit(&document);
    return status;
}

static relume_status print_tables(const struct cli_program *program, const relume_dataset *dataset,
                                  const relume_census *census, relume_error *error)
{
    char samples[32];
    bool ok = true;
    if (cli_given(program->args, "units")) {
        ok = cli_print_units_table(&program->out, census);
        putchar('\n');
    }
    ok = ok && cli_print_census_table(&program->out, census);
    if (!ok)
        return cli_error(error, RELUME_NO_MEMORY, "cannot allocate memory for the table");
    uint64_t count = relume_census_get_samples(census);
    printf("counted over %s%s %s of ", cli_agree(count, "", "all "), cli_grouped(count, samples),
           cli_agree(count, "sample", "samples"));
    cli_put_text(&program->out, relume_dataset_get_name(dataset));
    printf(" (split: %s)\n", cli_text(program->args, "split"));
    return RELUME_OK;
}

static relume_status count(const struct cli_program *program, const relume_network *network,
                           const relume_dataset *dataset, relume_census **census, relume_error *error)
{
    relume_census_options options;
    relume_census_options_default(&options);
    options.nearly_dead = cli_number(program->args, "nearly-dead");
    if (relume_dataset_get_samples(dataset, cli_split(program->args)) == 0)
        return cli_error(error, RELUME_NOT_FOUND,
                         "%s has no %s split; expected --split train or all, or --test or --holdout",
                         program->args->positional[1], cli_text(program->args, "split"));
    relume_status status =
        relume_census_create(network, dataset, cli_split(program->args), &options, census, error);
    if (status != RELUME_OK)
        return status;
    status = relume_census_count(*census, error);
    if (status != RELUME_OK) {
        relume_census_destroy(*census);
        *census = NULL;
    }
    return status;
}

int cmd_census(struct cli_program *program)
{
    relume_engine *engine = NULL;
    relume_network *network = NULL;
    relume_dataset *dataset = NULL;
    relume_census *census = NULL;
    relume_error error = {0};
    relume_status status = cli_engine(program, &engine, &error);
    if (status == RELUME_OK)
        status = cli_open_model_and_data(program, engine, &network, &dataset, &error);
    if (status == RELUME_OK)
        status = count(program, network, dataset, &census, &error);
    if (status == RELUME_OK)
        status = cli_given(program->args, "json") ? print_json(program, engine, dataset, census, &error)
                                                  : print_tables(program, dataset, census, &error);
    int exit_status = status == RELUME_OK ? cli_check_dead(program, relume_census_get_dead(census),
                                                           relume_census_get_units(census))
                                          : cli_fail(program, &error);
    relume_census_destroy(census);
    relume_dataset_destroy(dataset);
    relume_network_destroy(network);
    relume_engine_destroy(engine);
    return exit_status;
}
