/* What must hold of every tensor that a reader of formats/ has let through. */
#ifndef RLM_FUZZ_TENSOR_CHECK_H
#define RLM_FUZZ_TENSOR_CHECK_H

#include <math.h>

#include "formats/tensor.h"
#include "fuzz.h"

static inline uint64_t fuzz_check_tensor(const struct rlm_tensor *tensor)
{
    struct rlm_tensor again = *tensor;
    FUZZ_MUST(tensor->dtype < RLM_DTYPE_COUNT && tensor->rank <= RLM_RANK_MAX && tensor->data);
    FUZZ_MUST(rlm_tensor_measure(&again) && again.count == tensor->count);
    return fuzz_touch(tensor->data, tensor->count * rlm_dtype_size(tensor->dtype));
}

/* `features` is what a dataset keeps of `stored`: bytes and truth values as they are, all else as float32. */
static inline void fuzz_check_kept(const struct rlm_tensor *stored, const struct rlm_tensor *features)
{
    FUZZ_MUST(features->count == stored->count && features->rank == stored->rank);
    if (features->dtype != RLM_F32) {
        FUZZ_MUST(features->dtype == stored->dtype);
        FUZZ_MUST(stored->count == 0 || memcmp(features->data, stored->data, stored->count) == 0);
        return;
    }
    const float *kept = features->data;
    const unsigned char *at = stored->data;
    for (size_t i = 0; i < stored->count; i++, at += rlm_dtype_size(stored->dtype)) {
        double value;
        rlm_values_to_f64(stored->dtype, at, &value, 1);
        float rounded = (float)value;
        if (stored->dtype == RLM_I64 || stored->dtype == RLM_U64)
            FUZZ_MUST(fabsf(kept[i] - rounded) <= fabsf(rounded) * 0x1p-23f); /* double may round before */
        else
            FUZZ_MUST(kept[i] == rounded || (isnan(kept[i]) && isnan(rounded)));
    }
}

#endif
