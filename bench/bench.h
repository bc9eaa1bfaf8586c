/* What the benches share: the end at the first failure, and sorted figures. A bench is one source file, which
 * defines BENCH, its name, before it includes this. */
#ifndef RLM_BENCH_BENCH_H
#define RLM_BENCH_BENCH_H

#include <stdio.h>
#include <stdlib.h>

#include "relume/relume.h"

static relume_error error;

static inline void check(relume_status status)
{
    if (status == RELUME_OK)
        return;
    (void)fprintf(stderr, BENCH ": %s\n", error.message);
    exit(1);
}

static inline int compare_doubles(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;
    return (first > second) - (first < second);
}

/* Ascending, so that the median is value[count / 2]. */
static inline void sort(double *value, size_t count)
{
    qsort(value, count, sizeof *value, compare_doubles);
}

#endif
