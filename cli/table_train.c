/* The rows of train. */
#include "table_rows.h"

static const struct cli_option train_output[] = {
    {.name = "output",
     .letter = 'o',
     .required = true,
     .kind = CLI_FOLDER,
     .value = "RUN",
     .help = "the run directory to write; an existing run is never overwritten"},
    {.name = "resume",
     .help =
         "start a run that is missing, continue an unfinished one bit for bit, and say so of a finished one"},
    {.name = "checkpoint",
     .kind = CLI_INTERVAL,
     .value = "WHEN",
     .fallback = "epoch",
     .choices = "epoch",
     .help = "save the whole state at each epoch's end, or every so many steps"},
    {.name = "progress",
     .kind = CLI_CHOICE,
     .value = "HOW",
     .fallback = "auto",
     .choices = "auto|bar|plain|off",
     .help = "a moving bar, or a line an epoch; auto shows the bar on a terminal"},
    JSON_ROW,
    HELP_ROW,
    {0}};

static const struct cli_option train_data[] = {
    DATA_ROWS,
    {.name = "standardize", .help = "scale each feature to mean 0 and deviation 1 over the training split"},
    {0}};

static const struct cli_option train_network[] = {
    {.name = "hidden",
     .kind = CLI_WIDTHS,
     .value = "N,N,...",
     .fallback = "512,512",
     .help = "units of each hidden layer, in the order data meets them"},
    {.name = "init",
     .kind = CLI_CHOICE,
     .value = "HOW",
     .fallback = "he-normal",
     .choices = "he-normal|he-uniform|xavier-normal|xavier-uniform|lecun-normal|pytorch|orthogonal",
     .help = "how the first weights are drawn"},
    {.name = "init-from",
     .kind = CLI_FILE,
     .value = "MODEL",
     .help = "start from this model's weights (and its hidden layers, unless --hidden names the same)"},
    {.name = "loss",
     .kind = CLI_CHOICE,
     .value = "LOSS",
     .fallback = "auto",
     .choices = "auto|softmax|mse|bce",
     .help = "what is minimised; auto takes softmax for labels and mse for float targets"},
    {0}};

static const struct cli_option train_training[] = {
    {.name = "epochs",
     .kind = CLI_WHOLE,
     .value = "N",
     .fallback = "15",
     .low = 1,
     .high = 1e9,
     .help = "passes over the training split"},
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
     .fallback = "momentum",
     .choices = "sgd|momentum|nesterov|adam|adamw",
     .help = "how gradients become updates"},
    {.name = "lr",
     .kind = CLI_NUMBER,
     .value = "RATE",
     .low = 0,
     .above = true,
     .help = "learning rate; by default 0.1 with sgd, 0.05 with momentum and nesterov, 0.001 with adam and "
             "adamw"},
    {.name = "momentum",
     .kind = CLI_NUMBER,
     .value = "X",
     .fallback = "0.9",
     .low = 0,
     .high = 1,
     .below = true,
     .help = "share of the last update carried on, with momentum and nesterov"},
    {.name = "weight-decay",
     .kind = CLI_NUMBER,
     .value = "X",
     .fallback = "0",
     .low = 0,
     .help = "pull of the weights towards 0"},
    {.name = "decay-bias", .help = "let weight decay pull on biases too"},
    {.name = "schedule",
     .kind = CLI_SCHEDULE,
     .value = "HOW",
     .choices = "constant|step|cosine",
     .help =
         "the rate over time: constant, step (a tenth after half and after three quarters), cosine (down "
         "to 0), or a list STEP:RATE,STEP:RATE,... of rates, each from its step on; by default cosine with "
         "the default rate, and constant with a --lr of your own"},
    {.name = "warmup",
     .kind = CLI_WHOLE,
     .value = "STEPS",
     .fallback = "0",
     .help = "steps over which the rate rises from 0"},
    {.name = "clip-norm",
     .kind = CLI_NUMBER,
     .value = "X",
     .low = 0,
     .above = true,
     .help = "scale a gradient down to this 2-norm when it is longer"},
    {.name = "early-stop",
     .kind = CLI_WHOLE,
     .value = "PATIENCE",
     .low = 1,
     .help = "stop after so many epochs without a better test loss, and keep the best weights"},
    {.name = "no-shuffle", .help = "take the samples in the order they come in"},
    {.name = "seed",
     .kind = CLI_WHOLE,
     .high = BIGGEST_SEED,
     .value = "N",
     .fallback = "0",
     .help = "decides the first weights, the order of samples and the holdout"},
    {0}};

static const struct cli_option train_account[] = {{.name = "census",
                                                   .kind = CLI_INTERVAL,
                                                   .value = "WHEN",
                                                   .fallback = "epoch",
                                                   .choices = "epoch|final",
                                                   .help =
                                                       "count every unit over the whole training split at "
                                                       "each epoch's end, at the end of the run, or every so "
                                                       "many steps"},
                                                  NEARLY_DEAD_ROW,
                                                  FAIL_IF_DEAD_ROW,
                                                  {0}};

static const struct cli_option train_machine[] = {
    THREADS_ROW,
    {.name = "dense", .help = "skip no work of dead units, for comparison; the bytes are the same"},
    {0}};

const struct cli_command cli_train_command = {
    .name = "train",
    .summary = "train a network and keep an account of every unit's life",
    .about = "Trains a fully connected ReLU network on DATA and writes a run directory: the final model, a "
             "checkpoint an "
             "epoch, and the history of every unit. Ends with a table of layers and the deaths in each.",
    .examples =
        (const struct cli_example[]){
            {"relume train digits --holdout 0.2 -o run", "train on the built-in digits"},
            {"relume train fashion-mnist --optimizer adam --lr 0.01 -o run",
             "a rate that kills: see how many units die"},
            {"relume train table.csv --target price --standardize -o run", "predict a number from a table"},
            {0}},
    .positionals = (const struct cli_positional[]){{"DATA", CLI_DATA, false, "what to train on"}, {0}},
    .groups = (const struct cli_group[]){{"Output", train_output},
                                         {"Data", train_data},
                                         {"Network", train_network},
                                         {"Training", train_training},
                                         {"Account", train_account},
                                         {"Machine", train_machine},
                                         {0}},
};
