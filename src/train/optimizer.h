/* Optimizers: from the options to the coefficients of one update. The updates themselves are kernels
 * (kernels/args.inc). */
#ifndef RLM_TRAIN_OPTIMIZER_H
#define RLM_TRAIN_OPTIMIZER_H

#include <stdbool.h>

#include "kernels/kernels.h"
#include "relume/trainer.h"

/* Tensors of state a parameter: 0 SGD, 1 momentum and nesterov, 2 adam and adamw. And their names in a
 * checkpoint. */
size_t rlm_optimizer_slots(relume_optimizer optimizer);
const char *rlm_optimizer_slot_name(relume_optimizer optimizer, size_t slot);

/* The coefficients of update `step` (from 1) at learning rate `rate`, for a weight or a bias: computed in
 * double and rounded once. They depend on nothing else, so a run resumed at any step goes on with the same
 * bits. */
struct rlm_update rlm_optimizer_update(const relume_trainer_options *options, double rate, uint64_t step,
                                       bool bias);

/* base^exponent by squaring: one fixed order of multiplications for every exponent. */
double rlm_optimizer_power(double base, uint64_t exponent);

/* When a parameter never moves again as long as its gradient stays 0, at any learning rate of the schedule
 * (kernels/rest.h). Both are infinite, so it is never known to rest, where something else moves it. */
struct rlm_rest_bound rlm_optimizer_rest_bound(const relume_trainer_options *options);

#endif
