/* The order of samples in inputs, and what each group of neighbours uses. See inputs.h. Both are for speed
 * alone: no result depends on them. */
#include <math.h>

#include "autopsy/inputs.h"
#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"

#define CENTRES 48 /* as many as one count holds at little more than the price of a few */

/* The variant that is larger the nearer a sample is to x: x·s − ‖x‖²/2 = (‖s‖² − ‖s − x‖²) / 2. */
static void put_centre(struct rlm_variants *variants, size_t index, const struct rlm_inputs *inputs,
                       size_t place)
{
    float *row = variants->weight + index * variants->stride;
    double squares = 0.0;
    for (size_t k = 0; k < inputs->features; k++) {
        row[k] = rlm_inputs_get(inputs, place, k);
        squares += (double)row[k] * (double)row[k];
    }
    variants->bias[index] = (float)(-0.5 * squares);
}

/* The nearest centre, then the second nearest, as one number below count². */
static size_t kind_of(const struct rlm_variants *variants, size_t count, size_t place)
{
    size_t first = 0, second = 1;
    float high = -INFINITY, low = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        float near = rlm_variants_get(variants, i, place);
        if (near > high) {
            second = first;
            low = high;
            first = i;
            high = near;
        } else if (near > low) {
            second = i;
            low = near;
        }
    }
    return first * count + second;
}

static void sort(const struct rlm_variants *variants, size_t count, size_t samples, uint32_t *order)
{
    size_t begin[CENTRES * CENTRES + 1] = {0};
    for (size_t place = 0; place < samples; place++)
        begin[kind_of(variants, count, place) + 1]++;
    for (size_t kind = 1; kind <= count * count; kind++)
        begin[kind] += begin[kind - 1];
    for (size_t place = 0; place < samples; place++)
        order[begin[kind_of(variants, count, place)]++] = (uint32_t)place;
}

bool rlm_inputs_arrange(const struct rlm_inputs *inputs, uint32_t *order, uint32_t *where)
{
    struct rlm_variants variants;
    size_t count = rlm_size_min(CENTRES, inputs->samples / 8);
    if (count < 2 || rlm_variants_init(&variants, inputs, count, NULL) != RELUME_OK)
        return false;
    for (size_t i = 0; i < count; i++)
        put_centre(&variants, i, inputs, i * (inputs->samples / count));
    rlm_variants_count(&variants, count, inputs);
    sort(&variants, count, inputs->samples, order);
    for (size_t place = 0; place < inputs->samples; place++)
        where[order[place]] = (uint32_t)place;
    rlm_variants_deinit(&variants);
    return true;
}

/* ---- what a group uses ---- */

static void lists_layout(struct rlm_arena *arena, struct rlm_inputs *inputs)
{
    size_t groups = rlm_divide_up(inputs->samples, RLM_GROUP);
    inputs->used = rlm_arena_take(arena, groups * inputs->features, sizeof *inputs->used);
    inputs->used_count = rlm_arena_take(arena, groups, sizeof *inputs->used_count);
    inputs->clean = rlm_arena_take(arena, groups, sizeof *inputs->clean);
}

/* Whether the feature is other than 0 for a sample of the panel; beyond the last sample it is 0. */
static bool is_used(const struct rlm_inputs *inputs, size_t panel, size_t k)
{
    const float *x = inputs->x + (panel * inputs->features + k) * RLM_LANES;
    unsigned any = 0;
    for (size_t lane = 0; lane < RLM_LANES; lane++)
        any |= x[lane] != 0.0f;
    return any != 0;
}

static void list_group(void *context, size_t group, size_t thread)
{
    (void)thread;
    const struct rlm_inputs *inputs = context;
    size_t first = group * RLM_GROUP / RLM_LANES;
    size_t last = rlm_size_min(first + RLM_GROUP / RLM_LANES, rlm_divide_up(inputs->samples, RLM_LANES));
    uint32_t *used = inputs->used + group * inputs->features, count = 0;
    for (size_t k = 0; k < inputs->features; k++) {
        bool any = false;
        for (size_t panel = first; panel < last; panel++)
            any = any || is_used(inputs, panel, k);
        if (any)
            used[count++] = (uint32_t)k;
    }
    inputs->used_count[group] = count;
}

void rlm_inputs_make_lists(struct rlm_inputs *inputs)
{
    lists_layout(&inputs->lists, inputs);
    if (rlm_arena_init(&inputs->lists, &inputs->engine->allocator))
        lists_layout(&inputs->lists, inputs);
    else
        inputs->used_count = NULL;
}

void rlm_inputs_list(struct rlm_inputs *inputs)
{
    size_t groups = rlm_divide_up(inputs->samples, RLM_GROUP), sum = 0;
    rlm_inputs_make_lists(inputs);
    if (!inputs->used_count)
        return;
    rlm_pool_run(inputs->engine->pool, list_group, inputs, groups);
    for (size_t group = 0; group < groups; group++)
        sum += inputs->used_count[group];
    if (16 * sum > 15 * groups * inputs->features) /* hardly anything to be left out */
        inputs->used_count = NULL;
}
