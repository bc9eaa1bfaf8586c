/* The autopsy: when, by which update and why each unit of a run died, and whether it can return.
 *
 * The run is repeated from its checkpoints, bit for bit; every count is exact, over the whole training split
 * D, in the engine's own rounding. docs/autopsy.md derives the splits and says what each verdict rests on. */
#ifndef RELUME_AUTOPSY_H
#define RELUME_AUTOPSY_H

#include "relume/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What may have killed a unit; flags, or-ed. The first four are parts of one update, the others reasons in
 * the initial weights. */
typedef enum relume_cause {
    RELUME_CAUSE_GRADIENT = 1,   /* of the batch at hand */
    RELUME_CAUSE_MOMENTUM = 2,   /* what momentum, or Adam's moments, carried over from former batches */
    RELUME_CAUSE_DECAY = 4,      /* weight decay */
    RELUME_CAUSE_BELOW = 8,      /* the layers below moved the unit's inputs */
    RELUME_CAUSE_BIAS = 16,      /* born dead: a negative bias */
    RELUME_CAUSE_UNCENTRED = 32, /* born dead: inputs that share a mean; in a layer fed by ReLUs they always
                                    do (depth) */
    RELUME_CAUSE_CHANCE = 64     /* born dead, and neither of the two above */
} relume_cause;
/* "gradient", "momentum", "decay", "below", "bias", "uncentred inputs", "chance" for one flag; NULL for none.
 */
RELUME_API const char *relume_cause_name(relume_cause cause);

/* FROZEN: proved never to return, on D, under this optimizer. COASTING: the optimizer's state or weight decay
 * still moves it, with the end foretold. REVIVABLE: the layers below can bring it back. STRUCTURAL: no weight
 * and no bias above 0 behind a ReLU: dead whatever the layers below do. */
typedef enum relume_verdict {
    RELUME_FROZEN,
    RELUME_COASTING,
    RELUME_REVIVABLE,
    RELUME_STRUCTURAL
} relume_verdict;
/* "frozen", "coasting", "revivable", "structural". */
RELUME_API const char *relume_verdict_name(relume_verdict verdict);

/* Whether a unit returns if training goes on, as of the state after `as_of` updates. */
typedef struct relume_prognosis {
    relume_verdict verdict;
    uint64_t as_of;
    uint64_t revives_at; /* COASTING: the update after which some sample opens it again; 0: none found */
    int never;           /* COASTING: not 0: proved that it never does; FROZEN and STRUCTURAL: always */
    uint64_t looked_to;  /* COASTING without either: no return up to this update */
    double margin;       /* −max p at that state: how far the bias alone would have to rise */
    double distance;     /* the smallest change of weights and bias, as a 2-norm, that makes it fire */
    char because[320];   /* one sentence, with optimizer, layer and data */
} relume_prognosis;

/* One sample of the batch and what it did. */
typedef struct relume_pusher {
    size_t sample;     /* row of the training split */
    double push;       /* its share of the gradient part at x*, in units of pre-activation */
    double norm_ratio; /* length of the unit's input for it, beside the median over the batch */
    int decisive;      /* not 0: without this one sample in the batch the unit would have lived */
} relume_pusher;
#define RELUME_PUSHERS 3

/* A stretch of updates over which a unit was dead: from the update that killed it (0: born dead) to the one
 * that revived it, 0 while it lasts. */
typedef struct relume_episode {
    uint64_t from, to;
} relume_episode;

/* One death. Units of pre-activation unless said otherwise; NaN where a field does not apply. */
typedef struct relume_death {
    size_t layer; /* hidden layer, from 0 (h1) */
    size_t unit;
    relume_event_kind kind; /* BORN_DEAD or KILLED */
    uint64_t step, epoch;   /* the update; both 0 for BORN_DEAD */
    uint64_t returned;      /* 0: dead at the end; else it is alive again after this many updates */
    double learning_rate;
    size_t layer_deaths; /* units of this layer that this same update killed, of those looked at */

    /* at the weights before the update and after it, over D */
    uint64_t samples, fired_before;
    float margin_before, margin_after;
    size_t sample;       /* x*: the sample nearest the gate after the update */
    float before, after; /* its pre-activations */

    /* the change at x*: own_weights + own_bias + below = after − before, and gradient + momentum + decay =
     * own_weights + own_bias, both within `rounding` */
    double own_weights, own_bias, below, gradient, momentum, decay, rounding;
    unsigned causes;    /* of relume_cause, or-ed */
    int overdetermined; /* not 0: no part was necessary alone; `causes` are those that only together would
                           have had to be left out */
    double input_gamma; /* BORN_DEAD: ‖mean‖ / ‖deviation‖ of what feeds the layer */
    double bias;        /* the unit's bias before the update */

    double update_ratio;      /* ‖Δ‖ / ‖w‖ over the unit's weights and bias */
    double update_percentile; /* share of the layer's units that this update moved less, 0 to 100 */
    double run_percentile;    /* the same beside the layer's units at other steps of the run */
    double batch_loss, gradient_norm;
    size_t pushers;
    relume_pusher pusher[RELUME_PUSHERS]; /* by |push|, the strongest first */
    int outlier; /* not 0: the strongest was decisive, and its input is more than three times as long as the
                    median */

    /* learning rates of this one update that kill the unit, the layers below held as they came to be */
    int lethal;                    /* not 0: there are some */
    float lethal_low, lethal_high; /* lethal_high may be infinite */
    float largest_safe_rate;       /* just below lethal_low; 0: none */

    int drift; /* not 0: it starved over many steps: this update made less than a tenth of the fall */
    uint64_t drift_from;  /* the census at which the fall began: updates done */
    float drift_margin;   /* its margin there */
    uint64_t drift_fired; /* samples it fired on there */

    relume_prognosis prognosis;
    const relume_episode *episode; /* [episodes]; only with options.episodes */
    size_t episodes;
} relume_death;

typedef struct relume_autopsy_unit {
    size_t layer, unit;
} relume_autopsy_unit;

typedef struct relume_autopsy_options {
    const relume_autopsy_unit *unit; /* = NULL: those dead at the end of the run */
    size_t unit_count;
    int all;      /* = 0: a unit's last death; 1: every death the ledger has recorded */
    int episodes; /* = 0; 1: every death and return, to the step: repeats the run from its beginning */
    /* = NULL: updates that are done with, repeated or passed over; called in the caller's thread */
    void (*progress)(void *user, uint64_t done, uint64_t total);
    void *user;
    const volatile int *stop; /* = NULL: looked at after each update repeated, by several threads */
} relume_autopsy_options;
RELUME_API void relume_autopsy_options_default(relume_autopsy_options *options);

/* What the autopsy found. Deaths by step, layer, unit. Freed by relume_autopsy_destroy. */
typedef struct relume_autopsy {
    relume_death *death;
    size_t deaths;
    uint64_t as_of; /* updates behind the model looked at; of an unfinished run: behind its last census */
    uint64_t steps_repeated;
    double seconds;
    uint64_t temporary; /* deaths the ledger holds of units that live at the end, not looked at here */
} relume_autopsy;

/* Holds the autopsy of an open run; its data are loaded where they are not yet. `options` may be NULL.
 * NOT_FOUND (no checkpoint, data gone), MISMATCH (the data changed; a unit that the run has not), BAD_FORMAT
 * (checkpoints and history contradict each other), INTERRUPTED, NO_MEMORY. */
RELUME_API relume_status relume_autopsy_hold(relume_run *run, const relume_autopsy_options *options,
                                             relume_autopsy **autopsy, relume_error *error) RELUME_MUST_CHECK;
RELUME_API void relume_autopsy_destroy(relume_autopsy *autopsy);

#ifdef __cplusplus
}
#endif
#endif
