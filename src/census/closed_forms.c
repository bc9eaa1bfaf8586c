/* See closed_forms.h. Integrals over the standard normal by the trapezoid rule, which converges faster than
 * any power for integrands as smooth as these: 4,096 points over ±12 leave an error below 1e-12 (tests/unit
 * compare with 1/(n+1)). */
#include "census/closed_forms.h"

#include <math.h>

#define PI 3.14159265358979323846
#define REACH 12.0
#define POINTS 4096

/* log Φ(x), without losing the far left tail: Φ(x) = erfc(−x/√2)/2, and for x < −30 its asymptotic form. */
static double log_phi(double x)
{
    if (x > -30.0)
        return log(0.5 * erfc(-x / sqrt(2.0)));
    return -0.5 * x * x - log(-x) - 0.5 * log(2.0 * PI);
}

double rlm_born_dead(double correlation, uint64_t samples)
{
    if (samples == 0)
        return 1.0;
    if (correlation >= 1.0)
        return 0.5;
    double slope = correlation > 0.0 ? sqrt(correlation / (1.0 - correlation)) : 0.0;
    double step = 2.0 * REACH / POINTS, sum = 0.0;
    for (int i = 0; i <= POINTS; i++) {
        double g = -REACH + step * i;
        sum += exp((double)samples * log_phi(-g * slope) - 0.5 * g * g);
    }
    return sum * step / sqrt(2.0 * PI);
}

double rlm_relu_correlation(double correlation)
{
    if (correlation >= 1.0)
        return 1.0;
    if (correlation <= -1.0)
        return 0.0;
    return (sqrt(1.0 - correlation * correlation) + correlation * (PI - acos(correlation))) / PI;
}

double rlm_network_born_dead(uint64_t width, uint64_t hidden_layers)
{
    return -expm1((double)hidden_layers * log1p(-exp2(-(double)width)));
}
