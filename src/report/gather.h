/* The parts of gathering, one a source file. Each fills its part of the facts from the run; see facts.h. */
#ifndef RLM_REPORT_GATHER_H
#define RLM_REPORT_GATHER_H

#include "report/facts.h"
#include "run/history.h"

struct rlm_gather {
    struct rlm_facts *facts;
    relume_run *run;
    const relume_network *network;
    const relume_dataset *dataset; /* NULL: not to be had */
    relume_census *census;         /* counted here, where the run holds none of its weights; else NULL */
    struct rlm_history history;    /* open for reading */
    const volatile int *stop;      /* NULL: none */
    bool counted;                  /* the run was counted here, and the history is its own */
};

/* In this order: the choice of units looks at the events, and the verdict at everything. */
relume_status rlm_gather_epochs(struct rlm_gather *gather, relume_error *error);
relume_status rlm_gather_map(struct rlm_gather *gather, relume_error *error);
relume_status rlm_gather_events(struct rlm_gather *gather, relume_error *error);
relume_status rlm_gather_units(struct rlm_gather *gather, relume_error *error);
/* After the units, whose room it shares. */
relume_status rlm_gather_autopsy(struct rlm_gather *gather, const relume_report_options *options,
                                 relume_error *error);
relume_status rlm_gather_sweep(struct rlm_gather *gather, relume_error *error);
relume_status rlm_gather_forecast(struct rlm_gather *gather, relume_error *error);

/* Writes facts->verdict from all the rest. */
relume_status rlm_verdict_reach(struct rlm_facts *facts, relume_error *error);

/* A formatted text in the bag. */
relume_status rlm_facts_print(struct rlm_facts *facts, char **text, relume_error *error, const char *format,
                              ...) __attribute__((format(printf, 4, 5)));

/* A further point of the verdict, about what `about` says, its text to be filled. */
char **rlm_facts_point(struct rlm_facts *facts, const char *about);

#define RLM_SAY(facts, about, error, ...)                                                                    \
    rlm_facts_print(facts, rlm_facts_point(facts, about), error, __VA_ARGS__)

#endif
