/* See npz.h. libzip reads the archive through a callback onto our source, so that files, memory and fuzzers
 * take the same way. What a member expands to is known from the central directory and checked before libzip
 * is asked for a byte. */
#include "formats/npz.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h> /* Z_MEM_ERROR, which libzip hands on */

#include "base/alloc.h"
#include "base/error.h"
#include "formats/npy.h"
#include "formats/text.h"
#include "formats/zip_library.h"

#define ENDING ".npy"
#define PLACE_MOST 400

struct member {
    char *name;  /* without the ending */
    char *place; /* FILE, array "NAME" */
    zip_uint64_t index;
};

/* A member that is being read. */
struct reading {
    const struct rlm_zip *zip;
    zip_file_t *file;
};

struct rlm_npz {
    struct rlm_zip zip;
    const relume_allocator *allocator;
    const struct rlm_source *source;
    zip_t *archive;
    uint64_t position; /* of libzip in the source */
    zip_error_t trouble;
    size_t count;
    struct member *members; /* [count] sorted by name */
};

static zip_int64_t source_read(struct rlm_npz *npz, void *to, zip_uint64_t size)
{
    uint64_t left = npz->source->size - npz->position;
    if (size > left)
        size = left;
    if (rlm_source_read(npz->source, npz->position, to, (size_t)size, NULL) != RELUME_OK) {
        npz->zip.error_set(&npz->trouble, ZIP_ER_READ, EIO);
        return -1;
    }
    npz->position += size;
    return (zip_int64_t)size;
}

static zip_int64_t source_seek(struct rlm_npz *npz, void *data, zip_uint64_t size)
{
    zip_int64_t position =
        npz->zip.source_seek_compute_offset(npz->position, npz->source->size, data, size, &npz->trouble);
    if (position < 0)
        return -1;
    npz->position = (uint64_t)position;
    return 0;
}

static zip_int64_t source_stat(const struct rlm_npz *npz, zip_stat_t *about)
{
    npz->zip.stat_init(about);
    about->size = npz->source->size;
    about->valid |= ZIP_STAT_SIZE;
    return sizeof *about;
}

/* What libzip asks of a source; see zip_source_function(3). */
static zip_int64_t source_callback(void *user, void *data, zip_uint64_t size, zip_source_cmd_t command)
{
    struct rlm_npz *npz = user;
    switch (command) {
    case ZIP_SOURCE_OPEN:
        npz->position = 0;
        return 0;
    case ZIP_SOURCE_READ:
        return source_read(npz, data, size);
    case ZIP_SOURCE_SEEK:
        return source_seek(npz, data, size);
    case ZIP_SOURCE_TELL:
        return (zip_int64_t)npz->position;
    case ZIP_SOURCE_STAT:
        return source_stat(npz, data);
    case ZIP_SOURCE_ERROR:
        return npz->zip.error_to_data(&npz->trouble, data, size);
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE:
        return 0;
    case ZIP_SOURCE_SUPPORTS:
        return ZIP_SOURCE_SUPPORTS_SEEKABLE;
    default:
        npz->zip.error_set(&npz->trouble, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

/* Ends `trouble` and says it as our error. */
static relume_status refuse_archive(const struct rlm_npz *npz, zip_error_t *trouble, relume_error *error)
{
    relume_status status = RELUME_BAD_FORMAT;
    int code = npz->zip.error_code_zip(trouble);
    if (code == ZIP_ER_MEMORY)
        status = rlm_error_memory(error, (size_t)npz->source->size, "a zip archive");
    else if (code == ZIP_ER_READ)
        status = rlm_refuse_file(error, RELUME_IO, npz->source->name, "cannot read the zip archive");
    else if (code == ZIP_ER_EXISTS)
        status = rlm_refuse_file(error, status, npz->source->name,
                                 "two members of the zip archive have one name; save the arrays again");
    else
        (void)rlm_refuse_at_byte(
            error, status, npz->source->name, npz->source->size,
            "no whole zip archive ends here (%s); is this an .npz file, and is it complete?",
            npz->zip.error_strerror(trouble));
    npz->zip.error_fini(trouble);
    return status;
}

static relume_status try_archive(struct rlm_npz *npz, relume_error *error)
{
    zip_error_t trouble;
    npz->zip.error_init(&trouble);
    zip_source_t *source = npz->zip.source_function_create(source_callback, npz, &trouble);
    if (!source)
        return refuse_archive(npz, &trouble, error);
    npz->archive = npz->zip.open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &trouble);
    if (!npz->archive) {
        npz->zip.source_free(source);
        return refuse_archive(npz, &trouble, error);
    }
    npz->zip.error_fini(&trouble);
    return RELUME_OK;
}

/* libzip 1.7.3 says "Not a zip archive" where it was refused memory while looking for the end of one. A
 * second try finds the archive, or is refused memory at its first step, which libzip says as it is. */
static relume_status open_archive(struct rlm_npz *npz, relume_error *error)
{
    relume_status status = try_archive(npz, error);
    return status == RELUME_BAD_FORMAT ? try_archive(npz, error) : status;
}

static int compare_members(const void *left, const void *right)
{
    const struct member *a = left, *b = right;
    return strcmp(a->name, b->name);
}

static relume_status list_members(struct rlm_npz *npz, relume_error *error)
{
    zip_uint64_t entries = (zip_uint64_t)npz->zip.get_num_entries(npz->archive, 0);
    npz->members = rlm_alloc(npz->allocator, (size_t)entries, sizeof *npz->members);
    if (!npz->members)
        return rlm_error_memory(error, (size_t)entries * sizeof *npz->members, "a list of arrays");
    for (zip_uint64_t i = 0; i < entries; i++) {
        const char *name = npz->zip.get_name(npz->archive, i, ZIP_FL_ENC_RAW);
        size_t length = name ? strlen(name) : 0, ending = strlen(ENDING);
        if (length < ending || strcmp(name + length - ending, ENDING) != 0)
            continue;
        char *copy = rlm_strndup(npz->allocator, name, length - ending);
        if (!copy)
            return rlm_error_memory(error, length, "the name of an array");
        npz->members[npz->count++] = (struct member){.name = copy, .index = i};
    }
    qsort(npz->members, npz->count, sizeof *npz->members, compare_members);
    for (size_t i = 1; i < npz->count; i++)
        if (compare_members(&npz->members[i - 1], &npz->members[i]) == 0) {
            char quoted[RLM_QUOTE_SIZE];
            return rlm_refuse_file(error, RELUME_BAD_FORMAT, npz->source->name,
                                   "the archive holds two arrays named %s",
                                   rlm_quote(quoted, npz->members[i].name));
        }
    return RELUME_OK;
}

relume_status rlm_npz_open(const relume_allocator *allocator, const struct rlm_source *source,
                           struct rlm_npz **npz, relume_error *error)
{
    if (source->size == 0) /* which libzip takes for an archive of nothing */
        return rlm_refuse_at_byte(error, RELUME_BAD_FORMAT, source->name, 0,
                                  "the file is empty; an .npz file was expected");
    struct rlm_npz *opened = rlm_alloc_zero(allocator, 1, sizeof *opened);
    if (!opened)
        return rlm_error_memory(error, sizeof *opened, "a zip archive");
    opened->allocator = allocator;
    opened->source = source;
    relume_status status = rlm_zip_load(&opened->zip, source->name, error);
    if (status != RELUME_OK) {
        rlm_free(opened);
        return status;
    }
    opened->zip.error_init(&opened->trouble);
    status = open_archive(opened, error);
    if (status == RELUME_OK)
        status = list_members(opened, error);
    if (status == RELUME_OK)
        *npz = opened;
    else
        rlm_npz_close(opened);
    return status;
}

static void member_deinit(struct member *member)
{
    rlm_free(member->name);
    rlm_free(member->place);
}

void rlm_npz_close(struct rlm_npz *npz)
{
    if (!npz)
        return;
    if (npz->archive)
        npz->zip.discard(npz->archive);
    npz->zip.error_fini(&npz->trouble);
    for (size_t i = 0; i < npz->count; i++)
        member_deinit(&npz->members[i]);
    rlm_free(npz->members);
    rlm_free(npz);
}

size_t rlm_npz_count(const struct rlm_npz *npz)
{
    return npz->count;
}

const char *rlm_npz_name(const struct rlm_npz *npz, size_t index)
{
    return index < npz->count ? npz->members[index].name : NULL;
}

static int compare_to_name(const void *name, const void *member)
{
    return strcmp(name, ((const struct member *)member)->name);
}

size_t rlm_npz_find(const struct rlm_npz *npz, const char *name)
{
    const struct member *found =
        bsearch(name, npz->members, npz->count, sizeof *npz->members, compare_to_name);
    return found ? (size_t)(found - npz->members) : SIZE_MAX;
}

/* Says an error of a member's data, at the byte of the member that was reached. */
static relume_status refuse_member(const struct rlm_zip *zip, const struct rlm_stream *stream,
                                   zip_error_t *trouble, relume_error *error)
{
    int code = zip->error_code_zip(trouble);
    if (code == ZIP_ER_MEMORY || (code == ZIP_ER_ZLIB && zip->error_code_system(trouble) == Z_MEM_ERROR))
        return rlm_error_memory(error, 0, "inflating a zip archive");
    return rlm_refuse_at_byte(error, code == ZIP_ER_READ ? RELUME_IO : RELUME_BAD_FORMAT, stream->name,
                              stream->offset, "the array's data in the zip archive are damaged (%s)",
                              zip->error_strerror(trouble));
}

static relume_status member_read(struct rlm_stream *stream, void *to, size_t size, size_t *got,
                                 relume_error *error)
{
    const struct reading *member = stream->context;
    size_t done = 0;
    while (done < size) {
        zip_int64_t step = member->zip->fread(member->file, (char *)to + done, size - done);
        if (step < 0)
            return refuse_member(member->zip, stream, member->zip->file_get_error(member->file), error);
        if (step == 0)
            break;
        done += (size_t)step;
    }
    *got = done;
    return RELUME_OK;
}

/* Whether a member may be read at all, judged by the archive's directory alone. */
static relume_status check_member(const struct rlm_npz *npz, const char *place, const zip_stat_t *about,
                                  relume_error *error)
{
    const zip_uint64_t needed =
        ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    uint64_t most = about->comp_method == ZIP_CM_STORE
                        ? about->comp_size
                        : rlm_limits_expanded(&npz->source->limits, about->comp_size);
    if ((about->valid & needed) != needed)
        return rlm_refuse_file(error, RELUME_BAD_FORMAT, place, "the archive's directory is incomplete");
    if (about->encryption_method != ZIP_EM_NONE)
        return rlm_refuse_file(error, RELUME_BAD_DATA, place,
                               "the array is encrypted; save it again without a password");
    if (about->comp_method != ZIP_CM_STORE && about->comp_method != ZIP_CM_DEFLATE)
        return rlm_refuse_file(
            error, RELUME_BAD_DATA, place,
            "the array is compressed by method %u; stored and deflated arrays are read, as "
            "numpy.savez and numpy.savez_compressed write them",
            about->comp_method);
    if (about->comp_size > npz->source->size)
        return rlm_refuse_file(error, RELUME_BAD_FORMAT, place,
                               "%" PRIu64 " compressed bytes are promised, the whole file has %" PRIu64,
                               (uint64_t)about->comp_size, npz->source->size);
    if (about->size > most)
        return rlm_refuse_file(error, RELUME_BAD_DATA, place,
                               "%" PRIu64 " compressed bytes are said to expand to %" PRIu64
                               "; at most %" PRIu64
                               " are read of such an array; if you trust it, save it again with numpy.savez",
                               (uint64_t)about->comp_size, (uint64_t)about->size, most);
    return RELUME_OK;
}

static void member_close(struct rlm_stream *stream)
{
    struct reading *member = stream->context;
    (void)member->zip->fclose(member->file);
    rlm_free(member);
}

static relume_status begin_member(struct rlm_npz *npz, const struct member *member, struct rlm_stream *stream,
                                  relume_error *error)
{
    struct reading *reading = rlm_alloc(npz->allocator, 1, sizeof *reading);
    if (!reading)
        return rlm_error_memory(error, sizeof *reading, "reading a zip archive");
    *reading = (struct reading){&npz->zip, npz->zip.fopen_index(npz->archive, member->index, 0)};
    if (!reading->file) {
        rlm_free(reading);
        return refuse_member(&npz->zip, stream, npz->zip.get_error(npz->archive), error);
    }
    stream->context = reading;
    stream->close = member_close;
    return RELUME_OK;
}

static relume_status open_member(struct rlm_npz *npz, const struct member *member, enum rlm_reading reading,
                                 struct rlm_array *array, relume_error *error)
{
    zip_stat_t about;
    npz->zip.stat_init(&about);
    if (npz->zip.stat_index(npz->archive, member->index, 0, &about) != 0)
        return rlm_refuse_file(error, RELUME_BAD_FORMAT, member->place, "the archive has no such member (%s)",
                               npz->zip.strerror(npz->archive));
    RLM_TRY(check_member(npz, member->place, &about, error));
    struct rlm_array opened = {.file = npz->source->name,
                               .item = member->name,
                               .is_member = true,
                               .stream = {.name = member->place, .most = about.size, .read = member_read}};
    RLM_TRY(begin_member(npz, member, &opened.stream, error));
    relume_status status = rlm_npy_begin(npz->allocator, &opened, reading, error);
    if (status == RELUME_OK)
        *array = opened;
    else
        rlm_array_close(&opened);
    return status;
}

/* The text that messages begin with, made when a member is first read. */
static relume_status name_place(const struct rlm_npz *npz, struct member *member, relume_error *error)
{
    char place[PLACE_MOST], quoted[RLM_QUOTE_SIZE];
    if (member->place)
        return RELUME_OK;
    (void)snprintf(place, sizeof place, "%.300s, array %s", npz->source->name,
                   rlm_quote(quoted, member->name));
    member->place = rlm_strdup(npz->allocator, place);
    return member->place ? RELUME_OK : rlm_error_memory(error, strlen(place), "the name of an array");
}

relume_status rlm_npz_array_open(struct rlm_npz *npz, size_t index, enum rlm_reading reading,
                                 struct rlm_array *array, relume_error *error)
{
    if (index >= npz->count)
        return rlm_refuse_file(error, RELUME_NOT_FOUND, npz->source->name,
                               "the archive has %zu arrays, not a number %zu", npz->count, index);
    RLM_TRY(name_place(npz, &npz->members[index], error));
    relume_status status = open_member(npz, &npz->members[index], reading, array, error);
    if (status == RELUME_OK)
        return status;
    rlm_error_at_file(error, npz->source->name);
    rlm_error_at_item(error, npz->members[index].name);
    return status;
}

relume_status rlm_npz_read(struct rlm_npz *npz, size_t index, enum rlm_reading reading,
                           struct rlm_tensor *tensor, relume_error *error)
{
    struct rlm_array array;
    RLM_TRY(rlm_npz_array_open(npz, index, reading, &array, error));
    relume_status status = rlm_array_read(npz->allocator, &array, tensor, error);
    rlm_array_close(&array);
    if (status == RELUME_OK)
        tensor->name = npz->members[index].name;
    return status;
}
