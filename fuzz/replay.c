/* Replays inputs without libFuzzer, so that a corpus is a test in every build: replay FILE|FOLDER… calls the
 * target once for each file, in the order of their names, with a block of exactly its size. Exit status 1
 * when there was nothing to replay. */
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz.h"

static bool replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        return false;
    long size = ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(size > 0 ? (size_t)size : 1);
    bool whole = bytes && size >= 0 && fread(bytes, 1, (size_t)size, file) == (size_t)size;
    (void)fclose(file);
    if (whole)
        (void)LLVMFuzzerTestOneInput(bytes, (size_t)size);
    free(bytes);
    return whole;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* How many inputs were replayed; 0 when some file could not be read. */
static size_t replay(const char *path)
{
    struct stat about;
    struct dirent **entries = NULL;
    size_t done = 0;
    if (stat(path, &about) != 0 || !S_ISDIR(about.st_mode))
        return replay_file(path);
    int count = scandir(path, &entries, is_visible, alphasort);
    for (int i = 0; i < count; i++) {
        char name[4096];
        (void)snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (!replay_file(name)) {
            (void)fprintf(stderr, "%s: cannot be read\n", name);
            exit(1);
        }
        done++;
        free(entries[i]);
    }
    free(entries);
    return done;
}

int main(int argc, char **argv)
{
    size_t done = 0;
    for (int i = 1; i < argc; i++)
        done += replay(argv[i]);
    printf("%zu inputs replayed\n", done);
    return done > 0 ? 0 : 1;
}
