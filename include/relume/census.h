/* The exact account of every hidden unit: a census at fixed weights, and the ledger of a training run.
 *
 * A census runs every sample of a split through the network and counts, for each unit, the samples with a
 * pre-activation above 0. A unit that no sample opens is dead on that split; nothing is estimated. */
#ifndef RELUME_CENSUS_H
#define RELUME_CENSUS_H

#include "relume/network.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum relume_unit_state {
    RELUME_DEAD,
    RELUME_NEARLY_DEAD,
    RELUME_ALIVE,
    RELUME_ALWAYS_ON
} relume_unit_state;
/* "dead", "nearly dead", "alive", "always on". */
RELUME_API const char *relume_unit_state_name(relume_unit_state state);

/* The thresholds τ at which dormancy is reported (Sokar et al., ReDo). */
#define RELUME_TAUS 3
RELUME_API double relume_census_get_tau(size_t index); /* 0, 0.025, 0.1 */

typedef struct relume_unit_account {
    uint64_t active;        /* samples with p > 0 */
    float margin;           /* max of p over the split */
    double firing_rate;     /* active / samples */
    double mean_activation; /* mean of z over the split */
    double dormancy; /* s = mean z / (mean over the layer of mean z); 0 where the whole layer is silent */
    relume_unit_state state;
} relume_unit_account;

typedef struct relume_layer_account {
    const char *name, *foreign_name;
    size_t units;
    size_t dead, nearly_dead, always_on, mute;
    size_t dormant[RELUME_TAUS];
    double mean_firing_rate;
    const relume_unit_account *unit; /* [units] */
} relume_layer_account;

typedef struct relume_census relume_census;

typedef struct relume_census_options {
    double nearly_dead; /* = 0.01: firing rates above 0 and below this */
    size_t batch_size;  /* = 0: chosen for speed; the account does not depend on it */
} relume_census_options;
RELUME_API void relume_census_options_default(relume_census_options *options);

/* Allocates all that counting needs, so that one census object can count again and again as the weights
 * change. */
RELUME_API relume_status relume_census_create(const relume_network *network, const relume_dataset *dataset,
                                              relume_split split, const relume_census_options *options,
                                              relume_census **census, relume_error *error) RELUME_MUST_CHECK;
/* Counts at the network's current weights. DIVERGED names layer and unit when a pre-activation is not finite;
 * the account is then the former one. Allocates nothing. */
RELUME_API relume_status relume_census_count(relume_census *census, relume_error *error) RELUME_MUST_CHECK;
RELUME_API void relume_census_destroy(relume_census *census);

/* Hidden layers, in order. Views are valid until the next count or destroy. */
RELUME_API size_t relume_census_get_layers(const relume_census *census);
RELUME_API relume_layer_account relume_census_get_layer(const relume_census *census, size_t layer);
RELUME_API uint64_t relume_census_get_samples(const relume_census *census);
RELUME_API size_t relume_census_get_units(const relume_census *census);
RELUME_API size_t relume_census_get_dead(const relume_census *census);
/* Mean loss and accuracy over the split at the weights counted, which the same pass gives; NaN without
 * targets. */
RELUME_API double relume_census_get_loss(const relume_census *census);
RELUME_API double relume_census_get_accuracy(const relume_census *census);

/* What the ledger of a training run records: a unit found dead at the initial weights, one that died, one
 * that returned. */
typedef enum relume_event_kind { RELUME_BORN_DEAD, RELUME_KILLED, RELUME_REVIVED } relume_event_kind;
/* "born dead", "killed", "revived". */
RELUME_API const char *relume_event_kind_name(relume_event_kind kind);

/* One event of one hidden unit. The former state is proved after `after_step` updates and the new one after
 * `step`; when a single update lies between, `exact` is 1 and `step` is the update that did it. Born dead:
 * both 0, exact. */
typedef struct relume_event {
    size_t layer; /* hidden layer, from 0 (h1) */
    size_t unit;
    relume_event_kind kind;
    uint64_t after_step, step;
    int exact;
} relume_event;

#ifdef __cplusplus
}
#endif
#endif
