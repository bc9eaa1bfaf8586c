/* The rows of gradcheck. */
#include "table_rows.h"

static const struct cli_option gradcheck_check[] = {
    {.name = "batch",
     .kind = CLI_WHOLE,
     .value = "N",
     .fallback = "37",
     .low = 1,
     .high = 65536,
     .help = "samples of the batch: the first of the split"},
    {.name = "parameters",
     .kind = CLI_WHOLE,
     .value = "N",
     .fallback = "256",
     .low = 0,
     .help = "at most so many of each weight and bias, spread evenly; 0: every one"},
    {.name = "tolerance",
     .kind = CLI_NUMBER,
     .value = "X",
     .fallback = "1e-7",
     .low = 0,
     .help = "the relative error up to which the gradient holds"},
    {.name = "split",
     .kind = CLI_CHOICE,
     .value = "SPLIT",
     .fallback = "train",
     .choices = "train|test|all",
     .help = "the samples to take the batch from"},
    JSON_ROW,
    HELP_ROW,
    {0}};

static const struct cli_option gradcheck_network[] = {
    {.name = "hidden",
     .kind = CLI_WIDTHS,
     .value = "N,N,...",
     .fallback = "24,16",
     .help = "units of each hidden layer, in the order data meets them"},
    {.name = "init",
     .kind = CLI_CHOICE,
     .value = "HOW",
     .fallback = "he-normal",
     .choices = "he-normal|he-uniform|xavier-normal|xavier-uniform|lecun-normal|pytorch|orthogonal",
     .help = "how the weights are drawn"},
    {.name = "init-from",
     .kind = CLI_FILE,
     .value = "MODEL",
     .help = "check at this model's weights, with its layers, in place of drawn ones"},
    {.name = "loss",
     .kind = CLI_CHOICE,
     .value = "LOSS",
     .fallback = "auto",
     .choices = "auto|softmax|mse|bce",
     .help = "auto takes softmax for labels, mse for float targets, and a model's own with --init-from"},
    {.name = "seed",
     .kind = CLI_WHOLE,
     .high = BIGGEST_SEED,
     .value = "N",
     .fallback = "0",
     .help = "decides the weights, the holdout, and where the spread of parameters begins"},
    {0}};

static const struct cli_option gradcheck_data[] = {
    DATA_ROWS,
    {.name = "standardize", .help = "scale each feature to mean 0 and deviation 1 over the training split"},
    {0}};

static const struct cli_option gradcheck_machine[] = {THREADS_ROW, {0}};

const struct cli_command cli_gradcheck_command = {
    .name = "gradcheck",
    .summary = "check the gradient of a network against differences of its loss",
    .about =
        "Computes the gradient of a batch with the reference kernels in double, and differences of the loss "
        "around each parameter. A unit whose gate flips in between is named, and the parameter is left out "
        "of the verdict: there the loss has a kink. Exits with 1 when the worst relative error is above "
        "the tolerance. DATA is digits where none is given.",
    .examples =
        (const struct cli_example[]){
            {"relume gradcheck", "a small network on the built-in digits"},
            {"relume gradcheck digits --hidden 32,32,32,32 --loss bce --batch 1", "another net, loss, batch"},
            {"relume gradcheck digits --init-from run --parameters 0", "every parameter of a trained model"},
            {0}},
    .positionals =
        (const struct cli_positional[]){{"DATA", CLI_DATA, true, "what to compute the loss on"}, {0}},
    .groups = (const struct cli_group[]){{"Check", gradcheck_check},
                                         {"Network", gradcheck_network},
                                         {"Data", gradcheck_data},
                                         {"Machine", gradcheck_machine},
                                         {0}},
};
