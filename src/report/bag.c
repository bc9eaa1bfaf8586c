/* See bag.h. */
#include "report/bag.h"

#include "base/alloc.h"
#include "base/error.h"

relume_status rlm_bag_keep(struct rlm_bag *bag, void *block, const char *what, relume_error *error)
{
    if (block && bag->count == bag->capacity) {
        size_t capacity = bag->capacity == 0 ? 64 : 2 * bag->capacity;
        void **larger = rlm_realloc(bag->allocator, bag->block, capacity, sizeof *larger);
        if (!larger) {
            rlm_free(block);
            return rlm_error_memory(error, capacity * sizeof *larger, what);
        }
        bag->block = larger;
        bag->capacity = capacity;
    }
    if (!block)
        return rlm_error_memory(error, 0, what);
    bag->block[bag->count++] = block;
    return RELUME_OK;
}

relume_status rlm_bag_take(struct rlm_bag *bag, size_t count, size_t size, const char *what, void **block,
                           relume_error *error)
{
    void *made = rlm_alloc_zero(bag->allocator, count, size);
    if (!made)
        return rlm_error_memory(error, count * size, what);
    RLM_TRY(rlm_bag_keep(bag, made, what, error));
    *block = made;
    return RELUME_OK;
}

void rlm_bag_deinit(struct rlm_bag *bag)
{
    for (size_t i = 0; i < bag->count; i++)
        rlm_free(bag->block[i]);
    rlm_free(bag->block);
    *bag = (struct rlm_bag){.allocator = bag->allocator};
}
