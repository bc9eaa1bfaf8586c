/* What the trainer shows of a step to whoever watches: the gate bits the forward kernel has written anyway.
 * The trainer knows no census; a watcher must not change anything and must be quick. */
#ifndef RLM_TRAIN_OBSERVER_H
#define RLM_TRAIN_OBSERVER_H

#include <stddef.h>
#include <stdint.h>

struct rlm_layer_step {
    size_t units;
    const uint16_t *gates;  /* [⌈batch/16⌉][units], as kernels/args.inc */
    const uint32_t *active; /* [units]: samples of the batch that opened the gate */
};

struct rlm_step_view {
    uint64_t step;  /* the update this step makes, from 1 */
    uint64_t epoch; /* the epoch it belongs to, from 1 */
    size_t batch;
    size_t layers;                      /* hidden layers */
    const struct rlm_layer_step *layer; /* [layers] */
};

struct rlm_observer {
    void (*stepped)(
        void *user,
        const struct rlm_step_view *view); /* after forward, loss, backward and update of a step */
    void *user;
};

#endif
