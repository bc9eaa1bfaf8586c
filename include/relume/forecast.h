/* Before training: how many units will be born dead, why, and which learning rate kills nobody in the first
 * steps.
 *
 * Two answers stand side by side: a closed form that knows only the mean norm and the mean correlation of the
 * inputs (docs/forecast.md derives it), and a measurement: networks are drawn with several seeds and each is
 * counted exactly over the whole training split. */
#ifndef RELUME_FORECAST_H
#define RELUME_FORECAST_H

#include "relume/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What most of a layer's born-dead units are owed to. */
typedef enum relume_blame {
    RELUME_BLAME_NOTHING,   /* fewer than one unit in 200 */
    RELUME_BLAME_UNCENTRED, /* the first layer's inputs share a large mean */
    RELUME_BLAME_BIAS,      /* biases are drawn, and outweigh the inputs */
    RELUME_BLAME_DEPTH,     /* each ReLU layer pushes the samples' directions together */
    RELUME_BLAME_CHANCE     /* few samples: chance alone */
} relume_blame;
/* "nothing", "uncentred inputs", "drawn biases", "depth", "chance". */
RELUME_API const char *relume_blame_name(relume_blame blame);

typedef struct relume_forecast_layer {
    char name[24];
    size_t units;
    double correlation;           /* expected correlation of two samples' pre-activations */
    double expected;              /* born-dead share by the closed form */
    double measured, least, most; /* mean, least and greatest share over the seeds */
    double standard_error;        /* of `measured`, from the seeds' spread */
    relume_blame blame;
} relume_forecast_layer;

typedef struct relume_forecast {
    size_t seeds, samples;
    double mean_norm;      /* ‖mean of the scaled inputs‖ */
    double deviation_norm; /* √(mean of ‖x − mean‖²) */
    double gamma;          /* mean_norm / deviation_norm; infinite for inputs that are all the same */
    double network_dead; /* P(some whole hidden layer is dead at one input point), Lu et al.: 1 − Π (1 − 2⁻ᴺ)
                            over the layers' widths N; NaN with drawn biases, for which it does not hold */
    size_t
        networks_dead; /* of the networks drawn, those in which a whole hidden layer is dead on the split */
    size_t layers;
    relume_forecast_layer *layer; /* [layers] */
} relume_forecast;

/* Forecasts for the network that `network` describes (its seed is the first of `seeds` consecutive ones) on
 * the training split of its dataset. `network->dataset` must be set. Free it with relume_forecast_deinit.
 * USAGE, NO_MEMORY. */
RELUME_API relume_status relume_forecast_count(relume_engine *engine, const relume_network_options *network,
                                               size_t seeds, relume_forecast *forecast,
                                               relume_error *error) RELUME_MUST_CHECK;
RELUME_API void relume_forecast_deinit(relume_forecast *forecast);

/* The largest learning rate that kills no unit within the first `steps` updates. */
typedef struct relume_safe_rate {
    double safe;   /* the largest rate tried below every rate that killed; 0: even the least one killed */
    double lethal; /* the least rate tried that killed or diverged; 0: none did */
    int diverged;  /* not 0: `lethal` did not kill but diverged */
    uint64_t step; /* at `lethal`: the update that killed */
    size_t layer, unit; /* and whom, first */
} relume_safe_rate;

/* Searches rates from `least` to `most` (0 < least < most) by training from the same start again and again,
 * with an exact look for dead units after every step: upwards by factors of 2 to the first lethal rate, then
 * by bisection until the two are within 5 %. Death is not monotone in the rate, so `safe` is the border that
 * this search meets first from below. */
RELUME_API relume_status relume_forecast_rate(relume_engine *engine, const relume_network_options *network,
                                              const relume_trainer_options *trainer, uint64_t steps,
                                              double least, double most, relume_safe_rate *rate,
                                              relume_error *error) RELUME_MUST_CHECK;

/* Leaves a forecast, and the rate found where `rate` is not NULL, with the run at `run`: its report shows
 * them. An earlier one is replaced. NOT_FOUND where there is no run, LOCKED while another process trains it,
 * MISMATCH where its hidden layers are others, BAD_FORMAT, IO, NO_MEMORY. */
RELUME_API relume_status relume_forecast_keep(relume_engine *engine, const char *run,
                                              const relume_forecast *forecast, const relume_safe_rate *rate,
                                              uint64_t steps, relume_error *error) RELUME_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
