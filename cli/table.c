/* The table itself. To add an option, add a row; the parser, the help, the man page and the completions
 * follow, and the tests check that they do. A large command has its rows in table_<command>.c. */
#include "table_rows.h"

#include <string.h>

static const struct cli_option help_options[] = {HELP_ROW, {0}};

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
    {.name = "autopsy",
     .help = "hold the autopsy of the dead units however long it takes; by default up to 5 seconds"},
    {.name = "no-autopsy", .help = "hold none: do not ask why units died"},
    JSON_ROW,
    HELP_ROW,
    {0}};

static const struct cli_command report = {
    .name = "report",
    .summary = "show every unit's life: in the terminal, or as a page in one file",
    .about =
        "Says how many units of a run are dead, since when, why, whether they can return, and what to do "
        "about it, with the course of training. The page adds a map of every unit over time and a panel for "
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
    {"RELUME_STREAM",
     "always or never: whether features stay in their .npy or IDX file and are read as training goes; "
     "otherwise those do that are more than half of the memory there is"},
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

/* clang-format off: one a line */
const struct cli_command *const cli_commands[] = {
    &demo,
    &cli_train_command,
    &cli_sweep_command,
    &cli_forecast_command,
    &census,
    &cli_autopsy_command,
    &cli_explain_command,
    &cli_gradcheck_command,
    &predict,
    &inspect,
    &report,
    &cli_serve_command,
    &cli_bench_command,
    &help,
    NULL,
};
/* clang-format on */

bool cli_positional_repeats(const struct cli_positional *positional)
{
    size_t length = strlen(positional->name);
    return length > 3 && strcmp(positional->name + length - 3, "...") == 0;
}

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
