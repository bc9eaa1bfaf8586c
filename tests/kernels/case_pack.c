/* pack against the reference: bytes and floats, gathered and in a row, uniform and per-feature scaling. */
#include <stdio.h>

#include "kernels/levels.h"
#include "support.h"

struct job {
    const struct rlm_kernels *kernels;
    const struct rlm_pack *arguments;
};

/* pack's ranges are of panels, in_ranges cuts at multiples of 16: so a panel is given as 16. */
static void range(void *context, size_t begin, size_t end)
{
    struct job *job = context;
    job->kernels->pack(job->arguments, begin / RLM_LANES, end / RLM_LANES);
}

static uint8_t *random_bytes(struct random *r, size_t count)
{
    uint8_t *bytes = buffer_take(count, 1);
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)random_next(r);
    return bytes;
}

static void choose_scaling(struct random *r, struct rlm_pack *a)
{
    a->uniform = random_one_in(r, 2);
    size_t count = a->uniform ? 1 : a->features;
    float *offset = floats_take(r, FILL_SPARSE, count), *divisor = floats_take(r, FILL_PLAIN, count);
    for (size_t f = 0; f < count; f++)
        divisor[f] = random_one_in(r, 2) ? 255 : divisor[f] * 3 + 4;
    if (a->uniform && random_one_in(r, 2)) { /* what images have */
        offset[0] = 0;
        divisor[0] = 255;
    }
    a->offset = offset;
    a->divisor = divisor;
}

static uint32_t *choose_rows(struct random *r, size_t batch, size_t rows)
{
    uint32_t *index = buffer_take(batch, sizeof *index);
    for (size_t b = 0; b < batch; b++)
        index[b] = (uint32_t)random_below(r, rows);
    index[random_below(r, batch)] = (uint32_t)(rows - 1); /* the one in front of the guard page */
    return index;
}

static void once(const struct rlm_kernels *kernels, struct random *r, size_t batch, size_t features)
{
    char shape[128];
    size_t first = random_below(r, 3), rows = first + batch;
    struct rlm_pack a = {.batch = batch, .features = features, .first = first, .is_u8 = random_one_in(r, 2)};
    a.raw = a.is_u8 ? (void *)random_bytes(r, rows * features)
                    : (void *)floats_take(r, FILL_WIDE, rows * features);
    a.index = random_one_in(r, 2) ? choose_rows(r, batch, rows) : NULL;
    choose_scaling(r, &a);
    size_t wanted = random_below(r, 3);
    snprintf(shape, sizeof shape, "batch %zu, features %zu, u8 %d, uniform %d, wanted %zu", batch, features,
             a.is_u8, a.uniform, wanted);
    struct pair x = pair_of(NULL, sample_panels_size(batch, features), sizeof(float));
    struct pair x_features = pair_of(NULL, feature_panels_size(batch, features), sizeof(float));
    a.x = wanted == 1 ? NULL : x.want, a.x_features = wanted == 2 ? NULL : x_features.want;
    rlm_kernels_ref.pack(&a, 0, rlm_divide_up(batch, RLM_LANES));
    a.x = wanted == 1 ? NULL : x.got, a.x_features = wanted == 2 ? NULL : x_features.got;
    in_ranges(r, rlm_round_up(batch, RLM_LANES), range, &(struct job){kernels, &a});
    pair_compare(&x, "pack", "x", shape);
    pair_compare(&x_features, "pack", "x_features", shape);
    buffers_release();
}

void check_pack(const struct rlm_kernels *kernels, struct random *r, size_t rounds)
{
    for (size_t batch = 1; batch <= 40; batch++)
        once(kernels, r, batch, 1 + random_below(r, 60));
    for (size_t i = 0; i < rounds; i++)
        once(kernels, r, random_dimension(r, 130), random_dimension(r, 300));
}

/* All 256 bytes by 255, against the division. */
void check_pack_bytes(const struct rlm_kernels *kernels, struct random *r, size_t rounds)
{
    (void)r, (void)rounds;
    uint8_t *raw = buffer_take(256, 1);
    for (size_t i = 0; i < 256; i++)
        raw[i] = (uint8_t)i;
    float offset = 0, divisor = 255, *x = buffer_take(sample_panels_size(1, 256), sizeof *x);
    struct rlm_pack a = {.batch = 1,
                         .features = 256,
                         .raw = raw,
                         .is_u8 = true,
                         .uniform = true,
                         .offset = &offset,
                         .divisor = &divisor,
                         .x = x};
    kernels->pack(&a, 0, 1);
    for (size_t i = 0; i < 256; i++)
        if (x[i * RLM_LANES] != (float)i / 255.0f)
            fail("pack: byte %zu gives %a, the division %a", i, (double)x[i * RLM_LANES],
                 (double)((float)i / 255.0f));
    buffers_release();
}
