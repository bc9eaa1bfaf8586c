/* Labels of a dataset, numbered as a network numbers its outputs. A dataset numbers its classes by itself, in
 * their order; data with fewer classes than the network was trained on, such as a few new samples, would then
 * give another number to the same class. Trains nothing and knows no loss: data/classes.h makes the numbers.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "data/dataset.h"
#include "formats/text.h"
#include "network/network.h"

/* A class of the network, to be found by its name. */
struct known {
    const char *name;
    uint32_t output;
};

static int compare_known(const void *left, const void *right)
{
    const struct known *a = left, *b = right;
    return strcmp(a->name, b->name);
}

/* The output that a name such as "7" means by itself; `outputs` when it means none. */
static size_t number_of(const char *name, size_t outputs)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(name, &end, 10);
    bool whole = *name >= '0' && *name <= '9' && *end == '\0' && errno == 0;
    return whole && value < outputs ? (size_t)value : outputs;
}

/* Whether every class of the data is a number of one of the outputs. */
static bool are_numbers(const relume_dataset *dataset, size_t outputs)
{
    for (size_t i = 0; i < dataset->outputs; i++)
        if (number_of(dataset->class_names[i], outputs) == outputs)
            return false;
    return true;
}

static bool is_same(const relume_network *network, const relume_dataset *dataset)
{
    bool same = dataset->outputs == network->class_count;
    for (size_t i = 0; same && i < dataset->outputs; i++)
        same = strcmp(dataset->class_names[i], network->class_names[i]) == 0;
    return same;
}

/* Finds the output of each class by name; `found` tells how many there are, `missing` the first that is not.
 */
static void find_names(const relume_network *network, const relume_dataset *dataset, struct known *known,
                       uint32_t *output_of, size_t *found, size_t *missing)
{
    for (size_t i = 0; i < network->class_count; i++)
        known[i] = (struct known){network->class_names[i], (uint32_t)i};
    qsort(known, network->class_count, sizeof *known, compare_known);
    *found = 0;
    *missing = dataset->outputs;
    for (size_t i = 0; i < dataset->outputs; i++) {
        struct known wanted = {dataset->class_names[i], 0};
        const struct known *at = bsearch(&wanted, known, network->class_count, sizeof *known, compare_known);
        output_of[i] = at ? at->output : 0;
        *found += at != NULL;
        if (!at && *missing == dataset->outputs)
            *missing = i;
    }
}

static relume_status refuse_class(const relume_network *network, const relume_dataset *dataset,
                                  size_t missing, relume_error *error)
{
    char name[RLM_QUOTE_SIZE], first[RLM_QUOTE_SIZE];
    return rlm_error_set(error, RELUME_MISMATCH,
                         "dataset %s has the class %s, which is none of the network's %zu (the first is %s)",
                         dataset->name, rlm_quote(name, dataset->class_names[missing]), network->class_count,
                         rlm_quote(first, network->class_names[0]));
}

/* The output of each class of the data. Numbers speak for themselves where the network's classes have names
 * of another kind, or none. */
static relume_status match(const relume_network *network, const relume_dataset *dataset, struct known *known,
                           uint32_t *output_of, relume_error *error)
{
    size_t outputs = relume_network_get_out_features(network), found = 0, missing = 0;
    bool named = network->class_count > 0;
    if (named)
        find_names(network, dataset, known, output_of, &found, &missing);
    if (named && missing == dataset->outputs)
        return RELUME_OK;
    bool of_other_kind = named && number_of(network->class_names[0], SIZE_MAX) == SIZE_MAX;
    if (named && (found > 0 || !of_other_kind || !are_numbers(dataset, outputs)))
        return refuse_class(network, dataset, missing, error);
    bool numbers = are_numbers(dataset, outputs);
    for (size_t i = 0; i < dataset->outputs; i++)
        output_of[i] = (uint32_t)(numbers ? number_of(dataset->class_names[i], outputs) : i);
    return RELUME_OK;
}

/* The names of all outputs: the network's, or the data's where it has none, or numbers. */
static relume_status name_outputs(const relume_network *network, const relume_dataset *dataset,
                                  const uint32_t *output_of, char **names, relume_error *error)
{
    const relume_allocator *allocator = &dataset->engine->allocator;
    size_t outputs = relume_network_get_out_features(network);
    bool named = network->class_count > 0;
    for (size_t i = 0; !named && i < dataset->outputs; i++)
        if (!(names[output_of[i]] = rlm_strdup(allocator, dataset->class_names[i])))
            return rlm_error_memory(error, strlen(dataset->class_names[i]), "class names");
    for (size_t i = 0; i < outputs; i++) {
        char number[24];
        (void)snprintf(number, sizeof number, "%zu", i);
        if (!names[i] &&
            !(names[i] = rlm_strdup(allocator, i < network->class_count ? network->class_names[i] : number)))
            return rlm_error_memory(error, sizeof number, "class names");
    }
    return RELUME_OK;
}

static void names_free(char **names, size_t count)
{
    for (size_t i = 0; names && i < count; i++)
        rlm_free(names[i]);
    rlm_free(names);
}

/* From here on nothing fails. */
static void renumber(relume_dataset *dataset, const uint32_t *output_of, char **names, size_t outputs)
{
    size_t samples = dataset->train_samples + dataset->test_samples;
    for (size_t i = 0; i < samples; i++)
        dataset->labels[i] = output_of[dataset->labels[i]];
    names_free(dataset->class_names, dataset->outputs);
    dataset->class_names = names;
    dataset->outputs = outputs;
}

relume_status relume_network_number_labels(const relume_network *network, relume_dataset *dataset,
                                           relume_error *error)
{
    const relume_allocator *allocator = &dataset->engine->allocator;
    size_t outputs = relume_network_get_out_features(network);
    if (dataset->task != RELUME_CLASSIFICATION || is_same(network, dataset) ||
        (network->class_count == 0 && dataset->outputs > outputs))
        return RELUME_OK;
    struct known *known = rlm_alloc(allocator, network->class_count + 1, sizeof *known);
    uint32_t *output_of = rlm_alloc(allocator, dataset->outputs, sizeof *output_of);
    char **names = rlm_alloc_zero(allocator, outputs, sizeof *names);
    relume_status status = known && output_of && names
                               ? match(network, dataset, known, output_of, error)
                               : rlm_error_memory(error, outputs * sizeof *names, "classes");
    if (status == RELUME_OK)
        status = name_outputs(network, dataset, output_of, names, error);
    if (status == RELUME_OK)
        renumber(dataset, output_of, names, outputs);
    else
        names_free(names, outputs);
    rlm_free(output_of);
    rlm_free(known);
    return status;
}
