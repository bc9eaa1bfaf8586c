/* See rest.h. */
#include "train/rest.h"

void rlm_rest_layout(struct rlm_arena *arena, struct rlm_rest *rest, size_t units)
{
    rest->units = units;
    rest->stirred = rlm_arena_take(arena, units, sizeof *rest->stirred);
    rest->moved = rlm_arena_take(arena, units, sizeof *rest->moved);
    rest->proved = rlm_arena_take(arena, units, sizeof *rest->proved);
    rest->asked = rlm_arena_take(arena, units, sizeof *rest->asked);
}

/* Tells the pass which units to work out. */
static void ask(struct rlm_rest *rest, struct rlm_pass *pass)
{
    size_t count = 0;
    for (size_t n = 0; n < rest->units; n++)
        if (!rest->proved[n])
            rest->asked[count++] = (uint32_t)n;
    rlm_pass_ask(pass, 0, rest->asked, count);
}

void rlm_rest_forget(struct rlm_rest *rest, struct rlm_pass *pass, uint64_t step)
{
    for (size_t n = 0; n < rest->units; n++) {
        rest->stirred[n] = step;
        rest->proved[n] = 0;
    }
    if (rest->units > 0)
        ask(rest, pass);
}

void rlm_rest_note(struct rlm_rest *rest, struct rlm_pass *pass, uint64_t step, bool still)
{
    const struct rlm_pass_layer *layer = &pass->layer[0];
    bool lost = false;
    for (size_t n = 0; n < rest->units; n++) {
        /* a unit that was not left out of the backward pass was moved along with the living */
        bool rests = layer->active[n] == 0 && (still || (layer->listed && !rest->moved[n]));
        if (rests)
            continue;
        rest->stirred[n] = step;
        lost |= rest->proved[n];
        rest->proved[n] = 0;
    }
    if (lost)
        ask(rest, pass);
}

void rlm_rest_note_epoch(struct rlm_rest *rest, struct rlm_pass *pass, uint64_t first)
{
    bool found = false;
    for (size_t n = 0; n < rest->units; n++) {
        found |= !rest->proved[n] && rest->stirred[n] < first;
        rest->proved[n] |= rest->stirred[n] < first;
    }
    if (found)
        ask(rest, pass);
}

void rlm_rest_note_dead(struct rlm_rest *rest, struct rlm_pass *pass, const uint8_t *dead)
{
    for (size_t n = 0; n < rest->units; n++)
        rest->proved[n] |= dead[n] != 0;
    if (rest->units > 0)
        ask(rest, pass);
}
