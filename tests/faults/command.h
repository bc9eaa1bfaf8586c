/* One command of the program in a child process, with the fault layer armed; and what became of it. */
#ifndef RLM_TESTS_FAULT_COMMAND_H
#define RLM_TESTS_FAULT_COMMAND_H

#include <sys/types.h>

#include "layer.h"

enum { COMMAND_TEXT = 1 << 16 };

struct command_outcome {
    int status; /* exit status; −1: ended by a signal */
    int signal; /* that signal */
    size_t allocations, calls;
    struct layer_left left;                    /* blocks that were not freed */
    char out[COMMAND_TEXT], err[COMMAND_TEXT]; /* what it printed, cut */
};

/* Runs `relume LINE` with `armed` as the layer's state; words of LINE are separated by single spaces. */
void command_run(const char *line, const struct layer *armed, struct command_outcome *outcome);

/* The same for a command that goes on until it is told to end: `visit` runs in a process of its own beside
 * it, with a descriptor of what the command prints on stdout and its process number, and is ended with it.
 * NULL: nobody does. */
void command_run_visited(const char *line, const struct layer *armed, void (*visit)(int out, pid_t command),
                         struct command_outcome *outcome);

/* The same without faults; fails the test unless it exits with 0. */
void command_run_well(const char *line);

#endif
