/* A sweep as a picture of at most 80 columns: the share of dead units as bars, the accuracy as a mark above
 * each rate. */
#include "sweep.h"

#include <math.h>
#include <string.h>

enum { LINES = 10, AXIS = 7, MOST_WIDTH = 80, WIDEST = 8 };

/* Columns a rate takes; 0 when they do not fit. */
static size_t column_width(const struct cli_term *out, size_t count)
{
    size_t width = out->width < MOST_WIDTH ? out->width : MOST_WIDTH;
    size_t each = (width - AXIS - 1) / count;
    return each > WIDEST ? WIDEST : each;
}

/* How much of line `line` (from 0 at the bottom) a bar of `share` fills, in eighths. */
static int eighths(double share, int line)
{
    double filled = (share * LINES - line) * 8;
    if (share > 0 && line == 0 && filled < 1)
        return 1; /* anything at all can be seen */
    return filled <= 0 ? 0 : filled >= 8 ? 8 : (int)filled;
}

/* Blanks wait until something follows them, so that no line ends in any. */
static void put_mark(const struct cli_term *out, size_t *blanks, const char *mark)
{
    fprintf(out->stream, "%*s%s", (int)*blanks, "", mark);
    *blanks = 0;
}

static void put_bar(const struct cli_term *out, size_t *blanks, int filled)
{
    char block[4] = "\xe2\x96\x80"; /* U+2580; the next eight are the eighths */
    block[2] = (char)(block[2] + filled);
    if (filled == 0)
        ++*blanks;
    else
        put_mark(out, blanks, out->unicode ? block : filled >= 4 ? "#" : "_");
}

static bool is_marked(const relume_sweep_row *row, int line)
{
    double accuracy = relume_sweep_row_accuracy(row);
    if (row->diverged || !isfinite(accuracy))
        return false;
    int at = (int)(accuracy * LINES);
    return line == (at < LINES ? at : LINES - 1);
}

static void put_column(const struct cli_term *out, const relume_sweep_row *row, size_t width, int line,
                       size_t *blanks)
{
    double share = row->units > 0 ? (double)row->total.dead_at_end / (double)row->units : 0;
    size_t bar = width > 1 ? width - 1 : 1, middle = bar / 2;
    for (size_t c = 0; c < width; c++) {
        if (c == middle && is_marked(row, line))
            put_mark(out, blanks, out->unicode ? "\xe2\x97\x8f" : "o");
        else if (c == middle && row->diverged && line == 0)
            put_mark(out, blanks, "x");
        else if (c < bar && !row->diverged)
            put_bar(out, blanks, eighths(share, line));
        else
            ++*blanks;
    }
}

/* Rates below the columns; where they do not fit, every second or third only. */
static void put_labels(const struct cli_term *out, const relume_sweep_row *row, size_t count, size_t width)
{
    char line[MOST_WIDTH + 40];
    size_t free_from = 0;
    memset(line, ' ', sizeof line);
    for (size_t i = 0; i < count; i++) {
        char label[24];
        int length = snprintf(label, sizeof label, "%g", row[i].learning_rate);
        if (i * width < free_from || i * width + (size_t)length > sizeof line - 1)
            continue;
        memcpy(line + i * width, label, (size_t)length);
        free_from = i * width + (size_t)length + 1;
    }
    size_t end = sizeof line - 1;
    while (end > 0 && line[end - 1] == ' ')
        end--;
    fprintf(out->stream, "%*s%.*s\n", AXIS, "", (int)end, line);
}

void sweep_print_plot(const struct cli_term *out, const relume_sweep_row *row, size_t count)
{
    size_t width = count > 0 ? column_width(out, count) : 0;
    bool accuracy = false, diverged = false;
    if (width == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        accuracy = accuracy || isfinite(relume_sweep_row_accuracy(&row[i]));
        diverged = diverged || row[i].diverged;
    }
    for (int line = LINES - 1; line >= 0; line--) {
        char scale[8];
        size_t blanks = AXIS;
        (void)snprintf(scale, sizeof scale, "%4d %%", line == LINES - 1 ? 100 : 50);
        if (line == LINES - 1 || line == LINES / 2 - 1) {
            fputs(scale, out->stream);
            blanks = 1;
        }
        for (size_t i = 0; i < count; i++)
            put_column(out, &row[i], width, line, &blanks);
        fputc('\n', out->stream);
    }
    put_labels(out, row, count, width);
    fprintf(out->stream, "%*s%s dead at the end", AXIS, "", out->unicode ? "\xe2\x96\x88" : "#");
    if (accuracy)
        fprintf(out->stream, "   %s accuracy", out->unicode ? "\xe2\x97\x8f" : "o");
    fprintf(out->stream, "%s   (learning rate to the right)\n\n", diverged ? "   x diverged" : "");
}
