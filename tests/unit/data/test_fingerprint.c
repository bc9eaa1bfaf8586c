/* The digest of src/data/fingerprint.h against its definition written out word by word, whole and in pieces,
 * and what changes a dataset's fingerprint. */
#include "check.h"

#include "data/fingerprint.h"

static uint64_t add(uint64_t h, uint64_t w)
{
    uint64_t g = (h ^ w) * 0x9fb21c651e98df25u;
    return g ^ g >> 32;
}

static uint64_t digest_by_definition(const unsigned char *bytes, size_t size)
{
    uint64_t chain[4], digest = 0;
    for (uint64_t i = 0; i < 4; i++)
        chain[i] = 0x72656c756d652031u + i;
    for (size_t at = 0; at < size; at += 8) {
        uint64_t word = 0;
        for (size_t i = 0; i < 8 && at + i < size; i++)
            word |= (uint64_t)bytes[at + i] << 8 * i;
        chain[at / 8 % 4] = add(chain[at / 8 % 4], word);
    }
    for (size_t i = 0; i < 4; i++)
        digest = add(digest, chain[i]);
    return add(digest, size);
}

static void test_digest(void **state)
{
    (void)state;
    unsigned char bytes[203];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * i + 7 * i + 1);
    for (size_t size = 0; size <= sizeof bytes; size++)
        for (size_t piece = 1; piece < 70; piece += 3) {
            struct rlm_digest digest;
            rlm_digest_begin(&digest);
            for (size_t at = 0; at < size; at += piece)
                rlm_digest_add(&digest, bytes + at, size - at < piece ? size - at : piece);
            assert_true(rlm_digest_end(&digest) == digest_by_definition(bytes, size));
        }
}

static uint64_t fingerprint_of(relume_engine *engine, const relume_matrix *matrix)
{
    relume_dataset *dataset;
    relume_error error;
    assert_ok(relume_dataset_create(engine, "matrix", matrix, NULL, &dataset, &error), error);
    uint64_t fingerprint = relume_dataset_get_fingerprint(dataset);
    relume_dataset_destroy(dataset);
    return fingerprint;
}

static void test_what_changes_it(void **state)
{
    (void)state;
    relume_engine *engine;
    relume_error error;
    assert_ok(relume_engine_create(NULL, &engine, &error), error);
    uint8_t x[15] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    uint32_t labels[5] = {0, 1, 1, 0, 1};
    relume_matrix matrix = {.samples = 5, .features = 3, .element = RELUME_U8, .x = x, .labels = labels};
    uint64_t first = fingerprint_of(engine, &matrix);
    assert_true(fingerprint_of(engine, &matrix) == first);
    for (size_t i = 0; i < 15; i++) {
        x[i] ^= 16;
        assert_true(fingerprint_of(engine, &matrix) != first);
        x[i] ^= 16;
    }
    labels[4] = 0;
    assert_true(fingerprint_of(engine, &matrix) != first);
    labels[4] = 1;
    matrix.classes = 3;
    assert_true(fingerprint_of(engine, &matrix) != first);
    matrix.classes = 0;
    matrix.samples = 3;
    matrix.features = 5;
    assert_true(fingerprint_of(engine, &matrix) != first);
    relume_engine_destroy(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_what_changes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
