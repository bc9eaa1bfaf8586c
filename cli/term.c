/* Terminals; see term.h. wcwidth is in POSIX's XSI part, hence the macro. */
#define _XOPEN_SOURCE 700
#include "term.h"

#include <langinfo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

enum { USUAL_WIDTH = 80, LEAST_WIDTH = 40, MOST_WIDTH = 400 };

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value;
}

static size_t find_width(const struct cli_term *term)
{
    struct winsize size = {0};
    const char *columns = getenv("COLUMNS");
    long width = USUAL_WIDTH;
    if (term->tty && ioctl(fileno(term->stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        width = size.ws_col;
    else if (columns && *columns)
        width = strtol(columns, NULL, 10);
    if (width < LEAST_WIDTH)
        return width > 0 ? LEAST_WIDTH : USUAL_WIDTH;
    return width > MOST_WIDTH ? MOST_WIDTH : (size_t)width;
}

void cli_term_init(struct cli_term *term, FILE *stream)
{
    const char *type = getenv("TERM");
    bool dumb = !type || strcmp(type, "dumb") == 0 || *type == 0;
    term->stream = stream;
    term->tty = isatty(fileno(stream)) == 1 && !dumb;
    term->colour = term->tty && !is_set("NO_COLOR");
    term->unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    term->width = find_width(term);
}

void cli_style(const struct cli_term *term, enum cli_style style)
{
    static const char *const code[] = {"0", "1", "2", "31", "33", "32"};
    if (term->colour)
        fprintf(term->stream, "\033[%sm", code[style]);
}

/* The next character of `text`: its bytes, and the columns it takes; -1 columns for one that must not be
 * shown. */
static size_t next_character(const struct cli_term *term, const char *text, int *columns)
{
    wchar_t wide;
    mbstate_t state;
    memset(&state, 0, sizeof state);
    if (!term->unicode) {
        *columns = (unsigned char)*text >= 0x20 && (unsigned char)*text < 0x7f ? 1 : -1;
        return 1;
    }
    size_t bytes = mbrtowc(&wide, text, strlen(text), &state);
    if (bytes == (size_t)-1 || bytes == (size_t)-2 || bytes == 0) {
        *columns = -1;
        return 1;
    }
    *columns = wcwidth(wide);
    return bytes;
}

size_t cli_text_width(const struct cli_term *term, const char *text)
{
    size_t width = 0;
    while (*text) {
        int columns;
        text += next_character(term, text, &columns);
        width += columns < 0 ? 1 : (size_t)columns;
    }
    return width;
}

void cli_put_text(const struct cli_term *term, const char *text)
{
    while (*text) {
        int columns;
        size_t bytes = next_character(term, text, &columns);
        if (columns < 0)
            fputc('?', term->stream);
        else
            fwrite(text, 1, bytes, term->stream);
        text += bytes;
    }
}

void cli_put_wrapped(const struct cli_term *term, const char *text, size_t at, size_t indent, size_t width)
{
    bool fresh = true; /* nothing on this line yet but the indent */
    while (*text) {
        size_t length = strcspn(text, " \n");
        char word[256];
        snprintf(word, sizeof word, "%.*s", (int)(length < sizeof word ? length : sizeof word - 1), text);
        size_t columns = cli_text_width(term, word);
        if (!fresh && at + 1 + columns > width) {
            fprintf(term->stream, "\n%*s", (int)indent, "");
            at = indent;
            fresh = true;
        }
        if (!fresh && length > 0)
            fputc(' ', term->stream);
        cli_put_text(term, word);
        at += columns + (fresh || length == 0 ? 0 : 1);
        fresh = fresh && length == 0;
        text += length;
        if (*text == '\n') {
            fprintf(term->stream, "\n%*s", (int)indent, "");
            at = indent;
            fresh = true;
        }
        text += *text != 0;
    }
    fputc('\n', term->stream);
}

static void spark(const struct cli_term *term, double share, char **text)
{
    if (!isfinite(share)) {
        *(*text)++ = '?';
        return;
    }
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    if (term->unicode) { /* U+2581 … U+2588: nothing at all is the lowest, anything more at least the next */
        int level = (int)ceil(share * 7);
        *(*text)++ = (char)0xe2;
        *(*text)++ = (char)0x96;
        *(*text)++ = (char)(0x81 + level);
    } else {
        *(*text)++ = (char)('0' + (int)fmin(9, floor(share * 10)));
    }
}

void cli_sparkline(const struct cli_term *term, const double *value, size_t count, double top, size_t columns,
                   char *text)
{
    size_t shown = count < columns ? count : columns;
    for (size_t i = 0; i < shown; i++) {
        size_t from = shown > 1 ? i * (count - 1) / (shown - 1) : count - 1;
        spark(term, top > 0 ? value[from] / top : value[from] * 0, &text);
    }
    *text = 0;
}
