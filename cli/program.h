/* What every command is given, and the few things all of them do: make an engine, open a model or data,
 * report an error, quote a path. A command is `int cmd_<name>(struct cli_program *)` and returns the exit
 * status. */
#ifndef CLI_PROGRAM_H
#define CLI_PROGRAM_H

#include "args.h"
#include "relume/relume.h"
#include "term.h"

struct cli_program {
    const char *name; /* what to type to run this program again: "relume", or the path it was called by */
    const struct cli_args *args;
    struct cli_term out; /* stdout: results */
    struct cli_term err; /* stderr: narration, progress, errors */
};

int cmd_autopsy(struct cli_program *program);
int cmd_bench(struct cli_program *program);
int cmd_census(struct cli_program *program);
int cmd_demo(struct cli_program *program);
int cmd_explain(struct cli_program *program);
int cmd_forecast(struct cli_program *program);
int cmd_gradcheck(struct cli_program *program);
int cmd_sweep(struct cli_program *program);
int cmd_help(struct cli_program *program);
int cmd_inspect(struct cli_program *program);
int cmd_predict(struct cli_program *program);
int cmd_report(struct cli_program *program);
int cmd_serve(struct cli_program *program);
int cmd_train(struct cli_program *program);

/* Tells an error in two lines on stderr, what was found and what to do, and returns the exit status of its
 * code. */
int cli_fail(const struct cli_program *program, const relume_error *error);
/* The same for wrong usage found outside the parser: `message`, then where to look. Returns 2. */
int cli_misuse(const struct cli_term *err, const char *command, const char *message);
/* Wording for the program's own errors: fills `error` and returns `status`. */
__attribute__((format(printf, 3, 4))) relume_status cli_error(relume_error *error, relume_status status,
                                                              const char *format, ...);

/* An engine with the threads asked for. */
relume_status cli_engine(const struct cli_program *program, relume_engine **engine, relume_error *error);

/* The word that goes with a number: `one` with 1, else `many`. */
const char *cli_agree(unsigned long long number, const char *one, const char *many);

/* The options of DATA as the command line gives them; texts point into the arguments. */
void cli_data_options(const struct cli_args *args, relume_dataset_options *options);

/* Loads `path` as `model` reads its data: as labels where its loss tells classes apart, numbered as it
 * numbers its outputs (MISMATCH). `options` are those of the command line; on failure *dataset is left alone.
 */
relume_status cli_load_for_model(relume_engine *engine, const char *path, relume_dataset_options *options,
                                 const relume_network *model, relume_dataset **dataset, relume_error *error);

/* Opens MODEL (a file or a run directory) and DATA, which need no targets, with the command's options. On
 * failure both are NULL. */
relume_status cli_open_model_and_data(const struct cli_program *program, relume_engine *engine,
                                      relume_network **network, relume_dataset **dataset,
                                      relume_error *error);

/* The split that --split names. */
relume_split cli_split(const struct cli_args *args);

/* Writes a word so that a shell reads it back as it is. */
void cli_put_quoted(const struct cli_term *term, const char *word);
/* Writes the options of DATA that were given, each with a space before, for "next: …" lines. */
void cli_put_data_options(const struct cli_term *term, const struct cli_args *args);

/* Exits with 1 in place of 0 when --fail-if-dead is given and more than that share of `units` is dead, and
 * says so. */
int cli_check_dead(const struct cli_program *program, size_t dead, size_t units);

/* Flushes stdout; on failure says so on stderr and returns 4, else `status`. */
int cli_close_stdout(const struct cli_term *err, int status);

#endif
