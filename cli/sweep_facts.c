/* What the table and the JSON of relume sweep both say of its rows: which belong together, what a run is
 * called, and the cliff in words. */
#include <math.h>
#include <stdarg.h>

#include "sweep.h"

size_t sweep_rows_of(const struct sweep *sweep, size_t group, const relume_sweep_row **first)
{
    size_t begin = group * sweep->plan.rates;
    *first = sweep->row + begin;
    if (begin >= sweep->rows)
        return 0;
    return sweep->rows - begin < sweep->plan.rates ? sweep->rows - begin : sweep->plan.rates;
}

void sweep_run_name(const struct sweep *sweep, const relume_sweep_row *row, char name[SWEEP_RUN_NAME])
{
    if (sweep->plan.groups > 1)
        (void)snprintf(name, SWEEP_RUN_NAME, "%s-%s-lr-%.9g", relume_init_name(row->init),
                       relume_optimizer_name(row->optimizer), row->learning_rate);
    else
        (void)snprintf(name, SWEEP_RUN_NAME, "lr-%.9g", row->learning_rate);
}

/* ---- the cliff ---- */

struct words {
    char *text;
    size_t size, used;
};

__attribute__((format(printf, 2, 3))) static void add(struct words *words, const char *format, ...)
{
    va_list list;
    if (words->used + 1 >= words->size)
        return;
    va_start(list, format);
    int length = vsnprintf(words->text + words->used, words->size - words->used, format, list);
    va_end(list);
    if (length > 0)
        words->used += (size_t)length;
}

static void add_score(struct words *words, const relume_sweep_row *row)
{
    double accuracy = relume_sweep_row_accuracy(row);
    if (isfinite(accuracy))
        add(words, "accuracy %.4f", accuracy);
    else
        add(words, "loss %.4g", isfinite(row->test.loss) ? row->test.loss : row->train.loss);
}

static void add_deaths(struct words *words, const relume_sweep_row *row, size_t count,
                       const relume_sweep_cliff *cliff)
{
    bool died = cliff->deaths != SIZE_MAX;
    if (!died && cliff->diverged == SIZE_MAX) {
        add(words, "No unit dies up to lr %g, the highest tried.", row[count - 1].learning_rate);
        return;
    }
    if (cliff->safe != SIZE_MAX)
        add(words, "Up to lr %g no unit dies", row[cliff->safe].learning_rate);
    else
        add(words, "No rate tried is without deaths");
    if (died)
        add(words, "; at lr %g there %s %llu %s", row[cliff->deaths].learning_rate,
            cli_agree(row[cliff->deaths].total.deaths, "is", "are"),
            (unsigned long long)row[cliff->deaths].total.deaths,
            cli_agree(row[cliff->deaths].total.deaths, "death", "deaths"));
    if (cliff->dead != SIZE_MAX)
        add(words, "; from lr %g on more than a tenth of the units are lost by the end",
            row[cliff->dead].learning_rate);
    add(words, ".");
}

void sweep_cliff_words(const relume_sweep_row *row, size_t count, char *text, size_t size)
{
    relume_sweep_cliff cliff = relume_sweep_find_cliff(row, count);
    struct words words = {text, size, 0};
    *text = 0;
    add_deaths(&words, row, count, &cliff);
    if (cliff.best != SIZE_MAX) {
        add(&words, " The best is lr %g (", row[cliff.best].learning_rate);
        add_score(&words, &row[cliff.best]);
        add(&words, ")");
        if (cliff.fall != SIZE_MAX && row[cliff.fall].diverged)
            add(&words, "; at lr %g the training diverges", row[cliff.fall].learning_rate);
        else if (cliff.fall != SIZE_MAX) {
            add(&words, "; the fall is at lr %g (", row[cliff.fall].learning_rate);
            add_score(&words, &row[cliff.fall]);
            add(&words, ")");
        }
        add(&words, ".");
    }
    if (cliff.diverged != SIZE_MAX && cliff.diverged != cliff.fall)
        add(&words, " Training diverges at lr %g.", row[cliff.diverged].learning_rate);
}
