/* From parts that were read, or a caller's matrix, to a dataset: checks that they belong together, numbers
 * the classes, joins, splits, scales, takes the fingerprint. */
#ifndef RLM_DATA_ASSEMBLE_H
#define RLM_DATA_ASSEMBLE_H

#include "data/dataset.h"
#include "data/part.h"

/* Takes what it needs out of `parts`, which stay the caller's to free. MISMATCH: other features, values,
 * targets or classes in the test part. BAD_DATA: no targets where they are needed. USAGE: a holdout outside 0
 * … 1 or where there is a test split. NO_MEMORY. */
relume_status rlm_dataset_assemble(relume_engine *engine, const char *name, struct rlm_parts *parts,
                                   const relume_dataset_options *options, relume_dataset **dataset,
                                   relume_error *error);

/* The last steps, for a dataset that is whole but for them: holdout, scaling (`divisor` unless standardized),
 * fingerprint. */
relume_status rlm_dataset_finish(relume_dataset *dataset, const relume_dataset_options *options,
                                 float divisor, relume_error *error);

#endif
