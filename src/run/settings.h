/* A run's settings as texts under keys: what history.sqlite keeps, what --resume compares, and back to
 * options.
 *
 * The options that only say how fast, where to or to whom (threads, dense, news, stop, path, resume) are no
 * settings. */
#ifndef RLM_RUN_SETTINGS_H
#define RLM_RUN_SETTINGS_H

#include "relume/run.h"

struct rlm_setting {
    char *key, *value; /* by rlm_alloc; value NULL: not given */
};

struct rlm_settings {
    const relume_allocator *allocator;
    struct rlm_setting *setting;
    size_t count, capacity;
    size_t *hidden; /* what the options of rlm_settings_apply point to */
    relume_schedule_point *points;
};

/* A zeroed struct with its allocator set is an empty list. Frees all; the options made from it are no longer
 * valid. */
void rlm_settings_deinit(struct rlm_settings *settings);

/* Adds a pair, copied. NO_MEMORY. */
relume_status rlm_settings_add(struct rlm_settings *settings, const char *key, const char *value,
                               relume_error *error);
/* The value; NULL when there is none. */
const char *rlm_settings_get(const struct rlm_settings *settings, const char *key);

/* Adds every setting of `options`, in a fixed order, and the fingerprint of `dataset`. The loss must be
 * decided (not −1). NO_MEMORY. */
relume_status rlm_settings_gather(struct rlm_settings *settings, const relume_run_options *options,
                                  const relume_dataset *dataset, relume_error *error);

/* MISMATCH at the first setting that differs: its key, what it was and what it is now. Where the data lie may
 * differ as long as the fingerprint is the same. */
relume_status rlm_settings_compare(const struct rlm_settings *was, const struct rlm_settings *now,
                                   const char *path, relume_error *error);
/* The settings that say where the data lie: the key of number `index`, NULL behind the last. */
const char *rlm_settings_place(size_t index);

/* Sets in `options` every field that has a setting; texts and lists point into `settings`. BAD_FORMAT for a
 * value that cannot be read, NO_MEMORY. */
relume_status rlm_settings_apply(struct rlm_settings *settings, relume_run_options *options,
                                 relume_error *error);

#endif
