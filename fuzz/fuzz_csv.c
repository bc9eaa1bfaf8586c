/* CSV, plain and gzipped. The first byte of an input chooses the column of targets: none, the first, the one
 * called "y", or the third. */
#include <math.h>

#include "formats/csv.h"
#include "fuzz.h"

static void check_targets(const struct rlm_csv *csv)
{
    FUZZ_MUST((csv->target != NULL) + (csv->text != NULL) == (csv->has_target ? 1 : 0));
    for (size_t i = 0; csv->target && i < csv->rows; i++) {
        FUZZ_MUST(isfinite(csv->target[i]));
        FUZZ_MUST(!csv->target_integer || csv->target[i] == rint(csv->target[i]));
    }
    for (size_t i = 0; csv->text && i < csv->rows; i++)
        FUZZ_MUST(csv->text[i] < csv->text_count);
    for (size_t i = 0; i < csv->text_count; i++)
        FUZZ_MUST(*csv->texts[i] && rlm_utf8_is_valid(csv->texts[i]));
}

static void check(const struct rlm_csv *csv)
{
    FUZZ_MUST(csv->rows > 0);
    for (size_t i = 0; i < csv->rows * csv->columns; i++)
        FUZZ_MUST(isfinite(csv->values[i]));
    for (size_t i = 0; csv->names && i < csv->columns; i++)
        (void)fuzz_touch(csv->names[i], strlen(csv->names[i]));
    FUZZ_MUST(!csv->target_name || (csv->has_target && csv->names));
    check_targets(csv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const targets[] = {NULL, "1", "y", "3"};
    if (size == 0)
        return 0;
    /* a value of two bytes of text takes four, and the block it is in may be about to grow */
    struct fuzz_memory memory = fuzz_budget(size, 160, fuzz_is_gzip(data + 1, size - 1));
    relume_allocator allocator = fuzz_allocator(&memory);
    struct rlm_source source = rlm_source_of_bytes(FUZZ_NAME, data + 1, size - 1);
    struct rlm_csv csv = {0};
    relume_error error = {0};
    relume_status status = rlm_csv_read(&allocator, &source, targets[data[0] % 4], &csv, &error);
    if (status == RELUME_OK)
        check(&csv);
    else
        fuzz_check_refusal(status, &error);
    rlm_csv_deinit(&csv);
    FUZZ_MUST(memory.held == 0);
    return 0;
}
