/* The rows of sweep. */
#include "training_rows.h"

static const struct cli_option sweep_over[] = {
    {.name = "lr",
     .kind = CLI_TEXT,
     .value = "RATES",
     .fallback = "0.001..10",
     .help = "learning rates: LOW..HIGH, spread evenly over the powers of ten, or a list such as 0.01,0.1,1"},
    {.name = "points",
     .kind = CLI_WHOLE,
     .value = "N",
     .fallback = "9",
     .low = 2,
     .high = 200,
     .help = "how many rates LOW..HIGH stands for, each rounded to 3 digits"},
    {.name = "inits",
     .kind = CLI_TEXT,
     .value = "LIST",
     .help = "a sweep for each of these ways to draw the first weights, such as he-normal,pytorch"},
    {.name = "optimizers",
     .kind = CLI_TEXT,
     .value = "LIST",
     .help = "a sweep for each of these optimizers, such as sgd,adam"},
    {0}};

static const struct cli_option sweep_output[] = {
    {.name = "output",
     .letter = 'o',
     .kind = CLI_FOLDER,
     .value = "FOLDER",
     .help = "keep every training as a run directory in here; the same command again continues where it "
             "stopped"},
    JSON_ROW,
    HELP_ROW,
    {0}};

static const struct cli_option sweep_data[] = {DATA_ROWS, STANDARDIZE_ROW, {0}};

static const struct cli_option sweep_network[] = {HIDDEN_ROW, INIT_ROW, LOSS_ROW, {0}};

static const struct cli_option sweep_training[] = {
    {.name = "epochs",
     .kind = CLI_WHOLE,
     .value = "N",
     .fallback = "5",
     .low = 1,
     .high = 1e9,
     .help = "passes over the training split, in each training"},
    BATCH_ROW,
    OPTIMIZER_ROW,
    STEP_ROWS,
    ORDER_ROWS,
    {0}};

static const struct cli_option sweep_account[] = {
    {.name = "census",
     .kind = CLI_INTERVAL,
     .value = "WHEN",
     .fallback = "epoch",
     .choices = "epoch|final",
     .help = "count every unit at each epoch's end, at the end of a training, or every so many steps; a unit "
             "that dies and returns between two counts is not seen"},
    {0}};

static const struct cli_option sweep_machine[] = {THREADS_ROW, {0}};

const struct cli_command cli_sweep_command = {
    .name = "sweep",
    .summary = "train at one learning rate after another and show where units begin to die",
    .about =
        "Trains the same network from the same start at each rate and puts the outcomes side by side: "
        "accuracy, units born dead, deaths, revivals, units dead at the end of each layer. Says in words "
        "where the cliff is, and draws it. A rate that diverges is a row like any other. Trainings are "
        "kept in memory unless -o is given.",
    .examples =
        (const struct cli_example[]){
            {"relume sweep digits --holdout 0.2 --lr 0.001..10", "nine rates, four powers of ten"},
            {"relume sweep digits --lr 0.01,0.1,1 --optimizers sgd,momentum,adam", "three sweeps"},
            {"relume sweep digits --lr 0.1..10 --points 5 -o runs",
             "keep the runs, to look into with report and autopsy"},
            {0}},
    .positionals = (const struct cli_positional[]){{"DATA", CLI_DATA, false, "what to train on"}, {0}},
    .groups = (const struct cli_group[]){{"Sweep", sweep_over},
                                         {"Output", sweep_output},
                                         {"Data", sweep_data},
                                         {"Network", sweep_network},
                                         {"Training", sweep_training},
                                         {"Account", sweep_account},
                                         {"Machine", sweep_machine},
                                         {0}},
};
