/* What a run directory may hold, looked at before any of it is opened: it may have come from a stranger, and
 * a pipe keeps whoever opens it waiting. docs/robustness.md tells what is promised of such a directory. */
#ifndef RLM_RUN_VET_H
#define RLM_RUN_VET_H

#include "run/folder.h"

/* The history at `path` and the files that SQLite looks for beside it. BAD_FORMAT: one is a link, or no file,
 * or a journal that names another one. Those that are missing are fine. */
relume_status rlm_vet_history(const char *path, relume_error *error);

/* The model and the checkpoints. BAD_FORMAT: one is neither file nor folder. Links to files are followed, for
 * they are only read; rlm_folder_refuse_links comes before writing. */
relume_status rlm_vet_states(const struct rlm_paths *paths, relume_error *error);

/* A place that a history names as the run's data (NULL: none); one that is missing is fine, for there the
 * reader says more. BAD_FORMAT: neither file nor folder. */
relume_status rlm_vet_data(const char *path, relume_error *error);

#endif
