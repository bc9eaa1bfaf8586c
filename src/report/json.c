/* The facts as JSON, schema relume.report/1: docs/schemas/report-1.json says what each field means. */
#include "report/print.h"

#include "relume/version.h"
#include "report/writer.h"

/* A key and its value. */
static void put_text(struct rlm_writer *w, const char *key, const char *value)
{
    rlm_write_key(w, key);
    rlm_write_text(w, value);
}

static void put_u64(struct rlm_writer *w, const char *key, uint64_t value)
{
    rlm_write_key(w, key);
    rlm_write_u64(w, value);
}

static void put_double(struct rlm_writer *w, const char *key, double value)
{
    rlm_write_key(w, key);
    rlm_write_double(w, value);
}

static void put_packed(struct rlm_writer *w, const char *key, const struct rlm_packed *packed)
{
    rlm_write_key(w, key);
    rlm_write_packed(w, packed);
}

static void put_u64s(struct rlm_writer *w, const char *key, const uint64_t *value, size_t count)
{
    rlm_write_key(w, key);
    rlm_write_u64s(w, value, count);
}

static void put_doubles(struct rlm_writer *w, const char *key, const double *value, size_t count)
{
    rlm_write_key(w, key);
    rlm_write_doubles(w, value, count);
}

static void put_null(struct rlm_writer *w, const char *key)
{
    rlm_write_key(w, key);
    rlm_write_null(w);
}

static void open_object(struct rlm_writer *w, const char *key)
{
    rlm_write_key(w, key);
    rlm_write_open(w, '{');
}

static void open_array(struct rlm_writer *w, const char *key)
{
    rlm_write_key(w, key);
    rlm_write_open(w, '[');
}

/* ---- parts ---- */

static void write_dataset(struct rlm_writer *w, const struct rlm_facts *f)
{
    open_object(w, "dataset");
    put_text(w, "name", f->dataset);
    put_text(w, "split", "train");
    put_u64(w, "samples", f->samples);
    put_u64(w, "features", f->features);
    if (f->image_rows > 0) {
        uint64_t shape[2] = {f->image_rows, f->image_columns};
        put_u64s(w, "image", shape, 2);
    } else {
        put_null(w, "image");
    }
    if (f->classes > 0) {
        open_array(w, "classes");
        for (size_t c = 0; c < f->classes; c++)
            rlm_write_text(w, f->class_name[c]);
        rlm_write_close(w, ']');
    } else {
        put_null(w, "classes");
    }
    put_null(w, "columns");
    put_text(w, "trouble", f->dataset_trouble);
    rlm_write_close(w, '}');
}

static void write_network(struct rlm_writer *w, const struct rlm_facts *f)
{
    open_object(w, "network");
    open_array(w, "widths");
    rlm_write_u64(w, f->features);
    for (size_t l = 0; l < f->layers; l++)
        rlm_write_u64(w, f->layer[l].units);
    rlm_write_u64(w, f->out_features);
    rlm_write_close(w, ']');
    put_u64(w, "parameters", f->parameters);
    put_u64(w, "parameters_without_dead", f->parameters_without_dead);
    rlm_write_close(w, '}');
}

static void write_score(struct rlm_writer *w, const char *key, relume_score score)
{
    open_object(w, key);
    put_double(w, "loss", score.loss);
    put_double(w, "accuracy", score.accuracy);
    rlm_write_close(w, '}');
}

static void write_standing(struct rlm_writer *w, const struct rlm_facts *f)
{
    put_text(w, "run", f->run);
    put_text(w, "state", f->state);
    open_object(w, "complete_to");
    put_u64(w, "epoch", f->epoch);
    put_u64(w, "step", f->step);
    rlm_write_close(w, '}');
    put_u64(w, "model_step", f->model_step);
    put_u64(w, "best_epoch", f->best_epoch);
    write_dataset(w, f);
    write_network(w, f);
    open_object(w, "settings");
    for (size_t i = 0; i < f->settings; i++)
        put_text(w, f->setting[i].key, f->setting[i].value);
    rlm_write_close(w, '}');
    open_object(w, "score");
    write_score(w, "train", f->train);
    if (f->test.loss == f->test.loss)
        write_score(w, "test", f->test);
    else
        put_null(w, "test");
    rlm_write_close(w, '}');
}

static void write_verdict(struct rlm_writer *w, const struct rlm_facts *f)
{
    open_object(w, "verdict");
    put_text(w, "tone", f->verdict.tone);
    put_text(w, "headline", f->verdict.headline);
    open_array(w, "points");
    for (size_t i = 0; i < f->verdict.points; i++) {
        rlm_write_open(w, '{');
        put_text(w, "about", f->verdict.point[i].about);
        put_text(w, "text", f->verdict.point[i].text);
        rlm_write_close(w, '}');
    }
    rlm_write_close(w, ']');
    rlm_write_close(w, '}');
}

static void write_totals(struct rlm_writer *w, const struct rlm_facts *f)
{
    open_object(w, "ledger");
    put_u64(w, "born_dead", f->total.born_dead);
    put_u64(w, "deaths", f->total.deaths);
    put_u64(w, "revivals", f->total.revivals);
    put_u64(w, "dead_at_end", f->total.dead_at_end);
    rlm_write_close(w, '}');
    put_u64(w, "hidden_units", f->hidden_units);
    put_u64(w, "dead", f->dead);
    put_double(w, "dead_fraction", f->hidden_units ? (double)f->dead / (double)f->hidden_units : 0);
}

/* The first row that a continuation has. */
static size_t first_row(const struct rlm_facts *f)
{
    size_t row = 0;
    while (f->first_step > 0 && row < f->epochs.count && f->epochs.step[row] < f->first_step)
        row++;
    return row;
}

static void write_epochs(struct rlm_writer *w, const struct rlm_facts *f)
{
    const struct rlm_facts_epochs *e = &f->epochs;
    size_t from = first_row(f), count = e->count - from;
    open_object(w, "epochs");
    put_u64s(w, "epoch", e->epoch + from, count);
    put_u64s(w, "step", e->step + from, count);
    put_doubles(w, "learning_rate", e->learning_rate + from, count);
    put_doubles(w, "train_loss", e->train_loss + from, count);
    put_doubles(w, "train_accuracy", e->train_accuracy + from, count);
    put_doubles(w, "test_loss", e->test_loss + from, count);
    put_doubles(w, "test_accuracy", e->test_accuracy + from, count);
    put_u64s(w, "dead", e->dead + from, count);
    rlm_write_close(w, '}');
    open_object(w, "steps");
    put_u64(w, "width", f->steps.width);
    put_u64s(w, "step", f->steps.step, f->steps.count);
    put_u64s(w, "deaths", f->steps.deaths, f->steps.count);
    put_u64s(w, "revivals", f->steps.revivals, f->steps.count);
    rlm_write_close(w, '}');
}

static void write_layer(struct rlm_writer *w, const struct rlm_facts *f, const struct rlm_facts_layer *layer)
{
    const relume_layer_account *a = &layer->account;
    rlm_write_open(w, '{');
    put_text(w, "layer", layer->name);
    put_text(w, "name", layer->foreign_name ? layer->foreign_name : layer->name);
    put_u64(w, "units", layer->units);
    put_u64(w, "dead", a->dead);
    put_u64(w, "nearly_dead", a->nearly_dead);
    put_u64(w, "always_on", a->always_on);
    put_u64(w, "mute", a->mute);
    put_double(w, "mean_firing_rate", a->mean_firing_rate);
    put_u64(w, "born_dead", layer->ledger.born_dead);
    put_u64(w, "deaths", layer->ledger.deaths);
    put_u64(w, "revivals", layer->ledger.revivals);
    size_t from = first_row(f);
    if (layer->dead_by_epoch)
        put_u64s(w, "dead_by_epoch", layer->dead_by_epoch + from, f->epochs.count - from);
    else
        put_u64s(w, "dead_by_epoch", NULL, 0);
    put_null(w, "update_ratio");
    put_packed(w, "active", &layer->active);
    put_packed(w, "margin", &layer->margin);
    put_packed(w, "mean_activation", &layer->mean_activation);
    rlm_write_close(w, '}');
}

static void write_map(struct rlm_writer *w, const struct rlm_facts *f)
{
    const struct rlm_facts_map *map = &f->map;
    open_object(w, "map");
    put_text(w, "encoding", map->exact ? "counts" : "rates");
    put_u64(w, "of", map->held);
    put_u64s(w, "step", map->step, map->count);
    put_u64s(w, "epoch", map->epoch, map->count);
    put_doubles(w, "accuracy", map->accuracy, map->count);
    open_array(w, "layers");
    for (size_t l = 0; l < f->layers; l++)
        rlm_write_packed(w, &map->layer[l]);
    rlm_write_close(w, ']');
    open_array(w, "margins");
    for (size_t l = 0; l < f->layers; l++)
        rlm_write_packed(w, &map->margin[l]);
    rlm_write_close(w, ']');
    rlm_write_close(w, '}');
}

static void write_events(struct rlm_writer *w, const struct rlm_facts *f)
{
    open_object(w, "events");
    put_u64(w, "count", f->events.count);
    put_u64(w, "kept", f->events.kept);
    put_u64(w, "exact", f->events.exact);
    put_packed(w, "layer", &f->events.layer);
    put_packed(w, "unit", &f->events.unit);
    put_packed(w, "kind", &f->events.kind);
    put_packed(w, "after_step", &f->events.after_step);
    put_packed(w, "step", &f->events.step);
    rlm_write_close(w, '}');
}

static void write_units(struct rlm_writer *w, const struct rlm_facts_units *u)
{
    if (u->count == 0) {
        put_null(w, "units");
        return;
    }
    open_object(w, "units");
    put_u64(w, "of", u->of);
    put_u64(w, "count", u->count);
    put_packed(w, "layer", &u->layer);
    put_packed(w, "unit", &u->unit);
    put_u64(w, "bins", RLM_BINS);
    put_packed(w, "width", &u->width);
    put_packed(w, "histogram", &u->histogram);
    put_packed(w, "bias", &u->bias);
    put_packed(w, "weight_norm", &u->weight_norm);
    open_object(w, "top");
    put_u64(w, "each", u->each);
    put_packed(w, "sample", &u->sample);
    put_packed(w, "p", &u->p);
    rlm_write_close(w, '}');
    open_object(w, "weights");
    put_u64(w, "rows", u->weight_rows);
    put_u64(w, "columns", u->weight_columns);
    put_packed(w, "scale", &u->weight_scale);
    put_packed(w, "value", &u->weight);
    rlm_write_close(w, '}');
    rlm_write_close(w, '}');
}

static void write_samples(struct rlm_writer *w, const struct rlm_facts_samples *s)
{
    if (s->count == 0) {
        put_null(w, "samples");
        return;
    }
    open_object(w, "samples");
    put_u64(w, "count", s->count);
    put_packed(w, "index", &s->index);
    put_packed(w, "label", &s->label);
    put_packed(w, "image", &s->image);
    rlm_write_close(w, '}');
}

void rlm_report_json(const struct rlm_facts *facts, struct rlm_strbuf *buffer)
{
    struct rlm_writer writer = {.buffer = buffer}, *w = &writer;
    rlm_write_open(w, '{');
    put_text(w, "schema", "relume.report/1");
    put_text(w, "relume", relume_version());
    write_standing(w, facts);
    write_totals(w, facts);
    write_verdict(w, facts);
    write_epochs(w, facts);
    open_array(w, "layers");
    for (size_t l = 0; l < facts->layers; l++)
        write_layer(w, facts, &facts->layer[l]);
    rlm_write_close(w, ']');
    write_map(w, facts);
    write_events(w, facts);
    write_units(w, &facts->units);
    write_samples(w, &facts->sample);
    put_null(w, "autopsy");
    put_null(w, "sweep");
    put_null(w, "forecast");
    if (facts->first_step > 0)
        put_u64(w, "since", facts->first_step - 1);
    rlm_write_close(w, '}');
}
