/* The forecast for people: a table of layers, what is to blame, the alternatives, and the rate. */
#include "forecast.h"

#include <math.h>
#include <stdarg.h>

#include "columns.h"

enum { MOST_WIDTH = 80 };

__attribute__((format(printf, 2, 3))) static void say(const struct forecast *forecast, const char *format,
                                                      ...)
{
    const struct cli_term *out = &forecast->program->out;
    char text[1024];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(text, sizeof text, format, list);
    va_end(list);
    cli_put_wrapped(out, text, 0, 0, out->width < MOST_WIDTH ? out->width : MOST_WIDTH);
}

static void set_percent(struct cli_columns *table, size_t column, enum cli_style style, double share)
{
    cli_columns_set(table, column, style, "%.2f %%", 100 * share);
}

/* ---- the network asked for ---- */

static void introduce(const struct forecast *forecast)
{
    const struct cli_args *args = forecast->program->args;
    const relume_forecast *chosen = &forecast->at[0].forecast;
    char samples[32];
    cli_put_text(&forecast->program->out, relume_dataset_get_name(forecast->dataset));
    size_t features = relume_dataset_get_features(forecast->dataset);
    printf(": %s training %s of %zu %s%s\n", cli_grouped(chosen->samples, samples),
           cli_agree(chosen->samples, "sample", "samples"), features,
           cli_agree(features, "feature", "features"), forecast->at[0].standardize ? ", standardized" : "");
    printf("network: hidden %s, init %s\n\n", cli_text(args, "hidden"), cli_text(args, "init"));
}

static bool set_layers(struct cli_columns *table, const relume_forecast *chosen)
{
    for (size_t k = 0; k < chosen->layers; k++) {
        const relume_forecast_layer *layer = &chosen->layer[k];
        if (!cli_columns_row(table))
            return false;
        cli_columns_set(table, 0, CLI_PLAIN, "%s", layer->name);
        cli_columns_set(table, 1, CLI_PLAIN, "%zu", layer->units);
        set_percent(table, 2, CLI_PLAIN, layer->expected);
        set_percent(table, 3, layer->measured > 0.005 ? CLI_YELLOW : CLI_BOLD, layer->measured);
        set_percent(table, 4, CLI_PLAIN, layer->standard_error);
        set_percent(table, 5, CLI_PLAIN, layer->least);
        set_percent(table, 6, CLI_PLAIN, layer->most);
        cli_columns_set(table, 7, CLI_PLAIN, "%s", relume_blame_name(layer->blame));
    }
    return true;
}

static bool print_layers(const struct forecast *forecast)
{
    struct cli_columns table;
    bool ok = cli_columns_init(&table, "layer|>units|>expected|>measured|>+-|>least|>most|owed to") &&
              set_layers(&table, &forecast->at[0].forecast);
    if (ok)
        cli_columns_print(&table, &forecast->program->out);
    cli_columns_deinit(&table);
    return ok;
}

static void explain_layers(const struct forecast *forecast)
{
    const relume_forecast *chosen = &forecast->at[0].forecast;
    const char *networks = cli_agree(chosen->seeds, "network", "networks");
    bool classes = isfinite(chosen->network_dead);
    putchar('\n');
    say(forecast,
        "Shares of units born dead: no training sample opens them at the first weights. \"expected\" is the "
        "closed form, which knows only the mean norm and the mean correlation of the samples; \"measured\" "
        "is "
        "the count over the whole training split, the mean of %zu %s (seeds %s on) with its standard "
        "error.",
        chosen->seeds, networks, cli_text(forecast->program->args, "seed"));
    if (isfinite(chosen->gamma))
        say(forecast, "Inputs: |mean| = %.4g, deviation %.4g, so gamma = %.3g%s.", chosen->mean_norm,
            chosen->deviation_norm, chosen->gamma,
            chosen->gamma < 1e-3 ? ": they are centred" : " (0 when centred)");
    else
        say(forecast, "Inputs: all samples are the same; gamma is infinite.");
    if (classes)
        say(forecast,
            "The whole network is born dead, some layer having no unit open, with the probability %.3g at "
            "one "
            "input point (Lu et al.); over the whole split that was so in %zu of %zu %s.",
            chosen->network_dead, chosen->networks_dead, chosen->seeds, networks);
    else
        say(forecast,
            "Some layer was dead over the whole split in %zu of %zu %s (the formula of Lu et al. is "
            "for "
            "biases of 0).",
            chosen->networks_dead, chosen->seeds, networks);
}

/* ---- the alternatives ---- */

static bool set_case(struct cli_columns *table, const struct forecast_case *at, bool chosen)
{
    size_t shown = at->forecast.layers < 6 ? at->forecast.layers : 6;
    if (!cli_columns_row(table))
        return false;
    cli_columns_set(table, 0, CLI_PLAIN, "%s", relume_init_name(at->init));
    cli_columns_set(table, 1, CLI_PLAIN, "%s", at->standardize ? "standardized" : "as they are");
    for (size_t k = 0; k < shown; k++)
        set_percent(table, 2 + k, CLI_PLAIN, at->forecast.layer[k].measured);
    set_percent(table, 2 + shown, CLI_BOLD, forecast_share(&at->forecast));
    if (chosen)
        cli_columns_set(table, 3 + shown, CLI_PLAIN, "as asked");
    return true;
}

static bool print_cases(const struct forecast *forecast)
{
    struct cli_columns table;
    char headings[160] = "init|inputs";
    size_t layers = forecast->at[0].forecast.layers, used = 11;
    for (size_t k = 0; k < layers && k < 6; k++)
        used += (size_t)snprintf(headings + used, sizeof headings - used, "|>h%zu", k + 1);
    (void)snprintf(headings + used, sizeof headings - used, "|>all%s|", layers > 6 ? " layers" : "");
    bool ok = cli_columns_init(&table, headings);
    for (size_t i = 0; ok && i < forecast->cases; i++)
        ok = set_case(&table, &forecast->at[i], i == 0);
    if (ok)
        cli_columns_print(&table, &forecast->program->out);
    cli_columns_deinit(&table);
    return ok;
}

static void advise(const struct forecast *forecast)
{
    size_t best = forecast_best(forecast);
    const struct forecast_case *at = &forecast->at[best];
    double now = forecast_share(&forecast->at[0].forecast);
    putchar('\n');
    if (best == 0)
        say(forecast, "None of these spares more than one unit in 200.");
    else
        say(forecast, "Fewest are born dead with --init %s%s: %.2f %% of the units in place of %.2f %%.",
            relume_init_name(at->init),
            at->standardize && !forecast->at[0].standardize   ? " --standardize"
            : !at->standardize && forecast->at[0].standardize ? " without --standardize"
                                                              : "",
            100 * forecast_share(&at->forecast), 100 * now);
}

/* ---- the rate ---- */

static void tell_lethal(const struct forecast *forecast)
{
    const relume_safe_rate *rate = &forecast->rate;
    if (rate->diverged)
        say(forecast, "At %.3g the training diverges at step %llu.", rate->lethal,
            (unsigned long long)rate->step);
    else
        say(forecast, "At %.3g the first to die is h%zu.%zu, by update %llu.", rate->lethal, rate->layer + 1,
            rate->unit, (unsigned long long)rate->step);
}

void forecast_steps(const struct forecast *forecast, char *text, size_t size)
{
    unsigned long long steps = cli_whole(forecast->program->args, "steps");
    if (steps == 1)
        (void)snprintf(text, size, "step");
    else
        (void)snprintf(text, size, "%llu steps", steps);
}

static void tell_rate(const struct forecast *forecast)
{
    const struct cli_args *args = forecast->program->args;
    const relume_safe_rate *rate = &forecast->rate;
    const struct cli_term *out = &forecast->program->out;
    char steps[40];
    if (!forecast->has_rate)
        return;
    forecast_steps(forecast, steps, sizeof steps);
    putchar('\n');
    cli_style(out, CLI_BOLD);
    printf("Learning rate, %s, batch %s, seed %s\n", cli_text(args, "optimizer"), cli_text(args, "batch"),
           cli_text(args, "seed"));
    cli_style(out, CLI_PLAIN);
    if (rate->safe > 0)
        say(forecast, "Up to %.3g nobody dies in the first %s.", rate->safe, steps);
    else
        say(forecast, "No rate from %.3g on is without a death in the first %s.", rate->lethal, steps);
    if (rate->lethal > 0)
        tell_lethal(forecast);
    say(forecast,
        "Found by training from the same start at rising rates, with every living unit looked at over the "
        "whole training split after each step. Later steps may still kill: see relume sweep.");
}

relume_status forecast_print_text(const struct forecast *forecast, relume_error *error)
{
    introduce(forecast);
    if (!print_layers(forecast))
        return cli_error(error, RELUME_NO_MEMORY, "cannot allocate memory for the table");
    explain_layers(forecast);
    putchar('\n');
    cli_style(&forecast->program->out, CLI_BOLD);
    printf("Measured elsewhere (%zu %s each)\n", forecast->at[1].forecast.seeds,
           cli_agree(forecast->at[1].forecast.seeds, "network", "networks"));
    cli_style(&forecast->program->out, CLI_PLAIN);
    if (!print_cases(forecast))
        return cli_error(error, RELUME_NO_MEMORY, "cannot allocate memory for the table");
    advise(forecast);
    tell_rate(forecast);
    return RELUME_OK;
}
