/* The rows of autopsy. */
#include "table_rows.h"

static const struct cli_option autopsy_output[] = {
    {.name = "all", .help = "every death the ledger has recorded, those of units that live again among them"},
    {.name = "episodes",
     .help = "every death and return of these units, to the step; repeats the run from its beginning"},
    {.name = "limit",
     .kind = CLI_WHOLE,
     .value = "N",
     .fallback = "8",
     .high = 1000000,
     .help = "how many deaths to tell one by one when units are not named; the rest by layer and cause"},
    JSON_ROW,
    HELP_ROW,
    {0}};

static const struct cli_option autopsy_machine[] = {THREADS_ROW, {0}};

const struct cli_command cli_autopsy_command = {
    .name = "autopsy",
    .summary = "tell when, by which update and why each unit died, and whether it can return",
    .about = "Repeats the run from its checkpoints, bit for bit, and counts over the whole of the training "
             "data around "
             "each death: the update that killed, the parts of it that were necessary, the learning rate "
             "that would "
             "have spared the unit, and a prognosis. Without UNIT, all units that are dead at the end. The "
             "data must "
             "be those the run was trained on.",
    .examples =
        (const struct cli_example[]){
            {"relume autopsy run", "a summary by layer and cause, and some deaths one by one"},
            {"relume autopsy run h1.37 h2.5 --episodes", "two units, with every death and return"},
            {"relume autopsy run --json", "all deaths, for a program"},
            {0}},
    .positionals =
        (const struct cli_positional[]){
            {"RUN", CLI_FOLDER, false, "a run directory"},
            {"UNIT...", CLI_TEXT, true, "units by name, such as h1.37; by default those dead at the end"},
            {0}},
    .groups = (const struct cli_group[]){{"Output", autopsy_output}, {"Machine", autopsy_machine}, {0}},
};
