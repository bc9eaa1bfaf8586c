/* What the parts of relume explain share: the facts gathered by cmd_explain.c, printed as text or as JSON. */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "program.h"

struct explain {
    const struct cli_program *program;
    relume_run *run;       /* NULL: a plain model */
    relume_network *owned; /* the model where there is no run */
    relume_dataset *read;  /* the data of --data; NULL: the run's */
    char model_file[4096]; /* the file that holds the weights */
    const relume_network *network;
    const relume_dataset *dataset;
    relume_split split;
    size_t layer, unit;
    const char *unit_because, *sample_because; /* why they were chosen; NULL: asked for */
    double learning_rate;
    relume_explain_choice whole; /* the unit over the training split */
    relume_explanation it;
    float *pixels; /* [rows · columns] the sample as the network is fed it; NULL: no image */
    size_t rows, columns;
};

/* "h1.37". */
void explain_unit_name(const struct explain *explain, size_t layer, size_t unit, char name[48]);
/* "train" or "test". */
const char *explain_split_name(const struct explain *explain);
/* Whether plain SGD alone moved the run: no momentum, no weight decay. A plain model: true, and the text says
 * "under". */
bool explain_is_plain(const struct explain *explain);
/* Whether a dead unit of a deeper layer has no weight and no bias above 0: dead whatever its inputs do. */
bool explain_is_structural(const struct explain *explain);

/* The places of the `most` largest of |term|, largest first, the first of equals first; returns how many. */
size_t explain_largest(const float *term, size_t count, size_t most, size_t *place);

/* The sample, and beside it the terms w·x where they have its shape (NULL: none). */
void explain_draw(const struct cli_term *out, const float *pixels, const float *terms, size_t rows,
                  size_t columns);

relume_status explain_print_text(const struct explain *explain, relume_error *error);
relume_status explain_print_json(const struct explain *explain, relume_error *error);

#endif
