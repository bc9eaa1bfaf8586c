/* Answers: a fixed table of routes, pages that the worker makes while the request waits, and event streams.
 * This is libmicrohttpd's thread; it never reads a run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve.h"

void serve_http_headers(struct MHD_Response *response, const char *type)
{
    static const char *const headers[][2] = {
        {"Cache-Control", "no-store"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Content-Security-Policy", "frame-ancestors 'none'"},
        {"Connection", "close"},
    };
    (void)serve_mhd.add_response_header(response, "Content-Type", type);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        (void)serve_mhd.add_response_header(response, headers[i][0], headers[i][1]);
}

/* ---- short answers ---- */

static const char *words_for(unsigned status)
{
    switch (status) {
    case MHD_HTTP_BAD_REQUEST:
        return "400: a request has one Host, at most one Origin and no contradicting lengths\n";
    case MHD_HTTP_UNAUTHORIZED:
        return "401: open the address that relume serve printed; its token is missing here\n";
    case MHD_HTTP_FORBIDDEN:
        return "403: this server answers only under its own address\n";
    case MHD_HTTP_NOT_FOUND:
        return "404: there is no such page\n";
    case MHD_HTTP_METHOD_NOT_ALLOWED:
        return "405: GET and HEAD only\n";
    case MHD_HTTP_CONTENT_TOO_LARGE:
        return "413: a request has no body here\n";
    default:
        return "503: too many clients at once\n";
    }
}

static enum MHD_Result say(struct MHD_Connection *connection, unsigned status, const char *text)
{
    struct MHD_Response *response =
        serve_mhd.create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    serve_http_headers(response, "text/plain; charset=utf-8");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)serve_mhd.add_response_header(response, "Allow", "GET, HEAD");
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
        (void)serve_mhd.add_response_header(response, "Retry-After", "2");
    enum MHD_Result result = serve_mhd.queue_response(connection, status, response);
    serve_mhd.destroy_response(response);
    return result;
}

/* The token moves from the address, where it would be copied about, into a cookie. */
static enum MHD_Result give_cookie(const struct serve *serve, struct MHD_Connection *connection)
{
    char cookie[160];
    struct MHD_Response *response =
        serve_mhd.create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    snprintf(cookie, sizeof cookie, "relume-%u=%s; Path=/; HttpOnly; SameSite=Strict", serve->port,
             serve->token);
    serve_http_headers(response, "text/plain; charset=utf-8");
    (void)serve_mhd.add_response_header(response, "Set-Cookie", cookie);
    (void)serve_mhd.add_response_header(response, "Location", "/");
    enum MHD_Result result = serve_mhd.queue_response(connection, MHD_HTTP_SEE_OTHER, response);
    serve_mhd.destroy_response(response);
    return result;
}

/* ---- routes ---- */

enum route { ROUTE_NONE, ROUTE_PAGE, ROUTE_FACTS, ROUTE_EVENTS };

static enum route route_of(const char *rest)
{
    return strcmp(rest, "") == 0             ? ROUTE_PAGE
           : strcmp(rest, "facts.json") == 0 ? ROUTE_FACTS
           : strcmp(rest, "events") == 0     ? ROUTE_EVENTS
                                             : ROUTE_NONE;
}

/* "/…" is the run, or the list of runs; "/run/N/…" is run N. Under the mutex: the worker adds runs. */
static enum route find_route(struct serve *serve, const char *url, struct serve_feed **feed)
{
    size_t number = 0, digits = 0;
    if (strncmp(url, "/run/", 5) != 0) {
        *feed = serve->folder ? &serve->list : serve->run[0];
        return url[0] == '/' ? route_of(url + 1) : ROUTE_NONE;
    }
    for (url += 5; *url >= '0' && *url <= '9' && digits < 4; url++, digits++)
        number = 10 * number + (size_t)(*url - '0');
    if (digits == 0 || *url != '/' || number >= serve->runs)
        return ROUTE_NONE;
    *feed = serve->run[number];
    return route_of(url + 1);
}

/* ---- event streams ---- */

static void take_note(struct serve_client *client)
{
    struct serve_feed *feed = client->feed;
    if (client->cursor < feed->first)
        client->reset = true; /* too far behind: what it lacks is gone */
    else if (client->cursor < feed->next) {
        client->note = feed->note[client->cursor++ % SERVE_NOTES];
        client->note->users++;
        client->offset = 0;
    }
}

static size_t copy(char *buffer, size_t size, const char *from, size_t left)
{
    size_t count = left < size ? left : size;
    memcpy(buffer, from, count);
    return count;
}

/* Under the mutex: what comes next for this client; 0: nothing now. */
static size_t next_bytes(struct serve_client *client, char *buffer, size_t size)
{
    if (!client->note && client->pulse_left == 0)
        take_note(client);
    if (client->note) {
        size_t count =
            copy(buffer, size, client->note->text + client->offset, client->note->length - client->offset);
        client->offset += count;
        if (client->offset == client->note->length) {
            serve_note_release(client->note);
            client->note = NULL;
        }
        return count;
    }
    size_t length = strlen(client->pulse);
    size_t count = copy(buffer, size, client->pulse + length - client->pulse_left, client->pulse_left);
    client->pulse_left -= count;
    return count;
}

static ssize_t read_stream(void *context, uint64_t position, char *buffer, size_t size)
{
    static const char again[] = "event: reset\ndata: {}\n\n";
    struct serve_client *client = context;
    struct serve *serve = client->serve;
    ssize_t result = MHD_CONTENT_READER_END_OF_STREAM;
    (void)position;
    (void)pthread_mutex_lock(&serve->mutex);
    if (!serve->stopping && !client->cut) {
        size_t count = next_bytes(client, buffer, size);
        if (count == 0 && client->reset && client->offset != SIZE_MAX && size > sizeof again) {
            count = copy(buffer, size, again, sizeof again - 1);
            client->offset = SIZE_MAX; /* said once; then the stream ends */
        } else if (count == 0 && !client->reset) {
            client->suspended = true;
            client->busy = 0;
            serve_mhd.suspend_connection(client->connection);
        }
        if (count > 0 && !(client->busy > 0))
            client->busy = serve_now();
        if (count > 0 || client->suspended)
            result = (ssize_t)count;
    }
    (void)pthread_mutex_unlock(&serve->mutex);
    return result;
}

/* Under the mutex. */
static enum MHD_Result begin_stream(struct serve *serve, struct serve_client *client)
{
    const char *from = serve_mhd.lookup_connection_value(client->connection, MHD_GET_ARGUMENT_KIND, "from");
    char *end = NULL;
    uint64_t mark = from ? strtoull(from, &end, 10) : 0;
    if (serve->streams >= SERVE_STREAMS)
        return say(client->connection, MHD_HTTP_SERVICE_UNAVAILABLE, words_for(0));
    struct MHD_Response *response =
        serve_mhd.create_response_from_callback(MHD_SIZE_UNKNOWN, 8192, read_stream, client, NULL);
    if (!response)
        return MHD_NO;
    client->reset = !from || !end || *end || end == from || !client->feed->known ||
                    !serve_note_find(client->feed, mark, &client->cursor);
    client->phase = SERVE_FOLLOWING;
    client->since = client->busy = serve_now();
    client->feed->streams++;
    serve->streams++;
    serve_http_headers(response, "text/event-stream");
    /* libmicrohttpd locks the response here, and holds that lock when it calls read_stream, which takes ours:
     * never the other way round. */
    (void)pthread_mutex_unlock(&serve->mutex);
    enum MHD_Result result = serve_mhd.queue_response(client->connection, MHD_HTTP_OK, response);
    serve_mhd.destroy_response(response);
    (void)pthread_mutex_lock(&serve->mutex);
    return result;
}

/* ---- pages ---- */

/* Under the mutex: asks the worker, who wakes the connection again. */
static enum MHD_Result begin_waiting(struct serve *serve, struct serve_client *client)
{
    client->phase = SERVE_WAITING;
    client->feed->wanted = true;
    client->suspended = true;
    serve_mhd.suspend_connection(client->connection);
    (void)pthread_cond_signal(&serve->wake);
    return MHD_YES;
}

static enum MHD_Result give_page(struct serve_client *client)
{
    struct MHD_Response *response = client->wants_facts ? client->feed->facts : client->feed->page;
    client->phase = SERVE_ANSWERED;
    client->since = serve_now();
    if (!response)
        return say(client->connection, MHD_HTTP_SERVICE_UNAVAILABLE, client->feed->failure);
    return serve_mhd.queue_response(client->connection, MHD_HTTP_OK, response);
}

/* ---- a request ---- */

/* Under the mutex. */
static enum MHD_Result dispatch(struct serve *serve, struct serve_client *client, const char *url)
{
    enum route route = find_route(serve, url, &client->feed);
    client->phase = SERVE_ANSWERED;
    client->since = serve_now();
    if (route == ROUTE_NONE)
        return say(client->connection, MHD_HTTP_NOT_FOUND, words_for(MHD_HTTP_NOT_FOUND));
    if (route == ROUTE_EVENTS)
        return begin_stream(serve, client);
    client->wants_facts = route == ROUTE_FACTS;
    return begin_waiting(serve, client);
}

enum MHD_Result serve_answer(void *context, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version, const char *upload_data,
                             size_t *upload_size, void **seen)
{
    struct serve *serve = context;
    struct serve_client *client = serve_client_of(connection);
    bool first_token = false;
    (void)version;
    (void)upload_data;
    if (!client || !client->serve || *upload_size > 0)
        return MHD_NO; /* no memory for it, or a body that the guard has refused: closed */
    if (!*seen) {      /* the headers have just been read */
        *seen = client;
        unsigned refused = serve_guard(serve, connection, method);
        if (refused == 0 && !serve_guard_token(serve, connection, &first_token))
            refused = MHD_HTTP_UNAUTHORIZED;
        (void)pthread_mutex_lock(&serve->mutex);
        client->phase = SERVE_ANSWERED;
        client->since = serve_now();
        (void)pthread_mutex_unlock(&serve->mutex);
        if (refused)
            return say(connection, refused, words_for(refused));
        return first_token && strcmp(url, "/") == 0 ? give_cookie(serve, connection) : MHD_YES;
    }
    (void)pthread_mutex_lock(&serve->mutex);
    enum MHD_Result result = serve->stopping                  ? MHD_NO
                             : client->phase == SERVE_WAITING ? give_page(client)
                                                              : dispatch(serve, client, url);
    (void)pthread_mutex_unlock(&serve->mutex);
    return result;
}
