/* The rows of bench. */
#include "table_rows.h"

static const struct cli_option bench_output[] = {JSON_ROW, HELP_ROW, {0}};

static const struct cli_option bench_work[] = {
    {.name = "data",
     .kind = CLI_DATA,
     .value = "DATA",
     .help = "what to train on and count over; by default 8,192 drawn images of 28x28 bytes, half of them 0"},
    {.name = "hidden",
     .kind = CLI_WIDTHS,
     .value = "N,N,...",
     .fallback = "512,512",
     .help = "units of each hidden layer"},
    {.name = "batch",
     .kind = CLI_WHOLE,
     .value = "N",
     .fallback = "128",
     .low = 1,
     .high = 16777216,
     .help = "samples a step"},
    {.name = "optimizer",
     .kind = CLI_CHOICE,
     .value = "HOW",
     .fallback = "sgd",
     .choices = "sgd|momentum|nesterov|adam|adamw",
     .help = "how gradients become updates"},
    {.name = "lr",
     .kind = CLI_NUMBER,
     .value = "RATE",
     .low = 0,
     .above = true,
     .help = "learning rate; by default 0.1, or 0.001 with adam and adamw"},
    {.name = "no-ledger", .help = "train without the ledger of silent units, to see what it costs"},
    {.name = "dense", .help = "skip no work of dead units, for comparison"},
    {0}};

static const struct cli_option bench_machine[] = {
    THREADS_ROW,
    {.name = "seconds",
     .kind = CLI_NUMBER,
     .value = "X",
     .fallback = "3",
     .low = 0,
     .above = true,
     .high = 86400,
     .help = "measured time for each of train, census and kernels, after a warm-up of a sixth of it"},
    {.name = "repeats",
     .kind = CLI_WHOLE,
     .value = "N",
     .fallback = "7",
     .low = 1,
     .high = 101,
     .help = "pieces that time is cut into; figures are medians over them"},
    {0}};

const struct cli_command cli_bench_command = {
    .name = "bench",
    .summary = "measure training and counting on this machine, beside its multiply-add peak",
    .about =
        "Times training steps, censuses, and the three kernels at the heart of a step. The machine's "
        "multiply-add peak is measured between the pieces of each run, and the share of it is told: on a "
        "machine that drifts only ratios of one run mean anything. Work counts every multiply-add of the "
        "net as 2, skipped or not, so that skipping can exceed the peak.",
    .examples =
        (const struct cli_example[]){
            {"relume bench", "a 784-512-512-10 net, all three"},
            {"relume bench train --data fashion-mnist --threads 1 --json", "training alone, for a program"},
            {"relume bench kernels --hidden 2048 --batch 256", "the kernels on a layer of 784 to 2048"},
            {0}},
    .positionals =
        (const struct cli_positional[]){{"WHAT", CLI_TEXT, true, "train, census, kernels, or all (default)"},
                                        {0}},
    .groups =
        (const struct cli_group[]){
            {"Output", bench_output}, {"Work", bench_work}, {"Machine", bench_machine}, {0}},
};
