/* A network's file: relume's .safetensors, and PyTorch-style state dicts.
 *
 *     tensors   h1.weight [N, K]  h1.bias [N]  h2.weight …  out.bias     float32, as PyTorch's nn.Linear has
 * them input.offset [K]  input.divisor [K]                      only with a scaling a feature metadata relume
 * the version that wrote it architecture  "[784, 512, 512, 10]" loss, init    "softmax", "he-normal" scaling
 * "[offset, divisor]" for all features, or "per-feature" classes       "[\"T-shirt\", …]", where there are
 * class names image         "[28, 28]", where a sample is an image foreign       "[\"fc1\", …]": the names of
 * the layers in the file they once came from, where there are any
 *
 * All numbers of the metadata are written so that reading them gives the same bits. */
#ifndef RLM_NETWORK_NETWORK_IO_H
#define RLM_NETWORK_NETWORK_IO_H

#include "formats/safetensors.h"
#include "network/network.h"

/* What a file may hold beside the network: a checkpoint's optimizer state and counters. */
struct rlm_network_extra {
    const struct rlm_safetensors_item *items;
    size_t item_count;
    const struct rlm_safetensors_pair *pairs;
    size_t pair_count;
};

/* relume_network_save with more tensors and metadata after the network's own; `extra` may be NULL. DIVERGED
 * when a parameter is not finite: nothing is written then. */
relume_status rlm_network_save_with(const relume_network *network, const char *path,
                                    const struct rlm_network_extra *extra, relume_error *error);

/* relume_network_load from a file that is open; `path` is for messages. What relume's own file holds beside
 * the network is left to the caller. */
relume_status rlm_network_load_from(relume_engine *engine, const struct rlm_safetensors *file,
                                    const char *path, relume_network **network, relume_error *error);

#endif
