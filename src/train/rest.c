/* See rest.h. */
#include "train/rest.h"

void rlm_rest_layout(struct rlm_arena *arena, struct rlm_rest *rest, size_t units)
{
    rest->units = units;
    rest->stirred = rlm_arena_take(arena, units, sizeof *rest->stirred);
    rest->proved = rlm_arena_take(arena, units, sizeof *rest->proved);
}

void rlm_rest_forget(struct rlm_rest *rest, struct rlm_pass *pass, uint64_t step)
{
    for (size_t n = 0; n < rest->units; n++) {
        rest->stirred[n] = step;
        rest->proved[n] = 0;
    }
    if (rest->units > 0)
        rlm_pass_leave_out(pass, 0, rest->proved);
}

void rlm_rest_note(struct rlm_rest *rest, struct rlm_pass *pass, uint64_t step, const uint8_t *motion)
{
    const uint32_t *active = pass->layer[0].active;
    bool lost = false;
    for (size_t n = 0; n < rest->units; n++) {
        if (active[n] == 0 && !(motion && motion[n] == RLM_MOTION_MOVED))
            continue;
        rest->stirred[n] = step;
        lost |= rest->proved[n];
        rest->proved[n] = 0;
    }
    if (lost)
        rlm_pass_leave_out(pass, 0, rest->proved);
}

void rlm_rest_note_epoch(struct rlm_rest *rest, struct rlm_pass *pass, uint64_t first)
{
    bool found = false;
    for (size_t n = 0; n < rest->units; n++) {
        found |= !rest->proved[n] && rest->stirred[n] < first;
        rest->proved[n] |= rest->stirred[n] < first;
    }
    if (found)
        rlm_pass_leave_out(pass, 0, rest->proved);
}

void rlm_rest_put_back(const struct rlm_rest *rest, struct rlm_pass *pass)
{
    rlm_pass_leave_out(pass, 0, rest->proved);
}

void rlm_rest_note_dead(struct rlm_rest *rest, struct rlm_pass *pass, const uint8_t *dead)
{
    for (size_t n = 0; n < rest->units; n++)
        rest->proved[n] |= dead[n] != 0;
    if (rest->units > 0)
        rlm_pass_leave_out(pass, 0, rest->proved);
}
