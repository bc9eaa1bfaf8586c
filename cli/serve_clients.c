/* Who is connected, and who is cut: libmicrohttpd's own timeout counts only the time without any byte, so a
 * client that sends or takes a byte now and then would stay for ever. Here each phase has its end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "serve.h"

struct serve_client *serve_client_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        serve_mhd.get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* libmicrohttpd finds the socket at its end and closes it, in its own thread. */
static void cut(struct serve_client *client)
{
    if (client->cut)
        return;
    client->cut = true;
    (void)shutdown(client->socket, SHUT_RDWR);
    serve_client_resume(client);
}

/* Makes room for a newcomer: of those that have not said what they want, the oldest must go. */
static void crowd_out(struct serve *serve)
{
    struct serve_client *oldest = NULL;
    size_t asking = 0;
    for (struct serve_client *client = serve->clients; client; client = client->next)
        if (client->phase == SERVE_ASKING && !client->cut) {
            asking++;
            oldest = client; /* newcomers stand in front */
        }
    if (asking > SERVE_UNKNOWN)
        cut(oldest);
}

static void welcome(struct serve *serve, struct MHD_Connection *connection, void **context)
{
    const union MHD_ConnectionInfo *info =
        serve_mhd.get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct serve_client *client = calloc(1, sizeof *client);
    int room = SERVE_SOCKET;
    *context = client;
    if (!client || !info)
        return; /* serve_answer refuses it */
    client->serve = serve;
    client->connection = connection;
    client->socket = info->connect_fd;
    client->since = serve_now();
    (void)setsockopt(client->socket, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    (void)pthread_mutex_lock(&serve->mutex);
    client->next = serve->clients;
    if (client->next)
        client->next->previous = client;
    serve->clients = client;
    serve->client_count++;
    crowd_out(serve);
    (void)pthread_mutex_unlock(&serve->mutex);
}

static void farewell(struct serve *serve, struct serve_client *client)
{
    if (!client)
        return;
    (void)pthread_mutex_lock(&serve->mutex);
    if (client->serve) {
        if (client->previous)
            client->previous->next = client->next;
        else
            serve->clients = client->next;
        if (client->next)
            client->next->previous = client->previous;
        serve->client_count--;
    }
    if (client->phase == SERVE_FOLLOWING) {
        client->feed->streams--;
        serve->streams--;
    }
    serve_note_release(client->note);
    (void)pthread_mutex_unlock(&serve->mutex);
    free(client);
}

void serve_client_notify(void *context, struct MHD_Connection *connection, void **socket_context,
                         enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        welcome(context, connection, socket_context);
    else {
        farewell(context, *socket_context);
        *socket_context = NULL;
    }
}

void serve_client_resume(struct serve_client *client)
{
    if (!client->suspended)
        return;
    client->suspended = false;
    serve_mhd.resume_connection(client->connection);
}

void serve_clients_resume(struct serve *serve, const struct serve_feed *feed)
{
    for (struct serve_client *client = serve->clients; client; client = client->next)
        if (client->feed == feed && (client->phase == SERVE_WAITING || client->cursor < feed->next))
            serve_client_resume(client);
}

void serve_clients_pulse(struct serve *serve)
{
    for (struct serve_client *client = serve->clients; client; client = client->next) {
        if (client->phase != SERVE_FOLLOWING || client->busy > 0)
            continue; /* it has not taken the last bytes yet */
        double age = serve_feed_age(client->feed);
        int length = snprintf(client->pulse, sizeof client->pulse,
                              "event: pulse\ndata: {\"mark\":%llu,\"age\":%.2f}\n\n",
                              (unsigned long long)client->feed->mark, age);
        client->pulse_left = (size_t)length;
        serve_client_resume(client);
    }
}

void serve_clients_reap(struct serve *serve)
{
    double now = serve_now();
    for (struct serve_client *client = serve->clients; client; client = client->next) {
        bool late = (client->phase == SERVE_ASKING && now - client->since > SERVE_HEADER_SECONDS) ||
                    (client->phase == SERVE_ANSWERED && now - client->since > SERVE_ANSWER_SECONDS) ||
                    (client->phase == SERVE_FOLLOWING && client->busy > 0 &&
                     now - client->busy > SERVE_STALL_SECONDS);
        if (late)
            cut(client);
    }
}
