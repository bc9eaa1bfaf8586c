/* relume explain MODEL [UNIT]: gathers one unit's numbers on one sample; explain_text.c and explain_json.c
 * print them. */
#include "explain.h"

#include <stdlib.h>
#include <string.h>

#include "values.h"

/* ---- which unit ---- */

/* A dead unit if the hidden layers from `first` to `last` have one, the nearest to its gate; else the one
 * that fires least. */
static void pick(const relume_census *census, size_t first, size_t last, struct explain *explain)
{
    bool dead = false;
    uint64_t fewest = UINT64_MAX;
    float nearest = 0.0f;
    for (size_t l = first; l <= last; l++) {
        relume_layer_account layer = relume_census_get_layer(census, l);
        for (size_t n = 0; n < layer.units; n++) {
            const relume_unit_account *unit = &layer.unit[n];
            bool better =
                unit->active == 0 ? !dead || unit->margin > nearest : !dead && unit->active < fewest;
            if (!better)
                continue;
            dead = unit->active == 0;
            nearest = unit->margin;
            fewest = unit->active;
            explain->layer = l;
            explain->unit = n;
        }
    }
    explain->unit_because = dead ? "of the dead units it is the nearest to its gate"
                                 : "no unit is dead, and this one fires on the fewest samples";
}

static relume_status choose_unit(struct explain *explain, size_t first, size_t last, relume_error *error)
{
    relume_census *census = NULL;
    relume_status status =
        relume_census_create(explain->network, explain->dataset, RELUME_SPLIT_TRAIN, NULL, &census, error);
    if (status == RELUME_OK)
        status = relume_census_count(census, error);
    if (status == RELUME_OK)
        pick(census, first, last, explain);
    relume_census_destroy(census);
    return status;
}

static relume_status no_unit(const struct explain *explain, const char *text, relume_error *error)
{
    char layers[256] = "";
    size_t used = 0;
    for (size_t l = 0; l < relume_network_get_layers(explain->network) && used + 40 < sizeof layers; l++) {
        relume_layer layer = relume_network_get_layer(explain->network, l);
        used += (size_t)snprintf(layers + used, sizeof layers - used, "%s%s.0 to %s.%zu", l ? ", " : "",
                                 layer.name, layer.name, layer.out_features - 1);
    }
    return cli_error(error, RELUME_NOT_FOUND, "there is no unit %.80s; the network has %s", text, layers);
}

/* "h1.37" and "out.3" name a unit, "h1" a layer, NULL none. */
static relume_status find_unit(struct explain *explain, const char *text, relume_error *error)
{
    size_t layers = relume_network_get_layers(explain->network);
    if (!text && layers < 2)
        return cli_error(error, RELUME_NOT_FOUND,
                         "the network has no hidden layer to choose a unit from; name one, such as out.0");
    if (!text)
        return choose_unit(explain, 0, layers - 2, error);
    size_t length = strcspn(text, ".");
    for (size_t l = 0; l < layers; l++) {
        relume_layer layer = relume_network_get_layer(explain->network, l);
        uint64_t unit;
        if (strlen(layer.name) != length || strncmp(layer.name, text, length) != 0)
            continue;
        if (text[length] == 0 && layer.relu)
            return choose_unit(explain, l, l, error);
        if (text[length] == 0 || !cli_read_whole(text + length + 1, &unit) || unit >= layer.out_features)
            break;
        explain->layer = l;
        explain->unit = (size_t)unit;
        return RELUME_OK;
    }
    return no_unit(explain, text, error);
}

/* ---- which sample ---- */

static relume_status find_sample(struct explain *explain, size_t *sample, relume_error *error)
{
    const struct cli_args *args = explain->program->args;
    relume_explain_choice choice;
    relume_status status = relume_explain_choose(explain->network, explain->dataset, RELUME_SPLIT_TRAIN,
                                                 explain->layer, explain->unit, &explain->whole, error);
    if (status != RELUME_OK)
        return status;
    if (cli_given(args, "sample")) {
        *sample = (size_t)cli_whole(args, "sample");
        return RELUME_OK;
    }
    choice = explain->whole;
    if (explain->split != RELUME_SPLIT_TRAIN)
        status = relume_explain_choose(explain->network, explain->dataset, explain->split, explain->layer,
                                       explain->unit, &choice, error);
    *sample = choice.sample;
    explain->sample_because = choice.active > 0 ? "of those that fire it the one the network gets most wrong"
                                                : "none fires it, and this one comes nearest";
    return status;
}

/* The sample as an image, where it is one: what the first layer is fed. */
static relume_status take_pixels(struct explain *explain, size_t sample, relume_error *error)
{
    relume_explanation first;
    relume_dataset_get_image(explain->dataset, &explain->rows, &explain->columns);
    size_t count = explain->rows * explain->columns;
    if (count == 0 || count != relume_network_get_in_features(explain->network))
        return RELUME_OK;
    relume_status status =
        relume_explain(explain->network, explain->dataset, explain->split, 0, 0, sample, &first, error);
    if (status != RELUME_OK)
        return status;
    explain->pixels = malloc(count * sizeof *explain->pixels);
    if (explain->pixels)
        memcpy(explain->pixels, first.x, count * sizeof *explain->pixels);
    relume_explanation_deinit(&first);
    return explain->pixels ? RELUME_OK
                           : cli_error(error, RELUME_NO_MEMORY, "cannot allocate memory for the image");
}

/* ---- opening ---- */

/* A finished run's model, or the checkpoint that stands for it. */
static void name_model_file(struct explain *explain, const char *path)
{
    const relume_run_result *result = explain->run ? relume_run_get_result(explain->run) : NULL;
    if (!result)
        (void)snprintf(explain->model_file, sizeof explain->model_file, "%s", path);
    else if (result->finished)
        (void)snprintf(explain->model_file, sizeof explain->model_file, "%s/model.safetensors", path);
    else
        (void)snprintf(explain->model_file, sizeof explain->model_file,
                       "%s/checkpoints/step-%llu.safetensors", path, (unsigned long long)result->steps);
}

static relume_status open_model(struct explain *explain, relume_engine *engine, relume_error *error)
{
    const char *path = explain->program->args->positional[0];
    relume_status status;
    if (relume_run_exists(path)) {
        status = relume_run_open(engine, path, &explain->run, error);
        explain->network = status == RELUME_OK ? relume_run_get_network(explain->run) : NULL;
    } else {
        status = relume_network_load(engine, path, &explain->owned, error);
        explain->network = explain->owned;
    }
    if (status == RELUME_OK)
        name_model_file(explain, path);
    return status;
}

static relume_status open_data(struct explain *explain, relume_engine *engine, relume_error *error)
{
    const struct cli_args *args = explain->program->args;
    static const char *const of_data[] = {"labels", "target", "x-key", "y-key", "test", "holdout", "seed"};
    const char *name = cli_text(args, "data");
    relume_status status;
    if (name) {
        relume_dataset_options options;
        cli_data_options(args, &options);
        status = cli_load_for_model(engine, name, &options, explain->network, &explain->read, error);
        explain->dataset = explain->read;
        return status;
    }
    for (size_t i = 0; i < sizeof of_data / sizeof *of_data; i++)
        if (cli_given(args, of_data[i]))
            return cli_error(error, RELUME_USAGE,
                             "--%s is about the data of --data, and --data was not given", of_data[i]);
    if (!explain->run)
        return cli_error(error, RELUME_USAGE,
                         "%.300s is a model without a run and knows no data; expected --data DATA",
                         args->positional[0]);
    status = relume_run_load_dataset(explain->run, error);
    explain->dataset = status == RELUME_OK ? relume_run_get_dataset(explain->run) : NULL;
    return status;
}

static double rate_of(const struct explain *explain)
{
    if (cli_given(explain->program->args, "lr"))
        return cli_number(explain->program->args, "lr");
    return explain->run ? relume_run_get_options(explain->run)->trainer.learning_rate : 0.1;
}

static relume_status gather(struct explain *explain, relume_engine *engine, relume_error *error)
{
    size_t sample = 0;
    relume_status status = open_model(explain, engine, error);
    if (status == RELUME_OK)
        status = open_data(explain, engine, error);
    if (status != RELUME_OK)
        return status;
    explain->split = cli_split(explain->program->args);
    explain->learning_rate = rate_of(explain);
    status = find_unit(explain, explain->program->args->positional[1], error);
    if (status == RELUME_OK)
        status = find_sample(explain, &sample, error);
    if (status == RELUME_OK)
        status = relume_explain(explain->network, explain->dataset, explain->split, explain->layer,
                                explain->unit, sample, &explain->it, error);
    if (status == RELUME_OK)
        status = take_pixels(explain, sample, error);
    return status;
}

static void release(struct explain *explain)
{
    free(explain->pixels);
    relume_explanation_deinit(&explain->it);
    relume_dataset_destroy(explain->read);
    relume_network_destroy(explain->owned);
    relume_run_destroy(explain->run);
}

int cmd_explain(struct cli_program *program)
{
    static struct explain explain; /* large, and there is one */
    relume_engine *engine = NULL;
    relume_error error = {0};
    explain.program = program;
    relume_status status = cli_engine(program, &engine, &error);
    if (status == RELUME_OK)
        status = gather(&explain, engine, &error);
    if (status == RELUME_OK)
        status = cli_given(program->args, "json") ? explain_print_json(&explain, &error)
                                                  : explain_print_text(&explain, &error);
    release(&explain);
    relume_engine_destroy(engine);
    return status == RELUME_OK ? 0 : cli_fail(program, &error);
}
