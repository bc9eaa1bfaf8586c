/* See fingerprint.h, which defines the function. */
#include "data/fingerprint.h"

#include <string.h>

static uint64_t add_word(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9fb21c651e98df25u;
    return hash ^ hash >> 32;
}

static uint64_t add_bytes(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    hash = add_word(hash, size);
    for (; size >= 8; at += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = add_word(hash, word);
    }
    if (size) {
        uint64_t word = 0;
        memcpy(&word, at, size);
        hash = add_word(hash, word);
    }
    return hash;
}

uint64_t rlm_dataset_fingerprint(const relume_dataset *dataset)
{
    size_t samples = dataset->train_samples + dataset->test_samples;
    size_t element = dataset->element == RELUME_U8 ? 1 : sizeof(float);
    const uint64_t shape[] = {dataset->task,    dataset->element,       dataset->features,
                              dataset->outputs, dataset->train_samples, dataset->test_samples};
    uint64_t hash = 0x72656c756d652031u;
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++)
        hash = add_word(hash, shape[i]);
    hash = add_bytes(hash, dataset->x, samples * dataset->features * element);
    if (dataset->labels)
        hash = add_bytes(hash, dataset->labels, samples * sizeof *dataset->labels);
    for (size_t i = 0; dataset->class_names && i < dataset->outputs; i++)
        hash = add_bytes(hash, dataset->class_names[i], strlen(dataset->class_names[i]));
    if (dataset->targets)
        hash = add_bytes(hash, dataset->targets, samples * dataset->outputs * sizeof *dataset->targets);
    return hash;
}
