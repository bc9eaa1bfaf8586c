/* See counting.h. */
#include "run/counting.h"

#include <string.h>

#include "base/error.h"

relume_status rlm_count_between(relume_census *census, relume_trainer *trainer, const volatile int *stop,
                                relume_error *error)
{
    /* known[u] is said twice: before the count, that u was dead at the last one and has not been touched
     * since, so that it is left out; after it, that u is dead now, so that the trainer leaves it out. */
    uint64_t step = rlm_trainer_get_state(trainer).step;
    size_t units = census->layers > 0 ? census->layer[0].account.units : 0;
    /* the inputs of the first hidden layer are the data: the same parameters have the same account */
    for (size_t u = 0; census->counted && u < units; u++)
        census->known[u] =
            census->layer[0].unit[u].active == 0 && rlm_trainer_unit_rested(trainer, u, census->step);
    /* The census may hold these buffers since it was made, but each asking tells the trainer that they are
     * about to be written over. */
    (void)rlm_trainer_lend(trainer);
    RLM_TRY(rlm_census_count(census, stop, error));
    census->step = step;
    for (size_t u = 0; u < units; u++)
        census->known[u] = census->layer[0].unit[u].active == 0;
    rlm_trainer_note_dead(trainer, census->known);
    memset(census->known, 0, units);
    return RELUME_OK;
}
