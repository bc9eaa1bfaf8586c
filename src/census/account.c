/* From counts to an account: rates, dormancy, states, and the sums of a layer. What is counted comes from
 * count.c or from a run's history; nothing here looks at a sample. */
#include "census/census.h"

static const double taus[RELUME_TAUS] = {0, 0.025, 0.1};

double relume_census_get_tau(size_t index)
{
    return index < RELUME_TAUS ? taus[index] : 0;
}

const char *relume_unit_state_name(relume_unit_state state)
{
    static const char *const names[] = {"dead", "nearly dead", "alive", "always on"};
    return (unsigned)state < sizeof names / sizeof *names ? names[state] : NULL;
}

const char *relume_event_kind_name(relume_event_kind kind)
{
    static const char *const names[] = {"born dead", "killed", "revived"};
    return (unsigned)kind < sizeof names / sizeof *names ? names[kind] : NULL;
}

static relume_unit_state state_of(const relume_unit_account *unit, uint64_t samples, double nearly_dead)
{
    if (unit->active == 0)
        return RELUME_DEAD;
    if (unit->active == samples)
        return RELUME_ALWAYS_ON;
    return unit->firing_rate < nearly_dead ? RELUME_NEARLY_DEAD : RELUME_ALIVE;
}

/* Whether column `unit` of the layer above is all zeros (either sign). */
static bool is_mute(const struct rlm_layer *above, size_t unit)
{
    for (size_t n = 0; n < above->out_features; n++)
        if (above->weight[n * above->stride + unit] != 0.0F)
            return false;
    return true;
}

static void settle_unit(relume_unit_account *unit, double layer_mean, const relume_census *census)
{
    unit->firing_rate = (double)unit->active / (double)census->samples;
    unit->dormancy = layer_mean > 0 ? unit->mean_activation / layer_mean : 0;
    unit->state = state_of(unit, census->samples, census->options.nearly_dead);
}

static void settle_layer(const relume_census *census, size_t index)
{
    relume_unit_account *units = census->layer[index].unit;
    relume_layer_account *account = &census->layer[index].account;
    double activation = 0, firing = 0;
    for (size_t u = 0; u < account->units; u++)
        activation += units[u].mean_activation;
    account->dead = account->nearly_dead = account->always_on = account->mute = 0;
    for (size_t t = 0; t < RELUME_TAUS; t++)
        account->dormant[t] = 0;
    for (size_t u = 0; u < account->units; u++) {
        settle_unit(&units[u], activation / (double)account->units, census);
        firing += units[u].firing_rate;
        account->dead += units[u].state == RELUME_DEAD;
        account->nearly_dead += units[u].state == RELUME_NEARLY_DEAD;
        account->always_on += units[u].state == RELUME_ALWAYS_ON;
        account->mute += units[u].active > 0 && is_mute(&census->network->layers[index + 1], u);
        for (size_t t = 0; t < RELUME_TAUS; t++)
            account->dormant[t] += units[u].dormancy <= taus[t];
    }
    account->mean_firing_rate = firing / (double)account->units;
}

void rlm_census_settle(relume_census *census)
{
    for (size_t l = 0; l < census->layers; l++)
        settle_layer(census, l);
}

size_t relume_census_get_layers(const relume_census *census)
{
    return census->layers;
}

relume_layer_account relume_census_get_layer(const relume_census *census, size_t layer)
{
    return layer < census->layers ? census->layer[layer].account : (relume_layer_account){0};
}

uint64_t relume_census_get_samples(const relume_census *census)
{
    return census->samples;
}

size_t relume_census_get_units(const relume_census *census)
{
    size_t units = 0;
    for (size_t l = 0; l < census->layers; l++)
        units += census->layer[l].account.units;
    return units;
}

size_t relume_census_get_dead(const relume_census *census)
{
    size_t dead = 0;
    for (size_t l = 0; l < census->layers; l++)
        dead += census->layer[l].account.dead;
    return dead;
}

double relume_census_get_loss(const relume_census *census)
{
    return census->loss;
}

double relume_census_get_accuracy(const relume_census *census)
{
    return census->accuracy;
}
