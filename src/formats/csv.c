/* See csv.h. libcsv splits the fields; this file makes a header and rows of them.
 *
 * Whether a column of targets is numbers or texts is known only at the end. It is read as numbers; at the
 * first text below the first line the reading starts over with texts. Two passes at worst, and no target is
 * held in two forms. */
#include "formats/csv.h"

#include <csv.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "formats/intern.h"
#include "formats/number.h"
#include "formats/stream.h"
#include "formats/text.h"

#define CHUNK ((size_t)64 << 10)
#define FIELD_MOST ((size_t)1 << 20)
#define NO_COLUMN SIZE_MAX

/* One pass over the file. */
struct pass {
    const relume_allocator *allocator;
    const char *file, *target;
    bool as_text; /* targets are texts */
    bool restart; /* a target is a text: begin again with as_text */
    relume_status status;
    relume_status field_status; /* of a refused field of this row: stands if the row has the right length */
    relume_error *error;

    struct csv_parser parser;
    uint64_t line; /* on which the current field begins */
    bool after_cr; /* the last line ended in CR: an LF now belongs to it */
    size_t field;  /* fields of the current row so far */

    size_t fields;           /* of every row; 0: the first is not over */
    size_t target_column;    /* or NO_COLUMN */
    bool maybe_header;       /* the first line was taken for one because of its target alone */
    struct rlm_strbuf first; /* the first row's fields, a 0 byte after each */
    struct rlm_csv csv;
    size_t value_count, value_room, target_room;
    struct rlm_intern texts;
};

static void fail(struct pass *pass, relume_status status)
{
    pass->status = status;
}

static void fail_memory(struct pass *pass, size_t bytes)
{
    fail(pass, rlm_error_memory(pass->error, bytes, "a CSV file's values"));
}

/* The name of a column for messages: " ("width")" after its number, or nothing without a header. */
static const char *column_text(const struct pass *pass, size_t column, char text[RLM_QUOTE_SIZE + 4])
{
    char quoted[RLM_QUOTE_SIZE];
    const char *name = NULL;
    if (column == pass->target_column)
        name = pass->csv.target_name;
    else if (pass->csv.names && column < pass->fields)
        name = pass->csv.names[column - (column > pass->target_column)];
    text[0] = '\0';
    if (name)
        (void)snprintf(text, RLM_QUOTE_SIZE + 4, " (%s)", rlm_quote(quoted, name));
    return text;
}

/* Of a row that is too short or too long every field behind the fault is in the wrong column. What is wrong
 * with a field is therefore told at the row's end only, when the count is right. */
static void refuse_field(struct pass *pass, size_t column, const char *field, const char *reason)
{
    char name[RLM_QUOTE_SIZE + 4], quoted[RLM_QUOTE_SIZE];
    pass->field_status = rlm_refuse_at_line(
        pass->error, RELUME_BAD_DATA, pass->file, pass->line, column + 1, "%s%s%s%s",
        *field ? rlm_quote(quoted, field) : "the field is empty", column_text(pass, column, name),
        *field ? " " : "; ", *field ? reason : "every field needs a value");
}

/* Room for one more of `size` bytes behind `count`; NULL without memory, and the pass has failed. */
static void *more_room(struct pass *pass, void *block, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return block;
    size_t larger = *room < 1024 ? 1024 : *room + *room / 2;
    void *grown = rlm_realloc(pass->allocator, block, larger, size);
    if (grown)
        *room = larger;
    else
        fail_memory(pass, larger * size);
    return grown;
}

static void add_value(struct pass *pass, size_t column, const char *field, size_t length)
{
    double value;
    enum rlm_number kind = rlm_number_read(field, length, &value);
    if (kind == RLM_NUMBER_NONE) {
        refuse_field(pass, column, field,
                     strchr(field, ',') ? "is not a number; a decimal point is written as '.'"
                                        : "is not a number; only the target column may hold text (--target)");
    } else if (kind == RLM_NUMBER_NONFINITE || fabs(value) > (double)FLT_MAX) {
        refuse_field(pass, column, field, "is not finite as float32; every value must be");
    } else {
        float *values =
            more_room(pass, pass->csv.values, pass->value_count, &pass->value_room, sizeof *values);
        if (!values)
            return;
        pass->csv.values = values;
        values[pass->value_count++] = (float)value;
    }
}

static void add_number(struct pass *pass, const char *field, size_t length)
{
    double value;
    enum rlm_number kind = rlm_number_read(field, length, &value);
    if (kind == RLM_NUMBER_NONE && *field) {
        pass->restart = true;
    } else if (kind == RLM_NUMBER_NONE || kind == RLM_NUMBER_NONFINITE) {
        refuse_field(pass, pass->target_column, field, "is not finite; every target must be");
    } else {
        double *target =
            more_room(pass, pass->csv.target, pass->csv.rows, &pass->target_room, sizeof *target);
        if (!target)
            return;
        pass->csv.target = target;
        target[pass->csv.rows] = value;
        pass->csv.target_integer = pass->csv.target_integer && kind == RLM_NUMBER_INTEGER;
    }
}

static void add_text(struct pass *pass, const char *field, size_t length)
{
    uint32_t number;
    if (length == 0 || strlen(field) != length || !rlm_utf8_is_valid(field)) {
        refuse_field(pass, pass->target_column, field, "is not text in UTF-8; save the file as UTF-8");
        return;
    }
    relume_status status = rlm_intern_add(&pass->texts, field, length, &number);
    if (status == RELUME_BAD_DATA)
        refuse_field(pass, pass->target_column, field,
                     "is one different text too many; at most 65536 are classes");
    else if (status != RELUME_OK)
        fail_memory(pass, length);
    if (status != RELUME_OK)
        return;
    uint32_t *text = more_room(pass, pass->csv.text, pass->csv.rows, &pass->target_room, sizeof *text);
    if (text) {
        pass->csv.text = text;
        text[pass->csv.rows] = number;
    }
}

static void add_field(struct pass *pass, size_t column, const char *field, size_t length)
{
    if (pass->field_status != RELUME_OK)
        return;
    if (column != pass->target_column)
        add_value(pass, column, field, length);
    else if (pass->as_text)
        add_text(pass, field, length);
    else
        add_number(pass, field, length);
}

static void refuse_count(struct pass *pass)
{
    const char *hint =
        pass->field < pass->fields
            ? "is a comma missing, or the line cut?"
            : "a text with a comma in it must stand in double quotes, and a decimal point is '.'";
    fail(pass, rlm_refuse_at_line(pass->error, RELUME_BAD_DATA, pass->file, pass->line, 0,
                                  "the row has %zu field%s, %s has %zu; %s", pass->field,
                                  pass->field == 1 ? "" : "s",
                                  pass->csv.names ? "the header" : "the first row", pass->fields, hint));
}

/* What the first row tells: is it a header, which column holds the targets? */
struct first_row {
    const char **fields; /* [count] */
    size_t count;
    size_t texts;     /* fields that are texts, not numbers and not empty */
    size_t last_text; /* the column of the last of them */
};

static bool is_text(const char *field)
{
    double value;
    return *field && rlm_number_read(field, strlen(field), &value) == RLM_NUMBER_NONE;
}

/* The column of that name, or NO_COLUMN. */
static size_t find_name(const struct first_row *row, const char *name)
{
    for (size_t i = 0; i < row->count; i++)
        if (strcmp(row->fields[i], name) == 0)
            return i;
    return NO_COLUMN;
}

/* A column's number counted from 1; NO_COLUMN when it is none. */
static size_t find_number(const struct first_row *row, const char *number)
{
    double value;
    if (rlm_number_read(number, strlen(number), &value) != RLM_NUMBER_INTEGER || value < 1 ||
        value > (double)row->count)
        return NO_COLUMN;
    return (size_t)value - 1;
}

static relume_status refuse_target(const struct pass *pass, const struct first_row *row)
{
    char quoted[RLM_QUOTE_SIZE], name[RLM_QUOTE_SIZE];
    struct rlm_strbuf names = {.allocator = pass->allocator};
    for (size_t i = 0; i < row->count && names.length < 200; i++)
        rlm_strbuf_print(&names, i ? ", %s" : "%s", rlm_quote(name, row->fields[i]));
    bool other = row->count == 1 && strpbrk(row->fields[0], ";\t|");
    relume_status status = rlm_refuse_at_line(
        pass->error, RELUME_NOT_FOUND, pass->file, pass->line, 0,
        "there is no target column %s; the first line has %zu column%s: %s%s",
        rlm_quote(quoted, pass->target), row->count, row->count == 1 ? "" : "s", names.text ? names.text : "",
        other ? "; are the fields separated by something else than commas?" : "");
    rlm_strbuf_deinit(&names);
    return status;
}

/* Finds the target column and decides whether the row is a header. */
static relume_status judge_first_row(struct pass *pass, const struct first_row *row, bool *header)
{
    size_t number = pass->target ? find_number(row, pass->target) : NO_COLUMN;
    size_t name = pass->target ? find_name(row, pass->target) : NO_COLUMN;
    /* with a number given, a text elsewhere than in that column says that the row is a header, and the number
     * may be a name */
    bool by_text = row->texts > 1 || (row->texts == 1 && row->last_text != number);
    if (name != NO_COLUMN && (number == NO_COLUMN || by_text)) {
        pass->target_column = name;
        *header = true;
        return RELUME_OK;
    }
    if (pass->target && number == NO_COLUMN)
        return refuse_target(pass, row);
    pass->target_column = number;
    pass->maybe_header = !by_text && row->texts == 1 && !pass->as_text;
    *header = by_text || pass->maybe_header;
    return RELUME_OK;
}

/* The header's names stay in the memory they were collected in. */
static void take_names(struct pass *pass, const struct first_row *row)
{
    struct rlm_csv *csv = &pass->csv;
    csv->names = rlm_alloc(pass->allocator, row->count, sizeof *csv->names);
    if (!csv->names) {
        fail_memory(pass, row->count * sizeof *csv->names);
        return;
    }
    size_t columns = 0;
    csv->pool = pass->first.text;
    for (size_t i = 0; i < row->count; i++) {
        char *name = csv->pool + (row->fields[i] - csv->pool);
        if (i == pass->target_column)
            csv->target_name = name;
        else
            csv->names[columns++] = name;
    }
    pass->first = (struct rlm_strbuf){.allocator = pass->allocator};
}

static void use_first_row(struct pass *pass, const struct first_row *row)
{
    bool header = false;
    relume_status status = judge_first_row(pass, row, &header);
    if (status != RELUME_OK) {
        fail(pass, status);
        return;
    }
    pass->fields = row->count;
    pass->csv.has_target = pass->target_column != NO_COLUMN;
    pass->csv.columns = row->count - pass->csv.has_target;
    if (header) {
        take_names(pass, row);
        return;
    }
    for (size_t i = 0; i < row->count && pass->status == RELUME_OK && !pass->restart; i++)
        add_field(pass, i, row->fields[i], strlen(row->fields[i]));
    pass->csv.rows = 1;
}

static void end_first_row(struct pass *pass)
{
    struct first_row row = {.count = pass->field};
    if (pass->first.failed) {
        fail_memory(pass, pass->first.length);
        return;
    }
    row.fields = rlm_alloc(pass->allocator, row.count, sizeof *row.fields);
    if (!row.fields) {
        fail_memory(pass, row.count * sizeof *row.fields);
        return;
    }
    const char *at = pass->first.text;
    for (size_t i = 0; i < row.count; i++, at += strlen(at) + 1) {
        row.fields[i] = at;
        if (is_text(at)) {
            row.texts++;
            row.last_text = i;
        }
    }
    use_first_row(pass, &row);
    rlm_free(row.fields);
}

/* libcsv: a field is complete. */
static void field_ended(void *data, size_t length, void *user)
{
    struct pass *pass = user;
    const char *field = data;
    if (pass->status != RELUME_OK || pass->restart)
        return;
    if (memchr(field, 0, length)) {
        fail(pass, rlm_refuse_at_line(pass->error, RELUME_BAD_FORMAT, pass->file, pass->line, pass->field + 1,
                                      "the field holds a zero byte; is this a text file in UTF-8?"));
    } else if (pass->fields == 0) {
        rlm_strbuf_append(&pass->first, field, length + 1);
        pass->field++;
    } else {
        size_t column = pass->field++;
        if (column < pass->fields) /* those too many are only counted */
            add_field(pass, column, field, length);
    }
    for (const char *at = field; (at = memchr(at, '\n', length - (size_t)(at - field))); at++)
        pass->line++;
}

/* libcsv: a row is complete, or an empty line; `end` is CR, LF, or −1 at the end of the file. */
static void row_ended(int end, void *user)
{
    struct pass *pass = user;
    if (pass->status != RELUME_OK || pass->restart)
        return;
    if (pass->field == 0) { /* an empty line, or the LF of CR LF */
        pass->line += !(end == '\n' && pass->after_cr);
    } else {
        if (pass->fields == 0)
            end_first_row(pass);
        else if (pass->field != pass->fields)
            refuse_count(pass);
        else
            pass->csv.rows++;
        if (pass->status == RELUME_OK)
            pass->status = pass->field_status;
        pass->line++;
    }
    pass->field = 0;
    pass->after_cr = end == '\r';
}

static relume_status refuse_quotes(const struct pass *pass)
{
    return rlm_refuse_at_line(
        pass->error, RELUME_BAD_FORMAT, pass->file, pass->line, pass->field + 1,
        "a quote stands where it cannot, or is not closed; a field with quotes in it is written \"so "
        "\"\"quoted\"\" \"");
}

static relume_status parse_chunk(struct pass *pass, const char *bytes, size_t size)
{
    size_t taken = csv_parse(&pass->parser, bytes, size, field_ended, row_ended, pass);
    if (pass->status != RELUME_OK || pass->restart)
        return pass->status;
    if (taken != size)
        return csv_error(&pass->parser) == CSV_EPARSE
                   ? refuse_quotes(pass)
                   : rlm_error_memory(pass->error, size, "a CSV file's field");
    if (pass->parser.entry_pos > FIELD_MOST)
        return rlm_refuse_at_line(pass->error, RELUME_BAD_DATA, pass->file, pass->line, pass->field + 1,
                                  "the field is longer than 1 MiB; is a quote not closed?");
    return RELUME_OK;
}

/* Drops UTF-8's byte order mark, and says what a file in UTF-16, or a spreadsheet, is. */
static relume_status skip_mark(const struct pass *pass, const char *bytes, size_t size, size_t *skipped)
{
    *skipped = size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    if (size >= 2 && (memcmp(bytes, "\xff\xfe", 2) == 0 || memcmp(bytes, "\xfe\xff", 2) == 0))
        return rlm_refuse_at_byte(pass->error, RELUME_BAD_FORMAT, pass->file, 0,
                                  "the file is in UTF-16; save it as UTF-8");
    if (size >= 4 && memcmp(bytes, "PK\3\4", 4) == 0)
        return rlm_refuse_at_byte(pass->error, RELUME_BAD_FORMAT, pass->file, 0,
                                  "the file is a zip archive, not CSV; save a spreadsheet's table as CSV");
    return RELUME_OK;
}

static relume_status parse_stream(struct pass *pass, struct rlm_stream *stream)
{
    char chunk[CHUNK];
    for (bool first = true;; first = false) {
        size_t got = 0, skipped = 0;
        RLM_TRY(rlm_stream_read_some(stream, chunk, sizeof chunk, &got, pass->error));
        if (first)
            RLM_TRY(skip_mark(pass, chunk, got, &skipped));
        RLM_TRY(parse_chunk(pass, chunk + skipped, got - skipped));
        if (pass->restart)
            return RELUME_OK;
        if (got < sizeof chunk)
            break;
    }
    if (csv_fini(&pass->parser, field_ended, row_ended, pass) != 0)
        return csv_error(&pass->parser) == CSV_EPARSE
                   ? refuse_quotes(pass)
                   : rlm_error_memory(pass->error, 1, "a CSV file's field");
    return pass->status;
}

static relume_status run_pass(struct pass *pass, const struct rlm_source *source)
{
    struct rlm_stream stream;
    RLM_TRY(rlm_stream_open(pass->allocator, source, &stream, pass->error));
    (void)csv_init(&pass->parser, CSV_STRICT | CSV_STRICT_FINI | CSV_REPALL_NL | CSV_APPEND_NULL);
    csv_set_blk_size(&pass->parser, 4096);
    relume_status status = parse_stream(pass, &stream);
    csv_free(&pass->parser);
    rlm_stream_close(&stream);
    if (status == RELUME_OK && !pass->restart && pass->csv.rows == 0) {
        if (!pass->maybe_header)
            return rlm_refuse_at_line(pass->error, RELUME_BAD_DATA, pass->file, pass->line, 0,
                                      "the file ends here without a row of values");
        pass->restart = true; /* a single row whose target is a text */
    }
    return status;
}

static void pass_deinit(struct pass *pass)
{
    rlm_csv_deinit(&pass->csv);
    rlm_strbuf_deinit(&pass->first);
    rlm_intern_deinit(&pass->texts);
}

/* Hands the texts over from the table that found them. */
static void take_texts(struct pass *pass)
{
    pass->csv.texts = pass->texts.texts;
    pass->csv.text_count = pass->texts.count;
    pass->texts.texts = NULL;
    pass->texts.count = 0;
}

relume_status rlm_csv_read(const relume_allocator *allocator, const struct rlm_source *source,
                           const char *target, struct rlm_csv *csv, relume_error *error)
{
    struct pass pass;
    relume_status status;
    bool as_text = false, again;
    do {
        pass = (struct pass){.allocator = allocator,
                             .file = source->name,
                             .target = target,
                             .as_text = as_text,
                             .error = error,
                             .line = 1,
                             .target_column = NO_COLUMN,
                             .first = {.allocator = allocator},
                             .csv = {.target_integer = true},
                             .texts = {.allocator = allocator, .most = RLM_CSV_TEXTS_MOST}};
        status = run_pass(&pass, source);
        again = status == RELUME_OK && pass.restart;
        if (again)
            pass_deinit(&pass);
        as_text = true;
    } while (again);
    if (status == RELUME_OK) {
        take_texts(&pass);
        *csv = pass.csv;
        pass.csv = (struct rlm_csv){0};
    }
    pass_deinit(&pass);
    return status;
}

void rlm_csv_deinit(struct rlm_csv *csv)
{
    for (size_t i = 0; i < csv->text_count; i++)
        rlm_free(csv->texts[i]);
    rlm_free(csv->texts);
    rlm_free(csv->text);
    rlm_free(csv->target);
    rlm_free(csv->values);
    rlm_free(csv->names);
    rlm_free(csv->pool);
    *csv = (struct rlm_csv){0};
}
