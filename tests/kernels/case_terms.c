/* terms against the reference: how many there are, their values and places. What follows them in a list means
 * nothing, so lists are compared as far as they go. */
#include <stdio.h>
#include <string.h>

#include "kernels/levels.h"
#include "support.h"

struct job {
    const struct rlm_kernels *kernels;
    const struct rlm_terms *arguments;
};

/* The ranges are of panels, in_ranges cuts at multiples of 16: so a panel is given as 16. */
static void range(void *context, size_t begin, size_t end)
{
    struct job *job = context;
    job->kernels->terms(job->arguments, begin / RLM_LANES, end / RLM_LANES);
}

static void list_compare(const struct rlm_terms *want, const struct rlm_terms *got, size_t row,
                         const char *shape)
{
    size_t count = want->count[row], at = row * RLM_TERMS;
    if (got->count[row] != count)
        fail("terms: %d in row %zu, the reference %zu (%s)", got->count[row], row, count, shape);
    else if (memcmp(want->value + at, got->value + at, count * sizeof *want->value) != 0)
        fail("terms: other values in row %zu (%s)", row, shape);
    else if (memcmp(want->place + at, got->place + at, count) != 0)
        fail("terms: other places in row %zu (%s)", row, shape);
}

static void once(const struct rlm_kernels *kernels, struct random *r, size_t batch, size_t columns)
{
    char shape[128];
    enum fill fill = random_one_in(r, 3) ? FILL_SPARSE : random_fill(r);
    float *in = sample_panels(r, fill, batch, columns);
    size_t rows = rlm_divide_up(columns, RLM_TERMS) * rlm_round_up(batch, RLM_LANES);
    snprintf(shape, sizeof shape, "batch %zu, columns %zu, fill %d", batch, columns, (int)fill);
    const struct rlm_terms *want = terms_of(in, batch, columns);
    struct rlm_terms got = {.batch = batch,
                            .columns = columns,
                            .in = in,
                            .value = buffer_take(rows * RLM_TERMS, sizeof(float)),
                            .place = buffer_take(rows * RLM_TERMS, 1),
                            .count = buffer_take(rows, 1)};
    in_ranges(r, rlm_round_up(batch, RLM_LANES), range, &(struct job){kernels, &got});
    for (size_t row = 0; row < rows; row++)
        list_compare(want, &got, row, shape);
    buffers_release();
}

void check_terms(const struct rlm_kernels *kernels, struct random *r, size_t rounds)
{
    for (size_t batch = 1; batch <= 40; batch++)
        once(kernels, r, batch, 1 + random_below(r, 140));
    for (size_t columns = 1; columns <= 140; columns++)
        once(kernels, r, 1 + random_below(r, 40), columns);
    for (size_t i = 0; i < rounds; i++)
        once(kernels, r, random_dimension(r, 130), random_dimension(r, 300));
}
