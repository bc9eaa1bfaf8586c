/* Networks: what create draws and refuses, what the getters tell. */
#include "world.h"

#include <math.h>

#include "base/bits.h"
#include "network/network.h"

static relume_network *drawn(relume_engine *engine, relume_init init, size_t in, size_t out, uint64_t seed)
{
    relume_network_options options;
    relume_error error = {0};
    relume_network *network = NULL;
    relume_network_options_default(&options);
    options.in_features = in;
    options.out_features = out;
    options.init = init;
    options.seed = seed;
    assert_ok(relume_network_create(engine, &options, &network, &error), error);
    return network;
}

/* ---- drawing ---- */

/* Means and variances of 60,000 draws. Bounds are five standard errors (one run in some 10⁶ would fail by
 * chance, and the seed is fixed): the mean of n draws has deviation σ/√n; their mean square has
 * √((κ−1)/n)·σ², κ = 3 for the normal and 9/5 for the uniform. */
static void check_moments(const relume_layer *layer, double variance, double limit)
{
    double sum = 0, squares = 0, count = (double)(layer->in_features * layer->out_features);
    for (size_t n = 0; n < layer->out_features; n++)
        for (size_t k = 0; k < layer->in_features; k++) {
            double w = (double)layer->weight[n * layer->weight_stride + k];
            sum += w;
            squares += w * w;
            assert_true(limit == 0 || fabs(w) <= limit * (1 + 0x1p-24)); /* one rounding to float */
        }
    double kurtosis = limit > 0 ? 1.8 : 3.0;
    assert_true(fabs(sum / count) < 5 * sqrt(variance / count));
    assert_true(fabs(squares / count - variance) < 5 * variance * sqrt((kurtosis - 1) / count));
}

static void test_moments_of_every_init(void **state)
{
    (void)state;
    const double n = 300, m = 200;
    const struct {
        relume_init init;
        double variance;
        bool uniform;
    } cases[] = {
        {RELUME_INIT_HE_NORMAL, 2 / n, false},           {RELUME_INIT_HE_UNIFORM, 2 / n, true},
        {RELUME_INIT_XAVIER_NORMAL, 2 / (n + m), false}, {RELUME_INIT_XAVIER_UNIFORM, 2 / (n + m), true},
        {RELUME_INIT_LECUN_NORMAL, 1 / n, false},        {RELUME_INIT_PYTORCH, 1 / (3 * n), true},
    };
    relume_engine *engine = world_engine(NULL, 2, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        relume_network *network = drawn(engine, cases[i].init, 300, 200, 1);
        relume_layer layer = relume_network_get_layer(network, 0);
        double limit = cases[i].uniform ? sqrt(3 * cases[i].variance) : 0; /* of U(±a): variance a²/3 */
        check_moments(&layer, cases[i].variance, limit);
        for (size_t u = 0; u < 200; u++)
            if (cases[i].init == RELUME_INIT_PYTORCH)
                assert_true(fabsf(layer.bias[u]) <= 0.05774f && layer.bias[u] != 0); /* 1/√300 = 0.057735 */
            else
                assert_true(layer.bias[u] == 0);
        relume_network_destroy(network);
    }
    relume_engine_destroy(engine);
}

/* wᵀw = 2·1 over the shorter side. Each entry of w is rounded to float once, so a product of two rows is off
 * by at most 2·2⁻²⁴·√2·√2·√n/√n … < 4·2⁻²⁴ by Cauchy–Schwarz; 1e-6 is four times that. */
static void check_orthogonal(size_t in, size_t out)
{
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_network *network = drawn(engine, RELUME_INIT_ORTHOGONAL, in, out, 3);
    relume_layer layer = relume_network_get_layer(network, 0);
    bool tall = out > in;
    size_t vectors = tall ? in : out, length = tall ? out : in;
    for (size_t a = 0; a < vectors; a++)
        for (size_t b = 0; b <= a; b++) {
            double product = 0;
            for (size_t i = 0; i < length; i++) {
                size_t at_a = tall ? i * layer.weight_stride + a : a * layer.weight_stride + i;
                size_t at_b = tall ? i * layer.weight_stride + b : b * layer.weight_stride + i;
                product += (double)layer.weight[at_a] * (double)layer.weight[at_b];
            }
            assert_true(fabs(product - (a == b ? 2 : 0)) < 1e-6);
        }
    relume_network_destroy(network);
    relume_engine_destroy(engine);
}

static void test_orthogonal_rows_or_columns(void **state)
{
    (void)state;
    check_orthogonal(40, 17);
    check_orthogonal(17, 40);
    check_orthogonal(23, 23);
    check_orthogonal(1, 1);
}

/* The first draws of the second layer of {5, 3, 2}, seed 42, in hexadecimal bits. tests/python/test_init.py
 * computes the same from NumPy's Philox; these keep them from changing unseen. */
static void test_vectors(void **state)
{
    (void)state;
    const struct {
        relume_init init;
        uint32_t bits[3];
    } cases[] = {
        {RELUME_INIT_HE_NORMAL, {0xbea80109, 0xbf8e16f2, 0x3eef15a4}},
        {RELUME_INIT_HE_UNIFORM, {0x3e84793f, 0x3f59d586, 0xbf0808ce}},
        {RELUME_INIT_XAVIER_NORMAL, {0xbe8222a8, 0xbf5c1fd2, 0x3eb931af}},
        {RELUME_INIT_XAVIER_UNIFORM, {0x3e4d3a2d, 0x3f28bbca, 0xbed2be5c}},
        {RELUME_INIT_LECUN_NORMAL, {0xbe6d97f7, 0xbf48f1f1, 0x3ea90eec}},
        {RELUME_INIT_PYTORCH, {0x3dd8541a, 0x3eb1dc5c, 0xbe5e24ac}},
        {RELUME_INIT_ORTHOGONAL, {0xbebe5986, 0xbfa0fd0d, 0x3f077132}},
    };
    relume_engine *engine = world_engine(NULL, 1, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        relume_network_options options;
        relume_error error = {0};
        relume_network *network = NULL;
        relume_network_options_default(&options);
        options.in_features = 5;
        options.hidden_layers = 1;
        options.hidden = (const size_t[]){3};
        options.out_features = 2;
        options.init = cases[i].init;
        options.seed = 42;
        assert_ok(relume_network_create(engine, &options, &network, &error), error);
        relume_layer layer = relume_network_get_layer(network, 1);
        for (int k = 0; k < 3; k++)
            assert_int_equal(rlm_float_bits(layer.weight[k]), cases[i].bits[k]);
        relume_network_destroy(network);
    }
    relume_engine_destroy(engine);
}

static void test_threads_and_levels_do_not_matter(void **state)
{
    (void)state;
    relume_engine *one = world_engine("ref", 1, NULL), *many = world_engine(NULL, 5, NULL);
    for (int init = 0; init < RELUME_INIT_COUNT; init++) {
        relume_network *a = drawn(one, (relume_init)init, 200, 150, 9),
                       *b = drawn(many, (relume_init)init, 200, 150, 9);
        relume_network *other = drawn(one, (relume_init)init, 200, 150, 10);
        assert_true(world_networks_equal(a, b));
        assert_false(world_networks_equal(a, other));
        relume_network_destroy(a);
        relume_network_destroy(b);
        relume_network_destroy(other);
    }
    relume_engine_destroy(one);
    relume_engine_destroy(many);
}

/* ---- asking ---- */

static void test_layers_and_names(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_network *network = world_network(engine, (const size_t[]){7, 20, 30, 4, 0}, RELUME_LOSS_MSE, 0);
    assert_int_equal(relume_network_get_layers(network), 3);
    assert_int_equal(relume_network_get_in_features(network), 7);
    assert_int_equal(relume_network_get_out_features(network), 4);
    assert_int_equal(relume_network_get_parameters(network), 20 * 8 + 30 * 21 + 4 * 31);
    assert_int_equal(relume_network_get_loss(network), RELUME_LOSS_MSE);
    assert_null(relume_network_get_class_name(network, 0));
    relume_layer h2 = relume_network_get_layer(network, 1), out = relume_network_get_layer(network, 2);
    assert_string_equal(h2.name, "h2");
    assert_string_equal(h2.foreign_name, "h2");
    assert_int_equal(h2.relu, 1);
    assert_int_equal(h2.in_features, 20);
    assert_int_equal(h2.out_features, 30);
    assert_int_equal((uintptr_t)h2.weight % 64, 0);
    assert_string_equal(out.name, "out");
    assert_int_equal(out.relu, 0);
    assert_null(relume_network_get_layer(network, 3).name);
    relume_network_destroy(network);
    relume_engine_destroy(engine);
}

static void test_stride_is_an_odd_number_of_lines(void **state)
{
    (void)state;
    assert_int_equal(rlm_network_stride(1), 16);
    assert_int_equal(rlm_network_stride(16), 16);
    assert_int_equal(rlm_network_stride(17), 48);
    assert_int_equal(rlm_network_stride(512), 528);
    assert_int_equal(rlm_network_stride(784), 784);
    assert_int_equal(rlm_network_stride(SIZE_MAX), 0);
    for (size_t k = 1; k < 3000; k++) {
        size_t stride = rlm_network_stride(k);
        assert_true(stride >= k && stride < k + 32 && stride % 32 == 16);
    }
}

static void test_option_names(void **state)
{
    (void)state;
    assert_string_equal(relume_init_name(RELUME_INIT_HE_NORMAL), "he-normal");
    assert_string_equal(relume_loss_name(RELUME_LOSS_BCE), "bce");
    assert_null(relume_init_name(RELUME_INIT_COUNT));
    assert_null(relume_loss_name((relume_loss)-1));
    for (int i = 0; i < RELUME_INIT_COUNT; i++)
        assert_int_equal(rlm_init_find(relume_init_name((relume_init)i)), i);
    assert_int_equal(rlm_init_find("he"), RELUME_INIT_COUNT);
    assert_int_equal(rlm_loss_find("mse"), RELUME_LOSS_MSE);
}

/* ---- refusing ---- */

static void test_bad_options(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_network *network = NULL;
    relume_error error = {0};
    relume_network_options good, options;
    relume_network_options_default(&good);
    good.in_features = 4;
    good.out_features = 2;
    good.hidden_layers = 1;
    good.hidden = (const size_t[]){3};

    options = good;
    options.in_features = 0;
    assert_status(relume_network_create(engine, &options, &network, &error), RELUME_USAGE);
    assert_non_null(strstr(error.message, "inputs"));
    options = good;
    options.hidden = (const size_t[]){0};
    assert_status(relume_network_create(engine, &options, &network, &error), RELUME_USAGE);
    assert_non_null(strstr(error.message, "hidden"));
    options = good;
    options.hidden = NULL;
    assert_status(relume_network_create(engine, &options, &network, NULL), RELUME_USAGE);
    options = good;
    options.init = RELUME_INIT_COUNT;
    assert_status(relume_network_create(engine, &options, &network, &error), RELUME_USAGE);
    options = good;
    options.loss = (relume_loss)99;
    assert_status(relume_network_create(engine, &options, &network, &error), RELUME_USAGE);
    assert_null(network);
    relume_engine_destroy(engine);
}

static void test_sizes_that_overflow_are_no_memory(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_network *network = NULL;
    relume_error error = {0};
    relume_network_options options;
    relume_network_options_default(&options);
    const size_t widths[][2] = {
        {SIZE_MAX, 1}, {1, SIZE_MAX}, {SIZE_MAX / 2, 3}, {(size_t)1 << 40, (size_t)1 << 40}};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        options.in_features = widths[i][0];
        options.out_features = widths[i][1];
        assert_status(relume_network_create(engine, &options, &network, &error), RELUME_NO_MEMORY);
    }
    assert_null(network);
    relume_engine_destroy(engine);
}

static void test_every_failed_allocation(void **state)
{
    (void)state;
    struct world_memory memory = {0};
    relume_engine *engine = world_engine(NULL, 1, &memory);
    relume_dataset *dataset = world_dataset(engine, 4, 5, 3, 0, 1);
    relume_network_options options;
    relume_network_options_default(&options);
    options.in_features = 5;
    options.hidden_layers = 2;
    options.hidden = (const size_t[]){4, 6};
    options.out_features = 3;
    options.init = RELUME_INIT_ORTHOGONAL; /* has scratch of its own */
    options.dataset = dataset;
    for (int once = 0; once < 2; once++) {
        relume_status status = RELUME_NO_MEMORY;
        memory.refuse_once = once;
        for (size_t call = 1; status != RELUME_OK; call++) {
            size_t held = memory.held;
            relume_network *network = NULL;
            memory.calls = 0;
            memory.refuse_from = call;
            status = relume_network_create(engine, &options, &network, NULL);
            memory.refuse_from = 0;
            assert_true(status == RELUME_OK || (status == RELUME_NO_MEMORY && network == NULL));
            relume_network_destroy(network);
            assert_int_equal(memory.held, held);
            assert_true(call < 100);
        }
    }
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
}

static void test_dataset_of_other_width(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_dataset *dataset = world_dataset(engine, 4, 5, 3, 0, 1);
    relume_network_options options;
    relume_network *network = NULL;
    relume_error error = {0};
    relume_network_options_default(&options);
    options.in_features = 6;
    options.out_features = 3;
    options.dataset = dataset;
    assert_status(relume_network_create(engine, &options, &network, &error), RELUME_MISMATCH);
    assert_non_null(strstr(error.message, "5 features"));
    options.in_features = 5;
    assert_ok(relume_network_create(engine, &options, &network, &error), error);
    assert_non_null(relume_network_get_class_name(network, 2));
    assert_null(relume_network_get_class_name(network, 3));
    relume_network_destroy(network);
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moments_of_every_init),
        cmocka_unit_test(test_orthogonal_rows_or_columns),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_threads_and_levels_do_not_matter),
        cmocka_unit_test(test_layers_and_names),
        cmocka_unit_test(test_stride_is_an_odd_number_of_lines),
        cmocka_unit_test(test_option_names),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_sizes_that_overflow_are_no_memory),
        cmocka_unit_test(test_every_failed_allocation),
        cmocka_unit_test(test_dataset_of_other_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
