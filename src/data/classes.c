/* See classes.h. Whole numbers are collected in a hash set, so that a hundred million labels take one pass;
 * texts come without repetition. */
#include "data/classes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "formats/text.h"

/* A hash set, at most a quarter filled, with room for as many values as there can be different ones. */
struct set {
    int64_t *values; /* [slots] */
    bool *used;      /* [slots] */
    size_t slots;    /* a power of two */
    size_t count;
};

static size_t slots_for(size_t samples)
{
    size_t slots = 4;
    while (slots < 4 * rlm_size_min(samples, RLM_CLASSES_MOST))
        slots *= 2;
    return slots;
}

/* Puts a value in; false when the set is full and the value is new. */
static bool set_add(struct set *set, int64_t value)
{
    size_t slot = (size_t)((uint64_t)value * 0x9e3779b97f4a7c15u >> 32) & (set->slots - 1);
    while (set->used[slot] && set->values[slot] != value)
        slot = (slot + 1) & (set->slots - 1);
    if (set->used[slot])
        return true;
    if (set->count == RLM_CLASSES_MOST)
        return false;
    set->used[slot] = true;
    set->values[slot] = value;
    set->count++;
    return true;
}

static int compare_integers(const void *left, const void *right)
{
    const int64_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

static relume_status too_many(const struct rlm_part *part, relume_error *error)
{
    rlm_error_clear(error);
    rlm_error_at_file(error, part->file);
    return rlm_error_set(
        error, RELUME_BAD_DATA,
        "%.300s: the labels are more than %d different classes; for regression, give the targets as "
        "floating-point numbers",
        part->file ? part->file : "", RLM_CLASSES_MOST);
}

/* The different integers of a part, sorted. */
static relume_status collect_integers(struct rlm_classes *classes, struct set *set,
                                      const relume_allocator *allocator, const struct rlm_part *part,
                                      relume_error *error)
{
    for (size_t i = 0; i < part->samples; i++)
        if (!set_add(set, part->targets.integers[i]))
            return too_many(part, error);
    classes->integers = rlm_alloc(allocator, set->count, sizeof *classes->integers);
    if (!classes->integers)
        return rlm_error_memory(error, set->count * sizeof *classes->integers, "classes");
    for (size_t slot = 0; slot < set->slots; slot++)
        if (set->used[slot])
            classes->integers[classes->count++] = set->values[slot];
    qsort(classes->integers, classes->count, sizeof *classes->integers, compare_integers);
    return RELUME_OK;
}

static relume_status init_integers(struct rlm_classes *classes, const relume_allocator *allocator,
                                   const struct rlm_part *part, relume_error *error)
{
    struct set set = {.slots = slots_for(part->samples)};
    set.values = rlm_alloc(allocator, set.slots, sizeof *set.values);
    set.used = rlm_alloc_zero(allocator, set.slots, sizeof *set.used);
    relume_status status = set.values && set.used
                               ? collect_integers(classes, &set, allocator, part, error)
                               : rlm_error_memory(error, set.slots * sizeof *set.values, "classes");
    rlm_free(set.values);
    rlm_free(set.used);
    return status;
}

static int compare_texts(const void *left, const void *right)
{
    const char *const *a = left, *const *b = right;
    return strcmp(*a, *b);
}

static relume_status init_names(struct rlm_classes *classes, const relume_allocator *allocator,
                                const struct rlm_part *part, relume_error *error)
{
    bool texts = classes->integers == NULL;
    size_t count = texts ? part->targets.text_count : classes->count;
    classes->count = 0; /* names made so far, so that a failure frees just those */
    classes->names = rlm_alloc(allocator, count, sizeof *classes->names);
    if (!classes->names)
        return rlm_error_memory(error, count * sizeof *classes->names, "class names");
    for (; classes->count < count; classes->count++) {
        char number[24];
        if (!texts)
            (void)snprintf(number, sizeof number, "%" PRId64, classes->integers[classes->count]);
        classes->names[classes->count] =
            rlm_strdup(allocator, texts ? part->targets.texts[classes->count] : number);
        if (!classes->names[classes->count])
            return rlm_error_memory(error, sizeof number, "class names");
    }
    if (texts)
        qsort(classes->names, count, sizeof *classes->names, compare_texts);
    return RELUME_OK;
}

relume_status rlm_classes_init(struct rlm_classes *classes, const relume_allocator *allocator,
                               const struct rlm_part *part, relume_error *error)
{
    struct rlm_classes made = {0};
    relume_status status = RELUME_OK;
    if (part->targets.kind == RLM_TARGET_INTEGER)
        status = init_integers(&made, allocator, part, error);
    else if (part->targets.text_count > RLM_CLASSES_MOST)
        status = too_many(part, error);
    if (status == RELUME_OK)
        status = init_names(&made, allocator, part, error);
    if (status == RELUME_OK)
        *classes = made;
    else
        rlm_classes_deinit(&made);
    return status;
}

void rlm_classes_deinit(struct rlm_classes *classes)
{
    for (size_t i = 0; classes->names && i < classes->count; i++)
        rlm_free(classes->names[i]);
    rlm_free(classes->names);
    rlm_free(classes->integers);
    *classes = (struct rlm_classes){0};
}

/* The class of a number or a text; `count` when it is none. */
static size_t find_integer(const struct rlm_classes *classes, int64_t value)
{
    if (value >= 0 && (uint64_t)value < classes->count && classes->integers[value] == value)
        return (size_t)value; /* the usual labels 0, 1, …: no search */
    const int64_t *found = bsearch(&value, classes->integers, classes->count, sizeof value, compare_integers);
    return found ? (size_t)(found - classes->integers) : classes->count;
}

static size_t find_text(const struct rlm_classes *classes, const char *text)
{
    char *const *found =
        bsearch(&text, classes->names, classes->count, sizeof *classes->names, compare_texts);
    return found ? (size_t)(found - classes->names) : classes->count;
}

/* The first row of a part that has the label called `name`, from 1. */
static size_t row_of(const struct rlm_part *part, const struct rlm_classes *classes, size_t index)
{
    const struct rlm_targets *targets = &part->targets;
    for (size_t i = 0; i < part->samples; i++)
        if (targets->integers ? targets->integers[i] == classes->integers[index]
                              : strcmp(targets->texts[targets->text[i]], classes->names[index]) == 0)
            return i + 1;
    return 0;
}

relume_status rlm_classes_check(const struct rlm_classes *train, const struct rlm_classes *test,
                                const struct rlm_part *test_part, relume_error *error)
{
    char quoted[RLM_QUOTE_SIZE];
    for (size_t i = 0; i < test->count; i++) {
        size_t found =
            train->integers ? find_integer(train, test->integers[i]) : find_text(train, test->names[i]);
        if (found < train->count)
            continue;
        rlm_error_clear(error);
        rlm_error_at_file(error, test_part->file);
        return rlm_error_set(
            error, RELUME_MISMATCH,
            "%.300s: the test split has %zu classes, the training split %zu, and %s (test row %zu) is not "
            "among these",
            test_part->file ? test_part->file : "", test->count, train->count,
            rlm_quote(quoted, test->names[i]), row_of(test_part, test, i));
    }
    return RELUME_OK;
}

relume_status rlm_classes_number(const struct rlm_classes *classes, const relume_allocator *allocator,
                                 const struct rlm_part *part, uint32_t *labels, relume_error *error)
{
    const struct rlm_targets *targets = &part->targets;
    if (targets->kind == RLM_TARGET_INTEGER) {
        for (size_t i = 0; i < part->samples; i++)
            labels[i] = (uint32_t)find_integer(classes, targets->integers[i]);
        return RELUME_OK;
    }
    uint32_t *class_of = rlm_alloc(allocator, targets->text_count, sizeof *class_of); /* of each text */
    if (!class_of)
        return rlm_error_memory(error, targets->text_count * sizeof *class_of, "classes");
    for (size_t i = 0; i < targets->text_count; i++)
        class_of[i] = (uint32_t)find_text(classes, targets->texts[i]);
    for (size_t i = 0; i < part->samples; i++)
        labels[i] = class_of[targets->text[i]];
    rlm_free(class_of);
    return RELUME_OK;
}
