/* What the parts of relume sweep share: what is to be trained (sweep_plan.c), the outcomes gathered by
 * cmd_sweep.c, and their printers. */
#ifndef CLI_SWEEP_H
#define CLI_SWEEP_H

#include "training.h"

enum { SWEEP_RATES = 200, SWEEP_GROUPS = 35, SWEEP_RUN_NAME = 96 };

/* One init and one optimizer: a sweep of its own over all rates. */
struct sweep_group {
    relume_init init;
    relume_optimizer optimizer;
};

struct sweep_plan {
    double rate[SWEEP_RATES]; /* ascending */
    size_t rates;
    struct sweep_group group[SWEEP_GROUPS];
    size_t groups;
};

/* Reads --lr, --points, --init, --inits, --optimizer and --optimizers. False: `message` says what is wrong.
 */
bool sweep_plan_read(struct sweep_plan *plan, const struct cli_args *args, char *message, size_t size);

struct sweep {
    const struct cli_program *program;
    const relume_engine *engine;
    const relume_dataset *dataset;
    struct sweep_plan plan;
    struct cli_training training;
    relume_run_options options;
    relume_sweep_row *row; /* [groups · rates], group by group */
    size_t rows;           /* trained so far */
};

/* The rows of a group that are there, and where they begin. */
size_t sweep_rows_of(const struct sweep *sweep, size_t group, const relume_sweep_row **first);
/* "lr-0.1", with init and optimizer before where there are several. */
void sweep_run_name(const struct sweep *sweep, const relume_sweep_row *row, char name[SWEEP_RUN_NAME]);
/* Where the cliff of a group is, in a sentence or two. */
void sweep_cliff_words(const relume_sweep_row *row, size_t count, char *text, size_t size);

void sweep_print_plot(const struct cli_term *out, const relume_sweep_row *row, size_t count);
relume_status sweep_print_text(const struct sweep *sweep, relume_error *error);
relume_status sweep_print_json(const struct sweep *sweep, relume_error *error);

#endif
