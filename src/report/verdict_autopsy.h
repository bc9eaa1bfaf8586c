/* The sentences of a verdict that rest on the autopsy; verdict.c has the others, and asks for these. */
#ifndef RLM_REPORT_VERDICT_AUTOPSY_H
#define RLM_REPORT_VERDICT_AUTOPSY_H

#include "report/gather.h"

/* What the deaths that last have in common. */
struct rlm_deaths_sum {
    size_t born;           /* of the dead: dead from the start, without a return */
    size_t killed;         /* of the dead: killed */
    uint64_t median, last; /* steps of the killed ones' deaths */
    size_t worst;          /* the layer with the most dead */
    size_t silent_layer;   /* a layer without a living unit; layers: none */
    size_t first_layer;    /* dead in h1 */
};

/* With an autopsy: the main cause, whether they return, and what to do about it. */
relume_status rlm_verdict_cause(struct rlm_facts *facts, relume_error *error);
relume_status rlm_verdict_prognosis(struct rlm_facts *facts, relume_error *error);
relume_status rlm_verdict_remedy(struct rlm_facts *facts, const struct rlm_deaths_sum *sum,
                                 relume_error *error);

#endif
