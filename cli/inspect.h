/* What relume inspect says of a folder in which nothing it knows was found. */
#ifndef CLI_INSPECT_H
#define CLI_INSPECT_H

#include "relume/status.h"

/* NOT_FOUND: `path` is a folder of runs, or none of the kinds of folders there are; the message says which
 * those are and what is in it. Without effect on `error`, whose status is returned, where the folder cannot
 * be read. */
relume_status cli_refuse_folder(const char *path, relume_error *error);

#endif
