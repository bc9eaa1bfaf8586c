/* "digits": 1,797 images of handwritten digits, 8 × 8 with values 0 to 16, inside the library.
 *
 * Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine Learning Repository,
 * 1998, CC BY 4.0: the test set, as scikit-learn's load_digits gives it. src/data/digits/README.md says how
 * the files were made; the build turns them into the arrays declared below. */
#include "base/error.h"
#include "data/embedded.h"
#include "data/part.h"
#include "formats/idx.h"

static relume_status read_images(const relume_allocator *allocator, struct rlm_part *part,
                                 relume_error *error)
{
    struct rlm_source source = rlm_source_of_bytes("digits", rlm_digits_images, rlm_digits_images_size);
    struct rlm_tensor tensor;
    RLM_TRY(rlm_idx_read(allocator, &source, RLM_READ_FEATURES, &tensor, error));
    relume_status status = rlm_part_take_features(part, &tensor, error);
    rlm_tensor_deinit(&tensor);
    part->divisor = 16.0f; /* the largest value, and exact */
    return status;
}

static relume_status read_labels(const relume_allocator *allocator, struct rlm_part *part,
                                 relume_error *error)
{
    struct rlm_source source = rlm_source_of_bytes("digits", rlm_digits_labels, rlm_digits_labels_size);
    struct rlm_tensor tensor;
    RLM_TRY(rlm_idx_read(allocator, &source, RLM_READ_STORED, &tensor, error));
    relume_status status = rlm_part_add_targets(part, allocator, &tensor, "digits", "labels", error);
    rlm_tensor_deinit(&tensor);
    return status;
}

relume_status rlm_read_digits(const relume_allocator *allocator, struct rlm_parts *parts, relume_error *error)
{
    struct rlm_parts read = {0};
    relume_status status = rlm_part_name(&read.train, allocator, "digits", NULL, error);
    if (status == RELUME_OK)
        status = read_images(allocator, &read.train, error);
    if (status == RELUME_OK)
        status = read_labels(allocator, &read.train, error);
    if (status == RELUME_OK)
        *parts = read;
    else
        rlm_parts_deinit(&read);
    return status;
}
