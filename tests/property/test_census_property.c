/* The census against a brute force in long double that shares no code with it, over thousands of small random
 * networks.
 *
 * Half of the networks have small whole numbers for weights, biases and inputs: every sum is exact in
 * float32, so counts, margins and means must be equal, and many pre-activations are exactly 0. For the others
 * the bound of the float computation's error decides which gates are certain; where all of a unit's are, its
 * count must be equal, and it must lie between the bounds otherwise. */
#include "check.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "relume/relume.h"

#define NETS 10000
#define LAYERS_MAX 4
#define WIDTH_MAX 20
#define SAMPLES_MAX 70
#define SEED 20261124

/* ---- random small things ---- */

static uint64_t draws;

static uint64_t below(uint64_t bound)
{
    struct rlm_rng rng = {SEED, RLM_RNG_TEST, 0};
    return rlm_rng_below(&rng, draws++, bound);
}

static float value(int whole)
{
    struct rlm_rng rng = {SEED, RLM_RNG_TEST, 1};
    if (whole)
        return (float)below(5) - 2.0F;
    return below(8) == 0 ? 0.0F : (float)rlm_rng_normal(&rng, draws++);
}

struct sizes {
    size_t samples, layers,
        width[LAYERS_MAX + 1]; /* inputs, then units of each layer, the last one included */
};

static struct sizes draw_sizes(void)
{
    struct sizes sizes = {.samples = 1 + below(SAMPLES_MAX), .layers = 2 + below(LAYERS_MAX - 1)};
    for (size_t l = 0; l <= sizes.layers; l++)
        sizes.width[l] = 1 + below(WIDTH_MAX);
    return sizes;
}

static void fill(relume_network *network, int whole)
{
    for (size_t l = 0; l < relume_network_get_layers(network); l++) {
        relume_layer layer = relume_network_get_layer(network, l);
        float shift = whole ? 0.0F : (float)below(3) - 1.5F;
        for (size_t n = 0; n < layer.out_features; n++) {
            layer.bias[n] = value(whole) + shift;
            for (size_t k = 0; k < layer.in_features; k++)
                layer.weight[n * layer.weight_stride + k] = value(whole);
        }
    }
}

/* ---- the brute force ---- */

/* What one unit comes to, with what the float computation may differ by. */
struct truth {
    uint64_t surely, maybe; /* samples with p > error, with p > −error */
    long double margin, margin_error, sum, sum_error;
};

/* γ_n of Higham, Accuracy and Stability of Numerical Algorithms, section 3.1: n roundings to nearest change a
 * product of factors by at most this. */
static long double gamma_of(size_t n)
{
    long double nu = (long double)n * 0x1p-24L;
    return nu / (1 - nu);
}

struct number {
    long double value, error;
};

/* One unit on one sample. A chain of K fused multiply-adds and one addition rounds each term at most K + 1
 * times; an input that is off by e adds |w|·e; results below the normal range add at most half of the
 * smallest number each. */
static struct number unit_on(const relume_layer *layer, size_t n, const struct number *x, int whole)
{
    long double value_ = layer->bias[n], magnitude = fabsl((long double)layer->bias[n]), inherited = 0;
    for (size_t k = 0; k < layer->in_features; k++) {
        long double w = layer->weight[n * layer->weight_stride + k];
        value_ += w * x[k].value;
        magnitude += fabsl(w) * (fabsl(x[k].value) + x[k].error);
        inherited += fabsl(w) * x[k].error;
    }
    size_t roundings = layer->in_features + 1;
    long double error = inherited + gamma_of(roundings) * magnitude + (long double)roundings * 0x1p-150L;
    return (struct number){value_, whole ? 0 : error};
}

static void add_truth(struct truth *truth, struct number p)
{
    truth->surely += p.value > p.error;
    truth->maybe += p.value > -p.error;
    truth->margin = fmaxl(truth->margin, p.value);
    truth->margin_error = fmaxl(truth->margin_error, p.error);
    truth->sum += fmaxl(p.value, 0);
    truth->sum_error += p.error;
}

static void brute_force(const relume_network *network, const struct sizes *sizes, const float *x, int whole,
                        struct truth truth[LAYERS_MAX][WIDTH_MAX])
{
    for (size_t l = 0; l < LAYERS_MAX; l++)
        for (size_t u = 0; u < WIDTH_MAX; u++)
            truth[l][u] = (struct truth){.margin = -INFINITY};
    for (size_t s = 0; s < sizes->samples; s++) {
        struct number in[WIDTH_MAX] = {{0}}, out[WIDTH_MAX] = {{0}};
        for (size_t k = 0; k < sizes->width[0]; k++)
            in[k].value = x[s * sizes->width[0] + k];
        for (size_t l = 0; l + 1 < sizes->layers; l++) {
            relume_layer layer = relume_network_get_layer(network, l);
            for (size_t n = 0; n < layer.out_features; n++) {
                out[n] = unit_on(&layer, n, in, whole);
                add_truth(&truth[l][n], out[n]);
                out[n].value = fmaxl(out[n].value, 0);
            }
            memcpy(in, out, sizeof in);
        }
    }
}

/* ---- comparing ---- */

static struct {
    uint64_t units, certain, dead, zero_margins;
} seen;

static void compare_unit(const relume_unit_account *unit, const struct truth *truth, uint64_t samples,
                         int whole, size_t net)
{
    seen.units++;
    seen.certain += truth->surely == truth->maybe;
    seen.dead += unit->state == RELUME_DEAD;
    seen.zero_margins += unit->margin == 0;
    if (unit->active < truth->surely || unit->active > truth->maybe)
        fail_msg("seed %d, net %zu: %llu active, expected %llu to %llu", SEED, net,
                 (unsigned long long)unit->active, (unsigned long long)truth->surely,
                 (unsigned long long)truth->maybe);
    assert_true(fabsl((long double)unit->margin - truth->margin) <= truth->margin_error);
    /* no more than `samples` additions in the lanes, 15 to join them, one division, in double */
    long double rounding = (long double)(samples + 18) * 0x1p-53L * (truth->sum + truth->sum_error);
    long double mean_error = (truth->sum_error + rounding) / (long double)samples;
    assert_true(fabsl((long double)unit->mean_activation - truth->sum / (long double)samples) <=
                mean_error * (1 + 0x1p-40L));
    assert_true(unit->firing_rate == (double)unit->active / (double)samples);
    assert_int_equal(unit->state == RELUME_DEAD, unit->active == 0);
    assert_int_equal(unit->state == RELUME_ALWAYS_ON, unit->active == samples);
    if (whole) /* an exactly closed gate is closed */
        assert_int_equal(unit->margin > 0, unit->active > 0);
}

static void compare_layer(const relume_network *network, const relume_census *census, size_t l,
                          const struct truth *truth, int whole, size_t net)
{
    relume_layer_account account = relume_census_get_layer(census, l);
    relume_layer above = relume_network_get_layer(network, l + 1);
    uint64_t samples = relume_census_get_samples(census);
    size_t dead = 0, mute = 0, dormant[RELUME_TAUS] = {0};
    double mean = 0;
    for (size_t u = 0; u < account.units; u++)
        mean += account.unit[u].mean_activation;
    mean /= (double)account.units;
    for (size_t u = 0; u < account.units; u++) {
        compare_unit(&account.unit[u], &truth[u], samples, whole, net);
        dead += account.unit[u].active == 0;
        int silent = account.unit[u].active > 0;
        for (size_t n = 0; n < above.out_features; n++)
            silent = silent && above.weight[n * above.weight_stride + u] == 0;
        mute += (size_t)silent;
        double s = mean > 0 ? account.unit[u].mean_activation / mean : 0;
        for (size_t t = 0; t < RELUME_TAUS; t++)
            dormant[t] += s <= relume_census_get_tau(t);
    }
    assert_int_equal(account.dead, dead);
    assert_int_equal(account.mute, mute);
    for (size_t t = 0; t < RELUME_TAUS; t++)
        assert_int_equal(account.dormant[t], dormant[t]);
}

static void check_net(relume_engine *engine, size_t net)
{
    static float x[SAMPLES_MAX * WIDTH_MAX];
    static struct truth truth[LAYERS_MAX][WIDTH_MAX];
    int whole = net % 2 == 0;
    struct sizes sizes = draw_sizes();
    for (size_t i = 0; i < sizes.samples * sizes.width[0]; i++)
        x[i] = value(whole);
    relume_error error = {0};
    relume_matrix matrix = {
        .samples = sizes.samples, .features = sizes.width[0], .element = RELUME_F32, .x = x};
    relume_dataset_options data_options;
    relume_dataset_options_default(&data_options);
    data_options.need_targets = 0;
    relume_dataset *dataset;
    assert_ok(relume_dataset_create(engine, "random", &matrix, &data_options, &dataset, &error), error);
    relume_network_options options;
    relume_network_options_default(&options);
    options.in_features = sizes.width[0];
    options.hidden_layers = sizes.layers - 1;
    options.hidden = sizes.width + 1;
    options.out_features = sizes.width[sizes.layers];
    relume_network *network;
    assert_ok(relume_network_create(engine, &options, &network, &error), error);
    fill(network, whole);
    relume_census_options census_options;
    relume_census_options_default(&census_options);
    census_options.batch_size = below(SAMPLES_MAX);
    relume_census *census;
    assert_ok(relume_census_create(network, dataset, RELUME_SPLIT_TRAIN, &census_options, &census, &error),
              error);
    assert_ok(relume_census_count(census, &error), error);
    brute_force(network, &sizes, x, whole, truth);
    for (size_t l = 0; l + 1 < sizes.layers; l++)
        compare_layer(network, census, l, truth[l], whole, net);
    relume_census_destroy(census);
    relume_network_destroy(network);
    relume_dataset_destroy(dataset);
}

static void test_census_is_the_brute_force(void **state)
{
    (void)state;
    relume_error error = {0};
    relume_engine *engine;
    assert_ok(relume_engine_create(NULL, &engine, &error), error);
    for (size_t net = 0; net < NETS; net++)
        check_net(engine, net);
    relume_engine_destroy(engine);
    print_message("# seed %d: %llu units, %llu of them certain, %llu dead, %llu with a margin of exactly 0\n",
                  SEED, (unsigned long long)seen.units, (unsigned long long)seen.certain,
                  (unsigned long long)seen.dead, (unsigned long long)seen.zero_margins);
    /* the cases that the comparison is about did occur */
    assert_true(seen.certain > seen.units - seen.units / 100);
    assert_true(seen.dead > 1000 && seen.zero_margins > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_census_is_the_brute_force)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
