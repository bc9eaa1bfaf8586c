/* The rows of explain. */
#include "table_rows.h"

static const struct cli_option explain_what[] = {
    {.name = "sample",
     .kind = CLI_WHOLE,
     .value = "I",
     .high = 4294967295.0,
     .help = "the sample, counted from 0; by default the one of those that fire the unit which the network "
             "gets most wrong, or for a dead unit the nearest to the gate"},
    {.name = "split",
     .kind = CLI_CHOICE,
     .value = "SPLIT",
     .fallback = "train",
     .choices = "train|test",
     .help = "the samples that --sample counts"},
    {.name = "lr",
     .kind = CLI_NUMBER,
     .value = "RATE",
     .low = 0,
     .above = true,
     .help = "learning rate of the update shown; by default the run's, or 0.1 for a plain model"},
    {0}};

static const struct cli_option explain_output[] = {JSON_ROW, HELP_ROW, {0}};

static const struct cli_option explain_data[] = {
    {.name = "data",
     .kind = CLI_DATA,
     .value = "DATA",
     .help = "the data to take samples from; a run remembers its own"},
    DATA_ROWS,
    SPLIT_SEED_ROW,
    {0}};

static const struct cli_option explain_machine[] = {THREADS_ROW, {0}};

const struct cli_command cli_explain_command = {
    .name = "explain",
    .summary = "walk one unit through forward and backward, step by step, with its own numbers",
    .about =
        "Takes one unit and one sample and works through the two lines of a ReLU layer: the dot product, "
        "the gate, the gradient from above, the unit's row of the gradient, the update, and what is "
        "left of it when the gate is shut. For a dead unit it says why it stays dead. Every number is "
        "the engine's own, and the output ends with lines of NumPy that compute them again.",
    .examples =
        (const struct cli_example[]){
            {"relume explain run", "a unit worth looking at, chosen and justified"},
            {"relume explain run h1.37 --sample 5", "this unit on this sample"},
            {"relume explain run h2 --json", "a unit of h2, for a program"},
            {"relume explain model.safetensors h1.37 --data digits", "a model without a run"},
            {0}},
    .positionals =
        (const struct cli_positional[]){
            {"MODEL", CLI_FILE, false, "a run directory, or a model (with --data)"},
            {"UNIT", CLI_TEXT, true, "such as h1.37, or h1 for a unit of that layer worth looking at"},
            {0}},
    .groups = (const struct cli_group[]){{"What to explain", explain_what},
                                         {"Output", explain_output},
                                         {"Data", explain_data},
                                         {"Machine", explain_machine},
                                         {0}},
};
