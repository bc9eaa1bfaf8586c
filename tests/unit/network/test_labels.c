/* Labels numbered as a network numbers its outputs: by name, by number, and refused with nothing changed. */
#include "world.h"

#include "data/dataset.h"
#include "network/network.h"

/* A dataset of 6 samples with these classes, the labels 0, 1, … in turn. */
static relume_dataset *labelled(relume_engine *engine, const char *const *names, size_t count)
{
    relume_dataset *dataset = world_dataset(engine, 6, 2, count, 0, 1);
    for (size_t i = 0; i < 6; i++)
        dataset->labels[i] = (uint32_t)(i % count);
    for (size_t i = 0; i < count; i++) {
        rlm_free(dataset->class_names[i]);
        dataset->class_names[i] = rlm_strdup(&engine->allocator, names[i]);
        assert_non_null(dataset->class_names[i]);
    }
    return dataset;
}

struct world_case {
    const char *known[4], *given[4]; /* classes of the network (3 outputs) and of the data, up to NULL */
    uint32_t output[4];              /* of each class of the data */
    relume_status status;
};

static size_t length(const char *const *names)
{
    size_t count = 0;
    while (count < 4 && names[count])
        count++;
    return count;
}

static const struct world_case cases[] = {
    {{"ant", "bee", "cat"}, {"ant", "bee", "cat"}, {0, 1, 2}, RELUME_OK},
    {{"ant", "bee", "cat"}, {"bee", "cat"}, {1, 2}, RELUME_OK},
    {{"cat", "ant", "bee"}, {"ant", "bee", "cat"}, {1, 2, 0}, RELUME_OK}, /* a network's need not be sorted */
    {{"ant", "bee", "cat"}, {"1", "2"}, {1, 2}, RELUME_OK},               /* numbers for classes with names */
    {{"ant", "bee", "cat"}, {"1", "3"}, {0, 1}, RELUME_MISMATCH},         /* 3 is no output */
    {{"ant", "bee", "cat"}, {"bee", "dog"}, {0, 1}, RELUME_MISMATCH},
    {{"ant", "bee", "cat"}, {"bee", "2"}, {0, 1}, RELUME_MISMATCH},
    {{"5", "7", "9"}, {"7", "9"}, {1, 2}, RELUME_OK},
    {{"5", "7", "9"}, {"0", "1"}, {0, 1}, RELUME_MISMATCH}, /* its classes are numbers, these are others */
    {{NULL}, {"1", "2"}, {1, 2}, RELUME_OK},
    {{NULL}, {"7", "9"}, {0, 1}, RELUME_OK}, /* no numbers of outputs: their order is all there is */
    {{NULL}, {"bee", "cat"}, {0, 1}, RELUME_OK},
    {{NULL}, {"a", "b", "c", "d"}, {0, 1, 2, 3}, RELUME_OK}, /* too many, which the loss refuses */
};

static void assert_numbered(const relume_dataset *dataset, const struct world_case *it)
{
    size_t given = length(it->given);
    for (size_t i = 0; i < 6 && given > 0; i++)
        assert_int_equal(dataset->labels[i], it->status == RELUME_OK ? it->output[i % given] : i % given);
    if (it->status != RELUME_OK)
        assert_int_equal(dataset->outputs, given);
    for (size_t i = 0; it->status == RELUME_OK && i < dataset->outputs; i++)
        if (length(it->known) > 0)
            assert_string_equal(dataset->class_names[i], it->known[i]);
    for (size_t i = 0; length(it->known) == 0 && i < given; i++)
        assert_string_equal(dataset->class_names[it->output[i]], it->given[i]);
}

static void number(struct world_memory *memory, relume_engine *engine, const struct world_case *it)
{
    relume_network *network = world_network(engine, (const size_t[]){2, 4, 3, 0}, RELUME_LOSS_SOFTMAX, 1);
    relume_dataset *dataset = labelled(engine, it->given, length(it->given));
    relume_error error = {0};
    assert_ok(rlm_network_set_class_names(network, it->known, length(it->known), &error), error);
    relume_status status = RELUME_NO_MEMORY;
    for (size_t call = 1; status == RELUME_NO_MEMORY; call++) {
        size_t held = memory->held;
        memory->calls = 0;
        memory->refuse_from = call;
        status = relume_network_number_labels(network, dataset, &error);
        memory->refuse_from = 0;
        if (status == RELUME_NO_MEMORY)
            assert_int_equal(memory->held, held);
        assert_true(call < 20);
    }
    assert_status(status, it->status);
    assert_numbered(dataset, it);
    relume_dataset_destroy(dataset);
    relume_network_destroy(network);
}

static void test_every_case(void **state)
{
    (void)state;
    struct world_memory memory = {0};
    relume_engine *engine = world_engine(NULL, 1, &memory);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        number(&memory, engine, &cases[i]);
    relume_engine_destroy(engine);
}

static void test_refusals_name_the_class(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_network *network = world_network(engine, (const size_t[]){2, 4, 3, 0}, RELUME_LOSS_SOFTMAX, 1);
    relume_dataset *dataset = labelled(engine, (const char *const[]){"bee", "dog"}, 2);
    relume_error error = {0};
    assert_ok(rlm_network_set_class_names(network, (const char *const[]){"ant", "bee", "cat"}, 3, &error),
              error);
    assert_status(relume_network_number_labels(network, dataset, &error), RELUME_MISMATCH);
    assert_non_null(strstr(error.message, "the class \"dog\", which is none of the network's 3"));
    relume_dataset_destroy(dataset);
    relume_network_destroy(network);
    relume_engine_destroy(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_case),
        cmocka_unit_test(test_refusals_name_the_class),
    };
    return cmocka_run_group_tests_name("labels", tests, NULL, NULL);
}
