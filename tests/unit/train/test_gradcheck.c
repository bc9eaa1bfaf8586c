/* The gradient check: random networks of 1 to 4 hidden layers under every loss hold to 1e-7
 * (docs/gradcheck.md derives what to expect), kinks are named and left out, and the published check values of
 * Stanford's CS231n come out of the kernels that it trusts. */
#include "world.h"

#include <math.h>

#include "network/network.h"

#define TOLERANCE 1e-7

/* ---- random networks ---- */

static relume_gradcheck *check(relume_engine *engine, const size_t *widths, relume_loss loss, size_t batch,
                               uint64_t seed)
{
    size_t outputs = 0;
    for (size_t i = 0; widths[i] > 0; i++)
        outputs = widths[i];
    size_t classes =
        loss == RELUME_LOSS_SOFTMAX || seed % 2 ? outputs : 0; /* one-hot targets, or real ones */
    relume_dataset *dataset = world_dataset(engine, 40, widths[0], classes, classes ? 0 : outputs, seed);
    relume_network *network = world_network(engine, widths, loss, seed);
    for (size_t l = 0; l < network->layer_count; l++) /* biases of 0 would hide what they do */
        for (size_t n = 0; n < network->layers[l].out_features; n++)
            network->layers[l].bias[n] = (float)(0.1 * world_normal(seed, 9 + l, n));
    relume_gradcheck_options options;
    relume_gradcheck_options_default(&options);
    options.batch_size = batch;
    options.parameters = 0;
    relume_gradcheck *made = NULL;
    relume_error error = {0};
    assert_ok(relume_gradcheck_run(network, dataset, &options, &made, &error), error);
    relume_network_destroy(network); /* the results outlive both, but for the layers' names */
    relume_dataset_destroy(dataset);
    return made;
}

static void test_random_networks(void **state)
{
    (void)state;
    static const size_t widths[4][7] = {
        {9, 14, 4, 0}, {9, 12, 10, 4, 0}, {9, 11, 9, 8, 3, 0}, {7, 10, 9, 8, 7, 3, 0}};
    static const size_t batches[] = {1, 37};
    bool thorough = getenv("RELUME_LONG") != NULL;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    double worst = 0;
    size_t checked = 0, left_out = 0;
    for (uint64_t seed = 0; seed < (thorough ? 40 : check_rounds(4, 1)); seed++)
        for (size_t w = 0; w < 4; w++)
            for (int loss = 0; loss < RELUME_LOSS_COUNT; loss++)
                for (size_t b = 0; b < 2; b++) {
                    relume_gradcheck *made = check(engine, widths[w], (relume_loss)loss, batches[b], seed);
                    relume_gradcheck_summary summary = relume_gradcheck_get_summary(made);
                    if (!summary.holds || summary.worst > TOLERANCE)
                        fail_msg("seed %u, %zu hidden layers, %s, batch %zu: %g", (unsigned)seed, w + 1,
                                 relume_loss_name((relume_loss)loss), batches[b], summary.worst);
                    assert_int_equal(summary.batch, batches[b]);
                    assert_int_equal(summary.checked + summary.left_out, summary.parameters);
                    worst = fmax(worst, summary.worst);
                    checked += summary.checked;
                    left_out += summary.left_out;
                    relume_gradcheck_destroy(made);
                }
    print_message("# worst relative error %.2e of %zu parameters, %zu left out\n", worst, checked, left_out);
    assert_true(left_out * 10 < checked); /* the verdict speaks of nearly all */
    relume_engine_destroy(engine);
}

/* ---- a kink ---- */

/* One unit whose pre-activation is exactly 0 for the only sample: its gate opens at w + h. */
static void test_a_flipping_gate_is_named(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    const float x[2] = {1, 1};
    const uint32_t label = 1;
    relume_matrix matrix = {
        .samples = 1, .features = 2, .element = RELUME_F32, .x = x, .labels = &label, .classes = 2};
    relume_dataset *dataset = NULL;
    relume_error error = {0};
    assert_ok(relume_dataset_create(engine, "two ones", &matrix, NULL, &dataset, &error), error);
    relume_network *network = world_network(engine, (const size_t[]){2, 3, 2, 0}, RELUME_LOSS_SOFTMAX, 1);
    relume_layer h1 = relume_network_get_layer(network, 0);
    const float rows[3][2] = {{1, 0.5F}, {0.5F, -0.5F}, {-1, -1}}; /* alive, on the edge, dead */
    for (size_t n = 0; n < 3; n++)
        memcpy(h1.weight + n * h1.weight_stride, rows[n], sizeof rows[n]);
    relume_gradcheck *made = NULL;
    assert_ok(relume_gradcheck_run(network, dataset, NULL, &made, &error), error);
    relume_gradcheck_summary summary = relume_gradcheck_get_summary(made);
    assert_true(summary.holds);
    assert_int_equal(summary.left_out, 3); /* two weights and the bias of h1.1 */
    assert_int_equal(relume_gradcheck_get_flips(made), 1);
    relume_gradcheck_flip flip = relume_gradcheck_get_flip(made, 0);
    assert_string_equal(flip.layer, "h1");
    assert_int_equal(flip.unit, 1);
    assert_int_equal(flip.parameters, 3);
    relume_gradcheck_tensor weight = relume_gradcheck_get_tensor(made, 0);
    assert_int_equal(weight.checked, 4);
    assert_int_equal(weight.left_out, 2);
    relume_gradcheck_destroy(made);
    relume_network_destroy(network);
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
}

/* ---- what is refused, and a verdict that does not hold ---- */

static void test_verdict_and_refusals(void **state)
{
    (void)state;
    struct world_memory memory = {0};
    relume_engine *engine = world_engine(NULL, 1, &memory);
    relume_dataset *dataset = world_dataset(engine, 12, 5, 3, 0, 2);
    relume_network *network = world_network(engine, (const size_t[]){5, 6, 3, 0}, RELUME_LOSS_SOFTMAX, 2);
    relume_gradcheck_options options;
    relume_gradcheck_options_default(&options);
    relume_gradcheck *made = NULL;
    relume_error error = {0};
    options.tolerance = 0; /* no two computations agree to the last bit */
    options.parameters = 10;
    assert_ok(relume_gradcheck_run(network, dataset, &options, &made, &error), error);
    assert_false(relume_gradcheck_get_summary(made).holds);
    assert_int_equal(relume_gradcheck_get_summary(made).batch, 12); /* not more than there are */
    relume_gradcheck_tensor tensor = relume_gradcheck_get_tensor(made, 0);
    assert_int_equal(tensor.checked + tensor.left_out, 10);
    relume_gradcheck_destroy(made);
    made = NULL;
    options.batch_size = 0;
    assert_status(relume_gradcheck_run(network, dataset, &options, &made, &error), RELUME_USAGE);
    options.batch_size = 37;
    options.split = RELUME_SPLIT_TEST;
    assert_status(relume_gradcheck_run(network, dataset, &options, &made, &error), RELUME_NOT_FOUND);
    options.split = RELUME_SPLIT_TRAIN;
    network->layers[0].weight[0] = (float)INFINITY;
    assert_status(relume_gradcheck_run(network, dataset, &options, &made, &error), RELUME_DIVERGED);
    network->layers[0].weight[0] = 0;
    bool done = false;
    for (size_t call = 1; !done; call++) { /* every allocation fails in turn, and all after it */
        memory.refuse_from = memory.calls + call;
        size_t held = memory.held;
        relume_status status = relume_gradcheck_run(network, dataset, &options, &made, &error);
        done = status == RELUME_OK;
        if (done)
            break;
        assert_int_equal(status, RELUME_NO_MEMORY);
        assert_int_equal(memory.held, held);
        assert_null(made);
    }
    memory.refuse_from = 0;
    relume_gradcheck_destroy(made);
    relume_network_destroy(network);
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
    assert_int_equal(memory.held, 0);
}

/* ---- CS231n: affine_forward and relu_forward of assignment 1 (two_layer_net.ipynb), Stanford ---- */

/* numpy.linspace(from, to, count)[i] */
static double linspace(double from, double to, size_t count, size_t i)
{
    return from + (to - from) * (double)i / (double)(count - 1);
}

enum { INPUTS = 120, STRIDE = 128 }; /* input_shape (4, 5, 6) */

static _Alignas(64) double x[INPUTS * RLM_LANES], weight[3 * STRIDE], z[12 * RLM_LANES], bias[RLM_LANES];

/* Published with 9 significant digits of values above 1: half a unit of the last is 5e-9. */
static void test_cs231n_affine(void **state)
{
    (void)state;
    static const double expected[2][3] = {{1.49834967, 1.70660132, 1.91485297},
                                          {3.25553199, 3.5141327, 3.77273342}};
    memset(x, 0, sizeof x);
    memset(weight, 0, sizeof weight);
    for (size_t b = 0; b < 2; b++)
        for (size_t k = 0; k < INPUTS; k++)
            x[k * RLM_LANES + b] = linspace(-0.1, 0.5, (size_t)2 * INPUTS, b * INPUTS + k);
    for (size_t k = 0; k < INPUTS; k++) /* theirs is [inputs, outputs]; ours has a row a unit */
        for (size_t n = 0; n < 3; n++)
            weight[n * STRIDE + k] = linspace(-0.2, 0.3, (size_t)3 * INPUTS, k * 3 + n);
    for (size_t n = 0; n < 3; n++)
        bias[n] = linspace(-0.3, 0.1, 3, n);
    struct rlm_forward_f64 arguments = {.batch = 2,
                                        .in_features = INPUTS,
                                        .out_features = 3,
                                        .x = x,
                                        .weight = weight,
                                        .stride = STRIDE,
                                        .bias = bias,
                                        .z = z};
    assert_true(rlm_kernels_ref_f64.forward(&arguments, 0, 3));
    for (size_t b = 0; b < 2; b++)
        for (size_t n = 0; n < 3; n++)
            assert_true(fabs(z[n * RLM_LANES + b] - expected[b][n]) <= 5e-9);
}

/* linspace(-0.5, 0.5, 12) as 3 samples of 4, through the identity: relu alone. Published to 8 places. */
static void test_cs231n_relu(void **state)
{
    (void)state;
    static const double expected[3][4] = {
        {0, 0, 0, 0}, {0, 0, 0.04545455, 0.13636364}, {0.22727273, 0.31818182, 0.40909091, 0.5}};
    static _Alignas(64) double identity[4 * RLM_LANES];
    uint16_t gates[4];
    memset(x, 0, sizeof x);
    memset(bias, 0, sizeof bias);
    for (size_t k = 0; k < 4; k++) {
        identity[k * RLM_LANES + k] = 1;
        for (size_t b = 0; b < 3; b++)
            x[k * RLM_LANES + b] = linspace(-0.5, 0.5, 12, b * 4 + k);
    }
    struct rlm_forward_f64 arguments = {.batch = 3,
                                        .in_features = 4,
                                        .out_features = 4,
                                        .x = x,
                                        .weight = identity,
                                        .stride = RLM_LANES,
                                        .bias = bias,
                                        .z = z,
                                        .relu = true,
                                        .gates = gates};
    assert_true(rlm_kernels_ref_f64.forward(&arguments, 0, 4));
    for (size_t b = 0; b < 3; b++)
        for (size_t n = 0; n < 4; n++) {
            assert_true(fabs(z[n * RLM_LANES + b] - expected[b][n]) <= 5e-9);
            assert_int_equal(gates[n] >> b & 1, expected[b][n] > 0);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_networks),      cmocka_unit_test(test_a_flipping_gate_is_named),
        cmocka_unit_test(test_verdict_and_refusals), cmocka_unit_test(test_cs231n_affine),
        cmocka_unit_test(test_cs231n_relu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
