/* The features of one or two splits, from opened arrays into one block: the test rows stand behind the
 * training rows from the first, so that nothing is moved or held twice, and all of the engine's threads read.
 */
#ifndef RLM_DATA_FEATURES_H
#define RLM_DATA_FEATURES_H

#include "data/part.h"
#include "formats/array.h"

/* Features that memory would not hold stay in their files, where that is possible (data/reader.h).
 *
 * Fills in features, samples and the rest of the training part, and of the test part where `test` is not
 * NULL; its rows are joined to the training part's where they are of the same kind (parts->joined). The
 * arrays stay the caller's to close. The statuses of rlm_array_fill and rlm_part_take_features, NO_MEMORY. */
relume_status rlm_features_read(relume_engine *engine, struct rlm_array *train, struct rlm_array *test,
                                struct rlm_parts *parts, relume_error *error);

#endif
