/* What it takes from nothing to the end of the first update: the time of each stage, on the clock and in all
 * of the process's threads, and the most memory held. One run a process, for that is how a program begins.
 *
 *     bench_start [DATA [THREADS [LABELS]]]       of the net 784-512-512-10, plain SGD, batches of 128
 *
 * The processor time of the first line is that of loading the program itself. */
#define BENCH "bench_start"

#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "bench.h"
#include "relume/relume.h"

static double began;

static double processor_seconds(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void tell(const char *stage)
{
    (void)printf("%-24s %7.1f ms on the clock, %7.1f ms of processor time\n", stage,
                 1e3 * (rlm_clock_now() - began), 1e3 * processor_seconds());
}

static void first_step(relume_engine *engine, const relume_dataset *dataset)
{
    static const size_t hidden[] = {512, 512};
    relume_network *network = network_of(engine, dataset, 2, hidden);
    relume_trainer_options training = plain_training(128);
    relume_trainer *trainer = NULL;
    check(relume_trainer_create(network, dataset, &training, &trainer, &error));
    tell("network and trainer");
    check(relume_trainer_step(trainer, &error));
    tell("first step");
    relume_trainer_destroy(trainer);
    relume_network_destroy(network);
}

int main(int count, char **arguments)
{
    relume_engine_options options;
    relume_dataset_options data;
    relume_engine *engine = NULL;
    relume_dataset *dataset = NULL;
    struct rusage usage;
    began = rlm_clock_now();
    tell("program");
    relume_engine_options_default(&options);
    relume_dataset_options_default(&data);
    options.threads = count > 2 ? strtoul(arguments[2], NULL, 10) : 2;
    data.labels = count > 3 ? arguments[3] : NULL;
    check(relume_engine_create(&options, &engine, &error));
    check(relume_dataset_load(engine, count > 1 ? arguments[1] : "fashion-mnist", &data, &dataset, &error));
    tell("data");
    first_step(engine, dataset);
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        (void)printf("%-24s %7.1f MiB\n", "most memory held", (double)usage.ru_maxrss / 1024);
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
    return 0;
}
