/* A line about a run, for a list of runs: read from its history alone, in a few statements, so that fifty
 * long runs are listed within a second. Knows no unit. */
#ifndef RLM_REPORT_SUMMARY_H
#define RLM_REPORT_SUMMARY_H

#include "base/strbuf.h"
#include "report/bag.h"
#include "run/settings.h"

/* The course of a run at some of its epochs, the first and the last among them. */
#define RLM_SUMMARY_POINTS 120
struct rlm_summary_point {
    uint64_t epoch, step, dead; /* dead hidden units; UINT64_MAX where no census was held yet */
    double train_loss, test_loss, train_accuracy, test_accuracy;
};

struct rlm_summary {
    struct rlm_bag bag;
    const char *path;
    struct rlm_settings settings;
    const char *state; /* as in struct rlm_facts */
    uint64_t step, epoch, hidden_units, samples;
    size_t points;
    struct rlm_summary_point *point;
};

/* NOT_FOUND where no run has begun, BAD_FORMAT, IO, NO_MEMORY. */
relume_status rlm_summary_create(relume_engine *engine, const char *path, struct rlm_summary **result,
                                 relume_error *error);
void rlm_summary_destroy(struct rlm_summary *summary); /* NULL allowed */

/* As JSON, schema relume.run-summary/1. */
void rlm_summary_json(const struct rlm_summary *summary, struct rlm_strbuf *buffer);

#endif
