/* Small pictures in the terminal: a sample in shades, and the signed terms of its dot product beside it.
 *
 * A character is twice as tall as wide: narrow images get two characters a pixel, wide ones one character for
 * two pixels, one above the other, whose values are averaged. */
#include "explain.h"

#include <math.h>

enum { NARROW = 14, GAP = 4 };

struct picture {
    const float *value;
    size_t rows, columns;
    size_t across, down; /* characters a pixel, pixels a character */
    float low, high;     /* of the values */
};

static struct picture picture_of(const float *value, size_t rows, size_t columns)
{
    struct picture picture = {.value = value, .rows = rows, .columns = columns, .across = 1, .down = 2};
    if (columns <= NARROW)
        picture.across = 2, picture.down = 1;
    picture.low = picture.high = value[0];
    for (size_t i = 1; i < rows * columns; i++) {
        picture.low = fminf(picture.low, value[i]);
        picture.high = fmaxf(picture.high, value[i]);
    }
    return picture;
}

static size_t lines_of(const struct picture *picture)
{
    return (picture->rows + picture->down - 1) / picture->down;
}

static float mean_at(const struct picture *picture, size_t line, size_t column)
{
    float sum = 0.0f;
    size_t count = 0;
    for (size_t row = line * picture->down; row < (line + 1) * picture->down && row < picture->rows; row++) {
        sum += picture->value[row * picture->columns + column];
        count++;
    }
    return sum / (float)count;
}

static void put(const struct cli_term *out, const struct picture *picture, const char *mark)
{
    for (size_t i = 0; i < picture->across; i++)
        fputs(mark, out->stream);
}

static void put_shade(const struct cli_term *out, const struct picture *picture, float value)
{
    static const char *const blocks[] = {" ", "\xe2\x96\x91", "\xe2\x96\x92", "\xe2\x96\x93", "\xe2\x96\x88"};
    static const char *const letters[] = {" ", ".", "+", "x", "#"};
    float range = picture->high - picture->low;
    float share = range > 0.0f ? (value - picture->low) / range : 0.0f;
    size_t level = share <= 0.05f ? 0 : 1 + (size_t)fminf(3.0f, share * 4.0f);
    put(out, picture, (out->unicode ? blocks : letters)[level]);
}

/* + and # push up, - and = push down; nothing below a tenth of the largest. */
static void put_sign(const struct cli_term *out, const struct picture *picture, float value)
{
    float largest = fmaxf(fabsf(picture->low), fabsf(picture->high));
    float share = largest > 0.0f ? fabsf(value) / largest : 0.0f;
    const char *mark = share < 0.1f   ? " "
                       : value > 0.0f ? (share < 0.5f ? "+" : "#")
                                      : (share < 0.5f ? "-" : "=");
    put(out, picture, mark);
}

void explain_draw(const struct cli_term *out, const float *pixels, const float *terms, size_t rows,
                  size_t columns)
{
    struct picture sample = picture_of(pixels, rows, columns), sums = {0};
    size_t wide = columns * sample.across, both = 2 + 2 + wide + GAP + 2 + wide;
    if (wide + 4 > out->width)
        return;
    if (terms && both <= out->width)
        sums = picture_of(terms, rows, columns);
    int title = (int)(wide + 2 + GAP);
    if (sums.value)
        fprintf(out->stream, "  %-*s%s\n", title, "the sample", "its terms w*x");
    else
        fputs("  the sample\n", out->stream);
    for (size_t line = 0; line < lines_of(&sample); line++) {
        fputs("  |", out->stream);
        for (size_t column = 0; column < columns; column++)
            put_shade(out, &sample, mean_at(&sample, line, column));
        fputc('|', out->stream);
        if (sums.value) {
            fprintf(out->stream, "%*s|", GAP, "");
            for (size_t column = 0; column < columns; column++)
                put_sign(out, &sums, mean_at(&sums, line, column));
            fputc('|', out->stream);
        }
        fputc('\n', out->stream);
    }
    if (sums.value)
        fprintf(out->stream, "  %*s# and + push p up, = and - push it down\n", title, "");
    fputc('\n', out->stream);
}
