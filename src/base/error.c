/* Formats errors and holds the list of status codes. See error.h; the codes stand in relume/status.h. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void rlm_error_clear(relume_error *error)
{
    if (error)
        memset(error, 0, sizeof *error);
}

__attribute__((format(printf, 3, 0))) static void message_set(relume_error *error, relume_status status,
                                                              const char *format, va_list list)
{
    error->status = status;
    (void)vsnprintf(error->message, sizeof error->message, format, list);
}

relume_status rlm_error_set(relume_error *error, relume_status status, const char *format, ...)
{
    if (!error)
        return status;
    va_list list;
    va_start(list, format);
    message_set(error, status, format, list);
    va_end(list);
    return status;
}

/* A call that was refused for want of memory or descriptors says nothing about the disk. */
static relume_status status_refined(relume_status status, int errno_value)
{
    if (status != RELUME_IO)
        return status;
    if (errno_value == ENOMEM)
        return RELUME_NO_MEMORY;
    return errno_value == EMFILE || errno_value == ENFILE ? RELUME_RESOURCE : RELUME_IO;
}

relume_status rlm_error_system(relume_error *error, relume_status status, int errno_value, const char *format,
                               ...)
{
    status = status_refined(status, errno_value);
    if (!error)
        return status;
    va_list list;
    va_start(list, format);
    message_set(error, status, format, list);
    va_end(list);
    size_t used = strlen(error->message);
    char text[128];
    /* the XSI form: _GNU_SOURCE is not defined in this file */
    if (strerror_r(errno_value, text, sizeof text) != 0)
        (void)snprintf(text, sizeof text, "error %d", errno_value);
    (void)snprintf(error->message + used, sizeof error->message - used, ": %s", text);
    return status;
}

/* Copies a text of any length; one that is too long loses its middle, so that both ends can be read. */
static void text_shorten(char *to, size_t size, const char *from)
{
    size_t length = strlen(from);
    if (length < size) {
        memcpy(to, from, length + 1);
        return;
    }
    size_t head = (size - 4) / 2, tail = size - 4 - head;
    memcpy(to, from, head);
    memcpy(to + head, "...", 3);
    memcpy(to + head + 3, from + length - tail, tail + 1);
}

void rlm_error_at_file(relume_error *error, const char *file)
{
    if (error && file)
        text_shorten(error->file, sizeof error->file, file);
}

void rlm_error_at_byte(relume_error *error, const char *file, uint64_t byte)
{
    if (!error)
        return;
    rlm_error_at_file(error, file);
    error->byte = byte;
    error->has_byte = 1;
}

void rlm_error_at_line(relume_error *error, const char *file, uint64_t line, uint64_t column)
{
    if (!error)
        return;
    rlm_error_at_file(error, file);
    error->line = line;
    error->column = column;
}

void rlm_error_at_item(relume_error *error, const char *item)
{
    if (error)
        text_shorten(error->item, sizeof error->item, item);
}

struct status_row {
    const char *name, *meaning, *remedy;
    int exit_status;
};

static const struct status_row status_rows[] = {
#define STATUS_ROW(name, exit_status, meaning, remedy) {#name, meaning, remedy, exit_status},
    RELUME_STATUS_LIST(STATUS_ROW)
#undef STATUS_ROW
};

static const struct status_row *status_row(relume_status status)
{
    static const struct status_row unknown = {"UNKNOWN", "", "", 1};
    return (unsigned)status < RELUME_STATUS_COUNT ? &status_rows[status] : &unknown;
}

const char *relume_status_name(relume_status status)
{
    return status_row(status)->name;
}

const char *relume_status_meaning(relume_status status)
{
    return status_row(status)->meaning;
}

const char *relume_status_remedy(relume_status status)
{
    return status_row(status)->remedy;
}

int relume_status_exit(relume_status status)
{
    return status_row(status)->exit_status;
}
