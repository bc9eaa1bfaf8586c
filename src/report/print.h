/* The three printers of a report's facts. Each appends to a buffer, which the caller asks once whether it
 * failed. */
#ifndef RLM_REPORT_PRINT_H
#define RLM_REPORT_PRINT_H

#include "base/strbuf.h"
#include "report/facts.h"

void rlm_report_json(const struct rlm_facts *facts, struct rlm_strbuf *buffer);

/* For a terminal of `width` columns; no line is longer. With `ascii`, a digit from 1 to 8 stands for a bar of
 * a strip, `>` for an arrow, and
 * `?` for what else ASCII has not. */
void rlm_report_text(const struct rlm_facts *facts, size_t width, bool ascii, struct rlm_strbuf *buffer);

/* One file. False in a build that carries no page; nothing is appended then. */
bool rlm_report_html(const struct rlm_facts *facts, struct rlm_strbuf *buffer);

#endif
