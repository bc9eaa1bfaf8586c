/* Files: reading with a limit, replacing whole or not at all, and what is left after each kind of failure. */
#define _XOPEN_SOURCE 700 /* mkdtemp, nftw, realpath */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "memory.h"

static char folder[64];
static relume_error error;

static int folder_make(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/relume-file-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int entry_remove(const char *path, const struct stat *status, int kind, struct FTW *position)
{
    (void)status;
    (void)kind;
    (void)position;
    return remove(path);
}

static int folder_remove(void **state)
{
    (void)state;
    return nftw(folder, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* `name` in the folder; two such texts may be in use at once. */
static const char *in_folder(const char *name)
{
    static char paths[2][128];
    static int turn;
    turn = !turn;
    (void)snprintf(paths[turn], sizeof paths[turn], "%s/%s", folder, name);
    return paths[turn];
}

static int entries, visited_root;

static int entry_count(const char *path, const struct stat *status, int kind, struct FTW *position)
{
    (void)path;
    (void)status;
    (void)kind;
    visited_root += position->level == 0;
    entries += position->level > 0;
    return 0;
}

/* Files and folders below the folder: a temporary file left behind would show. */
static int entries_in_folder(void)
{
    entries = visited_root = 0;
    assert_int_equal(nftw(folder, entry_count, 8, FTW_PHYS), 0);
    return entries;
}

static relume_status read_file(const char *path, size_t limit, struct rlm_bytes *bytes)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(descriptor >= 0);
    relume_status status = rlm_file_read(NULL, descriptor, path, limit, bytes, &error);
    assert_int_equal(close(descriptor), 0);
    return status;
}

static void assert_contents(const char *path, const char *text)
{
    struct rlm_bytes bytes;
    assert_ok(read_file(path, 1 << 20, &bytes), error);
    assert_int_equal(bytes.size, strlen(text));
    assert_memory_equal(bytes.data, text, bytes.size);
    rlm_free(bytes.data);
}

static relume_status replace(const char *path, const char *text)
{
    struct rlm_file_writer writer;
    relume_status status = rlm_file_open(NULL, &writer, path, &error);
    if (status == RELUME_OK)
        status = rlm_file_write(&writer, text, strlen(text), &error);
    if (status == RELUME_OK)
        status = rlm_file_commit(&writer, &error);
    return status;
}

static void test_replace_and_read(void **state)
{
    (void)state;
    const char *path = in_folder("model");
    assert_int_equal(replace(path, "one"), RELUME_OK);
    assert_contents(path, "one");
    assert_int_equal(replace(path, "another"), RELUME_OK);
    assert_contents(path, "another");
    assert_int_equal(replace(path, ""), RELUME_OK);
    assert_contents(path, "");
    assert_int_equal(entries_in_folder(), 1);
    assert_true(rlm_file_exists(path) && !rlm_file_is_folder(path));
    assert_true(rlm_file_is_folder(folder) && !rlm_file_exists(in_folder("none")));
}

static void test_relative_path(void **state)
{
    (void)state;
    char before[512];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder), 0);
    relume_status status = replace("plain", "text");
    assert_int_equal(chdir(before), 0);
    assert_int_equal(status, RELUME_OK);
    assert_contents(in_folder("plain"), "text");
}

static void test_permissions_and_link_stay(void **state)
{
    (void)state;
    const char *path = in_folder("private"), *link = in_folder("link");
    assert_int_equal(replace(path, "one"), RELUME_OK);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(symlink("private", link), 0);
    assert_int_equal(replace(link, "two"), RELUME_OK);
    struct stat status;
    assert_int_equal(lstat(link, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    assert_contents(path, "two");
}

static void test_abort_leaves_the_old(void **state)
{
    (void)state;
    const char *path = in_folder("kept");
    struct rlm_file_writer writer;
    assert_int_equal(replace(path, "old"), RELUME_OK);
    assert_ok(rlm_file_open(NULL, &writer, path, &error), error);
    assert_ok(rlm_file_write(&writer, "new", 3, &error), error);
    assert_contents(path, "old");
    rlm_file_abort(&writer);
    rlm_file_abort(&writer); /* once more does nothing */
    assert_contents(path, "old");
    assert_int_equal(entries_in_folder(), 1);
}

static void test_left_over_temporary_is_replaced(void **state)
{
    (void)state;
    char left[160];
    (void)snprintf(left, sizeof left, "%s.tmp-%ld", in_folder("model"), (long)getpid());
    int descriptor = open(left, O_CREAT | O_WRONLY, 0600);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, "remains of a longer text", 24), 24);
    (void)close(descriptor);
    assert_int_equal(replace(in_folder("model"), "new"), RELUME_OK);
    assert_contents(in_folder("model"), "new");
    assert_int_equal(entries_in_folder(), 1);
}

static void *replace_with_second(void *path)
{
    return replace(path, "second") == RELUME_OK ? path : NULL;
}

/* Two threads replace one file at the same time: both do it wholly, and who is last has the word. */
static void test_threads_do_not_meet(void **state)
{
    (void)state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s", in_folder("shared"));
    struct rlm_file_writer writer;
    pthread_t other;
    void *done = NULL;
    assert_ok(rlm_file_open(NULL, &writer, path, &error), error);
    assert_ok(rlm_file_write(&writer, "fir", 3, &error), error);
    assert_int_equal(pthread_create(&other, NULL, replace_with_second, path), 0);
    assert_int_equal(pthread_join(other, &done), 0);
    assert_non_null(done);
    assert_contents(path, "second");
    assert_ok(rlm_file_write(&writer, "st", 2, &error), error);
    assert_ok(rlm_file_commit(&writer, &error), error);
    assert_contents(path, "first");
    assert_int_equal(entries_in_folder(), 1);
}

/* A full disk, as a limit on the size of files shows it: the system refuses after byte 1,000. */
static void test_no_room(void **state)
{
    (void)state;
    const char *path = in_folder("full");
    assert_int_equal(replace(path, "old"), RELUME_OK);
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 1000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    struct rlm_file_writer writer;
    char block[700] = {0};
    relume_status opened = rlm_file_open(NULL, &writer, path, &error);
    relume_status first = rlm_file_write(&writer, block, sizeof block, &error);
    relume_status second = rlm_file_write(&writer, block, sizeof block, &error);
    (void)setrlimit(RLIMIT_FSIZE, &before);
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(opened, RELUME_OK);
    assert_int_equal(first, RELUME_OK);
    assert_int_equal(second, RELUME_IO);
    char wanted[256];
    (void)snprintf(wanted, sizeof wanted, "%s: cannot write after byte 1000: File too large", path);
    assert_string_equal(error.message, wanted);
    assert_string_equal(error.file, path);
    assert_contents(path, "old");
    assert_int_equal(entries_in_folder(), 1);
    assert_status(rlm_file_write(&writer, "more", 4, &error),
                  RELUME_IO); /* given up: nothing more is written */
    assert_status(rlm_file_commit(&writer, &error), RELUME_IO);
    assert_contents(path, "old");
}

static void test_things_that_are_no_file(void **state)
{
    (void)state;
    struct rlm_file_writer writer;
    assert_status(rlm_file_open(NULL, &writer, "/dev/full", &error), RELUME_USAGE);
    assert_string_equal(error.message,
                        "/dev/full: is a device, pipe or socket; only a regular file can be replaced");
    assert_status(rlm_file_open(NULL, &writer, folder, &error), RELUME_USAGE);
    assert_non_null(strstr(error.message, "is a folder"));
    assert_status(rlm_file_open(NULL, &writer, in_folder("no/such/file"), &error), RELUME_NOT_FOUND);
    assert_non_null(strstr(error.message, "No such file or directory"));
    assert_int_equal(writer.descriptor, -1);
    rlm_file_abort(&writer);
    assert_int_equal(entries_in_folder(), 0);
}

/* As root permissions do not stop anyone, so a child gives its rights up first. */
static void test_folder_without_permission(void **state)
{
    (void)state;
    const char *path = in_folder("inside");
    assert_int_equal(chmod(folder, 0555), 0);
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(2);
        int refused = replace(path, "text") == RELUME_IO && strstr(error.message, "Permission denied");
        _exit(refused ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(status, 0);
    assert_int_equal(entries_in_folder(), 0);
}

static void test_read_refusals(void **state)
{
    (void)state;
    struct rlm_bytes bytes = {NULL, 77};
    const char *path = in_folder("eight");
    assert_int_equal(replace(path, "12345678"), RELUME_OK);
    assert_status(read_file(path, 7, &bytes), RELUME_BAD_DATA);
    assert_non_null(strstr(error.message, "larger than 7 bytes"));
    assert_status(read_file(folder, 100, &bytes), RELUME_BAD_DATA);
    assert_non_null(strstr(error.message, "is a folder"));
    assert_null(bytes.data);
    assert_int_equal(bytes.size, 77); /* untouched */
    assert_ok(read_file(path, 8, &bytes), error);
    assert_int_equal(bytes.size, 8);
    rlm_free(bytes.data);
}

/* A device without an end, and a file whose size the system does not know before. */
static void test_read_of_unknown_length(void **state)
{
    (void)state;
    struct rlm_bytes bytes;
    assert_status(read_file("/dev/zero", 100000, &bytes), RELUME_BAD_DATA);
    assert_ok(read_file("/proc/self/status", 1 << 20, &bytes), error);
    assert_true(bytes.size > 100);
    assert_memory_equal(bytes.data, "Name:", 5);
    rlm_free(bytes.data);
}

static void test_read_of_a_pipe(void **state)
{
    (void)state;
    const char *path = in_folder("pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    pid_t child = fork();
    if (child == 0) {
        int descriptor = open(path, O_WRONLY);
        static char piece[10007];
        memset(piece, 'p', sizeof piece);
        for (int i = 0; i < 10; i++)
            if (write(descriptor, piece, sizeof piece) != (ssize_t)sizeof piece)
                _exit(1);
        _exit(0);
    }
    struct rlm_bytes bytes;
    assert_ok(read_file(path, 1 << 20, &bytes), error);
    assert_int_equal(bytes.size, 100070);
    for (size_t i = 0; i < bytes.size; i++)
        assert_int_equal(bytes.data[i], 'p');
    rlm_free(bytes.data);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_folder_create(void **state)
{
    (void)state;
    assert_ok(rlm_folder_create(NULL, in_folder("run"), &error), error);
    assert_ok(rlm_folder_create(NULL, in_folder("run"), &error), error);
    assert_int_equal(replace(in_folder("file"), "x"), RELUME_OK);
    assert_status(rlm_folder_create(NULL, in_folder("file"), &error), RELUME_IO);
    assert_non_null(strstr(error.message, "cannot make the folder: File exists"));
    assert_status(rlm_folder_create(NULL, in_folder("no/run"), &error), RELUME_NOT_FOUND);
}

/* Each allocation fails in turn. */
static void test_no_memory(void **state)
{
    (void)state;
    const char *path = in_folder("eight");
    assert_int_equal(replace(path, "12345678"), RELUME_OK);
    for (size_t refused = 1; refused <= 2; refused++) {
        struct world_memory memory = {.refuse_from = refused};
        relume_allocator allocator = world_allocator(&memory);
        struct rlm_file_writer writer;
        assert_status(rlm_file_open(&allocator, &writer, path, &error), RELUME_NO_MEMORY);
        assert_int_equal(memory.held, 0);
    }
    int zeros = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    assert_true(zeros >= 0);
    for (size_t refused = 1; refused <= 2; refused++) { /* the second is for growing */
        struct world_memory memory = {.refuse_from = refused};
        relume_allocator allocator = world_allocator(&memory);
        struct rlm_bytes bytes;
        assert_status(rlm_file_read(&allocator, zeros, "/dev/zero", 1 << 20, &bytes, &error),
                      RELUME_NO_MEMORY);
        assert_int_equal(memory.held, 0);
    }
    assert_int_equal(close(zeros), 0);
    assert_int_equal(entries_in_folder(), 1);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_replace_and_read),
        IN_FOLDER(test_relative_path),
        IN_FOLDER(test_permissions_and_link_stay),
        IN_FOLDER(test_abort_leaves_the_old),
        IN_FOLDER(test_left_over_temporary_is_replaced),
        IN_FOLDER(test_threads_do_not_meet),
        IN_FOLDER(test_no_room),
        IN_FOLDER(test_things_that_are_no_file),
        IN_FOLDER(test_folder_without_permission),
        IN_FOLDER(test_read_refusals),
        IN_FOLDER(test_read_of_unknown_length),
        IN_FOLDER(test_read_of_a_pipe),
        IN_FOLDER(test_folder_create),
        IN_FOLDER(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
