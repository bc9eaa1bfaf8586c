/* One writer a run: a lock on RUN/lock that ends with the process that holds it, however it ends. */
#ifndef RLM_RUN_LOCK_H
#define RLM_RUN_LOCK_H

#include <stdbool.h>

#include "relume/status.h"

/* Whether `path` is a lock that some process has left: a file, not a link to one, with a number or nothing in
 * it. */
bool rlm_lock_is_left_behind(const char *path);
/* Takes the lock on `path`, making the file where there is none, and writes this process's number into it.
 * LOCKED names the process that holds it; BAD_FORMAT: something else has that name, and stays as it is; IO.
 * *descriptor is what rlm_lock_release takes. */
relume_status rlm_lock_take(const char *path, int *descriptor, relume_error *error);
void rlm_lock_release(int descriptor); /* −1: nothing */

#endif
