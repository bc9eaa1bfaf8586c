/* Run directories whose bytes were damaged: a history cut at many places, with each bit of its header and
 * many others flipped, or replaced by other files; a model cut at every byte. Opening must refuse and name
 * the file, or tell what the history still says; it must not crash. Histories that are whole but say
 * impossible things are in test_run_history.c. */
#include "run_world.h"

#include "base/file.h"

#define SEED 11
#define FLIPS 300

struct copy {
    char path[128], file[160];
    unsigned char *bytes; /* of the file that is damaged */
    size_t size;
    relume_engine *engine;
    size_t opened, refused;
};

/* Trains a run and takes one of its files in hand. */
static void make_copy(struct copy *copy, const char *name)
{
    *copy = (struct copy){.engine = world_engine(NULL, 1, NULL)};
    relume_run_options options = run_options(run_path(copy->path, "damaged"));
    options.trainer.epochs = 1;
    run_train(copy->engine, &options, RELUME_OK);
    (void)snprintf(copy->file, sizeof copy->file, "%s/%s", copy->path, name);
    copy->bytes = world_file(copy->file, &copy->size);
}

static void copy_deinit(struct copy *copy, const char *what)
{
    print_message("# %s: %zu opened, %zu refused\n", what, copy->opened, copy->refused);
    assert_true(copy->refused > 0);
    free(copy->bytes);
    run_remove(copy->path);
    relume_engine_destroy(copy->engine);
}

/* The file holds bytes[size] now: the run is opened, or refused with that file's name. */
static void open_with(struct copy *copy, const unsigned char *bytes, size_t size)
{
    relume_run *run = NULL;
    relume_error error = {0};
    FILE *file = fopen(copy->file, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    relume_status status = relume_run_open(copy->engine, copy->path, &run, &error);
    if (status == RELUME_OK) {
        copy->opened++;
        relume_run_destroy(run);
        return;
    }
    copy->refused++;
    if (status == RELUME_USAGE || relume_status_exit(status) < 3 || relume_status_exit(status) > 4 ||
        !strstr(error.message, copy->path))
        fail_msg("%s: %s", relume_status_name(status), error.message);
}

static void test_history_cut(void **state)
{
    (void)state;
    struct copy copy;
    make_copy(&copy, "history.sqlite");
    for (size_t size = 0; size < copy.size; size += size < 200 ? 1 : 509)
        open_with(&copy, copy.bytes, size);
    copy_deinit(&copy, "history cut");
}

static void test_history_flipped(void **state)
{
    (void)state;
    struct copy copy;
    struct rlm_rng rng = {SEED, RLM_RNG_TEST, 0};
    make_copy(&copy, "history.sqlite");
    for (size_t i = 0; i < 800 + FLIPS; i++) { /* the header has 100 bytes */
        size_t bit = i < 800 ? i : 800 + (size_t)rlm_rng_below(&rng, i, 8 * copy.size - 800);
        copy.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        open_with(&copy, copy.bytes, copy.size);
        copy.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    copy_deinit(&copy, "history with a bit flipped");
}

static void test_history_of_other_bytes(void **state)
{
    (void)state;
    struct copy copy;
    struct rlm_rng rng = {SEED, RLM_RNG_TEST, 1};
    make_copy(&copy, "history.sqlite");
    for (size_t round = 0; round < 50;
         round++) { /* pages of noise, the first one among them in half the rounds */
        size_t at = round % 2 ? 4096 : 0;
        unsigned char *noisy = malloc(copy.size);
        memcpy(noisy, copy.bytes, copy.size);
        for (size_t i = at; i < copy.size && i < at + 4096 * (1 + round % 5); i++)
            noisy[i] = (unsigned char)rlm_rng_below(&rng, round * copy.size + i, 256);
        open_with(&copy, noisy, copy.size);
        free(noisy);
    }
    copy_deinit(&copy, "history with pages of noise");
}

static void test_model_cut(void **state)
{
    (void)state;
    struct copy copy;
    make_copy(&copy, "model.safetensors");
    for (size_t size = 0; size < copy.size; size += size < 1000 ? 1 : 37)
        open_with(&copy, copy.bytes, size);
    assert_int_equal(copy.opened, 0);
    copy_deinit(&copy, "model cut");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_history_cut),
        cmocka_unit_test(test_history_flipped),
        cmocka_unit_test(test_history_of_other_bytes),
        cmocka_unit_test(test_model_cut),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
