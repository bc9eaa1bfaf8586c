/* Blocks of memory that are freed together: what the facts of a report are made of. */
#ifndef RLM_REPORT_BAG_H
#define RLM_REPORT_BAG_H

#include <stddef.h>

#include "relume/engine.h"

struct rlm_bag {
    const relume_allocator *allocator; /* NULL: the default */
    void **block;
    size_t count, capacity;
};

/* `count` · `size` bytes of zeros that live as long as the bag. NO_MEMORY, `what` named. */
relume_status rlm_bag_take(struct rlm_bag *bag, size_t count, size_t size, const char *what, void **block,
                           relume_error *error);
/* Takes over a block of rlm_alloc; on failure it is freed. NULL is refused as NO_MEMORY. */
relume_status rlm_bag_keep(struct rlm_bag *bag, void *block, const char *what, relume_error *error);
void rlm_bag_deinit(struct rlm_bag *bag);

/* An array of `count` elements for `pointer`. */
#define RLM_BAG_TAKE(bag, pointer, count, what, error)                                                       \
    rlm_bag_take(bag, count, sizeof *(pointer), what, (void **)&(pointer), error)

#endif
