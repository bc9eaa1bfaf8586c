/* The table of columns.h: rows in one growing array, measured when printed. */
#include "columns.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static struct cli_cell *cell_at(const struct cli_columns *table, size_t row, size_t column)
{
    return &table->cell[row * table->columns + column];
}

bool cli_columns_init(struct cli_columns *table, const char *headings)
{
    *table = (struct cli_columns){.columns = 1};
    for (const char *at = headings; *at; at++)
        table->columns += *at == '|';
    if (!cli_columns_row(table))
        return false;
    for (size_t i = 0; i < table->columns; i++) {
        table->right[i] = *headings == '>';
        headings += *headings == '>';
        size_t length = strcspn(headings, "|");
        cli_columns_set(table, i, CLI_BOLD, "%.*s", (int)length, headings);
        headings += length + (headings[length] == '|');
    }
    return true;
}

void cli_columns_deinit(struct cli_columns *table)
{
    free(table->cell);
    table->cell = NULL;
}

bool cli_columns_row(struct cli_columns *table)
{
    if (table->rows == table->capacity) {
        size_t capacity = table->capacity ? 2 * table->capacity : 16;
        struct cli_cell *cell = realloc(table->cell, capacity * table->columns * sizeof *cell);
        if (!cell)
            return false;
        table->cell = cell;
        table->capacity = capacity;
    }
    memset(cell_at(table, table->rows, 0), 0, table->columns * sizeof *table->cell);
    table->rows++;
    return true;
}

void cli_columns_set(struct cli_columns *table, size_t column, enum cli_style style, const char *format, ...)
{
    struct cli_cell *cell = cell_at(table, table->rows - 1, column);
    va_list list;
    va_start(list, format);
    vsnprintf(cell->text, sizeof cell->text, format, list);
    va_end(list);
    cell->style = style;
}

static size_t column_width(const struct cli_columns *table, const struct cli_term *term, size_t column)
{
    size_t widest = 0;
    for (size_t row = 0; row < table->rows; row++) {
        size_t width = cli_text_width(term, cell_at(table, row, column)->text);
        widest = width > widest ? width : widest;
    }
    return widest;
}

static void put_spaces(const struct cli_term *term, size_t count)
{
    fprintf(term->stream, "%*s", (int)count, "");
}

/* Spaces wait until something follows them, so that no line ends in any. */
static void print_row(const struct cli_columns *table, const struct cli_term *term, size_t row,
                      const size_t *widths)
{
    size_t owed = 0;
    for (size_t i = 0; i < table->columns; i++) {
        const struct cli_cell *cell = cell_at(table, row, i);
        size_t space = widths[i] - cli_text_width(term, cell->text);
        size_t before = table->right[i] ? space : 0;
        if (*cell->text) {
            put_spaces(term, owed + before);
            if (cell->style != CLI_PLAIN)
                cli_style(term, cell->style);
            cli_put_text(term, cell->text);
            if (cell->style != CLI_PLAIN)
                cli_style(term, CLI_PLAIN);
            owed = space - before + 2;
        } else {
            owed += widths[i] + 2;
        }
    }
    fputc('\n', term->stream);
}

void cli_columns_print(const struct cli_columns *table, const struct cli_term *term)
{
    size_t widths[CLI_MAX_COLUMNS];
    for (size_t i = 0; i < table->columns; i++)
        widths[i] = column_width(table, term, i);
    for (size_t row = 0; row < table->rows; row++)
        print_row(table, term, row, widths);
}

char *cli_grouped(unsigned long long number, char *text)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", number);
    char *to = text;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = 0;
    return text;
}
