/* Saved networks: the same bytes after a round trip, PyTorch-style files, and files that must be refused. */
#include "folder.h"

#include <math.h>

#include "network/network_io.h"

/* ---- round trip ---- */

static void assert_same_file(const char *a, const char *b)
{
    size_t size_a, size_b;
    unsigned char *bytes_a = world_file(in_folder(a), &size_a), *bytes_b = world_file(in_folder(b), &size_b);
    assert_int_equal(size_a, size_b);
    assert_memory_equal(bytes_a, bytes_b, size_a);
    free(bytes_a);
    free(bytes_b);
}

static void round_trip(relume_network *network)
{
    relume_network *loaded = NULL;
    relume_error error = {0};
    assert_ok(relume_network_save(network, in_folder("a.safetensors"), &error), error);
    assert_ok(relume_network_load(network->engine, in_folder("a.safetensors"), &loaded, &error), error);
    assert_true(world_networks_equal(network, loaded));
    assert_int_equal(loaded->loss, network->loss);
    assert_int_equal(loaded->init, network->init);
    assert_int_equal(loaded->scaling.uniform, network->scaling.uniform);
    size_t entries = network->scaling.uniform ? 1 : network->layers[0].in_features;
    assert_memory_equal(loaded->scaling.offset, network->scaling.offset, entries * sizeof(float));
    assert_memory_equal(loaded->scaling.divisor, network->scaling.divisor, entries * sizeof(float));
    assert_int_equal(loaded->image_rows, network->image_rows);
    assert_int_equal(loaded->class_count, network->class_count);
    for (size_t i = 0; i < network->class_count; i++)
        assert_string_equal(loaded->class_names[i], network->class_names[i]);
    assert_ok(relume_network_save(loaded, in_folder("b.safetensors"), &error), error);
    assert_same_file("a.safetensors", "b.safetensors");
    relume_network_destroy(loaded);
}

static void test_round_trip(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_network *network = world_network(engine, (const size_t[]){12, 20, 17, 3, 0}, RELUME_LOSS_BCE, 1);
    relume_error error = {0};
    round_trip(network);

    const float offset = 0.1f, divisor = 254.99999f; /* need all nine digits */
    const char *const names[] = {"T-shirt/top", "a \"quoted\"\n name", "\xc3\xa9t\xc3\xa9"};
    assert_ok(rlm_network_set_scaling(network, &(relume_scaling){1, &offset, &divisor}, &error), error);
    assert_ok(rlm_network_set_class_names(network, names, 3, &error), error);
    network->image_rows = 3;
    network->image_columns = 4;
    network->init = RELUME_INIT_ORTHOGONAL;
    round_trip(network);

    float offsets[12], divisors[12];
    for (int i = 0; i < 12; i++) {
        offsets[i] = (float)i / 3;
        divisors[i] = 1e-30f * (float)(i + 1);
    }
    assert_ok(rlm_network_set_scaling(network, &(relume_scaling){0, offsets, divisors}, &error), error);
    round_trip(network);
    relume_network_destroy(network);
    relume_engine_destroy(engine);
}

static void test_extra_tensors_are_kept_and_passed_over(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_network *network = world_network(engine, (const size_t[]){4, 5, 3, 0}, RELUME_LOSS_SOFTMAX, 1),
                   *loaded = NULL;
    relume_error error = {0};
    float velocity[3] = {1, 2, 3};
    struct rlm_safetensors_item item = {"out.bias.velocity", RLM_F32, 1, {3}, velocity, 0};
    struct rlm_safetensors_pair pair = {"step", "17"};
    struct rlm_network_extra extra = {&item, 1, &pair, 1};
    assert_ok(rlm_network_save_with(network, in_folder("c.safetensors"), &extra, &error), error);
    assert_ok(relume_network_load(engine, in_folder("c.safetensors"), &loaded, &error), error);
    assert_true(world_networks_equal(network, loaded));
    struct rlm_safetensors *file = NULL;
    assert_ok(rlm_safetensors_open(NULL, in_folder("c.safetensors"), &file, &error), error);
    assert_string_equal(rlm_safetensors_metadata(file, "step"), "17");
    assert_string_equal(rlm_safetensors_metadata(file, "architecture"), "[4, 5, 3]");
    assert_non_null(rlm_safetensors_find(file, "out.bias.velocity"));
    rlm_safetensors_close(file);
    relume_network_destroy(loaded);
    relume_network_destroy(network);
    relume_engine_destroy(engine);
}

static void test_weights_that_are_not_finite_are_not_saved(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_network *network = world_network(engine, (const size_t[]){4, 5, 3, 0}, RELUME_LOSS_SOFTMAX, 1);
    relume_error error = {0};
    relume_layer out = relume_network_get_layer(network, 1);
    out.weight[2 * out.weight_stride + 1] = NAN;
    assert_status(relume_network_save(network, in_folder("n.safetensors"), &error), RELUME_DIVERGED);
    assert_non_null(strstr(error.message, "out.weight"));
    assert_non_null(strstr(error.message, "row 2, column 1"));
    assert_int_not_equal(access(in_folder("n.safetensors"), F_OK), 0);
    relume_network_destroy(network);
    relume_engine_destroy(engine);
}

/* ---- files made by others ---- */

static float values[4096]; /* counts up: value i is i / 64 */

static struct rlm_safetensors_item matrix(const char *name, size_t rows, size_t columns)
{
    struct rlm_safetensors_item item = {name, RLM_F32, 2, {rows, columns}, values, 0};
    return item;
}

static struct rlm_safetensors_item vector(const char *name, size_t size)
{
    struct rlm_safetensors_item item = {name, RLM_F32, 1, {size}, values + 1, 0};
    return item;
}

static const char *write_items(const struct rlm_safetensors_item *items, size_t count,
                               const struct rlm_safetensors_pair *pairs, size_t pair_count)
{
    relume_error error = {0};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        values[i] = (float)i / 64;
    assert_ok(rlm_safetensors_write(NULL, in_folder("foreign.safetensors"), items, count, pairs, pair_count,
                                    &error),
              error);
    return in_folder("foreign.safetensors");
}

/* Loads, and compares the layers' foreign names in order, parted by blanks. */
static void assert_layers(const struct rlm_safetensors_item *items, size_t count, const char *names)
{
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_network *network = NULL;
    relume_error error = {0};
    char found[256] = "";
    assert_ok(relume_network_load(engine, write_items(items, count, NULL, 0), &network, &error), error);
    for (size_t l = 0; l < relume_network_get_layers(network); l++) {
        relume_layer layer = relume_network_get_layer(network, l);
        (void)snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s", l == 0 ? "" : " ",
                       layer.foreign_name);
        assert_true(layer.weight[layer.in_features - 1] == (float)(layer.in_features - 1) / 64);
        assert_true(layer.weight[layer.weight_stride] == (float)layer.in_features / 64);
    }
    assert_string_equal(found, names);
    assert_string_equal(relume_network_get_layer(network, 0).name, "h1");
    round_trip(network);
    relume_network_destroy(network);
    relume_engine_destroy(engine);
}

static void test_sequential_with_numbers(void **state)
{
    (void)state;
    /* as torch.save's order of a Sequential may come: by bytes of the name, 10 before 2 */
    const struct rlm_safetensors_item items[] = {
        vector("net.0.bias", 8),       matrix("net.0.weight", 8, 8), vector("net.10.bias", 8),
        matrix("net.10.weight", 8, 8), vector("net.2.bias", 8),      matrix("net.2.weight", 8, 8),
    };
    assert_layers(items, 6, "net.0 net.2 net.10");
}

static void test_names_without_numbers_go_by_shapes(void **state)
{
    (void)state;
    const struct rlm_safetensors_item items[] = {
        vector("head.bias", 3),      matrix("head.weight", 3, 5),  vector("stem.bias", 7),
        matrix("stem.weight", 7, 4), matrix("trunk.weight", 5, 7), /* no bias: zero */
    };
    assert_layers(items, 5, "stem trunk head");
}

static void test_bias_is_read_and_may_be_missing(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_network *network = NULL;
    relume_error error = {0};
    const struct rlm_safetensors_item items[] = {matrix("fc1.weight", 2, 3), vector("fc1.bias", 2),
                                                 matrix("fc2.weight", 2, 2)};
    assert_ok(relume_network_load(engine, write_items(items, 3, NULL, 0), &network, &error), error);
    assert_true(relume_network_get_layer(network, 0).bias[1] == 2.0f / 64);
    assert_true(relume_network_get_layer(network, 1).bias[1] == 0);
    relume_network_destroy(network);
    relume_engine_destroy(engine);
}

static void assert_refused_with(const struct rlm_safetensors_item *items, size_t count,
                                const struct rlm_safetensors_pair *pairs, size_t pair_count,
                                const char *message)
{
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_network *network = NULL;
    relume_error error = {0};
    const char *path = write_items(items, count, pairs, pair_count);
    assert_status(relume_network_load(engine, path, &network, &error), RELUME_BAD_DATA);
    if (!strstr(error.message, message))
        fail_msg("\"%s\" is not in \"%s\"", message, error.message);
    assert_non_null(strstr(error.message, "foreign.safetensors"));
    assert_null(network);
    relume_engine_destroy(engine);
}

#define assert_refused(items, message)                                                                       \
    assert_refused_with(items, sizeof(items) / sizeof *(items), NULL, 0, message)

static void test_foreign_files_that_are_no_network(void **state)
{
    (void)state;
    const struct rlm_safetensors_item gap[] = {matrix("fc1.weight", 8, 4), matrix("fc2.weight", 3, 7)};
    assert_refused(gap, "\"fc1\" gives 8 features, \"fc2\" takes 7");
    const struct rlm_safetensors_item fork[] = {matrix("a.weight", 4, 4), matrix("b.weight", 3, 4),
                                                matrix("c.weight", 2, 4)};
    assert_refused(fork, "do not chain");
    const struct rlm_safetensors_item norm[] = {matrix("fc1.weight", 8, 4), vector("bn.weight", 8)};
    assert_refused(norm, "\"bn.weight\" is F32 [8]");
    const struct rlm_safetensors_item lone[] = {matrix("fc1.weight", 8, 4), vector("fc2.bias", 8)};
    assert_refused(lone, "\"fc2.bias\"");
    const struct rlm_safetensors_item other[] = {matrix("fc1.weight", 8, 4), vector("running_mean", 8)};
    assert_refused(other, "\"running_mean\"");
    const struct rlm_safetensors_item bias[] = {matrix("fc1.weight", 8, 4), vector("fc1.bias", 7)};
    assert_refused(bias, "\"fc1.bias\" is F32 [7]");
    const struct rlm_safetensors_item empty[] = {matrix("fc1.weight", 0, 4)};
    assert_refused(empty, "\"fc1.weight\" is F32 [0, 4]");
    assert_refused_with(NULL, 0, NULL, 0, "no tensor");
    struct rlm_safetensors_item whole[] = {matrix("fc1.weight", 8, 4)};
    whole[0].dtype = RLM_I32;
    assert_refused(whole, "I32");
}

static void test_values_that_are_not_finite(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_network *network = NULL;
    relume_error error = {0};
    float bad[] = {1, 2, 3, 4, INFINITY, 6};
    struct rlm_safetensors_item items[] = {matrix("fc1.weight", 3, 2)};
    items[0].data = bad;
    assert_status(relume_network_load(engine, write_items(items, 1, NULL, 0), &network, &error),
                  RELUME_BAD_DATA);
    assert_non_null(strstr(error.message, "inf at row 2, column 0"));
    assert_string_equal(error.item, "fc1.weight");
    relume_engine_destroy(engine);
}

static void test_metadata_that_do_not_fit(void **state)
{
    (void)state;
    const struct rlm_safetensors_item items[] = {matrix("h1.weight", 5, 4), vector("h1.bias", 5),
                                                 matrix("out.weight", 3, 5), vector("out.bias", 3)};
    const struct {
        const char *key, *value, *message;
    } cases[] = {
        {"architecture", "[4, 6, 3]", "architecture"},
        {"architecture", "[4, 5, 6, 3]", "h2.weight"},
        {"architecture", "[4, 5, 3", "architecture"},
        {"architecture", "[3]", "architecture"},
        {"architecture", "[4, 5, -3]", "architecture"},
        {"architecture", "{\"a\": 1}", "architecture"},
        {"loss", "hinge", "loss = \"hinge\""},
        {"init", "zeros", "init = \"zeros\""},
        {"scaling", "[0, 0]", "divisor other than 0"},
        {"scaling", "[0]", "scaling"},
        {"scaling", "[0, 1e300]", "finite"},
        {"scaling", "per-feature", "scaling"},
        {"image", "[2, 3]", "image"},
        {"image", "[-2, -2]", "image"},
        {"classes", "[\"a\", 1]", "classes"},
        {"classes", "[\"a\", \"b\", \"c\", \"d\"]", "classes"},
        {"classes", "nonsense", "classes"},
        {"foreign", "[\"a\"]", "foreign"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rlm_safetensors_pair pairs[3] = {{"relume", "0.1.0"}, {"architecture", "[4, 5, 3]"}};
        size_t count = strcmp(cases[i].key, "architecture") == 0 ? 1 : 2;
        pairs[count].key = cases[i].key;
        pairs[count].value = cases[i].value;
        assert_refused_with(items, 4, pairs, count + 1, cases[i].message);
    }
}

static void test_missing_file(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_network *network = NULL;
    relume_error error = {0};
    assert_status(relume_network_load(engine, in_folder("nowhere.safetensors"), &network, &error),
                  RELUME_NOT_FOUND);
    relume_engine_destroy(engine);
}

static void test_every_failed_allocation(void **state)
{
    (void)state;
    struct world_memory memory = {0};
    relume_engine *engine = world_engine(NULL, 1, &memory);
    relume_network *network = world_network(engine, (const size_t[]){4, 5, 3, 0}, RELUME_LOSS_SOFTMAX, 1);
    relume_error error = {0};
    float ones[4] = {1, 2, 3, 4};
    const char *const names[] = {"a", "b", "c"};
    assert_ok(rlm_network_set_scaling(network, &(relume_scaling){0, ones, ones}, &error), error);
    assert_ok(rlm_network_set_class_names(network, names, 3, &error), error);
    size_t held = memory.held;
    for (int load = 0; load < 2; load++) {
        relume_status status = RELUME_NO_MEMORY;
        for (size_t call = 1; status != RELUME_OK; call++) {
            relume_network *loaded = NULL;
            memory.calls = 0;
            memory.refuse_from = call;
            status = load ? relume_network_load(engine, in_folder("m.safetensors"), &loaded, &error)
                          : relume_network_save(network, in_folder("m.safetensors"), &error);
            memory.refuse_from = 0;
            assert_true(status == RELUME_OK || (status == RELUME_NO_MEMORY && loaded == NULL));
            relume_network_destroy(loaded);
            assert_int_equal(memory.held, held);
            assert_true(call < 200);
        }
    }
    relume_network_destroy(network);
    relume_engine_destroy(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_extra_tensors_are_kept_and_passed_over),
        cmocka_unit_test(test_weights_that_are_not_finite_are_not_saved),
        cmocka_unit_test(test_sequential_with_numbers),
        cmocka_unit_test(test_names_without_numbers_go_by_shapes),
        cmocka_unit_test(test_bias_is_read_and_may_be_missing),
        cmocka_unit_test(test_foreign_files_that_are_no_network),
        cmocka_unit_test(test_values_that_are_not_finite),
        cmocka_unit_test(test_metadata_that_do_not_fit),
        cmocka_unit_test(test_missing_file),
        cmocka_unit_test(test_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, folder_begin, folder_end);
}
