/* The control groups this process is in, version 2 and version 1, from its own group up to the root: what
 * cores.c and memory.c ask for its limits. */
#ifndef RLM_BASE_CGROUP_H
#define RLM_BASE_CGROUP_H

#include <stdbool.h>
#include <stddef.h>

#define RLM_CGROUP_PATH 4608 /* a path of the kernel (4096), and what stands before and after it */

/* Reads a small file into `text`; false when it cannot be read. */
bool rlm_small_file_read(const char *path, char *text, size_t size);

/* `folder` is a group's, without the `root` that tests put in front; of version 1 or 2. */
typedef void rlm_cgroup_visit(void *context, const char *root, const char *folder, int version);

/* Visits the groups of version 2, and those of version 1 that have `controller` ("cpu"). A group that is not
 * visible here (a container sees its own as the root) is visited all the same; its files are not there. */
void rlm_cgroup_walk(const char *root, const char *controller, rlm_cgroup_visit *visit, void *context);

#endif
