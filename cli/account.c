/* Layers and units in tables and JSON; see account.h. Nothing is computed here that the library has not
 * counted. */
#include "account.h"

#include <stdlib.h>
#include <string.h>

#include "columns.h"

void cli_layer_label(const char *name, const char *foreign_name, char *text, size_t size)
{
    if (!foreign_name || strcmp(name, foreign_name) == 0)
        snprintf(text, size, "%s", name);
    else
        snprintf(text, size, "%s (%.100s)", name, foreign_name);
}

/* JSON */

static json_t *dead_units_json(struct cli_json *document, const relume_layer_account *layer)
{
    json_t *units = json_array();
    for (size_t i = 0; i < layer->units; i++)
        if (layer->unit[i].state == RELUME_DEAD)
            cli_json_add(document, units, cli_json_count(i));
    return units;
}

static json_t *dormant_json(struct cli_json *document, const relume_layer_account *layer)
{
    json_t *dormant = json_object();
    for (size_t i = 0; i < RELUME_TAUS; i++) {
        char tau[32];
        snprintf(tau, sizeof tau, "%g", relume_census_get_tau(i));
        cli_json_set(document, dormant, tau, cli_json_count(layer->dormant[i]));
    }
    return dormant;
}

static json_t *layer_json(struct cli_json *document, const relume_layer_account *layer)
{
    json_t *object = json_object();
    cli_json_set(document, object, "layer", cli_json_text(layer->name));
    cli_json_set(document, object, "name", cli_json_text(layer->foreign_name));
    cli_json_set(document, object, "units", cli_json_count(layer->units));
    cli_json_set(document, object, "dead", cli_json_count(layer->dead));
    cli_json_set(document, object, "nearly_dead", cli_json_count(layer->nearly_dead));
    cli_json_set(document, object, "always_on", cli_json_count(layer->always_on));
    cli_json_set(document, object, "dormant", dormant_json(document, layer));
    cli_json_set(document, object, "mean_firing_rate", cli_json_double(layer->mean_firing_rate));
    cli_json_set(document, object, "dead_units", dead_units_json(document, layer));
    cli_json_set(document, object, "mute", cli_json_count(layer->mute));
    return object;
}

json_t *cli_layers_json(struct cli_json *document, const relume_census *census)
{
    json_t *layers = json_array();
    for (size_t i = 0; census && i < relume_census_get_layers(census); i++) {
        relume_layer_account layer = relume_census_get_layer(census, i);
        cli_json_add(document, layers, layer_json(document, &layer));
    }
    return layers;
}

json_t *cli_ledger_json(struct cli_json *document, const relume_run *run)
{
    const relume_run_layer *total = &relume_run_get_result(run)->total;
    if (!relume_run_is_counted(run))
        return json_null();
    json_t *object = json_object();
    cli_json_set(document, object, "born_dead", cli_json_count(total->born_dead));
    cli_json_set(document, object, "deaths", cli_json_count(total->deaths));
    cli_json_set(document, object, "revivals", cli_json_count(total->revivals));
    cli_json_set(document, object, "dead_at_end", cli_json_count(total->dead_at_end));
    return object;
}

static json_t *unit_json(struct cli_json *document, const relume_layer_account *layer, size_t index)
{
    const relume_unit_account *unit = &layer->unit[index];
    json_t *object = json_object();
    cli_json_set(document, object, "layer", cli_json_text(layer->name));
    cli_json_set(document, object, "unit", cli_json_count(index));
    cli_json_set(document, object, "active", cli_json_count(unit->active));
    cli_json_set(document, object, "firing_rate", cli_json_double(unit->firing_rate));
    cli_json_set(document, object, "margin", cli_json_float(unit->margin));
    cli_json_set(document, object, "mean_activation", cli_json_double(unit->mean_activation));
    cli_json_set(document, object, "state", cli_json_text(relume_unit_state_name(unit->state)));
    return object;
}

json_t *cli_units_json(struct cli_json *document, const relume_census *census)
{
    json_t *units = json_array();
    for (size_t i = 0; i < relume_census_get_layers(census); i++) {
        relume_layer_account layer = relume_census_get_layer(census, i);
        for (size_t n = 0; n < layer.units; n++)
            cli_json_add(document, units, unit_json(document, &layer, n));
    }
    return units;
}

json_t *cli_dataset_json(struct cli_json *document, const relume_dataset *dataset, const char *split)
{
    static const struct {
        const char *name;
        relume_split split;
    } splits[] = {{"train", RELUME_SPLIT_TRAIN}, {"test", RELUME_SPLIT_TEST}, {"all", RELUME_SPLIT_ALL}};
    json_t *object = json_object();
    size_t at = 0;
    while (strcmp(splits[at].name, split) != 0)
        at++;
    cli_json_set(document, object, "name", cli_json_text(relume_dataset_get_name(dataset)));
    cli_json_set(document, object, "split", cli_json_text(split));
    cli_json_set(document, object, "samples",
                 cli_json_count(relume_dataset_get_samples(dataset, splits[at].split)));
    cli_json_set(document, object, "features", cli_json_count(relume_dataset_get_features(dataset)));
    return object;
}

void cli_print_ledger(const relume_run *run)
{
    const relume_run_layer *total = &relume_run_get_result(run)->total;
    if (relume_run_is_counted(run))
        printf("%llu born dead, %llu %s, %llu %s: %llu dead at the end\n",
               (unsigned long long)total->born_dead, (unsigned long long)total->deaths,
               cli_agree(total->deaths, "death", "deaths"), (unsigned long long)total->revivals,
               cli_agree(total->revivals, "revival", "revivals"), (unsigned long long)total->dead_at_end);
    else
        puts("no unit was counted (--census off); relume autopsy RUN counts them");
}

/* Tables */

static void set_count(struct cli_columns *table, size_t column, size_t count, enum cli_style style_when_any)
{
    char text[32];
    cli_columns_set(table, column, count > 0 ? style_when_any : CLI_PLAIN, "%s", cli_grouped(count, text));
}

static void set_share(struct cli_columns *table, size_t column, size_t part, size_t whole,
                      enum cli_style style)
{
    double percent = whole > 0 ? 100 * (double)part / (double)whole : 0;
    cli_columns_set(table, column, part > 0 ? style : CLI_PLAIN, "%.1f %%", percent);
}

static bool add_census_row(struct cli_columns *table, const char *name, const relume_layer_account *layer)
{
    if (!cli_columns_row(table))
        return false;
    cli_columns_set(table, 0, CLI_PLAIN, "%s", name);
    set_count(table, 1, layer->units, CLI_PLAIN);
    set_count(table, 2, layer->dead, CLI_RED);
    set_share(table, 3, layer->dead, layer->units, CLI_RED);
    set_count(table, 4, layer->nearly_dead, CLI_YELLOW);
    set_count(table, 5, layer->always_on, CLI_PLAIN);
    set_count(table, 6, layer->dormant[RELUME_TAUS - 1], CLI_PLAIN);
    cli_columns_set(table, 7, CLI_PLAIN, "%.1f %%", 100 * layer->mean_firing_rate);
    return true;
}

bool cli_print_census_table(const struct cli_term *term, const relume_census *census)
{
    struct cli_columns table;
    relume_layer_account total = {0};
    char label[160], headings[128];
    snprintf(headings, sizeof headings,
             "layer|>units|>dead|>share|>nearly dead|>always on|>%g-dormant|>firing",
             relume_census_get_tau(RELUME_TAUS - 1));
    bool ok = cli_columns_init(&table, headings);
    for (size_t i = 0; ok && i < relume_census_get_layers(census); i++) {
        relume_layer_account layer = relume_census_get_layer(census, i);
        cli_layer_label(layer.name, layer.foreign_name, label, sizeof label);
        ok = add_census_row(&table, label, &layer);
        total.mean_firing_rate +=
            layer.mean_firing_rate * (double)layer.units / (double)relume_census_get_units(census);
        total.units += layer.units;
        total.dead += layer.dead;
        total.nearly_dead += layer.nearly_dead;
        total.always_on += layer.always_on;
        total.dormant[RELUME_TAUS - 1] += layer.dormant[RELUME_TAUS - 1];
    }
    ok = ok && add_census_row(&table, "total", &total);
    if (ok)
        cli_columns_print(&table, term);
    cli_columns_deinit(&table);
    return ok;
}

static bool add_unit_row(struct cli_columns *table, const relume_layer_account *layer, size_t index)
{
    static const enum cli_style style[] = {CLI_RED, CLI_YELLOW, CLI_PLAIN, CLI_PLAIN};
    const relume_unit_account *unit = &layer->unit[index];
    if (!cli_columns_row(table))
        return false;
    cli_columns_set(table, 0, CLI_PLAIN, "%s.%zu", layer->name, index);
    set_count(table, 1, unit->active, CLI_PLAIN);
    cli_columns_set(table, 2, CLI_PLAIN, "%.2f %%", 100 * unit->firing_rate);
    cli_columns_set(table, 3, CLI_PLAIN, "%.4g", (double)unit->margin);
    cli_columns_set(table, 4, CLI_PLAIN, "%.4g", unit->mean_activation);
    cli_columns_set(table, 5, style[unit->state], "%s", relume_unit_state_name(unit->state));
    return true;
}

bool cli_print_units_table(const struct cli_term *term, const relume_census *census)
{
    struct cli_columns table;
    bool ok = cli_columns_init(&table, "unit|>active|>firing|>margin|>mean activation|state");
    for (size_t i = 0; ok && i < relume_census_get_layers(census); i++) {
        relume_layer_account layer = relume_census_get_layer(census, i);
        for (size_t n = 0; ok && n < layer.units; n++)
            ok = add_unit_row(&table, &layer, n);
    }
    if (ok)
        cli_columns_print(&table, term);
    cli_columns_deinit(&table);
    return ok;
}

enum { SPARK_COLUMNS = 20, MOST_EPOCHS = 1 << 20 };

/* The layer's dead share by epoch, which the caller frees; count 0 when there is none. False when memory is
 * out. */
static bool dead_shares(const relume_run *run, size_t layer, double **share, size_t *count)
{
    *share = NULL;
    *count = relume_run_get_dead_share(run, layer, NULL, 0);
    if (*count == 0 || *count >= MOST_EPOCHS) {
        *count = 0;
        return true;
    }
    *share = malloc(*count * sizeof **share);
    if (*share)
        *count = relume_run_get_dead_share(run, layer, *share, *count);
    return *share != NULL;
}

static bool highest_share(const relume_run *run, size_t layers, double *top)
{
    *top = 0;
    for (size_t i = 0; i < layers; i++) {
        size_t count;
        double *share;
        if (!dead_shares(run, i, &share, &count))
            return false;
        for (size_t k = 0; k < count; k++)
            *top = share[k] > *top ? share[k] : *top;
        free(share);
    }
    return true;
}

static bool set_sparkline(struct cli_columns *table, size_t column, const struct cli_term *term,
                          const relume_run *run, size_t layer, double top)
{
    char text[3 * SPARK_COLUMNS + 1];
    size_t count;
    double *share;
    if (!dead_shares(run, layer, &share, &count))
        return false;
    cli_sparkline(term, share, count, top, SPARK_COLUMNS, text);
    cli_columns_set(table, column, CLI_PLAIN, "%s", text);
    free(share);
    return true;
}

static void set_layer_account(struct cli_columns *table, const relume_layer_account *layer)
{
    set_count(table, 3, layer->dead, CLI_RED);
    set_share(table, 4, layer->dead, layer->units, CLI_RED);
    set_count(table, 5, layer->nearly_dead, CLI_YELLOW);
    set_count(table, 6, layer->always_on, CLI_PLAIN);
}

/* Adds the rows of all layers and the total. */
static bool fill_run_table(struct cli_columns *table, const struct cli_term *term, const relume_run *run)
{
    const relume_network *network = relume_run_get_network(run);
    const relume_census *census = relume_run_get_census(run);
    size_t layers = relume_network_get_layers(network),
           hidden = census ? relume_census_get_layers(census) : 0;
    double top;
    relume_layer_account total = {0};
    if (!highest_share(run, layers - 1, &top))
        return false;
    for (size_t i = 0; i < layers; i++) {
        relume_layer layer = relume_network_get_layer(network, i);
        char label[160];
        if (!cli_columns_row(table))
            return false;
        cli_layer_label(layer.name, layer.foreign_name, label, sizeof label);
        cli_columns_set(table, 0, CLI_PLAIN, "%s", label);
        set_count(table, 1, layer.out_features, CLI_PLAIN);
        set_count(table, 2, layer.out_features * (layer.in_features + 1), CLI_PLAIN);
        if (i < hidden) {
            relume_layer_account account = relume_census_get_layer(census, i);
            set_layer_account(table, &account);
            total.units += account.units;
            total.dead += account.dead;
            total.nearly_dead += account.nearly_dead;
            total.always_on += account.always_on;
        }
        if (layer.relu && !set_sparkline(table, 7, term, run, i, top))
            return false;
    }
    if (!cli_columns_row(table))
        return false;
    cli_columns_set(table, 0, CLI_PLAIN, "total");
    set_count(table, 2, relume_network_get_parameters(network), CLI_PLAIN);
    if (census) {
        set_count(table, 1, total.units, CLI_PLAIN);
        set_layer_account(table, &total);
        if (top > 0)
            cli_columns_set(table, 7, CLI_DIM, "highest: %.1f %%", 100 * top);
    }
    return true;
}

bool cli_print_run_table(const struct cli_term *term, const relume_run *run)
{
    struct cli_columns table;
    bool ok = cli_columns_init(
                  &table, "layer|>units|>parameters|>dead|>share|>nearly dead|>always on|dead by epoch") &&
              fill_run_table(&table, term, run);
    if (ok)
        cli_columns_print(&table, term);
    cli_columns_deinit(&table);
    return ok;
}
