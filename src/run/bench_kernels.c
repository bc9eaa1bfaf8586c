/* The kernels at the heart of a step, each alone on one thread, on a layer of a given shape with drawn
 * numbers. Whole training is timed in bench.c. */
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/checked.h"
#include "base/clock.h"
#include "base/engine.h"
#include "base/error.h"
#include "base/rng.h"
#include "kernels/kernels.h"
#include "kernels/peak.h"
#include "network/network.h"
#include "relume/bench.h"
#include "run/bench.h"

struct scene {
    const struct rlm_kernels *kernels;
    struct rlm_forward forward;
    struct rlm_backward_weights weights;
    struct rlm_backward_input input;
    float *x, *z, *weight, *bias, *dz, *dx;
    uint16_t *gates;
    uint32_t *active;
    struct rlm_arena arena;
};

static void scene_layout(struct rlm_arena *arena, struct scene *scene, const relume_bench_shape *shape)
{
    size_t b16 = rlm_round_up(shape->batch, RLM_LANES), stride = rlm_network_stride(shape->in_features);
    size_t x = 0, z = 0, weight = 0;
    if (!rlm_size_multiply(b16, rlm_round_up(shape->in_features, RLM_LANES), &x) ||
        !rlm_size_multiply(b16, rlm_round_up(shape->out_features, RLM_LANES), &z) || stride == 0 ||
        !rlm_size_multiply(shape->out_features, stride, &weight))
        arena->overflow = true;
    scene->x = rlm_arena_take(arena, x, sizeof(float));
    scene->dx = rlm_arena_take(arena, x, sizeof(float));
    scene->z = rlm_arena_take(arena, z, sizeof(float));
    scene->dz = rlm_arena_take(arena, z, sizeof(float));
    scene->weight = rlm_arena_take(arena, weight, sizeof(float));
    scene->bias = rlm_arena_take(arena, shape->out_features, sizeof(float));
    scene->gates = rlm_arena_take(arena, (x > z ? x : z) / RLM_LANES, sizeof(uint16_t));
    scene->active = rlm_arena_take(arena, shape->out_features, sizeof(uint32_t));
}

static void draw(float *to, size_t count, uint64_t group)
{
    struct rlm_rng rng = {0, RLM_RNG_TEST, group};
    for (size_t i = 0; i < count; i++)
        to[i] = (float)(rlm_rng_uniform(&rng, i) - 0.5) * 0.1f;
}

/* Only what lies inside the matrices: the padding stays 0. The copy of x as feature panels has other numbers
 * in other places, which costs the same. */
static void scene_draw(struct scene *scene, const relume_bench_shape *shape)
{
    size_t b16 = rlm_round_up(shape->batch, RLM_LANES), stride = rlm_network_stride(shape->in_features);
    draw(scene->x, b16 * shape->in_features, 1);
    draw(scene->dz, b16 * shape->out_features, 2);
    for (size_t n = 0; n < shape->out_features; n++)
        draw(scene->weight + n * stride, shape->in_features, 3 + n);
    memset(scene->gates, 0x55, b16 / RLM_LANES * shape->in_features * sizeof *scene->gates);
}

static void scene_set(struct scene *scene, const relume_bench_shape *shape)
{
    size_t stride = rlm_network_stride(shape->in_features);
    struct rlm_update sgd = {.kind = RLM_UPDATE_SGD, .learning_rate = 1e-6f};
    scene->forward = (struct rlm_forward){.batch = shape->batch,
                                          .in_features = shape->in_features,
                                          .out_features = shape->out_features,
                                          .x = scene->x,
                                          .weight = scene->weight,
                                          .stride = stride,
                                          .bias = scene->bias,
                                          .z = scene->z,
                                          .relu = true,
                                          .gates = scene->gates,
                                          .active = scene->active};
    scene->weights = (struct rlm_backward_weights){.batch = shape->batch,
                                                   .in_features = shape->in_features,
                                                   .out_features = shape->out_features,
                                                   .dz = scene->dz,
                                                   .x_features = scene->x,
                                                   .weight_update = sgd,
                                                   .bias_update = sgd,
                                                   .stride = stride,
                                                   .weight = scene->weight,
                                                   .bias = scene->bias};
    scene->input = (struct rlm_backward_input){.batch = shape->batch,
                                               .in_features = shape->in_features,
                                               .out_features = shape->out_features,
                                               .dz = scene->dz,
                                               .weight = scene->weight,
                                               .stride = stride,
                                               .gates = scene->gates,
                                               .dx = scene->dx};
}

static void forward_once(struct scene *scene)
{
    (void)scene->kernels->forward(&scene->forward, 0, scene->forward.out_features);
}

static void weights_once(struct scene *scene)
{
    scene->kernels->backward_weights(&scene->weights, 0, scene->weights.out_features);
}

static void input_once(struct scene *scene)
{
    scene->kernels->backward_input(&scene->input, 0, scene->input.in_features);
}

/* The peak of the calling thread, in GFLOP/s. */
static double peak_of_thread(enum rlm_cpu_level level)
{
    double best = 0.0;
    for (int i = 0; i < 8; i++) {
        float sink = 0.0f;
        double begin = rlm_clock_now(), flop = rlm_peak_run(level, 1 << 16, &sink);
        double rate = flop / (rlm_clock_now() - begin) * 1e-9;
        best = fmax(best, sink == 12345.0f ? 0.0 : rate); /* the sink is used, so the chains are run */
    }
    return best;
}

static double seconds_of_call(struct scene *scene, void (*once)(struct scene *), double seconds)
{
    double begin = rlm_clock_now(), spent;
    size_t calls = 0;
    do {
        once(scene);
        calls++;
        spent = rlm_clock_now() - begin;
    } while (spent < seconds);
    return spent / (double)calls;
}

static void measure(struct scene *scene, void (*once)(struct scene *), enum rlm_cpu_level level, double flop,
                    const relume_bench_options *options, relume_bench_kernel *result)
{
    double seconds[RLM_BENCH_REPEATS], gflops[RLM_BENCH_REPEATS], share[RLM_BENCH_REPEATS];
    double piece = options->seconds / (double)(RELUME_BENCH_KERNELS * options->repeats);
    once(scene);
    for (size_t i = 0; i < options->repeats; i++) {
        double before = peak_of_thread(level);
        seconds[i] = seconds_of_call(scene, once, piece);
        gflops[i] = flop / seconds[i] * 1e-9;
        share[i] = gflops[i] / fmax(before, peak_of_thread(level));
    }
    result->seconds = rlm_bench_figure(seconds, options->repeats);
    result->gflops = rlm_bench_figure(gflops, options->repeats).median;
    result->peak_share = rlm_bench_figure(share, options->repeats).median;
}

relume_status relume_bench_kernels(relume_engine *engine, const relume_bench_shape *shape,
                                   const relume_bench_options *options,
                                   relume_bench_kernel result[RELUME_BENCH_KERNELS], relume_error *error)
{
    static const struct {
        const char *name;
        void (*once)(struct scene *);
    } kernels[RELUME_BENCH_KERNELS] = {
        {"forward", forward_once}, {"backward_weights", weights_once}, {"backward_input", input_once}};
    rlm_error_clear(error);
    RLM_TRY(rlm_bench_check(options, error));
    if (shape->batch == 0 || shape->in_features == 0 || shape->out_features == 0)
        return rlm_error_set(error, RELUME_USAGE,
                             "a layer of %zu to %zu with batches of %zu, expected 1 each at least",
                             shape->in_features, shape->out_features, shape->batch);
    struct scene scene = {.kernels = rlm_kernels_get(engine->level)};
    scene_layout(&scene.arena, &scene, shape);
    size_t bytes = scene.arena.overflow ? SIZE_MAX : scene.arena.used;
    if (!rlm_arena_init(&scene.arena, &engine->allocator))
        return rlm_error_memory(error, bytes, "a layer to time kernels on");
    scene_layout(&scene.arena, &scene, shape);
    scene_draw(&scene, shape);
    scene_set(&scene, shape);
    double flop = 2.0 * (double)shape->batch * (double)shape->in_features * (double)shape->out_features;
    for (size_t i = 0; i < RELUME_BENCH_KERNELS; i++) {
        result[i] = (relume_bench_kernel){.name = kernels[i].name};
        measure(&scene, kernels[i].once, engine->level, flop, options, &result[i]);
    }
    rlm_arena_deinit(&scene.arena);
    return RELUME_OK;
}
