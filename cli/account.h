/* The account of a network's units as the commands show it: tables for people, JSON for programs. */
#ifndef CLI_ACCOUNT_H
#define CLI_ACCOUNT_H

#include "json.h"
#include "program.h"

/* The array "layers" of census and train documents. `census` may be NULL: an empty array. */
json_t *cli_layers_json(struct cli_json *document, const relume_census *census);
/* The array "units": every unit of every hidden layer. */
json_t *cli_units_json(struct cli_json *document, const relume_census *census);
/* The object "ledger" of a run: births, deaths and revivals of all hidden layers; null where no unit was
 * counted. */
json_t *cli_ledger_json(struct cli_json *document, const relume_run *run);
/* {"name", "split", "samples", "features"}; `split` is "train", "test" or "all". */
json_t *cli_dataset_json(struct cli_json *document, const relume_dataset *dataset, const char *split);

/* A table row a hidden layer and a total. False when memory is out. */
bool cli_print_census_table(const struct cli_term *term, const relume_census *census);
/* A table row a unit. */
bool cli_print_units_table(const struct cli_term *term, const relume_census *census);
/* A table row a layer of a run, with parameters and the dead share by epoch; a layer without a census has its
 * sizes alone. */
bool cli_print_run_table(const struct cli_term *term, const relume_run *run);

/* The same as a line without a beginning: "2 born dead, 3 deaths, …". */
void cli_print_ledger(const relume_run *run);

/* "h1", or "h1 (fc1)" where the file had another name. */
void cli_layer_label(const char *name, const char *foreign_name, char *text, size_t size);

#endif
