/* Rows of the table that several commands share, and the commands whose rows lie in files of their own. For
 * table*.c only. */
#ifndef CLI_TABLE_ROWS_H
#define CLI_TABLE_ROWS_H

#include "table.h"

/* Whole numbers up to here are exact in every JSON reader. */
#define BIGGEST_SEED 9007199254740992.0

#define HELP_ROW                                                                                             \
    {                                                                                                        \
        .name = "help", .letter = 'h', .help = "show this help"                                              \
    }
#define JSON_ROW                                                                                             \
    {                                                                                                        \
        .name = "json", .help = "print one JSON document on stdout and nothing else there"                   \
    }
#define THREADS_ROW                                                                                          \
    {                                                                                                        \
        .name = "threads", .kind = CLI_WHOLE, .value = "N", .low = 1, .high = 1024,                          \
        .help = "threads to compute with; by default the cores this process may use; results do not depend " \
                "on it"                                                                                      \
    }
#define NEARLY_DEAD_ROW                                                                                      \
    {                                                                                                        \
        .name = "nearly-dead", .kind = CLI_SHARE, .value = "SHARE", .fallback = "1%", .low = 0, .high = 1,   \
        .help = "a unit that fires on some samples but on fewer than this share counts as nearly dead"       \
    }
#define FAIL_IF_DEAD_ROW                                                                                     \
    {                                                                                                        \
        .name = "fail-if-dead", .kind = CLI_SHARE, .value = "SHARE", .low = 0, .high = 1,                    \
        .help = "exit with 1 when more than this share of the hidden units is dead, such as 5%"              \
    }
#define DATA_ROWS                                                                                            \
    {.name = "labels",                                                                                       \
     .kind = CLI_FILE,                                                                                       \
     .value = "FILE",                                                                                        \
     .help = "labels or targets of a bare .npy of features"},                                                \
        {.name = "target",                                                                                   \
         .kind = CLI_TEXT,                                                                                   \
         .value = "COLUMN",                                                                                  \
         .help = "a CSV's target column, by name or number"},                                                \
        {.name = "x-key", .kind = CLI_TEXT, .value = "NAME", .help = "the array of features in an .npz"},    \
        {.name = "y-key", .kind = CLI_TEXT, .value = "NAME", .help = "the array of targets in an .npz"},     \
        {.name = "test",                                                                                     \
         .kind = CLI_DATA,                                                                                   \
         .value = "DATA",                                                                                    \
         .help = "other data to serve as the test split"},                                                   \
    {                                                                                                        \
        .name = "holdout", .kind = CLI_SHARE, .value = "SHARE", .fallback = "0", .low = 0, .high = 1,        \
        .below = true, .help = "share of the samples set aside, by the seed, as the test split"              \
    }
#define SPLIT_SEED_ROW                                                                                       \
    {                                                                                                        \
        .name = "seed", .kind = CLI_WHOLE, .high = BIGGEST_SEED, .value = "N", .fallback = "0",              \
        .help = "the seed the holdout is drawn with: that of the training run"                               \
    }

/* Commands in files of their own, for cli_commands. */
extern const struct cli_command cli_autopsy_command;   /* table_autopsy.c */
extern const struct cli_command cli_bench_command;     /* table_bench.c */
extern const struct cli_command cli_explain_command;   /* table_explain.c */
extern const struct cli_command cli_forecast_command;  /* table_forecast.c */
extern const struct cli_command cli_gradcheck_command; /* table_gradcheck.c */
extern const struct cli_command cli_serve_command;     /* table_serve.c */
extern const struct cli_command cli_sweep_command;     /* table_sweep.c */
extern const struct cli_command cli_train_command;     /* table_train.c */

#endif
