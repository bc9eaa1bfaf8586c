/* See writer.h. */
#include "report/writer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The comma before a value, unless it is the first or follows its key. */
static void separate(struct rlm_writer *writer)
{
    if (writer->comma)
        rlm_strbuf_append(writer->buffer, ",", 1);
    writer->comma = true;
}

void rlm_write_open(struct rlm_writer *writer, char bracket)
{
    separate(writer);
    rlm_strbuf_append(writer->buffer, &bracket, 1);
    writer->comma = false;
}

void rlm_write_close(struct rlm_writer *writer, char bracket)
{
    rlm_strbuf_append(writer->buffer, &bracket, 1);
    writer->comma = true;
}

void rlm_write_key(struct rlm_writer *writer, const char *key)
{
    separate(writer);
    rlm_strbuf_print(writer->buffer, "\"%s\":", key);
    writer->comma = false;
}

/* Bytes that follow the first one of a sequence, and the least code point it may stand for. */
static int following(unsigned char first, uint32_t *point, uint32_t *least)
{
    if (first < 0x80) {
        *point = first;
        *least = 0;
        return 0;
    }
    static const struct {
        unsigned char mask, mark;
        uint32_t least;
    } forms[] = {{0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (int i = 0; i < 3; i++)
        if ((first & forms[i].mask) == forms[i].mark) {
            *point = first & (unsigned char)~forms[i].mask;
            *least = forms[i].least;
            return i + 1;
        }
    return -1;
}

uint32_t rlm_utf8_next(const char **text)
{
    const unsigned char *bytes = (const unsigned char *)*text;
    uint32_t point, least;
    if (!bytes[0])
        return 0;
    *text += 1;
    int more = following(bytes[0], &point, &least);
    if (more < 0)
        return 0xfffd;
    for (int i = 1; i <= more; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0xfffd;
        point = point << 6 | (bytes[i] & 0x3f);
    }
    if (point < least || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
        return 0xfffd;
    *text += more;
    return point;
}

static void escape(struct rlm_strbuf *buffer, uint32_t point)
{
    if (point == '"' || point == '\\')
        rlm_strbuf_print(buffer, "\\%c", (char)point);
    else if (point >= 0x20 && point < 0x7f && point != '<' && point != '>' && point != '&')
        rlm_strbuf_print(buffer, "%c", (char)point);
    else if (point < 0x10000)
        rlm_strbuf_print(buffer, "\\u%04x", (unsigned)point);
    else
        rlm_strbuf_print(buffer, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((point - 0x10000) >> 10)),
                         (unsigned)(0xdc00 + ((point - 0x10000) & 0x3ff)));
}

void rlm_write_text(struct rlm_writer *writer, const char *text)
{
    if (!text) {
        rlm_write_null(writer);
        return;
    }
    separate(writer);
    rlm_strbuf_append(writer->buffer, "\"", 1);
    uint32_t point;
    while ((point = rlm_utf8_next(&text)) != 0)
        escape(writer->buffer, point);
    rlm_strbuf_append(writer->buffer, "\"", 1);
}

void rlm_write_u64(struct rlm_writer *writer, uint64_t value)
{
    separate(writer);
    rlm_strbuf_print(writer->buffer, "%" PRIu64, value);
}

/* The fewest digits, from `least` to `most`, that read back as the same value; with a point in every locale.
 */
static void write_real(struct rlm_writer *writer, double value, int least, int most, bool single)
{
    char text[40];
    if (!isfinite(value)) {
        rlm_write_null(writer);
        return;
    }
    for (int precision = least; precision <= most; precision++) {
        (void)snprintf(text, sizeof text, "%.*g", precision, value);
        if (single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value)
            break;
    }
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (strchr("0123456789+-e", *from))
            *to++ = *from;
        else if (to > text && to[-1] != '.')
            *to++ = '.';
    }
    *to = '\0';
    separate(writer);
    rlm_strbuf_print(writer->buffer, "%s", text);
}

void rlm_write_double(struct rlm_writer *writer, double value)
{
    write_real(writer, value, 15, 17, false);
}

void rlm_write_float(struct rlm_writer *writer, float value)
{
    write_real(writer, (double)value, 6, 9, true);
}

void rlm_write_bool(struct rlm_writer *writer, bool value)
{
    separate(writer);
    rlm_strbuf_append(writer->buffer, value ? "true" : "false", value ? 4 : 5);
}

void rlm_write_null(struct rlm_writer *writer)
{
    separate(writer);
    rlm_strbuf_append(writer->buffer, "null", 4);
}

void rlm_write_packed(struct rlm_writer *writer, const struct rlm_packed *packed)
{
    if (!packed->type) {
        rlm_write_null(writer);
        return;
    }
    rlm_write_open(writer, '{');
    rlm_write_key(writer, "type");
    rlm_write_text(writer, packed->type);
    rlm_write_key(writer, "count");
    rlm_write_u64(writer, packed->count);
    rlm_write_key(writer, "zlib");
    rlm_strbuf_append(writer->buffer, "\"", 1);
    rlm_strbuf_append(writer->buffer, packed->text, packed->length);
    rlm_strbuf_append(writer->buffer, "\"", 1);
    rlm_write_close(writer, '}');
}

void rlm_write_u64s(struct rlm_writer *writer, const uint64_t *value, size_t count)
{
    rlm_write_open(writer, '[');
    for (size_t i = 0; i < count; i++)
        rlm_write_u64(writer, value[i]);
    rlm_write_close(writer, ']');
}

void rlm_write_doubles(struct rlm_writer *writer, const double *value, size_t count)
{
    rlm_write_open(writer, '[');
    for (size_t i = 0; i < count; i++)
        rlm_write_double(writer, value[i]);
    rlm_write_close(writer, ']');
}

/* ---- keys with their values ---- */

void rlm_put_text(struct rlm_writer *w, const char *key, const char *value)
{
    rlm_write_key(w, key);
    rlm_write_text(w, value);
}

void rlm_put_u64(struct rlm_writer *w, const char *key, uint64_t value)
{
    rlm_write_key(w, key);
    rlm_write_u64(w, value);
}

void rlm_put_double(struct rlm_writer *w, const char *key, double value)
{
    rlm_write_key(w, key);
    rlm_write_double(w, value);
}

void rlm_put_float(struct rlm_writer *w, const char *key, float value)
{
    rlm_write_key(w, key);
    rlm_write_float(w, value);
}

void rlm_put_bool(struct rlm_writer *w, const char *key, bool value)
{
    rlm_write_key(w, key);
    rlm_write_bool(w, value);
}

void rlm_put_packed(struct rlm_writer *w, const char *key, const struct rlm_packed *packed)
{
    rlm_write_key(w, key);
    rlm_write_packed(w, packed);
}

void rlm_put_u64s(struct rlm_writer *w, const char *key, const uint64_t *value, size_t count)
{
    rlm_write_key(w, key);
    rlm_write_u64s(w, value, count);
}

void rlm_put_doubles(struct rlm_writer *w, const char *key, const double *value, size_t count)
{
    rlm_write_key(w, key);
    rlm_write_doubles(w, value, count);
}

void rlm_put_null(struct rlm_writer *w, const char *key)
{
    rlm_write_key(w, key);
    rlm_write_null(w);
}

void rlm_put_object(struct rlm_writer *w, const char *key)
{
    rlm_write_key(w, key);
    rlm_write_open(w, '{');
}

void rlm_put_array(struct rlm_writer *w, const char *key)
{
    rlm_write_key(w, key);
    rlm_write_open(w, '[');
}
