/* The inside of a census, for the ledger and the run: counting that can be stopped, and an account put
 * together again from stored counts. */
#ifndef RLM_CENSUS_CENSUS_H
#define RLM_CENSUS_CENSUS_H

#include "network/forward.h"
#include "network/loss.h"
#include "relume/census.h"

struct rlm_census_layer {
    relume_layer_account account;
    relume_unit_account *unit; /* [units] */
    uint64_t *active;          /* [units]: of the count that is under way */
};

struct relume_census {
    const relume_network *network;
    const relume_dataset *dataset; /* NULL: the account was stored, and nothing can be counted */
    struct rlm_rows rows;
    relume_census_options options;
    size_t layers; /* hidden layers */
    struct rlm_census_layer *layer;
    /* [units of the first hidden layer], for whoever can prove it before a count: 1 where the account of the
     * last count still holds for a unit that was dead in it. Such a unit is left out. A count sets all to 0
     */
    uint8_t *known;
    bool counted;  /* there has been a count, */
    uint64_t step; /* after this many updates: set by rlm_count_between (run/counting.h) alone */
    uint64_t samples;
    double loss, accuracy; /* NaN where there is none */
    bool has_loss;
    struct rlm_pass pass;
    struct rlm_loss_pass loss_pass;
    struct rlm_arena arena;
};

/* relume_census_count that looks at `stop` (may be NULL) between batches: INTERRUPTED when it is not 0, the
 * account then being the former one. */
relume_status rlm_census_count(relume_census *census, const volatile int *stop, relume_error *error);

/* A census without data, of the shape of `network`: the caller puts active, margin and mean_activation of
 * every unit into layer[].unit, then calls rlm_census_settle. NO_MEMORY. */
relume_status rlm_census_create_stored(const relume_network *network, uint64_t samples,
                                       const relume_census_options *options, relume_census **census,
                                       relume_error *error);

/* relume_census_create in the buffers of `lender`; see rlm_pass_init_beside. NULL: in its own. */
relume_status rlm_census_create_beside(const relume_network *network, const relume_dataset *dataset,
                                       relume_split split, const relume_census_options *options,
                                       const struct rlm_pass *lender, relume_census **census,
                                       relume_error *error);

/* Counts no more: what counting needs is freed, or goes back to its lender, and the account stays. */
void rlm_census_close(relume_census *census);

/* Derives from active, margin and mean_activation of every unit all that the account says beside them, at the
 * network's current weights. Part of every count. */
void rlm_census_settle(relume_census *census);

#endif
