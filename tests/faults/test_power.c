/* Power lost at every boundary between two file calls of a run: what a disk may then hold is made from the
 * record of the calls, and the run is resumed from it. It must come to the bytes of an undisturbed run, and
 * from no earlier step than the newest checkpoint whose save had returned.
 *
 * The disk of this test keeps a byte for certain once its file was flushed after the write, and a name once
 * its folder was flushed after the change. Of all else any part may be there, in any order, in pieces of 512
 * bytes. The short version takes the boundaries of one save and every tenth other; RELUME_LONG=1 all, with
 * more draws. */
#include "run_world.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "command.h"

enum { SECTOR = 512, FILES = 512, MODES = 4 };

static char path[128], line[512];
static struct layer_log *record;

/* ---- the disk ---- */

struct file {
    uint64_t id;
    unsigned char *bytes; /* by malloc */
    size_t size;
};

/* A name and the file, or folder (file NULL), it stands for. */
struct name {
    char path[LAYER_PATH];
    struct file *file;
};

struct disk {
    struct file file[FILES];
    struct name name[FILES];
    size_t files, names;
};

/* Which calls up to the boundary are on the disk. */
enum mode { NOTHING_UNSYNCED, EVERYTHING, NAMES_ONLY, BYTES_ONLY, DRAWN };

static struct file *file_of(struct disk *disk, uint64_t id)
{
    for (size_t i = 0; i < disk->files; i++)
        if (disk->file[i].id == id)
            return &disk->file[i];
    assert_true(disk->files < FILES);
    disk->file[disk->files] = (struct file){.id = id};
    return &disk->file[disk->files++];
}

static struct name *find_name(struct disk *disk, const char *wanted)
{
    for (size_t i = 0; i < disk->names; i++)
        if (strcmp(disk->name[i].path, wanted) == 0)
            return &disk->name[i];
    return NULL;
}

static void set_name(struct disk *disk, const char *wanted, struct file *file)
{
    struct name *name = find_name(disk, wanted);
    assert_true(disk->names < FILES);
    if (!name)
        name = &disk->name[disk->names++];
    (void)snprintf(name->path, sizeof name->path, "%s", wanted);
    name->file = file;
}

static void resize(struct file *file, size_t size)
{
    unsigned char *bytes = realloc(file->bytes, size + 1);
    assert_non_null(bytes);
    if (size > file->size)
        memset(bytes + file->size, 0, size - file->size);
    file->bytes = bytes;
    file->size = size;
}

static void put(struct file *file, const struct layer_call *call, size_t from, size_t to)
{
    if (call->offset + to > file->size)
        resize(file, call->offset + to);
    memcpy(file->bytes + call->offset + from, record->bytes + call->data + from, to - from);
}

static bool drawn(const struct rlm_rng *rng, size_t index)
{
    return rlm_rng_below(rng, index, 2) != 0;
}

/* Writes the call's sectors, those that reached the disk. */
static void apply_write(struct disk *disk, const struct layer_call *call, const struct rlm_rng *rng,
                        size_t index)
{
    struct file *file = file_of(disk, call->file);
    for (size_t from = 0; from < call->length;) {
        size_t end = (call->offset + from) / SECTOR * SECTOR + SECTOR - call->offset;
        end = end < call->length ? end : call->length;
        if (!rng || drawn(rng, index * 4096 + from / SECTOR))
            put(file, call, from, end);
        from = end;
    }
}

static bool is_name_call(const struct layer_call *call)
{
    return call->kind == LAYER_CREATE || call->kind == LAYER_RENAME || call->kind == LAYER_UNLINK ||
           call->kind == LAYER_MKDIR;
}

static void apply_name(struct disk *disk, const struct layer_call *call)
{
    struct name *from = find_name(disk, call->path);
    if (call->kind == LAYER_CREATE)
        set_name(disk, call->path, file_of(disk, call->file));
    else if (call->kind == LAYER_MKDIR)
        set_name(disk, call->path, NULL);
    else if (call->kind == LAYER_RENAME)
        set_name(disk, call->to, file_of(disk, call->file));
    if ((call->kind == LAYER_RENAME || call->kind == LAYER_UNLINK) && from)
        *from = disk->name[--disk->names];
}

static bool in_folder(const char *name, const char *folder)
{
    const char *slash = strrchr(name, '/');
    return strlen(folder) == (size_t)(slash - name) && strncmp(name, folder, strlen(folder)) == 0;
}

/* Whether call `index` was flushed before the boundary. */
static bool is_synced(size_t index, size_t boundary)
{
    const struct layer_call *call = &record->call[index];
    for (size_t i = index + 1; i < boundary; i++) {
        const struct layer_call *sync = &record->call[i];
        if (is_name_call(call) ? sync->kind == LAYER_SYNC_FOLDER && in_folder(call->path, sync->path)
                               : sync->kind == LAYER_SYNC && sync->file == call->file)
            return true;
    }
    return false;
}

static void build(struct disk *disk, size_t boundary, enum mode mode, const struct rlm_rng *rng)
{
    for (size_t i = 0; i < boundary; i++) {
        const struct layer_call *call = &record->call[i];
        if (call->kind == LAYER_SYNC || call->kind == LAYER_SYNC_FOLDER)
            continue;
        bool name = is_name_call(call), sure = is_synced(i, boundary) || mode == EVERYTHING;
        bool whole = sure || (name ? mode == NAMES_ONLY : mode == BYTES_ONLY);
        bool maybe = !whole && mode == DRAWN;
        if (name && (whole || (maybe && drawn(rng, i * 4096))))
            apply_name(disk, call);
        else if (call->kind == LAYER_WRITE && (whole || maybe))
            apply_write(disk, call, whole ? NULL : rng, i);
        else if (call->kind == LAYER_TRUNCATE && (whole || (maybe && drawn(rng, i * 4096))))
            resize(file_of(disk, call->file), call->length);
    }
}

/* Names whose folder is there, shortest first, so that folders come before what is in them. */
static void write_out(struct disk *disk)
{
    for (size_t length = 1; length < LAYER_PATH; length++)
        for (size_t i = 0; i < disk->names; i++) {
            struct name *name = &disk->name[i];
            if (strlen(name->path) != length)
                continue;
            if (!name->file) {
                (void)mkdir(name->path, 0777);
                continue;
            }
            FILE *file = fopen(name->path, "wb");
            if (!file)
                continue; /* its folder was lost */
            if (name->file->size > 0)
                assert_int_equal(fwrite(name->file->bytes, 1, name->file->size, file), name->file->size);
            assert_int_equal(fclose(file), 0);
        }
    for (size_t i = 0; i < disk->files; i++)
        free(disk->file[i].bytes);
}

/* ---- the run ---- */

static const char *train(const char *more)
{
    (void)snprintf(line, sizeof line,
                   "train digits --hidden 12,9 --epochs 2 --batch 500 --lr 0.5 --checkpoint 2 --census 2 "
                   "--threads 1 --seed 3 -o %s %s",
                   path, more);
    return line;
}

/* The newest checkpoint whose save had returned, its folder's flush being the last thing a save does. */
static uint64_t promised(size_t boundary)
{
    uint64_t newest = 0;
    for (size_t i = 0; i < boundary; i++) {
        const struct layer_call *call = &record->call[i];
        const char *mark = strstr(call->to, "/step-");
        if (call->kind == LAYER_RENAME && mark && i + 1 < boundary &&
            record->call[i + 1].kind == LAYER_SYNC_FOLDER) {
            uint64_t step = strtoull(mark + 6, NULL, 10);
            newest = step > newest ? step : newest;
        }
    }
    return newest;
}

/* The step from which the last process went on. */
static uint64_t resumed_from(void)
{
    char file[160];
    sqlite3 *database;
    sqlite3_stmt *row;
    (void)snprintf(file, sizeof file, "%s/history.sqlite", path);
    assert_int_equal(sqlite3_open_v2(file, &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(database, "SELECT from_step FROM machine ORDER BY rowid DESC LIMIT 1",
                                        -1, &row, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    uint64_t step = (uint64_t)sqlite3_column_int64(row, 0);
    assert_int_equal(sqlite3_finalize(row), SQLITE_OK);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
    return step;
}

static void lose_power(size_t boundary, enum mode mode, uint64_t draw, const char *expected)
{
    static struct command_outcome outcome;
    static const struct layer unarmed;
    static struct disk disk;
    static const char *const modes[] = {"what was not flushed is lost", "everything is there",
                                        "names, no bytes", "bytes, no names", "some of each"};
    const struct rlm_rng rng = {draw, RLM_RNG_TEST, boundary};
    char what[200];
    (void)snprintf(what, sizeof what, "power lost after call %zu of %zu; %s (draw %u)", boundary,
                   record->count, modes[mode], (unsigned)draw);
    run_remove(path);
    disk = (struct disk){0};
    build(&disk, boundary, mode, &rng);
    write_out(&disk);
    command_run(train("--resume"), &unarmed, &outcome);
    if (outcome.status != 0)
        fail_msg("%s: exit status %d: %s", what, outcome.status, outcome.err);
    run_assert_tells(path, expected, what);
    if (resumed_from() < promised(boundary) && !strstr(outcome.err, "finished already"))
        fail_msg("%s: resumed from step %u, but the checkpoint of step %u was saved", what,
                 (unsigned)resumed_from(), (unsigned)promised(boundary));
}

/* The calls of one save: from the checkpoint's temporary file to the end of the transaction that follows. */
static void find_save(size_t *from, size_t *to)
{
    *from = *to = 0;
    for (size_t i = 0; i < record->count; i++)
        if (record->call[i].kind == LAYER_CREATE && strstr(record->call[i].path, "step-4."))
            *from = i;
    for (size_t i = *from; i < record->count && *to == 0; i++)
        if (record->call[i].kind == LAYER_UNLINK && strstr(record->call[i].path, "-journal"))
            *to = i + 3;
    assert_true(*from > 0 && *to > *from);
}

static void test_power_is_lost(void **state)
{
    (void)state;
    static struct command_outcome outcome;
    bool thorough = getenv("RELUME_LONG") != NULL;
    record = mmap(NULL, sizeof *record, PROT_READ | PROT_WRITE, MAP_SHARED | 0x20 /* anonymous */, -1, 0);
    assert_true(record != MAP_FAILED);
    (void)run_path(path, "run");
    struct layer armed = {.folder = run_root, .log = record};
    command_run(train(""), &armed, &outcome);
    assert_int_equal(outcome.status, 0);
    char *expected = run_tell(path);
    size_t from, to, states = 0;
    find_save(&from, &to);
    for (size_t boundary = 0; boundary <= record->count; boundary++) {
        bool save = boundary >= from && boundary <= to;
        if (!thorough && !save && boundary % 10 != 0)
            continue;
        for (size_t mode = 0; mode < MODES; mode++, states++)
            lose_power(boundary, (enum mode)mode, 0, expected);
        for (uint64_t draw = 1; draw <= (thorough ? 8 : 2); draw++, states++)
            lose_power(boundary, DRAWN, draw, expected);
    }
    print_message("# %zu file calls, %zu of them in one save; %zu states of the disk, 0 bad\n", record->count,
                  to - from, states);
    rlm_free(expected);
    run_remove(path);
    assert_int_equal(munmap(record, sizeof *record), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_power_is_lost)};
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
