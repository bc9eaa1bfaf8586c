/* See intern.h: open addressing, at most half full. */
#include "formats/intern.h"

#include <string.h>

#include "base/alloc.h"

#define FIRST_SLOTS 64

/* FNV-1a, 64 bits, with the high half folded in. */
static size_t text_hash(const char *text, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
    return (size_t)(hash ^ hash >> 32);
}

/* The slot where a text is, or where it would go. */
static size_t find_slot(const struct rlm_intern *intern, const char *text, size_t length)
{
    size_t mask = intern->slot_count - 1, slot = text_hash(text, length) & mask;
    for (; intern->slots[slot]; slot = (slot + 1) & mask) {
        const char *known = intern->texts[intern->slots[slot] - 1];
        if (strncmp(known, text, length) == 0 && known[length] == '\0')
            break;
    }
    return slot;
}

/* Twice the slots, and room for as many texts as fill half of them. */
static relume_status grow(struct rlm_intern *intern)
{
    size_t slot_count = intern->slot_count ? 2 * intern->slot_count : FIRST_SLOTS;
    uint32_t *slots = rlm_alloc_zero(intern->allocator, slot_count, sizeof *slots);
    char **texts = rlm_realloc(intern->allocator, intern->texts, slot_count / 2, sizeof *texts);
    if (texts)
        intern->texts = texts;
    if (!slots || !texts) {
        rlm_free(slots);
        return RELUME_NO_MEMORY;
    }
    rlm_free(intern->slots);
    intern->slots = slots;
    intern->slot_count = slot_count;
    for (size_t i = 0; i < intern->count; i++)
        slots[find_slot(intern, texts[i], strlen(texts[i]))] = (uint32_t)i + 1;
    return RELUME_OK;
}

relume_status rlm_intern_add(struct rlm_intern *intern, const char *text, size_t length, uint32_t *number)
{
    if (2 * (intern->count + 1) > intern->slot_count && grow(intern) != RELUME_OK)
        return RELUME_NO_MEMORY;
    size_t slot = find_slot(intern, text, length);
    if (!intern->slots[slot]) {
        if (intern->count == intern->most)
            return RELUME_BAD_DATA;
        char *copy = rlm_strndup(intern->allocator, text, length);
        if (!copy)
            return RELUME_NO_MEMORY;
        intern->texts[intern->count++] = copy;
        intern->slots[slot] = (uint32_t)intern->count;
    }
    *number = intern->slots[slot] - 1;
    return RELUME_OK;
}

void rlm_intern_deinit(struct rlm_intern *intern)
{
    for (size_t i = 0; i < intern->count; i++)
        rlm_free(intern->texts[i]);
    rlm_free(intern->texts);
    rlm_free(intern->slots);
    *intern = (struct rlm_intern){0};
}
