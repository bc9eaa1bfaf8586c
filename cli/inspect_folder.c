/* See inspect.h. */
#include "inspect.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "output.h"
#include "program.h"

enum { SHOWN = 3, NAME = 256 };

/* The names that come first in the order of their bytes, whatever order the system gives them in. */
struct names {
    size_t count, shown;
    char name[SHOWN][NAME];
};

struct content {
    struct names entries, runs;
};

static void add_name(struct names *names, const char *name)
{
    size_t place = 0;
    names->count++;
    while (place < names->shown && strcmp(names->name[place], name) < 0)
        place++;
    if (place == SHOWN)
        return;
    names->shown += names->shown < SHOWN;
    for (size_t i = names->shown - 1; i > place; i--)
        memcpy(names->name[i], names->name[i - 1], NAME);
    snprintf(names->name[place], NAME, "%s", name);
}

static bool look_into(const char *path, struct content *content)
{
    char inner[CLI_PATH];
    struct dirent *entry;
    DIR *folder = opendir(path);
    if (!folder)
        return false;
    while ((entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        add_name(&content->entries, entry->d_name);
        if (snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) < (int)sizeof inner &&
            relume_run_exists(inner))
            add_name(&content->runs, entry->d_name);
    }
    closedir(folder);
    return true;
}

/* "a, b, c and 4 more" */
static void list_names(const struct names *names, char *text, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < names->shown && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%.60s", i ? ", " : "", names->name[i]);
    if (names->count > names->shown && used < size)
        snprintf(text + used, size - used, " and %zu more", names->count - names->shown);
}

relume_status cli_refuse_folder(const char *path, relume_error *error)
{
    struct content content = {.entries = {0}};
    char listed[SHOWN * 64 + 40] = "nothing";
    if (!look_into(path, &content))
        return error->status;
    if (content.runs.count > 0)
        return cli_error(
            error, RELUME_NOT_FOUND,
            "%.200s: is a folder with %zu %s in it, and no run itself; name one, such as %.200s/%.60s", path,
            content.runs.count, cli_agree(content.runs.count, "run", "runs"), path, content.runs.name[0]);
    if (content.entries.count > 0)
        list_names(&content.entries, listed, sizeof listed);
    return cli_error(
        error, RELUME_NOT_FOUND,
        "%.300s: is a folder, but no run (it has no history.sqlite), no folder of runs (none of its folders "
        "has one) and no IDX data (it has no train-images-idx3-ubyte, gzipped or not); it holds %s",
        path, listed);
}
