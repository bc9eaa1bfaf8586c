/* Closed forms for born-dead units: what chance alone kills before the first step. Pure functions of a few
 * numbers; forecast.h applies them to a data set and a network. Sources: docs/forecast.md. */
#ifndef RLM_CENSUS_CLOSED_FORMS_H
#define RLM_CENSUS_CLOSED_FORMS_H

#include <stdint.h>

/* P(a unit with Gaussian weights is off for all of `samples` inputs) when every two pre-activations correlate
 * by `correlation`, −1 < correlation ≤ 1: E_g[Φ(−g √(ρ/(1−ρ)))ⁿ], g standard normal. ρ = ½ gives 1/(n + 1), ρ
 * = 0 gives 2⁻ⁿ, ρ → 1 gives ½. A negative correlation is taken as 0 (n equal samples cannot all repel each
 * other for large n). */
double rlm_born_dead(double correlation, uint64_t samples);

/* Correlation of two pre-activations after a layer of Gaussian weights and ReLU whose own correlated by
 * `correlation`: ρ' = (√(1 − ρ²) + ρ (π − arccos ρ)) / π (the arc-cosine kernel of degree 1, Cho and Saul
 * 2009). */
double rlm_relu_correlation(double correlation);

/* P(some hidden layer of a network is dead at one input point): 1 − (1 − 2⁻ᴺ)ᴴ for H hidden layers of N units
 * with symmetric weights and no bias (Lu, Shin, Su and Karniadakis 2020). */
double rlm_network_born_dead(uint64_t width, uint64_t hidden_layers);

#endif
