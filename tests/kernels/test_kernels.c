/* Every kernel at every level that can run here, against the reference, byte for byte; with --bench it times
 * the same calls.
 *
 *     test_kernels [--seed N] [--rounds N] [--only KERNEL] [--bench]
 *
 * Prints TAP. The seed is printed and repeats a run exactly. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support.h"

static const struct entry {
    const char *name;
    kernel_check *check;
} entries[] = {
#define RLM_KERNEL(result, kernel, arguments) {#kernel, check_##kernel},
#include "kernels/kernels.def"
#undef RLM_KERNEL
    {"pack_bytes", check_pack_bytes},
};
#define ENTRIES (sizeof entries / sizeof *entries)

struct options {
    uint64_t seed;
    size_t rounds;
    const char *only;
    bool bench;
};

static struct options read_options(int count, char **arguments)
{
    struct options o = {.seed = (uint64_t)time(NULL), .rounds = 150};
    for (int i = 1; i < count; i++)
        if (strcmp(arguments[i], "--bench") == 0)
            o.bench = true;
        else if (i + 1 < count && strcmp(arguments[i], "--seed") == 0)
            o.seed = strtoull(arguments[++i], NULL, 10);
        else if (i + 1 < count && strcmp(arguments[i], "--rounds") == 0)
            o.rounds = strtoull(arguments[++i], NULL, 10);
        else if (i + 1 < count && strcmp(arguments[i], "--only") == 0)
            o.only = arguments[++i];
        else {
            fprintf(stderr, "usage: test_kernels [--seed N] [--rounds N] [--only KERNEL] [--bench]\n");
            exit(2);
        }
    return o;
}

static void report(size_t number, size_t failed_before, const char *level, const char *name)
{
    printf("%sok %zu - %s %s\n", failures() == failed_before ? "" : "not ", number, level, name);
    fflush(stdout);
}

int main(int count, char **arguments)
{
    struct options o = read_options(count, arguments);
    const struct rlm_kernels *tables[RLM_CPU_LEVELS];
    size_t levels = kernels_under_test(tables), number = 0;
    if (o.bench) {
        for (size_t i = 0; i < levels; i++)
            bench(tables[i]);
        return 0;
    }
    printf("# seed %llu, %zu rounds\n", (unsigned long long)o.seed, o.rounds);
    if (levels == 0)
        printf("# skipped: kernels: this CPU can run none of the levels of this program\n");
    check_math();
    report(++number, 0, "loss", "math");
    for (size_t i = 0; i < levels * ENTRIES; i++) {
        const struct entry *entry = &entries[i % ENTRIES];
        size_t before = failures();
        struct random r = {o.seed + i % ENTRIES};
        if (o.only && strcmp(o.only, entry->name) != 0)
            continue;
        entry->check(tables[i / ENTRIES], &r, o.rounds);
        report(++number, before, tables[i / ENTRIES]->name, entry->name);
    }
    printf("1..%zu\n", number);
    return failures() ? 1 : 0;
}
