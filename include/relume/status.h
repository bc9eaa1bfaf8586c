/* How functions of relume fail.
 *
 * A function that can fail returns a relume_status, puts its results in out-parameters, and describes a
 * failure in an optional relume_error. On failure every out-parameter is as it was. The codes, their names,
 * the exit status of the command line and the remedy shown in docs/errors.md come from the one list below. */
#ifndef RELUME_STATUS_H
#define RELUME_STATUS_H

#include <stdint.h>

#include "relume/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, exit status of the program, what it means, what to do about it) */
#define RELUME_STATUS_LIST(X)                                                                                \
    X(OK, 0, "done", "nothing")                                                                              \
    X(CHECK_FAILED, 1, "done, and a check that was asked for did not hold",                                  \
      "read which check, and by how much")                                                                   \
    X(USAGE, 2, "an option or argument cannot be used as given", "see the command's --help")                 \
    X(BAD_FORMAT, 3, "the bytes of a file are not what its format demands", "make or fetch the file again")  \
    X(BAD_DATA, 3, "a value, name or shape in well-formed input cannot be used",                             \
      "mend the named place of the input")                                                                   \
    X(MISMATCH, 3, "two inputs do not belong together",                                                      \
      "use the data, model or run that belongs to the other")                                                \
    X(NOT_FOUND, 3, "a named file, data set, layer or unit does not exist",                                  \
      "check the spelling and the folder")                                                                   \
    X(EXISTS, 3, "the output exists and would be overwritten", "choose another name, or --resume a run")     \
    X(LOCKED, 4, "another process is writing this run",                                                      \
      "wait for it to end, or choose another run directory")                                                 \
    X(IO, 4, "the system refused to read or write", "check space, permissions and the disk")                 \
    X(NO_MEMORY, 5, "memory could not be had", "use a smaller batch or network, or free memory")             \
    X(RESOURCE, 5, "threads, descriptors or another resource could not be had",                              \
      "raise the limit, or ask for less")                                                                    \
    X(DIVERGED, 6, "a number stopped being finite", "lower the learning rate, or clip the gradient")         \
    X(INTERRUPTED, 130, "stopped by a signal, with the state saved", "continue with --resume")

typedef enum relume_status {
#define RELUME_STATUS_ENUM(name, exit_status, meaning, remedy) RELUME_##name,
    RELUME_STATUS_LIST(RELUME_STATUS_ENUM)
#undef RELUME_STATUS_ENUM
        RELUME_STATUS_COUNT
} relume_status;

/* What failed, and where. Every text ends in a 0 byte and may be empty. */
typedef struct relume_error {
    relume_status status;
    char message[768]; /* one sentence for a person: the place, what was found, what was expected */
    char file[256];    /* the file concerned, shortened in the middle when longer */
    char item[128];    /* the tensor, layer, unit, column or option concerned */
    uint64_t line;     /* 1-based line of a text file; 0: none */
    uint64_t column;   /* 1-based column of a text file or matrix; 0: none */
    uint64_t byte;     /* 0-based byte offset in a binary file, where has_byte is not 0 */
    int has_byte;
} relume_error;

/* The code's name without its prefix, such as "BAD_FORMAT"; its meaning; its remedy: static strings.
 * "UNKNOWN" or "" for a number that is no status. Any thread. */
RELUME_API const char *relume_status_name(relume_status status);
RELUME_API const char *relume_status_meaning(relume_status status);
RELUME_API const char *relume_status_remedy(relume_status status);

/* The exit status a program should end with: 0 to 6, 130. Any thread. */
RELUME_API int relume_status_exit(relume_status status);

#ifdef __cplusplus
}
#endif
#endif
