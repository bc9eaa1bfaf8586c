/* What the text and the JSON of relume explain both work out of its facts. */
#include <math.h>

#include "explain.h"

void explain_unit_name(const struct explain *explain, size_t layer, size_t unit, char name[48])
{
    (void)snprintf(name, 48, "%s.%zu", relume_network_get_layer(explain->network, layer).name, unit);
}

const char *explain_split_name(const struct explain *explain)
{
    return explain->split == RELUME_SPLIT_TEST ? "test" : "train";
}

bool explain_is_plain(const struct explain *explain)
{
    if (!explain->run)
        return true;
    const relume_trainer_options *trainer = &relume_run_get_options(explain->run)->trainer;
    bool plain = trainer->optimizer == RELUME_SGD ||
                 ((trainer->optimizer == RELUME_MOMENTUM || trainer->optimizer == RELUME_NESTEROV) &&
                  trainer->momentum == 0);
    return plain && trainer->weight_decay == 0;
}

bool explain_is_structural(const struct explain *explain)
{
    bool none = explain->layer > 0 && explain->it.bias <= 0.0f;
    for (size_t k = 0; none && k < explain->it.inputs; k++)
        none = explain->it.weight[k] <= 0.0f;
    return none;
}

size_t explain_largest(const float *term, size_t count, size_t most, size_t *place)
{
    size_t found = 0;
    for (size_t k = 0; k < count; k++) {
        size_t at = found;
        while (at > 0 && fabsf(term[place[at - 1]]) < fabsf(term[k]))
            at--;
        if (at >= most || term[k] == 0.0f)
            continue;
        found += found < most;
        for (size_t i = found - 1; i > at; i--)
            place[i] = place[i - 1];
        place[at] = k;
    }
    return found;
}
