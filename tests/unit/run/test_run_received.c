/* What a stranger's folder may hold, or one that is in the way: foreign files, links and pipes where a run
 * has files, and histories that are damaged or made to harm. Nothing outside of the folder changes, nothing
 * of a history is run, and whatever is refused stays as it is. docs/robustness.md tells what is promised. */
#include "run_world.h"

/* ---- folders that are in the way ---- */

static void test_existing_is_never_overwritten(void **state)
{
    (void)state;
    char path[128], file[160];
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "exists"));
    run_train(engine, &options, RELUME_OK);
    char *text = run_tell(path);
    run_train(engine, &options, RELUME_EXISTS);
    run_assert_tells(path, text, "a run that was in the way");
    rlm_free(text);
    run_remove(path);

    assert_int_equal(mkdir(path, 0700), 0); /* an empty folder will do */
    run_train(engine, &options, RELUME_OK);
    run_remove(path);

    assert_int_equal(mkdir(path, 0700), 0); /* somebody's folder will not, with resume neither */
    (void)snprintf(file, sizeof file, "%s/thesis.tex", path);
    run_write(file, "words");
    run_train(engine, &options, RELUME_EXISTS);
    options.resume = 1;
    run_train(engine, &options, RELUME_EXISTS);
    run_remove(path);

    run_write(path, "a file");
    run_train(engine, &options, RELUME_EXISTS);
    run_remove(path);
    relume_engine_destroy(engine);
}

/* What a loss of power may leave of the first calls is begun anew; checkpoints without their history stay. */
static void test_leftovers_of_a_beginning(void **state)
{
    (void)state;
    char path[128], file[160];
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "beginning"));
    run_train(engine, &options, RELUME_OK);
    char *text = run_tell(path);
    run_remove(path);

    static const char *const files[] = {"lock", "history.sqlite-journal"};
    assert_int_equal(mkdir(path, 0700), 0);
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(file, sizeof file, "%s/%s", path, files[i]);
        run_write(file, "");
    }
    (void)snprintf(file, sizeof file, "%s/checkpoints", path);
    assert_int_equal(mkdir(file, 0700), 0);
    run_train(engine, &options, RELUME_OK);
    run_assert_tells(path, text, "a run begun where another beginning was cut off");
    rlm_free(text);

    (void)snprintf(file, sizeof file, "%s/history.sqlite", path);
    assert_int_equal(remove(file), 0);
    run_train(engine, &options, RELUME_EXISTS);
    run_remove(path);
    relume_engine_destroy(engine);
}

/* The lock is written over, so only a lock may be: no text of that name, and no link out of the folder. */
static void test_only_a_lock_is_written_over(void **state)
{
    (void)state;
    static const char words[] = "2 kg of words";
    char path[128], lock[160], other[128];
    size_t size;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "locked"));
    (void)snprintf(lock, sizeof lock, "%s/lock", path);
    run_write(run_path(other, "elsewhere"), words);
    for (int link = 0; link < 2; link++)
        for (int resumed = 0; resumed < 2; resumed++) {
            if (resumed) {
                run_train(engine, &options, RELUME_OK);
                assert_int_equal(remove(lock), 0);
            } else {
                assert_int_equal(mkdir(path, 0700), 0);
            }
            if (link)
                assert_int_equal(symlink(other, lock), 0);
            else
                run_write(lock, words);
            options.resume = resumed;
            run_train(engine, &options, resumed ? RELUME_BAD_FORMAT : RELUME_EXISTS);
            options.resume = 0;
            unsigned char *kept = world_file(lock, &size);
            assert_int_equal(size, strlen(words));
            assert_memory_equal(kept, words, size);
            free(kept);
            run_remove(path);
        }
    relume_engine_destroy(engine);
}

/* ---- links and pipes in the place of a run's files ---- */

/* A run that was received may hold links to files of its reader's: nothing is written through them. */
static void test_no_link_is_written_through(void **state)
{
    (void)state;
    static const char *const names[] = {
        "history.sqlite", "history.sqlite-journal",         "model.safetensors",
        "checkpoints",    "checkpoints/step-0.safetensors", "checkpoints/step-99.safetensors"};
    char path[128], reached[128], file[160], other[128];
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "received"));
    run_path(other, "readers-own");
    options.resume = 1;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        relume_error error = {0};
        relume_run *run = NULL;
        size_t size, kept_size;
        run_train(engine, &options, RELUME_OK);
        (void)snprintf(file, sizeof file, "%s/%s", path, names[i]);
        bool folder = strcmp(names[i], "checkpoints") == 0;
        if (rename(file, other) != 0)
            run_write(other, "nobody's step");
        assert_int_equal(symlink(other, file), 0);
        unsigned char *before = folder ? NULL : world_file(other, &size);
        assert_status(relume_run_train(engine, &options, &run, &error), RELUME_BAD_FORMAT);
        assert_null(run);
        assert_string_equal(error.file, file);
        assert_non_null(strstr(error.message, "symbolic link"));
        if (!folder) {
            unsigned char *kept = world_file(other, &kept_size);
            assert_int_equal(kept_size, size);
            assert_memory_equal(kept, before, size);
            free(kept);
        }
        free(before);
        assert_int_equal(remove(file), 0);
        run_remove(path);
        run_remove(other);
    }
    /* the run directory itself may be anywhere */
    run_train(engine, &options, RELUME_OK);
    assert_int_equal(symlink(path, run_path(reached, "reached")), 0);
    options.path = reached;
    run_train(engine, &options, RELUME_OK);
    assert_int_equal(remove(reached), 0);
    run_remove(path);
    relume_engine_destroy(engine);
}

/* Weights are only read and may be linked to; a history is not, for SQLite would look for a journal beside
 * the file that the link leads to. */
static void test_links_to_weights_are_read(void **state)
{
    (void)state;
    static const char *const names[] = {"history.sqlite", "model.safetensors", "checkpoints"};
    char path[128], other[128], file[160];
    relume_error error = {0};
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "links"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        relume_run *run = NULL;
        run_train(engine, &options, RELUME_OK);
        (void)snprintf(file, sizeof file, "%s/%s", path, names[i]);
        assert_int_equal(rename(file, run_path(other, "elsewhere")), 0);
        assert_int_equal(symlink(other, file), 0);
        assert_status(relume_run_open(engine, path, &run, &error), i == 0 ? RELUME_BAD_FORMAT : RELUME_OK);
        relume_run_destroy(run);
        run_remove(path);
        run_remove(other);
    }
    relume_engine_destroy(engine);
}

/* The folder of a run that is about to begin may hold an empty folder for the checkpoints, but no link. */
static void test_nothing_begins_in_a_linked_folder(void **state)
{
    (void)state;
    char path[128], other[128], file[160];
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "begins"));
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(mkdir(run_path(other, "elsewhere"), 0700), 0);
    (void)snprintf(file, sizeof file, "%s/checkpoints", path);
    assert_int_equal(symlink(other, file), 0);
    run_train(engine, &options, RELUME_BAD_FORMAT);
    assert_int_equal(rmdir(other), 0); /* nothing is in it */
    relume_engine_destroy(engine);
    run_remove(path);
}

/* Who opens a pipe waits for somebody to write into it. */
static void test_pipes_are_not_waited_for(void **state)
{
    (void)state;
    static const char *const names[] = {"history.sqlite", "history.sqlite-journal", "model.safetensors",
                                        "checkpoints/step-9.safetensors"};
    char path[128], file[200];
    relume_error error = {0};
    relume_run *run = NULL;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        relume_run_options options = run_options(run_path(path, "pipes"));
        run_train(engine, &options, RELUME_OK);
        (void)snprintf(file, sizeof file, "%s/%s", path, names[i]);
        (void)remove(file);
        assert_int_equal(mkfifo(file, 0600), 0);
        assert_status(relume_run_open(engine, path, &run, &error), RELUME_BAD_FORMAT);
        assert_non_null(strstr(error.message, names[i]));
        options.resume = 1;
        run_train(engine, &options, RELUME_BAD_FORMAT);
        run_remove(path);
    }
    relume_engine_destroy(engine);
}

/* A run is asked, and looks for its data where its history says they are. */
static void test_data_are_files(void **state)
{
    (void)state;
    static const char *const keys[] = {"data", "test", "labels"};
    char path[128], pipe[128], statement[300];
    relume_error error = {0};
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_run_options options = run_options(run_path(path, "data"));
    run_train(engine, &options, RELUME_OK);
    assert_int_equal(mkfifo(run_path(pipe, "pipe"), 0600), 0);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        relume_run *run = NULL;
        (void)snprintf(statement, sizeof statement, "UPDATE setting SET value = '%s' WHERE key = '%s'", pipe,
                       keys[i]);
        run_change(path, statement);
        assert_ok(relume_run_open(engine, path, &run, &error), error);
        assert_status(relume_run_load_dataset(run, &error), RELUME_BAD_FORMAT);
        assert_non_null(strstr(error.message, pipe));
        relume_run_destroy(run);
        (void)snprintf(statement, sizeof statement, "UPDATE setting SET value = %s WHERE key = '%s'",
                       i == 0 ? "'digits'" : "NULL", keys[i]);
        run_change(path, statement);
    }
    relume_engine_destroy(engine);
    run_remove(path);
    assert_int_equal(remove(pipe), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_existing_is_never_overwritten),
        cmocka_unit_test(test_leftovers_of_a_beginning),
        cmocka_unit_test(test_only_a_lock_is_written_over),
        cmocka_unit_test(test_no_link_is_written_through),
        cmocka_unit_test(test_links_to_weights_are_read),
        cmocka_unit_test(test_nothing_begins_in_a_linked_folder),
        cmocka_unit_test(test_pipes_are_not_waited_for),
        cmocka_unit_test(test_data_are_files),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
