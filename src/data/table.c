/* Datasets in CSV files: columns of numbers, and one of targets. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "data/part.h"
#include "formats/csv.h"
#include "formats/text.h"

static relume_status take_integers(struct rlm_targets *targets, const relume_allocator *allocator,
                                   const struct rlm_csv *csv, const char *file, relume_error *error)
{
    targets->integers = rlm_alloc(allocator, csv->rows, sizeof *targets->integers);
    if (!targets->integers)
        return rlm_error_memory(error, csv->rows * sizeof *targets->integers, "labels");
    for (size_t i = 0; i < csv->rows; i++) {
        if (fabs(csv->target[i]) > 9007199254740992.0) /* 2^53 */
            return rlm_refuse_file(error, RELUME_BAD_DATA, file,
                                   "the label of row %zu is %.0f; labels are whole numbers within ±2^53",
                                   i + 1, csv->target[i]);
        targets->integers[i] = (int64_t)csv->target[i];
    }
    targets->kind = RLM_TARGET_INTEGER;
    return RELUME_OK;
}

static relume_status take_floats(struct rlm_targets *targets, const relume_allocator *allocator,
                                 const struct rlm_csv *csv, const char *file, relume_error *error)
{
    targets->floats = rlm_alloc(allocator, csv->rows, sizeof *targets->floats);
    if (!targets->floats)
        return rlm_error_memory(error, csv->rows * sizeof *targets->floats, "targets");
    rlm_values_to_f32(RLM_F64, csv->target, targets->floats, csv->rows);
    targets->outputs = 1;
    targets->kind = RLM_TARGET_FLOAT;
    return rlm_check_finite(targets->floats, 0, csv->rows, 1, file,
                            csv->target_name ? csv->target_name : "targets", error);
}

relume_status rlm_part_take_csv_targets(struct rlm_part *part, const relume_allocator *allocator,
                                        struct rlm_csv *csv, const char *file, relume_error *error)
{
    struct rlm_targets targets = {0};
    relume_status status = RELUME_OK;
    if (csv->rows != part->samples)
        return rlm_refuse_file(error, RELUME_MISMATCH, file,
                               "%zu labels for %zu samples; one a sample was expected", csv->rows,
                               part->samples);
    if (csv->text) {
        targets = (struct rlm_targets){
            .kind = RLM_TARGET_TEXT, .text = csv->text, .text_count = csv->text_count, .texts = csv->texts};
        csv->text = NULL;
        csv->texts = NULL;
        csv->text_count = 0;
    } else if (csv->target_integer) {
        status = take_integers(&targets, allocator, csv, file, error);
    } else {
        status = take_floats(&targets, allocator, csv, file, error);
    }
    if (status == RELUME_OK)
        part->targets = targets;
    else
        rlm_targets_deinit(&targets);
    return status;
}

static relume_status refuse_no_target(const relume_allocator *allocator, const char *path,
                                      const struct rlm_csv *csv, relume_error *error)
{
    char quoted[RLM_QUOTE_SIZE];
    struct rlm_strbuf names = {.allocator = allocator};
    for (size_t i = 0; csv->names && i < csv->columns && names.length < 200; i++)
        rlm_strbuf_print(&names, i ? ", %s" : ": %s", rlm_quote(quoted, csv->names[i]));
    relume_status status = rlm_refuse_file(
        error, RELUME_USAGE, path,
        "say which column holds the targets, by name or number (--target COLUMN); there are %zu%s",
        csv->columns, names.text ? names.text : "");
    rlm_strbuf_deinit(&names);
    return status;
}

static relume_status take_table(struct rlm_part *part, const relume_allocator *allocator, const char *path,
                                struct rlm_csv *csv, relume_error *error)
{
    struct rlm_tensor tensor = {.dtype = RLM_F32, .rank = 2, .shape = {csv->rows, csv->columns}};
    (void)rlm_tensor_measure(&tensor); /* it is in memory, so it fits */
    tensor.data = csv->values;
    csv->values = NULL;
    relume_status status = rlm_part_take_features(part, &tensor, error);
    rlm_tensor_deinit(&tensor);
    if (status != RELUME_OK || !csv->has_target)
        return status;
    return rlm_part_take_csv_targets(part, allocator, csv, path, error);
}

static relume_status read_table(const relume_allocator *allocator, const char *path,
                                const relume_dataset_options *options, struct rlm_part *part,
                                relume_error *error)
{
    struct rlm_source source;
    struct rlm_csv csv;
    RLM_TRY(rlm_part_name(part, allocator, path, NULL, error));
    RLM_TRY(rlm_source_open(allocator, &source, path, error));
    relume_status status = rlm_csv_read(allocator, &source, options->target, &csv, error);
    rlm_source_close(&source);
    if (status != RELUME_OK)
        return status;
    status = options->need_targets && !csv.has_target ? refuse_no_target(allocator, path, &csv, error)
                                                      : take_table(part, allocator, path, &csv, error);
    rlm_csv_deinit(&csv);
    return status;
}

relume_status rlm_read_table(const relume_allocator *allocator, const char *path,
                             const relume_dataset_options *options, struct rlm_parts *parts,
                             relume_error *error)
{
    struct rlm_parts read = {0};
    relume_status status = read_table(allocator, path, options, &read.train, error);
    if (status == RELUME_OK)
        *parts = read;
    else
        rlm_parts_deinit(&read);
    return status;
}
