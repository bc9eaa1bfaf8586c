/* Building and printing JSON; see json.h. Objects are broken over lines, arrays of plain values are kept on
 * one, and so are objects of plain values inside an array: a table of units has a line a unit. */
#include "json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

void cli_json_init(struct cli_json *document, const char *schema)
{
    *document = (struct cli_json){.root = json_object()};
    cli_json_set(document, document->root, "schema", json_string(schema));
    cli_json_set(document, document->root, "relume", json_string(relume_version()));
}

void cli_json_deinit(struct cli_json *document)
{
    json_decref(document->root);
    document->root = NULL;
}

void cli_json_set(struct cli_json *document, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        document->failed = true;
}

void cli_json_add(struct cli_json *document, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0)
        document->failed = true;
}

json_t *cli_json_double(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *cli_json_float(float value)
{
    char text[32];
    if (!isfinite(value))
        return json_null();
    snprintf(text, sizeof text, "%.9g", (double)value);
    return json_real(strtod(text, NULL));
}

json_t *cli_json_count(uint64_t value)
{
    return json_integer((json_int_t)value);
}

json_t *cli_json_text(const char *text)
{
    if (!text)
        return json_null();
    json_t *whole = json_string(text);
    if (whole)
        return whole;
    size_t length = strlen(text);
    char *mended = malloc(3 * length + 1), *to = mended;
    if (!mended)
        return NULL;
    for (; *text; text++) {
        bool ascii = (unsigned char)*text < 0x80;
        memcpy(to, ascii ? text : "\xef\xbf\xbd", ascii ? 1 : 3);
        to += ascii ? 1 : 3;
    }
    whole = json_stringn(mended, (size_t)(to - mended));
    free(mended);
    return whole;
}

static void print_real(double value)
{
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    fputs(text, stdout);
    if (!strpbrk(text, ".e"))
        fputs(".0", stdout); /* it stays a real number for those who look */
}

static void print_string(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\')
            printf("\\%c", byte);
        else if (byte < 0x20 || byte == 0x7f)
            printf("\\u%04x", (unsigned)byte);
        else
            putchar(byte);
    }
    putchar('"');
}

static bool is_plain(const json_t *value)
{
    return !json_is_object(value) && !json_is_array(value);
}

static bool all_plain(const json_t *value)
{
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++)
            if (!is_plain(json_array_get(value, i)))
                return false;
        return true;
    }
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)value, key, member) if (!is_plain(member)) return false;
    return true;
}

static void break_line(bool broken, int depth, bool first)
{
    if (!first)
        putchar(',');
    if (broken)
        printf("\n%*s", 2 * depth, "");
    else if (!first)
        putchar(' ');
}

static void print_value(const json_t *value, int depth, bool in_array);

static void print_object(const json_t *object, int depth, bool broken)
{
    const char *key;
    json_t *member;
    bool first = true;
    putchar('{');
    json_object_foreach((json_t *)object, key, member)
    {
        break_line(broken, depth + 1, first);
        first = false;
        print_string(key);
        fputs(": ", stdout);
        print_value(member, depth + 1, false);
    }
    if (broken && !first)
        printf("\n%*s", 2 * depth, "");
    putchar('}');
}

static void print_array(const json_t *array, int depth, bool broken)
{
    putchar('[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        break_line(broken, depth + 1, i == 0);
        print_value(json_array_get(array, i), depth + 1, true);
    }
    if (broken && json_array_size(array) > 0)
        printf("\n%*s", 2 * depth, "");
    putchar(']');
}

static void print_value(const json_t *value, int depth, bool in_array)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        print_object(value, depth,
                     depth == 0 || !(all_plain(value) && (in_array || json_object_size(value) <= 5)));
        return;
    case JSON_ARRAY:
        print_array(value, depth, !all_plain(value));
        return;
    case JSON_STRING:
        print_string(json_string_value(value));
        return;
    case JSON_INTEGER:
        printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return;
    case JSON_REAL:
        print_real(json_real_value(value));
        return;
    case JSON_TRUE:
        fputs("true", stdout);
        return;
    case JSON_FALSE:
        fputs("false", stdout);
        return;
    case JSON_NULL:
        fputs("null", stdout);
    }
}

relume_status cli_json_print(const struct cli_json *document, relume_error *error)
{
    if (document->failed)
        return cli_error(error, RELUME_NO_MEMORY, "cannot allocate memory for the JSON document");
    print_value(document->root, 0, false);
    putchar('\n');
    return RELUME_OK;
}
