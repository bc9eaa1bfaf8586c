/* See watch.h. */
#include "watch.h"

#include "program.h"
#include "signals.h"

enum { NAMED = 4 }; /* units named in a warning; the others are counted */

/* "h1.3 (step 7), h1.17 and 40 more": a step where the ledger has proved it. Layers as hN: the ledger's own
 * names. */
static void put_units(FILE *stream, const relume_run_news *news, size_t deaths)
{
    size_t named = 0;
    for (size_t i = 0; i < news->event_count && named < NAMED; i++) {
        const relume_event *event = &news->event[i];
        if (event->kind != RELUME_KILLED)
            continue;
        fprintf(stream, "%sh%zu.%zu", named ? ", " : "", event->layer + 1, event->unit);
        if (event->exact)
            fprintf(stream, " (step %llu)", (unsigned long long)event->step);
        named++;
    }
    if (deaths > named)
        fprintf(stream, " and %zu more", deaths - named);
}

/* The stretch of steps in which they died: the first and the last that is possible. */
static void put_steps(FILE *stream, const relume_run_news *news)
{
    uint64_t first = UINT64_MAX, last = 0;
    for (size_t i = 0; i < news->event_count; i++) {
        const relume_event *event = &news->event[i];
        if (event->kind != RELUME_KILLED)
            continue;
        first = event->after_step + 1 < first ? event->after_step + 1 : first;
        last = event->step > last ? event->step : last;
    }
    if (first >= last)
        fprintf(stream, "at step %llu", (unsigned long long)last);
    else
        fprintf(stream, "in steps %llu to %llu", (unsigned long long)first, (unsigned long long)last);
}

static void tell_deaths(const struct cli_watch *watch, const relume_run_news *news, size_t deaths)
{
    const struct cli_term *err = watch->progress->err;
    cli_progress_end(watch->progress);
    cli_style(err, CLI_YELLOW);
    fprintf(err->stream, "warning: %zu %s died ", deaths, cli_agree(deaths, "unit", "units"));
    put_steps(err->stream, news);
    cli_style(err, CLI_PLAIN);
    fprintf(err->stream, ", learning rate %g; %zu of %zu %s dead after step %llu\n  ",
            news->progress.learning_rate, news->dead, news->hidden_units, cli_agree(news->dead, "is", "are"),
            (unsigned long long)news->progress.step);
    put_units(err->stream, news, deaths);
    fputc('\n', err->stream);
    fflush(err->stream);
}

/* The run stops after its next update, so that what is saved is a moment before a boundary, as after a
 * signal: resuming then gives the bytes of a run that was never stopped. */
static void check_limit(struct cli_watch *watch, const relume_run_news *news)
{
    bool last = news->progress.step == news->progress.steps; /* the check at the end tells */
    if (!watch->limited || !news->counted || watch->exceeded || last || news->hidden_units == 0)
        return;
    if ((double)news->dead / (double)news->hidden_units <= watch->limit)
        return;
    watch->exceeded = true;
    watch->dead = news->dead;
    watch->units = news->hidden_units;
    if (cli_stop == 0)
        cli_stop = -1;
}

void cli_watch_news(void *user, const relume_run_news *news)
{
    struct cli_watch *watch = user;
    size_t deaths = 0;
    for (size_t i = 0; i < news->event_count; i++)
        deaths += news->event[i].kind == RELUME_KILLED;
    if (watch->warn && deaths > 0)
        tell_deaths(watch, news, deaths);
    cli_progress_news(watch->progress, news);
    check_limit(watch, news);
}
