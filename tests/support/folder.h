/* A folder for the files of each test: setup and teardown for cmocka, and the names in it. */
#ifndef RLM_TESTS_FOLDER_H
#define RLM_TESTS_FOLDER_H

#include "world.h"

static char folder[64];

static int folder_begin(void **state)
{
    (void)state;
    world_folder(folder);
    return 0;
}

static int folder_end(void **state)
{
    (void)state;
    world_folder_remove(folder);
    return 0;
}

/* Holds until the next call. */
static const char *in_folder(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

#endif
