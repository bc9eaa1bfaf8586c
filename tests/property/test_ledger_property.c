/* The ledger against the truth: small networks are trained step by step, every unit is counted after every
 * single update, and the events that the ledger derives from censuses held now and then must hold against
 * that. The gates of each batch are computed again with fmaf, in the one order of rounding, for the silence
 * counters. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "census/ledger.h"
#include "relume/relume.h"
#include "train/trainer.h"

#define SEED 7
#define RUNS 150
#define SAMPLES 37
#define FEATURES 5
#define WIDTH 12
#define HIDDEN 2
#define BATCH 8
#define EPOCHS 8
#define STEPS ((uint64_t)EPOCHS * ((SAMPLES + BATCH - 1) / BATCH))
#define VALUES ((size_t)SAMPLES * FEATURES)

struct life {
    uint8_t dead[STEPS + 1]; /* after each number of updates */
    uint64_t last_sample;    /* from 1; 0: never */
    uint64_t last_step;
};

struct trial {
    relume_engine *engine;
    relume_dataset *dataset;
    relume_network *network;
    relume_trainer *trainer;
    relume_census *census;
    struct rlm_ledger ledger;
    float x[VALUES];
    struct life life[HIDDEN][WIDTH];
    uint64_t samples, interval;
};

static struct {
    uint64_t deaths, exact, revivals, first_deaths, first_revivals, diverged;
} seen;

static double draw(size_t run, uint64_t index)
{
    struct rlm_rng rng = {SEED, RLM_RNG_TEST, run};
    return rlm_rng_normal(&rng, index);
}

/* Inputs with a common offset, in most runs: what makes units die. */
static void make_data(struct trial *trial, size_t run, relume_error *error)
{
    uint32_t labels[SAMPLES];
    double offset = (double)(run % 4);
    for (size_t i = 0; i < VALUES; i++)
        trial->x[i] = (float)(draw(run, i) + offset);
    for (size_t s = 0; s < SAMPLES; s++)
        labels[s] = draw(run, 1000 + s) > 0;
    relume_matrix matrix = {.samples = SAMPLES,
                            .features = FEATURES,
                            .element = RELUME_F32,
                            .x = trial->x,
                            .labels = labels,
                            .classes = 2};
    assert_ok(relume_dataset_create(trial->engine, "random", &matrix, NULL, &trial->dataset, error), *error);
}

static void make_trial(struct trial *trial, size_t run, relume_optimizer optimizer)
{
    relume_error error = {0};
    memset(trial->life, 0, sizeof trial->life);
    trial->samples = 0;
    trial->interval = 1 + run % 11;
    make_data(trial, run, &error);
    relume_network_options options;
    relume_network_options_default(&options);
    options.in_features = FEATURES;
    options.hidden_layers = HIDDEN;
    options.hidden = (const size_t[]){WIDTH, WIDTH};
    options.out_features = 2;
    options.seed = run;
    assert_ok(relume_network_create(trial->engine, &options, &trial->network, &error), error);
    relume_trainer_options training;
    relume_trainer_options_default(&training);
    training.optimizer = optimizer;
    training.epochs = EPOCHS;
    training.batch_size = BATCH;
    training.no_shuffle = 1;
    training.dense = run % 3 == 0 ? 0 : -1; /* the networks are so small that skipping would seldom pay */
    training.learning_rate = 0.02 * pow(2, (double)(run % 9)); /* 0.02 to 5.12 */
    if (run % 5 == 0)
        training.clip_norm = 1;
    assert_ok(relume_trainer_create(trial->network, trial->dataset, &training, &trial->trainer, &error),
              error);
    assert_ok(relume_census_create(trial->network, trial->dataset, RELUME_SPLIT_TRAIN, NULL, &trial->census,
                                   &error),
              error);
    assert_ok(rlm_ledger_init(&trial->ledger, trial->network, optimizer == RELUME_SGD, &error), error);
    struct rlm_observer observer = rlm_ledger_observer(&trial->ledger);
    rlm_trainer_observe(trial->trainer, &observer);
}

static void free_trial(struct trial *trial)
{
    rlm_ledger_deinit(&trial->ledger);
    relume_census_destroy(trial->census);
    relume_trainer_destroy(trial->trainer);
    relume_network_destroy(trial->network);
    relume_dataset_destroy(trial->dataset);
}

/* Marks the units that sample `s` opens, at the weights before update `step`. */
static void fire(struct trial *trial, size_t s, uint64_t step)
{
    float in[WIDTH], out[WIDTH];
    memcpy(in, trial->x + s * FEATURES, FEATURES * sizeof *in);
    trial->samples++;
    for (size_t l = 0; l < HIDDEN; l++) {
        relume_layer layer = relume_network_get_layer(trial->network, l);
        for (size_t n = 0; n < WIDTH; n++) {
            float p = 0;
            for (size_t k = 0; k < layer.in_features; k++)
                p = fmaf(in[k], layer.weight[n * layer.weight_stride + k], p);
            p += layer.bias[n];
            out[n] = p > 0 ? p : 0;
            if (p > 0) {
                trial->life[l][n].last_sample = trial->samples;
                trial->life[l][n].last_step = step;
            }
        }
        memcpy(in, out, sizeof in);
    }
}

static void fire_batch(struct trial *trial, uint64_t step)
{
    size_t per_epoch = (SAMPLES + BATCH - 1) / BATCH, first = (size_t)((step - 1) % per_epoch) * BATCH;
    for (size_t s = first; s < first + BATCH && s < SAMPLES; s++)
        fire(trial, s, step);
}

static bool note_states(struct trial *trial, uint64_t step)
{
    if (relume_census_count(trial->census, NULL) != RELUME_OK)
        return false;
    for (size_t l = 0; l < HIDDEN; l++)
        for (size_t u = 0; u < WIDTH; u++)
            trial->life[l][u].dead[step] = relume_census_get_layer(trial->census, l).unit[u].active == 0;
    return true;
}

/* ---- what must hold ---- */

static void check_event(const struct trial *trial, const relume_event *event, int plain)
{
    const uint8_t *dead = trial->life[event->layer][event->unit].dead;
    uint8_t after = event->kind != RELUME_REVIVED;
    assert_int_equal(dead[event->step], after);
    if (event->kind == RELUME_BORN_DEAD) {
        assert_int_equal(event->step, 0);
        assert_int_equal(event->exact, 1);
        return;
    }
    assert_true(event->after_step < event->step);
    assert_int_equal(dead[event->after_step], !after);
    assert_int_equal(event->exact, event->step - event->after_step == 1);
    seen.deaths += event->kind == RELUME_KILLED;
    seen.revivals += event->kind == RELUME_REVIVED;
    seen.exact += (uint64_t)event->exact;
    if (event->layer != 0 || !plain)
        return;
    seen.first_revivals += event->kind == RELUME_REVIVED;
    seen.first_deaths += event->kind == RELUME_KILLED;
    assert_int_equal(event->exact, 1); /* first hidden layer under plain SGD */
}

static void check_census(struct trial *trial, uint64_t step, int plain)
{
    rlm_ledger_enter(&trial->ledger, trial->census, step);
    for (size_t i = 0; i < trial->ledger.event_count; i++)
        check_event(trial, &trial->ledger.event[i], plain);
    for (size_t l = 0; l < HIDDEN; l++) {
        const struct rlm_ledger_layer *layer = &trial->ledger.layer[l];
        assert_int_equal(layer->born_dead + layer->deaths - layer->revivals,
                         relume_census_get_layer(trial->census, l).dead);
        for (size_t u = 0; u < WIDTH; u++) {
            const struct life *life = &trial->life[l][u];
            assert_int_equal(rlm_ledger_silent(&trial->ledger, l, u), trial->samples - life->last_sample);
            assert_int_equal(layer->last_step[u], life->last_step);
        }
    }
}

static void follow(struct trial *trial, int plain)
{
    assert_true(note_states(trial, 0));
    check_census(trial, 0, plain);
    for (uint64_t step = 1; step <= STEPS; step++) {
        fire_batch(trial, step);
        if (relume_trainer_step(trial->trainer, NULL) != RELUME_OK || !note_states(trial, step)) {
            seen.diverged++;
            return;
        }
        if (step % trial->interval == 0 || step == STEPS)
            check_census(trial, step, plain);
    }
}

static void follow_all(relume_optimizer optimizer)
{
    struct trial *trial = calloc(1, sizeof *trial);
    assert_non_null(trial);
    relume_error error = {0};
    assert_ok(relume_engine_create(NULL, &trial->engine, &error), error);
    memset(&seen, 0, sizeof seen);
    for (size_t run = 0; run < RUNS; run++) {
        make_trial(trial, run, optimizer);
        follow(trial, optimizer == RELUME_SGD);
        free_trial(trial);
    }
    relume_engine_destroy(trial->engine);
    free(trial);
    print_message("# %s, seed %d: %llu deaths, %llu revivals, %llu exact; %llu runs diverged\n",
                  relume_optimizer_name(optimizer), SEED, (unsigned long long)seen.deaths,
                  (unsigned long long)seen.revivals, (unsigned long long)seen.exact,
                  (unsigned long long)seen.diverged);
    assert_true(seen.deaths > 300 && seen.revivals > 20);
}

static void test_plain_sgd(void **state)
{
    (void)state;
    follow_all(RELUME_SGD);
    assert_true(seen.first_deaths > 100);
    assert_int_equal(seen.first_revivals, 0);
}

static void test_momentum(void **state)
{
    (void)state;
    follow_all(RELUME_MOMENTUM);
}

static void test_adam(void **state)
{
    (void)state;
    follow_all(RELUME_ADAM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_sgd),
        cmocka_unit_test(test_momentum),
        cmocka_unit_test(test_adam),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
