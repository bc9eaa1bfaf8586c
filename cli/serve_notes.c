/* Continuations of a feed, as pieces of an event stream that all its followers share. What is held is
 * bounded in number and bytes; a follower that falls behind it begins anew. See serve.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve.h"

void serve_note_release(struct serve_note *note)
{
    if (note && --note->users == 0 && note->dropped)
        free(note);
}

static void drop_oldest(struct serve_feed *feed)
{
    struct serve_note *note = feed->note[feed->first++ % SERVE_NOTES];
    feed->bytes -= note->length;
    note->dropped = true;
    if (note->users == 0)
        free(note);
}

void serve_notes_clear(struct serve_feed *feed)
{
    while (feed->first < feed->next)
        drop_oldest(feed);
}

bool serve_note_add(struct serve_feed *feed, const char *event, const char *text, size_t length,
                    uint64_t mark)
{
    char head[64];
    size_t begins = (size_t)snprintf(head, sizeof head, "event: %s\ndata: ", event);
    struct serve_note *note = malloc(sizeof *note + begins + length + 2);
    if (!note)
        return false;
    *note = (struct serve_note){.from = feed->mark, .to = mark, .length = begins + length + 2};
    memcpy(note->text, head, begins);
    memcpy(note->text + begins, text, length);
    memcpy(note->text + begins + length, "\n\n", 2);
    while (feed->first < feed->next &&
           (feed->next - feed->first == SERVE_NOTES || feed->bytes + note->length > SERVE_NOTE_BYTES))
        drop_oldest(feed);
    feed->note[feed->next++ % SERVE_NOTES] = note;
    feed->bytes += note->length;
    feed->mark = mark;
    return true;
}

bool serve_note_find(const struct serve_feed *feed, uint64_t mark, uint64_t *number)
{
    *number = feed->next;
    if (mark == feed->mark)
        return true;
    for (uint64_t n = feed->first; n < feed->next; n++)
        if (feed->note[n % SERVE_NOTES]->from == mark) {
            *number = n;
            return true;
        }
    return false;
}
