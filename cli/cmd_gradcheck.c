/* relume gradcheck: the gradient against differences of the loss, by tensor, and the verdict. */
#include "columns.h"
#include "json.h"
#include "program.h"

/* What is checked. */
struct subject {
    relume_engine *engine;
    relume_dataset *dataset;
    relume_network *network;
    relume_gradcheck *check;
};

static const char *data_name(const struct cli_program *program)
{
    const char *name = program->args->positional[0];
    return name ? name : "digits";
}

/* The network that is drawn where no model is given. */
static relume_status make_network(const struct cli_program *program, struct subject *subject,
                                  relume_error *error)
{
    const struct cli_args *args = program->args;
    struct cli_widths widths = {0};
    relume_network_options options;
    relume_network_options_default(&options);
    (void)cli_read_widths(cli_text(args, "hidden"), &widths);
    options.in_features = relume_dataset_get_features(subject->dataset);
    options.hidden_layers = widths.count;
    options.hidden = widths.unit;
    options.out_features = relume_dataset_get_outputs(subject->dataset);
    options.init = (relume_init)cli_choice(args, "init");
    options.seed = cli_whole(args, "seed");
    options.dataset = subject->dataset;
    options.loss = relume_dataset_get_task(subject->dataset) == RELUME_REGRESSION ? RELUME_LOSS_MSE
                                                                                  : RELUME_LOSS_SOFTMAX;
    if (cli_choice(args, "loss") > 0)
        options.loss = (relume_loss)(cli_choice(args, "loss") - 1); /* auto comes first */
    return relume_network_create(subject->engine, &options, &subject->network, error);
}

/* A model that was trained, and the data as it reads them. */
static relume_status load(const struct cli_program *program, struct subject *subject,
                          relume_dataset_options *options, relume_error *error)
{
    const char *model = cli_text(program->args, "init-from");
    relume_status status = relume_run_load_network(subject->engine, model, &subject->network, error);
    if (status != RELUME_OK)
        return status;
    if (cli_choice(program->args, "loss") > 0) /* auto comes first; a model has a loss of its own */
        relume_network_set_loss(subject->network, (relume_loss)(cli_choice(program->args, "loss") - 1));
    return cli_load_for_model(subject->engine, data_name(program), options, subject->network,
                              &subject->dataset, error);
}

static relume_status prepare(const struct cli_program *program, struct subject *subject, relume_error *error)
{
    relume_dataset_options options;
    relume_status status = cli_engine(program, &subject->engine, error);
    if (status != RELUME_OK)
        return status;
    cli_data_options(program->args, &options);
    options.standardize = cli_given(program->args, "standardize");
    if (cli_text(program->args, "init-from"))
        return load(program, subject, &options, error);
    status = relume_dataset_load(subject->engine, data_name(program), &options, &subject->dataset, error);
    return status == RELUME_OK ? make_network(program, subject, error) : status;
}

static relume_status check(const struct cli_program *program, struct subject *subject, relume_error *error)
{
    relume_gradcheck_options options;
    relume_gradcheck_options_default(&options);
    options.split = cli_split(program->args);
    options.batch_size = (size_t)cli_whole(program->args, "batch");
    options.parameters = (size_t)cli_whole(program->args, "parameters");
    options.tolerance = cli_number(program->args, "tolerance");
    options.seed = cli_whole(program->args, "seed");
    return relume_gradcheck_run(subject->network, subject->dataset, &options, &subject->check, error);
}

/* ---- for programs ---- */

static json_t *tensor_json(struct cli_json *document, const relume_gradcheck_tensor *tensor)
{
    json_t *object = json_object();
    cli_json_set(document, object, "layer", cli_json_text(tensor->layer));
    cli_json_set(document, object, "tensor", cli_json_text(tensor->is_bias ? "bias" : "weight"));
    cli_json_set(document, object, "parameters", cli_json_count(tensor->parameters));
    cli_json_set(document, object, "checked", cli_json_count(tensor->checked));
    cli_json_set(document, object, "left_out", cli_json_count(tensor->left_out));
    cli_json_set(document, object, "worst_relative_error", cli_json_double(tensor->worst));
    cli_json_set(document, object, "unit", cli_json_count(tensor->unit));
    cli_json_set(document, object, "input", tensor->is_bias ? json_null() : cli_json_count(tensor->input));
    cli_json_set(document, object, "gradient", cli_json_double(tensor->gradient));
    cli_json_set(document, object, "difference", cli_json_double(tensor->difference));
    return object;
}

static json_t *flip_json(struct cli_json *document, const relume_gradcheck_flip *flip)
{
    json_t *object = json_object();
    cli_json_set(document, object, "layer", cli_json_text(flip->layer));
    cli_json_set(document, object, "unit", cli_json_count(flip->unit));
    cli_json_set(document, object, "parameters", cli_json_count(flip->parameters));
    return object;
}

static relume_status print_json(const struct cli_program *program, const struct subject *subject,
                                relume_error *error)
{
    struct cli_json document;
    relume_gradcheck_summary summary = relume_gradcheck_get_summary(subject->check);
    cli_json_init(&document, "relume.gradcheck/1");
    json_t *root = document.root, *tensors = json_array(), *flips = json_array();
    for (size_t i = 0; i < relume_gradcheck_get_tensors(subject->check); i++) {
        relume_gradcheck_tensor tensor = relume_gradcheck_get_tensor(subject->check, i);
        cli_json_add(&document, tensors, tensor_json(&document, &tensor));
    }
    for (size_t i = 0; i < relume_gradcheck_get_flips(subject->check); i++) {
        relume_gradcheck_flip flip = relume_gradcheck_get_flip(subject->check, i);
        cli_json_add(&document, flips, flip_json(&document, &flip));
    }
    cli_json_set(&document, root, "dataset", cli_json_text(relume_dataset_get_name(subject->dataset)));
    cli_json_set(&document, root, "split", cli_json_text(cli_text(program->args, "split")));
    cli_json_set(&document, root, "loss",
                 cli_json_text(relume_loss_name(relume_network_get_loss(subject->network))));
    cli_json_set(&document, root, "batch", cli_json_count(summary.batch));
    cli_json_set(&document, root, "seed", cli_json_count(cli_whole(program->args, "seed")));
    cli_json_set(&document, root, "step", cli_json_double(summary.step));
    cli_json_set(&document, root, "loss_value", cli_json_double(summary.loss));
    cli_json_set(&document, root, "parameters", cli_json_count(summary.parameters));
    cli_json_set(&document, root, "checked", cli_json_count(summary.checked));
    cli_json_set(&document, root, "left_out", cli_json_count(summary.left_out));
    cli_json_set(&document, root, "tolerance", cli_json_double(summary.tolerance));
    cli_json_set(&document, root, "worst_relative_error", cli_json_double(summary.worst));
    cli_json_set(&document, root, "holds", json_boolean(summary.holds));
    cli_json_set(&document, root, "tensors", tensors);
    cli_json_set(&document, root, "flipped_units", flips);
    relume_status status = cli_json_print(&document, error);
    cli_json_deinit(&document);
    return status;
}

/* ---- for people ---- */

static bool print_table(const struct cli_program *program, const relume_gradcheck *check)
{
    struct cli_columns table;
    char count[32];
    bool ok = cli_columns_init(&table,
                               "tensor|>parameters|>checked|>left out|>worst error|at|>gradient|>difference");
    for (size_t i = 0; ok && i < relume_gradcheck_get_tensors(check); i++) {
        relume_gradcheck_tensor tensor = relume_gradcheck_get_tensor(check, i);
        ok = cli_columns_row(&table);
        if (!ok)
            break;
        cli_columns_set(&table, 0, CLI_PLAIN, "%s.%s", tensor.layer, tensor.is_bias ? "bias" : "weight");
        cli_columns_set(&table, 1, CLI_PLAIN, "%s", cli_grouped(tensor.parameters, count));
        cli_columns_set(&table, 2, CLI_PLAIN, "%s", cli_grouped(tensor.checked, count));
        cli_columns_set(&table, 3, tensor.left_out ? CLI_YELLOW : CLI_PLAIN, "%s",
                        cli_grouped(tensor.left_out, count));
        if (tensor.checked == 0)
            continue;
        cli_columns_set(&table, 4, CLI_PLAIN, "%.2e", tensor.worst);
        if (tensor.is_bias)
            cli_columns_set(&table, 5, CLI_PLAIN, "unit %zu", tensor.unit);
        else
            cli_columns_set(&table, 5, CLI_PLAIN, "unit %zu, input %zu", tensor.unit, tensor.input);
        cli_columns_set(&table, 6, CLI_PLAIN, "%.9g", tensor.gradient);
        cli_columns_set(&table, 7, CLI_PLAIN, "%.9g", tensor.difference);
    }
    if (ok)
        cli_columns_print(&table, &program->out);
    cli_columns_deinit(&table);
    return ok;
}

/* The units with a kink nearby, a few by name. */
static void print_flips(const relume_gradcheck *check)
{
    enum { SHOWN = 8 };
    size_t count = relume_gradcheck_get_flips(check);
    if (count == 0)
        return;
    printf("left out, because a gate of these units flips between the two sides:");
    for (size_t i = 0; i < count && i < SHOWN; i++) {
        relume_gradcheck_flip flip = relume_gradcheck_get_flip(check, i);
        printf("%s %s.%zu (%zu)", i ? "," : "", flip.layer, flip.unit, flip.parameters);
    }
    if (count > SHOWN)
        printf(", and %zu more", count - SHOWN);
    putchar('\n');
}

static void print_verdict(const struct cli_program *program, const struct subject *subject)
{
    relume_gradcheck_summary summary = relume_gradcheck_get_summary(subject->check);
    char checked[32], all[32];
    printf("batch of %zu %s of ", summary.batch, cli_agree(summary.batch, "sample", "samples"));
    cli_put_text(&program->out, relume_dataset_get_name(subject->dataset));
    printf(", %s loss %.6g; step h = %.3g\n", relume_loss_name(relume_network_get_loss(subject->network)),
           summary.loss, summary.step);
    print_flips(subject->check);
    cli_style(&program->out, summary.holds ? CLI_GREEN : CLI_RED);
    fputs(summary.holds ? "the gradient holds" : "the gradient does not hold", stdout);
    cli_style(&program->out, CLI_PLAIN);
    if (summary.checked == 0)
        printf(": no parameter could be checked, each has a gate that flips; take a smaller batch\n");
    else
        printf(": worst relative error %.2e of %s %s checked (of %s), %.3g allowed\n", summary.worst,
               cli_grouped(summary.checked, checked), cli_agree(summary.checked, "parameter", "parameters"),
               cli_grouped(summary.parameters, all), summary.tolerance);
}

static relume_status print_tables(const struct cli_program *program, const struct subject *subject,
                                  relume_error *error)
{
    if (!print_table(program, subject->check))
        return cli_error(error, RELUME_NO_MEMORY, "cannot allocate memory for the table");
    print_verdict(program, subject);
    return RELUME_OK;
}

int cmd_gradcheck(struct cli_program *program)
{
    struct subject subject = {0};
    relume_error error = {0};
    relume_status status = prepare(program, &subject, &error);
    if (status == RELUME_OK)
        status = check(program, &subject, &error);
    if (status == RELUME_OK)
        status = cli_given(program->args, "json") ? print_json(program, &subject, &error)
                                                  : print_tables(program, &subject, &error);
    int exit_status = 0;
    if (status != RELUME_OK)
        exit_status = cli_fail(program, &error);
    else if (!relume_gradcheck_get_summary(subject.check).holds)
        exit_status = relume_status_exit(RELUME_CHECK_FAILED);
    relume_gradcheck_destroy(subject.check);
    relume_network_destroy(subject.network);
    relume_dataset_destroy(subject.dataset);
    relume_engine_destroy(subject.engine);
    return exit_status;
}
