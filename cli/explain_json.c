/* relume explain --json: every number of the lesson; docs/schemas/explain-1.json. */
#include "explain.h"

#include "account.h"

static json_t *floats(struct cli_json *document, const float *value, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        cli_json_add(document, array, cli_json_float(value[i]));
    return array;
}

static json_t *sample_json(struct cli_json *document, const struct explain *explain)
{
    const relume_explanation *it = &explain->it;
    bool classes = it->label != SIZE_MAX;
    json_t *object = json_object();
    cli_json_set(document, object, "split", cli_json_text(explain_split_name(explain)));
    cli_json_set(document, object, "sample", cli_json_count(it->sample));
    cli_json_set(document, object, "label",
                 classes ? cli_json_text(relume_dataset_get_class_name(explain->dataset, it->label))
                         : json_null());
    cli_json_set(document, object, "predicted",
                 classes ? cli_json_text(relume_dataset_get_class_name(explain->dataset, it->predicted))
                         : json_null());
    cli_json_set(document, object, "label_index", classes ? cli_json_count(it->label) : json_null());
    cli_json_set(document, object, "loss", cli_json_float(it->loss));
    cli_json_set(document, object, "because", cli_json_text(explain->sample_because));
    return object;
}

/* The unit over the whole training split. */
static json_t *split_json(struct cli_json *document, const struct explain *explain)
{
    bool hidden = explain->layer + 1 < relume_network_get_layers(explain->network);
    json_t *object = json_object();
    cli_json_set(document, object, "samples", cli_json_count(explain->whole.samples));
    cli_json_set(document, object, "active", cli_json_count(explain->whole.active));
    cli_json_set(document, object, "margin", cli_json_float(explain->whole.margin));
    cli_json_set(document, object, "dead", json_boolean(hidden && explain->whole.active == 0));
    cli_json_set(document, object, "structural",
                 json_boolean(hidden && explain->whole.active == 0 && explain_is_structural(explain)));
    return object;
}

static void set_forward(struct cli_json *document, const struct explain *explain)
{
    const relume_explanation *it = &explain->it;
    json_t *root = document->root;
    cli_json_set(document, root, "x", floats(document, it->x, it->inputs));
    cli_json_set(document, root, "w", floats(document, it->weight, it->inputs));
    cli_json_set(document, root, "b", cli_json_float(it->bias));
    cli_json_set(document, root, "p", cli_json_float(it->preactivation));
    cli_json_set(document, root, "z", cli_json_float(it->activation));
    cli_json_set(document, root, "gate_open", json_boolean(it->open));
    cli_json_set(document, root, "logits", floats(document, it->logits, it->outputs));
}

static void set_backward(struct cli_json *document, const struct explain *explain)
{
    const relume_explanation *it = &explain->it;
    bool last = it->above_dz == NULL;
    json_t *root = document->root;
    cli_json_set(document, root, "above_dp", last ? json_null() : floats(document, it->above_dz, it->above));
    cli_json_set(document, root, "above_w",
                 last ? json_null() : floats(document, it->above_weight, it->above));
    cli_json_set(document, root, "dz", cli_json_float(it->upstream));
    cli_json_set(document, root, "dp", cli_json_float(it->dz));
    cli_json_set(document, root, "dw", floats(document, it->dweight, it->inputs));
    cli_json_set(document, root, "db", cli_json_float(it->dbias));
    cli_json_set(document, root, "learning_rate", cli_json_double(explain->learning_rate));
    cli_json_set(document, root, "p_after",
                 cli_json_float(relume_explanation_step(it, explain->learning_rate)));
}

relume_status explain_print_json(const struct explain *explain, relume_error *error)
{
    struct cli_json document;
    char name[48];
    cli_json_init(&document, "relume.explain/1");
    explain_unit_name(explain, explain->layer, explain->unit, name);
    cli_json_set(&document, document.root, "model", cli_json_text(explain->program->args->positional[0]));
    cli_json_set(&document, document.root, "model_file", cli_json_text(explain->model_file));
    cli_json_set(&document, document.root, "dataset", cli_dataset_json(&document, explain->dataset, "train"));
    cli_json_set(&document, document.root, "unit", cli_json_text(name));
    cli_json_set(&document, document.root, "unit_because", cli_json_text(explain->unit_because));
    cli_json_set(&document, document.root, "sample", sample_json(&document, explain));
    cli_json_set(&document, document.root, "over_split", split_json(&document, explain));
    set_forward(&document, explain);
    set_backward(&document, explain);
    relume_status status = cli_json_print(&document, error);
    cli_json_deinit(&document);
    return status;
}
