/* Bounds of life: which learning rates of one update kill a unit, and how far a dead unit is from firing. */
#ifndef RLM_AUTOPSY_BOUNDS_H
#define RLM_AUTOPSY_BOUNDS_H

#include "autopsy/inputs.h"
#include "autopsy/move.h"

/* The lethal learning rates of one update, as float32 numbers, the inputs held as given. The engine's own
 * arithmetic decides: the unit is dead over all samples at `low` and at `high`, alive at the floats just
 * outside. */
struct rlm_lethal {
    bool some; /* some rate kills; otherwise the rest is 0 */
    float
        low; /* smallest lethal rate; 0: it would be dead without this update too (the layers below did it) */
    float safe; /* largest safe rate below low; 0 when there is none above 0 */
    float high; /* largest lethal rate; infinite: however large the rate, it dies */
};

/* Beyond it nothing is a learning rate, and none is looked at; weights stay far from overflow. */
#define RLM_HIGHEST_RATE 1e18f

/* Scratch of rlm_lethal_find and rlm_coast_scan for one layer's inputs. Several searches may run at once,
 * each at a place of its own. */
struct rlm_bench {
    struct rlm_variants variants;
    size_t rows;    /* variants that `row` holds */
    float *row;     /* [rows, rlm_variant_stride] */
    uint32_t *list; /* [RLM_BENCH_PLACES][2][samples] */
    struct rlm_arena arena;
};
#define RLM_BENCH_ROWS 128
#define RLM_BENCH_PLACES 16
relume_status rlm_bench_init(struct rlm_bench *bench, const struct rlm_inputs *inputs, relume_error *error);
void rlm_bench_deinit(struct rlm_bench *bench);

/* Finds the lethal rates of `move`. `anchor` is a rate known to kill (0: none known). In real numbers, with p
 * before the update and −d what a rate of 1 adds to it at each sample, they are  max over d>0 of p/d ≤ lr ≤
 * min over d<0 of p/d; the ends are then moved to the floats at which the engine's verdict changes. Allocates
 * nothing. */
void rlm_lethal_find(const struct rlm_inputs *inputs, const struct rlm_move *move, double anchor,
                     struct rlm_bench *bench, struct rlm_lethal *lethal);

/* The same from a count that the caller has held of move->before and of rlm_move_push's variant, at a place
 * of the bench. Both may be −infinity for groups of samples that surely leave the unit shut up to
 * RLM_HIGHEST_RATE, or up to a rate at which another sample surely opens it, and higher ones further; then
 * `anchor` must be a rate that kills. */
struct rlm_columns {
    const struct rlm_variants *variants;
    size_t before, push; /* places in it */
};
void rlm_lethal_search(const struct rlm_inputs *inputs, const struct rlm_move *move,
                       const struct rlm_columns *columns, double anchor, const struct rlm_bench *bench,
                       size_t place, struct rlm_lethal *lethal);

/* How far a unit is from life, from a count of it. */
struct rlm_distance {
    double margin; /* −max p: how much the bias alone would have to rise */
    double parameters; /* min over samples of −p / √(‖x‖² + 1): the smallest change of weights and bias, as a
                          2-norm */
    size_t sample; /* the sample of that minimum */
};
struct rlm_distance rlm_distance_find(const struct rlm_inputs *inputs, const struct rlm_variants *variants,
                                      size_t index);

#endif
