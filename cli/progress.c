/* The bar and the lines of progress.h. A bar drops what does not fit the width, the least useful first. */
#include "progress.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "columns.h"

enum { BAR_COLUMNS = 10 };
static const double least_interval = 0.1; /* seconds between two drawings */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

void cli_progress_init(struct cli_progress *progress, const struct cli_term *err, enum cli_progress_how how)
{
    if (how == CLI_PROGRESS_AUTO)
        how = err->tty ? CLI_PROGRESS_BAR : CLI_PROGRESS_PLAIN;
    *progress = (struct cli_progress){.err = err, .how = how};
}

/* "0:07", "12:34", "3:02:10"; "-" while nothing can be said. */
static void duration(double seconds, char *text, size_t size)
{
    if (!(seconds >= 0 && seconds < 3e7)) {
        snprintf(text, size, "-");
        return;
    }
    unsigned long s = (unsigned long)ceil(seconds);
    if (s < 3600)
        snprintf(text, size, "%lu:%02lu", s / 60, s % 60);
    else
        snprintf(text, size, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
}

static double seconds_left(const struct cli_progress *progress, const relume_progress *at, double time)
{
    if (at->step <= progress->first_step)
        return NAN;
    double a_step = (time - progress->began) / (double)(at->step - progress->first_step);
    return a_step * (double)(at->steps - at->step);
}

/* What is told, in the order of its use to the reader. */
enum { PIECES = 7, PIECE = 48 };

static size_t tell(const struct cli_progress *progress, const relume_run_news *news, double time,
                   char piece[PIECES][PIECE])
{
    const char *accuracy =
        progress->how == CLI_PROGRESS_BAR ? "acc" : "accuracy"; /* the time left fits 80 columns */
    const relume_progress *at = &news->progress;
    char left[24], number[32];
    size_t count = 0;
    uint64_t epoch = news->epoch_end || at->epoch >= at->epochs ? at->epoch : at->epoch + 1;
    snprintf(piece[count++], PIECE, "epoch %llu/%llu", (unsigned long long)epoch,
             (unsigned long long)at->epochs);
    snprintf(piece[count++], PIECE, "loss %.4f", at->loss);
    if (isfinite(at->accuracy))
        snprintf(piece[count++], PIECE, "%s %.4f", accuracy, at->accuracy);
    snprintf(piece[count++], PIECE, "%s %zu/%zu", progress->uncounted ? "silent" : "dead", news->dead,
             news->hidden_units);
    duration(seconds_left(progress, at, time), left, sizeof left);
    snprintf(piece[count++], PIECE, "%s left", left);
    if (at->step_seconds > 0)
        snprintf(piece[count++], PIECE, "%s samples/s",
                 cli_grouped((unsigned long long)((double)at->samples / at->step_seconds), number));
    snprintf(piece[count++], PIECE, "step %llu/%llu", (unsigned long long)at->step,
             (unsigned long long)at->steps);
    return count;
}

static void draw_bar(struct cli_progress *progress, const relume_run_news *news, double time)
{
    FILE *stream = progress->err->stream;
    char piece[PIECES][PIECE];
    const relume_progress *at = &news->progress;
    size_t count = tell(progress, news, time, piece);
    int full = at->steps > 0 ? (int)((double)at->step / (double)at->steps * BAR_COLUMNS) : 0;
    size_t used = BAR_COLUMNS + 2;
    fprintf(stream, "\r[%.*s%.*s]", full, "##########", BAR_COLUMNS - full, "..........");
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(piece[i]);
        if (used + 2 + length >= progress->err->width)
            break;
        fprintf(stream, "  %s", piece[i]);
        used += 2 + length;
    }
    fputs("\033[K", stream);
    fflush(stream);
    progress->on_screen = true;
    progress->drawn = time;
}

static void print_line(const struct cli_progress *progress, const relume_run_news *news, double time)
{
    FILE *stream = progress->err->stream;
    char piece[PIECES][PIECE];
    size_t count = tell(progress, news, time, piece);
    fputs(piece[0], stream);
    for (size_t i = 1; i < count; i++) {
        fprintf(stream, "  %s", piece[i]);
        if (i == 1 && isfinite(news->test_loss) && !isfinite(news->test_accuracy))
            fprintf(stream, "  test loss %.4f", news->test_loss);
        if (strncmp(piece[i], "accuracy", 8) == 0 && isfinite(news->test_accuracy))
            fprintf(stream, "  test %.4f", news->test_accuracy);
    }
    fputc('\n', stream);
    fflush(stream);
}

void cli_progress_news(void *user, const relume_run_news *news)
{
    struct cli_progress *progress = user;
    if (progress->how == CLI_PROGRESS_OFF)
        return;
    double time = now();
    if (progress->began == 0) {
        progress->began = time;
        progress->first_step = news->progress.step;
    }
    if (progress->how == CLI_PROGRESS_PLAIN && news->epoch_end)
        print_line(progress, news, time);
    if (progress->how == CLI_PROGRESS_BAR && time - progress->drawn >= least_interval)
        draw_bar(progress, news, time);
}

void cli_progress_end(struct cli_progress *progress)
{
    if (progress->on_screen)
        fputs("\r\033[K", progress->err->stream);
    progress->on_screen = false;
    fflush(progress->err->stream);
}

void cli_progress_repeating(void *user, uint64_t done, uint64_t total)
{
    const struct cli_term *err = user;
    if (done % 16 == 0 || done == total)
        fprintf(err->stream, "\rrepeating update %llu of %llu ", (unsigned long long)done,
                (unsigned long long)total);
}

void cli_progress_clear(const struct cli_term *err)
{
    if (err->tty)
        fprintf(err->stream, "\r%*s\r", 60, "");
}
