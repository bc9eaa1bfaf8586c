/* The facts as JSON, schema relume.report/1: docs/schemas/report-1.json says what each field means. */
#include "report/print.h"

#include "relume/version.h"
#include "report/json_autopsy.h"

static void write_dataset(struct rlm_writer *w, const struct rlm_facts *f)
{
    rlm_put_object(w, "dataset");
    rlm_put_text(w, "name", f->dataset);
    rlm_put_text(w, "split", "train");
    rlm_put_u64(w, "samples", f->samples);
    rlm_put_u64(w, "features", f->features);
    if (f->image_rows > 0) {
        uint64_t shape[2] = {f->image_rows, f->image_columns};
        rlm_put_u64s(w, "image", shape, 2);
    } else {
        rlm_put_null(w, "image");
    }
    if (f->classes > 0) {
        rlm_put_array(w, "classes");
        for (size_t c = 0; c < f->classes; c++)
            rlm_write_text(w, f->class_name[c]);
        rlm_write_close(w, ']');
    } else {
        rlm_put_null(w, "classes");
    }
    rlm_put_null(w, "columns");
    rlm_put_text(w, "trouble", f->dataset_trouble);
    rlm_write_close(w, '}');
}

static void write_network(struct rlm_writer *w, const struct rlm_facts *f)
{
    rlm_put_object(w, "network");
    rlm_put_array(w, "widths");
    rlm_write_u64(w, f->features);
    for (size_t l = 0; l < f->layers; l++)
        rlm_write_u64(w, f->layer[l].units);
    rlm_write_u64(w, f->out_features);
    rlm_write_close(w, ']');
    rlm_put_u64(w, "parameters", f->parameters);
    rlm_put_u64(w, "parameters_without_dead", f->parameters_without_dead);
    rlm_write_close(w, '}');
}

static void write_score(struct rlm_writer *w, const char *key, relume_score score)
{
    rlm_put_object(w, key);
    rlm_put_double(w, "loss", score.loss);
    rlm_put_double(w, "accuracy", score.accuracy);
    rlm_write_close(w, '}');
}

static void write_standing(struct rlm_writer *w, const struct rlm_facts *f)
{
    rlm_put_text(w, "run", f->run);
    rlm_put_text(w, "state", f->state);
    rlm_put_object(w, "complete_to");
    rlm_put_u64(w, "epoch", f->epoch);
    rlm_put_u64(w, "step", f->step);
    rlm_write_close(w, '}');
    rlm_put_u64(w, "model_step", f->model_step);
    rlm_put_u64(w, "best_epoch", f->best_epoch);
    write_dataset(w, f);
    write_network(w, f);
    rlm_put_object(w, "settings");
    for (size_t i = 0; i < f->settings; i++)
        rlm_put_text(w, f->setting[i].key, f->setting[i].value);
    rlm_write_close(w, '}');
    rlm_put_object(w, "score");
    write_score(w, "train", f->train);
    if (f->test.loss == f->test.loss)
        write_score(w, "test", f->test);
    else
        rlm_put_null(w, "test");
    rlm_write_close(w, '}');
}

static void write_verdict(struct rlm_writer *w, const struct rlm_facts *f)
{
    rlm_put_object(w, "verdict");
    rlm_put_text(w, "tone", f->verdict.tone);
    rlm_put_text(w, "headline", f->verdict.headline);
    rlm_put_array(w, "points");
    for (size_t i = 0; i < f->verdict.points; i++) {
        rlm_write_open(w, '{');
        rlm_put_text(w, "about", f->verdict.point[i].about);
        rlm_put_text(w, "text", f->verdict.point[i].text);
        rlm_write_close(w, '}');
    }
    rlm_write_close(w, ']');
    rlm_write_close(w, '}');
}

static void write_totals(struct rlm_writer *w, const struct rlm_facts *f)
{
    rlm_put_object(w, "ledger");
    rlm_put_u64(w, "born_dead", f->total.born_dead);
    rlm_put_u64(w, "deaths", f->total.deaths);
    rlm_put_u64(w, "revivals", f->total.revivals);
    rlm_put_u64(w, "dead_at_end", f->total.dead_at_end);
    rlm_write_close(w, '}');
    rlm_put_u64(w, "hidden_units", f->hidden_units);
    rlm_put_u64(w, "dead", f->dead);
    rlm_put_double(w, "dead_fraction", f->hidden_units ? (double)f->dead / (double)f->hidden_units : 0);
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
    rlm_put_object(w, "epochs");
    rlm_put_u64s(w, "epoch", e->epoch + from, count);
    rlm_put_u64s(w, "step", e->step + from, count);
    rlm_put_doubles(w, "learning_rate", e->learning_rate + from, count);
    rlm_put_doubles(w, "train_loss", e->train_loss + from, count);
    rlm_put_doubles(w, "train_accuracy", e->train_accuracy + from, count);
    rlm_put_doubles(w, "test_loss", e->test_loss + from, count);
    rlm_put_doubles(w, "test_accuracy", e->test_accuracy + from, count);
    rlm_put_u64s(w, "dead", e->dead + from, count);
    rlm_write_close(w, '}');
    rlm_put_object(w, "steps");
    rlm_put_u64(w, "width", f->steps.width);
    rlm_put_u64s(w, "step", f->steps.step, f->steps.count);
    rlm_put_u64s(w, "deaths", f->steps.deaths, f->steps.count);
    rlm_put_u64s(w, "revivals", f->steps.revivals, f->steps.count);
    rlm_write_close(w, '}');
}

/* Epoch 0 is the start: it has no update. */
static void write_ratios(struct rlm_writer *w, const struct rlm_facts *f, const double *ratio)
{
    size_t from = first_row(f);
    if (!f->ratios) {
        rlm_put_null(w, "update_ratio");
        return;
    }
    if (from == 0 && f->epochs.count > 0 && f->epochs.epoch[0] == 0)
        from = 1;
    rlm_put_object(w, "update_ratio");
    rlm_put_u64s(w, "step", f->epochs.step + from, f->epochs.count - from);
    rlm_put_doubles(w, "log10", ratio + from, f->epochs.count - from);
    rlm_write_close(w, '}');
}

static void write_layer(struct rlm_writer *w, const struct rlm_facts *f, const struct rlm_facts_layer *layer)
{
    const relume_layer_account *a = &layer->account;
    rlm_write_open(w, '{');
    rlm_put_text(w, "layer", layer->name);
    rlm_put_text(w, "name", layer->foreign_name ? layer->foreign_name : layer->name);
    rlm_put_u64(w, "units", layer->units);
    rlm_put_u64(w, "dead", a->dead);
    rlm_put_u64(w, "nearly_dead", a->nearly_dead);
    rlm_put_u64(w, "always_on", a->always_on);
    rlm_put_u64(w, "mute", a->mute);
    rlm_put_double(w, "mean_firing_rate", a->mean_firing_rate);
    rlm_put_u64(w, "born_dead", layer->ledger.born_dead);
    rlm_put_u64(w, "deaths", layer->ledger.deaths);
    rlm_put_u64(w, "revivals", layer->ledger.revivals);
    size_t from = first_row(f);
    if (layer->dead_by_epoch)
        rlm_put_u64s(w, "dead_by_epoch", layer->dead_by_epoch + from, f->epochs.count - from);
    else
        rlm_put_u64s(w, "dead_by_epoch", NULL, 0);
    write_ratios(w, f, layer->ratio_by_epoch);
    rlm_put_packed(w, "active", &layer->active);
    rlm_put_packed(w, "margin", &layer->margin);
    rlm_put_packed(w, "mean_activation", &layer->mean_activation);
    rlm_write_close(w, '}');
}

static void write_map(struct rlm_writer *w, const struct rlm_facts *f)
{
    const struct rlm_facts_map *map = &f->map;
    rlm_put_object(w, "map");
    rlm_put_text(w, "encoding", map->exact ? "counts" : "rates");
    rlm_put_u64(w, "of", map->held);
    rlm_put_u64s(w, "step", map->step, map->count);
    rlm_put_u64s(w, "epoch", map->epoch, map->count);
    rlm_put_doubles(w, "accuracy", map->accuracy, map->count);
    rlm_put_array(w, "layers");
    for (size_t l = 0; l < f->layers; l++)
        rlm_write_packed(w, &map->layer[l]);
    rlm_write_close(w, ']');
    rlm_put_array(w, "margins");
    for (size_t l = 0; l < f->layers; l++)
        rlm_write_packed(w, &map->margin[l]);
    rlm_write_close(w, ']');
    rlm_write_close(w, '}');
}

static void write_events(struct rlm_writer *w, const struct rlm_facts *f)
{
    rlm_put_object(w, "events");
    rlm_put_u64(w, "count", f->events.count);
    rlm_put_u64(w, "kept", f->events.kept);
    rlm_put_u64(w, "exact", f->events.exact);
    rlm_put_packed(w, "layer", &f->events.layer);
    rlm_put_packed(w, "unit", &f->events.unit);
    rlm_put_packed(w, "kind", &f->events.kind);
    rlm_put_packed(w, "after_step", &f->events.after_step);
    rlm_put_packed(w, "step", &f->events.step);
    rlm_write_close(w, '}');
}

static void write_units(struct rlm_writer *w, const struct rlm_facts_units *u)
{
    if (u->count == 0) {
        rlm_put_null(w, "units");
        return;
    }
    rlm_put_object(w, "units");
    rlm_put_u64(w, "of", u->of);
    rlm_put_u64(w, "count", u->count);
    rlm_put_packed(w, "layer", &u->layer);
    rlm_put_packed(w, "unit", &u->unit);
    rlm_put_u64(w, "bins", RLM_BINS);
    rlm_put_packed(w, "width", &u->width);
    rlm_put_packed(w, "histogram", &u->histogram);
    rlm_put_packed(w, "bias", &u->bias);
    rlm_put_packed(w, "weight_norm", &u->weight_norm);
    rlm_put_object(w, "top");
    rlm_put_u64(w, "each", u->each);
    rlm_put_packed(w, "sample", &u->sample);
    rlm_put_packed(w, "p", &u->p);
    rlm_write_close(w, '}');
    rlm_put_object(w, "weights");
    rlm_put_u64(w, "rows", u->weight_rows);
    rlm_put_u64(w, "columns", u->weight_columns);
    rlm_put_packed(w, "scale", &u->weight_scale);
    rlm_put_packed(w, "value", &u->weight);
    rlm_write_close(w, '}');
    rlm_write_close(w, '}');
}

static void write_samples(struct rlm_writer *w, const struct rlm_facts_samples *s)
{
    if (s->count == 0) {
        rlm_put_null(w, "samples");
        return;
    }
    rlm_put_object(w, "samples");
    rlm_put_u64(w, "count", s->count);
    rlm_put_packed(w, "index", &s->index);
    rlm_put_packed(w, "label", &s->label);
    rlm_put_packed(w, "image", &s->image);
    rlm_write_close(w, '}');
}

static void write_sweep_row(struct rlm_writer *w, const struct rlm_facts_sweep *sweep, size_t i)
{
    const relume_sweep_row *row = &sweep->row[i];
    rlm_write_open(w, '{');
    rlm_put_text(w, "run", sweep->run[i]);
    rlm_put_bool(w, "own", i == sweep->own);
    rlm_put_double(w, "learning_rate", row->learning_rate);
    rlm_put_u64(w, "epochs", row->epochs);
    rlm_put_u64(w, "steps", row->steps);
    rlm_put_bool(w, "diverged", row->diverged != 0);
    write_score(w, "train", row->train);
    write_score(w, "test", row->test);
    rlm_put_double(w, "accuracy", relume_sweep_row_accuracy(row));
    rlm_put_u64(w, "hidden_units", row->units);
    rlm_put_u64(w, "born_dead", row->total.born_dead);
    rlm_put_u64(w, "deaths", row->total.deaths);
    rlm_put_u64(w, "revivals", row->total.revivals);
    rlm_put_u64(w, "dead", row->total.dead_at_end);
    rlm_put_double(w, "dead_fraction",
                   row->units > 0 ? (double)row->total.dead_at_end / (double)row->units : 0);
    rlm_write_close(w, '}');
}

static void put_rate(struct rlm_writer *w, const char *key, const struct rlm_facts_sweep *sweep, size_t place)
{
    if (place == SIZE_MAX)
        rlm_put_null(w, key);
    else
        rlm_put_double(w, key, sweep->row[place].learning_rate);
}

static void write_sweep(struct rlm_writer *w, const struct rlm_facts_sweep *sweep)
{
    if (sweep->rows == 0) {
        rlm_put_null(w, "sweep");
        return;
    }
    rlm_put_object(w, "sweep");
    rlm_put_array(w, "rows");
    for (size_t i = 0; i < sweep->rows; i++)
        write_sweep_row(w, sweep, i);
    rlm_write_close(w, ']');
    put_rate(w, "largest_lr_without_deaths", sweep, sweep->cliff.safe);
    put_rate(w, "first_lr_with_deaths", sweep, sweep->cliff.deaths);
    put_rate(w, "first_lr_with_a_tenth_dead", sweep, sweep->cliff.dead);
    put_rate(w, "best_lr", sweep, sweep->cliff.best);
    put_rate(w, "fall_lr", sweep, sweep->cliff.fall);
    put_rate(w, "first_lr_diverged", sweep, sweep->cliff.diverged);
    rlm_put_text(w, "says", sweep->says);
    rlm_write_close(w, '}');
}

static void write_forecast(struct rlm_writer *w, const struct rlm_facts *f)
{
    const struct rlm_facts_forecast *forecast = &f->forecast;
    if (forecast->seeds == 0) {
        rlm_put_null(w, "forecast");
        return;
    }
    rlm_put_object(w, "forecast");
    rlm_put_u64(w, "seeds", forecast->seeds);
    rlm_put_array(w, "layers");
    for (size_t l = 0; l < forecast->layers; l++) {
        const struct rlm_facts_forecast_layer *layer = &forecast->layer[l];
        rlm_write_open(w, '{');
        rlm_put_text(w, "layer", f->layer[l].name);
        rlm_put_double(w, "expected", layer->expected);
        rlm_put_double(w, "born_dead_fraction", layer->measured);
        rlm_put_double(w, "standard_error", layer->standard_error);
        rlm_put_text(w, "owed_to", layer->owed_to);
        rlm_write_close(w, '}');
    }
    rlm_write_close(w, ']');
    rlm_put_u64(w, "steps", forecast->steps);
    rlm_put_double(w, "safe_learning_rate", forecast->safe);
    rlm_put_double(w, "lethal_learning_rate", forecast->lethal);
    rlm_put_bool(w, "diverged", forecast->diverged);
    rlm_write_close(w, '}');
}

void rlm_report_json(const struct rlm_facts *facts, struct rlm_strbuf *buffer)
{
    struct rlm_writer writer = {.buffer = buffer}, *w = &writer;
    rlm_write_open(w, '{');
    rlm_put_text(w, "schema", "relume.report/1");
    rlm_put_text(w, "relume", relume_version());
    write_standing(w, facts);
    write_totals(w, facts);
    write_verdict(w, facts);
    write_epochs(w, facts);
    rlm_put_array(w, "layers");
    for (size_t l = 0; l < facts->layers; l++)
        write_layer(w, facts, &facts->layer[l]);
    rlm_write_close(w, ']');
    rlm_put_object(w, "output_layer");
    rlm_put_u64(w, "units", facts->out_features);
    write_ratios(w, facts, facts->out_ratio);
    rlm_write_close(w, '}');
    write_map(w, facts);
    write_events(w, facts);
    write_units(w, &facts->units);
    write_samples(w, &facts->sample);
    rlm_json_autopsy(w, facts);
    write_sweep(w, &facts->sweep);
    write_forecast(w, facts);
    if (facts->first_step > 0)
        rlm_put_u64(w, "since", facts->first_step - 1);
    rlm_write_close(w, '}');
}
