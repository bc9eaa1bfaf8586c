/* A small table for people: cells as text, columns aligned by the width they take on a terminal. */
#ifndef CLI_COLUMNS_H
#define CLI_COLUMNS_H

#include "term.h"

enum { CLI_MAX_COLUMNS = 12, CLI_CELL = 200 };

struct cli_cell {
    char text[CLI_CELL];
    enum cli_style style;
};

struct cli_columns {
    size_t columns, rows, capacity;
    bool right[CLI_MAX_COLUMNS]; /* numbers stand right, words left */
    struct cli_cell *cell;       /* [capacity][columns]; row 0 is the heading */
};

/* Headings, separated by '|'; one that begins with '>' stands right with its column. False when memory is
 * out. */
bool cli_columns_init(struct cli_columns *table, const char *headings);
void cli_columns_deinit(struct cli_columns *table);

/* Begins a new row of empty cells. False when memory is out. */
bool cli_columns_row(struct cli_columns *table);
/* Fills a cell of the newest row. A text too long is cut. */
__attribute__((format(printf, 4, 5))) void cli_columns_set(struct cli_columns *table, size_t column,
                                                           enum cli_style style, const char *format, ...);

/* Writes it all, two spaces between columns, nothing behind the last. */
void cli_columns_print(const struct cli_columns *table, const struct cli_term *term);

/* "1,234,567" into `text` (at least 27 bytes), which is returned. */
char *cli_grouped(unsigned long long number, char *text);

#endif
