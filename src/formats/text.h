/* Texts from files, made fit for messages: a name may hold anything, a terminal must not. */
#ifndef RLM_FORMATS_TEXT_H
#define RLM_FORMATS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the UTF-8 character at the start of text[size]; 0 when there is no valid one, or the text is
 * empty. */
size_t rlm_utf8_length(const char *text, size_t size);
bool rlm_utf8_is_valid(const char *text);

#define RLM_QUOTE_SIZE 80

/* About 60 bytes of `name` in quotes, "..." after them when it goes on, with control characters and bytes
 * that are not UTF-8 shown as '?'. Returns `text`. */
const char *rlm_quote(char text[RLM_QUOTE_SIZE], const char *name);

#endif
