/* See alloc.h. Each block has a 64-byte head with its size and allocator; what the caller gets is aligned. */
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

#define HEAD 64

/* What alignment adds behind a block belongs to nobody: under AddressSanitizer a touch of it is an error, as
 * it is behind a block of malloc. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GUARDED 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define GUARDED 1
#endif
#ifdef GUARDED
#include <sanitizer/asan_interface.h>
#define guard(from, size) ASAN_POISON_MEMORY_REGION(from, size)
#define unguard(from, size) ASAN_UNPOISON_MEMORY_REGION(from, size)
#else
#define guard(from, size) ((void)0)
#define unguard(from, size) ((void)0)
#endif

struct head {
    relume_allocator allocator;
    size_t bytes; /* with the head */
    size_t used;  /* of what follows the head */
};

static void *default_alloc(void *user, size_t size, size_t align)
{
    (void)user;
    return aligned_alloc(align, size);
}

static void default_free(void *user, void *memory, size_t size)
{
    (void)user;
    (void)size;
    free(memory);
}

const relume_allocator rlm_allocator_default = {default_alloc, default_free, NULL};

static struct head *block_head(void *block)
{
    return (struct head *)(void *)((char *)block - HEAD);
}

void *rlm_alloc(const relume_allocator *allocator, size_t count, size_t size)
{
    _Static_assert(sizeof(struct head) <= HEAD, "the head fits before the block");
    if (!allocator)
        allocator = &rlm_allocator_default;
    size_t bytes;
    if (!rlm_size_multiply(count, size, &bytes) || !rlm_size_add(bytes, 2 * (size_t)HEAD, &bytes))
        return NULL;
    /* head and contents, rounded up: aligned_alloc wants a multiple of the alignment */
    bytes = bytes / HEAD * HEAD;
    char *memory = allocator->alloc(allocator->user, bytes, HEAD);
    if (!memory)
        return NULL;
    struct head *head = (struct head *)(void *)memory;
    head->allocator = *allocator;
    head->bytes = bytes;
    head->used = count * size;
    guard(memory + HEAD + head->used, bytes - HEAD - head->used);
    return memory + HEAD;
}

void *rlm_alloc_zero(const relume_allocator *allocator, size_t count, size_t size)
{
    void *block = rlm_alloc(allocator, count, size);
    if (block)
        memset(block, 0, block_head(block)->used);
    return block;
}

void *rlm_realloc(const relume_allocator *allocator, void *block, size_t count, size_t size)
{
    if (!block)
        return rlm_alloc(allocator, count, size);
    struct head *head = block_head(block);
    size_t wanted, held = head->used;
    if (!rlm_size_multiply(count, size, &wanted))
        return NULL;
    if (wanted <= head->bytes - HEAD) {
        if (wanted > held) {
            unguard((char *)block + held, wanted - held);
            head->used = wanted;
        }
        return block;
    }
    void *larger = rlm_alloc(allocator, count, size);
    if (!larger)
        return NULL;
    memcpy(larger, block, held);
    rlm_free(block);
    return larger;
}

char *rlm_strndup(const relume_allocator *allocator, const char *text, size_t length)
{
    char *copy = rlm_alloc(allocator, length + 1, 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *rlm_strdup(const relume_allocator *allocator, const char *text)
{
    return rlm_strndup(allocator, text, strlen(text));
}

void rlm_free(void *block)
{
    if (!block)
        return;
    struct head *head = block_head(block);
    relume_allocator allocator = head->allocator;
    unguard(block, head->bytes - HEAD);
    allocator.free(allocator.user, head, head->bytes);
}
