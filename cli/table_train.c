/* The rows of train. */
#include "training_rows.h"

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

static const struct cli_option train_data[] = {DATA_ROWS, STANDARDIZE_ROW, {0}};

static const struct cli_option train_network[] = {
    HIDDEN_ROW,
    INIT_ROW,
    {.name = "init-from",
     .kind = CLI_FILE,
     .value = "MODEL",
     .help = "start from this model's weights (and its hidden layers, unless --hidden names the same)"},
    LOSS_ROW,
    {0}};

static const struct cli_option train_training[] = {
    {.name = "epochs",
     .kind = CLI_WHOLE,
     .value = "N",
     .fallback = "15",
     .low = 1,
     .high = 1e9,
     .help = "passes over the training split"},
    BATCH_ROW,
    OPTIMIZER_ROW,
    {.name = "lr",
     .kind = CLI_NUMBER,
     .value = "RATE",
     .low = 0,
     .above = true,
     .help = "learning rate; by default 0.1 with sgd, 0.05 with momentum and nesterov, 0.001 with adam and "
             "adamw"},
    STEP_ROWS,
    {.name = "early-stop",
     .kind = CLI_WHOLE,
     .value = "PATIENCE",
     .low = 1,
     .help = "stop after so many epochs without a better test loss, and keep the best weights"},
    ORDER_ROWS,
    {0}};

static const struct cli_option train_account[] = {{.name = "census",
                                                   .kind = CLI_INTERVAL,
                                                   .value = "WHEN",
                                                   .fallback = "epoch",
                                                   .choices = "epoch|final|off",
                                                   .help =
                                                       "count every unit over the whole training split at "
                                                       "each epoch's end, at the end of the run, or every so "
                                                       "many steps; off counts nothing, and relume autopsy "
                                                       "RUN makes up for it"},
                                                  NEARLY_DEAD_ROW,
                                                  {.name = "warn",
                                                   .help = "tell of deaths as soon as a census finds them: "
                                                           "step, learning rate, units; --census 50 finds "
                                                           "them sooner than the end of an epoch. With "
                                                           "--fail-if-dead the run ends, saved, at the first "
                                                           "census that finds more than that share dead, "
                                                           "with exit status 1"},
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
            {"relume train digits --lr 1 --census 20 --warn --fail-if-dead 10% -o run",
             "stop as soon as a tenth of the units is dead"},
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
