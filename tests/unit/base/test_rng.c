/* Random numbers: the constants below are printed by tools/rng_vectors.py, which computes them with NumPy and
 * decimals. */
#include "check.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"

static void test_blocks_are_philox(void **state)
{
    (void)state;
    static const struct {
        uint64_t key[4]; /* seed, purpose, group, index */
        uint64_t words[4];
    } known[] = {
        {{0x0, 0x1, 0x0, 0x0},
         {0x9c6b270905f0b111, 0xdee74de5c22fba4e, 0x0fbe587afae091f8, 0xd5ad8fe3bd272f76}},
        {{0x0, 0x1, 0x0, 0x1},
         {0xd037f8c3f9a1d176, 0xc057419b4c210765, 0xabf13115117b0065, 0x7bae035dea6ea5c0}},
        {{0x2a, 0x3, 0x7, 0x75bcd15},
         {0x87481669ad09f49b, 0x9d1e5910e851f5b8, 0x34a1233692d01afa, 0xf2cb0126e92627a1}},
        {{UINT64_MAX, 0x5, UINT64_MAX, UINT64_MAX},
         {0x0b0f965a774175c3, 0xadcd78f240a4052c, 0x13ad7ce5535f3701, 0x678ce92d486ae366}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct rlm_rng rng = {known[i].key[0], known[i].key[1], known[i].key[2]};
        uint64_t words[4];
        rlm_rng_block(&rng, known[i].key[3], words);
        assert_memory_equal(words, known[i].words, sizeof words);
    }
}

static void test_uniform_is_the_first_53_bits(void **state)
{
    (void)state;
    struct rlm_rng rng = {42, 3, 7};
    assert_true(rlm_rng_uniform(&rng, 123456789) == (double)(0x87481669ad09f49b >> 11) / 9007199254740992.0);
}

static void test_normal_values(void **state)
{
    (void)state;
    static const struct {
        uint64_t index;
        double value;
    } known[] = {
        {0, 0.43788662845107523}, {1, -0.5668173087679226},       {2, -0.0724481711580812},
        {3, 0.3123025967255929},  {1000003, -0.8767729970660023},
    };
    struct rlm_rng rng = {42, RLM_RNG_WEIGHT, 2};
    /* The logarithm is within 2 ulp, so within 4 half-ulps, which the square root halves; it rounds once
     * itself; the cosine is within 2 ulp; the product rounds once. In units of 2⁻⁵³ of the value, an ulp
     * being at most 2: 2 + 1 + 4 + 1. */
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        double found = rlm_rng_normal(&rng, known[i].index);
        assert_true(fabs(found - known[i].value) <= 8 * 0x1p-53 * fabs(known[i].value));
    }
}

/* FNV-1a over the bytes of 20,000 normals, little-endian: the same on every machine, compiler and C library.
 */
static void test_normal_bytes_are_fixed(void **state)
{
    (void)state;
    struct rlm_rng rng = {7, RLM_RNG_TEST, 0};
    uint64_t hash = 0xcbf29ce484222325;
    for (uint64_t i = 0; i < 20000; i++) {
        double value = rlm_rng_normal(&rng, i);
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        for (int byte = 0; byte < 8; byte++)
            hash = (hash ^ (bits >> (8 * byte) & 0xff)) * 0x100000001b3;
    }
    assert_int_equal(hash, 0x59f7352209fb7018);
}

/* Many at a time are the same bytes as one by one, whatever their number and the place of the first. */
static void test_normals_are_normals(void **state)
{
    (void)state;
    struct rlm_rng rng = {9, RLM_RNG_TEST, 4};
    for (size_t count = 0; count < 70; count++) {
        double values[70];
        rlm_rng_normals(&rng, 3 * count, count, values);
        for (size_t i = 0; i < count; i++) {
            double expected = rlm_rng_normal(&rng, 3 * count + i);
            assert_memory_equal(&values[i], &expected, sizeof expected);
        }
    }
}

/* Mean, variance and fourth moment of n normals: their standard errors are 1/√n, √(2/n) and √(96/n); 5 of
 * them. */
static void test_normal_moments(void **state)
{
    (void)state;
    const int n = 200000;
    struct rlm_rng rng = {1, RLM_RNG_TEST, 0};
    double first = 0, second = 0, fourth = 0;
    for (int i = 0; i < n; i++) {
        double z = rlm_rng_normal(&rng, (uint64_t)i);
        assert_true(isfinite(z));
        first += z;
        second += z * z;
        fourth += z * z * z * z;
    }
    assert_true(fabs(first / n) < 5 / sqrt(n));
    assert_true(fabs(second / n - 1) < 5 * sqrt(2.0 / n));
    assert_true(fabs(fourth / n - 3) < 5 * sqrt(96.0 / n));
}

static void test_below_values(void **state)
{
    (void)state;
    static const struct {
        uint64_t bound, index, value;
    } known[] = {
        {1, 0, 0},
        {10, 1, 2},
        {9223372036854775809u, 2, 3735784276479703990},
        {9223372036854775809u, 3, 6875793765414965100},
        {18446744073709551615u, 4, 1445580818902965640},
        {13835058055282163712u, 5, 6168015405086815752},
        {13835058055282163712u, 6, 807896021444045265},
        {9223372036854775809u, 28, 7177202751252190534}, /* all four words of the first block are rejected */
    };
    struct rlm_rng rng = {42, RLM_RNG_TEST, 0};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_int_equal(rlm_rng_below(&rng, known[i].index, known[i].bound), known[i].value);
}

static void test_shuffle_values(void **state)
{
    (void)state;
    static const uint32_t known[20] = {15, 10, 11, 2, 9, 3, 17, 5, 19, 13, 6, 12, 4, 1, 14, 18, 8, 16, 0, 7};
    struct rlm_rng rng = {42, RLM_RNG_SHUFFLE, 1};
    uint32_t order[20];
    rlm_rng_shuffle(&rng, order, 20);
    assert_memory_equal(order, known, sizeof order);
    rlm_rng_shuffle(&rng, order, 0);
    rlm_rng_shuffle(&rng, order, 1);
    assert_int_equal(order[0], 0);
}

/* All 24 orders of four, each as often as the others: χ² with 23 degrees of freedom stays below 64 but once
 * in 100,000. */
static void test_shuffle_is_even(void **state)
{
    (void)state;
    const int draws = 24000;
    int seen[256] = {0};
    for (int i = 0; i < draws; i++) {
        struct rlm_rng rng = {5, RLM_RNG_TEST, (uint64_t)i};
        uint32_t order[4];
        rlm_rng_shuffle(&rng, order, 4);
        seen[order[0] * 64 + order[1] * 16 + order[2] * 4 + order[3]]++;
    }
    double chi = 0;
    int kinds = 0;
    for (int i = 0; i < 256; i++) {
        kinds += seen[i] > 0;
        if (seen[i] > 0)
            chi += (seen[i] - 1000.0) * (seen[i] - 1000.0) / 1000.0;
    }
    assert_int_equal(kinds, 24);
    assert_true(chi < 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_are_philox),   cmocka_unit_test(test_uniform_is_the_first_53_bits),
        cmocka_unit_test(test_normal_values),       cmocka_unit_test(test_normal_bytes_are_fixed),
        cmocka_unit_test(test_normals_are_normals), cmocka_unit_test(test_normal_moments),
        cmocka_unit_test(test_below_values),        cmocka_unit_test(test_shuffle_values),
        cmocka_unit_test(test_shuffle_is_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
