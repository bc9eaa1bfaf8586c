/* Files written whole; see output.h. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "program.h"

static relume_status refuse(const struct cli_output *output, const char *what, relume_error *error)
{
    int number = errno;
    return cli_error(error, number == ENOMEM ? RELUME_NO_MEMORY : RELUME_IO, "%s: cannot %s: %s",
                     output->path, what, strerror(number));
}

/* Where the file is that `path` leads to: a link stays, and what it points to is replaced. */
static void find_target(struct cli_output *output)
{
    char *real = realpath(output->path, NULL); /* NULL where there is no such file yet */
    snprintf(output->target, sizeof output->target, "%s", real ? real : output->path);
    free(real);
}

/* `mode`: the permissions of the file that is replaced; 0: there is none. */
static relume_status open_beside(struct cli_output *output, mode_t mode, relume_error *error)
{
    find_target(output);
    int length =
        snprintf(output->temporary, sizeof output->temporary, "%s.tmp-%ld", output->target, (long)getpid());
    if (length >= (int)sizeof output->temporary) {
        *output->temporary = 0;
        return cli_error(error, RELUME_USAGE, "--output: the path is too long (%zu bytes)",
                         strlen(output->path));
    }
    int descriptor = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        *output->temporary = 0;
        return refuse(output, "write the file", error);
    }
    if (mode == 0 || fchmod(descriptor, mode) == 0)
        output->stream = fdopen(descriptor, "wb");
    if (output->stream)
        return RELUME_OK;
    relume_status status = refuse(output, "write the file", error);
    close(descriptor);
    unlink(output->temporary);
    *output->temporary = 0;
    return status;
}

relume_status cli_output_open(struct cli_output *output, const char *path, relume_error *error)
{
    struct stat found;
    *output = (struct cli_output){.stream = stdout, .path = path};
    if (!path)
        return RELUME_OK;
    output->stream = NULL;
    bool there = stat(path, &found) == 0;
    if (!there || S_ISREG(found.st_mode))
        return open_beside(output, there ? found.st_mode & 0777 : 0, error);
    output->stream = fopen(path, "wb");
    return output->stream ? RELUME_OK : refuse(output, "write the file", error);
}

/* The rename lasts only when the folder has reached the disk too. */
static void flush_folder(const char *path)
{
    char folder[CLI_PATH];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = 0;
    int descriptor = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return;
    (void)fsync(descriptor);
    close(descriptor);
}

relume_status cli_output_close(struct cli_output *output, relume_error *error)
{
    if (!output->path)
        return RELUME_OK; /* stdout is checked when the program ends */
    FILE *stream = output->stream;
    bool beside = *output->temporary != 0;
    bool failed = ferror(stream) != 0;
    failed = fflush(stream) != 0 || failed;
    failed = (beside && !failed && fsync(fileno(stream)) != 0) || failed;
    int number = errno;
    failed = fclose(stream) != 0 || failed;
    output->stream = NULL;
    errno = number;
    if (!failed && beside && rename(output->temporary, output->target) != 0)
        failed = true;
    if (failed) {
        relume_status status = refuse(output, "write the file", error);
        cli_output_abandon(output);
        return status;
    }
    if (beside)
        flush_folder(output->target);
    *output->temporary = 0;
    return RELUME_OK;
}

void cli_output_abandon(struct cli_output *output)
{
    if (output->path && output->stream)
        (void)fclose(output->stream);
    if (*output->temporary)
        unlink(output->temporary);
    output->stream = NULL;
    *output->temporary = 0;
}

void cli_npy_header(FILE *stream, const char *dtype, size_t rows, size_t columns)
{
    enum { PREFIX = 10, ALIGNMENT = 64 };
    char text[128];
    int used =
        snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (%zu,", dtype, rows);
    used +=
        snprintf(text + used, sizeof text - (size_t)used, columns > 0 ? " %zu), }" : "%.0zu), }", columns);
    int length = used + 1; /* the newline */
    length += (ALIGNMENT - (PREFIX + length) % ALIGNMENT) % ALIGNMENT;
    fwrite("\x93NUMPY\x01\x00", 1, 8, stream);
    fputc(length & 0xff, stream);
    fputc(length >> 8, stream);
    fprintf(stream, "%-*s\n", length - 1, text);
}
