/* See silent.h. */
#include "census/silent.h"

#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"

relume_status rlm_silent_init(struct rlm_silent *silent, const relume_network *network,
                              const relume_dataset *dataset, relume_split split, relume_error *error)
{
    *silent = (struct rlm_silent){.dataset = dataset, .layers = network->layer_count - 1};
    RLM_TRY(rlm_pass_check(network, dataset, error));
    silent->rows = rlm_dataset_rows(dataset, split);
    size_t capacity = rlm_pass_capacity(silent->rows.count);
    RLM_TRY(rlm_pass_init(&silent->pass, network, capacity, RLM_PASS_ACTIVE, error));
    const relume_allocator *allocator = &network->engine->allocator;
    silent->dead = rlm_alloc_zero(allocator, silent->layers, sizeof *silent->dead);
    silent->count = rlm_alloc_zero(allocator, silent->layers, sizeof *silent->count);
    bool whole = silent->dead && silent->count;
    for (size_t k = 0; whole && k < silent->layers; k++) {
        silent->dead[k] = rlm_alloc(allocator, network->layers[k].out_features, 1);
        whole = silent->dead[k] != NULL;
    }
    if (whole)
        return RELUME_OK;
    rlm_silent_deinit(silent);
    return rlm_error_memory(error, silent->layers, "the marks of silent units");
}

void rlm_silent_deinit(struct rlm_silent *silent)
{
    for (size_t k = 0; silent->dead && k < silent->layers; k++)
        rlm_free(silent->dead[k]);
    rlm_free(silent->dead);
    rlm_free(silent->count);
    silent->dead = NULL;
    silent->count = NULL;
    rlm_pass_deinit(&silent->pass);
}

/* Takes the units that the last batch opened off the marks; returns how many are still marked and asked for.
 */
static size_t strike_off(struct rlm_silent *silent)
{
    size_t left = 0;
    for (size_t k = 0; k < silent->layers; k++) {
        const uint32_t *active = silent->pass.layer[k].active;
        const uint8_t *ignore = silent->ignore ? silent->ignore[k] : NULL;
        size_t units = silent->pass.network->layers[k].out_features, count = 0;
        for (size_t n = 0; n < units; n++) {
            silent->dead[k][n] = silent->dead[k][n] && active[n] == 0;
            count += silent->dead[k][n];
            left += silent->dead[k][n] && !(ignore && ignore[n]);
        }
        silent->count[k] = count;
    }
    return left;
}

relume_status rlm_silent_find(struct rlm_silent *silent, relume_error *error)
{
    const relume_network *network = silent->pass.network;
    for (size_t k = 0; k < silent->layers; k++) {
        silent->count[k] = network->layers[k].out_features;
        memset(silent->dead[k], 1, silent->count[k]);
    }
    struct rlm_rows rows = silent->rows;
    size_t at = silent->start < rows.count ? silent->start : 0, count;
    for (size_t done = 0; done < rows.count; done += count) {
        count = rlm_size_min(silent->pass.capacity, rows.count - at);
        struct rlm_batch batch = {.dataset = silent->dataset, .first = rows.first + at, .count = count};
        struct rlm_fault fault;
        if (!rlm_pass_run(&silent->pass, &batch, &fault))
            return rlm_fault_report(&fault, network, "looking for silent units", error);
        if (strike_off(silent) == 0) {
            silent->start = at; /* rare units fire here; they may well be looked for again */
            break;
        }
        at = at + count < rows.count ? at + count : 0;
    }
    return RELUME_OK;
}
