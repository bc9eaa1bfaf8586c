/* Where the server listens, and the token it asks for when that is not this machine alone. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "program.h"
#include "serve.h"

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == 127;
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

static unsigned bound_port(int listener)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        return 0;
    return address.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)(void *)&address)->sin_port)
                                        : ntohs(((struct sockaddr_in6 *)(void *)&address)->sin6_port);
}

static int listen_at(const struct addrinfo *place)
{
    int yes = 1, listener = socket(place->ai_family, SOCK_STREAM, 0);
    if (listener < 0)
        return -1;
    (void)fcntl(listener, F_SETFD, FD_CLOEXEC);
    (void)fcntl(listener, F_SETFL, O_NONBLOCK);
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, place->ai_addr, place->ai_addrlen) == 0 && listen(listener, 128) == 0)
        return listener;
    int number = errno;
    close(listener);
    errno = number;
    return -1;
}

relume_status serve_net_listen(struct serve *serve, relume_error *error)
{
    char port[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *places = NULL;
    snprintf(port, sizeof port, "%u", serve->port);
    int code = getaddrinfo(serve->host, port, &hints, &places);
    if (code == EAI_MEMORY)
        return cli_error(error, RELUME_NO_MEMORY, "not enough memory to look up %s", serve->host);
    if (code != 0)
        return cli_error(error, RELUME_USAGE, "--host %s: %s; give an address of this machine", serve->host,
                         gai_strerror(code));
    serve->listener = listen_at(places);
    int number = errno;
    serve->loopback = is_loopback(places->ai_addr);
    freeaddrinfo(places);
    if (serve->listener < 0)
        return cli_error(error, RELUME_IO, "cannot listen at %s, port %u: %s; --port 0 takes any free port",
                         serve->host, serve->port, strerror(number));
    serve->port = bound_port(serve->listener);
    return RELUME_OK;
}

relume_status serve_net_token(struct serve *serve, relume_error *error)
{
    unsigned char bytes[16];
    if (serve->loopback)
        return RELUME_OK;
    int source = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    ssize_t got = source < 0 ? -1 : read(source, bytes, sizeof bytes);
    int number = errno;
    if (source >= 0)
        close(source);
    if (got != (ssize_t)sizeof bytes)
        return cli_error(error, RELUME_IO, "/dev/urandom: cannot read a token from it: %s", strerror(number));
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(serve->token + 2 * i, 3, "%02x", bytes[i]);
    return RELUME_OK;
}
