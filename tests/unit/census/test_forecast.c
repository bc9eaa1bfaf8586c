/* The forecast against cases whose answer is known, and the search for a safe learning rate against plain
 * training. */
#include "check.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "relume/census.h"
#include "relume/forecast.h"

static relume_engine *engine;

/* Networks that are drawn and counted: how close the counts come to the truth follows from their number. */
static size_t draws(size_t usual)
{
    return check_rounds(usual, usual / 4);
}

static int start(void **state)
{
    (void)state;
    relume_engine_options options;
    relume_engine_options_default(&options);
    options.threads = 1;
    return relume_engine_create(&options, &engine, NULL);
}

static int stop(void **state)
{
    (void)state;
    relume_engine_destroy(engine);
    return 0;
}

/* n samples with norm 2 and pairwise cosine ½: feature 0 is shared, feature i + 1 is sample i's own. */
static relume_dataset *half_correlated(size_t n)
{
    enum { MOST = 64 };
    static float x[MOST * (MOST + 1)];
    uint32_t labels[MOST];
    memset(x, 0, sizeof x);
    for (size_t i = 0; i < n; i++) {
        x[i * (n + 1)] = x[i * (n + 1) + i + 1] = 1.0f;
        labels[i] = (uint32_t)(i % 2);
    }
    relume_matrix matrix = {
        .samples = n, .features = n + 1, .element = RELUME_F32, .x = x, .labels = labels, .classes = 2};
    relume_dataset *dataset = NULL;
    relume_error error;
    assert_ok(relume_dataset_create(engine, "half correlated", &matrix, NULL, &dataset, &error), error);
    return dataset;
}

static relume_network_options network_of(const relume_dataset *dataset, const size_t *hidden, size_t layers)
{
    relume_network_options options;
    relume_network_options_default(&options);
    options.in_features = relume_dataset_get_features(dataset);
    options.out_features = relume_dataset_get_outputs(dataset);
    options.hidden = hidden;
    options.hidden_layers = layers;
    options.dataset = dataset;
    return options;
}

static void test_first_layer_matches_one_in_n_plus_one(void **state)
{
    (void)state;
    size_t networks = draws(40);
    for (size_t n = 1; n <= 31; n += 5) {
        relume_dataset *dataset = half_correlated(n);
        const size_t hidden[] = {512};
        relume_network_options network = network_of(dataset, hidden, 1);
        relume_forecast forecast;
        relume_error error;
        assert_ok(relume_forecast_count(engine, &network, networks, &forecast, &error), error);
        /* one sample: no pair, so its correlation with itself counts, and the formula gives ½ either way */
        double truth = 1.0 / ((double)n + 1.0);
        /* moments are summed in double from exact inputs: rounding only, as in test_closed_forms.c */
        assert_true(fabs(forecast.layer[0].expected - truth) <= 1e-11);
        /* 20,480 independent units: 5 deviations of a binomial share fail once in some 2 million runs, and
         * the seeds are fixed */
        double deviation = sqrt(truth * (1.0 - truth) / (512.0 * (double)networks));
        if (!(fabs(forecast.layer[0].measured - truth) <= 5.0 * deviation))
            fail_msg("n = %zu: measured %g, truth %g ± %g", n, forecast.layer[0].measured, truth, deviation);
        assert_true(forecast.layer[0].least <= forecast.layer[0].measured);
        assert_true(forecast.layer[0].most >= forecast.layer[0].measured);
        relume_forecast_deinit(&forecast);
        relume_dataset_destroy(dataset);
    }
}

/* E_g[Φ(γ g)ⁿ], integrated here: the midpoint rule over ±9 (beyond it lies less than 3e-19), which for an
 * integrand this smooth errs by rounding alone. */
static double cloud_form(double gamma, size_t n)
{
    enum { PARTS = 4000 };
    double sum = 0.0, step = 18.0 / PARTS;
    for (int i = 0; i < PARTS; i++) {
        double g = -9.0 + (i + 0.5) * step;
        sum += exp(-0.5 * g * g) * pow(0.5 * erfc(-gamma * g / sqrt(2.0)), (double)n);
    }
    return sum * step / sqrt(2.0 * acos(-1.0));
}

/* n samples at right angles to each other around a common mean of length γ: every pair has the correlation
 * γ² / (1 + γ²) exactly. */
static relume_dataset *cloud(double gamma, size_t n)
{
    enum { MOST = 64 };
    static float x[MOST * (MOST + 1)];
    uint32_t labels[MOST];
    memset(x, 0, sizeof x);
    for (size_t i = 0; i < n; i++) {
        x[i * (n + 1)] = (float)gamma;
        x[i * (n + 1) + i + 1] = 1.0f;
        labels[i] = (uint32_t)(i % 2);
    }
    relume_matrix matrix = {
        .samples = n, .features = n + 1, .element = RELUME_F32, .x = x, .labels = labels, .classes = 2};
    relume_dataset *dataset = NULL;
    relume_error error;
    assert_ok(relume_dataset_create(engine, "a cloud", &matrix, NULL, &dataset, &error), error);
    return dataset;
}

/* The general form at correlations other than ½: integrated independently, and by counting drawn networks.
 * The lengths γ are floats, so that the data hold them as they are. */
static void test_clouds_match_the_form_and_the_count(void **state)
{
    (void)state;
    size_t networks = draws(40);
    static const double lengths[] = {0.25, 0.5, 1.0, 2.0, 4.0, 16.0};
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++)
        for (size_t n = 2; n <= 40; n *= 4) {
            relume_dataset *dataset = cloud(lengths[k], n);
            const size_t hidden[] = {512};
            relume_network_options network = network_of(dataset, hidden, 1);
            relume_forecast forecast;
            relume_error error;
            assert_ok(relume_forecast_count(engine, &network, networks, &forecast, &error), error);
            double truth = cloud_form(lengths[k], n);
            assert_true(fabs(forecast.layer[0].expected - truth) <= 1e-10);
            assert_true(truth < 0.5);
            double deviation = sqrt(truth * (1.0 - truth) / (512.0 * (double)networks));
            if (!(fabs(forecast.layer[0].measured - truth) <= 5.0 * deviation))
                fail_msg("length %g, n = %zu: measured %g, truth %g ± %g", lengths[k], n,
                         forecast.layer[0].measured, truth, deviation);
            relume_forecast_deinit(&forecast);
            relume_dataset_destroy(dataset);
        }
}

/* Depth: behind one layer of He's weights the correlation is ρ'(ρ), exactly as the layer grows wide. So wide
 * first layers must give the second the share of the form, within five standard errors between networks. */
static void test_depth_matches_the_form_and_the_count(void **state)
{
    (void)state;
    static const double lengths[] = {0.5, 1.0, 2.0};
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        relume_dataset *dataset = cloud(lengths[k], 8);
        const size_t hidden[] = {1024, 256};
        relume_network_options network = network_of(dataset, hidden, 2);
        relume_forecast forecast;
        relume_error error;
        assert_ok(relume_forecast_count(engine, &network, draws(60), &forecast, &error), error);
        double rho = lengths[k] * lengths[k] / (1.0 + lengths[k] * lengths[k]);
        double after = (sqrt(1.0 - rho * rho) + rho * (acos(-1.0) - acos(rho))) / acos(-1.0);
        double truth = cloud_form(sqrt(after / (1.0 - after)), 8);
        const relume_forecast_layer *second = &forecast.layer[1];
        assert_true(fabs(second->expected - truth) <= 1e-10);
        assert_true(second->standard_error > 0.0);
        if (!(fabs(second->measured - truth) <= 5.0 * second->standard_error))
            fail_msg("length %g: measured %g ± %g, truth %g", lengths[k], second->measured,
                     second->standard_error, truth);
        relume_forecast_deinit(&forecast);
        relume_dataset_destroy(dataset);
    }
}

/* A whole network, at one point: 1 − (1 − 2⁻ᴺ)ᴴ, by counting too. */
static void test_narrow_networks_match_the_form_and_the_count(void **state)
{
    (void)state;
    static const size_t hidden[] = {2, 2, 2, 2, 2};
    size_t networks = draws(4000);
    float x[] = {0.3f, -1.0f, 2.0f};
    uint32_t labels[] = {0};
    relume_matrix matrix = {
        .samples = 1, .features = 3, .element = RELUME_F32, .x = x, .labels = labels, .classes = 2};
    for (size_t layers = 1; layers <= 5; layers += 2) {
        relume_dataset *dataset = NULL;
        relume_error error;
        assert_ok(relume_dataset_create(engine, "a point", &matrix, NULL, &dataset, &error), error);
        relume_network_options network = network_of(dataset, hidden, layers);
        relume_forecast forecast;
        assert_ok(relume_forecast_count(engine, &network, networks, &forecast, &error), error);
        double truth = 1.0 - pow(0.75, (double)layers);
        assert_true(fabs(forecast.network_dead - truth) <= 1e-15);
        double deviation = sqrt(truth * (1.0 - truth) / (double)networks);
        assert_true(fabs((double)forecast.networks_dead / (double)networks - truth) <= 5.0 * deviation);
        relume_forecast_deinit(&forecast);
        relume_dataset_destroy(dataset);
    }
}

/* The same counts as drawing each network and holding a census of it. */
static void test_measured_share_is_a_census(void **state)
{
    (void)state;
    relume_dataset *dataset = half_correlated(7);
    const size_t hidden[] = {33, 20, 9};
    relume_network_options options = network_of(dataset, hidden, 3);
    relume_forecast forecast;
    relume_error error;
    assert_ok(relume_forecast_count(engine, &options, 6, &forecast, &error), error);
    double share[3] = {0};
    for (options.seed = 0; options.seed < 6; options.seed++) {
        relume_network *network = NULL;
        relume_census *census = NULL;
        assert_ok(relume_network_create(engine, &options, &network, &error), error);
        assert_ok(relume_census_create(network, dataset, RELUME_SPLIT_TRAIN, NULL, &census, &error), error);
        assert_ok(relume_census_count(census, &error), error);
        for (size_t k = 0; k < 3; k++)
            share[k] += (double)relume_census_get_layer(census, k).dead / (double)hidden[k];
        relume_census_destroy(census);
        relume_network_destroy(network);
    }
    for (size_t k = 0; k < 3; k++)
        assert_true(forecast.layer[k].measured == share[k] / 6.0);
    relume_forecast_deinit(&forecast);
    relume_dataset_destroy(dataset);
}

static void test_blame(void **state)
{
    (void)state;
    /* a large common mean: features 0 … 7 are 1 for everyone, one more is the sample's own ±0.1 */
    enum { N = 200, F = 9 };
    static float x[N * F];
    static uint32_t labels[N];
    for (size_t i = 0; i < N; i++) {
        for (size_t f = 0; f < F - 1; f++)
            x[i * F + f] = 1.0f;
        x[i * F + F - 1] = i % 2 ? 0.1f : -0.1f;
        labels[i] = (uint32_t)(i % 2);
    }
    relume_matrix matrix = {
        .samples = N, .features = F, .element = RELUME_F32, .x = x, .labels = labels, .classes = 2};
    relume_dataset *dataset = NULL;
    relume_error error;
    assert_ok(relume_dataset_create(engine, "shifted", &matrix, NULL, &dataset, &error), error);
    const size_t hidden[] = {256, 256};
    relume_network_options options = network_of(dataset, hidden, 2);
    relume_forecast forecast;
    assert_ok(relume_forecast_count(engine, &options, 5, &forecast, &error), error);
    /* ‖mean‖ = √8, deviation 0.1 (exactly, but for float32 0.1) */
    assert_true(fabs(forecast.gamma - sqrt(8.0) / 0.1) < 1e-4);
    assert_int_equal(forecast.layer[0].blame, RELUME_BLAME_UNCENTRED);
    assert_int_equal(forecast.layer[1].blame, RELUME_BLAME_DEPTH);
    assert_true(forecast.layer[0].measured > 0.3);
    relume_forecast_deinit(&forecast);
    relume_dataset_destroy(dataset);
}

/* Units dead now and alive at the start, by a census after every step: whether this rate kills within
 * `steps`. */
static bool kills(const relume_network_options *options, relume_trainer_options trainer_options, double rate,
                  uint64_t steps)
{
    relume_error error;
    relume_network *network = NULL;
    relume_trainer *trainer = NULL;
    relume_census *census = NULL;
    trainer_options.learning_rate = rate;
    assert_ok(relume_network_create(engine, options, &network, &error), error);
    assert_ok(relume_trainer_create(network, options->dataset, &trainer_options, &trainer, &error), error);
    assert_ok(relume_census_create(network, options->dataset, RELUME_SPLIT_TRAIN, NULL, &census, &error),
              error);
    assert_ok(relume_census_count(census, &error), error);
    bool born_dead[64] = {false}, killed = false;
    size_t units = options->hidden[0];
    for (size_t n = 0; n < units; n++)
        born_dead[n] = relume_census_get_layer(census, 0).unit[n].active == 0;
    for (uint64_t step = 0; step < steps && !killed; step++) {
        relume_status status = relume_trainer_step(trainer, &error);
        if (status == RELUME_OK)
            status = relume_census_count(census, &error);
        killed = status == RELUME_DIVERGED;
        for (size_t n = 0; n < units && !killed; n++)
            killed = relume_census_get_layer(census, 0).unit[n].active == 0 && !born_dead[n];
    }
    relume_census_destroy(census);
    relume_trainer_destroy(trainer);
    relume_network_destroy(network);
    return killed;
}

static void test_safe_rate_is_the_border(void **state)
{
    (void)state;
    relume_dataset *dataset = NULL;
    relume_error error;
    assert_ok(relume_dataset_load(engine, "digits", NULL, &dataset, &error), error);
    const size_t hidden[] = {24};
    relume_network_options options = network_of(dataset, hidden, 1);
    relume_trainer_options trainer;
    relume_trainer_options_default(&trainer);
    trainer.optimizer = RELUME_SGD;
    relume_safe_rate rate;
    assert_ok(relume_forecast_rate(engine, &options, &trainer, 12, 0.01, 1000.0, &rate, &error), error);
    assert_true(rate.safe > 0.0);
    assert_true(rate.lethal > rate.safe);
    assert_true(rate.lethal <= rate.safe * 1.05);
    assert_false(kills(&options, trainer, rate.safe, 12));
    assert_true(kills(&options, trainer, rate.lethal, rate.step));
    assert_false(kills(&options, trainer, rate.lethal, rate.step - 1));
    relume_dataset_destroy(dataset);
}

static void test_bad_questions_are_refused(void **state)
{
    (void)state;
    relume_dataset *dataset = half_correlated(3);
    const size_t hidden[] = {4};
    relume_network_options options = network_of(dataset, hidden, 1);
    relume_trainer_options trainer;
    relume_trainer_options_default(&trainer);
    relume_forecast forecast;
    relume_safe_rate rate;
    assert_status(relume_forecast_count(engine, &options, 0, &forecast, NULL), RELUME_USAGE);
    assert_status(relume_forecast_rate(engine, &options, &trainer, 0, 0.1, 1.0, &rate, NULL), RELUME_USAGE);
    assert_status(relume_forecast_rate(engine, &options, &trainer, 1, 1.0, 0.1, &rate, NULL), RELUME_USAGE);
    assert_status(relume_forecast_rate(engine, &options, &trainer, 1, (double)NAN, 1.0, &rate, NULL),
                  RELUME_USAGE);
    options.dataset = NULL;
    assert_status(relume_forecast_count(engine, &options, 1, &forecast, NULL), RELUME_USAGE);
    relume_dataset_destroy(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_layer_matches_one_in_n_plus_one),
        cmocka_unit_test(test_clouds_match_the_form_and_the_count),
        cmocka_unit_test(test_depth_matches_the_form_and_the_count),
        cmocka_unit_test(test_narrow_networks_match_the_form_and_the_count),
        cmocka_unit_test(test_measured_share_is_a_census),
        cmocka_unit_test(test_blame),
        cmocka_unit_test(test_safe_rate_is_the_border),
        cmocka_unit_test(test_bad_questions_are_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
