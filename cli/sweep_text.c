/* A sweep for people: a table and a plot for each init and optimizer, and the cliff in words. */
#include "sweep.h"

#include <math.h>
#include <string.h>

#include "columns.h"

enum { MOST_WIDTH = 80 };

/* ---- the table ---- */

/* "12/3/0": one number a hidden layer, as far as the cell is wide. */
static void by_layer(const relume_sweep_row *row, char *text, size_t size)
{
    size_t used = 0;
    *text = 0;
    for (size_t l = 0; l < row->layers; l++) {
        char number[24];
        int length = snprintf(number, sizeof number, "%s%llu", l ? "/" : "",
                              (unsigned long long)row->layer[l].dead_at_end);
        if (used + (size_t)length + 3 >= size) {
            (void)snprintf(text + used, size - used, "..");
            return;
        }
        memcpy(text + used, number, (size_t)length + 1);
        used += (size_t)length;
    }
}

static void set_score(struct cli_columns *table, size_t column, const relume_sweep_row *row)
{
    double accuracy = relume_sweep_row_accuracy(row);
    double loss = isfinite(row->test.loss) ? row->test.loss : row->train.loss;
    if (row->diverged)
        cli_columns_set(table, column, CLI_RED, "-");
    else if (isfinite(accuracy))
        cli_columns_set(table, column, CLI_PLAIN, "%.4f", accuracy);
    else
        cli_columns_set(table, column, CLI_PLAIN, "%.4g", loss);
}

static bool add_row(struct cli_columns *table, const relume_sweep_row *row)
{
    char layers[28];
    if (!cli_columns_row(table))
        return false;
    cli_columns_set(table, 0, CLI_PLAIN, "%g", row->learning_rate);
    set_score(table, 1, row);
    const uint64_t counts[] = {row->total.born_dead, row->total.deaths, row->total.revivals,
                               row->total.dead_at_end};
    for (size_t i = 0; i < 4; i++)
        cli_columns_set(table, 2 + i, counts[i] > 0 && i != 2 ? CLI_RED : CLI_PLAIN, "%llu",
                        (unsigned long long)counts[i]);
    by_layer(row, layers, sizeof layers);
    cli_columns_set(table, 6, CLI_PLAIN, "%s", layers);
    if (row->diverged)
        cli_columns_set(table, 7, CLI_RED, "diverged after step %llu", (unsigned long long)row->steps);
    return true;
}

static bool print_table(const struct sweep *sweep, const relume_sweep_row *row, size_t count)
{
    struct cli_columns table;
    char headings[128];
    bool classes = relume_dataset_get_task(sweep->dataset) == RELUME_CLASSIFICATION;
    bool test = relume_dataset_get_samples(sweep->dataset, RELUME_SPLIT_TEST) > 0;
    (void)snprintf(headings, sizeof headings, ">lr|>%s %s|>born dead|>deaths|>revivals|>dead|>by layer|",
                   test ? "test" : "train", classes ? "acc." : "loss");
    bool ok = cli_columns_init(&table, headings);
    for (size_t i = 0; ok && i < count; i++)
        ok = add_row(&table, &row[i]);
    if (ok)
        cli_columns_print(&table, &sweep->program->out);
    cli_columns_deinit(&table);
    return ok;
}

/* ---- the whole ---- */

static void introduce(const struct sweep *sweep)
{
    const struct cli_args *args = sweep->program->args;
    cli_put_text(&sweep->program->out, relume_dataset_get_name(sweep->dataset));
    printf(", hidden %s, %s %s, batch %s, seed %s\n", cli_text(args, "hidden"), cli_text(args, "epochs"),
           cli_agree(cli_whole(args, "epochs"), "epoch", "epochs"), cli_text(args, "batch"),
           cli_text(args, "seed"));
}

static relume_status print_group(const struct sweep *sweep, size_t group, relume_error *error)
{
    const struct cli_term *out = &sweep->program->out;
    const relume_sweep_row *row;
    size_t count = sweep_rows_of(sweep, group, &row),
           width = out->width < MOST_WIDTH ? out->width : MOST_WIDTH;
    char words[768];
    if (count == 0)
        return RELUME_OK;
    putchar('\n');
    cli_style(out, CLI_BOLD);
    printf("%s, init %s", relume_optimizer_name(row->optimizer), relume_init_name(row->init));
    cli_style(out, CLI_PLAIN);
    fputs("\n\n", stdout);
    if (!print_table(sweep, row, count))
        return cli_error(error, RELUME_NO_MEMORY, "cannot allocate memory for the table");
    putchar('\n');
    sweep_print_plot(out, row, count);
    sweep_cliff_words(row, count, words, sizeof words);
    cli_put_wrapped(out, words, 0, 0, width);
    return RELUME_OK;
}

relume_status sweep_print_text(const struct sweep *sweep, relume_error *error)
{
    introduce(sweep);
    for (size_t g = 0; g < sweep->plan.groups; g++) {
        relume_status status = print_group(sweep, g, error);
        if (status != RELUME_OK)
            return status;
    }
    if (cli_given(sweep->program->args, "output")) {
        char name[SWEEP_RUN_NAME];
        sweep_run_name(sweep, &sweep->row[sweep->rows - 1], name);
        fputs("\nruns    ", stdout);
        cli_put_text(&sweep->program->out, cli_text(sweep->program->args, "output"));
        fputs("\nnext    relume report ", stdout);
        cli_put_quoted(&sweep->program->out, cli_text(sweep->program->args, "output"));
        printf("/%s\n", name);
    }
    return RELUME_OK;
}
