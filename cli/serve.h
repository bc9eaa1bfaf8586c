/* The inside of `relume serve`: feeds (what is served), clients (who is connected) and the guard (who is let
 * in).
 *
 * Two threads: the worker, which is the program's own and alone reads runs, and libmicrohttpd's, which alone
 * talks to clients. They meet under `mutex`. No request names a file: a fixed table of routes leads to a feed
 * by its number. */
#ifndef CLI_SERVE_H
#define CLI_SERVE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "relume/relume.h"
#include "serve_library.h"

enum {
    SERVE_RUNS = 512,     /* runs of a folder that are listed */
    SERVE_NOTES = 64,     /* continuations kept of each feed */
    SERVE_CLIENTS = 256,  /* connections at once */
    SERVE_UNKNOWN = 64,   /* of them, before their headers are complete */
    SERVE_STREAMS = 128,  /* of them, following a feed */
    SERVE_HEADER = 16384, /* bytes of a request */
    SERVE_REST = 200,     /* times the work of a reading that the worker rests after it */
    SERVE_SOCKET = 131072 /* bytes the kernel may hold for a client that does not read */
};
#define SERVE_NOTE_BYTES (8u << 20) /* of a feed's continuations together */
#define SERVE_HEADER_SECONDS 5.0    /* to send a request */
#define SERVE_ANSWER_SECONDS 60.0   /* to take a page */
#define SERVE_STALL_SECONDS 10.0    /* a stream may lie behind */

/* A piece of an event stream, shared by all that follow the feed. It leads from one mark to another. */
struct serve_note {
    uint64_t from, to;
    size_t users; /* clients in the middle of it */
    bool dropped; /* freed with its last user */
    size_t length;
    char text[];
};

/* The history file as it was when it was last read. */
struct serve_signature {
    ino_t inode;
    off_t size;
    struct timespec changed;
};

/* Something that is served and changes: a run, or the list of runs (whose mark counts versions, where a run's
 * is its step). The worker alone writes it, under the mutex where libmicrohttpd's thread reads. */
struct serve_feed {
    char *path, *name; /* a run's folder; NULL: the list */
    struct serve_signature seen;
    uint64_t mark;
    bool known, final;
    char *summary; /* a run's line in the list, as JSON */
    bool summary_stale;

    struct serve_note *note[SERVE_NOTES]; /* a ring: number n lies at n % SERVE_NOTES */
    uint64_t first, next;                 /* numbers of the notes held */
    size_t bytes;

    struct MHD_Response *page, *facts; /* as of page_mark; NULL: none */
    uint64_t page_mark;
    bool page_final;
    char failure[512]; /* why there is none */

    bool wanted;       /* a client waits for page or facts */
    size_t streams;    /* clients following */
    double rest_until; /* not looked at before */
};

enum serve_phase { SERVE_ASKING, SERVE_WAITING, SERVE_ANSWERED, SERVE_FOLLOWING };

struct serve_client {
    struct serve_client *previous, *next;
    struct serve *serve;
    struct MHD_Connection *connection;
    int socket;
    enum serve_phase phase;
    double since;     /* of this phase */
    bool cut;         /* its socket is shut down; libmicrohttpd will notice */
    bool suspended;   /* waits for the worker */
    bool wants_facts; /* not the page */
    struct serve_feed *feed;

    uint64_t cursor;         /* following: the next note */
    struct serve_note *note; /* in the middle of it */
    size_t offset;
    bool reset;      /* its mark is not among the notes */
    double busy;     /* since when bytes wait for it; 0: none do */
    char pulse[160]; /* what stands in for a note every second */
    size_t pulse_left;
};

struct serve {
    pthread_mutex_t mutex;
    pthread_cond_t wake; /* a page is wanted */
    relume_engine *engine;
    struct MHD_Daemon *daemon;
    int listener;
    bool stopping;

    const char *root;
    bool folder; /* of runs; else one run */
    struct serve_feed list, *run[SERVE_RUNS];
    size_t runs;
    double next_scan, next_pulse;

    char host[256]; /* as the user named it */
    unsigned port;
    bool loopback;
    char token[33]; /* empty: none is asked for */

    struct serve_client *clients;
    size_t client_count, streams;
};

double serve_now(void);
double serve_work(void);

/* serve_feed.c: the worker's side. */
/* Makes the feeds of the run or folder at serve->root. NOT_FOUND when it holds no run. */
relume_status serve_feeds_open(struct serve *serve, relume_error *error);
void serve_feeds_close(struct serve *serve);
/* Looks at what is wanted and followed, without the mutex held. */
void serve_feeds_work(struct serve *serve);
/* The seconds since a run's history last changed; below 0: cannot be told. */
double serve_feed_age(const struct serve_feed *feed);

/* serve_runs.c: the list. */
relume_status serve_runs_scan(struct serve *serve, relume_error *error);
/* The list as JSON, from malloc; NULL for lack of memory. */
char *serve_runs_json(const struct serve *serve);

/* serve_notes.c: under the mutex. */
/* Adds `text` as the data of an event, from feed->mark to `mark`. False for lack of memory. */
bool serve_note_add(struct serve_feed *feed, const char *event, const char *text, size_t length,
                    uint64_t mark);
void serve_note_release(struct serve_note *note);
void serve_notes_clear(struct serve_feed *feed);
/* The note that leads on from `mark`: its number, or feed->next when there is nothing more yet. False when
 * that mark has been forgotten. */
bool serve_note_find(const struct serve_feed *feed, uint64_t mark, uint64_t *number);

/* serve_clients.c */
void serve_client_notify(void *context, struct MHD_Connection *connection, void **socket_context,
                         enum MHD_ConnectionNotificationCode code);
struct serve_client *serve_client_of(struct MHD_Connection *connection);
/* Wakes those that wait for a feed, cuts those that are too slow; under the mutex. */
void serve_clients_resume(struct serve *serve, const struct serve_feed *feed);
void serve_clients_pulse(struct serve *serve);
void serve_clients_reap(struct serve *serve);
void serve_client_resume(struct serve_client *client);

/* serve_guard.c: what a request must be to be answered at all. 0, or the status to refuse it with. */
unsigned serve_guard(const struct serve *serve, struct MHD_Connection *connection, const char *method);
/* Whether the request carries the token, or none is asked for; *first: in its query, so that a cookie should
 * take over. */
bool serve_guard_token(const struct serve *serve, struct MHD_Connection *connection, bool *first);

/* serve_net.c */
/* Listens at serve->host and port and says which port it came to. IO, USAGE. */
relume_status serve_net_listen(struct serve *serve, relume_error *error);
relume_status serve_net_token(struct serve *serve, relume_error *error);

/* serve_http.c */
enum MHD_Result serve_answer(void *context, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version, const char *upload_data,
                             size_t *upload_size, void **seen);
/* A response with the headers every answer has. Takes over nothing. */
void serve_http_headers(struct MHD_Response *response, const char *type);

#endif
