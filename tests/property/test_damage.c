/* Damage: every sample file cut at every byte, and with each of its bits flipped. A reader must refuse what
 * is damaged and say where, or give the same data.
 *
 * The samples are the seeds of the fuzzers' corpora. Some bits no reader can miss: a format without a
 * checksum has bits whose other value is another valid file. They are counted below, each kind by its reason,
 * and nothing else may pass. docs/fuzzing.md lists them. */
#define _GNU_SOURCE /* memmem */
#include "world.h"

#include <dirent.h>

#include "base/strbuf.h"
#include "formats/csv.h"
#include "formats/idx.h"
#include "formats/npy.h"
#include "formats/npz.h"
#include "formats/safetensors.h"
#include "network/network_io.h"

#define FILE_NAME "sample"

/* Reads bytes and tells everything they hold, as a text. */
typedef relume_status teller(const struct rlm_source *source, struct rlm_strbuf *text, relume_error *error);

/* Why a changed bit may give other data: NULL when there is no reason. `byte` is the one that was changed. */
typedef const char *excuse(const unsigned char *bytes, size_t size, size_t byte);

struct tally {
    size_t samples, cut, flipped, refused, same, excused;
};

static relume_engine *engine;

/* ---- telling ---- */

static void tell_tensor(struct rlm_strbuf *text, const struct rlm_tensor *tensor)
{
    char shape[96];
    rlm_strbuf_print(text, "%s", rlm_tensor_shape_text(tensor, shape, sizeof shape));
    const unsigned char *at = tensor->data;
    for (size_t i = 0; i < tensor->count; i++, at += rlm_dtype_size(tensor->dtype)) {
        double value;
        rlm_values_to_f64(tensor->dtype, at, &value, 1);
        rlm_strbuf_print(text, " %a", value);
    }
    rlm_strbuf_print(text, "\n");
}

static relume_status tell_npy(const struct rlm_source *source, struct rlm_strbuf *text, relume_error *error)
{
    struct rlm_tensor tensor = {0};
    relume_status status = rlm_npy_read(NULL, source, RLM_READ_STORED, &tensor, error);
    if (status == RELUME_OK)
        tell_tensor(text, &tensor);
    rlm_tensor_deinit(&tensor);
    return status;
}

static relume_status tell_idx(const struct rlm_source *source, struct rlm_strbuf *text, relume_error *error)
{
    struct rlm_tensor tensor = {0};
    relume_status status = rlm_idx_read(NULL, source, RLM_READ_STORED, &tensor, error);
    if (status == RELUME_OK)
        tell_tensor(text, &tensor);
    rlm_tensor_deinit(&tensor);
    return status;
}

static relume_status tell_npz(const struct rlm_source *source, struct rlm_strbuf *text, relume_error *error)
{
    struct rlm_npz *npz = NULL;
    relume_status status = rlm_npz_open(NULL, source, &npz, error);
    for (size_t i = 0; status == RELUME_OK && i < rlm_npz_count(npz); i++) {
        struct rlm_tensor tensor = {0};
        status = rlm_npz_read(npz, i, RLM_READ_STORED, &tensor, error);
        if (status == RELUME_OK) {
            rlm_strbuf_print(text, "%s ", tensor.name);
            tell_tensor(text, &tensor);
        }
        rlm_tensor_deinit(&tensor);
    }
    rlm_npz_close(npz);
    return status;
}

static relume_status tell_csv(const struct rlm_source *source, struct rlm_strbuf *text, relume_error *error)
{
    struct rlm_csv csv = {0};
    relume_status status = rlm_csv_read(NULL, source, "y", &csv, error);
    for (size_t i = 0; status == RELUME_OK && i < csv.rows; i++) {
        for (size_t c = 0; c < csv.columns; c++)
            rlm_strbuf_print(text, "%a ", (double)csv.values[i * csv.columns + c]);
        if (csv.text)
            rlm_strbuf_print(text, "%s\n", csv.texts[csv.text[i]]);
        else
            rlm_strbuf_print(text, "%a\n", csv.target[i]);
    }
    rlm_csv_deinit(&csv);
    return status;
}

static relume_status tell_safetensors(const struct rlm_source *source, struct rlm_strbuf *text,
                                      relume_error *error)
{
    struct rlm_safetensors *file = NULL;
    relume_status status = rlm_safetensors_open_source(NULL, source, &file, error);
    for (size_t i = 0; status == RELUME_OK && i < rlm_safetensors_count(file); i++) {
        const struct rlm_tensor *found = rlm_safetensors_get(file, i);
        struct rlm_tensor tensor = *found;
        tensor.data = rlm_alloc(NULL, tensor.count, rlm_dtype_size(tensor.dtype));
        status = rlm_safetensors_read(file, found, tensor.data, error);
        tell_tensor(text, &tensor);
        rlm_free(tensor.data);
    }
    rlm_safetensors_close(file);
    return status;
}

static void tell_layers(struct rlm_strbuf *text, const relume_network *network)
{
    for (size_t l = 0; l < relume_network_get_layers(network); l++) {
        relume_layer layer = relume_network_get_layer(network, l);
        rlm_strbuf_print(text, "%s %s", layer.name, layer.foreign_name);
        for (size_t n = 0; n < layer.out_features; n++) {
            for (size_t k = 0; k < layer.in_features; k++)
                rlm_strbuf_print(text, " %a", (double)layer.weight[n * layer.weight_stride + k]);
            rlm_strbuf_print(text, " %a\n", (double)layer.bias[n]);
        }
    }
    relume_scaling scaling = relume_network_get_scaling(network);
    for (size_t i = 0; i < (scaling.uniform ? 1 : relume_network_get_in_features(network)); i++)
        rlm_strbuf_print(text, "%a %a\n", (double)scaling.offset[i], (double)scaling.divisor[i]);
    rlm_strbuf_print(text, "%s %zu %zu", relume_loss_name(network->loss), network->image_rows,
                     network->class_count);
}

static relume_status tell_network(const struct rlm_source *source, struct rlm_strbuf *text,
                                  relume_error *error)
{
    struct rlm_safetensors *file = NULL;
    relume_network *network = NULL;
    relume_status status = rlm_safetensors_open_source(NULL, source, &file, error);
    if (status == RELUME_OK)
        status = rlm_network_load_from(engine, file, source->name, &network, error);
    if (status == RELUME_OK)
        tell_layers(text, network);
    relume_network_destroy(network);
    rlm_safetensors_close(file);
    return status;
}

/* ---- bits that no reader can miss ---- */

/* The byte order is one character, and '<' is one bit from '>'. In an array of 0 samples the other sizes may
 * be anything. */
static const char *excuse_npy(const unsigned char *bytes, size_t size, size_t byte)
{
    if (memmem(bytes, size, "(0, ", 4))
        return "size beside 0";
    return bytes[byte] == '<' || bytes[byte] == '>' ? "byte order" : NULL;
}

/* The kinds 0c (int32) and 0d (float32) are one bit apart, and so are 08 and 09 (bytes with and without a
 * sign). */
static const char *excuse_idx(const unsigned char *bytes, size_t size, size_t byte)
{
    (void)size;
    (void)bytes;
    return byte == 2 ? "kind" : NULL;
}

/* Where a checksum stands behind the data. */
static const char *excuse_nothing(const unsigned char *bytes, size_t size, size_t byte)
{
    (void)bytes;
    (void)size;
    (void)byte;
    return NULL;
}

/* Texts of the header are free: names of tensors, and metadata with relume's own keys and numbers. Beside a
 * size of 0 the other sizes of a shape may be anything. */
static const char *excuse_safetensors(const unsigned char *bytes, size_t size, size_t byte)
{
    size_t header = (size_t)bytes[0] + 256 * (size_t)bytes[1] + 8;
    bool quoted = false;
    for (size_t i = 8; i < header && i < size && i < byte; i++) {
        if (quoted && bytes[i] == '\\')
            i++;
        else if (bytes[i] == '"')
            quoted = !quoted;
    }
    if (byte > 16 && memcmp(bytes + byte - 3, "[0,", 3) == 0)
        return "size beside 0";
    return byte >= 8 && byte < header && quoted ? "text" : NULL;
}

/* CSV has neither lengths nor checksums: what is left after a cut is a shorter table, and another digit is
 * another number. */
static const char *excuse_csv(const unsigned char *bytes, size_t size, size_t byte)
{
    (void)bytes;
    (void)size;
    (void)byte;
    return "text";
}

/* ---- damaging ---- */

/* Bytes in a block of exactly their size, as a sanitizer wants them. */
static relume_status tell(teller *telling, const unsigned char *bytes, size_t size, struct rlm_strbuf *text,
                          relume_error *error)
{
    unsigned char *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    struct rlm_source source = rlm_source_of_bytes(FILE_NAME, copy, size);
    rlm_strbuf_reset(text);
    rlm_strbuf_print(text, "data\n");
    relume_status status = telling(&source, text, error);
    free(copy);
    return status;
}

static void assert_place(const relume_error *error, relume_status status)
{
    assert_true(status == RELUME_BAD_FORMAT || status == RELUME_BAD_DATA || status == RELUME_MISMATCH ||
                status == RELUME_NOT_FOUND);
    assert_string_equal(error->file, FILE_NAME);
    assert_memory_equal(error->message, FILE_NAME, strlen(FILE_NAME));
    assert_true(strlen(error->message) > strlen(FILE_NAME) + 10);
}

/* Whether `part` is the beginning of `whole`, but for its last line, which may be cut itself. */
static bool begins(const char *whole, const char *part)
{
    const char *line = part;
    for (const char *at = part; (at = strchr(at, '\n')) && at[1]; at++)
        line = at + 1;
    return strncmp(whole, part, (size_t)(line - part)) == 0;
}

static void cut(teller *telling, const char *told, const unsigned char *bytes, size_t size, bool table,
                struct tally *tally)
{
    struct rlm_strbuf text = {0};
    for (size_t length = 0; length < size; length++) {
        relume_error error = {0};
        relume_status status = tell(telling, bytes, length, &text, &error);
        tally->cut++;
        if (status != RELUME_OK) {
            assert_place(&error, status);
            tally->refused++;
        } else if (strcmp(text.text, told) == 0) {
            tally->same++;
        } else {
            assert_true(table && begins(told, text.text));
            tally->excused++;
        }
    }
    rlm_strbuf_deinit(&text);
}

/* Flips each bit of the first `header` bytes. */
static void flip(teller *telling, const char *told, unsigned char *bytes, size_t size, size_t header,
                 excuse *excusing, struct tally *tally)
{
    struct rlm_strbuf text = {0};
    for (size_t bit = 0; bit < 8 * header; bit++) {
        relume_error error = {0};
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        relume_status status = tell(telling, bytes, size, &text, &error);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        tally->flipped++;
        if (status != RELUME_OK) {
            assert_place(&error, status);
            tally->refused++;
        } else if (strcmp(text.text, told) == 0) {
            tally->same++;
        } else if (excusing(bytes, size, bit / 8)) {
            tally->excused++;
        } else {
            fail_msg("bit %zu of byte %zu, flipped, gives other data:\n%s\nin place of\n%s", bit % 8, bit / 8,
                     text.text, told);
        }
    }
    rlm_strbuf_deinit(&text);
}

/* Bytes before which the header of a format ends: bits of values without a checksum are values. */
static size_t header_size(const char *kind, const unsigned char *bytes, size_t size)
{
    if (bytes[0] == 0x1f || strcmp(kind, "npz") == 0 || strcmp(kind, "csv") == 0)
        return size;
    if (strcmp(kind, "npy") == 0)
        return bytes[6] == 1 ? 10 + (size_t)bytes[8] + 256 * (size_t)bytes[9]
                             : 12 + (size_t)bytes[8] + 256 * (size_t)bytes[9];
    if (strcmp(kind, "idx") == 0)
        return 4 + 4 * (size_t)bytes[3];
    return 8 + (size_t)bytes[0] + 256 * (size_t)bytes[1];
}

struct format {
    const char *kind, *corpus;
    teller *telling;
    excuse *excusing;
    size_t skip; /* bytes before the file that only the fuzzer uses */
};

static void damage(const struct format *format, unsigned char *bytes, size_t size, struct tally *tally)
{
    struct rlm_strbuf text = {0};
    relume_error error = {0};
    if (tell(format->telling, bytes, size, &text, &error) == RELUME_OK) {
        bool gzip = bytes[0] == 0x1f;
        char *told = strdup(text.text);
        cut(format->telling, told, bytes, size, strcmp(format->kind, "csv") == 0 && !gzip, tally);
        flip(format->telling, told, bytes, size, header_size(format->kind, bytes, size),
             gzip ? excuse_nothing : format->excusing, tally);
        free(told);
        tally->samples++;
    }
    rlm_strbuf_deinit(&text);
}

static int is_seed(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && strncmp(entry->d_name, "found-", 6) != 0;
}

static void damage_all(const struct format *format)
{
    const char *corpus = getenv("RELUME_CORPUS");
    struct dirent **entries = NULL;
    struct tally tally = {0};
    char path[1024];
    if (!corpus)
        fail_msg("RELUME_CORPUS names no folder; meson test sets it");
    (void)snprintf(path, sizeof path, "%s/%s", corpus, format->corpus);
    int count = scandir(path, &entries, is_seed, alphasort);
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        size_t size;
        (void)snprintf(path, sizeof path, "%s/%s/%s", corpus, format->corpus, entries[i]->d_name);
        unsigned char *bytes = world_file(path, &size);
        damage(format, bytes + format->skip, size - format->skip, &tally);
        free(bytes);
        free(entries[i]);
    }
    free(entries);
    assert_true(tally.samples > 0);
    print_message(
        "# %s: %zu samples, %zu cuts, %zu flipped bits: %zu refused, %zu the same data, %zu another "
        "valid file\n",
        format->kind, tally.samples, tally.cut, tally.flipped, tally.refused, tally.same, tally.excused);
}

#define DAMAGE_TEST(kind, corpus, telling, excusing, skip)                                                   \
    static void test_##kind(void **state)                                                                    \
    {                                                                                                        \
        (void)state;                                                                                         \
        damage_all(&(struct format){#kind, corpus, telling, excusing, skip});                                \
    }

DAMAGE_TEST(npy, "npy", tell_npy, excuse_npy, 0)
DAMAGE_TEST(idx, "idx", tell_idx, excuse_idx, 0)
DAMAGE_TEST(npz, "npz", tell_npz, excuse_nothing, 0)
DAMAGE_TEST(csv, "csv", tell_csv, excuse_csv, 1)
DAMAGE_TEST(safetensors, "safetensors", tell_safetensors, excuse_safetensors, 0)
DAMAGE_TEST(network, "network", tell_network, excuse_safetensors, 0)

static int make_engine(void **state)
{
    (void)state;
    engine = world_engine("ref", 1, NULL);
    return 0;
}

static int destroy_engine(void **state)
{
    (void)state;
    relume_engine_destroy(engine);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_npy), cmocka_unit_test(test_idx),         cmocka_unit_test(test_npz),
        cmocka_unit_test(test_csv), cmocka_unit_test(test_safetensors), cmocka_unit_test(test_network),
    };
    return cmocka_run_group_tests(tests, make_engine, destroy_engine);
}
