/* Reading JSON (RFC 8259) into jansson's values, when memory may run out.
 *
 * jansson 2.14's own reader ignores a refusal while its buffer of a string grows: a text comes out cut short,
 * or the process is aborted by an assertion. Its values can be built without that, so what reads them is
 * here; its reader is asked only about texts that this one refuses, for its words and the place. */
#ifndef RLM_FORMATS_JSON_H
#define RLM_FORMATS_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "relume/status.h"

/* Parses `size` bytes of UTF-8, an array or an object; duplicate keys, \u0000, whole numbers beyond 64 bits
 * and anything after the value are refused. BAD_FORMAT: `trouble` says where and what; NO_MEMORY. Sets no
 * error. */
relume_status rlm_json_parse(const char *text, size_t size, json_t **value, json_error_t *trouble);

#endif
