/* Writing JSON: commas, escapes and numbers. The text is ASCII, and `<`, `>` and `&` are escaped too, so that
 * it can stand inside a page's script element as it is; bytes of a name that are no UTF-8 become U+FFFD. */
#ifndef RLM_REPORT_WRITER_H
#define RLM_REPORT_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "report/pack.h"

struct rlm_writer {
    struct rlm_strbuf *buffer; /* ask it once, at the end, whether it failed */
    bool comma;                /* a value stands before in this object or array */
};

void rlm_write_open(struct rlm_writer *writer, char bracket);  /* '{' or '[' */
void rlm_write_close(struct rlm_writer *writer, char bracket); /* '}' or ']' */
/* The key of the value that is written next. A name of ours: not escaped. */
void rlm_write_key(struct rlm_writer *writer, const char *key);

void rlm_write_text(struct rlm_writer *writer, const char *text); /* NULL: null */
void rlm_write_u64(struct rlm_writer *writer, uint64_t value);
void rlm_write_double(struct rlm_writer *writer,
                      double value); /* not finite: null; else it reads back as it was */
void rlm_write_float(struct rlm_writer *writer, float value);
void rlm_write_bool(struct rlm_writer *writer, bool value);
void rlm_write_null(struct rlm_writer *writer);
void rlm_write_packed(struct rlm_writer *writer, const struct rlm_packed *packed); /* without type: null */

void rlm_write_u64s(struct rlm_writer *writer, const uint64_t *value, size_t count);
void rlm_write_doubles(struct rlm_writer *writer, const double *value, size_t count);

/* A key with its value. */
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

/* The next code point of a text and the bytes it takes; U+FFFD, 1 for a byte that is no UTF-8; 0 at the end.
 */
uint32_t rlm_utf8_next(const char **text);

#endif
