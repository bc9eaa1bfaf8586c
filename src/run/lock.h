/* One writer a run: a lock on RUN/lock that ends with the process that holds it, however it ends. */
#ifndef RLM_RUN_LOCK_H
#define RLM_RUN_LOCK_H

#include "relume/status.h"

/* Takes the lock on `path`, making the file where there is none, and writes this process's number into it.
 * LOCKED names the process that holds it; IO. *descriptor is what rlm_lock_release takes. */
relume_status rlm_lock_take(const char *path, int *descriptor, relume_error *error);
void rlm_lock_release(int descriptor); /* −1: nothing */

#endif
