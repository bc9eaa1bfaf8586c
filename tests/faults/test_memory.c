/* Every allocation of every command refused in turn, once and from there on, those of SQLite, jansson, zlib,
 * libzip and the C library included: no crash, no leak, exit status 5. A refusal that the C library makes up
 * for itself (an unbuffered stream, for instance) may pass, if the results are the same. No file or folder
 * is left that the command would not have left undisturbed.
 *
 * The short version takes a sample of the allocations of each command, RELUME_LONG=1 every one, but of those
 * that take the longest (demo, bench, serve) a larger sample. With the name of one test as its argument the
 * program runs that one alone (a pattern with * will do): the long version is cut that way. */
#define _GNU_SOURCE /* dladdr */
#include "run_world.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <signal.h>
#include <sys/socket.h>

#include "command.h"

static struct command_outcome calm, outcome;

/* The callers whose blocks stay to the end of an undisturbed command too: streams, the locale, SQLite's one
 * list of mutexes. */
static size_t allowed(void *caller)
{
    for (size_t i = 0; i < calm.left.callers; i++)
        if (calm.left.by[i].caller == caller)
            return calm.left.by[i].blocks;
    return 0;
}

/* libzip 1.7.3 loses the state of a window or of a checksum where it is refused the layer that was to hold it
 * (zip_source_window_create, zip_source_crc_create). A library that the command has loaded is not known here.
 */
static bool lost_by_libzip(const Dl_info *at, size_t blocks, size_t bytes)
{
    return (!at->dli_fname || strstr(at->dli_fname, "/libzip.so")) && blocks == 1 &&
           (bytes == 160 || bytes == 56);
}

/* The loader of glibc 2.36 loses the name of a library, and what it knows of one, where it is refused memory
 * while it loads it, for an .npz or for serve; and a thread keeps its last error, 24 bytes of the C library.
 */
static bool lost_by_loader(const Dl_info *at, size_t blocks, size_t bytes)
{
    return at->dli_fname && ((strstr(at->dli_fname, "/ld-linux") && bytes < 4096) ||
                             (strstr(at->dli_fname, "/libc.so") && blocks == 1 && bytes == 24));
}

static void assert_nothing_left(const char *line, size_t call, bool after)
{
    for (size_t i = 0; i < outcome.left.callers; i++) {
        Dl_info at = {0};
        if (outcome.left.by[i].blocks <= allowed(outcome.left.by[i].caller))
            continue;
        (void)dladdr(outcome.left.by[i].caller, &at);
        if (lost_by_libzip(&at, outcome.left.by[i].blocks, outcome.left.by[i].bytes) ||
            lost_by_loader(&at, outcome.left.by[i].blocks, outcome.left.by[i].bytes))
            continue;
        fail_msg("relume %s: allocation %zu refused%s: %zu blocks, %zu bytes are left, of %s, %s", line, call,
                 after ? ", and all after it" : "", outcome.left.by[i].blocks, outcome.left.by[i].bytes,
                 at.dli_fname ? at.dli_fname : "?", at.dli_sname ? at.dli_sname : "?");
    }
}

/* ---- what lies in the tests' folder ---- */

/* The folder's names, a line each, as far as they go into `text`. */
static size_t list_names(const char *folder, char *text, size_t room)
{
    char path[400];
    size_t used = 0;
    DIR *opened = opendir(folder);
    assert_non_null(opened);
    for (struct dirent *entry; (entry = readdir(opened)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int length = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        assert_in_range(length, 1, sizeof path - 1);
        used += (size_t)snprintf(text + used, room - used, "%s\n", path);
        assert_in_range(used, 1, room - 1);
        if (entry->d_type == DT_DIR)
            used += list_names(path, text + used, room - used);
    }
    assert_int_equal(closedir(opened), 0);
    return used;
}

static char calm_names[COMMAND_TEXT]; /* after the undisturbed command, after a newline */

static void remember_names(void)
{
    calm_names[0] = '\n';
    calm_names[1] = '\0';
    (void)list_names(run_root, calm_names + 1, sizeof calm_names - 1);
}

/* SQLite's journal may stay: the next to open the history takes it back. */
static void assert_no_other_names(const char *line, size_t call, bool after)
{
    static char names[COMMAND_TEXT];
    char sought[400];
    size_t used = list_names(run_root, names, sizeof names);
    for (size_t at = 0, length; at < used; at += length) {
        length = strcspn(names + at, "\n") + 1;
        (void)snprintf(sought, sizeof sought, "\n%.*s", (int)length, names + at);
        if (!strstr(calm_names, sought) && !strstr(sought, "/history.sqlite-journal\n"))
            fail_msg("relume %s: allocation %zu refused%s: it leaves %s", line, call,
                     after ? ", and all after it" : "", sought + 1);
    }
}

/* ---- trials ---- */

/* One command line, and how often a refusal is tried on it. */
struct trial {
    const char *line;
    bool fixed;        /* what it prints does not depend on time */
    const char *fresh; /* a run directory removed before each time, or NULL */
    void (*visit)(int out, pid_t command);
    int well;                /* its exit status without refusals */
    size_t first, spread;    /* short version: the first so many allocations, and so many spread over all */
    size_t at_most;          /* long version: so many spread over all; 0: every one */
    size_t refusals, passed; /* counted here */
};

static void run(const struct trial *trial, const struct layer *armed, struct command_outcome *to)
{
    if (trial->fresh)
        run_remove(trial->fresh);
    command_run_visited(trial->line, armed, trial->visit, to);
}

static void refuse(struct trial *trial, size_t call, bool after)
{
    const char *line = trial->line;
    struct layer armed = {.refuse_at = call, .refuse_after = after};
    run(trial, &armed, &outcome);
    if (outcome.status != 5 && outcome.status != trial->well)
        fail_msg("relume %s: allocation %zu refused%s: exit status %d, signal %d: %s", line, call,
                 after ? ", and all after it" : "", outcome.status, outcome.signal, outcome.err);
    if (outcome.status == 5 && !strstr(outcome.err, "NO_MEMORY") && !strstr(outcome.err, "RESOURCE"))
        fail_msg("relume %s: allocation %zu refused%s: says %s", line, call,
                 after ? ", and all after it" : "", outcome.err);
    if (outcome.status == trial->well && trial->fixed && strcmp(outcome.out, calm.out) != 0)
        fail_msg("relume %s: allocation %zu refused: exit status %d, and other results:\n%s", line, call,
                 trial->well, outcome.out);
    assert_nothing_left(line, call, after);
    assert_no_other_names(line, call, after);
    trial->refusals++;
    trial->passed += outcome.status == trial->well;
}

/* How far to go on after allocation `call` of `total`. */
static size_t stride(const struct trial *trial, size_t call, size_t total)
{
    if (getenv("RELUME_LONG"))
        return trial->at_most ? 1 + total / trial->at_most : 1;
    return call < trial->first ? 1 : 1 + total / trial->spread;
}

static void try(struct trial trial)
{
    static const struct layer unarmed;
    run(&trial, &unarmed, &calm);
    if (calm.status != trial.well)
        fail_msg("relume %s: exit status %d, signal %d: %s", trial.line, calm.status, calm.signal, calm.err);
    remember_names();
    size_t total = calm.allocations;
    for (size_t call = 1; call <= total; call += stride(&trial, call, total))
        for (int after = 0; after < 2; after++)
            refuse(&trial, call, after != 0);
    print_message("# %s: %zu allocations, %zu refusals, %zu of them made up for\n", trial.line, total,
                  trial.refusals, trial.passed);
}

static void refuse_each(const char *line, bool fixed, const char *fresh)
{
    try((struct trial){.line = line, .fixed = fixed, .fresh = fresh, .first = 40, .spread = 40});
}

/* For a command that takes its time. */
static void refuse_some(const char *line, bool fixed, const char *fresh)
{
    try((struct trial){.line = line, .fixed = fixed, .fresh = fresh, .first = 10, .spread = 20});
}

/* `text` with each @ replaced by the tests' folder. */
static const char *in_root(const char *text)
{
    static char line[1024];
    size_t used = 0;
    for (; *text && used < sizeof line - sizeof run_root; text++)
        if (*text == '@')
            used += (size_t)snprintf(line + used, sizeof line - used, "%s", run_root);
        else
            line[used++] = *text;
    line[used] = '\0';
    return line;
}

static void write_file(const char *name, const void *bytes, size_t size)
{
    char path[128];
    FILE *file = fopen(run_path(path, name), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Four images of 2 × 2 and their labels. */
static void write_idx(void)
{
    static const char images[] = {0, 0, 8,  3,  0,  0,  0,  4,  0,  0,  0,  2,  0,  0,  0,  2,
                                  9, 8, 70, 60, 50, 40, 30, 20, 10, 90, 80, 70, 60, 50, 40, 30};
    static const char labels[] = {0, 0, 8, 1, 0, 0, 0, 4, 1, 0, 1, 0};
    char path[128];
    assert_int_equal(mkdir(run_path(path, "idx"), 0700), 0);
    write_file("idx/train-images-idx3-ubyte", images, sizeof images);
    write_file("idx/train-labels-idx1-ubyte", labels, sizeof labels);
}

static void write_npz(void)
{
    char path[256];
    size_t size;
    const char *corpus = getenv("RELUME_CORPUS");
    (void)snprintf(path, sizeof path, "%.200s/npz/deflated", corpus ? corpus : "fuzz/corpus");
    unsigned char *bytes = world_file(path, &size);
    write_file("a.npz", bytes, size);
    free(bytes);
}

static int prepare(void **state)
{
    static const char csv[] = "a,b,price\n1,2,3.5\n4,5,6.5\n7,8,9\n2,1,4\n";
    if (run_setup(state) != 0)
        return -1;
    write_file("t.csv", csv, sizeof csv - 1);
    write_idx();
    write_npz();
    command_run_well(in_root("train digits --hidden 12,8 --epochs 2 --holdout 20% --threads 2 -o @/run"));
    command_run_well(in_root("predict @/run digits -o @/p.npy --probabilities"));
    command_run_well(in_root("train digits --hidden 12,8 --epochs 1 --lr 3 --threads 2 -o @/dying"));
    command_run_well(
        in_root("train digits --hidden 12,8 --epochs 1 --lr 3 --census off --threads 2 -o @/uncounted"));
    char temporary[128]; /* what a command throws away is looked for there */
    return setenv("TMPDIR", run_path(temporary, "tmp"), 1) == 0 ? mkdir(temporary, 0700) : -1;
}

static void test_train(void **state)
{
    (void)state;
    char fresh[128];
    refuse_each(in_root("train digits --hidden 6 --epochs 1 --batch 900 --threads 2 -o @/new"), false,
                run_path(fresh, "new"));
    refuse_each(in_root("train @/t.csv --target price --standardize --hidden 3 --epochs 1 -o @/new"), false,
                run_path(fresh, "new"));
}

static void test_train_on_other_data(void **state)
{
    (void)state;
    char fresh[128];
    try((struct trial){.line = in_root("inspect @/a.npz"), .fixed = true, .first = 200, .spread = 40});
    refuse_some(in_root("inspect @/idx --json"), true, NULL);
    refuse_some(in_root("train @/idx --hidden 3 --epochs 2 --census 1 --warn -o @/new"), false,
                run_path(fresh, "new"));
    refuse_some(in_root("forecast @/run --seeds 2 --steps 1"), false, NULL);
}

static void test_resume(void **state)
{
    (void)state;
    refuse_each(in_root("train digits --hidden 12,8 --epochs 2 --holdout 20% --threads 2 -o @/run --resume"),
                false, NULL);
}

static void test_census_and_predict(void **state)
{
    (void)state;
    refuse_each(in_root("census @/run digits"), true, NULL);
    refuse_each(in_root("census @/run digits --json --units"), true, NULL);
    refuse_each(in_root("predict @/run digits --split all --threads 1"), true, NULL);
    refuse_each(in_root("predict @/run digits -o @/out.npy"), true, NULL);
    refuse_each(in_root("predict @/run digits --json --threads 1"), true, NULL);
}

static void test_inspect_and_report(void **state)
{
    (void)state;
    refuse_each(in_root("inspect @/run"), true, NULL);
    refuse_each(in_root("inspect @/run/model.safetensors --json"), true, NULL);
    refuse_each(in_root("inspect @/t.csv"), true, NULL);
    refuse_each(in_root("inspect @/p.npy --json"), true, NULL);
    refuse_each(in_root("report @/run"), false, NULL);
    refuse_each(in_root("report @/run --json"), false, NULL);
}

static void test_gradcheck_and_help(void **state)
{
    (void)state;
    refuse_each("gradcheck --hidden 4 --parameters 3 --batch 2", true, NULL);
    refuse_each("gradcheck --hidden 4 --parameters 3 --batch 2 --json", true, NULL);
    refuse_each("help train", true, NULL);
    refuse_each("--version", true, NULL);
}

static void test_report_page(void **state)
{
    (void)state;
    if (!relume_report_has_page())
        skip_because("this build carries no page");
    refuse_some(in_root("report @/run -o @/page.html"), true, NULL);
}

static void test_autopsy_and_explain(void **state)
{
    (void)state;
    refuse_some(in_root("autopsy @/run --threads 1"), true, NULL);
    refuse_some(in_root("autopsy @/run --episodes --all --threads 2"), true, NULL);
    refuse_some(in_root("autopsy @/run --json --threads 1"), false, NULL);
    refuse_each(in_root("explain @/run"), true, NULL);
    refuse_each(in_root("explain @/run h2.1 --json"), true, NULL);
    refuse_each(in_root("explain @/run/model.safetensors h1.3 --data digits --sample 5"), true, NULL);
}

/* Units that died while training: each update that killed is repeated, over data in an order that suits them
 * (src/autopsy/arrange.c) and lists of what is not 0. Both can be done without: the same account, slower. */
static void test_autopsy_of_deaths(void **state)
{
    (void)state;
    refuse_some(in_root("autopsy @/dying --threads 1"), true, NULL);
    assert_non_null(strstr(calm.out, " died at step "));
    refuse_some(in_root("autopsy @/dying --all --episodes --threads 2 --json"), false, NULL);
    refuse_some(in_root("autopsy @/uncounted --threads 1 --json"), false, NULL); /* counted first */
}

static void test_forecast_and_sweep(void **state)
{
    (void)state;
    char fresh[128];
    refuse_some("forecast digits --hidden 5 --seeds 3 --steps 2 --threads 1", true, NULL);
    refuse_some("forecast digits --hidden 5 --seeds 3 --steps 2 --threads 2 --json", true, NULL);
    refuse_some("sweep digits --hidden 5 --epochs 1 --batch 600 --lr 0.1,5 --threads 1", true, NULL);
    refuse_some("sweep digits --hidden 5 --epochs 1 --batch 600 --lr 0.1,5 --json", false, NULL);
    refuse_some(in_root("sweep digits --hidden 5 --epochs 1 --batch 600 --lr 0.1,5 -o @/new"), true,
                run_path(fresh, "new"));
}

static void test_bench_and_demo(void **state)
{
    (void)state;
    try((struct trial){.line = "bench --data digits --hidden 4 --batch 64 --seconds 0.002 --repeats 1",
                       .first = 10,
                       .spread = 15,
                       .at_most = 400});
    try((struct trial){.line = "bench --data digits --hidden 4 --batch 64 --seconds 0.002 --repeats 1 --json",
                       .first = 10,
                       .spread = 15,
                       .at_most = 400});
    try((struct trial){.line = "demo", .fixed = true, .first = 8, .spread = 8, .at_most = 1000});
}

/* ---- serve: a visitor asks for everything, then tells it to end ---- */

/* The port in what serve has printed by now; 0: nothing yet. */
static unsigned port_of(int out)
{
    char text[128];
    ssize_t length = pread(out, text, sizeof text - 1, 0);
    text[length > 0 ? length : 0] = '\0';
    char *at = strstr(text, "http://127.0.0.1:");
    return at && strchr(at, '\n') ? (unsigned)strtoul(at + strlen("http://127.0.0.1:"), NULL, 10) : 0;
}

/* One request, read to its end, or for a second where it has none. */
static void ask(unsigned port, const char *target)
{
    char text[4096];
    struct timeval second = {.tv_sec = 1};
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int client = socket(AF_INET, SOCK_STREAM, 0);
    (void)setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
    int length = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n", target, port);
    if (connect(client, (struct sockaddr *)&address, sizeof address) == 0 &&
        send(client, text, (size_t)length, MSG_NOSIGNAL) == length)
        while (recv(client, text, sizeof text, 0) > 0)
            continue;
    (void)close(client);
}

static void visit(int out, pid_t command)
{
    unsigned port;
    while ((port = port_of(out)) == 0)
        (void)usleep(1000);
    ask(port, "/");
    ask(port, "/facts.json");
    ask(port, "/nowhere");
    (void)kill(command, SIGTERM);
    (void)pause();
}

static void test_serve(void **state)
{
    (void)state;
    static const struct layer unarmed;
    if (!relume_report_has_page())
        skip_because("this build carries no page");
    command_run("serve /nowhere", &unarmed, &outcome);
    if (strstr(outcome.err, "no server"))
        skip_because("this build has no server");
    /* loaded here, for the C library forgets a path when memory is refused while it loads one */
    assert_non_null(dlopen("libmicrohttpd.so.12", RTLD_NOW));
    try((struct trial){.line = in_root("serve @/run"),
                       .visit = visit,
                       .well = 143,
                       .first = 20,
                       .spread = 40,
                       .at_most = 1000});
    try((struct trial){
        .line = in_root("serve @"), .visit = visit, .well = 143, .first = 10, .spread = 20, .at_most = 500});
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_train),
        cmocka_unit_test(test_train_on_other_data),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_census_and_predict),
        cmocka_unit_test(test_inspect_and_report),
        cmocka_unit_test(test_gradcheck_and_help),
        cmocka_unit_test(test_report_page),
        cmocka_unit_test(test_autopsy_and_explain),
        cmocka_unit_test(test_autopsy_of_deaths),
        cmocka_unit_test(test_forecast_and_sweep),
        cmocka_unit_test(test_bench_and_demo),
        cmocka_unit_test(test_serve),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, prepare, run_teardown);
}
