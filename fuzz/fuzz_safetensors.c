/* .safetensors as a file of tensors: the rules of the format hold of whatever is let through. */
#include "formats/safetensors.h"
#include "fuzz.h"

static void check_values(const relume_allocator *allocator, const struct rlm_safetensors *file,
                         const struct rlm_tensor *tensor)
{
    relume_error error = {0};
    void *values = rlm_alloc(allocator, tensor->count, rlm_dtype_size(tensor->dtype));
    float *floats = rlm_alloc(allocator, tensor->count, sizeof *floats);
    FUZZ_MUST(rlm_safetensors_read(file, tensor, values, &error) == RELUME_OK);
    (void)fuzz_touch(values, tensor->count * rlm_dtype_size(tensor->dtype));
    relume_status status = rlm_safetensors_read_f32(file, tensor, floats, 0, &error);
    if (status == RELUME_OK)
        (void)fuzz_touch(floats, tensor->count * sizeof *floats);
    else
        fuzz_check_refusal(status, &error);
    rlm_free(values);
    rlm_free(floats);
}

static void check(const relume_allocator *allocator, const struct rlm_safetensors *file, size_t size)
{
    const char *key, *value;
    uint64_t end = 0;
    for (size_t i = 0; i < rlm_safetensors_count(file); i++) {
        const struct rlm_tensor *tensor = rlm_safetensors_get(file, i);
        FUZZ_MUST(rlm_safetensors_find(file, tensor->name) == tensor);
        uint64_t begin = rlm_safetensors_byte(file, tensor);
        FUZZ_MUST(i == 0 || begin == end);
        end = begin + (uint64_t)tensor->count * rlm_dtype_size(tensor->dtype);
        FUZZ_MUST(end <= size);
        check_values(allocator, file, tensor);
    }
    FUZZ_MUST(rlm_safetensors_count(file) == 0 || end == size);
    for (size_t i = 0; rlm_safetensors_metadata_at(file, i, &key, &value); i++)
        FUZZ_MUST(strcmp(rlm_safetensors_metadata(file, key), value) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_memory memory = fuzz_budget(size, 64, false);
    relume_allocator allocator = fuzz_allocator(&memory);
    struct rlm_source source = rlm_source_of_bytes(FUZZ_NAME, data, size);
    struct rlm_safetensors *file = NULL;
    relume_error error = {0};
    relume_status status = rlm_safetensors_open_source(&allocator, &source, &file, &error);
    if (status == RELUME_OK)
        check(&allocator, file, size);
    else
        fuzz_check_refusal(status, &error);
    rlm_safetensors_close(file);
    FUZZ_MUST(memory.held == 0);
    return 0;
}
