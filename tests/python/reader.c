/* What test_formats.py calls: reads a file with one of the readers of formats/ and says what it found.
 *
 *     reader npy|idx stored|features FILE OUT      kind, rank and shape on stdout, the values as they are in
 * OUT reader npz stored|features FILE OUT NAME reader csv FILE OUT TARGET|-                 rows, columns,
 * what the targets are, names; values in OUT, targets in OUT.target as float64, or texts with a 0 byte each
 *
 * Exit status 3 with the message on stderr for a file that is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "formats/csv.h"
#include "formats/idx.h"
#include "formats/npy.h"
#include "formats/npz.h"

static relume_error error;

static void check(relume_status status)
{
    if (status == RELUME_OK)
        return;
    (void)fprintf(stderr, "%s\n", error.message);
    exit(3);
}

static FILE *create(const char *path)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        exit(1);
    return file;
}

static void put(FILE *file, const void *bytes, size_t size)
{
    if (fwrite(bytes, 1, size, file) != size)
        exit(1);
}

static void read_npz(const struct rlm_source *source, enum rlm_reading reading, const char *name,
                     struct rlm_tensor *tensor)
{
    struct rlm_npz *npz;
    check(rlm_npz_open(NULL, source, &npz, &error));
    check(rlm_npz_read(npz, rlm_npz_find(npz, name), reading, tensor, &error));
    tensor->name = NULL;
    rlm_npz_close(npz);
}

static void read_array(const char *kind, const char *reading_text, const char *path, const char *out,
                       const char *name)
{
    enum rlm_reading reading = strcmp(reading_text, "stored") == 0 ? RLM_READ_STORED : RLM_READ_FEATURES;
    struct rlm_source source;
    struct rlm_tensor tensor = {0};
    check(rlm_source_open(NULL, &source, path, &error));
    if (strcmp(kind, "npz") == 0)
        read_npz(&source, reading, name, &tensor);
    else
        check(strcmp(kind, "npy") == 0 ? rlm_npy_read(NULL, &source, reading, &tensor, &error)
                                       : rlm_idx_read(NULL, &source, reading, &tensor, &error));
    printf("%s %zu", rlm_dtype_name(tensor.dtype), tensor.rank);
    for (size_t i = 0; i < tensor.rank; i++)
        printf(" %zu", tensor.shape[i]);
    printf("\n");
    FILE *file = create(out);
    put(file, tensor.data, tensor.count * rlm_dtype_size(tensor.dtype));
    (void)fclose(file);
    rlm_tensor_deinit(&tensor);
    rlm_source_close(&source);
}

static void write_targets(const struct rlm_csv *csv, const char *out)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s.target", out);
    FILE *file = create(path);
    if (csv->target)
        put(file, csv->target, csv->rows * sizeof *csv->target);
    for (size_t i = 0; csv->text && i < csv->rows; i++)
        put(file, csv->texts[csv->text[i]], strlen(csv->texts[csv->text[i]]) + 1);
    (void)fclose(file);
}

static void read_csv(const char *path, const char *out, const char *target)
{
    struct rlm_source source;
    struct rlm_csv csv;
    check(rlm_source_open(NULL, &source, path, &error));
    check(rlm_csv_read(NULL, &source, strcmp(target, "-") == 0 ? NULL : target, &csv, &error));
    printf("%zu %zu %s\n", csv.rows, csv.columns,
           !csv.has_target      ? "none"
           : csv.text           ? "text"
           : csv.target_integer ? "integer"
                                : "real");
    for (size_t i = 0; csv.names && i < csv.columns; i++)
        printf("%s%c", csv.names[i], '\0');
    FILE *file = create(out);
    put(file, csv.values, csv.rows * csv.columns * sizeof *csv.values);
    (void)fclose(file);
    write_targets(&csv, out);
    rlm_csv_deinit(&csv);
    rlm_source_close(&source);
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "csv") == 0)
        read_csv(argv[2], argv[3], argv[4]);
    else if (argc == 5 || argc == 6)
        read_array(argv[1], argv[2], argv[3], argv[4], argc == 6 ? argv[5] : "");
    else
        return 2;
    return 0;
}
