/* How far training is, on stderr: a bar that moves, or a line an epoch. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "relume/relume.h"
#include "term.h"

enum cli_progress_how { CLI_PROGRESS_AUTO, CLI_PROGRESS_BAR, CLI_PROGRESS_PLAIN, CLI_PROGRESS_OFF };

struct cli_progress {
    const struct cli_term *err;
    enum cli_progress_how how;
    double began, drawn; /* seconds of a clock that never jumps; 0: not yet */
    uint64_t first_step; /* the step of the first news */
    bool on_screen;      /* a bar stands on the current line */
    bool uncounted;      /* no census is held: units silent for an epoch are told, and not called dead */
};

/* AUTO becomes BAR on a terminal and PLAIN elsewhere. */
void cli_progress_init(struct cli_progress *progress, const struct cli_term *err, enum cli_progress_how how);

/* To be called with each piece of news (relume_run_options.news, user is the progress). Draws at most ten
 * times a second. */
void cli_progress_news(void *user, const relume_run_news *news);

/* Takes the bar off the screen, so that other lines can be written. */
void cli_progress_end(struct cli_progress *progress);

/* A line that moves while an autopsy repeats a run: `progress` of its options and of a report's. `user` is
 * the struct cli_term of a terminal. */
void cli_progress_repeating(void *user, uint64_t done, uint64_t total);
/* Takes that line off the screen; nothing where `err` is no terminal. */
void cli_progress_clear(const struct cli_term *err);

#endif
