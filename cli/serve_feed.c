/* The worker's side: it looks whether a run's history has changed, reads what is new, and makes pages.
 *
 * Training must not feel it. A look is a stat; the history is read only after it has changed and while no
 * transaction is under way (its journal is not there), and then the worker rests for two hundred times as
 * long as the reading took the processor: half a percent of one core, however large the run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "output.h"
#include "program.h"
#include "serve.h"

#define SHORTEST_REST 0.2
#define LONGEST_REST 20.0

double serve_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double serve_feed_age(const struct serve_feed *feed)
{
    struct timespec now;
    if (!feed->path || !feed->known)
        return -1;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (double)(now.tv_sec - feed->seen.changed.tv_sec) +
           1e-9 * (double)(now.tv_nsec - feed->seen.changed.tv_nsec);
}

/* ---- has it changed? ---- */

static bool look(const struct serve_feed *feed, struct serve_signature *signature)
{
    char path[CLI_PATH + 32];
    struct stat file;
    snprintf(path, sizeof path, "%s/history.sqlite", feed->path);
    if (stat(path, &file) != 0)
        return false;
    *signature = (struct serve_signature){file.st_ino, file.st_size, file.st_mtim};
    snprintf(path, sizeof path, "%s/history.sqlite-journal", feed->path);
    return stat(path, &file) != 0; /* else: being written */
}

static bool same(const struct serve_signature *a, const struct serve_signature *b)
{
    return a->inode == b->inode && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
           a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Seconds of this thread's work: what others do on a busy machine is not counted as ours. */
double serve_work(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void rest(struct serve_feed *feed, double began)
{
    double cost = SERVE_REST * (serve_work() - began);
    feed->rest_until = serve_now() + (cost < SHORTEST_REST  ? SHORTEST_REST
                                      : cost > LONGEST_REST ? LONGEST_REST
                                                            : cost);
}

/* ---- reading ---- */

/* A run that began anew in the same folder: all that was said of it is over. */
static void forget(struct serve_feed *feed)
{
    serve_notes_clear(feed);
    feed->known = false;
    feed->mark = UINT64_MAX;
}

/* Under the mutex: what a continuation says, or that the whole should be fetched. */
static void take_continuation(struct serve_feed *feed, const relume_report *report, const char *text,
                              size_t length)
{
    uint64_t step = relume_report_get_step(report);
    bool final = relume_report_is_final(report);
    if (step < feed->mark || (step > feed->mark && !serve_note_add(feed, "more", text, length, step)))
        forget(feed);
    if (feed->known && final && !feed->final)
        (void)serve_note_add(feed, "final", "{}", 2, step + 1); /* a mark no continuation has */
    feed->final = final;
    feed->known = true;
}

static void follow(struct serve *serve, struct serve_feed *feed, const struct serve_signature *now)
{
    relume_report *report = NULL;
    relume_error error = {0};
    const char *text = NULL;
    size_t length = 0;
    double began = serve_work();
    relume_status status =
        relume_report_create_live(serve->engine, feed->path, feed->mark + 1, &report, &error);
    if (status == RELUME_OK)
        status = relume_report_print(report, RELUME_REPORT_JSON, 0, &text, &length, &error);
    (void)pthread_mutex_lock(&serve->mutex);
    if (status == RELUME_OK) {
        feed->seen = *now;
        take_continuation(feed, report, text, length);
        serve_clients_resume(serve, feed);
    }
    (void)pthread_mutex_unlock(&serve->mutex);
    relume_report_destroy(report);
    rest(feed, began);
}

/* ---- pages ---- */

static struct MHD_Response *whole(char *text, size_t length, const char *type)
{
    struct MHD_Response *response =
        serve_mhd.create_response_from_buffer(length, text, MHD_RESPMEM_MUST_FREE);
    if (response)
        serve_http_headers(response, type);
    else
        free(text);
    return response;
}

/* The template with `json` in its place; what its policy may connect to is this server. */
static struct MHD_Response *make_page(const char *json, size_t length)
{
    size_t size;
    const char *page = relume_report_get_template(&size);
    char *text = malloc(size + length + 16), *to = text;
    const char *end = page + size;
    if (!text)
        return NULL;
    while (page < end) {
        static const char facts[] = "@FACTS@", connect[] = "@CONNECT@";
        size_t left = (size_t)(end - page);
        if (*page == '@' && left > sizeof facts && memcmp(page, facts, sizeof facts - 1) == 0) {
            memcpy(to, json, length);
            to += length;
            page += sizeof facts - 1;
        } else if (*page == '@' && left > sizeof connect && memcmp(page, connect, sizeof connect - 1) == 0) {
            memcpy(to, "'self'", 6);
            to += 6;
            page += sizeof connect - 1;
        } else {
            *to++ = *page++;
        }
    }
    return whole(text, (size_t)(to - text), "text/html; charset=utf-8");
}

static struct MHD_Response *make_facts(const char *json, size_t length)
{
    char *text = malloc(length + 1);
    if (!text)
        return NULL;
    memcpy(text, json, length);
    return whole(text, length, "application/json");
}

static void drop_page(struct serve_feed *feed)
{
    if (feed->page)
        serve_mhd.destroy_response(feed->page);
    if (feed->facts)
        serve_mhd.destroy_response(feed->facts);
    feed->page = feed->facts = NULL;
}

/* Under the mutex. */
static void put_page(struct serve_feed *feed, const char *json, size_t length, uint64_t mark, bool final)
{
    drop_page(feed);
    feed->page = make_page(json, length);
    feed->facts = make_facts(json, length);
    feed->page_mark = mark;
    feed->page_final = final;
    snprintf(feed->failure, sizeof feed->failure, "%s", "the server has run out of memory");
}

/* A finished run is reported whole; one that trains, from its history alone. */
static void make_run_page(struct serve *serve, struct serve_feed *feed)
{
    relume_report *report = NULL;
    relume_error error = {0};
    const char *text = NULL;
    size_t length = 0;
    relume_report_options options;
    relume_report_options_default(&options);
    if (serve->folder) /* other runs may be training beside it */
        options.autopsy = RELUME_REPORT_AUTOPSY_NEVER;
    relume_status status = feed->final
                               ? relume_report_create(serve->engine, feed->path, &options, &report, &error)
                               : relume_report_create_live(serve->engine, feed->path, 0, &report, &error);
    if (status == RELUME_OK)
        status = relume_report_print(report, RELUME_REPORT_JSON, 0, &text, &length, &error);
    (void)pthread_mutex_lock(&serve->mutex);
    if (status == RELUME_OK) {
        uint64_t step = relume_report_get_step(report);
        if (!feed->known || (step != feed->mark && !feed->final)) { /* it moved on while it was read */
            forget(feed);
            feed->mark = step;
            feed->known = true;
        }
        put_page(feed, text, length, step, feed->final);
    } else {
        drop_page(feed);
        snprintf(feed->failure, sizeof feed->failure, "%.500s", error.message);
    }
    (void)pthread_mutex_unlock(&serve->mutex);
    relume_report_destroy(report);
}

static bool page_serves(const struct serve_feed *feed)
{
    uint64_t number;
    if (!feed->page || feed->page_final != feed->final)
        return false;
    return feed->final || (serve_note_find(feed, feed->page_mark, &number) && feed->next - number < 16);
}

/* ---- a round ---- */

/* What clients ask of a feed. */
static void see_demand(struct serve *serve, const struct serve_feed *feed, bool *wanted, bool *followed)
{
    (void)pthread_mutex_lock(&serve->mutex);
    *wanted = feed->wanted;
    *followed = feed->streams > 0;
    (void)pthread_mutex_unlock(&serve->mutex);
}

static void work_on_run(struct serve *serve, struct serve_feed *feed)
{
    bool wanted, followed;
    see_demand(serve, feed, &wanted, &followed);
    if (!wanted && !followed)
        return;
    struct serve_signature now;
    bool readable = look(feed, &now), changed = readable && !same(&now, &feed->seen);
    if (changed && feed->known && serve_now() >= feed->rest_until)
        follow(serve, feed, &now);
    if (!wanted)
        return;
    if (!page_serves(feed)) {
        if (!feed->known && readable)
            feed->seen = now;
        make_run_page(serve, feed);
        if (!feed->final) { /* the state is known only from a reading */
            relume_report *report = NULL;
            relume_error error;
            if (relume_report_create_summary(serve->engine, feed->path, &report, &error) == RELUME_OK &&
                relume_report_is_final(report)) {
                feed->final = true;
                make_run_page(serve, feed);
            }
            relume_report_destroy(report);
        }
    }
    (void)pthread_mutex_lock(&serve->mutex);
    feed->wanted = false;
    serve_clients_resume(serve, feed);
    (void)pthread_mutex_unlock(&serve->mutex);
}

static void work_on_list(struct serve *serve)
{
    char *json = serve_runs_json(serve);
    (void)pthread_mutex_lock(&serve->mutex);
    if (json && (!serve->list.page || serve->list.page_mark != serve->list.mark))
        put_page(&serve->list, json, strlen(json), serve->list.mark, false);
    serve->list.wanted = false;
    serve_clients_resume(serve, &serve->list);
    (void)pthread_mutex_unlock(&serve->mutex);
    free(json);
}

void serve_feeds_work(struct serve *serve)
{
    relume_error error;
    bool wanted, followed;
    see_demand(serve, &serve->list, &wanted, &followed);
    for (size_t i = 0; i < serve->runs; i++)
        work_on_run(serve, serve->run[i]);
    if (serve->folder && (wanted || followed) && serve_now() >= serve->next_scan)
        (void)serve_runs_scan(serve, &error); /* a folder that cannot be read now may be readable later */
    if (wanted)
        work_on_list(serve);
}

/* ---- opening and closing ---- */

static relume_status add_run(struct serve *serve, relume_error *error)
{
    struct serve_feed *feed = calloc(1, sizeof *feed);
    char *path = strdup(serve->root);
    if (!feed || !path) {
        free(feed);
        free(path);
        return cli_error(error, RELUME_NO_MEMORY, "not enough memory for a run");
    }
    feed->path = path;
    feed->mark = UINT64_MAX;
    serve->run[serve->runs++] = feed;
    return RELUME_OK;
}

relume_status serve_feeds_open(struct serve *serve, relume_error *error)
{
    serve->folder = !relume_run_exists(serve->root);
    if (!serve->folder)
        return add_run(serve, error);
    relume_status status = serve_runs_scan(serve, error);
    if (status == RELUME_OK && serve->runs == 0)
        return cli_error(error, RELUME_NOT_FOUND, "%.600s: neither a run nor a folder with runs in it",
                         serve->root);
    return status;
}

static void close_feed(struct serve_feed *feed)
{
    drop_page(feed);
    serve_notes_clear(feed);
    free(feed->summary);
    free(feed->path);
    free(feed->name);
}

void serve_feeds_close(struct serve *serve)
{
    close_feed(&serve->list);
    for (size_t i = 0; i < serve->runs; i++) {
        close_feed(serve->run[i]);
        free(serve->run[i]);
    }
}
