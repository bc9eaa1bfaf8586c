/* A long life: one process trains a small net for a million steps, with checkpoints, censuses and the
 * ledger's events. From a tenth of the way to the end its resident memory stays within 1 %, and its open
 * descriptors are the same.
 *
 * Until then SQLite's page cache grows to its bound of 2 MB. The short version goes 25,000 steps with more
 * frequent censuses, which fill the cache sooner, and looks from half way on; RELUME_LONG=1 goes the million.
 */
#include "run_world.h"

#include <dirent.h>

enum { CHECKPOINT_STEPS = 500 };

/* Resident kilobytes, counted by walking the pages: the sums in statm may lag behind. 0 without /proc. */
static size_t resident_kilobytes(void)
{
    char line[256];
    size_t kilobytes = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    if (!file)
        return 0;
    while (kilobytes == 0 && fgets(line, sizeof line, file))
        if (strncmp(line, "Rss:", 4) == 0)
            kilobytes = strtoul(line + 4, NULL, 10);
    (void)fclose(file);
    return kilobytes;
}

/* Open descriptors but the one that reads their folder. */
static size_t open_descriptors(void)
{
    size_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    (void)closedir(folder);
    return count - 1;
}

struct soak {
    uint64_t early, steps, epochs, deaths, revivals;
    size_t looks, resident, least, most, descriptors;
};

static void look(struct soak *soak)
{
    size_t resident = resident_kilobytes(), descriptors = open_descriptors();
    if (soak->looks++ == 0) {
        soak->resident = soak->least = soak->most = resident;
        soak->descriptors = descriptors;
    }
    soak->least = resident < soak->least ? resident : soak->least;
    soak->most = resident > soak->most ? resident : soak->most;
    if (descriptors != soak->descriptors)
        fail_msg("step %llu: %zu descriptors, %zu at step %llu", (unsigned long long)soak->steps, descriptors,
                 soak->descriptors, (unsigned long long)soak->early);
}

static void after_step(void *user, const relume_run_news *news)
{
    struct soak *soak = user;
    soak->steps = news->progress.step;
    soak->deaths = news->deaths;
    soak->revivals = news->revivals;
    soak->epochs += news->epoch_end != 0;
    if (news->epoch_end && soak->steps >= soak->early && soak->epochs % 10 == 0)
        look(soak);
}

static size_t count_checkpoints(const char *run)
{
    char path[160];
    size_t count = 0;
    (void)snprintf(path, sizeof path, "%s/checkpoints", run);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        count += strncmp(entry->d_name, "step-", 5) == 0;
    (void)closedir(folder);
    return count;
}

static void assert_steady(const struct soak *soak)
{
    assert_true(soak->looks > 10);
    if ((soak->most - soak->least) * 100 > soak->resident)
        fail_msg("resident memory went from %zu kB at step %llu to between %zu and %zu kB", soak->resident,
                 (unsigned long long)soak->early, soak->least, soak->most);
}

static void test_soak(void **state)
{
    (void)state;
    if (resident_kilobytes() == 0)
        skip_because("no /proc/self/smaps_rollup to read memory from");
    static const size_t hidden[] = {96, 32};
    char path[128];
    bool whole = getenv("RELUME_LONG") != NULL;
    uint64_t wanted = whole ? 1000000 : 25000;
    struct soak soak = {.early = whole ? wanted / 10 : wanted / 2};
    relume_run_options options = run_options(run_path(path, "soak"));
    options.hidden = hidden;
    options.hidden_layers = 2;
    options.trainer.optimizer = RELUME_ADAM;
    options.census = (relume_interval){RELUME_EVERY_STEPS, whole ? 100 : 20};
    options.trainer.batch_size = 16;
    options.trainer.learning_rate = 0.01;
    options.trainer.epochs = (wanted + 89) / 90; /* 1,437 samples: 90 steps an epoch */
    options.checkpoint = (relume_interval){RELUME_EVERY_STEPS, CHECKPOINT_STEPS};
    options.news = after_step;
    options.user = &soak;
    relume_engine *engine = world_engine(NULL, 2, NULL);
    run_train(engine, &options, RELUME_OK);
    relume_engine_destroy(engine);
    assert_true(soak.steps >= wanted);
    assert_true(count_checkpoints(path) > wanted / CHECKPOINT_STEPS);
    assert_true(soak.deaths > 10 && soak.revivals > 10);
    print_message("# %llu steps, %llu epochs, %zu checkpoints, %llu deaths, %llu revivals; from step %llu on "
                  "%zu looks: "
                  "%zu to %zu kB resident, %zu descriptors\n",
                  (unsigned long long)soak.steps, (unsigned long long)soak.epochs, count_checkpoints(path),
                  (unsigned long long)soak.deaths, (unsigned long long)soak.revivals,
                  (unsigned long long)soak.early, soak.looks, soak.least, soak.most, soak.descriptors);
    assert_steady(&soak);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_soak)};
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
