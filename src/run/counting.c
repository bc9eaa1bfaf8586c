/* See counting.h. */
#include "run/counting.h"

#include <string.h>

#include "base/error.h"

relume_status rlm_count_between(relume_census *census, relume_trainer *trainer, const volatile int *stop,
                                relume_error *error)
{
    uint64_t step = rlm_trainer_get_state(trainer).step;
    size_t units = census->layers > 0 ? census->layer[0].account.units : 0;
    /* the inputs of the first hidden layer are the data: the same parameters have the same account */
    for (size_t u = 0; census->counted && u < units; u++)
        census->known[u] =
            census->layer[0].unit[u].active == 0 && rlm_trainer_unit_rested(trainer, u, census->step);
    (void)rlm_trainer_lend(trainer); /* which the census may have from before */
    RLM_TRY(rlm_census_count(census, stop, error));
    census->step = step;
    for (size_t u = 0; u < units; u++)
        census->known[u] = census->layer[0].unit[u].active == 0;
    rlm_trainer_note_dead(trainer, census->known);
    memset(census->known, 0, units);
    return RELUME_OK;
}
