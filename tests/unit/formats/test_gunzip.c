/* gzip read by each inflater there is: what zlib has packed in every way it knows comes out as it went in,
 * in reads of any size and never a byte beyond them; members one after another; files cut off, damaged and
 * followed by something; and one inflater against the other on damage of many kinds. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "world.h"

#include <sys/mman.h>
#include <zlib.h>

#include "base/checked.h"
#include "formats/gunzip.h"

#define MOST ((size_t)300 << 10)

static const struct rlm_inflater *const inflaters[] = {
    &rlm_inflater_zlib,
#ifdef RLM_ISAL
    &rlm_inflater_isal,
#endif
};
#define INFLATERS (sizeof inflaters / sizeof *inflaters)

static uint64_t drawn;
static size_t draw(size_t below)
{
    struct rlm_rng rng = {1, RLM_RNG_TEST, 7};
    return (size_t)rlm_rng_below(&rng, drawn++, below);
}

/* ---- packing ---- */

static unsigned char plain[MOST], packed[MOST * 2], got[MOST + 4096];

/* Noise, few symbols, short and long distances, one byte over and over. */
static size_t make_plain(size_t size)
{
    size_t kind = draw(5);
    for (size_t i = 0; i < size; i++)
        plain[i] = (unsigned char)(kind == 0                            ? draw(256)
                                   : kind == 1                          ? draw(4)
                                   : kind == 2 && i > 300               ? plain[i - 1 - draw(300)]
                                   : kind == 3 && i > 32770 && draw(50) ? plain[i - 32768 + draw(3)]
                                   : kind == 4                          ? 0
                                                                        : draw(200));
    return size;
}

static void make_header(gz_header *header, char texts[3][300])
{
    *header = (gz_header){.hcrc = (int)draw(2)};
    for (size_t i = 0; i < 3; i++) {
        size_t length = draw(299);
        memset(texts[i], 'n', sizeof texts[i]);
        texts[i][length] = '\0';
    }
    if (draw(2)) {
        header->extra = (Bytef *)texts[0];
        header->extra_len = (uInt)draw(300);
    }
    header->name = draw(2) ? (Bytef *)texts[1] : NULL;
    header->comment = draw(2) ? (Bytef *)texts[2] : NULL;
}

/* One member, of any level, window, strategy and header, flushed here and there. Its bytes. */
static size_t pack(const unsigned char *bytes, size_t size, unsigned char *to, size_t room)
{
    char texts[3][300];
    gz_header header;
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, (int)draw(10), Z_DEFLATED, 16 + 9 + (int)draw(7), 1 + (int)draw(9),
                                  (int)draw(5)),
                     Z_OK);
    if (draw(3) == 0) {
        make_header(&header, texts);
        assert_int_equal(deflateSetHeader(&stream, &header), Z_OK);
    }
    stream.next_in = (Bytef *)(uintptr_t)bytes;
    stream.next_out = to;
    stream.avail_out = (uInt)room;
    for (size_t left = size; left > 0 && draw(3);) {
        stream.avail_in = (uInt)draw(left + 1);
        left -= stream.avail_in;
        int verdict = deflate(&stream, draw(2) ? Z_FULL_FLUSH : Z_SYNC_FLUSH);
        assert_true(verdict == Z_OK || verdict == Z_BUF_ERROR); /* which is: nothing to do */
    }
    stream.avail_in = (uInt)(size - (size_t)(stream.next_in - bytes));
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(deflateEnd(&stream), Z_OK);
    return (size_t)(stream.next_out - to);
}

/* ---- reading ---- */

/* Memory that ends at a page that may not be touched. */
static unsigned char *before_a_wall(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = (size + page - 1) / page * page;
    unsigned char *memory =
        mmap(NULL, bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    assert_int_equal(mprotect(memory + bytes, page, PROT_NONE), 0);
    return memory + bytes;
}

/* Reads all there is, in reads below `most` bytes that end at `wall`, into `got`. */
static relume_status read_all(const struct rlm_inflater *inflater, const unsigned char *bytes, size_t size,
                              unsigned char *wall, size_t most, size_t *length, relume_error *error)
{
    struct rlm_source source = rlm_source_of_bytes("a.gz", bytes, size);
    struct rlm_stream stream;
    *length = 0;
    assert_int_equal(rlm_gunzip_open(NULL, &source, inflater, &stream, error), RELUME_OK);
    relume_status status = RELUME_OK;
    for (bool more = true; more && status == RELUME_OK;) {
        size_t wanted = 1 + draw(most), read = 0;
        status = rlm_stream_read_some(&stream, wall - wanted, wanted, &read, error);
        if (status == RELUME_OK) {
            more = read == wanted;
            assert_true(*length + read <= sizeof got);
            memcpy(got + *length, wall - wanted, read);
            *length += read;
        }
    }
    rlm_stream_close(&stream);
    return status;
}

static unsigned char *wall;

static void must_give_plain(const unsigned char *bytes, size_t size, size_t wanted)
{
    for (size_t i = 0; i < INFLATERS; i++) {
        relume_error error = {0};
        size_t length;
        assert_ok(read_all(inflaters[i], bytes, size, wall, draw(2) ? 200 : MOST, &length, &error), error);
        assert_int_equal(length, wanted);
        assert_memory_equal(got, plain, wanted);
    }
}

static void must_refuse(const unsigned char *bytes, size_t size, const char *words)
{
    for (size_t i = 0; i < INFLATERS; i++) {
        relume_error error = {0};
        size_t length;
        assert_status(read_all(inflaters[i], bytes, size, wall, MOST, &length, &error), RELUME_BAD_FORMAT);
        assert_string_equal(error.message, words);
    }
}

/* ---- tests ---- */

static int setup(void **state)
{
    (void)state;
    wall = before_a_wall(MOST);
    return 0;
}

static void test_whatever_zlib_packs(void **state)
{
    (void)state;
    for (int i = 0; i < 150; i++) {
        size_t size = make_plain(draw(8) ? draw(4000) : draw(MOST));
        must_give_plain(packed, pack(plain, size, packed, sizeof packed), size);
    }
}

static void test_members(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        size_t size = make_plain(20000), at = 0;
        for (size_t done = 0; done < size;) {
            size_t part = rlm_size_min(draw(9000), size - done);
            at += pack(plain + done, part, packed + at, sizeof packed - at);
            done += part;
        }
        memset(packed + at, 0, 300);
        must_give_plain(packed, at + draw(300), size);
    }
}

/* A member of `level` in the simplest form. Its bytes. */
static size_t pack_simply(int level, size_t size)
{
    z_stream stream = {
        .next_in = plain, .avail_in = (uInt)size, .next_out = packed, .avail_out = sizeof packed};
    assert_int_equal(deflateInit2(&stream, level, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(deflateEnd(&stream), Z_OK);
    return (size_t)(stream.next_out - packed);
}

/* The border of what is fed at once lies in the first member's trailer, between the two, and in the second
 * one's header. */
static void test_members_on_a_border(void **state)
{
    (void)state;
    const size_t fed = (size_t)128 << 10;
    size_t stored = fed - (pack_simply(0, fed) - fed), after = 0;
    for (size_t part = stored + 20; part > stored - 40; part--) {
        size_t size = make_plain(MOST / 2), at = pack_simply(0, part);
        after += at > fed;
        at += pack(plain + part, size - part, packed + at, sizeof packed - at);
        must_give_plain(packed, at, size);
    }
    assert_in_range(after, 10, 50);
}

static void test_files_cut_off(void **state)
{
    (void)state;
    size_t size = pack(plain, make_plain(700), packed, sizeof packed);
    for (size_t cut = 2; cut < size; cut++) {
        char words[100];
        (void)snprintf(words, sizeof words, "a.gz, byte %zu: the file ends within gzip data", cut);
        must_refuse(packed, cut, words);
    }
}

static void test_other_bytes_behind(void **state)
{
    (void)state;
    char words[100];
    size_t size = pack(plain, make_plain(3000), packed, sizeof packed);
    (void)snprintf(words, sizeof words, "a.gz, byte %zu: the gzip data end here, but other bytes follow",
                   size + 3);
    memcpy(packed + size, "\0\0\0other", 8);
    must_refuse(packed, size + 8, words);
    memcpy(packed + size, "\0\0\0\x1fother", 9); /* as a member begins, but it is none */
    (void)snprintf(words, sizeof words, "a.gz, byte %zu: the gzip data are damaged (incorrect header check)",
                   size + 5);
    must_refuse(packed, size + 9, words);
}

static void test_trailers(void **state)
{
    (void)state;
    size_t size = pack(plain, make_plain(5000), packed, sizeof packed);
    for (size_t i = 0; i < 64; i++) {
        char words[100];
        bool sum = i / 8 < 4;
        packed[size - 8 + i / 8] ^= (unsigned char)(1 << i % 8);
        (void)snprintf(words, sizeof words, "a.gz, byte %zu: the gzip data are damaged (incorrect %s check)",
                       sum ? size - 4 : size, sum ? "data" : "length");
        must_refuse(packed, size, words);
        packed[size - 8 + i / 8] ^= (unsigned char)(1 << i % 8);
    }
}

static void test_reserved_flags(void **state)
{
    (void)state;
    size_t size = pack_simply(6, make_plain(50));
    for (int bit = 5; bit < 8; bit++) {
        packed[3] = (unsigned char)(1 << bit);
        must_refuse(packed, size, "a.gz, byte 4: the gzip data are damaged (unknown header flags set)");
    }
}

static size_t damage(size_t size)
{
    size_t at = draw(size), kind = draw(4);
    if (kind == 0)
        packed[at] ^= (unsigned char)(1 << draw(8));
    for (int i = 0; kind == 1 && i < 5; i++)
        packed[draw(rlm_size_min(size, 400))] = (unsigned char)draw(256);
    for (size_t i = 10; kind == 2 && i < size; i++)
        packed[i] = (unsigned char)draw(256);
    if (kind == 3)
        memset(packed + at, (int)draw(256), rlm_size_min(200, size - at));
    return draw(4) ? size : 2 + draw(size - 2);
}

/* ISA-L lets some codes pass that zlib refuses; it is right where the checksum is. Where it refuses, zlib
 * does, and is heard. */
static void test_damage_of_many_kinds(void **state)
{
    (void)state;
    size_t refused = 0;
    for (int i = 0; i < 1500; i++) {
        size_t size = make_plain(1 + draw(3000)), most = draw(2) ? 50 : MOST, length[INFLATERS];
        size_t bytes = damage(pack(plain, size, packed, sizeof packed));
        relume_error error[INFLATERS] = {{0}};
        relume_status status[INFLATERS];
        packed[0] = 0x1f;
        packed[1] = 0x8b;
        for (size_t k = 0; k < INFLATERS; k++)
            status[k] = read_all(inflaters[k], packed, bytes, wall, most, &length[k], &error[k]);
        refused += status[0] != RELUME_OK;
        for (size_t k = 1; k < INFLATERS; k++)
            if (status[k] != RELUME_OK) {
                assert_int_equal(status[k], status[0]);
                assert_string_equal(error[k].message, error[0].message);
            } else if (status[0] == RELUME_OK) {
                assert_int_equal(length[k], length[0]);
            } else {
                assert_int_equal(length[k], size);
                assert_memory_equal(got, plain, size);
            }
    }
    assert_true(refused > 1000);
}

/* ---- inflaters that fail: what they say stands where zlib has nothing to say ---- */

static bool begin_not(void *state)
{
    (void)state;
    return false;
}

static bool begin_well(void *state)
{
    (void)state;
    return true;
}

static enum rlm_inflated find_damage(void *state, struct rlm_inflate *work)
{
    (void)state;
    work->in += 3;
    work->in_left -= 3;
    work->trouble = "says the test";
    return RLM_INFLATE_DAMAGED;
}

static enum rlm_inflated stand_still(void *state, struct rlm_inflate *work)
{
    (void)state;
    work->trouble = "it stands still";
    return RLM_INFLATE_ON;
}

static enum rlm_inflated want_memory(void *state, struct rlm_inflate *work)
{
    (void)state;
    (void)work;
    return RLM_INFLATE_NO_MEMORY;
}

static void test_inflaters_that_fail(void **state)
{
    (void)state;
    const struct rlm_inflater damage = {.bytes = 1, .begin = begin_well, .step = find_damage},
                              still = {.bytes = 1, .begin = begin_well, .step = stand_still},
                              want = {.bytes = 1, .begin = begin_well, .step = want_memory},
                              not = {.bytes = 1, .begin = begin_not};
    size_t size = pack_simply(6, make_plain(9000)), length;
    struct rlm_source source = rlm_source_of_bytes("a.gz", packed, size);
    struct world_memory memory = {.calls = 0};
    relume_allocator allocator = world_allocator(&memory);
    struct rlm_stream stream = {.name = NULL};
    relume_error error = {0};
    assert_status(read_all(&damage, packed, size, wall, MOST, &length, &error), RELUME_BAD_FORMAT);
    assert_string_equal(error.message, "a.gz, byte 3: the gzip data are damaged (says the test)");
    assert_status(read_all(&still, packed, size, wall, MOST, &length, &error), RELUME_BAD_FORMAT);
    assert_string_equal(error.message, "a.gz, byte 0: the gzip data are damaged (it stands still)");
    assert_status(read_all(&want, packed, size, wall, MOST, &length, &error), RELUME_NO_MEMORY);
    assert_status(rlm_gunzip_open(&allocator, &source, &not, &stream, &error), RELUME_NO_MEMORY);
    assert_int_equal(memory.calls, 1);
    assert_int_equal(memory.held, 0);
    assert_null(stream.name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whatever_zlib_packs), cmocka_unit_test(test_members),
        cmocka_unit_test(test_members_on_a_border), cmocka_unit_test(test_files_cut_off),
        cmocka_unit_test(test_other_bytes_behind),  cmocka_unit_test(test_trailers),
        cmocka_unit_test(test_reserved_flags),      cmocka_unit_test(test_damage_of_many_kinds),
        cmocka_unit_test(test_inflaters_that_fail),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
