/* The rows of forecast. */
#include "training_rows.h"

static const struct cli_option forecast_what[] = {
    {.name = "seeds",
     .kind = CLI_WHOLE,
     .value = "N",
     .fallback = "20",
     .low = 1,
     .high = 100000,
     .help = "networks to draw and count, with the seeds from --seed on; other inits get a quarter of them"},
    {.name = "steps",
     .kind = CLI_WHOLE,
     .value = "N",
     .fallback = "20",
     .high = 1e9,
     .help = "updates in which the learning rate must kill nobody; 0: do not look for a rate"},
    {0}};

static const struct cli_option forecast_output[] = {JSON_ROW, HELP_ROW, {0}};

static const struct cli_option forecast_data[] = {DATA_ROWS, STANDARDIZE_ROW, {0}};

static const struct cli_option forecast_network[] = {HIDDEN_ROW, INIT_ROW, LOSS_ROW, {0}};

static const struct cli_option forecast_training[] = {BATCH_ROW, OPTIMIZER_ROW, STEP_ROWS, ORDER_ROWS, {0}};

static const struct cli_option forecast_machine[] = {THREADS_ROW, {0}};

const struct cli_command cli_forecast_command = {
    .name = "forecast",
    .summary = "before training: units born dead, what is to blame, and a learning rate that kills nobody",
    .about = "For each hidden layer two shares stand side by side: what a closed form expects of units born "
             "dead on this data, and what counting finds in networks drawn with many seeds. Then what "
             "centring the data or another initialisation would give, and the largest learning rate that "
             "kills no unit in the first steps, found by training them again and again from the same start. "
             "Of a run it takes data, network and training, and stays with it for its report.",
    .examples =
        (const struct cli_example[]){
            {"relume forecast digits --hidden 64,64", "what to expect of this network"},
            {"relume forecast digits --hidden 64,64 --standardize --init pytorch",
             "with centred data, drawn as torch.nn.Linear does"},
            {"relume forecast run", "what was to be expected of a run"},
            {"relume forecast digits --optimizer adam --steps 100 --json", "a rate for Adam, for a program"},
            {0}},
    .positionals =
        (const struct cli_positional[]){
            {"DATA", CLI_DATA, false, "what would be trained on, or a run directory"}, {0}},
    .groups = (const struct cli_group[]){{"Forecast", forecast_what},
                                         {"Output", forecast_output},
                                         {"Data", forecast_data},
                                         {"Network", forecast_network},
                                         {"Training", forecast_training},
                                         {"Machine", forecast_machine},
                                         {0}},
};
