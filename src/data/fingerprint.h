/* The fingerprint of a dataset: 64 bits over everything a computation reads.
 *
 *     h = 0x72656c756d652031;                     ("relume 1")
 *     for each 64-bit word w:  h = (h ^ w) · 0x9fb21c651e98df25 mod 2⁶⁴;  h = h ^ (h >> 32)
 *
 * The words are, in this order: task, element, features, outputs, training samples, test samples; the raw
 * features; then the labels and class names of a classification or the targets of a regression. An array is
 * its length in bytes and then its bytes as little-endian words, the last one filled up with zeros. Each step
 * is a bijection of h, so two arrays that differ in one word differ in the fingerprint. This finds data that
 * changed, not data that was forged. */
#ifndef RLM_DATA_FINGERPRINT_H
#define RLM_DATA_FINGERPRINT_H

#include "data/dataset.h"

uint64_t rlm_dataset_fingerprint(const relume_dataset *dataset);

#endif
