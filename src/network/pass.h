/* The memory of a pass: one batch of samples on its way through the network, and what is kept of it.
 * forward.h runs it.
 *
 * Layouts are those of kernels/args.inc; a layer's buffers are laid out for the batch of the last run. */
#ifndef RLM_NETWORK_PASS_H
#define RLM_NETWORK_PASS_H

#include "base/arena.h"
#include "kernels/kernels.h"
#include "network/network.h"

/* What a pass keeps of every hidden layer beside its activations; or-ed together. */
enum rlm_pass_want {
    RLM_PASS_GATES = 1,     /* gates: one bit a sample and unit */
    RLM_PASS_ACTIVE = 2,    /* active: open gates of this batch, a count a unit; each run sets it anew */
    RLM_PASS_MARGIN = 4,    /* margin: largest pre-activation since rlm_pass_reset */
    RLM_PASS_SUM = 8,       /* sum: activations added up since rlm_pass_reset, 16 lanes a unit */
    RLM_PASS_FEATURES = 16, /* rlm_pass_features: inputs of each layer as feature panels */
    RLM_PASS_LIVE = 32, /* with ACTIVE: live and dead units of each batch, the dead ones left out of the next
                          layer's sums where that pays */
    RLM_PASS_EAGER = 64 /* and where it does not pay, for tests */
};

/* Buffers of one layer; NULL where not wanted, and beyond z always NULL for the last layer. */
struct rlm_pass_layer {
    float *z;         /* sample panels [batch, out_features]; the logits in the last layer */
    uint16_t *gates;  /* [⌈batch/16⌉][out_features] */
    uint32_t *active; /* [out_features] */
    float *margin;    /* [out_features] */
    uint32_t *live; /* [out_features]: the units that some sample of this batch opened, ascending, then those
                       that none did, ascending */
    size_t live_count;
    size_t open;     /* gates of this batch, over all units */
    bool listed;     /* leaving out the others pays */
    uint32_t *asked; /* [asked_count]: the units to work out, ascending, where leaving out the others pays */
    size_t asked_count;
    bool asks;
    double *sum; /* [out_features][16]: lane b % 16 holds the samples at place b of their batch, in order */
};

/* Copies of the packed batch that follow one another in x and in x_features. */
struct rlm_copies {
    size_t count;
    size_t elements; /* from one to the next */
};

struct rlm_pass {
    const relume_network *network;
    size_t capacity;               /* samples a batch may have */
    size_t batch;                  /* of the last run */
    bool eager;                    /* RLM_PASS_EAGER */
    float *x, *x_features;         /* the packed batch; with RLM_PASS_FEATURES, x has room for more: see
                                      rlm_pass_holds_dz */
    struct rlm_copies copies;      /* of it: one a thread where that pays, else one */
    size_t x_open;                 /* numbers of it that are not 0, by estimate; 0: not looked at */
    struct rlm_terms terms;        /* the memory of network/terms.h; with RLM_PASS_LIVE */
    float *features;               /* of rlm_pass_features: the memory of terms.value, where there is one */
    struct rlm_pass_layer *layer;  /* [layers of the network] */
    const struct rlm_pass *lender; /* whose x, z and terms these are; NULL: its own */
    struct rlm_arena arena;
};

/* Allocates a pass for batches of up to `capacity` (at least 1) samples. `wants` is of rlm_pass_want. The
 * network must outlive it. NO_MEMORY. */
relume_status rlm_pass_init(struct rlm_pass *pass, const relume_network *network, size_t capacity,
                            unsigned wants, relume_error *error);
/* The same with the batch, its activations, the lists of terms and the sums in the buffers of `lender`, a
 * pass of the network that outlives this one and is not run while this one's are in use; NULL: none. What the
 * lender held is lost: before it runs again it has to be told once more what it leaves out. Where the lender
 * has less room than `capacity` (a multiple of 16), the capacity becomes that, or where that is small,
 * nothing is borrowed. */
relume_status rlm_pass_init_beside(struct rlm_pass *pass, const relume_network *network, size_t capacity,
                                   unsigned wants, const struct rlm_pass *lender, relume_error *error);
/* A pass that was zeroed and never initialised is fine. */
void rlm_pass_deinit(struct rlm_pass *pass);

/* Sets every margin to −infinity and every sum to 0, as they are after rlm_pass_init. */
void rlm_pass_reset(struct rlm_pass *pass);

/* Where the copy begins, in numbers behind x and x_features, that is near to the thread which works on unit
 * `begin` of the `count` units of the first layer: the pool gives it the same part in every step. All copies
 * hold the same. */
size_t rlm_copies_at(struct rlm_copies copies, size_t begin, size_t count);

/* Whether dz of layer `layer` may lie in x, which serves the forward pass alone: that of the last hidden
 * layer, and of every second one below, so that no two that follow one another do. With RLM_PASS_FEATURES
 * there is room for it. */
bool rlm_pass_holds_dz(const struct rlm_pass *pass, size_t layer);

/* What layer `layer` takes in: sample panels [batch, its in_features]. */
const float *rlm_pass_input(const struct rlm_pass *pass, size_t layer);

/* A batch size that suits a pass over a whole split: enough to fill the vector lanes and reuse the weights,
 * small enough for the caches. */
size_t rlm_pass_capacity(size_t samples);

#endif
