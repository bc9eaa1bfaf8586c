/* .npz: every array of the archive is read, found by its name, and read again. */
#include "formats/npz.h"
#include "tensor_check.h"

/* One array; whether it could be read. */
static bool read_array(struct rlm_npz *npz, size_t index)
{
    struct rlm_tensor first = {0}, second = {0};
    relume_error error = {0};
    relume_status status = rlm_npz_read(npz, index, RLM_READ_STORED, &first, &error);
    if (status == RELUME_OK) {
        uint64_t sum = fuzz_check_tensor(&first);
        FUZZ_MUST(rlm_npz_find(npz, first.name) == index);
        FUZZ_MUST(rlm_npz_read(npz, index, RLM_READ_STORED, &second, &error) == RELUME_OK);
        FUZZ_MUST(fuzz_check_tensor(&second) == sum);
    } else {
        fuzz_check_refusal(status, &error);
    }
    rlm_tensor_deinit(&first);
    rlm_tensor_deinit(&second);
    return status == RELUME_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_memory memory = fuzz_budget(size, 8, true);
    relume_allocator allocator = fuzz_allocator(&memory);
    struct rlm_source source = rlm_source_of_bytes(FUZZ_NAME, data, size);
    struct rlm_npz *npz = NULL;
    relume_error error = {0};
    relume_status status = rlm_npz_open(&allocator, &source, &npz, &error);
    if (status == RELUME_OK) {
        for (size_t i = 0; i < rlm_npz_count(npz); i++)
            (void)read_array(npz, i);
        FUZZ_MUST(!rlm_npz_name(npz, rlm_npz_count(npz)));
        rlm_npz_close(npz);
    } else {
        fuzz_check_refusal(status, &error);
    }
    FUZZ_MUST(memory.held == 0);
    return 0;
}
