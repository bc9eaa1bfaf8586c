/* Watching a run for deaths (train --warn): each census that finds some is told in two lines, and the run is
 * asked to stop when more than a given share is dead. */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include "progress.h"

struct cli_watch {
    struct cli_progress *progress; /* told all news too */
    bool warn;                     /* tell of deaths */
    bool limited;                  /* stop when the share of dead units is above `limit` */
    double limit;
    bool exceeded;      /* it was: the run has been asked to stop */
    size_t dead, units; /* then: the count of that census */
};

/* To be called with each piece of news (relume_run_options.news, user is the watch). A run that is to stop
 * finds cli_stop at −1. */
void cli_watch_news(void *user, const relume_run_news *news);

#endif
