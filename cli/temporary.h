/* A temporary folder for what a command throws away. */
#ifndef CLI_TEMPORARY_H
#define CLI_TEMPORARY_H

#include "output.h"

struct cli_temporary {
    char path[CLI_PATH];
};

/* Makes relume-WORD-XXXXXX in $TMPDIR, or /tmp. IO. */
relume_status cli_temporary_make(struct cli_temporary *folder, const char *word, relume_error *error);
/* Removes it and all that is in it; symbolic links are removed, not followed. Needs no memory. */
void cli_temporary_remove(const struct cli_temporary *folder);

#endif
