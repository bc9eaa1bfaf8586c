/* The fingerprint of a dataset: 64 bits over everything a computation reads.
 *
 *     add(h, w) = g ^ (g >> 32)  with  g = (h ^ w) · 0x9fb21c651e98df25 mod 2⁶⁴
 *
 * An array's digest: its bytes are little-endian words, the last one filled up with zeros. Four chains h
 * begin with 0x72656c756d652031 ("relume 1") plus their number; word i is added to chain i mod 4, so that
 * four multiplications are under way at a time. The digest begins as 0; the four chains and then the array's
 * length in bytes are added to it.
 *
 * The fingerprint begins as 0x72656c756d652031. Added are, in this order: task, element, features, outputs,
 * training samples, test samples; the digest of the raw features; then those of the labels and of each class
 * name, or of the targets. Each addition is a bijection of both h and w, so two datasets that differ in one
 * word differ in the fingerprint. This finds data that changed, not data that was forged. */
#ifndef RLM_DATA_FINGERPRINT_H
#define RLM_DATA_FINGERPRINT_H

#include "data/dataset.h"

/* A digest under way: bytes may come in pieces of any size. */
struct rlm_digest {
    uint64_t chain[4];
    uint64_t bytes; /* so far */
    unsigned char rest[32];
};
void rlm_digest_begin(struct rlm_digest *digest);
void rlm_digest_add(struct rlm_digest *digest, const void *bytes, size_t size);
uint64_t rlm_digest_end(const struct rlm_digest *digest);

/* `features` is the digest of all the dataset's raw features, training rows first. */
uint64_t rlm_dataset_fingerprint(const relume_dataset *dataset, uint64_t features);

#endif
