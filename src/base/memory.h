/* How much memory this process may still take. */
#ifndef RLM_BASE_MEMORY_H
#define RLM_BASE_MEMORY_H

#include <stdint.h>

/* Bytes: the smallest of what the system has available, of the limits of the control groups this process is
 * in, and of its own limit of address space; UINT64_MAX when nothing says. */
uint64_t rlm_memory_available(void);
/* The same with the files of /proc and /sys looked for under `root`, and without the process's own limit: for
 * tests. */
uint64_t rlm_memory_available_under(const char *root);

#endif
