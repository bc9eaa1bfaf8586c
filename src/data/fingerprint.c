/* See fingerprint.h, which defines the function. */
#include "data/fingerprint.h"

#include <string.h>

#include "base/checked.h"

#define START 0x72656c756d652031u
#define CHAINS 4
#define BLOCK ((size_t)8 * CHAINS)

static uint64_t add_word(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9fb21c651e98df25u;
    return hash ^ hash >> 32;
}

void rlm_digest_begin(struct rlm_digest *digest)
{
    *digest = (struct rlm_digest){.bytes = 0};
    for (size_t i = 0; i < CHAINS; i++)
        digest->chain[i] = START + i;
}

/* Whole blocks; returns what is left of `size`. */
static size_t add_blocks(uint64_t chain[CHAINS], const unsigned char *at, size_t size)
{
    uint64_t a = chain[0], b = chain[1], c = chain[2], d = chain[3], word[CHAINS];
    for (; size >= BLOCK; at += BLOCK, size -= BLOCK) {
        memcpy(word, at, BLOCK);
        a = add_word(a, word[0]);
        b = add_word(b, word[1]);
        c = add_word(c, word[2]);
        d = add_word(d, word[3]);
    }
    chain[0] = a;
    chain[1] = b;
    chain[2] = c;
    chain[3] = d;
    return size;
}

void rlm_digest_add(struct rlm_digest *digest, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    size_t held = (size_t)(digest->bytes % BLOCK);
    digest->bytes += size;
    if (held) {
        size_t some = rlm_size_min(BLOCK - held, size);
        memcpy(digest->rest + held, at, some);
        at += some;
        size -= some;
        if (held + some < BLOCK)
            return;
        (void)add_blocks(digest->chain, digest->rest, BLOCK);
    }
    size_t left = add_blocks(digest->chain, at, size);
    if (left)
        memcpy(digest->rest, at + (size - left), left);
}

uint64_t rlm_digest_end(const struct rlm_digest *digest)
{
    uint64_t chain[CHAINS], word, hash = 0;
    size_t held = (size_t)(digest->bytes % BLOCK);
    memcpy(chain, digest->chain, sizeof chain);
    for (size_t i = 0; 8 * i < held; i++) {
        word = 0;
        memcpy(&word, digest->rest + 8 * i, rlm_size_min(8, held - 8 * i));
        chain[i] = add_word(chain[i], word);
    }
    for (size_t i = 0; i < CHAINS; i++)
        hash = add_word(hash, chain[i]);
    return add_word(hash, digest->bytes);
}

static uint64_t add_array(uint64_t hash, const void *bytes, size_t size)
{
    struct rlm_digest digest;
    rlm_digest_begin(&digest);
    rlm_digest_add(&digest, bytes, size);
    return add_word(hash, rlm_digest_end(&digest));
}

uint64_t rlm_dataset_fingerprint(const relume_dataset *dataset, uint64_t features)
{
    size_t samples = dataset->train_samples + dataset->test_samples;
    const uint64_t shape[] = {dataset->task,    dataset->element,       dataset->features,
                              dataset->outputs, dataset->train_samples, dataset->test_samples};
    uint64_t hash = START;
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++)
        hash = add_word(hash, shape[i]);
    hash = add_word(hash, features);
    if (dataset->labels)
        hash = add_array(hash, dataset->labels, samples * sizeof *dataset->labels);
    for (size_t i = 0; dataset->class_names && i < dataset->outputs; i++)
        hash = add_array(hash, dataset->class_names[i], strlen(dataset->class_names[i]));
    if (dataset->targets)
        hash = add_array(hash, dataset->targets, samples * dataset->outputs * sizeof *dataset->targets);
    return hash;
}
