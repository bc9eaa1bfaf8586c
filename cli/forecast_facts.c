/* What the text and the JSON of relume forecast both work out of its cases. */
#include "forecast.h"

double forecast_share(const relume_forecast *forecast)
{
    double dead = 0, units = 0;
    for (size_t k = 0; k < forecast->layers; k++) {
        dead += forecast->layer[k].measured * (double)forecast->layer[k].units;
        units += (double)forecast->layer[k].units;
    }
    return units > 0 ? dead / units : 0;
}

size_t forecast_best(const struct forecast *forecast)
{
    const double worth_it = 0.005;
    size_t best = 0;
    for (size_t i = 1; i < forecast->cases; i++)
        if (forecast_share(&forecast->at[i].forecast) < forecast_share(&forecast->at[best].forecast))
            best = i;
    bool spares =
        forecast_share(&forecast->at[best].forecast) < forecast_share(&forecast->at[0].forecast) - worth_it;
    return spares ? best : 0;
}
