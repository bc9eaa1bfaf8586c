/* What it costs a run to record what an autopsy needs: whole runs with it and without it, in turns of
 * changing order, each into a new folder in memory. Not a test: it wants a quiet machine and Fashion-MNIST.
 *
 *     bench_recording [EPOCHS] [TURNS] [THREADS]      such as: bench_recording 2 9 1
 *
 * bare       no ledger, no census, checkpoints of the start and the end alone
 * recorded   the ledger and a checkpoint an epoch (--census off), which is all that an autopsy needs
 * final      the same with a census at the start and the end
 * default    the same with a census an epoch, as `relume train` does unless told otherwise
 *
 * Every epoch of each is evaluated on the test split. Prints the medians over the turns of seconds and of the
 * ratio to bare, of this process's CPU time without loading the data, and where the time of the last turn
 * went. Ends with 1 when `recorded` costs more than 5 % beyond bare. */
#define BENCH "bench_recording"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "relume/relume.h"

enum { BARE, RECORDED, FINAL, DEFAULT, WAYS };
#define TURNS_MOST 101
#define MOST 1.05

static const char *const names[WAYS] = {"bare", "recorded", "final", "default"};

static double cpu_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static relume_run_options options_of(int way, uint64_t epochs, const char *path)
{
    static const size_t hidden[] = {512, 512};
    relume_run_options options;
    relume_run_options_default(&options);
    options.path = path;
    options.data = "fashion-mnist";
    options.hidden = hidden;
    options.hidden_layers = 2;
    options.trainer.optimizer = RELUME_ADAM;
    options.trainer.learning_rate = 0.01;
    options.trainer.epochs = epochs;
    options.ledger_off = way == BARE;
    options.checkpoint.kind = way == BARE ? RELUME_FINAL : RELUME_EVERY_EPOCH;
    options.census.kind = way == DEFAULT ? RELUME_EVERY_EPOCH : way == FINAL ? RELUME_FINAL : RELUME_OFF;
    return options;
}

/* CPU seconds of a run but for loading its data. */
static double spend(relume_engine *engine, int way, uint64_t epochs, relume_run_result *result)
{
    char path[64], command[96];
    (void)snprintf(path, sizeof path, "/dev/shm/relume-bench-%ld", (long)getpid());
    relume_run_options options = options_of(way, epochs, path);
    relume_run *run = NULL;
    double begin = cpu_now();
    check(relume_run_train(engine, &options, &run, &error));
    double spent = cpu_now() - begin;
    *result = *relume_run_get_result(run);
    relume_run_destroy(run);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", path);
    if (system(command) != 0) /* NOLINT(cert-env33-c): the path is this program's own */
        exit(1);
    return spent - result->load_seconds;
}

static double median(double *values, size_t count)
{
    sort(values, count);
    return values[count / 2];
}

int main(int count, char **arguments)
{
    uint64_t epochs = count > 1 ? strtoull(arguments[1], NULL, 10) : 2;
    size_t turns = count > 2 ? strtoul(arguments[2], NULL, 10) : 9;
    static double seconds[WAYS][TURNS_MOST], ratio[WAYS][TURNS_MOST];
    relume_run_result result[WAYS];
    relume_engine_options options;
    relume_engine *engine = NULL;
    relume_engine_options_default(&options);
    options.threads = count > 3 ? strtoul(arguments[3], NULL, 10) : 1;
    check(relume_engine_create(&options, &engine, &error));
    turns = turns < 1 ? 1 : turns > TURNS_MOST ? TURNS_MOST : turns;
    for (size_t turn = 0; turn < turns; turn++) {
        for (size_t i = 0; i < WAYS; i++) {
            size_t way = (turn + i) % WAYS;
            seconds[way][turn] = spend(engine, (int)way, epochs, &result[way]);
        }
        for (size_t way = 0; way < WAYS; way++)
            ratio[way][turn] = seconds[way][turn] / seconds[BARE][turn];
    }
    (void)printf("fashion-mnist, 512-512, Adam 0.01, %llu epochs, %s, %zu threads, medians of %zu turns\n",
                 (unsigned long long)epochs, relume_engine_get_kernel(engine),
                 relume_engine_get_threads(engine), turns);
    for (size_t way = 0; way < WAYS; way++)
        (void)printf("%-9s %7.2f s  %+6.2f %%   (steps %.2f, census %.2f, evaluation %.2f, saving %.2f s)\n",
                     names[way], median(seconds[way], turns), 100 * (median(ratio[way], turns) - 1),
                     result[way].step_seconds, result[way].census_seconds, result[way].evaluate_seconds,
                     result[way].save_seconds);
    relume_engine_destroy(engine);
    return median(ratio[RECORDED], turns) <= MOST ? 0 : 1;
}
