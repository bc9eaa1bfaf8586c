/* The words of an autopsy, for people: a table by layer and cause, then deaths one by one. Every number is
 * one that
 * --json gives too. */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "autopsy.h"
#include "columns.h"

/* A paragraph under way. */
struct words {
    char text[4096];
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void say(struct words *words, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int length = vsnprintf(words->text + words->used, sizeof words->text - words->used, format, list);
    va_end(list);
    words->used += (size_t)length < sizeof words->text - words->used ? (size_t)length
                                                                     : sizeof words->text - 1 - words->used;
}

static void put(const struct cli_term *term, const struct words *words)
{
    cli_put_wrapped(term, words->text, 0, 2, term->width < 100 ? term->width : 100);
}

static const char *data_name(const struct cli_autopsy *autopsy)
{
    return relume_dataset_get_name(relume_run_get_dataset(autopsy->run));
}

/* ---- causes in words ---- */

static bool is_adam(const struct cli_autopsy *autopsy)
{
    relume_optimizer optimizer = relume_run_get_options(autopsy->run)->trainer.optimizer;
    return optimizer == RELUME_ADAM || optimizer == RELUME_ADAMW;
}

static const char *part_words(const struct cli_autopsy *autopsy, unsigned part)
{
    switch (part) {
    case RELUME_CAUSE_GRADIENT:
        return "the gradient of this batch";
    case RELUME_CAUSE_MOMENTUM:
        return is_adam(autopsy) ? "what Adam's moments carried over from former batches"
                                : "what momentum carried over from former batches";
    case RELUME_CAUSE_DECAY:
        return "weight decay";
    default:
        return "the layers below, which moved its inputs";
    }
}

/* "a, b and c" of the parts that are causes; returns how many. */
static size_t list_parts(const struct cli_autopsy *autopsy, unsigned causes, struct words *words)
{
    size_t count = (size_t)__builtin_popcount(causes), at = 0;
    for (unsigned part = 1; part <= RELUME_CAUSE_BELOW; part <<= 1)
        if (causes & part)
            say(words, "%s%s",
                at == 0           ? ""
                : at + 1 == count ? " and "
                                  : ", ",
                part_words(autopsy, part)),
                at++;
    return count;
}

static void say_cause(const struct cli_autopsy *autopsy, const relume_death *death, struct words *words)
{
    struct words parts = {.used = 0};
    size_t count = list_parts(autopsy, death->causes, &parts);
    if (death->overdetermined)
        say(words,
            " No part of the update was necessary alone: any one of its parts left out, the rest still "
            "killed. Only "
            "without more than one of these together would it have lived: %s.",
            parts.text);
    else if (count == 1)
        say(words, " It was %s: without that it would have lived.", parts.text);
    else
        say(words, " It took %s together: without any one of them it would have lived.", parts.text);
    say(words,
        " At the sample nearest the gate the pre-activation went from %.3g to %.3g: own weights %+.3g, own "
        "bias "
        "%+.3g",
        (double)death->before, (double)death->after, death->own_weights, death->own_bias);
    if (death->layer > 0)
        say(words, ", layers below %+.3g", death->below);
    say(words, "; of its own, the gradient made %+.3g", death->gradient);
    if (death->momentum != 0)
        say(words, ", %s %+.3g", is_adam(autopsy) ? "the moments" : "momentum", death->momentum);
    if (death->decay != 0)
        say(words, ", decay %+.3g", death->decay);
    say(words, ".");
}

static void say_drift(const relume_death *death, struct words *words)
{
    char fired[32];
    double fall = (double)death->drift_margin - (double)death->margin_after;
    say(words,
        " It had been starving: after step %llu it still fired on %s %s with a margin of %.3g, and this "
        "update "
        "made %.2g %% of the fall since. No single step is to blame.",
        (unsigned long long)death->drift_from, cli_grouped(death->drift_fired, fired),
        cli_agree(death->drift_fired, "sample", "samples"), (double)death->drift_margin,
        100.0 * ((double)death->margin_before - (double)death->margin_after) / fall);
}

static void say_size(const relume_death *death, struct words *words)
{
    say(words, " The update was %.3g times the unit's norm, larger than %.4g %% of the layer's",
        death->update_ratio, death->update_percentile);
    if (isfinite(death->run_percentile))
        say(words, " and than %.4g %% of those at other steps", death->run_percentile);
    say(words, ".");
    if (death->outlier)
        say(words,
            " An outlier did it: sample %zu, whose input is %.3g times as long as the median of its batch; "
            "without it "
            "in the batch the unit would have lived.",
            death->pusher[0].sample, death->pusher[0].norm_ratio);
    else if (death->pushers > 0)
        say(words, " Of the batch, sample %zu pushed hardest (%+.2g)%s.", death->pusher[0].sample,
            death->pusher[0].push,
            death->pusher[0].decisive ? "; without it in the batch the unit would have lived" : "");
}

static void say_rate(const relume_death *death, struct words *words)
{
    if (!death->lethal)
        return;
    if (death->lethal_low > 0)
        say(words, " At a learning rate up to %.3g in that step it would have lived.",
            (double)death->largest_safe_rate);
    else if (isinf(death->lethal_high))
        say(words, " No learning rate of its own update would have spared it: its inputs had moved.");
    else
        say(words,
            " No learning rate of its own update from 0 up to %.3g would have spared it: its inputs had "
            "moved.",
            (double)death->lethal_high);
}

/* ---- one death ---- */

static void say_birth(const struct cli_autopsy *autopsy, const relume_death *death, struct words *words)
{
    say(words,
        "h%zu.%zu was born dead: at its first weights no sample of %s opens it, and the nearest, sample %zu, "
        "is %.3g "
        "below the gate.",
        death->layer + 1, death->unit, data_name(autopsy), death->sample, -(double)death->margin_after);
    if (death->causes & RELUME_CAUSE_BIAS)
        say(words, " Its bias of %.3g did it: with a bias of 0 some sample would open it.", death->bias);
    if (death->causes & RELUME_CAUSE_UNCENTRED && death->layer == 0)
        say(words,
            " The inputs are not centred: their mean is %.3g times as long as their deviation. With centred "
            "inputs "
            "some sample would open it (--standardize).",
            death->input_gamma);
    else if (death->causes & RELUME_CAUSE_UNCENTRED)
        say(words,
            " Depth did it: what h%zu passes on is never negative, so that all samples point the same way "
            "(mean %.3g "
            "times the deviation); with that centred some sample would open it.",
            death->layer, death->input_gamma);
    if (death->causes & RELUME_CAUSE_CHANCE)
        say(words, " Neither its bias nor a shared mean explains it: few or equal inputs, and chance.");
}

static void say_killing(const struct cli_autopsy *autopsy, const relume_death *death, struct words *words)
{
    char fired[32], samples[32];
    say(words,
        "h%zu.%zu died at step %llu (epoch %llu, learning rate %.4g). Before the update it fired on %s of %s "
        "%s, "
        "after it on none; the nearest, sample %zu, is %.3g below the gate.",
        death->layer + 1, death->unit, (unsigned long long)death->step, (unsigned long long)death->epoch,
        death->learning_rate, cli_grouped(death->fired_before, fired), cli_grouped(death->samples, samples),
        cli_agree(death->samples, "sample", "samples"), death->sample, -(double)death->margin_after);
    if (death->drift)
        say_drift(death, words);
    say_cause(autopsy, death, words);
    say_size(death, words);
    say_rate(death, words);
    if (death->layer_deaths > 1)
        say(words, " The same update killed %zu of the units of h%zu looked at.", death->layer_deaths,
            death->layer + 1);
}

static void say_prognosis(const relume_death *death, struct words *words)
{
    const relume_prognosis *p = &death->prognosis;
    if (death->returned)
        say(words, " It was alive again after step %llu.", (unsigned long long)death->returned);
    else if (p->never)
        say(words, " It will not return on these data (%s): %s.", relume_verdict_name(p->verdict),
            p->because);
    else if (p->revives_at)
        say(words, " It will return (coasting): %s.", p->because);
    else
        say(words, " Whether it returns is open (%s): %s.", relume_verdict_name(p->verdict), p->because);
    if (!death->returned && p->margin > 0)
        say(words,
            " As of step %llu its bias would have to rise by %.3g, or its parameters move by %.3g in all, "
            "for it to "
            "fire.",
            (unsigned long long)p->as_of, p->margin, p->distance);
}

static void say_episodes(const relume_death *death, struct words *words)
{
    say(words, " Dead for %zu %s of updates:", death->episodes,
        cli_agree(death->episodes, "stretch", "stretches"));
    for (size_t i = 0; i < death->episodes && i < 24; i++) {
        const relume_episode *episode = &death->episode[i];
        if (episode->to)
            say(words, "%s %llu to %llu", i ? "," : "", (unsigned long long)episode->from,
                (unsigned long long)episode->to - 1);
        else
            say(words, "%s from %llu on", i ? "," : "", (unsigned long long)episode->from);
    }
    say(words, "%s.", death->episodes > 24 ? ", and so on" : "");
}

static void print_death(const struct cli_autopsy *autopsy, const relume_death *death)
{
    struct words words = {.used = 0};
    if (death->kind == RELUME_BORN_DEAD)
        say_birth(autopsy, death, &words);
    else
        say_killing(autopsy, death, &words);
    say_prognosis(death, &words);
    if (death->episodes > 0)
        say_episodes(death, &words);
    putchar('\n');
    put(&autopsy->program->out, &words);
}

/* ---- the table ---- */

/* A row for one layer and one way of dying. */
struct group {
    size_t layer;
    unsigned causes;
    int kind, overdetermined;
    size_t deaths, never, open, returns;
    uint64_t first, last;
    uint64_t *step; /* of its deaths, ascending */
};

static bool belongs(const struct group *group, const relume_death *death)
{
    return group->layer == death->layer && group->causes == death->causes &&
           group->kind == (int)death->kind && group->overdetermined == death->overdetermined;
}

static void group_words(const struct group *group, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "%s", group->kind == RELUME_BORN_DEAD ? "born dead: " : "");
    const char *between = group->overdetermined ? " or " : " and ";
    bool first = true;
    for (unsigned cause = 1; cause <= RELUME_CAUSE_CHANCE && used < size; cause <<= 1) {
        if (!(group->causes & cause))
            continue;
        const char *name = cause == RELUME_CAUSE_UNCENTRED && group->layer > 0
                               ? "depth"
                               : relume_cause_name((relume_cause)cause);
        used += (size_t)snprintf(text + used, size - used, "%s%s", first ? "" : between, name);
        first = false;
    }
}

static size_t gather_groups(const relume_autopsy *found, struct group *group)
{
    size_t count = 0;
    for (size_t i = 0; i < found->deaths; i++) {
        const relume_death *death = &found->death[i];
        size_t g = 0;
        while (g < count && !belongs(&group[g], death))
            g++;
        if (g == count)
            group[count++] = (struct group){.layer = death->layer,
                                            .causes = death->causes,
                                            .kind = (int)death->kind,
                                            .overdetermined = death->overdetermined,
                                            .first = death->step};
        group[g].deaths++;
        group[g].last = death->step; /* deaths come by step */
        group[g].never += !death->returned && death->prognosis.never;
        group[g].returns += death->returned || death->prognosis.revives_at;
        group[g].open += !death->returned && !death->prognosis.never && !death->prognosis.revives_at;
    }
    return count;
}

static int by_layer(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    return (x->deaths < y->deaths) - (x->deaths > y->deaths);
}

static bool fill_table(struct cli_columns *table, const struct group *group, size_t count)
{
    char text[96];
    for (size_t g = 0; g < count; g++) {
        if (!cli_columns_row(table))
            return false;
        cli_columns_set(table, 0, CLI_PLAIN, "h%zu", group[g].layer + 1);
        group_words(&group[g], text, sizeof text);
        cli_columns_set(table, 1, CLI_PLAIN, "%s", text);
        cli_columns_set(table, 2, CLI_BOLD, "%s", cli_grouped(group[g].deaths, text));
        if (group[g].kind != RELUME_BORN_DEAD) {
            cli_columns_set(table, 3, CLI_PLAIN, "%s", cli_grouped(group[g].first, text));
            cli_columns_set(table, 4, CLI_PLAIN, "%s", cli_grouped(group[g].last, text));
        }
        cli_columns_set(table, 5, CLI_PLAIN, "%s", cli_grouped(group[g].never, text));
        cli_columns_set(table, 6, CLI_PLAIN, "%s", cli_grouped(group[g].returns, text));
        cli_columns_set(table, 7, CLI_PLAIN, "%s", cli_grouped(group[g].open, text));
    }
    return true;
}

static bool print_table(const struct cli_autopsy *autopsy)
{
    struct group *group = calloc(autopsy->found->deaths, sizeof *group);
    if (!group)
        return false;
    size_t count = gather_groups(autopsy->found, group);
    qsort(group, count, sizeof *group, by_layer);
    struct cli_columns table;
    bool ok = cli_columns_init(
                  &table, "layer|necessary|>deaths|>first step|>last step|>never return|>return|>open") &&
              fill_table(&table, group, count);
    if (ok)
        cli_columns_print(&table, &autopsy->program->out);
    cli_columns_deinit(&table);
    free(group);
    return ok;
}

/* ---- the whole ---- */

static size_t hidden_units(const relume_run *run)
{
    const relume_network *network = relume_run_get_network(run);
    size_t units = 0;
    for (size_t l = 0; l + 1 < relume_network_get_layers(network); l++)
        units += relume_network_get_layer(network, l).out_features;
    return units;
}

size_t cli_autopsy_nearest(const relume_run *run, struct cli_near *near, size_t room)
{
    const relume_census *census = relume_run_get_census(run);
    size_t count = 0;
    for (size_t l = 0; census && l < relume_census_get_layers(census); l++) {
        relume_layer_account layer = relume_census_get_layer(census, l);
        for (size_t u = 0; u < layer.units; u++) {
            if (layer.unit[u].active == 0)
                continue;
            size_t at = count < room ? count++ : room;
            for (; at > 0 && near[at - 1].account.active > layer.unit[u].active; at--)
                if (at < room)
                    near[at] = near[at - 1];
            if (at < room)
                near[at] = (struct cli_near){l, u, layer.unit[u]};
        }
    }
    return count;
}

static bool print_nearest(const struct cli_autopsy *autopsy)
{
    struct cli_near near[CLI_NEAREST];
    struct cli_columns table;
    char text[32];
    size_t count = cli_autopsy_nearest(autopsy->run, near, CLI_NEAREST);
    if (count == 0)
        return true;
    printf("\nnearest to death:\n");
    bool ok = cli_columns_init(&table, "unit|>fires on|>share|>margin");
    for (size_t i = 0; ok && i < count; i++) {
        ok = cli_columns_row(&table);
        if (!ok)
            break;
        cli_columns_set(&table, 0, CLI_PLAIN, "h%zu.%zu", near[i].layer + 1, near[i].unit);
        cli_columns_set(&table, 1, CLI_PLAIN, "%s", cli_grouped(near[i].account.active, text));
        cli_columns_set(&table, 2, CLI_PLAIN, "%.2f %%", 100 * near[i].account.firing_rate);
        cli_columns_set(&table, 3, CLI_PLAIN, "%.4g", (double)near[i].account.margin);
    }
    if (ok)
        cli_columns_print(&table, &autopsy->program->out);
    cli_columns_deinit(&table);
    return ok;
}

static bool print_no_deaths(const struct cli_autopsy *autopsy)
{
    char units[32], steps[32], temporary[32];
    const char *updates = cli_agree(autopsy->found->as_of, "update", "updates");
    cli_grouped(autopsy->found->as_of, steps);
    if (autopsy->unit) {
        printf("not one of these units has died in the %s %s of this run\n", steps, updates);
        return true;
    }
    size_t hidden = hidden_units(autopsy->run);
    printf("no unit is dead: %s %s hidden %s fires on some sample of ",
           cli_agree(hidden, "the", "each of the"), cli_grouped(hidden, units),
           cli_agree(hidden, "unit", "units"));
    cli_put_text(&autopsy->program->out, data_name(autopsy));
    printf(" after %s %s\n", steps, updates);
    uint64_t returns = autopsy->found->temporary;
    if (returns > 0)
        printf("%s %s followed by a return: --all tells %s\n", cli_grouped(returns, temporary),
               cli_agree(returns, "death was", "deaths were"), cli_agree(returns, "it", "them"));
    return print_nearest(autopsy);
}

static void print_head(const struct cli_autopsy *autopsy)
{
    const relume_autopsy *found = autopsy->found;
    char deaths[32], units[32], steps[32], repeated[32], temporary[32];
    size_t hidden = hidden_units(autopsy->run);
    printf("%s %s looked at, of %s hidden %s over %s %s (%s repeated)\n", cli_grouped(found->deaths, deaths),
           cli_agree(found->deaths, "death", "deaths"), cli_grouped(hidden, units),
           cli_agree(hidden, "unit", "units"), cli_grouped(found->as_of, steps),
           cli_agree(found->as_of, "update", "updates"), cli_grouped(found->steps_repeated, repeated));
    if (found->temporary > 0 && !autopsy->unit)
        printf("%s more %s followed by a return: --all tells %s\n", cli_grouped(found->temporary, temporary),
               cli_agree(found->temporary, "death was", "deaths were"),
               cli_agree(found->temporary, "it", "them"));
    putchar('\n');
}

/* Those told one by one are spread over the whole list, the first and the last among them. */
static void print_some(const struct cli_autopsy *autopsy)
{
    size_t deaths = autopsy->found->deaths, limit = (size_t)cli_whole(autopsy->program->args, "limit");
    size_t count = autopsy->unit || deaths < limit ? deaths : limit;
    for (size_t i = 0; i < count; i++)
        print_death(autopsy, &autopsy->found->death[count > 1 ? i * (deaths - 1) / (count - 1) : 0]);
    if (count < deaths)
        printf("\n%zu of %zu told one by one; name a unit to hear of it, or take --limit %zu, or --json\n",
               count, deaths, deaths);
}

static bool has_died(const relume_autopsy *found, const relume_autopsy_unit *unit)
{
    for (size_t i = 0; i < found->deaths; i++)
        if (found->death[i].layer == unit->layer && found->death[i].unit == unit->unit)
            return true;
    return false;
}

/* Those asked for by name of which there was nothing to tell. */
static void print_survivors(const struct cli_autopsy *autopsy)
{
    size_t count = 0;
    for (size_t i = 0; i < autopsy->units; i++) {
        const relume_autopsy_unit *unit = &autopsy->unit[i];
        if (!has_died(autopsy->found, unit))
            printf("%sh%zu.%zu", count++ > 0 ? ", " : "\n", unit->layer + 1, unit->unit);
    }
    if (count > 0)
        printf(" %s not died in this run\n", cli_agree(count, "has", "have"));
}

bool cli_print_autopsy(const struct cli_autopsy *autopsy)
{
    if (autopsy->found->deaths == 0)
        return print_no_deaths(autopsy);
    print_head(autopsy);
    if (!print_table(autopsy))
        return false;
    print_some(autopsy);
    print_survivors(autopsy);
    return true;
}
