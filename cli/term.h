/* What a stream can show, and text put on it safely: terminal or not, colour, width, Unicode.
 *
 * Colour is given when the stream is a terminal, TERM is not "dumb" and NO_COLOR is not set; it never carries
 * a meaning alone. Names that come from files are strangers' bytes: they pass through cli_put_text, which
 * lets no control character reach a terminal. */
#ifndef CLI_TERM_H
#define CLI_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct cli_term {
    FILE *stream;
    bool tty; /* moving text is welcome */
    bool colour;
    bool unicode; /* the locale's encoding is UTF-8 */
    size_t width; /* columns: the terminal's, else $COLUMNS, else 80; from 40 to 400 */
};

/* Looks at the stream and the environment. setlocale(LC_CTYPE, "") must have been called. */
void cli_term_init(struct cli_term *term, FILE *stream);

enum cli_style { CLI_PLAIN, CLI_BOLD, CLI_DIM, CLI_RED, CLI_YELLOW, CLI_GREEN };

/* Switches to a style, or back with CLI_PLAIN; writes nothing without colour. */
void cli_style(const struct cli_term *term, enum cli_style style);

/* Columns the text takes on a terminal: wide characters two, combining ones none. */
size_t cli_text_width(const struct cli_term *term, const char *text);

/* Writes the text with control characters and broken UTF-8 as '?'. */
void cli_put_text(const struct cli_term *term, const char *text);

/* Writes words of `text` wrapped at `width` columns, each line but the first begun with `indent` spaces; the
 * first is taken to stand at column `at` already. \n in the text begins a new line. Ends with a newline. */
void cli_put_wrapped(const struct cli_term *term, const char *text, size_t at, size_t indent, size_t width);

/* `count` values as one character each, of which `top` is the tallest; more values than `columns` are
 * thinned, the last kept. In ASCII a digit says how many tenths of `top` (0 for less than one; 9 for all). A
 * value that is not finite is shown as '?'. `text` holds at least 3 * columns + 1 bytes. */
void cli_sparkline(const struct cli_term *term, const double *value, size_t count, double top, size_t columns,
                   char *text);

#endif
