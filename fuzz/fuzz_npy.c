/* .npy, plain and gzipped: read as stored and as features, and the two compared. */
#include "formats/npy.h"
#include "tensor_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_memory memory = fuzz_budget(size, 8, fuzz_is_gzip(data, size));
    relume_allocator allocator = fuzz_allocator(&memory);
    struct rlm_source source = rlm_source_of_bytes(FUZZ_NAME, data, size);
    struct rlm_tensor stored = {0}, features = {0};
    relume_error error = {0};
    relume_status status = rlm_npy_read(&allocator, &source, RLM_READ_STORED, &stored, &error);
    if (status == RELUME_OK) {
        (void)fuzz_check_tensor(&stored);
        FUZZ_MUST(rlm_npy_read(&allocator, &source, RLM_READ_FEATURES, &features, &error) == RELUME_OK);
        (void)fuzz_check_tensor(&features);
        fuzz_check_kept(&stored, &features);
    } else {
        fuzz_check_refusal(status, &error);
    }
    rlm_tensor_deinit(&stored);
    rlm_tensor_deinit(&features);
    FUZZ_MUST(memory.held == 0);
    return 0;
}
