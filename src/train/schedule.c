/* The learning rate of every update: a function of the options and the step alone, so a resumed run has the
 * same. */
#include <math.h>
#include <string.h>

#include "base/fmath.h"
#include "train/trainer.h"

const char *relume_schedule_name(relume_schedule schedule)
{
    static const char *const names[] = {
#define SCHEDULE_NAME(name, text) text,
        RELUME_SCHEDULE_LIST(SCHEDULE_NAME)
#undef SCHEDULE_NAME
    };
    return (unsigned)schedule < RELUME_SCHEDULE_COUNT ? names[schedule] : NULL;
}

/* Half and three quarters of the steps, without overflow: step > ⌊steps/2⌋ iff 2·step > steps. */
static double rate_step(double rate, uint64_t step, uint64_t steps)
{
    uint64_t three_quarters = steps / 4 * 3 + steps % 4 * 3 / 4;
    return step > three_quarters ? rate / 100.0 : step > steps / 2 ? rate / 10.0 : rate;
}

/* From the whole rate at the first step down to almost 0 at the last. */
static double rate_cosine(double rate, uint64_t step, uint64_t steps)
{
    double turn = 0.5 * (double)(step - 1) / (double)steps;
    return rate * (0.5 * (1.0 + rlm_cos_turn(turn)));
}

static double rate_points(const relume_trainer_options *options, uint64_t step)
{
    double rate = options->learning_rate;
    for (size_t i = 0; i < options->point_count && options->points[i].step <= step; i++)
        rate = options->points[i].learning_rate;
    return rate;
}

double rlm_schedule_rate(const relume_trainer_options *options, uint64_t step, uint64_t steps)
{
    double rate = options->learning_rate;
    if (options->schedule == RELUME_SCHEDULE_STEP)
        rate = rate_step(rate, step, steps);
    else if (options->schedule == RELUME_SCHEDULE_COSINE && steps > 0)
        rate = rate_cosine(rate, step, steps);
    else if (options->schedule == RELUME_SCHEDULE_POINTS)
        rate = rate_points(options, step);
    if (step <= options->warmup)
        rate = rate * (double)step / ((double)options->warmup + 1.0);
    return rate;
}

double rlm_schedule_largest(const relume_trainer_options *options)
{
    double rate = options->learning_rate;
    for (size_t i = 0; options->schedule == RELUME_SCHEDULE_POINTS && i < options->point_count; i++)
        rate = fmax(rate, options->points[i].learning_rate);
    return rate;
}
