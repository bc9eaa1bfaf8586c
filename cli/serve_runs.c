/* The list of a folder's runs: which there are, and a line about each that is read again when its history has
 * changed. Runs keep their number as long as the server lives, since requests name them by it. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "output.h"
#include "program.h"
#include "serve.h"

#define SCAN_SECONDS 1.0

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool is_known(const struct serve *serve, const char *name)
{
    for (size_t i = 0; i < serve->runs; i++)
        if (strcmp(serve->run[i]->name, name) == 0)
            return true;
    return false;
}

/* A new feed for a run in the folder; *made stays NULL where there is none. NO_MEMORY. */
static relume_status open_run(const struct serve *serve, const char *name, struct serve_feed **made,
                              relume_error *error)
{
    size_t size = strlen(serve->root) + strlen(name) + 2;
    struct serve_feed *feed = calloc(1, sizeof *feed);
    char *path = malloc(size), *copy = strdup(name);
    if (path)
        snprintf(path, size, "%s/%s", serve->root, name);
    bool enough = feed && path && copy;
    if (enough && relume_run_exists(path)) {
        feed->path = path;
        feed->name = copy;
        feed->mark = UINT64_MAX;
        *made = feed;
        return RELUME_OK;
    }
    free(feed);
    free(path);
    free(copy);
    return enough ? RELUME_OK : cli_error(error, RELUME_NO_MEMORY, "not enough memory for a run");
}

/* ---- a run's line ---- */

static bool changed(struct serve_feed *feed, struct timespec *when)
{
    char path[CLI_PATH + 32];
    struct stat file;
    snprintf(path, sizeof path, "%s/history.sqlite", feed->path);
    if (stat(path, &file) != 0)
        return false;
    *when = file.st_mtim;
    return true;
}

/* {"index":3,"run":{…}} */
static char *read_line(struct serve *serve, const struct serve_feed *feed, size_t index)
{
    relume_report *report = NULL;
    relume_error error;
    const char *text;
    size_t length;
    char *line = NULL;
    if (relume_report_create_summary(serve->engine, feed->path, &report, &error) == RELUME_OK &&
        relume_report_print(report, RELUME_REPORT_JSON, 0, &text, &length, &error) == RELUME_OK &&
        (line = malloc(length + 48)) != NULL)
        snprintf(line, length + 48, "{\"index\":%zu,\"run\":%s}", index, text);
    relume_report_destroy(report);
    return line;
}

static void refresh(struct serve *serve, size_t index, struct timespec *line_time)
{
    struct serve_feed *feed = serve->run[index];
    struct timespec when;
    if (!changed(feed, &when) ||
        (feed->summary && when.tv_sec == line_time->tv_sec && when.tv_nsec == line_time->tv_nsec))
        return;
    char *line = read_line(serve, feed, index);
    if (!line)
        return;
    *line_time = when;
    (void)pthread_mutex_lock(&serve->mutex);
    bool news = !feed->summary || strcmp(feed->summary, line) != 0;
    free(feed->summary);
    feed->summary = line;
    if (news && !serve_note_add(&serve->list, "run", line, strlen(line), serve->list.mark + 1))
        serve_notes_clear(&serve->list);
    if (news)
        serve_clients_resume(serve, &serve->list);
    (void)pthread_mutex_unlock(&serve->mutex);
}

/* ---- all of them ---- */

relume_status serve_runs_scan(struct serve *serve, relume_error *error)
{
    static struct timespec line_time[SERVE_RUNS];
    struct dirent **entry = NULL;
    double began = serve_work();
    relume_status status = RELUME_OK;
    int count = scandir(serve->root, &entry, NULL, by_name);
    if (count < 0)
        return cli_error(error,
                         errno == ENOENT   ? RELUME_NOT_FOUND
                         : errno == ENOMEM ? RELUME_NO_MEMORY
                                           : RELUME_IO,
                         "%.600s: cannot read the folder: %s", serve->root, strerror(errno));
    for (int i = 0; i < count; i++) {
        const char *name = entry[i]->d_name;
        struct serve_feed *feed = NULL;
        if (status == RELUME_OK && name[0] != '.' && serve->runs < SERVE_RUNS && !is_known(serve, name))
            status = open_run(serve, name, &feed, error);
        if (feed) {
            (void)pthread_mutex_lock(&serve->mutex);
            serve->run[serve->runs++] = feed;
            (void)pthread_mutex_unlock(&serve->mutex);
        }
        free(entry[i]);
    }
    free(entry);
    for (size_t i = 0; i < serve->runs; i++)
        refresh(serve, i, &line_time[i]);
    double cost = SERVE_REST * (serve_work() - began);
    serve->next_scan = serve_now() + (cost < SCAN_SECONDS ? SCAN_SECONDS : cost > 20 ? 20 : cost);
    return status;
}

char *serve_runs_json(const struct serve *serve)
{
    size_t size = 256;
    for (size_t i = 0; i < serve->runs; i++)
        size += serve->run[i]->summary ? strlen(serve->run[i]->summary) + 1 : 0;
    char *json = malloc(size);
    if (!json)
        return NULL;
    size_t used = (size_t)snprintf(json, size,
                                   "{\"schema\":\"relume.runs/1\",\"relume\":\"%s\",\"mark\":%llu,\"runs\":[",
                                   relume_version(), (unsigned long long)serve->list.mark);
    const char *comma = "";
    for (size_t i = 0; i < serve->runs; i++)
        if (serve->run[i]->summary) {
            used += (size_t)snprintf(json + used, size - used, "%s%s", comma, serve->run[i]->summary);
            comma = ",";
        }
    snprintf(json + used, size - used, "]}");
    return json;
}
