/* The names inside a run directory, what kind of folder one is, and its checkpoints on disk. */
#ifndef RLM_RUN_FOLDER_H
#define RLM_RUN_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "relume/engine.h"

struct rlm_paths {
    char *folder;
    char *lock, *history, *model, *checkpoints;
    char *checkpoint; /* room for rlm_paths_checkpoint */
    size_t checkpoint_room;
};

/* NO_MEMORY. */
relume_status rlm_paths_init(struct rlm_paths *paths, const relume_allocator *allocator, const char *folder,
                             relume_error *error);
void rlm_paths_deinit(struct rlm_paths *paths);

/* The file of the state after `step` updates, valid until the next call. */
const char *rlm_paths_checkpoint(struct rlm_paths *paths, uint64_t step);

enum rlm_folder_kind {
    RLM_FOLDER_MISSING, /* nothing there */
    RLM_FOLDER_EMPTY,   /* a folder with nothing in it, or only what a beginning that was cut off leaves */
    RLM_FOLDER_RUN,     /* a folder with a history, maybe one that has only just begun */
    RLM_FOLDER_FOREIGN  /* a file, or a folder of other things */
};
relume_status rlm_folder_classify(const struct rlm_paths *paths, enum rlm_folder_kind *kind,
                                  relume_error *error);

/* A run directory may come from anybody, and a link in it may lead to any file of the user's: what a run
 * writes over must be its own. BAD_FORMAT, naming the link, where the history, the model, the checkpoints or
 * their folder is one; the run directory itself may be reached by links. */
relume_status rlm_folder_refuse_links(const struct rlm_paths *paths, relume_error *error);

/* The steps of the checkpoints there are, in ascending order, allocated by rlm_alloc; none where the folder
 * is missing. */
relume_status rlm_checkpoint_list(const struct rlm_paths *paths, const relume_allocator *allocator,
                                  uint64_t **steps, size_t *count, relume_error *error);

/* Removes files that a process that was killed left half written. */
void rlm_folder_sweep(const struct rlm_paths *paths);

#endif
