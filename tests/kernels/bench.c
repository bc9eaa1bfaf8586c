/* Times every kernel on the shapes of a 784-512-512-10 net with a batch of 128, on one thread, and states the
 * share of the multiply-add peak measured in the same run. The best of several short runs: a shared machine
 * only ever slows down. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "kernels/levels.h"
#include "support.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define BATCH 128
#define RUNS 15

struct bench_net {
    struct rlm_forward forward;
    struct rlm_backward_weights weights;
    struct rlm_backward_input input;
    struct rlm_loss loss;
    struct rlm_pack pack;
    struct rlm_apply apply;
    double *squares;
    const struct rlm_kernels *kernels;
};

static void run_forward(struct bench_net *b)
{
    b->kernels->forward(&b->forward, 0, b->forward.out_features);
}

static void run_weights(struct bench_net *b)
{
    b->kernels->backward_weights(&b->weights, 0, b->weights.out_features);
}

static void run_input(struct bench_net *b)
{
    b->kernels->backward_input(&b->input, 0, b->input.in_features);
}

static void run_softmax(struct bench_net *b)
{
    b->kernels->loss_softmax(&b->loss);
}

static void run_mse(struct bench_net *b)
{
    b->kernels->loss_mse(&b->loss);
}

static void run_bce(struct bench_net *b)
{
    b->kernels->loss_bce(&b->loss);
}

static void run_pack(struct bench_net *b)
{
    b->kernels->pack(&b->pack, 0, BATCH / RLM_LANES);
}

static void run_apply(struct bench_net *b)
{
    b->kernels->apply(&b->apply, 0, b->apply.rows);
}

static void run_squares(struct bench_net *b)
{
    b->kernels->row_squares(b->apply.gradient, b->apply.columns, b->apply.stride, b->squares, 0,
                            b->apply.rows);
}

/* Seconds of one call: the best of RUNS runs of about two milliseconds. */
static double seconds(void (*run)(struct bench_net *), struct bench_net *b)
{
    double best = 1e9;
    run(b);
    double start = rlm_clock_now();
    run(b);
    size_t calls = 1 + (size_t)(2e-3 / (rlm_clock_now() - start + 1e-9));
    for (int i = 0; i < RUNS; i++) {
        start = rlm_clock_now();
        for (size_t c = 0; c < calls; c++)
            run(b);
        double each = (rlm_clock_now() - start) / (double)calls;
        best = each < best ? each : best;
    }
    return best;
}

/* ---------------------------------------------------------------------------------- the machine's peak */

#define PEAK_CHAINS 12
#define PEAK_STEPS 20000
#if defined(__clang__)
#define PEAK_UNROLL _Pragma("clang loop unroll(full)")
#else
#define PEAK_UNROLL _Pragma("GCC unroll 12")
#endif

static volatile float peak_result; /* keeps the chains from being optimised away */

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void peak_chains(struct bench_net *unused)
{
    __m256 sums[PEAK_CHAINS], a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(1e-3f);
    (void)unused;
    for (int c = 0; c < PEAK_CHAINS; c++)
        sums[c] = _mm256_set1_ps((float)c);
    for (int i = 0; i < PEAK_STEPS; i++) {
        PEAK_UNROLL
        for (int c = 0; c < PEAK_CHAINS; c++)
            sums[c] = _mm256_fmadd_ps(sums[c], a, b);
    }
    for (int c = 0; c < PEAK_CHAINS; c++)
        peak_result = _mm256_cvtss_f32(sums[c]);
}
#define PEAK_LANES 8
#elif defined(__aarch64__)
static void peak_chains(struct bench_net *unused)
{
    float32x4_t sums[PEAK_CHAINS], a = vdupq_n_f32(0.999f), b = vdupq_n_f32(1e-3f);
    (void)unused;
    for (int c = 0; c < PEAK_CHAINS; c++)
        sums[c] = vdupq_n_f32((float)c);
    for (int i = 0; i < PEAK_STEPS; i++) {
        PEAK_UNROLL
        for (int c = 0; c < PEAK_CHAINS; c++)
            sums[c] = vfmaq_f32(b, sums[c], a);
    }
    for (int c = 0; c < PEAK_CHAINS; c++)
        peak_result = vgetq_lane_f32(sums[c], 0);
}
#define PEAK_LANES 4
#else
static void peak_chains(struct bench_net *unused)
{
    (void)unused;
    peak_result = 0;
}
#define PEAK_LANES 1
#endif

/* GFLOP/s of independent chains in registers. */
static double peak(void)
{
    return 2.0 * PEAK_CHAINS * PEAK_LANES * PEAK_STEPS / seconds(peak_chains, NULL) * 1e-9;
}

/* ------------------------------------------------------------------------------------------ the shapes */

static struct bench_net net_take(const struct rlm_kernels *kernels, struct random *r, size_t in, size_t out)
{
    size_t stride = (rlm_divide_up(in, RLM_LANES) | 1) * RLM_LANES;
    float *x = sample_panels(r, FILL_PLAIN, BATCH, in),
          *weight = weight_matrix(r, FILL_PLAIN, out, in, stride);
    float *dz = sample_panels(r, FILL_PLAIN, BATCH, out);
    float *offset = floats_take(r, FILL_ZERO, 1), *divisor = floats_take(r, FILL_ZERO, 1);
    uint32_t *labels = buffer_take(BATCH, sizeof *labels);
    uint8_t *raw = buffer_take(BATCH * in, 1);
    for (size_t b = 0; b < BATCH; b++)
        labels[b] = (uint32_t)random_below(r, out);
    *divisor = 255;
    struct rlm_update sgd = {.kind = RLM_UPDATE_SGD, .learning_rate = 1e-6f};
    struct bench_net b = {.kernels = kernels};
    b.forward = (struct rlm_forward){
        .batch = BATCH, .in_features = in, .out_features = out, .x = x, .weight = weight};
    b.forward.stride = stride, b.forward.relu = true, b.forward.bias = floats_take(r, FILL_PLAIN, out);
    b.forward.z = buffer_take(sample_panels_size(BATCH, out), sizeof(float));
    b.forward.gates = buffer_take(BATCH / RLM_LANES * out, sizeof(uint16_t));
    b.forward.active = buffer_take(out, sizeof(uint32_t));
    b.weights =
        (struct rlm_backward_weights){.batch = BATCH, .in_features = in, .out_features = out, .dz = dz};
    b.weights.x_features = feature_panels(x, BATCH, in), b.weights.stride = stride;
    b.weights.weight_update = sgd, b.weights.bias_update = sgd;
    b.weights.weight = weight, b.weights.bias = floats_take(r, FILL_PLAIN, out);
    b.input = (struct rlm_backward_input){.batch = BATCH, .in_features = in, .out_features = out, .dz = dz};
    b.input.weight = weight, b.input.stride = stride;
    b.input.gates = memset(buffer_take(BATCH / RLM_LANES * in, 2), 0x55, BATCH / RLM_LANES * in * 2);
    b.input.dx = buffer_take(sample_panels_size(BATCH, in), sizeof(float));
    b.loss = (struct rlm_loss){.batch = BATCH, .out_features = out, .logits = dz, .labels = labels};
    b.loss.targets = sample_panels(r, FILL_PLAIN, BATCH, out),
    b.loss.loss = buffer_take(BATCH, sizeof(float));
    b.loss.dlogits = buffer_take(sample_panels_size(BATCH, out), sizeof(float));
    b.loss.correct = buffer_take(BATCH, 1);
    b.pack = (struct rlm_pack){.batch = BATCH, .features = in, .raw = raw, .is_u8 = true, .uniform = true};
    b.pack.offset = offset, b.pack.divisor = divisor, b.pack.x = x,
    b.pack.x_features = feature_panels(x, BATCH, in);
    b.apply =
        (struct rlm_apply){.rows = out, .columns = in, .stride = stride, .gradient_scale = 1, .update = sgd};
    b.apply.gradient = weight_matrix(r, FILL_PLAIN, out, in, stride), b.apply.parameter = weight;
    b.squares = buffer_take(out, sizeof(double));
    return b;
}

/* One line: microseconds, and with multiply-adds GFLOP/s and the share of the peak, measured right before. */
static void line(const char *kernel, void (*run)(struct bench_net *), struct bench_net *b, double flops)
{
    double top = flops > 0 ? peak() : 0, time = seconds(run, b);
    printf("  %-18s %10.1f us", kernel, time * 1e6);
    if (flops > 0)
        printf("  %7.1f GFLOP/s  %.3f of %.1f", flops / time * 1e-9, flops / time * 1e-9 / top, top);
    putchar('\n');
    fflush(stdout);
}

static void bench_shape(const struct rlm_kernels *kernels, size_t in, size_t out)
{
    struct random r = {1};
    struct bench_net b = net_take(kernels, &r, in, out);
    double flops = 2.0 * BATCH * (double)in * (double)out;
    printf("%s, %zu to %zu, batch %d\n", kernels->name, in, out, BATCH);
    line("forward", run_forward, &b, flops);
    line("backward_weights", run_weights, &b, flops);
    line("backward_input", run_input, &b, flops);
    line("apply", run_apply, &b, 0);
    line("row_squares", run_squares, &b, 0);
    line("pack", run_pack, &b, 0);
    if (out <= 16) {
        line("loss_softmax", run_softmax, &b, 0);
        line("loss_mse", run_mse, &b, 0);
        line("loss_bce", run_bce, &b, 0);
    }
    buffers_release();
}

void bench(const struct rlm_kernels *kernels)
{
    puts("the last column is the multiply-add peak of one core in GFLOP/s");
    bench_shape(kernels, 784, 512);
    bench_shape(kernels, 512, 512);
    bench_shape(kernels, 512, 10);
}
