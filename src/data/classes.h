/* Labels as they were read, to class numbers 0 … count − 1 and back to names. */
#ifndef RLM_DATA_CLASSES_H
#define RLM_DATA_CLASSES_H

#include "data/part.h"

/* The different labels of a part, sorted: whole numbers by value, texts by their bytes. A label's class is
 * its place. */
struct rlm_classes {
    size_t count;
    int64_t *integers; /* [count], or NULL for texts */
    char **names;      /* [count]: decimal numbers, or the texts */
};

/* BAD_DATA for more than RLM_CLASSES_MOST, NO_MEMORY. */
relume_status rlm_classes_init(struct rlm_classes *classes, const relume_allocator *allocator,
                               const struct rlm_part *part, relume_error *error);
void rlm_classes_deinit(struct rlm_classes *classes);

/* The classes of a test part are among those of the training part; MISMATCH with both counts and the first
 * that is not. */
relume_status rlm_classes_check(const struct rlm_classes *train, const struct rlm_classes *test,
                                const struct rlm_part *test_part, relume_error *error);

/* Writes the class of each sample of a part, all of whose labels are among `classes`, to labels[samples].
 * NO_MEMORY. */
relume_status rlm_classes_number(const struct rlm_classes *classes, const relume_allocator *allocator,
                                 const struct rlm_part *part, uint32_t *labels, relume_error *error);

#endif
