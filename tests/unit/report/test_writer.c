/* JSON as written and read again by jansson; text that attacks; numbers to the bit; packed arrays and back.
 */
#include "check.h"

#include <float.h>
#include <jansson.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "report/facts.h"
#include "report/writer.h"

/* `write` writes one array; what jansson makes of it. */
static json_t *read_back(void (*write)(struct rlm_writer *writer, const void *what), const void *what)
{
    struct rlm_strbuf buffer = {0};
    struct rlm_writer writer = {.buffer = &buffer};
    json_error_t error;
    rlm_write_open(&writer, '[');
    write(&writer, what);
    rlm_write_close(&writer, ']');
    assert_false(buffer.failed);
    for (size_t i = 0; i < buffer.length; i++) {
        unsigned char c = (unsigned char)buffer.text[i];
        assert_true(c >= 0x20 && c < 0x7f && c != '<' && c != '>' && c != '&');
    }
    json_t *array = json_loads(buffer.text, JSON_REJECT_DUPLICATES, &error);
    if (!array)
        fail_msg("%s: %s", error.text, buffer.text);
    rlm_strbuf_deinit(&buffer);
    return array;
}

static void write_text(struct rlm_writer *writer, const void *text)
{
    rlm_write_text(writer, text);
}

static void check_text(const char *text, const char *expected)
{
    json_t *array = read_back(write_text, text);
    assert_string_equal(json_string_value(json_array_get(array, 0)), expected);
    json_decref(array);
}

static void test_text(void **state)
{
    (void)state;
    check_text("", "");
    check_text("plain \"quoted\" back\\slash\n\t\x01", "plain \"quoted\" back\\slash\n\t\x01");
    check_text("</script><img src=x onerror=alert(1)>&amp;", "</script><img src=x onerror=alert(1)>&amp;");
    /* NOLINTNEXTLINE(misc-misleading-bidirectional): that is what is tested */
    check_text("é 猫 🐈 \xe2\x80\xae", "é 猫 🐈 \xe2\x80\xae");
    /* broken UTF-8: a lone byte, a cut sequence, an overlong slash, a surrogate, beyond the last code point
     */
    check_text("a\xff"
               "b",
               "a\xef\xbf\xbd"
               "b");
    check_text("\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd");
    check_text("\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd");
    check_text("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    check_text("\xf5\x80\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

static void write_double(struct rlm_writer *writer, const void *value)
{
    rlm_write_double(writer, *(const double *)value);
}

static void test_numbers(void **state)
{
    (void)state;
    const double values[] = {0,   -0.0, 0.1, 1.0 / 3, 1e300, DBL_MAX, DBL_MIN, 5e-324, -123456789.123456789,
                             1e15};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        json_t *array = read_back(write_double, &values[i]);
        double back = json_number_value(json_array_get(array, 0));
        assert_true(back == values[i]);
        json_decref(array);
    }
    const double none[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 3; i++) {
        json_t *array = read_back(write_double, &none[i]);
        assert_true(json_is_null(json_array_get(array, 0)));
        json_decref(array);
    }
}

static void write_nested(struct rlm_writer *writer, const void *nothing)
{
    (void)nothing;
    const uint64_t whole[] = {0, UINT32_MAX, 9007199254740993};
    rlm_write_open(writer, '{');
    rlm_write_key(writer, "a");
    rlm_write_u64s(writer, whole, 3);
    rlm_write_key(writer, "b");
    rlm_write_open(writer, '[');
    rlm_write_close(writer, ']');
    rlm_write_key(writer, "c");
    rlm_write_text(writer, NULL);
    rlm_write_close(writer, '}');
    rlm_write_float(writer, 0.1f);
}

static void test_nesting(void **state)
{
    (void)state;
    json_t *array = read_back(write_nested, NULL);
    json_t *object = json_array_get(array, 0);
    assert_int_equal(json_array_size(array), 2);
    assert_int_equal(json_object_size(object), 3);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(object, "a"), 2)), 9007199254740993);
    assert_int_equal(json_array_size(json_object_get(object, "b")), 0);
    assert_true(json_is_null(json_object_get(object, "c")));
    assert_true((float)json_real_value(json_array_get(array, 1)) == 0.1f);
    json_decref(array);
}

/* ---- packing ---- */

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Independent of pack.c: base64 to bytes, inflated into `to`. */
static void unpack(const struct rlm_packed *packed, unsigned char *to, size_t size)
{
    unsigned char *bytes = malloc(packed->length + 1);
    size_t count = 0;
    uint32_t bits = 0;
    int held = 0;
    assert_int_equal(packed->length % 4, 0);
    for (size_t i = 0; i < packed->length && packed->text[i] != '='; i++) {
        assert_true(digit(packed->text[i]) >= 0);
        bits = bits << 6 | (uint32_t)digit(packed->text[i]);
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes[count++] = (unsigned char)(bits >> held);
        }
    }
    uLongf length = (uLongf)size;
    assert_int_equal(uncompress(to, &length, bytes, (uLong)count), Z_OK);
    assert_int_equal(length, size);
    free(bytes);
}

static void test_pack(void **state)
{
    (void)state;
    struct rlm_bag bag = {0};
    struct rlm_packed packed;
    relume_error error;
    uint32_t whole[1000], whole_back[1000];
    float real[5] = {0.5f, -1e30f, 0, 3, FLT_MIN}, real_back[5];
    unsigned char bytes[4000];
    uint64_t mixed = 88172645463325252u; /* xorshift64 from a fixed seed: bytes that do not compress */
    for (size_t i = 0; i < 1000; i++) {
        mixed ^= mixed << 13;
        mixed ^= mixed >> 7;
        mixed ^= mixed << 17;
        whole[i] = (uint32_t)mixed;
    }
    for (size_t count = 0; count < 1000; count = count < 10 ? count + 1 : count * 3) {
        assert_ok(rlm_pack_u32(&bag, whole, count, &packed, &error), error);
        assert_int_equal(packed.count, count);
        assert_true(packed.length <= rlm_pack_bound(4 * count));
        unpack(&packed, bytes, 4 * count);
        for (size_t i = 0; i < count; i++)
            whole_back[i] = (uint32_t)bytes[4 * i] | (uint32_t)bytes[4 * i + 1] << 8 |
                            (uint32_t)bytes[4 * i + 2] << 16 | (uint32_t)bytes[4 * i + 3] << 24;
        assert_memory_equal(whole, whole_back, 4 * count);
    }
    assert_ok(rlm_pack_f32(&bag, real, 5, &packed, &error), error);
    assert_string_equal(packed.type, "f32");
    unpack(&packed, (unsigned char *)real_back, sizeof real_back); /* tests run on little-endian machines */
    assert_memory_equal(real, real_back, sizeof real);
    rlm_bag_deinit(&bag);
}

static void test_rate_code(void **state)
{
    (void)state;
    assert_int_equal(rlm_rate_code(0, 60000), 0);
    assert_int_equal(rlm_rate_code(1, 60000), 1);       /* alive is never 0 */
    assert_int_equal(rlm_rate_code(59999, 60000), 254); /* not always on is never 255 */
    assert_int_equal(rlm_rate_code(60000, 60000), 255);
    assert_int_equal(rlm_rate_code(1, 1), 255);
    for (uint64_t active = 1; active < 1000; active++) {
        double rate = (rlm_rate_code(active, 1000) - 1) / 253.0;
        assert_true(fabs(rate - (double)active / 1000) <= 1.0 / 253); /* half a step, and the clip at 254 */
    }
}

/* The parts of a report never add up to 5 MB: each part keeps to its room, and the account takes what it
 * takes. */
static void test_room(void **state)
{
    (void)state;
    for (size_t units = 1; units <= 230000; units += units / 3 + 1) {
        struct rlm_facts_room room = rlm_facts_room(units);
        size_t all = room.map + room.margins + room.events + room.units + room.images;
        assert_true(all + 3 * rlm_pack_bound(4 * units) < 4600000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text), cmocka_unit_test(test_numbers),   cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_pack), cmocka_unit_test(test_rate_code), cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
