/* Where a command's results go: stdout, or a file that appears whole or not at all.
 *
 * A regular file is written beside its name, flushed and renamed, and keeps its permissions; something else
 * (a pipe, a device) is written directly. Formatting functions of stdio write to `stream`; errors are found
 * at close.
 *
 * src/base/file.h replaces files in the same way for the library, which has no public writer: the program
 * sees the public headers alone, and writing files for others is no part of what they are about. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdio.h>

#include "relume/status.h"

enum { CLI_PATH = 4096 };

struct cli_output {
    FILE *stream;
    const char *path;         /* NULL: stdout */
    char target[CLI_PATH];    /* the file that path leads to, through links */
    char temporary[CLI_PATH]; /* empty: written directly */
};

/* `path` NULL means stdout and cannot fail. IO, USAGE for a path too long. */
relume_status cli_output_open(struct cli_output *output, const char *path, relume_error *error);
/* Makes what was written last. After IO the file's old contents are untouched. */
relume_status cli_output_close(struct cli_output *output, relume_error *error);
/* Gives it up: nothing is left behind. */
void cli_output_abandon(struct cli_output *output);

/* The header of a version 1.0 .npy file: dtype such as "<f4"; columns 0 for a vector. */
void cli_npy_header(FILE *stream, const char *dtype, size_t rows, size_t columns);

#endif
