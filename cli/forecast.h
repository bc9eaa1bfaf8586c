/* What the parts of relume forecast share: the forecasts gathered by cmd_forecast.c and their printers. */
#ifndef CLI_FORECAST_H
#define CLI_FORECAST_H

#include "training.h"

enum { FORECAST_CASES = 10 };

/* One way to begin: an init, on data as they are or standardized. */
struct forecast_case {
    relume_init init;
    bool standardize;
    relume_forecast forecast;
};

struct forecast {
    const struct cli_program *program;
    const relume_engine *engine;
    const relume_dataset *dataset; /* as chosen */
    struct cli_training training;
    relume_network_options network;
    struct forecast_case at[FORECAST_CASES]; /* the first is the one chosen, the others its alternatives */
    size_t cases;
    const char *run;      /* whose forecast this is; NULL: of DATA */
    char fingerprint[24]; /* of the run's data */
    bool has_rate;
    relume_safe_rate rate;
};

/* Share of all hidden units born dead: as measured. */
double forecast_share(const relume_forecast *forecast);
/* The alternative with the fewest born dead, if it spares more than one unit in 200; else 0: the one chosen.
 */
size_t forecast_best(const struct forecast *forecast);

/* With a run in place of DATA: replaces the program's arguments by what the run's settings stand for. USAGE
 * where options that are the run's own were typed, MISMATCH where there is nothing to forecast, and what
 * opening a run gives. */
relume_status forecast_read_run(struct forecast *forecast, struct cli_program *program, relume_engine *engine,
                                relume_error *error);
/* MISMATCH when the data are not the run's. */
relume_status forecast_check_data(const struct forecast *forecast, relume_error *error);
/* Leaves the forecast with the run, and says so; what hinders it is no failure of the forecast. */
void forecast_keep(const struct forecast *forecast, relume_engine *engine);

/* How far a rate must spare everybody, in words: "200 steps", or "step" after "the first". */
void forecast_steps(const struct forecast *forecast, char *text, size_t size);

relume_status forecast_print_text(const struct forecast *forecast, relume_error *error);
relume_status forecast_print_json(const struct forecast *forecast, relume_error *error);

#endif
