/* See json.h. One function a production of the grammar, each of which moves `at` behind what it read; NULL
 * with no_memory unset means that the text is not JSON. */
#include "formats/json.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "formats/number.h"

enum { DEEPEST = 2048, LONGEST_NUMBER = 63 }; /* jansson's own limit of depth */

struct parser {
    const char *at, *end;
    unsigned depth;
    bool no_memory;
};

static json_t *parse_value(struct parser *parser);

static char next_char(struct parser *parser)
{
    while (parser->at < parser->end && strchr(" \t\n\r", *parser->at) && *parser->at)
        parser->at++;
    return parser->at < parser->end ? *parser->at : '\0';
}

static bool take(struct parser *parser, char wanted)
{
    bool there = next_char(parser) == wanted && parser->at < parser->end;
    parser->at += there;
    return there;
}

/* What jansson made of correct arguments: NULL then means that memory is out. */
static json_t *made(struct parser *parser, json_t *value)
{
    parser->no_memory = parser->no_memory || !value;
    return value;
}

/* ---- texts ---- */

static bool read_hex(struct parser *parser, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++, parser->at++) {
        const char *digits = "0123456789abcdef", *found = NULL;
        if (parser->at < parser->end && *parser->at)
            found = strchr(digits, *parser->at >= 'A' && *parser->at <= 'F' ? *parser->at + 32 : *parser->at);
        if (!found)
            return false;
        *code = *code * 16 + (uint32_t)(found - digits);
    }
    return true;
}

static char *put_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        *to++ = (char)code;
        return to;
    }
    if (code < 0x800) {
        *to++ = (char)(0xC0 | code >> 6);
    } else {
        if (code < 0x10000) {
            *to++ = (char)(0xE0 | code >> 12);
        } else {
            *to++ = (char)(0xF0 | code >> 18);
            *to++ = (char)(0x80 | (code >> 12 & 0x3F));
        }
        *to++ = (char)(0x80 | (code >> 6 & 0x3F));
    }
    *to++ = (char)(0x80 | (code & 0x3F));
    return to;
}

/* The four digits after \u, and those of the other half of a pair. */
static bool read_unicode(struct parser *parser, char **to)
{
    uint32_t code, low;
    if (!read_hex(parser, &code) || code == 0 || (code >= 0xDC00 && code < 0xE000))
        return false;
    if (code >= 0xD800 && code < 0xDC00) {
        if (parser->end - parser->at < 2 || parser->at[0] != '\\' || parser->at[1] != 'u')
            return false;
        parser->at += 2;
        if (!read_hex(parser, &low) || low < 0xDC00 || low >= 0xE000)
            return false;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    *to = put_utf8(*to, code);
    return true;
}

static bool read_escape(struct parser *parser, char **to)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char letter = parser->at < parser->end ? *parser->at++ : '\0';
    if (letter == 'u')
        return read_unicode(parser, to);
    const char *found = letter ? strchr(names, letter) : NULL;
    if (found)
        *(*to)++ = values[found - names];
    return found != NULL;
}

/* The text behind an opening quote, by malloc, with its length; no longer than what is read. */
static char *read_text(struct parser *parser, size_t *length)
{
    const char *close = parser->at;
    while (close < parser->end && *close != '"')
        close += *close == '\\' ? 2 : 1;
    if (close >= parser->end)
        return NULL;
    char *text = malloc((size_t)(close - parser->at) + 1), *to = text;
    parser->no_memory = parser->no_memory || !text;
    while (text && parser->at < close) {
        char letter = *parser->at++;
        if (letter != '\\' && (unsigned char)letter >= 0x20) {
            *to++ = letter;
        } else if (letter != '\\' || !read_escape(parser, &to)) {
            free(text);
            return NULL;
        }
    }
    if (!text)
        return NULL;
    *to = '\0';
    *length = (size_t)(to - text);
    parser->at = close + 1;
    return text;
}

/* jansson refuses a text for want of memory, or because it is no UTF-8: only the first sets errno. */
static json_t *parse_text(struct parser *parser)
{
    size_t length = 0;
    char *text = read_text(parser, &length);
    if (!text)
        return NULL;
    errno = 0;
    json_t *value = json_stringn(text, length);
    parser->no_memory = parser->no_memory || (!value && errno == ENOMEM);
    free(text);
    return value;
}

/* ---- numbers and words ---- */

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* The end of a number by the grammar, or NULL; *whole: it has neither a fraction nor an exponent. */
static const char *number_end(const char *at, const char *end, bool *whole)
{
    *whole = true;
    at += at < end && *at == '-';
    const char *digits = at;
    at = skip_digits(at, end);
    if (at == digits || (*digits == '0' && at - digits > 1))
        return NULL;
    if (at < end && *at == '.') {
        digits = ++at;
        at = skip_digits(at, end);
        *whole = false;
        if (at == digits)
            return NULL;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        digits = at;
        at = skip_digits(at, end);
        *whole = false;
        if (at == digits)
            return NULL;
    }
    return at;
}

static json_t *parse_number(struct parser *parser)
{
    char text[LONGEST_NUMBER + 1];
    bool whole;
    const char *end = number_end(parser->at, parser->end, &whole);
    size_t length = end ? (size_t)(end - parser->at) : 0;
    if (length == 0 || length > LONGEST_NUMBER)
        return NULL;
    memcpy(text, parser->at, length);
    text[length] = '\0';
    parser->at = end;
    if (whole) {
        errno = 0;
        long long number = strtoll(text, NULL, 10);
        return errno == ERANGE ? NULL : made(parser, json_integer(number));
    }
    double number;
    return rlm_number_read(text, length, &number) == RLM_NUMBER_REAL ? made(parser, json_real(number)) : NULL;
}

static json_t *parse_word(struct parser *parser, const char *word, json_t *value)
{
    size_t length = strlen(word);
    if ((size_t)(parser->end - parser->at) < length || memcmp(parser->at, word, length) != 0)
        return NULL;
    parser->at += length;
    return value; /* true, false and null are not allocated */
}

/* ---- arrays and objects ---- */

static bool fill_array(struct parser *parser, json_t *array)
{
    if (take(parser, ']'))
        return true;
    do {
        json_t *value = parse_value(parser);
        if (!value)
            return false;
        if (json_array_append_new(array, value) != 0) {
            parser->no_memory = true;
            return false;
        }
    } while (take(parser, ','));
    return take(parser, ']');
}

/* As for texts: a key is refused for want of memory, or because it is no UTF-8. */
static bool put_member(struct parser *parser, json_t *object, const char *key, size_t length)
{
    if (strlen(key) != length || json_object_get(object, key) || !take(parser, ':'))
        return false;
    json_t *value = parse_value(parser);
    if (!value)
        return false;
    errno = 0;
    bool put = json_object_set_new(object, key, value) == 0;
    parser->no_memory = parser->no_memory || (!put && errno == ENOMEM);
    return put;
}

static bool fill_object(struct parser *parser, json_t *object)
{
    if (take(parser, '}'))
        return true;
    do {
        size_t length = 0;
        char *key = take(parser, '"') ? read_text(parser, &length) : NULL;
        bool put = key && put_member(parser, object, key, length);
        free(key);
        if (!put)
            return false;
    } while (take(parser, ','));
    return take(parser, '}');
}

static json_t *parse_whole(struct parser *parser, json_t *empty, bool (*fill)(struct parser *, json_t *))
{
    if (!made(parser, empty))
        return NULL;
    parser->at++;
    bool filled = parser->depth++ < DEEPEST && fill(parser, empty);
    parser->depth--;
    if (filled)
        return empty;
    json_decref(empty);
    return NULL;
}

static json_t *parse_value(struct parser *parser)
{
    switch (next_char(parser)) {
    case '{':
        return parse_whole(parser, json_object(), fill_object);
    case '[':
        return parse_whole(parser, json_array(), fill_array);
    case '"':
        parser->at++;
        return parse_text(parser);
    case 't':
        return parse_word(parser, "true", json_true());
    case 'f':
        return parse_word(parser, "false", json_false());
    case 'n':
        return parse_word(parser, "null", json_null());
    default:
        return parse_number(parser);
    }
}

relume_status rlm_json_parse(const char *text, size_t size, json_t **value, json_error_t *trouble)
{
    struct parser parser = {.at = text, .end = text + size};
    char first = next_char(&parser); /* as jansson: an array or an object, no bare value */
    json_t *whole = first == '{' || first == '[' ? parse_value(&parser) : NULL;
    bool complete = whole && next_char(&parser) == '\0' && parser.at == parser.end;
    if (whole && !complete) {
        json_decref(whole);
        whole = NULL;
    }
    if (!whole && parser.no_memory)
        return RELUME_NO_MEMORY;
    if (!whole) /* what is wrong, in its words; and a number of 64 digits or more it may yet read */
        whole = json_loadb(text, size, JSON_REJECT_DUPLICATES, trouble);
    if (!whole)
        return json_error_code(trouble) == json_error_out_of_memory ? RELUME_NO_MEMORY : RELUME_BAD_FORMAT;
    *value = whole;
    return RELUME_OK;
}
