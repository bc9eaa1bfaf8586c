/* autopsy --json: schema relume.autopsy/1, docs/schemas/autopsy-1.json. */
#include <math.h>

#include "account.h"
#include "autopsy.h"
#include "json.h"

static json_t *unit_name(size_t layer, size_t unit)
{
    char name[64];
    snprintf(name, sizeof name, "h%zu.%zu", layer + 1, unit);
    return cli_json_text(name);
}

static json_t *flag(int value)
{
    return json_boolean(value != 0);
}

static json_t *change_json(struct cli_json *document, const relume_death *death)
{
    json_t *change = json_object();
    if (death->kind == RELUME_BORN_DEAD) {
        json_decref(change);
        return json_null();
    }
    cli_json_set(document, change, "own_weights", cli_json_double(death->own_weights));
    cli_json_set(document, change, "own_bias", cli_json_double(death->own_bias));
    cli_json_set(document, change, "below", cli_json_double(death->below));
    cli_json_set(document, change, "gradient", cli_json_double(death->gradient));
    cli_json_set(document, change, "momentum", cli_json_double(death->momentum));
    cli_json_set(document, change, "decay", cli_json_double(death->decay));
    cli_json_set(document, change, "rounding", cli_json_double(death->rounding));
    return change;
}

/* "uncentred inputs" of a layer fed by ReLUs is what depth does. */
static const char *cause_name(const relume_death *death, relume_cause cause)
{
    return cause == RELUME_CAUSE_UNCENTRED && death->layer > 0 ? "depth" : relume_cause_name(cause);
}

static json_t *causes_json(struct cli_json *document, const relume_death *death)
{
    json_t *causes = json_array();
    for (unsigned cause = 1; cause <= RELUME_CAUSE_CHANCE; cause <<= 1)
        if (death->causes & cause)
            cli_json_add(document, causes, cli_json_text(cause_name(death, (relume_cause)cause)));
    return causes;
}

static json_t *pushers_json(struct cli_json *document, const relume_death *death)
{
    json_t *pushers = json_array();
    for (size_t i = 0; i < death->pushers; i++) {
        const relume_pusher *pusher = &death->pusher[i];
        json_t *one = json_object();
        cli_json_set(document, one, "sample", cli_json_count(pusher->sample));
        cli_json_set(document, one, "push", cli_json_double(pusher->push));
        cli_json_set(document, one, "norm_ratio", cli_json_double(pusher->norm_ratio));
        cli_json_set(document, one, "decisive", i == 0 ? flag(pusher->decisive) : json_null());
        cli_json_add(document, pushers, one);
    }
    return pushers;
}

static json_t *lethal_json(struct cli_json *document, const relume_death *death)
{
    if (!death->lethal)
        return json_null();
    json_t *lethal = json_array();
    cli_json_add(document, lethal, cli_json_float(death->lethal_low));
    cli_json_add(document, lethal, cli_json_float(death->lethal_high));
    return lethal;
}

static json_t *drift_json(struct cli_json *document, const relume_death *death)
{
    if (!death->drift)
        return json_null();
    json_t *drift = json_object();
    cli_json_set(document, drift, "from", cli_json_count(death->drift_from));
    cli_json_set(document, drift, "to", cli_json_count(death->step));
    cli_json_set(document, drift, "margin", cli_json_float(death->drift_margin));
    cli_json_set(document, drift, "fired", cli_json_count(death->drift_fired));
    return drift;
}

static json_t *episodes_json(struct cli_json *document, const relume_death *death)
{
    json_t *episodes = json_array();
    for (size_t i = 0; i < death->episodes; i++) {
        json_t *one = json_array();
        cli_json_add(document, one, cli_json_count(death->episode[i].from));
        cli_json_add(document, one,
                     death->episode[i].to ? cli_json_count(death->episode[i].to) : json_null());
        cli_json_add(document, episodes, one);
    }
    return episodes;
}

static json_t *prognosis_json(struct cli_json *document, const relume_prognosis *p)
{
    json_t *prognosis = json_object();
    cli_json_set(document, prognosis, "verdict", cli_json_text(relume_verdict_name(p->verdict)));
    cli_json_set(document, prognosis, "revives_at",
                 p->revives_at ? cli_json_count(p->revives_at) : json_null());
    cli_json_set(document, prognosis, "because", cli_json_text(p->because));
    cli_json_set(document, prognosis, "never", flag(p->never));
    cli_json_set(document, prognosis, "looked_to", p->looked_to ? cli_json_count(p->looked_to) : json_null());
    cli_json_set(document, prognosis, "as_of", cli_json_count(p->as_of));
    cli_json_set(document, prognosis, "margin", cli_json_double(p->margin));
    cli_json_set(document, prognosis, "distance", cli_json_double(p->distance));
    return prognosis;
}

static void put_update(struct cli_json *document, json_t *one, const relume_death *death)
{
    cli_json_set(document, one, "update_ratio", cli_json_double(death->update_ratio));
    cli_json_set(document, one, "update_percentile", cli_json_double(death->update_percentile));
    cli_json_set(document, one, "run_percentile", cli_json_double(death->run_percentile));
    cli_json_set(document, one, "largest_safe_lr",
                 death->lethal ? cli_json_float(death->largest_safe_rate) : json_null());
    cli_json_set(document, one, "lethal_lr", lethal_json(document, death));
    cli_json_set(document, one, "batch_loss", cli_json_double(death->batch_loss));
    cli_json_set(document, one, "gradient_norm", cli_json_double(death->gradient_norm));
    cli_json_set(document, one, "pushers", pushers_json(document, death));
    cli_json_set(document, one, "outlier", flag(death->outlier));
    cli_json_set(document, one, "drift", drift_json(document, death));
}

static json_t *death_json(struct cli_json *document, const relume_death *death, bool episodes)
{
    json_t *one = json_object();
    bool born = death->kind == RELUME_BORN_DEAD;
    cli_json_set(document, one, "unit", unit_name(death->layer, death->unit));
    cli_json_set(document, one, "kind", cli_json_text(relume_event_kind_name(death->kind)));
    cli_json_set(document, one, "step", cli_json_count(death->step));
    cli_json_set(document, one, "epoch", cli_json_count(death->epoch));
    cli_json_set(document, one, "returned", death->returned ? cli_json_count(death->returned) : json_null());
    cli_json_set(document, one, "learning_rate", cli_json_double(death->learning_rate));
    cli_json_set(document, one, "fired_before", born ? json_null() : cli_json_count(death->fired_before));
    cli_json_set(document, one, "margin_before", cli_json_float(death->margin_before));
    cli_json_set(document, one, "margin_after", cli_json_float(death->margin_after));
    cli_json_set(document, one, "sample", cli_json_count(death->sample));
    cli_json_set(document, one, "change", change_json(document, death));
    cli_json_set(document, one, "causes", causes_json(document, death));
    cli_json_set(document, one, "overdetermined", flag(death->overdetermined));
    cli_json_set(document, one, "layer_deaths", cli_json_count(death->layer_deaths));
    cli_json_set(document, one, "bias", cli_json_double(death->bias));
    cli_json_set(document, one, "input_gamma", cli_json_double(death->input_gamma));
    put_update(document, one, death);
    cli_json_set(document, one, "episodes", episodes ? episodes_json(document, death) : json_null());
    cli_json_set(document, one, "prognosis", prognosis_json(document, &death->prognosis));
    return one;
}

static json_t *nearest_json(struct cli_json *document, const relume_run *run)
{
    struct cli_near near[CLI_NEAREST];
    size_t count = cli_autopsy_nearest(run, near, CLI_NEAREST);
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *one = json_object();
        cli_json_set(document, one, "unit", unit_name(near[i].layer, near[i].unit));
        cli_json_set(document, one, "active", cli_json_count(near[i].account.active));
        cli_json_set(document, one, "firing_rate", cli_json_double(near[i].account.firing_rate));
        cli_json_set(document, one, "margin", cli_json_float(near[i].account.margin));
        cli_json_add(document, all, one);
    }
    return all;
}

relume_status cli_print_autopsy_json(const struct cli_autopsy *autopsy, relume_error *error)
{
    struct cli_json document;
    const relume_autopsy *found = autopsy->found;
    bool episodes = cli_given(autopsy->program->args, "episodes");
    cli_json_init(&document, "relume.autopsy/1");
    json_t *root = document.root, *deaths = json_array();
    cli_json_set(&document, root, "run", cli_json_text(autopsy->program->args->positional[0]));
    cli_json_set(&document, root, "dataset",
                 cli_dataset_json(&document, relume_run_get_dataset(autopsy->run), "train"));
    cli_json_set(&document, root, "as_of", cli_json_count(found->as_of));
    cli_json_set(&document, root, "steps_repeated", cli_json_count(found->steps_repeated));
    cli_json_set(&document, root, "seconds", cli_json_double(found->seconds));
    cli_json_set(&document, root, "temporary", cli_json_count(found->temporary));
    for (size_t i = 0; i < found->deaths; i++)
        cli_json_add(&document, deaths, death_json(&document, &found->death[i], episodes));
    cli_json_set(&document, root, "deaths", deaths);
    cli_json_set(&document, root, "nearest_to_death", nearest_json(&document, autopsy->run));
    relume_status status = cli_json_print(&document, error);
    cli_json_deinit(&document);
    return status;
}
