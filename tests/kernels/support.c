/* See support.h. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include "support.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"
#include "kernels/levels.h"

uint64_t random_next(struct random *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

size_t random_below(struct random *r, size_t end)
{
    return random_next(r) % end;
}

bool random_one_in(struct random *r, size_t n)
{
    return random_below(r, n) == 0;
}

float random_unit(struct random *r)
{
    return (float)((double)(random_next(r) >> 11) * 0x1p-52 - 1);
}

enum fill random_fill(struct random *r)
{
    return (enum fill)(FILL_PLAIN + random_below(r, FILL_KINDS - FILL_PLAIN));
}

static float random_number(struct random *r, enum fill fill)
{
    static const float special[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f};
    switch (fill) {
    case FILL_SPARSE:
        return random_one_in(r, 2) ? random_unit(r) : random_one_in(r, 4) ? -0.0f : 0.0f;
    case FILL_TINY:
        return ldexpf(random_unit(r), -60 - (int)random_below(r, 90));
    case FILL_WIDE:
        return ldexpf(random_unit(r), 40 - (int)random_below(r, 81));
    case FILL_HUGE:
        return ldexpf(random_unit(r), 50 + (int)random_below(r, 77));
    case FILL_SPECIAL:
        return random_one_in(r, 50) ? special[random_below(r, 5)] : random_unit(r);
    case FILL_RESTING: {
        float units = (float)(random_below(r, 4) ? random_below(r, 12) : random_below(r, (size_t)1 << 25));
        float tiny = ldexpf(units, -149);
        return random_one_in(r, 3) ? random_unit(r) : random_one_in(r, 2) ? tiny : -tiny;
    }
    case FILL_FAINT: {
        float units = (float)random_below(r, 16), sign = random_one_in(r, 2) ? -1.0f : 1.0f;
        float faint = sign * ldexpf(units, -150 + (int)random_below(r, 40));
        return random_one_in(r, 4) ? random_unit(r) : random_one_in(r, 4) ? 0 : faint;
    }
    case FILL_COARSE:
        return truncf(random_unit(r) * 8) / 8;
    case FILL_ZERO:
        return 0;
    default:
        return random_unit(r);
    }
}

/* --------------------------------------------------------------------------------------------- buffers */

#define MOST_BUFFERS 64
#define CANARY 0xa7

static struct mapping {
    unsigned char *base;
    size_t bytes, canary; /* of the whole mapping; in front of the buffer */
} mappings[MOST_BUFFERS];
static size_t mapping_count;
static size_t failure_count;

void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    failure_count++;
    if (failure_count <= 20) {
        fputs("# ", stdout);
        vprintf(format, arguments);
        putchar('\n');
    }
    va_end(arguments);
}

size_t failures(void)
{
    return failure_count;
}

void *buffer_take(size_t count, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = count * size;
    size_t body = rlm_round_up(bytes + 64, page);
    unsigned char *base = mmap(NULL, body + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mapping_count == MOST_BUFFERS || mprotect(base + body, page, PROT_NONE) != 0) {
        perror("guarded buffer");
        exit(99);
    }
    memset(base, CANARY, body);
    mappings[mapping_count++] = (struct mapping){base, body + page, body - bytes};
    return base + body - bytes;
}

void buffers_release(void)
{
    while (mapping_count > 0) {
        struct mapping *m = &mappings[--mapping_count];
        size_t i = 0;
        while (i < m->canary && m->base[i] == CANARY)
            i++;
        if (i < m->canary)
            fail("%zu bytes in front of a buffer were overwritten", m->canary - i);
        munmap(m->base, m->bytes);
    }
}

void fill_floats(struct random *r, enum fill fill, float *to, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = random_number(r, fill);
}

float *floats_take(struct random *r, enum fill fill, size_t count)
{
    float *buffer = buffer_take(count, sizeof *buffer);
    fill_floats(r, fill, buffer, count);
    return buffer;
}

struct pair pair_of(const void *contents, size_t count, size_t size)
{
    struct pair pair = {buffer_take(count, size), buffer_take(count, size), count, size};
    if (contents) {
        memcpy(pair.want, contents, count * size);
        memcpy(pair.got, contents, count * size);
    }
    return pair;
}

static bool same(const void *a, const void *b, size_t size)
{
    if (memcmp(a, b, size) == 0)
        return true;
    float f[2];
    double d[2];
    if (size == sizeof *f) {
        memcpy(f, a, size);
        memcpy(f + 1, b, size);
        return isnan(f[0]) && isnan(f[1]);
    }
    if (size != sizeof *d)
        return false;
    memcpy(d, a, size);
    memcpy(d + 1, b, size);
    return isnan(d[0]) && isnan(d[1]);
}

void pair_compare(const struct pair *pair, const char *kernel, const char *what, const char *shape)
{
    const unsigned char *want = pair->want, *got = pair->got;
    for (size_t i = 0; i < pair->count; i++) {
        if (same(want + i * pair->size, got + i * pair->size, pair->size))
            continue;
        uint64_t a = 0, b = 0;
        memcpy(&a, want + i * pair->size, pair->size);
        memcpy(&b, got + i * pair->size, pair->size);
        fail("%s: %s[%zu] is 0x%llx, the reference has 0x%llx (%s)", kernel, what, i, (unsigned long long)b,
             (unsigned long long)a, shape);
        return;
    }
}

/* --------------------------------------------------------------------------------------------- layouts */

size_t sample_panels_size(size_t batch, size_t features)
{
    return rlm_round_up(batch, RLM_LANES) * features;
}

size_t feature_panels_size(size_t batch, size_t features)
{
    return rlm_round_up(batch, RLM_LANES) * rlm_round_up(features, RLM_LANES);
}

float *sample_panels(struct random *r, enum fill fill, size_t batch, size_t features)
{
    float *a = floats_take(r, FILL_ZERO, sample_panels_size(batch, features));
    for (size_t b = 0; b < batch; b++)
        for (size_t f = 0; f < features; f++)
            fill_floats(r, fill, a + (b / RLM_LANES * features + f) * RLM_LANES + b % RLM_LANES, 1);
    return a;
}

float *feature_panels(const float *samples, size_t batch, size_t features)
{
    size_t b16 = rlm_round_up(batch, RLM_LANES);
    float *a = buffer_take(feature_panels_size(batch, features), sizeof *a);
    memset(a, 0, feature_panels_size(batch, features) * sizeof *a);
    for (size_t b = 0; b < batch; b++)
        for (size_t f = 0; f < features; f++)
            a[(f / RLM_LANES * b16 + b) * RLM_LANES + f % RLM_LANES] =
                samples[(b / RLM_LANES * features + f) * RLM_LANES + b % RLM_LANES];
    return a;
}

const struct rlm_terms *terms_of(const float *samples, size_t batch, size_t columns)
{
    size_t rows = rlm_divide_up(columns, RLM_TERMS) * rlm_round_up(batch, RLM_LANES);
    struct rlm_terms *terms = buffer_take(1, sizeof *terms);
    *terms = (struct rlm_terms){.batch = batch,
                                .columns = columns,
                                .in = samples,
                                .value = buffer_take(rows * RLM_TERMS, sizeof(float)),
                                .place = buffer_take(rows * RLM_TERMS, 1),
                                .count = buffer_take(rows, 1)};
    rlm_kernels_ref.terms(terms, 0, rlm_divide_up(batch, RLM_LANES));
    return terms;
}

float *weight_matrix(struct random *r, enum fill fill, size_t rows, size_t columns, size_t stride)
{
    float *w = floats_take(r, FILL_ZERO, rows * stride);
    for (size_t row = 0; row < rows; row++)
        fill_floats(r, fill, w + row * stride, columns);
    return w;
}

uint32_t *random_list(struct random *r, size_t end, size_t least, size_t *count)
{
    size_t one_in = 1 + random_below(r, 8), got = 0;
    *count = end;
    if (random_one_in(r, 2))
        return NULL;
    uint32_t *picked = buffer_take(end, sizeof *picked);
    for (size_t i = 0; i < end; i++)
        if (random_one_in(r, one_in) || end - i <= least - rlm_size_min(least, got))
            picked[got++] = (uint32_t)i;
    uint32_t *list = buffer_take(got, sizeof *list); /* one that ends at its last entry */
    memcpy(list, picked, got * sizeof *list);
    *count = got;
    return list;
}

size_t random_dimension(struct random *r, size_t most)
{
    static const size_t near[] = {1, 4, 6, 8, 12, 14, 16, 24, 28, 32, 48, 64, 96, 112, 128, 256, 1024};
    size_t kind = random_below(r, 4), pick = near[random_below(r, sizeof near / sizeof *near)];
    size_t dimension = kind == 0 ? 1 + random_below(r, most) : kind == 1 ? 1 + random_below(r, 40) : pick;
    if (kind == 3)
        dimension += random_below(r, 3) - 1;
    return dimension < 1 ? 1 : dimension > most ? 1 + dimension % most : dimension;
}

void in_ranges(struct random *r, size_t end, void (*range)(void *context, size_t begin, size_t end),
               void *context)
{
    size_t cut = random_one_in(r, 2) ? 0 : random_below(r, end + 1) / RLM_LANES * RLM_LANES;
    size_t second = cut + random_below(r, end - cut + 1) / RLM_LANES * RLM_LANES;
    if (second < end)
        range(context, second, end);
    if (cut > 0)
        range(context, 0, cut);
    if (second > cut)
        range(context, cut, second);
}
