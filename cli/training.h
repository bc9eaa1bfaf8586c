/* Options that the commands which train share (their rows are in training_rows.h), read into the library's
 * structs. */
#ifndef CLI_TRAINING_H
#define CLI_TRAINING_H

#include "program.h"

/* What the options of training point into. */
struct cli_training {
    relume_trainer_options trainer;
    struct cli_widths widths; /* --hidden */
    struct cli_schedule schedule;
    relume_schedule_point point[CLI_MAX_POINTS];
};

/* Reads --batch, --optimizer, the rows of STEP_ROWS and ORDER_ROWS, and --hidden; what no row asks for keeps
 * the library's default. The learning rate is the optimizer's usual one. */
void cli_training_read(struct cli_training *training, const struct cli_args *args);

/* The rate that suits an optimizer where none is given. */
double cli_usual_rate(relume_optimizer optimizer);

/* An option of kind INTERVAL. */
relume_interval cli_interval_option(const struct cli_args *args, const char *name);

/* The network that --hidden, --init, --loss and --seed describe, for this data set; `hidden` points into
 * `training`. */
void cli_network_options(const struct cli_training *training, const struct cli_args *args,
                         const relume_dataset *dataset, relume_network_options *options);

#endif
