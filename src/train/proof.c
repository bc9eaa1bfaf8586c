/* See proof.h. */
#include "train/proof.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/checked.h"
#include "base/larger.h"
#include "base/rounding.h"
#include "network/batch.h"

/* Steps between two looks for units, and for how many of them one that is not asleep must have been at rest.
 */
#define LOOK_EVERY 64
/* A unit's bound over all samples takes a third of the time of its sums: measured, docs/performance.md. With
 * some more for reading the samples, it pays where this share of an epoch is left. */
#define LOOK_LEAST 0.4
/* Fewer units than one in so many are not worth a look. */
#define LOOK_SHARE 16
/* Units that share a reading of the samples, which have to be turned for it. */
#define LOOK_UNITS ((size_t)128)

static size_t panel_bytes(const struct rlm_proof *proof)
{
    return RLM_SKETCH_SAMPLES * 4 * proof->sketch.quads;
}

static void measure(struct rlm_proof *proof)
{
    const relume_scaling *scaling = &proof->sketch.scaling;
    double reach = 0.0, shift = 0.0;
    for (size_t k = 0; k < proof->sketch.features; k++) {
        size_t at = scaling->uniform ? 0 : k;
        reach = rlm_larger(reach, 1.0 / fabs((double)scaling->divisor[at]));
        shift += fabs((double)scaling->offset[at] / (double)scaling->divisor[at]);
    }
    proof->reach = (float)reach;
    proof->shift = (float)shift;
}

void rlm_proof_layout(struct rlm_arena *arena, struct rlm_proof *proof, const relume_network *network,
                      const relume_dataset *dataset)
{
    size_t units = network->layers[0].out_features, threads = rlm_pool_threads(network->engine->pool);
    struct rlm_rows rows = rlm_dataset_rows(dataset, RELUME_SPLIT_TRAIN);
    if (dataset->element != RELUME_U8 || !dataset->x ||
        !rlm_sketch_init(&proof->sketch, network, rlm_batch_scaling(network, dataset)))
        return;
    size_t together = rlm_size_min(units, LOOK_UNITS);
    proof->units = units;
    proof->samples = rows.count;
    proof->x = (const uint8_t *)dataset->x + rows.first * dataset->features;
    measure(proof);
    proof->failed = rlm_arena_take(arena, units, sizeof *proof->failed);
    proof->dead = rlm_arena_take(arena, units, sizeof *proof->dead);
    proof->asked = rlm_arena_take(arena, units, sizeof *proof->asked);
    proof->rounded = rlm_arena_take(arena, together * 4 * proof->sketch.quads, sizeof *proof->rounded);
    proof->ones = rlm_arena_take(arena, 4 * proof->sketch.quads, sizeof *proof->ones);
    if (proof->ones)
        memset(proof->ones, 1, 4 * proof->sketch.quads);
    proof->unit = rlm_arena_take(arena, together, sizeof *proof->unit);
    proof->panel = rlm_arena_take(arena, threads * panel_bytes(proof), sizeof *proof->panel);
}

/* ---- a reading of the samples ---- */

/* Units asked together. */
struct look_region {
    const struct rlm_proof *proof;
    const struct rlm_layer *layer;
    const uint32_t *asked;
    size_t count;
    atomic_uchar open[LOOK_UNITS]; /* no bound below 0: may fire for some sample */
};

static void round_unit(void *context, size_t i, size_t thread)
{
    (void)thread;
    const struct look_region *region = context;
    const struct rlm_proof *proof = region->proof;
    size_t n = region->asked[i];
    rlm_sketch_round(&proof->sketch, region->layer->weight + n * region->layer->stride,
                     region->layer->bias[n], proof->rounded + i * 4 * proof->sketch.quads, &proof->unit[i]);
}

/* Samples `first` on as a byte group. */
static void turn(const struct rlm_proof *proof, size_t first, uint8_t *panel)
{
    size_t features = proof->sketch.features;
    size_t count = rlm_size_min(proof->samples - first, RLM_SKETCH_SAMPLES);
    if (count < RLM_SKETCH_SAMPLES)
        memset(panel, 0, panel_bytes(proof));
    for (size_t i = 0; i < count; i++)
        rlm_bytes_put(panel, i, proof->x + (first + i) * features, features);
}

/* A float pre-activation differs from the real one by at most γ(n + 1)·max|parameter|·(Σ|x| + 1), n features
 * (docs/numerics.md); twice that covers the roundings here. */
static float rounding(const struct rlm_proof *proof, const struct rlm_sketched *unit,
                      const struct rlm_sketch_group *group)
{
    double gamma = rlm_gamma(proof->sketch.features + 1);
    return (float)(2.0 * gamma * (double)unit->weight * (double)group->longest) + FLT_MIN;
}

/* places[count]: of units in the region. */
static void bound_some(struct look_region *region, const struct rlm_sketch_group *group, const size_t *places,
                       size_t count)
{
    const struct rlm_proof *proof = region->proof;
    const int8_t *rounded[RLM_DOTS_ROWS] = {0};
    const struct rlm_sketched *unit[RLM_DOTS_ROWS] = {0};
    float bound[RLM_DOTS_ROWS];
    for (size_t i = 0; i < count; i++) {
        rounded[i] = proof->rounded + places[i] * 4 * proof->sketch.quads;
        unit[i] = &proof->unit[places[i]];
    }
    rlm_sketch_bound(&proof->sketch, group, rounded, unit, count, bound);
    for (size_t i = 0; i < count; i++)
        if (!(bound[i] + rounding(proof, unit[i], group) < 0.0f)) /* NaN is no proof */
            atomic_store_explicit(&region->open[places[i]], 1, memory_order_relaxed);
}

static void look_group(void *context, size_t index, size_t thread)
{
    struct look_region *region = context;
    const struct rlm_proof *proof = region->proof;
    uint8_t *panel = proof->panel + thread * panel_bytes(proof);
    float sum[RLM_SKETCH_SAMPLES];
    turn(proof, index * RLM_SKETCH_SAMPLES, panel);
    struct rlm_sketch_group group = {.x = panel};
    rlm_sketch_weigh(&proof->sketch, proof->ones, sum, &group);
    group.longest = (proof->reach * group.heaviest + proof->shift + 1.0f) * (1.0f + 0x1p-20f);
    size_t places[RLM_DOTS_ROWS], count = 0;
    for (size_t i = 0; i < region->count; i++) {
        if (atomic_load_explicit(&region->open[i], memory_order_relaxed))
            continue;
        places[count++] = i;
        if (count == RLM_DOTS_ROWS) {
            bound_some(region, &group, places, count);
            count = 0;
        }
    }
    if (count > 0)
        bound_some(region, &group, places, count);
}

static size_t look_together(struct rlm_proof *proof, const relume_network *network, const uint32_t *asked,
                            size_t count, const struct rlm_rest *rest)
{
    struct look_region region = {
        .proof = proof, .layer = &network->layers[0], .asked = asked, .count = count};
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        atomic_init(&region.open[i], 0);
    rlm_pool_run(network->engine->pool, round_unit, &region, count);
    rlm_pool_run(network->engine->pool, look_group, &region,
                 rlm_divide_up(proof->samples, RLM_SKETCH_SAMPLES));
    for (size_t i = 0; i < count; i++) {
        bool open = atomic_load_explicit(&region.open[i], memory_order_relaxed) != 0;
        proof->dead[asked[i]] = !open;
        if (open)
            proof->failed[asked[i]] = rest->stirred[asked[i]] + 1;
        found += !open;
    }
    return found;
}

/* ---- between two steps ---- */

static size_t list_asked(struct rlm_proof *proof, const struct rlm_rest *rest, const struct rlm_sleep *sleep,
                         uint64_t step)
{
    size_t count = 0;
    for (size_t n = 0; n < proof->units; n++) {
        bool rests = sleep->slept[n] != 0 || rest->stirred[n] + LOOK_EVERY <= step;
        if (!rest->proved[n] && rests && proof->failed[n] != rest->stirred[n] + 1)
            proof->asked[count++] = (uint32_t)n;
    }
    return count;
}

bool rlm_proof_is_due(const struct rlm_proof *proof, uint64_t step, uint64_t left, uint64_t epoch)
{
    return proof->units > 0 && step % LOOK_EVERY == 0 && (double)left >= LOOK_LEAST * (double)epoch;
}

size_t rlm_proof_look(struct rlm_proof *proof, struct rlm_pass *pass, struct rlm_rest *rest,
                      const struct rlm_sleep *sleep, uint64_t step)
{
    size_t found = 0, count = list_asked(proof, rest, sleep, step);
    if (count * LOOK_SHARE < proof->units)
        return 0;
    memset(proof->dead, 0, proof->units);
    for (size_t i = 0; i < count; i += LOOK_UNITS)
        found +=
            look_together(proof, pass->network, proof->asked + i, rlm_size_min(count - i, LOOK_UNITS), rest);
    if (found > 0)
        rlm_rest_note_dead(rest, pass, proof->dead);
    return found;
}
