/* The table itself. To add an option, add a row here; the parser, the help, the man page and the completions
 * follow, and the tests check that they do. */
#include "table.h"

#include <string.h>

/* Whole numbers up to here are exact in every JSON reader. */
#define BIGGEST_SEED 9007199254740992.0

/* Rows that several commands share. */
#define HELP_ROW                                                                                             \
    {                                                                                                        \
        .name = "help", .letter = 'h', .help = "show this help"                                              \
    }
#define JSON_ROW                                                                                             \
    {                                                                                                        \
        .name = "json", .help = "print one JSON document on stdout and nothing else there"                   \
    }
#define THREADS_ROW                                                                                          \
    {                                                                                                        \
        .name = "threads", .kind = CLI_WHOLE, .value = "N", .low = 1, .high = 1024,                          \
        .help = "threads to compute with; by default the cores this process may use; results do not depend " \
                "on it"                                                                                      \
    }
#define NEARLY_DEAD_ROW                                                                                      \
    {                                                                                                        \
        .name = "nearly-dead", .kind = CLI_SHARE, .value = "SHARE", .fallback = "1%", .low = 0, .high = 1,   \
        .help = "a unit that fires on some samples but on fewer than this share counts as nearly dead"       \
    }
#define FAIL_IF_DEAD_ROW                                                                                     \
    {                                                                                                        \
        .name = "fail-if-dead", .kind = CLI_SHARE, .value = "SHARE", .low = 0, .high = 1,                    \
        .help = "exit with 1 when more than this share of the hidden units is dead, such as 5%"              \
    }
#define DATA_ROWS                                                                                            \
    {.name = "labels",                                                                                       \
     .kind = CLI_FILE,                                                                                       \
     .value = "FILE",                                                                                        \
     .help = "labels or targets of a bare .npy of features"},                                                \
        {.name = "target",                                                                                   \
         .kind = CLI_TEXT,                                                                                   \
         .value = "COLUMN",                                                                                  \
         .help = "a CSV's target column, by name or number"},                                                \
        {.name = "x-key", .kind = CLI_TEXT, .value = "NAME", .help = "the array of features in an .npz"},    \
        {.name = "y-key", .kind = CLI_TEXT, .value = "NAME", .help = "the array of targets in an .npz"},     \
        {.name = "test",                                                                                     \
         .kind = CLI_DATA,                                                                                   \
         .value = "DATA",                                                                                    \
         .help = "other data to serve as the test split"},                                                   \
    {                                                                                                        \
        .name = "holdout", .kind = CLI_SHARE, .value = "SHARE", .fallback = "0", .low = 0, .high = 1,        \
        .below = true, .help = "share of the samples set aside, by the seed, as the test split"              \
    }
#define SPLIT_SEED_ROW                                                                                       \
    {                                                                                                        \
        .name = "seed", .kind = CLI_WHOLE, .high = BIGGEST_SEED, .value = "N", .fallback = "0",              \
        .help = "the seed the holdout is drawn with: that of the training run"                               \
    }

static const struct cli_option help_options[] = {HELP_ROW, {0}};

/* train */

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
     .fallback = "10",
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
     .help = "learning rate; by default 0.1, or 0.001 with adam and adamw"},
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
     .fallback = "constant",
     .choices = "constant|step|cosine",
     .help = "the rate over time: constant, step (a tenth after half and after three quarters), cosine (down "
             "to 0), "
             "or a list STEP:RATE,STEP:RATE,... of rates, each from its step on"},
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

static const struct cli_command train = {
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

/* Reading a model together with data. */

static const struct cli_option reading_data[] = {DATA_ROWS, SPLIT_SEED_ROW, {0}};
static const struct cli_option machine[] = {THREADS_ROW, {0}};

static const struct cli_positional model_and_data[] = {
    {"MODEL", CLI_FILE, false, "the network"}, {"DATA", CLI_DATA, false, "what to show it"}, {0}};

static const struct cli_option census_output[] = {
    {.name = "split",
     .kind = CLI_CHOICE,
     .value = "SPLIT",
     .fallback = "train",
     .choices = "train|test|all",
     .help = "the samples to count over"},
    {.name = "units",
     .help = "list every unit: how often it fires, its margin, its mean activation, its state"},
    NEARLY_DEAD_ROW,
    FAIL_IF_DEAD_ROW,
    JSON_ROW,
    HELP_ROW,
    {0}};

static const struct cli_command census = {
    .name = "census",
    .summary = "count, exactly, how often every unit fires over the whole of DATA",
    .about = "Runs every sample of a split through the network at its fixed weights and counts, for each "
             "unit, the samples "
             "that open it. A unit that no sample opens is dead on that split: nothing is estimated.",
    .examples =
        (const struct cli_example[]){
            {"relume census run digits", "dead, nearly dead and always-on units by layer"},
            {"relume census model.safetensors fashion-mnist --split all --units --json",
             "every unit, for a program to read"},
            {"relume census run digits --fail-if-dead 5%", "a check for a script: exit 1"},
            {0}},
    .positionals = model_and_data,
    .groups =
        (const struct cli_group[]){
            {"Output", census_output}, {"Data", reading_data}, {"Machine", machine}, {0}},
};

static const struct cli_option predict_output[] = {
    {.name = "probabilities", .help = "print the probability of every class, not the likeliest class alone"},
    {.name = "output",
     .letter = 'o',
     .kind = CLI_FILE,
     .value = "FILE",
     .help = "write to this .npy or .csv file in place of stdout"},
    {.name = "split",
     .kind = CLI_CHOICE,
     .value = "SPLIT",
     .fallback = "all",
     .choices = "train|test|all",
     .help = "the samples to predict"},
    JSON_ROW,
    HELP_ROW,
    {0}};

static const struct cli_command predict = {
    .name = "predict",
    .summary = "run data through a model: a class, or numbers, for each sample",
    .about =
        "Prints a line for each sample of DATA: the likeliest class, or the outputs of a regression. Raw "
        "data is scaled "
        "as it was in training. Data without labels will do; with labels, the accuracy is told on stderr.",
    .examples = (const struct cli_example[]){{"relume predict run digits --split test", "a class a line"},
                                             {"relume predict run new.npy --probabilities -o p.npy",
                                              "probabilities, as an array"},
                                             {0}},
    .positionals = model_and_data,
    .groups =
        (const struct cli_group[]){
            {"Output", predict_output}, {"Data", reading_data}, {"Machine", machine}, {0}},
};

static const struct cli_option inspect_output[] = {JSON_ROW, HELP_ROW, {0}};

static const struct cli_command inspect = {
    .name = "inspect",
    .summary = "show what a model, a run directory or a data file holds",
    .about = "Shows the layers, shapes and scaling of a model; the settings, epochs, checkpoints and deaths "
             "of a run; or the "
             "samples, features, classes and scaling of data.",
    .examples =
        (const struct cli_example[]){{"relume inspect run", "what a run has come to"},
                                     {"relume inspect model.safetensors --json", "a model, for a program"},
                                     {"relume inspect digits", "a data set"},
                                     {0}},
    .positionals =
        (const struct cli_positional[]){{"FILE", CLI_DATA, false, "a model, a run directory, or data"}, {0}},
    .groups = (const struct cli_group[]){{"Output", inspect_output}, {"Data", reading_data}, {0}},
};

static const struct cli_option report_output[] = {
    {.name = "output",
     .letter = 'o',
     .kind = CLI_FILE,
     .value = "FILE.html",
     .help = "write the page: one file that opens from disk and asks nothing of the network"},
    JSON_ROW,
    HELP_ROW,
    {0}};

static const struct cli_command report = {
    .name = "report",
    .summary = "show every unit's life: in the terminal, or as a page in one file",
    .about =
        "Says how many units of a run are dead, since when, whether they can return, and what to do about "
        "it, with the course of training. The page adds a map of every unit over time and a panel for "
        "each: its life line, its pre-activations, its weights, and the samples that fire it most. A run "
        "that is still training may be looked at.",
    .examples =
        (const struct cli_example[]){{"relume report run", "the facts, in the terminal"},
                                     {"relume report run -o run.html", "the page, to open in a browser"},
                                     {"relume report run --json", "the same facts, for a program"},
                                     {0}},
    .positionals = (const struct cli_positional[]){{"RUN", CLI_FOLDER, false, "a run directory"}, {0}},
    .groups = (const struct cli_group[]){{"Output", report_output}, {"Machine", machine}, {0}},
};

static const struct cli_option demo_options[] = {{.name = "seed",
                                                  .kind = CLI_WHOLE,
                                                  .high = BIGGEST_SEED,
                                                  .value = "N",
                                                  .fallback = "0",
                                                  .help = "another seed, another story"},
                                                 THREADS_ROW,
                                                 HELP_ROW,
                                                 {0}};

static const struct cli_command demo = {
    .name = "demo",
    .summary = "train twice on real digits, well and at a lethal rate, and tell the difference",
    .about = "Takes a few seconds and leaves nothing behind: its run directories are temporary.",
    .examples = (const struct cli_example[]){{"relume demo", "the whole idea in a screenful"}, {0}},
    .positionals = (const struct cli_positional[]){{0}},
    .groups = (const struct cli_group[]){{"Options", demo_options}, {0}},
};

static const struct cli_command help = {
    .name = "help",
    .summary = "show help on a command, or the list of errors and what to do about each",
    .about =
        "`relume help` is the same as `relume --help`, and `relume help COMMAND` as `relume COMMAND --help`.",
    .examples =
        (const struct cli_example[]){{"relume help train", "all options of train"},
                                     {"relume help errors", "error codes, exit statuses and remedies"},
                                     {0}},
    .positionals = (const struct cli_positional[]){{"TOPIC", CLI_TOPIC, true, "a command, or errors"}, {0}},
    .groups = (const struct cli_group[]){{"Options", help_options}, {0}},
};

const char *const cli_topics[] = {"errors", NULL};
const char *const cli_data_names[] = {"digits", "fashion-mnist", NULL};

const struct cli_variable cli_variables[] = {
    {"RELUME_CPU", "caps the kernels' level: ref, avx2, avx512 or neon; results do not depend on it"},
    {"RELUME_DATA", "a folder with data sets by name, such as fashion-mnist/"},
    {"NO_COLOR", "when not empty: no colour"},
    {"COLUMNS", "the width to print for where there is no terminal to ask"},
    {0}};

const char *const cli_data_forms[] = {
    "digits: 1,797 real 8x8 images, inside the program",
    "fashion-mnist: from the Debian package dataset-fashion-mnist, or $RELUME_DATA/fashion-mnist",
    "a folder of MNIST-style IDX files, gzipped or not",
    "FILE.npz with X and y, or X_train, y_train, X_test, y_test",
    "FILE.npy --labels FILE.npy",
    "FILE.csv --target COLUMN",
    NULL};
const char *const cli_model_forms[] = {
    "a .safetensors file of relume's or with PyTorch's names (0.weight, 0.bias, ...)",
    "a run directory: its final model", NULL};

const struct cli_command *const cli_commands[] = {&demo,    &train,  &census, &predict,
                                                  &inspect, &report, &help,   NULL};

const struct cli_command *cli_command_find(const char *name)
{
    for (const struct cli_command *const *command = cli_commands; *command; command++)
        if (strcmp((*command)->name, name) == 0)
            return *command;
    return NULL;
}

const struct cli_option *cli_option_find(const struct cli_command *command, const char *name, char letter)
{
    const struct cli_option *option;
    for (size_t i = 0; (option = cli_option_at(command, i)) != NULL; i++)
        if (name ? strcmp(option->name, name) == 0 : letter != 0 && option->letter == letter)
            return option;
    return NULL;
}

const struct cli_option *cli_option_at(const struct cli_command *command, size_t index)
{
    for (const struct cli_group *group = command->groups; group->title; group++)
        for (const struct cli_option *option = group->options; option->name; option++)
            if (index-- == 0)
                return option;
    return NULL;
}
