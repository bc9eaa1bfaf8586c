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
    bool has_rate;
    relume_safe_rate rate;
};

/* Share of all hidden units born dead: as measured. */
double forecast_share(const relume_forecast *forecast);
/* The alternative with the fewest born dead, if it spares more than one unit in 200; else 0: the one chosen.
 */
size_t forecast_best(const struct forecast *forecast);

relume_status forecast_print_text(const struct forecast *forecast, relume_error *error);
relume_status forecast_print_json(const struct forecast *forecast, relume_error *error);

#endif
