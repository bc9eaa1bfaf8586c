/* relume forecast --json; docs/schemas/forecast-1.json. */
#include "forecast.h"

#include <string.h>

#include "account.h"

static json_t *layer_json(struct cli_json *document, const relume_forecast_layer *layer)
{
    json_t *object = json_object();
    cli_json_set(document, object, "layer", cli_json_text(layer->name));
    cli_json_set(document, object, "units", cli_json_count(layer->units));
    cli_json_set(document, object, "correlation", cli_json_double(layer->correlation));
    cli_json_set(document, object, "expected", cli_json_double(layer->expected));
    cli_json_set(document, object, "measured", cli_json_double(layer->measured));
    cli_json_set(document, object, "standard_error", cli_json_double(layer->standard_error));
    cli_json_set(document, object, "least", cli_json_double(layer->least));
    cli_json_set(document, object, "most", cli_json_double(layer->most));
    cli_json_set(document, object, "owed_to", cli_json_text(relume_blame_name(layer->blame)));
    return object;
}

static json_t *case_json(struct cli_json *document, const struct forecast_case *at)
{
    const relume_forecast *forecast = &at->forecast;
    json_t *object = json_object(), *layers = json_array();
    for (size_t k = 0; k < forecast->layers; k++)
        cli_json_add(document, layers, layer_json(document, &forecast->layer[k]));
    cli_json_set(document, object, "init", cli_json_text(relume_init_name(at->init)));
    cli_json_set(document, object, "standardize", json_boolean(at->standardize));
    cli_json_set(document, object, "seeds", cli_json_count(forecast->seeds));
    cli_json_set(document, object, "gamma", cli_json_double(forecast->gamma));
    cli_json_set(document, object, "mean_norm", cli_json_double(forecast->mean_norm));
    cli_json_set(document, object, "deviation_norm", cli_json_double(forecast->deviation_norm));
    cli_json_set(document, object, "measured", cli_json_double(forecast_share(forecast)));
    cli_json_set(document, object, "network_dead_at_a_point", cli_json_double(forecast->network_dead));
    cli_json_set(document, object, "networks_dead", cli_json_count(forecast->networks_dead));
    cli_json_set(document, object, "layers", layers);
    return object;
}

static json_t *rate_json(struct cli_json *document, const struct forecast *forecast)
{
    const relume_safe_rate *rate = &forecast->rate;
    char unit[48];
    bool killed = rate->lethal > 0 && !rate->diverged;
    if (!forecast->has_rate)
        return json_null();
    json_t *object = json_object();
    (void)snprintf(unit, sizeof unit, "h%zu.%zu", rate->layer + 1, rate->unit);
    cli_json_set(document, object, "optimizer",
                 cli_json_text(relume_optimizer_name(forecast->training.trainer.optimizer)));
    cli_json_set(document, object, "batch", cli_json_count(forecast->training.trainer.batch_size));
    cli_json_set(document, object, "steps", cli_json_count(cli_whole(forecast->program->args, "steps")));
    cli_json_set(document, object, "safe", rate->safe > 0 ? cli_json_double(rate->safe) : json_null());
    cli_json_set(document, object, "lethal", rate->lethal > 0 ? cli_json_double(rate->lethal) : json_null());
    cli_json_set(document, object, "diverged", json_boolean(rate->diverged));
    cli_json_set(document, object, "step", rate->lethal > 0 ? cli_json_count(rate->step) : json_null());
    cli_json_set(document, object, "unit", killed ? cli_json_text(unit) : json_null());
    return object;
}

relume_status forecast_print_json(const struct forecast *forecast, relume_error *error)
{
    struct cli_json document;
    size_t best = forecast_best(forecast);
    json_t *hidden = json_array(), *others = json_array(), *advice = json_object();
    cli_json_init(&document, "relume.forecast/1");
    json_t *root = document.root;
    for (size_t k = 0; k < forecast->training.widths.count; k++)
        cli_json_add(&document, hidden, cli_json_count(forecast->training.widths.unit[k]));
    for (size_t i = 1; i < forecast->cases; i++)
        cli_json_add(&document, others, case_json(&document, &forecast->at[i]));
    cli_json_set(&document, advice, "init", cli_json_text(relume_init_name(forecast->at[best].init)));
    cli_json_set(&document, advice, "standardize", json_boolean(forecast->at[best].standardize));
    cli_json_set(&document, root, "kernel", cli_json_text(relume_engine_get_kernel(forecast->engine)));
    cli_json_set(&document, root, "dataset", cli_dataset_json(&document, forecast->dataset, "train"));
    cli_json_set(&document, root, "hidden", hidden);
    cli_json_set(&document, root, "seed", cli_json_count(forecast->network.seed));
    cli_json_set(&document, root, "forecast", case_json(&document, &forecast->at[0]));
    cli_json_set(&document, root, "alternatives", others);
    cli_json_set(&document, root, "fewest_born_dead", advice);
    cli_json_set(&document, root, "learning_rate", rate_json(&document, forecast));
    relume_status status = cli_json_print(&document, error);
    cli_json_deinit(&document);
    return status;
}
