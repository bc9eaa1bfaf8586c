/* The rows of serve. */
#include "table_rows.h"

static const struct cli_option serve_network[] = {
    {.name = "port",
     .kind = CLI_WHOLE,
     .value = "N",
     .fallback = "0",
     .low = 0,
     .high = 65535,
     .help = "the port to listen at; 0 takes any that is free"},
    {.name = "host",
     .kind = CLI_TEXT,
     .value = "ADDRESS",
     .fallback = "127.0.0.1",
     .help = "the address to listen at; any but this machine's own loopback makes the page ask for a token"},
    HELP_ROW,
    {0}};

static const struct cli_option serve_machine[] = {THREADS_ROW, {0}};

const struct cli_command cli_serve_command = {
    .name = "serve",
    .summary = "the page of report, live while training goes on; or a folder of runs side by side",
    .about =
        "Prints an address to open in a browser and serves the page there until Ctrl-C. What a run records "
        "appears as it is recorded. Only this machine can open it unless --host says otherwise. It reads "
        "runs and writes nothing; training is slowed by less than 1 %.",
    .examples =
        (const struct cli_example[]){{"relume serve run", "one run"},
                                     {"relume serve runs --port 8000", "all runs in a folder, side by side"},
                                     {0}},
    .positionals =
        (const struct cli_positional[]){{"RUN", CLI_FOLDER, false, "a run directory, or a folder of them"},
                                        {0}},
    .groups = (const struct cli_group[]){{"Network", serve_network}, {"Machine", serve_machine}, {0}},
};
