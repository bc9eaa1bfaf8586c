/* relume serve RUN: the page, live. Starts the server, does the worker's rounds until it is asked to stop. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "program.h"
#include "serve.h"
#include "signals.h"

/* Nothing in a request is decoded: no route contains a character that would need it. */
static size_t leave_as_it_is(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

/* Signals are for the main thread: the daemon's inherits a mask without them. */
static relume_status start(struct serve *serve, relume_error *error)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    serve->daemon = serve_mhd.start_daemon(
        MHD_USE_AUTO_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, serve_answer, serve,
        MHD_OPTION_LISTEN_SOCKET, serve->listener, MHD_OPTION_CONNECTION_LIMIT, (unsigned)SERVE_CLIENTS,
        MHD_OPTION_CONNECTION_TIMEOUT, 20u, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)SERVE_HEADER,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION, serve_client_notify, serve,
        MHD_OPTION_UNESCAPE_CALLBACK, leave_as_it_is, NULL, MHD_OPTION_END);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (serve->daemon)
        return RELUME_OK;
    relume_status status = errno == ENOMEM                      ? RELUME_NO_MEMORY
                           : errno == EAGAIN || errno == EMFILE ? RELUME_RESOURCE /* a thread, a descriptor */
                                                                : RELUME_IO;
    return cli_error(error, status, "the server does not start: %s", strerror(errno));
}

/* A clock that is set back must not put the worker to sleep for as long. */
static relume_status make_wake(struct serve *serve, relume_error *error)
{
    pthread_condattr_t monotonic;
    int failed = pthread_condattr_init(&monotonic);
    if (failed == 0) {
        (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        failed = pthread_cond_init(&serve->wake, &monotonic);
        (void)pthread_condattr_destroy(&monotonic);
    }
    if (failed == 0)
        return RELUME_OK;
    return cli_error(error, RELUME_NO_MEMORY, "the server does not start: %s", strerror(failed));
}

/* Waits for a request, a tenth of a second at most; under the mutex. */
static void wait_a_little(struct serve *serve)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 100000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_cond_timedwait(&serve->wake, &serve->mutex, &until);
}

static void work(struct serve *serve)
{
    while (!cli_stop) {
        serve_feeds_work(serve);
        (void)pthread_mutex_lock(&serve->mutex);
        if (serve_now() >= serve->next_pulse) {
            serve_clients_pulse(serve);
            serve->next_pulse = serve_now() + 1;
        }
        serve_clients_reap(serve);
        wait_a_little(serve);
        (void)pthread_mutex_unlock(&serve->mutex);
    }
}

/* No connection may be suspended when the daemon stops. */
static void stop(struct serve *serve)
{
    (void)pthread_mutex_lock(&serve->mutex);
    serve->stopping = true;
    for (struct serve_client *client = serve->clients; client; client = client->next)
        serve_client_resume(client);
    (void)pthread_mutex_unlock(&serve->mutex);
    serve_mhd.stop_daemon(serve->daemon);
}

/* The address is the result, so it goes to stdout; at once, for whoever waits for it. */
static void tell(const struct cli_program *program, const struct serve *serve)
{
    bool six = strchr(serve->host, ':') != NULL;
    printf("http://%s%s%s:%u/%s%s\n", six ? "[" : "", serve->host, six ? "]" : "", serve->port,
           *serve->token ? "?token=" : "", serve->token);
    (void)fflush(stdout);
    FILE *err = program->err.stream;
    if (serve->folder)
        fprintf(err, "serving %zu %s; Ctrl-C ends it\n", serve->runs, cli_agree(serve->runs, "run", "runs"));
    else
        fputs("serving one run; Ctrl-C ends it\n", err);
    if (!serve->loopback)
        fputs("other machines can reach this address; whoever has the token can read the runs, and nothing "
              "encrypts it on the way\n",
              err);
}

static relume_status serve_runs(struct cli_program *program, struct serve *serve, relume_error *error)
{
    relume_status status = make_wake(serve, error);
    if (status == RELUME_OK)
        status = cli_engine(program, &serve->engine, error);
    if (status == RELUME_OK)
        status = serve_library_load(error);
    if (status == RELUME_OK)
        status = serve_feeds_open(serve, error);
    if (status == RELUME_OK)
        status = serve_net_listen(serve, error);
    if (status == RELUME_OK)
        status = serve_net_token(serve, error);
    if (status == RELUME_OK)
        status = start(serve, error);
    if (status == RELUME_OK) {
        cli_signals_catch();
        tell(program, serve);
        work(serve);
        stop(serve);
    }
    serve_feeds_close(serve);
    relume_engine_destroy(serve->engine);
    return status;
}

int cmd_serve(struct cli_program *program)
{
    static struct serve serve = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    relume_error error = {0};
    const char *host = cli_text(program->args, "host");
    if (!relume_report_has_page())
        return cli_misuse(
            &program->err, "serve",
            "this build of relume carries no page to serve, for node or the packages of web/ "
            "(npm ci) were missing when it was built; relume report RUN says the same in the terminal");
    if (strlen(host) >= sizeof serve.host)
        return cli_misuse(&program->err, "serve", "--host: longer than an address can be");
    memcpy(serve.host, host, strlen(host) + 1);
    serve.port = (unsigned)cli_whole(program->args, "port");
    serve.root = program->args->positional[0];
    serve.list.known = true;
    relume_status status = serve_runs(program, &serve, &error);
    if (status != RELUME_OK)
        return cli_fail(program, &error);
    return 128 + cli_stop;
}
