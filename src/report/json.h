/* Keys with their values, for the parts of a report's JSON. */
#ifndef RLM_REPORT_JSON_H
#define RLM_REPORT_JSON_H

#include "report/facts.h"
#include "report/writer.h"

void rlm_put_text(struct rlm_writer *w, const char *key, const char *value); /* NULL: null */
void rlm_put_u64(struct rlm_writer *w, const char *key, uint64_t value);
void rlm_put_double(struct rlm_writer *w, const char *key, double value); /* not finite: null */
void rlm_put_float(struct rlm_writer *w, const char *key, float value);
void rlm_put_bool(struct rlm_writer *w, const char *key, bool value);
void rlm_put_packed(struct rlm_writer *w, const char *key, const struct rlm_packed *packed);
void rlm_put_u64s(struct rlm_writer *w, const char *key, const uint64_t *value, size_t count);
void rlm_put_doubles(struct rlm_writer *w, const char *key, const double *value, size_t count);
void rlm_put_null(struct rlm_writer *w, const char *key);
void rlm_put_object(struct rlm_writer *w, const char *key); /* opened */
void rlm_put_array(struct rlm_writer *w, const char *key);

/* The fields autopsy and autopsy_account. */
void rlm_json_autopsy(struct rlm_writer *w, const struct rlm_facts *facts);

#endif
