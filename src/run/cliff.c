/* Reading a sweep: where deaths begin, and where the accuracy falls. See relume/sweep.h. */
#include "relume/sweep.h"

#include <math.h>
#include <stdbool.h>

double relume_sweep_row_accuracy(const relume_sweep_row *row)
{
    return isfinite(row->test.loss) ? row->test.accuracy : row->train.accuracy;
}

static double loss_of(const relume_sweep_row *row)
{
    return isfinite(row->test.loss) ? row->test.loss : row->train.loss;
}

static bool has_classes(const relume_sweep_row *row)
{
    return isfinite(relume_sweep_row_accuracy(row));
}

static bool is_better(const relume_sweep_row *row, const relume_sweep_row *than)
{
    return has_classes(row) ? relume_sweep_row_accuracy(row) > relume_sweep_row_accuracy(than)
                            : loss_of(row) < loss_of(than);
}

static bool is_much_worse(const relume_sweep_row *row, const relume_sweep_row *best)
{
    const double points = 0.1, times = 2.0;
    if (row->diverged)
        return true;
    return has_classes(row) ? relume_sweep_row_accuracy(row) < relume_sweep_row_accuracy(best) - points
                            : loss_of(row) > times * loss_of(best);
}

static bool kills_many(const relume_sweep_row *row)
{
    const double many = 0.1;
    double killed = (double)row->total.dead_at_end - (double)row->total.born_dead;
    return killed > many * (double)row->units;
}

static void set_first(size_t *place, size_t i, bool holds)
{
    if (*place == SIZE_MAX && holds)
        *place = i;
}

relume_sweep_cliff relume_sweep_find_cliff(const relume_sweep_row *rows, size_t count)
{
    relume_sweep_cliff cliff = {SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX};
    for (size_t i = 0; i < count; i++) {
        const relume_sweep_row *row = &rows[i];
        set_first(&cliff.deaths, i, row->total.deaths > 0);
        set_first(&cliff.diverged, i, row->diverged != 0);
        set_first(&cliff.dead, i, kills_many(row));
        if (cliff.deaths == SIZE_MAX && cliff.diverged == SIZE_MAX)
            cliff.safe = i;
        if (!row->diverged && (cliff.best == SIZE_MAX || is_better(row, &rows[cliff.best])))
            cliff.best = i;
    }
    for (size_t i = cliff.best + 1; cliff.best != SIZE_MAX && i < count; i++)
        set_first(&cliff.fall, i, is_much_worse(&rows[i], &rows[cliff.best]));
    return cliff;
}
