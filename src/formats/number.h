/* Decimal numbers as text, the same in every locale. */
#ifndef RLM_FORMATS_NUMBER_H
#define RLM_FORMATS_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

enum rlm_number { RLM_NUMBER_NONE, RLM_NUMBER_INTEGER, RLM_NUMBER_REAL, RLM_NUMBER_NONFINITE };

/* Reads text[length], which a 0 byte follows, as [+-]digits (INTEGER), or with a point or an exponent (REAL),
 * to the nearest double. NaN and infinities, spelled in any case, and numbers beyond the range of double are
 * NONFINITE; all else, the empty text and hexadecimal numbers among it, is NONE and leaves *value alone. */
enum rlm_number rlm_number_read(const char *text, size_t length, double *value);

#endif
