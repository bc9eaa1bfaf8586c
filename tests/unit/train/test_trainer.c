/* The trainer: a step by hand, memory, progress, observing, stopping and going on, divergence, and what it
 * refuses. */
#include "world.h"

#include <math.h>

#include "census/ledger.h"
#include "data/dataset.h"
#include "train/trainer.h"

static relume_trainer *trainer_of(relume_network *network, const relume_dataset *dataset,
                                  const relume_trainer_options *options)
{
    relume_trainer *trainer = NULL;
    relume_error error = {0};
    assert_ok(relume_trainer_create(network, dataset, options, &trainer, &error), error);
    return trainer;
}

static relume_trainer_options options_of(relume_optimizer optimizer, uint64_t epochs, size_t batch)
{
    relume_trainer_options options;
    relume_trainer_options_default(&options);
    options.optimizer = optimizer;
    options.epochs = epochs;
    options.batch_size = batch;
    return options;
}

/* ---- one step by hand ---- */

/* Two inputs, two hidden units of which the second is off, one output, squared error, SGD with rate 1/2.
 * Every number is a short binary fraction, so float arithmetic is exact and equality is asked for.
 *
 *     x = (1, 2), h1 = {(1, ½), 0} {(−1, 0), ½}: p = (2, −½), z = (2, 0)
 *     out = (½, 1), ¼: logit 1¼, target ¼: loss 1, d = 2
 *     dout = (4, 0), db = 2; dz = 2·(½, 1)·gate = (1, 0); dh1 row 0 = (1, 2), db = 1; row 1 nothing */
static void test_step_by_hand(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    const float x[] = {1, 2}, target = 0.25f;
    relume_matrix matrix = {
        .samples = 1, .features = 2, .element = RELUME_F32, .x = x, .targets = &target, .outputs = 1};
    relume_dataset *dataset = NULL;
    relume_error error = {0};
    assert_ok(relume_dataset_create(engine, "hand", &matrix, NULL, &dataset, &error), error);
    relume_network *network = world_network(engine, (const size_t[]){2, 2, 1, 0}, RELUME_LOSS_MSE, 0);
    relume_layer h1 = relume_network_get_layer(network, 0), out = relume_network_get_layer(network, 1);
    float *row = h1.weight + h1.weight_stride;
    h1.weight[0] = 1, h1.weight[1] = 0.5f, h1.bias[0] = 0;
    row[0] = -1, row[1] = 0, h1.bias[1] = 0.5f;
    out.weight[0] = 0.5f, out.weight[1] = 1, out.bias[0] = 0.25f;
    relume_trainer_options options = options_of(RELUME_SGD, 1, 1);
    options.learning_rate = 0.5;
    relume_trainer *trainer = trainer_of(network, dataset, &options);
    assert_ok(relume_trainer_step(trainer, &error), error);
    assert_true(h1.weight[0] == 0.5f && h1.weight[1] == -0.5f && h1.bias[0] == -0.5f);
    assert_true(row[0] == -1 && row[1] == 0 && h1.bias[1] == 0.5f);
    assert_true(out.weight[0] == -1.5f && out.weight[1] == 1 && out.bias[0] == -0.75f);
    relume_progress progress = relume_trainer_get_progress(trainer);
    assert_true(progress.loss == 1 && isnan(progress.accuracy) && progress.step == 1 && progress.epoch == 1);
    assert_status(relume_trainer_step(trainer, &error), RELUME_USAGE);
    relume_trainer_destroy(trainer);
    relume_network_destroy(network);
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
}

/* ---- memory ---- */

/* Epochs of one trainer with the ledger watching and a census entered after each: no call to the allocator.
 */
static void run_without_allocating(struct world_memory *memory, relume_network *network,
                                   const relume_dataset *dataset, const relume_trainer_options *options)
{
    relume_error error = {0};
    relume_census *census = NULL;
    struct rlm_ledger ledger;
    relume_trainer *trainer = trainer_of(network, dataset, options);
    assert_ok(relume_census_create(network, dataset, RELUME_SPLIT_TRAIN, NULL, &census, &error), error);
    assert_ok(rlm_ledger_init(&ledger, network, options->optimizer == RELUME_SGD, &error), error);
    struct rlm_observer observer = rlm_ledger_observer(&ledger);
    rlm_trainer_observe(trainer, &observer);
    size_t calls = memory->calls, held = memory->held;
    for (uint64_t epoch = 0; epoch < options->epochs; epoch++) {
        assert_ok(relume_census_count(census, &error), error);
        rlm_ledger_enter(&ledger, census, relume_trainer_get_progress(trainer).step);
        assert_ok(relume_trainer_epoch(trainer, &error), error);
    }
    assert_int_equal(memory->calls, calls);
    assert_int_equal(memory->held, held);
    rlm_ledger_deinit(&ledger);
    relume_census_destroy(census);
    relume_trainer_destroy(trainer);
}

/* Every optimizer and loss, with and without clipping, shuffling and a list of rates. */
static void test_steps_allocate_nothing(void **state)
{
    (void)state;
    struct world_memory memory = {0};
    relume_engine *engine = world_engine(NULL, 2, &memory);
    relume_dataset *dataset = world_dataset(engine, 50, 9, 4, 0, 1);
    const relume_schedule_point points[] = {{1, 0.01}, {5, 0.001}};
    for (int which = 0; which < RELUME_OPTIMIZER_COUNT * RELUME_LOSS_COUNT * 2; which++) {
        relume_network *network = world_network(engine, (const size_t[]){9, 30, 20, 4, 0},
                                                (relume_loss)(which / 2 % RELUME_LOSS_COUNT), 1);
        relume_trainer_options options = options_of((relume_optimizer)(which / 2 / RELUME_LOSS_COUNT), 3, 16);
        options.clip_norm = which % 2;
        options.no_shuffle = which % 2;
        options.learning_rate = 0.01;
        options.weight_decay = which % 2 ? 0.01 : 0;
        if (which % 2) {
            options.schedule = RELUME_SCHEDULE_POINTS;
            options.points = points;
            options.point_count = 2;
        }
        run_without_allocating(&memory, network, dataset, &options);
        relume_network_destroy(network);
    }
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
    assert_int_equal(memory.held, 0);
}

static void test_every_failed_allocation(void **state)
{
    (void)state;
    struct world_memory memory = {0};
    relume_engine *engine = world_engine(NULL, 1, &memory);
    relume_dataset *dataset = world_dataset(engine, 50, 9, 4, 0, 1);
    relume_network *network = world_network(engine, (const size_t[]){9, 30, 4, 0}, RELUME_LOSS_MSE, 1);
    relume_trainer_options options = options_of(RELUME_ADAMW, 3, 16);
    options.clip_norm = 1;
    relume_status status = RELUME_NO_MEMORY;
    size_t held = memory.held;
    for (size_t call = 1; status != RELUME_OK; call++) {
        relume_trainer *trainer = NULL;
        memory.calls = 0;
        memory.refuse_from = call;
        status = relume_trainer_create(network, dataset, &options, &trainer, NULL);
        memory.refuse_from = 0;
        assert_true(status == RELUME_OK || (status == RELUME_NO_MEMORY && trainer == NULL));
        relume_trainer_destroy(trainer);
        assert_int_equal(memory.held, held);
        assert_true(call < 50);
    }
    relume_network_destroy(network);
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
}

/* ---- progress, order, observing ---- */

struct watch {
    uint64_t steps, samples, opened;
    bool consistent;
};

static void watch_step(void *user, const struct rlm_step_view *view)
{
    struct watch *watch = user;
    watch->steps++;
    watch->samples += view->batch;
    watch->consistent = watch->consistent && view->step == watch->steps &&
                        view->epoch == (view->step - 1) / 4 + 1 && view->layers == 2 &&
                        view->layer[0].units == 30 && view->layer[1].units == 20;
    for (size_t l = 0; l < view->layers; l++)
        for (size_t n = 0; n < view->layer[l].units; n++) {
            uint32_t open = 0;
            for (size_t b = 0; b < view->batch; b++)
                open += view->layer[l].gates[b / 16 * view->layer[l].units + n] >> b % 16 & 1;
            watch->consistent = watch->consistent && open == view->layer[l].active[n];
            watch->opened += open;
        }
}

static void test_observer_and_progress(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 2, NULL);
    relume_dataset *dataset = world_dataset(engine, 50, 9, 4, 0, 1);
    relume_network *network =
        world_network(engine, (const size_t[]){9, 30, 20, 4, 0}, RELUME_LOSS_SOFTMAX, 1);
    relume_trainer_options options = options_of(RELUME_MOMENTUM, 2, 16);
    relume_trainer *trainer = trainer_of(network, dataset, &options);
    struct watch watch = {.consistent = true};
    struct rlm_observer observer = {watch_step, &watch};
    relume_error error = {0};
    relume_progress progress = relume_trainer_get_progress(trainer);
    assert_int_equal(progress.steps, 8);
    assert_int_equal(progress.steps_per_epoch, 4);
    assert_true(isnan(progress.loss) && isnan(progress.accuracy) && progress.learning_rate == 0.1);
    rlm_trainer_observe(trainer, &observer);
    assert_ok(relume_trainer_epoch(trainer, &error), error);
    progress = relume_trainer_get_progress(trainer);
    assert_true(progress.step == 4 && progress.epoch == 1 && progress.samples == 50 &&
                progress.step_seconds > 0);
    assert_true(progress.loss > 0 && progress.accuracy >= 0 && progress.accuracy <= 1);
    assert_ok(relume_trainer_step(trainer, &error), error);
    assert_int_equal(rlm_trainer_get_state(trainer).epoch_samples, 16); /* counted anew in each epoch */
    rlm_trainer_observe(trainer, NULL);
    assert_ok(relume_trainer_epoch(trainer, &error), error);
    assert_true(watch.consistent);
    assert_int_equal(watch.steps, 5);
    assert_int_equal(watch.samples, 66);
    assert_true(watch.opened > 0);
    relume_trainer_destroy(trainer);
    relume_network_destroy(network);
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
}

/* With rate 0 the weights stand still, so an epoch's mean loss is the loss over the split whatever the order:
 * every sample is trained on once an epoch. (Sums of floats in double in two orders: 50 · 2⁻⁵³ relative.) */
static void test_every_sample_once_an_epoch(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_dataset *dataset = world_dataset(engine, 50, 9, 4, 0, 1);
    relume_network *network = world_network(engine, (const size_t[]){9, 30, 4, 0}, RELUME_LOSS_SOFTMAX, 1);
    relume_trainer_options options = options_of(RELUME_SGD, 3, 7);
    options.learning_rate = 0;
    relume_trainer *trainer = trainer_of(network, dataset, &options);
    relume_score score;
    relume_error error = {0};
    assert_ok(relume_network_evaluate(network, dataset, RELUME_SPLIT_TRAIN, &score, &error), error);
    for (int epoch = 0; epoch < 3; epoch++) {
        assert_ok(relume_trainer_epoch(trainer, &error), error);
        relume_progress progress = relume_trainer_get_progress(trainer);
        assert_true(fabs(progress.loss - score.loss) <= 50 * 0x1p-52 * score.loss);
        assert_true(progress.accuracy == score.accuracy);
    }
    relume_trainer_destroy(trainer);
    relume_network_destroy(network);
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
}

/* ---- stopping and going on ---- */

/* Copies weights and optimizer state from one trainer's network to another's, and the scalars: what a
 * checkpoint does. */
static void state_copy(relume_trainer *from, const relume_network *a, relume_trainer *to,
                       const relume_network *b)
{
    for (size_t l = 0; l < relume_network_get_layers(a); l++) {
        relume_layer la = relume_network_get_layer(a, l), lb = relume_network_get_layer(b, l);
        size_t weight_bytes = la.out_features * la.weight_stride * sizeof(float);
        memcpy(lb.weight, la.weight, weight_bytes);
        memcpy(lb.bias, la.bias, la.out_features * sizeof(float));
        for (size_t s = 0; s < rlm_trainer_slots(from); s++) {
            struct rlm_slot sa = rlm_trainer_get_slot(from, l, s), sb = rlm_trainer_get_slot(to, l, s);
            assert_string_equal(sa.suffix, sb.suffix);
            memcpy(sb.weight, sa.weight, weight_bytes);
            memcpy(sb.bias, sa.bias, la.out_features * sizeof(float));
        }
    }
    struct rlm_trainer_state scalars = rlm_trainer_get_state(from);
    relume_error error = {0};
    assert_ok(rlm_trainer_set_state(to, &scalars, &error), error);
}

static void test_going_on_from_any_step_gives_the_same_bytes(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_dataset *dataset = world_dataset(engine, 40, 9, 4, 0, 1);
    relume_error error = {0};
    for (int optimizer = 0; optimizer < RELUME_OPTIMIZER_COUNT; optimizer++) {
        relume_trainer_options options = options_of((relume_optimizer)optimizer, 3, 16);
        options.schedule = RELUME_SCHEDULE_COSINE;
        options.learning_rate = 0.01;
        for (uint64_t stop = 0; stop <= 9; stop++) {
            relume_network *whole =
                world_network(engine, (const size_t[]){9, 20, 4, 0}, RELUME_LOSS_SOFTMAX, 1);
            relume_network *second =
                world_network(engine, (const size_t[]){9, 20, 4, 0}, RELUME_LOSS_SOFTMAX, 2);
            relume_trainer *a = trainer_of(whole, dataset, &options),
                           *b = trainer_of(second, dataset, &options);
            for (uint64_t step = 0; step < stop; step++)
                assert_ok(relume_trainer_step(a, &error), error);
            state_copy(a, whole, b, second);
            for (uint64_t step = stop; step < 9; step++) {
                assert_ok(relume_trainer_step(a, &error), error);
                assert_ok(relume_trainer_step(b, &error), error);
            }
            assert_true(world_networks_equal(whole, second));
            assert_true(relume_trainer_get_progress(a).loss == relume_trainer_get_progress(b).loss);
            struct rlm_trainer_state beyond = {.step = 10};
            assert_status(rlm_trainer_set_state(b, &beyond, &error), RELUME_USAGE);
            relume_trainer_destroy(a);
            relume_trainer_destroy(b);
            relume_network_destroy(whole);
            relume_network_destroy(second);
        }
    }
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
}

/* ---- divergence ---- */

static void test_divergence_is_named_and_leaves_weights(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 2, NULL);
    relume_dataset *dataset = world_dataset(engine, 64, 9, 4, 0, 1);
    for (int clip = 0; clip < 2; clip++) {
        relume_network *network =
            world_network(engine, (const size_t[]){9, 20, 20, 4, 0}, RELUME_LOSS_MSE, 1);
        relume_network *before = world_network(engine, (const size_t[]){9, 20, 20, 4, 0}, RELUME_LOSS_MSE, 1);
        relume_trainer_options options = options_of(RELUME_SGD, 100, 16);
        options.learning_rate = clip ? 1e30 : 1e4;
        options.clip_norm = clip ? 1e30 : 0;
        relume_trainer *trainer = trainer_of(network, dataset, &options);
        relume_error error = {0};
        relume_status status;
        for (;;) {
            for (size_t l = 0; l < 3; l++) {
                relume_layer from = relume_network_get_layer(network, l),
                             to = relume_network_get_layer(before, l);
                memcpy(to.weight, from.weight, from.out_features * from.weight_stride * sizeof(float));
                memcpy(to.bias, from.bias, from.out_features * sizeof(float));
            }
            status = relume_trainer_step(trainer, &error);
            if (status != RELUME_OK)
                break;
        }
        assert_int_equal(status, RELUME_DIVERGED);
        assert_true(world_networks_equal(network, before));
        relume_progress progress = relume_trainer_get_progress(trainer);
        char step[64];
        (void)snprintf(step, sizeof step, "step %llu (epoch 1): ", (unsigned long long)progress.step + 1);
        assert_int_equal(strncmp(error.message, step, strlen(step)), 0);
        assert_non_null(strchr(error.item, '.'));
        assert_non_null(strstr(error.message, error.item));
        assert_non_null(strstr(error.message, "Lower the learning rate"));
        assert_status(relume_trainer_step(trainer, &error), RELUME_DIVERGED); /* again: nothing has moved */
        relume_trainer_destroy(trainer);
        relume_network_destroy(network);
        relume_network_destroy(before);
    }
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
}

/* Logits of 1e20 are finite, their squares are not. */
static void test_loss_that_overflows(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_dataset *dataset = world_dataset(engine, 8, 3, 0, 2, 1);
    relume_network *network = world_network(engine, (const size_t[]){3, 4, 2, 0}, RELUME_LOSS_MSE, 1);
    relume_network_get_layer(network, 1).bias[1] = 1e20f;
    relume_trainer_options options = options_of(RELUME_SGD, 1, 8);
    options.no_shuffle = 1;
    relume_trainer *trainer = trainer_of(network, dataset, &options);
    relume_error error = {0};
    assert_status(relume_trainer_step(trainer, &error), RELUME_DIVERGED);
    assert_string_equal(error.item, "out.1");
    assert_non_null(strstr(error.message, "the loss of training sample 0 is inf"));
    relume_trainer_destroy(trainer);
    relume_network_destroy(network);
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
}

/* ---- refusing ---- */

static void test_bad_options_are_named(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_dataset *dataset = world_dataset(engine, 8, 3, 2, 0, 1);
    relume_network *network = world_network(engine, (const size_t[]){3, 4, 2, 0}, RELUME_LOSS_SOFTMAX, 1);
    relume_trainer *trainer = NULL;
    relume_error error = {0};
    relume_trainer_options good = options_of(RELUME_SGD, 1, 4), options;
#define REFUSED(field, value, word)                                                                          \
    options = good;                                                                                          \
    options.field = value;                                                                                   \
    assert_status(relume_trainer_create(network, dataset, &options, &trainer, &error), RELUME_USAGE);        \
    assert_non_null(strstr(error.message, word))
    REFUSED(batch_size, 0, "batch_size");
    REFUSED(learning_rate, -1, "learning_rate");
    REFUSED(learning_rate, NAN, "learning_rate");
    REFUSED(learning_rate, 1e39, "learning_rate");
    REFUSED(momentum, 1, "momentum");
    REFUSED(beta1, 1, "beta1");
    REFUSED(beta2, -0.1, "beta2");
    REFUSED(epsilon, 0, "epsilon");
    REFUSED(epsilon, 1e-46, "epsilon");
    REFUSED(weight_decay, INFINITY, "weight_decay");
    REFUSED(clip_norm, -1, "clip_norm");
    REFUSED(epochs, UINT64_MAX, "epochs");
    REFUSED(optimizer, RELUME_OPTIMIZER_COUNT, "optimizer");
    REFUSED(schedule, RELUME_SCHEDULE_COUNT, "schedule");
    REFUSED(schedule, RELUME_SCHEDULE_POINTS, "no points");
#undef REFUSED
    const relume_schedule_point falling[] = {{5, 1}, {5, 2}}, negative[] = {{1, -1}}, zeroth[] = {{0, 1}};
    const relume_schedule_point *bad[] = {falling, negative, zeroth};
    const size_t counts[] = {2, 1, 1};
    for (int i = 0; i < 3; i++) {
        options = good;
        options.schedule = RELUME_SCHEDULE_POINTS;
        options.points = bad[i];
        options.point_count = counts[i];
        assert_status(relume_trainer_create(network, dataset, &options, &trainer, &error), RELUME_USAGE);
        assert_string_equal(error.item, "points");
    }
    relume_dataset *wide = world_dataset(engine, 8, 5, 2, 0, 1);
    assert_status(relume_trainer_create(network, wide, &good, &trainer, &error), RELUME_MISMATCH);
    assert_null(trainer);
    relume_dataset_destroy(wide);
    relume_network_destroy(network);
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
}

static void test_null_options_are_the_defaults(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_dataset *dataset = world_dataset(engine, 300, 3, 2, 0, 1);
    relume_network *network = world_network(engine, (const size_t[]){3, 2, 0}, RELUME_LOSS_SOFTMAX, 1);
    relume_trainer *trainer = trainer_of(network, dataset, NULL);
    assert_int_equal(relume_trainer_get_progress(trainer).steps,
                     30); /* 3 batches of 128 or less, 10 epochs */
    relume_trainer_destroy(trainer);
    relume_trainer_destroy(NULL);
    relume_network_destroy(network);
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
}

/* The points are copied: the caller's may go. */
static void test_points_are_copied(void **state)
{
    (void)state;
    relume_engine *engine = world_engine(NULL, 1, NULL);
    relume_dataset *dataset = world_dataset(engine, 8, 3, 2, 0, 1);
    relume_network *network = world_network(engine, (const size_t[]){3, 2, 0}, RELUME_LOSS_SOFTMAX, 1);
    relume_schedule_point points[] = {{1, 0.5}, {2, 0.25}};
    relume_trainer_options options = options_of(RELUME_SGD, 4, 8);
    options.schedule = RELUME_SCHEDULE_POINTS;
    options.points = points;
    options.point_count = 2;
    relume_trainer *trainer = trainer_of(network, dataset, &options);
    memset(points, 0, sizeof points);
    relume_error error = {0};
    assert_true(relume_trainer_get_progress(trainer).learning_rate == 0.5);
    assert_ok(relume_trainer_step(trainer, &error), error);
    assert_ok(relume_trainer_step(trainer, &error), error);
    assert_true(relume_trainer_get_progress(trainer).learning_rate == 0.25);
    relume_trainer_destroy(trainer);
    relume_network_destroy(network);
    relume_dataset_destroy(dataset);
    relume_engine_destroy(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_step_by_hand),
        cmocka_unit_test(test_steps_allocate_nothing),
        cmocka_unit_test(test_every_failed_allocation),
        cmocka_unit_test(test_observer_and_progress),
        cmocka_unit_test(test_every_sample_once_an_epoch),
        cmocka_unit_test(test_going_on_from_any_step_gives_the_same_bytes),
        cmocka_unit_test(test_divergence_is_named_and_leaves_weights),
        cmocka_unit_test(test_loss_that_overflows),
        cmocka_unit_test(test_bad_options_are_named),
        cmocka_unit_test(test_null_options_are_the_defaults),
        cmocka_unit_test(test_points_are_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
