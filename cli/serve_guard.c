/* The gate in front of every request: one Host and one of ours, no foreign Origin, no body, GET or HEAD, and
 * the token where one is asked for.
 *
 * libmicrohttpd lets a missing or a second Host through and takes Content-Length beside chunked; a page of
 * another site that has its own name point here (DNS rebinding) is known by its Host, one that sends requests
 * here by its Origin. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "serve.h"

static char lower(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

/* What follows `start` in `text`, whose letters may be of either case; NULL where it does not begin so. The
 * letters are ASCII's: strcasecmp asks the locale, and in a Turkish one ORIGIN is not Origin. */
static const char *text_after(const char *text, const char *start)
{
    for (; *start; start++, text++)
        if (lower(*text) != lower(*start))
            return NULL;
    return text;
}

static bool same_text(const char *a, const char *b)
{
    const char *rest = text_after(a, b);
    return rest && !*rest;
}

struct headers {
    const char *host, *origin, *length;
    size_t hosts, origins, lengths, encodings;
};

static enum MHD_Result see_header(void *context, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct headers *seen = context;
    (void)kind;
    if (same_text(key, "Host")) {
        seen->host = value ? value : "";
        seen->hosts++;
    } else if (same_text(key, "Origin")) {
        seen->origin = value ? value : "";
        seen->origins++;
    } else if (same_text(key, "Content-Length")) {
        seen->length = value ? value : "";
        seen->lengths++;
    } else if (same_text(key, "Transfer-Encoding")) {
        seen->encodings++;
    }
    return MHD_YES;
}

/* "name:port" or "[v6]:port": the name, without brackets; false when the port is not ours. */
static bool split_host(const struct serve *serve, const char *host, char *name, size_t size)
{
    char port[16];
    snprintf(port, sizeof port, ":%u", serve->port);
    size_t length = strlen(host), tail = strlen(port);
    if (length > tail && strcmp(host + length - tail, port) == 0)
        length -= tail;
    else if (serve->port != 80)
        return false;
    if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
        host++;
        length -= 2;
    }
    if (length == 0 || length >= size)
        return false;
    memcpy(name, host, length);
    name[length] = 0;
    return true;
}

/* A number in place of a name cannot have been pointed here by a foreign name server. */
static bool is_address(const char *name)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

static bool is_own(const struct serve *serve, const char *host)
{
    char name[256], own[256] = "";
    if (!split_host(serve, host, name, sizeof name))
        return false;
    if (same_text(name, "localhost") || same_text(name, serve->host))
        return true;
    if (serve->loopback)
        return strcmp(name, "127.0.0.1") == 0 || strcmp(name, "::1") == 0;
    if (gethostname(own, sizeof own - 1) == 0 && same_text(name, own))
        return true;
    return is_address(name);
}

static bool same_origin(const char *origin, const char *host)
{
    const char *place = text_after(origin, "http://");
    return place && same_text(place, host);
}

unsigned serve_guard(const struct serve *serve, struct MHD_Connection *connection, const char *method)
{
    struct headers seen = {0};
    (void)serve_mhd.get_connection_values(connection, MHD_HEADER_KIND, see_header, &seen);
    if (seen.hosts != 1 || seen.origins > 1 || seen.lengths > 1 || seen.encodings > 1 ||
        (seen.lengths > 0 && seen.encodings > 0))
        return MHD_HTTP_BAD_REQUEST;
    if (!is_own(serve, seen.host) || (seen.origin && !same_origin(seen.origin, seen.host)))
        return MHD_HTTP_FORBIDDEN;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return MHD_HTTP_METHOD_NOT_ALLOWED;
    if (seen.encodings > 0 || (seen.length && strcmp(seen.length, "0") != 0))
        return MHD_HTTP_CONTENT_TOO_LARGE;
    return 0;
}

/* Takes as long for a wrong token as for the right one. */
static bool equal_tokens(const char *a, const char *b)
{
    size_t length = strlen(b);
    unsigned difference = strlen(a) != length;
    for (size_t i = 0; i < length && a[i]; i++)
        difference |= (unsigned)(unsigned char)a[i] ^ (unsigned char)b[i];
    return difference == 0;
}

bool serve_guard_token(const struct serve *serve, struct MHD_Connection *connection, bool *first)
{
    char cookie[32];
    *first = false;
    if (!*serve->token)
        return true;
    snprintf(cookie, sizeof cookie, "relume-%u", serve->port);
    const char *held = serve_mhd.lookup_connection_value(connection, MHD_COOKIE_KIND, cookie);
    const char *given = serve_mhd.lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "token");
    if (given && equal_tokens(given, serve->token)) {
        *first = true;
        return true;
    }
    return held && equal_tokens(held, serve->token);
}
