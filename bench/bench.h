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

/* A network of this data set's features and outputs, with the default initial weights. */
static inline relume_network *network_of(relume_engine *engine, const relume_dataset *dataset,
                                         size_t hidden_layers, const size_t *hidden)
{
    relume_network_options shape;
    relume_network *network = NULL;
    relume_network_options_default(&shape);
    shape.in_features = relume_dataset_get_features(dataset);
    shape.hidden_layers = hidden_layers;
    shape.hidden = hidden;
    shape.out_features = relume_dataset_get_outputs(dataset);
    shape.dataset = dataset;
    check(relume_network_create(engine, &shape, &network, &error));
    return network;
}

/* Plain SGD for as many steps as a bench may want, at a rate that kills nobody. */
static inline relume_trainer_options plain_training(size_t batch)
{
    relume_trainer_options options;
    relume_trainer_options_default(&options);
    options.optimizer = RELUME_SGD;
    options.learning_rate = 0.01;
    options.batch_size = batch;
    options.epochs = 1000000;
    return options;
}

#endif
