/* See ceiling.h. Ceilings are floats; every one of the few roundings on their way is made up for by a factor
 * or a summand above it. */
#include "autopsy/ceiling.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/larger.h"

#define UPWARD RLM_CEILING_UPWARD

static size_t row_stride(const struct rlm_ceilings *ceilings)
{
    return ceilings->stride + RLM_LANES;
}

static void work_layout(struct rlm_arena *arena, const struct rlm_ceilings *c, struct rlm_ceiling_work *work)
{
    size_t padded = rlm_round_up(c->units, RLM_LANES);
    *work = (struct rlm_ceiling_work){.row = rlm_arena_take(arena, c->units * c->stride, sizeof(float)),
                                      .bias = rlm_arena_take(arena, padded, sizeof(float)),
                                      .z = rlm_arena_take(arena, RLM_GROUP * c->units, sizeof(float)),
                                      .margin = rlm_arena_take(arena, padded, sizeof(float)),
                                      .list = rlm_arena_take(arena, c->units, sizeof(uint32_t)),
                                      .slot = rlm_arena_take(arena, c->units, sizeof(uint32_t)),
                                      .open = rlm_arena_take(arena, c->units, sizeof(uint32_t)),
                                      .spare = rlm_arena_take(arena, c->units, sizeof(uint32_t)),
                                      .doubt = rlm_arena_take(arena, c->units, sizeof(uint32_t)),
                                      .wanted = rlm_arena_take(arena, c->units, 1),
                                      .by = rlm_arena_take(arena, c->blocks, sizeof(float))};
}

static void layout(struct rlm_arena *arena, struct rlm_ceilings *c, size_t threads)
{
    c->row = rlm_arena_take(arena, c->units * row_stride(c), sizeof(float));
    c->ceiling = rlm_arena_take(arena, c->units * c->groups, sizeof(float));
    c->rise = rlm_arena_take(arena, c->units * c->groups, sizeof(float));
    c->firm = rlm_arena_take(arena, c->units * c->groups, 1);
    c->weight = rlm_arena_take(arena, c->units, sizeof(float));
    c->weights = rlm_arena_take(arena, c->units, sizeof(float));
    c->rounded = rlm_arena_take(
        arena, c->ground->sums.sketch.dots ? c->units * 4 * c->ground->sums.sketch.quads : 0, 1);
    c->sketched = rlm_arena_take(arena, c->ground->sums.sketch.dots ? c->units : 0, sizeof *c->sketched);
    c->work = rlm_arena_take(arena, threads, sizeof *c->work);
    for (size_t thread = 0; thread < threads; thread++) {
        struct rlm_ceiling_work work;
        work_layout(arena, c, &work);
        if (c->work)
            c->work[thread] = work;
    }
}

relume_status rlm_ceilings_init(struct rlm_ceilings *ceilings, const relume_network *network,
                                const struct rlm_ground *ground, const struct rlm_inputs *inputs,
                                relume_error *error)
{
    const struct rlm_layer *layer = &network->layers[0];
    struct rlm_ceilings made = {.ground = ground,
                                .inputs = inputs,
                                .units = layer->out_features,
                                .stride = layer->stride,
                                .groups = ground->groups,
                                .blocks = ground->blocks,
                                .rise_kernel = rlm_enclosing_find(inputs->engine->level)->rise};
    size_t threads = rlm_pool_threads(inputs->engine->pool);
    layout(&made.arena, &made, threads);
    size_t bytes = made.arena.overflow ? SIZE_MAX : made.arena.used;
    if (!rlm_arena_init(&made.arena, &inputs->engine->allocator))
        return rlm_error_memory(error, bytes, "bounds on what the first layer gives");
    layout(&made.arena, &made, threads);
    made.gamma = rlm_at_least(rlm_gamma(inputs->features + 1));
    for (size_t i = 0; i < made.units * made.groups; i++)
        made.ceiling[i] = INFINITY;
    *ceilings = made;
    return RELUME_OK;
}

void rlm_ceilings_deinit(struct rlm_ceilings *ceilings)
{
    rlm_arena_deinit(&ceilings->arena);
    *ceilings = (struct rlm_ceilings){0};
}

/* ---- when weights move ---- */

struct settle_region {
    struct rlm_ceilings *ceilings;
    const struct rlm_live *live;
    bool aside; /* only look */
};

/* ‖row − kept‖ of a block of 16 features, no smaller than it is, and the largest |row| there against
 * `weight`. Squares of floats neither vanish nor overflow as doubles; each difference is a float, off by half
 * a unit in its last place, which UPWARD makes up for. */
static float block_moved(const float *row, const float *kept, float *weight)
{
    double squares = 0.0;
    for (size_t lane = 0; lane < RLM_LANES; lane++) {
        double by = (double)(row[lane] - kept[lane]);
        float size = fabsf(row[lane]);
        squares += by * by;
        *weight = size > *weight ? size : *weight;
    }
    return squares > 0.0 ? (float)sqrt(squares) * UPWARD : 0.0f;
}

/* What the ceilings of a unit rise by when its row becomes this one; whether it is another row at all. Rises
 * are sums of positive floats, blocks + 1 of them, each product and each sum rounded once: low by at most
 * (blocks + 2) · 2⁻²⁴ of themselves, which `upward` makes up for twice over. */
static bool find_rise(const struct rlm_ceilings *c, const float *row, float bias, const float *kept,
                      float *by, float *rise, float *weight)
{
    float first = fabsf(bias - kept[c->stride]) * UPWARD, upward = 1.0f + (float)(c->blocks + 2) * 0x1p-23f;
    bool moved = first > 0.0f;
    *weight = fabsf(bias);
    for (size_t block = 0; block < c->blocks; block++) {
        by[block] = block_moved(row + block * RLM_LANES, kept + block * RLM_LANES, weight);
        moved = moved || by[block] > 0.0f;
    }
    c->rise_kernel(by, c->blocks, c->ground->reach, c->groups, first, upward, rise);
    return moved;
}

static void settle_unit(void *context, size_t task, size_t thread)
{
    const struct settle_region *region = context;
    struct rlm_ceilings *c = region->ceilings;
    const struct rlm_layer *layer = region->live->layer;
    size_t unit = region->live->unit[task];
    const float *row = layer->weight + unit * c->stride;
    float *kept = c->row + unit * row_stride(c), *rise = c->rise + unit * c->groups;
    float *ceiling = c->ceiling + unit * c->groups, bias = layer->bias[unit], weight;
    bool moved = find_rise(c, row, bias, kept, c->work[thread].by, rise, &weight);
    c->weights[unit] = weight > c->weight[unit] ? weight : c->weight[unit];
    if (region->aside)
        return;
    for (size_t group = 0; moved && group < c->groups; group++)
        ceiling[group] = rlm_raised(ceiling[group], rise[group]);
    memcpy(kept, row, c->stride * sizeof *kept);
    kept[c->stride] = bias;
    c->weight[unit] = weight;
    if (c->ground->sums.sketch.dots)
        rlm_sketch_round(&c->ground->sums.sketch, row, bias,
                         c->rounded + unit * 4 * c->ground->sums.sketch.quads, &c->sketched[unit]);
}

static void settle(struct rlm_ceilings *ceilings, const struct rlm_live *live, bool aside)
{
    struct settle_region region = {ceilings, live, aside};
    rlm_pool_run(ceilings->inputs->engine->pool, settle_unit, &region, live->count);
}

void rlm_ceilings_settle(struct rlm_ceilings *ceilings, const struct rlm_live *live)
{
    settle(ceilings, live, false);
}

void rlm_ceilings_look(struct rlm_ceilings *ceilings, const struct rlm_live *live)
{
    settle(ceilings, live, true);
}

/* ---- a pass ---- */

struct pass_region {
    struct rlm_ceilings *ceilings;
    const struct rlm_live *live;
    struct rlm_span span;
    const uint8_t *open; /* some groups, and the ceilings stay; NULL: all, and they are brought up to date */
    const struct rlm_openings *openings; /* of some groups: by these; NULL: at parameters looked at */
    uint8_t *opened;
    struct rlm_inputs *next;
};

/* Whether the ceiling has been raised above 0, or has never been brought down. Where the unit was above 0
 * when it was computed last it most likely still is, and a look would be for nothing. */
static bool is_doubtful(const struct rlm_ceilings *c, size_t unit, size_t group)
{
    return !c->firm[unit * c->groups + group] && !rlm_ceilings_is_shut(c, unit, group);
}

void rlm_ceilings_lower(struct rlm_ceilings *c, const uint32_t *unit, size_t count, size_t group,
                        float *value, float *slack)
{
    const struct rlm_sketch *sketch = &c->ground->sums.sketch;
    const int8_t *rounded[RLM_DOTS_ROWS];
    const struct rlm_sketched *sketched[RLM_DOTS_ROWS];
    float bound[RLM_DOTS_ROWS];
    for (size_t i = 0; i < count; i++) {
        rounded[i] = c->rounded + (size_t)unit[i] * 4 * sketch->quads;
        sketched[i] = &c->sketched[unit[i]];
    }
    struct rlm_sketch_group samples =
        rlm_byte_sums_group(&c->ground->sums, group, c->ground->heaviest[group]);
    rlm_sketch_values(sketch, &samples, rounded, sketched, count, value, slack, bound);
    for (size_t i = 0; i < count; i++) {
        float *ceiling = &c->ceiling[unit[i] * c->groups + group];
        *ceiling = bound[i] < *ceiling ? bound[i] : *ceiling;
    }
}

/* Looks at the units of a group whose ceilings are in doubt. */
static void screen(const struct pass_region *region, size_t group, const struct rlm_ceiling_work *work)
{
    struct rlm_ceilings *c = region->ceilings;
    float value[RLM_DOTS_ROWS * RLM_GROUP], slack[RLM_DOTS_ROWS];
    size_t count = 0;
    for (size_t k = 0; k < region->live->count; k++)
        if (is_doubtful(c, region->live->unit[k], group))
            work->doubt[count++] = region->live->unit[k];
    for (size_t done = 0; done < count; done += RLM_DOTS_ROWS)
        rlm_ceilings_lower(c, work->doubt + done, rlm_size_min(RLM_DOTS_ROWS, count - done), group, value,
                           slack);
}

/* Finds which units of the map have to be computed; returns how many. */
static size_t find_open(const struct pass_region *region, size_t group, const struct rlm_ceiling_work *work)
{
    const struct rlm_ceilings *c = region->ceilings;
    size_t count = 0;
    for (size_t k = 0; k < region->live->count; k++) {
        size_t unit = region->live->unit[k];
        bool shut = region->open ? rlm_ceilings_top_of_both(c, unit, group) <= 0.0f
                                 : rlm_ceilings_is_shut(c, unit, group);
        work->wanted[k] = !shut;
        if (!shut)
            work->open[count++] = (uint32_t)k;
    }
    return count;
}

/* The same by what is told. */
static size_t take_open(const struct pass_region *region, size_t group, const struct rlm_ceiling_work *work)
{
    const struct rlm_openings *openings = region->openings;
    size_t count = openings->count[group];
    memcpy(work->open, openings->list + openings->first[group], count * sizeof *work->open);
    memset(work->wanted, 0, region->live->count);
    for (size_t i = 0; i < count; i++)
        work->wanted[work->open[i]] = 1;
    return count;
}

/* Gives up the rows that are not among the first `count` slots or not wanted; returns how many of these slots
 * are free. */
static size_t drop_rows(struct rlm_ceiling_work *work, size_t count)
{
    size_t spare = 0;
    for (size_t slot = 0; slot < work->held; slot++) {
        uint32_t k = work->list[slot];
        if (slot < count && work->wanted[k])
            continue;
        work->slot[k] = RLM_NO_SLOT;
        if (slot < count)
            work->spare[spare++] = (uint32_t)slot;
    }
    for (size_t slot = work->held; slot < count; slot++)
        work->spare[spare++] = (uint32_t)slot;
    return spare;
}

/* Gathers the rows that have to be computed, in the first slots; returns how many. */
static size_t gather(const struct pass_region *region, size_t group, struct rlm_ceiling_work *work)
{
    const struct rlm_ceilings *c = region->ceilings;
    const struct rlm_layer *layer = region->live->layer;
    size_t count = region->openings ? take_open(region, group, work) : find_open(region, group, work);
    size_t spare = drop_rows(work, count);
    for (size_t i = 0; i < count; i++) {
        uint32_t k = work->open[i];
        work->margin[i] = -INFINITY;
        if (work->slot[k] != RLM_NO_SLOT)
            continue;
        size_t unit = region->live->unit[k], slot = work->spare[--spare];
        memcpy(work->row + slot * c->stride, layer->weight + unit * c->stride, c->stride * sizeof(float));
        work->bias[slot] = layer->bias[unit];
        work->list[slot] = k;
        work->slot[k] = (uint32_t)slot;
    }
    work->held = count;
    return count;
}

/* No rows are there: for other parameters, or another map. */
static void forget_rows(const struct rlm_ceilings *c)
{
    for (size_t thread = 0; thread < rlm_pool_threads(c->inputs->engine->pool); thread++) {
        c->work[thread].held = 0;
        for (size_t k = 0; k < c->units; k++)
            c->work[thread].slot[k] = RLM_NO_SLOT;
    }
}

/* The norms of a panel; what has not been computed is 0 and adds nothing. */
static void measure(struct rlm_inputs *next, size_t panel, const float *z, size_t count,
                    const struct rlm_ceiling_work *work)
{
    double sum[RLM_LANES] = {0}, squares[RLM_LANES] = {0};
    for (size_t i = 0; i < count; i++) {
        const float *one = z + (size_t)work->slot[work->open[i]] * RLM_LANES;
        for (size_t lane = 0; lane < RLM_LANES; lane++) {
            double value = (double)one[lane];
            sum[lane] += value;
            squares[lane] += value * value;
        }
    }
    rlm_inputs_put_norms(next, panel, sum, squares);
}

/* Sets x of a group to 0. What was written there last is listed, and is little where units fire on few
 * samples. */
static void clear(const struct rlm_inputs *next, size_t group, size_t panels)
{
    size_t features = next->features;
    float *x = next->x + group * RLM_GROUP * features;
    if (!next->used_count || !next->clean[group]) {
        memset(x, 0, panels * features * RLM_LANES * sizeof *x);
        return;
    }
    const uint32_t *used = next->used + group * features;
    for (size_t panel = 0; panel < panels; panel++)
        for (size_t i = 0; i < next->used_count[group]; i++)
            memset(x + (panel * features + used[i]) * RLM_LANES, 0, RLM_LANES * sizeof *x);
}

/* Hands the outputs computed to their places, 0 to all others, and the margins to the ceilings. */
static void scatter(const struct pass_region *region, size_t group, size_t count,
                    const struct rlm_ceiling_work *work, uint8_t *opened)
{
    struct rlm_ceilings *c = region->ceilings;
    size_t features = region->next->features;
    size_t samples = rlm_size_min(RLM_GROUP, c->inputs->samples - group * RLM_GROUP);
    size_t panels = rlm_divide_up(samples, RLM_LANES);
    float *x = region->next->x + group * RLM_GROUP * features;
    clear(region->next, group, panels);
    if (region->next->used_count) {
        region->next->clean[group] = 1;
        memcpy(region->next->used + group * features, work->open, count * sizeof *work->open);
        region->next->used_count[group] = (uint32_t)count;
    }
    for (size_t panel = 0; panel < panels; panel++) {
        const float *z = work->z + panel * count * RLM_LANES;
        for (size_t i = 0; i < count; i++)
            memcpy(x + (panel * features + work->list[i]) * RLM_LANES, z + i * RLM_LANES,
                   RLM_LANES * sizeof *x);
        measure(region->next, group * RLM_GROUP / RLM_LANES + panel, z, count, work);
    }
    for (size_t i = 0; !region->open && i < count; i++) {
        size_t unit = region->live->unit[work->list[i]];
        float margin = work->margin[i];
        float *ceiling = &c->ceiling[unit * c->groups + group];
        *ceiling = margin + rlm_ceilings_rounding(c, c->weight[unit], group) + fabsf(margin) * 0x1p-22f;
        c->firm[unit * c->groups + group] = *ceiling > 0.0f;
        opened[unit] |= margin > 0.0f;
    }
}

static void pass_group(const struct pass_region *region, size_t group, size_t thread)
{
    const struct rlm_ceilings *c = region->ceilings;
    const struct rlm_inputs *inputs = c->inputs;
    struct rlm_ceiling_work *work = &c->work[thread];
    if (c->ground->sums.sketch.dots && !region->open)
        screen(region, group, work);
    size_t count = gather(region, group, work);
    if (count > 0) {
        struct rlm_dense dense = {work->row, c->stride, work->bias};
        struct rlm_forward forward = rlm_inputs_group(inputs, group, thread, &dense, count, work->z);
        forward.relu = true;
        forward.margin = work->margin;
        (void)rlm_kernels_get(inputs->engine->level)->forward(&forward, 0, count);
    }
    scatter(region, group, count, work, region->open ? NULL : region->opened + thread * c->units);
}

static void pass_task(void *context, size_t task, size_t thread)
{
    const struct pass_region *region = context;
    size_t first = region->span.first + task * RLM_INPUTS_CHUNK;
    size_t last = rlm_size_min(region->span.last, first + RLM_INPUTS_CHUNK);
    for (size_t group = first / RLM_GROUP; group * RLM_GROUP < last; group++)
        if (!region->open || region->open[group])
            pass_group(region, group, thread);
}

static void pass_run(const struct pass_region *region)
{
    struct rlm_inputs *next = region->next;
    if (next->used_count && next->laid_out != next->features) {
        memset(next->clean, 0, region->ceilings->groups);
        next->laid_out = next->features;
    }
    forget_rows(region->ceilings);
    rlm_pool_run(region->ceilings->inputs->engine->pool, pass_task, (void *)region,
                 rlm_divide_up(region->span.last - region->span.first, RLM_INPUTS_CHUNK));
}

void rlm_ceilings_forward(struct rlm_ceilings *ceilings, const struct rlm_live *live, struct rlm_span span,
                          uint8_t *opened, struct rlm_inputs *next)
{
    struct pass_region region = {
        .ceilings = ceilings, .live = live, .span = span, .opened = opened, .next = next};
    pass_run(&region);
}

void rlm_ceilings_forward_some(struct rlm_ceilings *ceilings, const struct rlm_live *live,
                               const uint8_t *open, const struct rlm_openings *openings,
                               struct rlm_inputs *next)
{
    struct pass_region region = {.ceilings = ceilings,
                                 .live = live,
                                 .span = {0, ceilings->inputs->samples},
                                 .open = open,
                                 .openings = openings,
                                 .next = next};
    pass_run(&region);
}

float rlm_ceilings_highest(const struct rlm_ceilings *ceilings, size_t unit)
{
    const float *ceiling = ceilings->ceiling + unit * ceilings->groups;
    float highest = -INFINITY;
    for (size_t group = 0; group < ceilings->groups; group++)
        highest = ceiling[group] > highest ? ceiling[group] : highest;
    return highest;
}
