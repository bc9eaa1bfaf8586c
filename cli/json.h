/* JSON documents: built with jansson, printed so that people can read them too.
 *
 * Numbers are printed with the fewest digits that give the same double back (at most 17), float32 values with
 * at most 9; a number that is not finite becomes null. Fields keep the order they were set in. A document
 * remembers a failure to build any part of it, so that callers check once, when they print. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "relume/relume.h"

struct cli_json {
    json_t *root;
    bool failed;
};

/* A document with "schema" and "relume". */
void cli_json_init(struct cli_json *document, const char *schema);
void cli_json_deinit(struct cli_json *document);

/* Sets a field of `object`, appends to `array`; the value is taken over. A NULL value counts as a failure. */
void cli_json_set(struct cli_json *document, json_t *object, const char *key, json_t *value);
void cli_json_add(struct cli_json *document, json_t *array, json_t *value);

json_t *cli_json_double(double value); /* null when not finite */
json_t *cli_json_float(float value);   /* likewise */
json_t *cli_json_count(uint64_t value);
json_t *cli_json_text(const char *text); /* null for NULL; bytes that are not UTF-8 become U+FFFD */

/* Prints the document and a newline on stdout. NO_MEMORY when it could not be built; a failure to write is
 * found when stdout is closed. */
relume_status cli_json_print(const struct cli_json *document, relume_error *error);

#endif
