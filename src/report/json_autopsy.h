/* The autopsy's part of a report's JSON. */
#ifndef RLM_REPORT_JSON_AUTOPSY_H
#define RLM_REPORT_JSON_AUTOPSY_H

#include "report/facts.h"
#include "report/writer.h"

/* The fields autopsy and autopsy_account. */
void rlm_json_autopsy(struct rlm_writer *w, const struct rlm_facts *facts);

#endif
