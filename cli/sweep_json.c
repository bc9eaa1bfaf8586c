/* relume sweep --json; docs/schemas/sweep-1.json. */
#include "sweep.h"

#include "account.h"

static json_t *score_json(struct cli_json *document, relume_score score)
{
    json_t *object = json_object();
    cli_json_set(document, object, "loss", cli_json_double(score.loss));
    cli_json_set(document, object, "accuracy", cli_json_double(score.accuracy));
    return object;
}

static void set_ledger(struct cli_json *document, json_t *object, const relume_run_layer *layer)
{
    cli_json_set(document, object, "born_dead", cli_json_count(layer->born_dead));
    cli_json_set(document, object, "deaths", cli_json_count(layer->deaths));
    cli_json_set(document, object, "revivals", cli_json_count(layer->revivals));
    cli_json_set(document, object, "dead_at_end", cli_json_count(layer->dead_at_end));
}

static json_t *layers_json(struct cli_json *document, const struct sweep *sweep, const relume_sweep_row *row)
{
    json_t *layers = json_array();
    for (size_t l = 0; l < row->layers; l++) {
        char name[24];
        json_t *object = json_object();
        (void)snprintf(name, sizeof name, "h%zu", l + 1);
        cli_json_set(document, object, "layer", cli_json_text(name));
        cli_json_set(document, object, "units", cli_json_count(sweep->training.widths.unit[l]));
        set_ledger(document, object, &row->layer[l]);
        cli_json_add(document, layers, object);
    }
    return layers;
}

static json_t *run_json(struct cli_json *document, const struct sweep *sweep, const relume_sweep_row *row)
{
    char name[SWEEP_RUN_NAME];
    json_t *object = json_object(), *ledger = json_object();
    sweep_run_name(sweep, row, name);
    cli_json_set(document, object, "init", cli_json_text(relume_init_name(row->init)));
    cli_json_set(document, object, "optimizer", cli_json_text(relume_optimizer_name(row->optimizer)));
    cli_json_set(document, object, "learning_rate", cli_json_double(row->learning_rate));
    cli_json_set(document, object, "run",
                 cli_json_text(cli_given(sweep->program->args, "output") ? name : NULL));
    cli_json_set(document, object, "epochs", cli_json_count(row->epochs));
    cli_json_set(document, object, "steps", cli_json_count(row->steps));
    cli_json_set(document, object, "diverged", json_boolean(row->diverged));
    cli_json_set(document, object, "train", score_json(document, row->train));
    cli_json_set(document, object, "test", score_json(document, row->test));
    cli_json_set(document, object, "hidden_units", cli_json_count(row->units));
    set_ledger(document, ledger, &row->total);
    cli_json_set(document, object, "ledger", ledger);
    cli_json_set(document, object, "layers", layers_json(document, sweep, row));
    cli_json_set(document, object, "seconds", cli_json_double(row->seconds));
    return object;
}

static json_t *rate_json(const relume_sweep_row *row, size_t place)
{
    return place == SIZE_MAX ? json_null() : cli_json_double(row[place].learning_rate);
}

static json_t *cliff_json(struct cli_json *document, const relume_sweep_row *row, size_t count)
{
    char words[768];
    relume_sweep_cliff cliff = relume_sweep_find_cliff(row, count);
    json_t *object = json_object();
    sweep_cliff_words(row, count, words, sizeof words);
    cli_json_set(document, object, "init", cli_json_text(relume_init_name(row->init)));
    cli_json_set(document, object, "optimizer", cli_json_text(relume_optimizer_name(row->optimizer)));
    cli_json_set(document, object, "largest_lr_without_deaths", rate_json(row, cliff.safe));
    cli_json_set(document, object, "first_lr_with_deaths", rate_json(row, cliff.deaths));
    cli_json_set(document, object, "first_lr_with_a_tenth_dead", rate_json(row, cliff.dead));
    cli_json_set(document, object, "best_lr", rate_json(row, cliff.best));
    cli_json_set(document, object, "fall_lr", rate_json(row, cliff.fall));
    cli_json_set(document, object, "first_lr_diverged", rate_json(row, cliff.diverged));
    cli_json_set(document, object, "says", cli_json_text(words));
    return object;
}

relume_status sweep_print_json(const struct sweep *sweep, relume_error *error)
{
    const struct cli_args *args = sweep->program->args;
    struct cli_json document;
    json_t *runs = json_array(), *cliffs = json_array(), *hidden = json_array();
    cli_json_init(&document, "relume.sweep/1");
    json_t *root = document.root;
    for (size_t i = 0; i < sweep->rows; i++)
        cli_json_add(&document, runs, run_json(&document, sweep, &sweep->row[i]));
    for (size_t g = 0; g < sweep->plan.groups; g++) {
        const relume_sweep_row *row;
        size_t count = sweep_rows_of(sweep, g, &row);
        if (count > 0)
            cli_json_add(&document, cliffs, cliff_json(&document, row, count));
    }
    for (size_t l = 0; l < sweep->training.widths.count; l++)
        cli_json_add(&document, hidden, cli_json_count(sweep->training.widths.unit[l]));
    cli_json_set(&document, root, "kernel", cli_json_text(relume_engine_get_kernel(sweep->engine)));
    cli_json_set(&document, root, "threads", cli_json_count(relume_engine_get_threads(sweep->engine)));
    cli_json_set(&document, root, "dataset", cli_dataset_json(&document, sweep->dataset, "train"));
    cli_json_set(&document, root, "folder", cli_json_text(cli_text(args, "output")));
    cli_json_set(&document, root, "hidden", hidden);
    cli_json_set(&document, root, "epochs", cli_json_count(sweep->options.trainer.epochs));
    cli_json_set(&document, root, "batch", cli_json_count(sweep->options.trainer.batch_size));
    cli_json_set(&document, root, "seed", cli_json_count(sweep->options.trainer.seed));
    cli_json_set(&document, root, "planned", cli_json_count(sweep->plan.groups * sweep->plan.rates));
    cli_json_set(&document, root, "runs", runs);
    cli_json_set(&document, root, "cliffs", cliffs);
    relume_status status = cli_json_print(&document, error);
    cli_json_deinit(&document);
    return status;
}
