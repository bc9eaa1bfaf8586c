/* The autopsy's part of a report's JSON: deaths as relume.autopsy/1 has them (docs/schemas/autopsy-1.json),
 * without episodes, and what they have in common. */
#include <math.h>
#include <stdio.h>

#include "report/json_autopsy.h"

/* "uncentred inputs" of a layer fed by ReLUs is what depth does. */
static const char *cause_name(size_t layer, unsigned cause)
{
    return cause == RELUME_CAUSE_UNCENTRED && layer > 0 ? "depth" : relume_cause_name((relume_cause)cause);
}

static void put_causes(struct rlm_writer *w, size_t layer, unsigned causes)
{
    rlm_put_array(w, "causes");
    for (unsigned cause = 1; cause <= RELUME_CAUSE_CHANCE; cause <<= 1)
        if (causes & cause)
            rlm_write_text(w, cause_name(layer, cause));
    rlm_write_close(w, ']');
}

static void put_change(struct rlm_writer *w, const relume_death *death)
{
    if (death->kind == RELUME_BORN_DEAD) {
        rlm_put_null(w, "change");
        return;
    }
    rlm_put_object(w, "change");
    rlm_put_double(w, "own_weights", death->own_weights);
    rlm_put_double(w, "own_bias", death->own_bias);
    rlm_put_double(w, "below", death->below);
    rlm_put_double(w, "gradient", death->gradient);
    rlm_put_double(w, "momentum", death->momentum);
    rlm_put_double(w, "decay", death->decay);
    rlm_put_double(w, "rounding", death->rounding);
    rlm_write_close(w, '}');
}

static void put_update(struct rlm_writer *w, const relume_death *death)
{
    rlm_put_double(w, "update_ratio", death->update_ratio);
    rlm_put_double(w, "update_percentile", death->update_percentile);
    rlm_put_double(w, "run_percentile", death->run_percentile);
    if (death->lethal) {
        rlm_put_float(w, "largest_safe_lr", death->largest_safe_rate);
        rlm_put_array(w, "lethal_lr");
        rlm_write_float(w, death->lethal_low);
        rlm_write_float(w, death->lethal_high);
        rlm_write_close(w, ']');
    } else {
        rlm_put_null(w, "largest_safe_lr");
        rlm_put_null(w, "lethal_lr");
    }
    rlm_put_double(w, "batch_loss", death->batch_loss);
    rlm_put_double(w, "gradient_norm", death->gradient_norm);
    rlm_put_array(w, "pushers");
    for (size_t i = 0; i < death->pushers; i++) {
        rlm_write_open(w, '{');
        rlm_put_u64(w, "sample", death->pusher[i].sample);
        rlm_put_double(w, "push", death->pusher[i].push);
        rlm_put_double(w, "norm_ratio", death->pusher[i].norm_ratio);
        if (i == 0)
            rlm_put_bool(w, "decisive", death->pusher[i].decisive != 0);
        else
            rlm_put_null(w, "decisive");
        rlm_write_close(w, '}');
    }
    rlm_write_close(w, ']');
    rlm_put_bool(w, "outlier", death->outlier != 0);
}

static void put_drift(struct rlm_writer *w, const relume_death *death)
{
    if (!death->drift) {
        rlm_put_null(w, "drift");
        return;
    }
    rlm_put_object(w, "drift");
    rlm_put_u64(w, "from", death->drift_from);
    rlm_put_u64(w, "to", death->step);
    rlm_put_float(w, "margin", death->drift_margin);
    rlm_put_u64(w, "fired", death->drift_fired);
    rlm_write_close(w, '}');
}

/* 0 stands for none. */
static void put_step(struct rlm_writer *w, const char *key, uint64_t step)
{
    if (step > 0)
        rlm_put_u64(w, key, step);
    else
        rlm_put_null(w, key);
}

static void put_prognosis(struct rlm_writer *w, const relume_prognosis *p)
{
    rlm_put_object(w, "prognosis");
    rlm_put_text(w, "verdict", relume_verdict_name(p->verdict));
    put_step(w, "revives_at", p->revives_at);
    rlm_put_text(w, "because", p->because);
    rlm_put_bool(w, "never", p->never != 0);
    put_step(w, "looked_to", p->looked_to);
    rlm_put_u64(w, "as_of", p->as_of);
    rlm_put_double(w, "margin", p->margin);
    rlm_put_double(w, "distance", p->distance);
    rlm_write_close(w, '}');
}

static void write_death(struct rlm_writer *w, const relume_death *death)
{
    char unit[64];
    bool born = death->kind == RELUME_BORN_DEAD;
    (void)snprintf(unit, sizeof unit, "h%zu.%zu", death->layer + 1, death->unit);
    rlm_write_open(w, '{');
    rlm_put_text(w, "unit", unit);
    rlm_put_text(w, "kind", relume_event_kind_name(death->kind));
    rlm_put_u64(w, "step", death->step);
    rlm_put_u64(w, "epoch", death->epoch);
    put_step(w, "returned", death->returned);
    rlm_put_double(w, "learning_rate", death->learning_rate);
    if (born)
        rlm_put_null(w, "fired_before");
    else
        rlm_put_u64(w, "fired_before", death->fired_before);
    rlm_put_float(w, "margin_before", death->margin_before);
    rlm_put_float(w, "margin_after", death->margin_after);
    rlm_put_u64(w, "sample", death->sample);
    put_change(w, death);
    put_causes(w, death->layer, death->causes);
    rlm_put_bool(w, "overdetermined", death->overdetermined != 0);
    rlm_put_u64(w, "layer_deaths", death->layer_deaths);
    rlm_put_double(w, "bias", death->bias);
    rlm_put_double(w, "input_gamma", death->input_gamma);
    put_update(w, death);
    put_drift(w, death);
    put_prognosis(w, &death->prognosis);
    rlm_write_close(w, '}');
}

static void write_way(struct rlm_writer *w, const struct rlm_facts *f, const struct rlm_facts_way *way)
{
    rlm_write_open(w, '{');
    rlm_put_text(w, "layer", f->layer[way->layer].name);
    rlm_put_text(w, "kind", relume_event_kind_name(way->kind));
    put_causes(w, way->layer, way->causes);
    rlm_put_bool(w, "overdetermined", way->overdetermined != 0);
    rlm_put_u64(w, "deaths", way->deaths);
    rlm_put_u64(w, "first_step", way->first_step);
    rlm_put_u64(w, "last_step", way->last_step);
    rlm_put_u64(w, "never", way->never);
    rlm_put_u64(w, "returns", way->returns);
    rlm_put_u64(w, "open", way->open);
    rlm_write_close(w, '}');
}

void rlm_json_autopsy(struct rlm_writer *w, const struct rlm_facts *f)
{
    const struct rlm_facts_autopsy *a = &f->autopsy;
    if (a->held) {
        rlm_put_array(w, "autopsy");
        for (size_t i = 0; i < a->kept; i++)
            write_death(w, &a->death[a->keep[i]]);
        rlm_write_close(w, ']');
    } else {
        rlm_put_null(w, "autopsy");
    }
    rlm_put_object(w, "autopsy_account");
    rlm_put_text(w, "left_out", a->left_out);
    rlm_put_u64(w, "deaths", a->deaths);
    rlm_put_u64(w, "kept", a->kept);
    rlm_put_u64(w, "steps_repeated", a->steps_repeated);
    rlm_put_u64(w, "starved", a->starved);
    rlm_put_u64(w, "outliers", a->outliers);
    rlm_put_double(w, "half_spared_at_lr", a->spared_at);
    rlm_put_array(w, "causes");
    for (size_t g = 0; g < a->ways; g++)
        write_way(w, f, &a->way[g]);
    rlm_write_close(w, ']');
    rlm_write_close(w, '}');
}
