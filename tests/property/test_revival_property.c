/* Returns foretold to the step, through real training. Units of the first hidden layer, whose inputs are the
 * data and stand still, die or are born dead while the optimizer still moves them; the run ends, and the
 * autopsy says after which update each is alive again. Then the same training goes on far beyond the run's
 * end with a census after every update: each unit must return at its step and not before, and none that was
 * said never to return, or not up to some step, may do so.
 *
 * RELUME_REVIVALS asks for more returns of each kind than the default. */
#include "world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rng.h"
#include "network/network.h"
#include "relume/relume.h"

#define SEED 23
#define SAMPLES 24
#define FEATURES 5
#define WIDTH 640
#define BATCH 8
#define STEPS ((uint64_t)(SAMPLES / BATCH)) /* one epoch */
#define RUNS_MOST 400

/* One way of coming back. */
struct kind {
    const char *name;
    relume_optimizer optimizer;
    double lowest_rate, highest_rate, decay; /* decay: 0.3 to 1 times this */
    uint64_t longer;                         /* epochs to train on */
    bool decays_back; /* weights below 0, biases above, inputs above 0: only decay can bring the units back */
};

static const struct kind kinds[] = {
    {"momentum", RELUME_MOMENTUM, 1.0, 10.0, 0.0, 60, false},
    {"Nesterov momentum", RELUME_NESTEROV, 1.0, 10.0, 0.0, 60, false},
    {"Adam", RELUME_ADAM, 0.05, 0.5, 0.0, 60, false},
    {"AdamW", RELUME_ADAMW, 0.05, 0.5, 0.03, 60, false},
    {"SGD with decay on weights", RELUME_SGD, 0.05, 0.5, 0.2, 200, true},
};

static char root[64];

struct trial {
    const struct kind *kind;
    size_t number;
    relume_engine *engine;
    relume_run *run;
    relume_autopsy *autopsy;
    uint64_t returned[WIDTH]; /* alive after this update, the first beyond the run; 0: at none */
};

struct tally {
    size_t runs, foretold, soon, never, open;
    uint64_t latest; /* updates from the run's end to the return that was furthest off */
};

static double uniform(const struct trial *trial, uint64_t index)
{
    struct rlm_rng rng = {SEED + (uint64_t)(trial->kind - kinds), RLM_RNG_TEST, trial->number};
    return rlm_rng_uniform(&rng, index);
}

static double normal(const struct trial *trial, uint64_t index)
{
    struct rlm_rng rng = {SEED + (uint64_t)(trial->kind - kinds), RLM_RNG_TEST, trial->number};
    return rlm_rng_normal(&rng, index);
}

/* ---- a run ---- */

static void write_data(const struct trial *trial, const char *path)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t k = 0; k < FEATURES; k++)
        fprintf(file, "f%zu,", k);
    fprintf(file, "y\n");
    for (size_t s = 0; s < SAMPLES; s++) {
        for (size_t k = 0; k < FEATURES; k++) {
            double x = normal(trial, s * FEATURES + k);
            fprintf(file, "%.9g,", (double)(float)(trial->kind->decays_back ? 0.2 + fabs(x) : x));
        }
        fprintf(file, "%s\n", uniform(trial, 5000 + s) < 0.5 ? "a" : "b");
    }
    assert_int_equal(fclose(file), 0);
}

/* Biases below 0 leave a stretch between one side and the other in which no sample opens the unit. */
static void set_biases(const struct trial *trial, struct rlm_layer *layer)
{
    for (size_t u = 0; u < layer->out_features; u++) {
        layer->bias[u] = (float)(-1.5 * uniform(trial, 6000 + u));
        if (!trial->kind->decays_back)
            continue;
        layer->bias[u] = (float)(0.3 * uniform(trial, 6000 + u));
        for (size_t k = 0; k < layer->in_features; k++)
            layer->weight[u * layer->stride + k] = -fabsf(layer->weight[u * layer->stride + k]);
    }
}

static void write_model(const struct trial *trial, const char *path)
{
    static const size_t widths[] = {WIDTH, 6};
    relume_network_options options;
    relume_network *network = NULL;
    relume_error error = {0};
    relume_network_options_default(&options);
    options.in_features = FEATURES;
    options.hidden = widths;
    options.hidden_layers = 2;
    options.out_features = 2;
    options.seed = SEED + trial->number;
    assert_ok(relume_network_create(trial->engine, &options, &network, &error), error);
    set_biases(trial, &network->layers[0]);
    assert_ok(relume_network_save(network, path, &error), error);
    relume_network_destroy(network);
}

static relume_trainer_options training_of(const struct trial *trial)
{
    const struct kind *kind = trial->kind;
    relume_trainer_options training;
    relume_trainer_options_default(&training);
    training.optimizer = kind->optimizer;
    training.learning_rate =
        kind->lowest_rate * pow(kind->highest_rate / kind->lowest_rate, uniform(trial, 7000));
    training.momentum = 0.8 + 0.15 * uniform(trial, 7001);
    training.weight_decay = kind->decay * (0.3 + 0.7 * uniform(trial, 7002));
    training.epochs = 1;
    training.batch_size = BATCH;
    training.seed = trial->number;
    training.dense = trial->number % 3 == 0 ? 0 : -1; /* in nets so small skipping would seldom pay */
    return training;
}

static relume_status make_run(struct trial *trial, const char *folder, relume_error *error)
{
    static const size_t widths[] = {WIDTH, 6};
    char data[160], model[160], path[160];
    (void)snprintf(data, sizeof data, "%s/data.csv", folder);
    (void)snprintf(model, sizeof model, "%s/model.safetensors", folder);
    (void)snprintf(path, sizeof path, "%s/run", folder);
    write_data(trial, data);
    write_model(trial, model);
    relume_run_options options;
    relume_run_options_default(&options);
    options.path = path;
    options.data = data;
    options.data_options.target = "y";
    options.hidden = widths;
    options.hidden_layers = 2;
    options.init_from = model;
    options.trainer = training_of(trial);
    relume_run *made = NULL;
    relume_status status = relume_run_train(trial->engine, &options, &made, error);
    relume_run_destroy(made);
    if (status != RELUME_OK)
        return status;
    assert_ok(relume_run_open(trial->engine, path, &trial->run, error), *error);
    return relume_autopsy_hold(trial->run, NULL, &trial->autopsy, error);
}

/* ---- training on ---- */

static void note(struct trial *trial, const relume_census *census, uint64_t step)
{
    const relume_unit_account *unit = relume_census_get_layer(census, 0).unit;
    for (size_t u = 0; u < WIDTH; u++)
        if (unit[u].active > 0 && trial->returned[u] == 0)
            trial->returned[u] = step;
}

/* Trains from the beginning, far beyond the run's end; returns the updates done. */
static uint64_t train_on(struct trial *trial, const char *folder)
{
    char path[200];
    relume_error error = {0};
    relume_network *network = NULL;
    relume_trainer *trainer = NULL;
    relume_census *census = NULL;
    relume_trainer_options training = training_of(trial);
    training.epochs = trial->kind->longer;
    (void)snprintf(path, sizeof path, "%s/run/checkpoints/step-0.safetensors", folder);
    const relume_dataset *dataset = relume_run_get_dataset(trial->run);
    assert_ok(relume_network_load(trial->engine, path, &network, &error), error);
    assert_ok(relume_trainer_create(network, dataset, &training, &trainer, &error), error);
    assert_ok(relume_census_create(network, dataset, RELUME_SPLIT_TRAIN, NULL, &census, &error), error);
    uint64_t step = 0;
    for (; step < trial->kind->longer * STEPS; step++) {
        if (relume_trainer_step(trainer, NULL) != RELUME_OK)
            break; /* diverged: nothing more can be said */
        if (step + 1 <= STEPS)
            continue;
        if (relume_census_count(census, NULL) != RELUME_OK)
            break;
        note(trial, census, step + 1);
    }
    relume_census_destroy(census);
    relume_trainer_destroy(trainer);
    relume_network_destroy(network);
    return step;
}

static void check_death(const struct trial *trial, const relume_death *death, uint64_t trained,
                        struct tally *tally)
{
    const relume_prognosis *p = &death->prognosis;
    uint64_t returned = trial->returned[death->unit];
    assert_int_equal(p->as_of, STEPS);
    assert_true(p->verdict == RELUME_COASTING || p->verdict == RELUME_FROZEN);
    if (p->revives_at != 0 && p->revives_at <= trained) {
        if (returned != p->revives_at)
            fail_msg("%s, run %zu, h1.%zu: foretold %llu, returned %llu: %s", trial->kind->name,
                     trial->number, death->unit, (unsigned long long)p->revives_at,
                     (unsigned long long)returned, p->because);
        uint64_t away = returned - STEPS;
        tally->foretold++;
        tally->soon += away == 1;
        tally->latest = away > tally->latest ? away : tally->latest;
    } else if (p->never) {
        assert_int_equal(returned, 0);
        tally->never++;
    } else {
        assert_true(returned == 0 || returned > p->looked_to);
        tally->open++;
    }
}

static void follow_run(struct trial *trial, struct tally *tally)
{
    char folder[96], command[160];
    relume_error error = {0};
    (void)snprintf(folder, sizeof folder, "%s/run", root);
    assert_int_equal(mkdir(folder, 0700), 0);
    for (size_t u = 0; u < WIDTH; u++)
        trial->returned[u] = 0;
    trial->run = NULL;
    trial->autopsy = NULL;
    relume_status status = make_run(trial, folder, &error);
    if (status == RELUME_OK) {
        assert_ok(relume_run_load_dataset(trial->run, &error), error);
        uint64_t trained = train_on(trial, folder);
        for (size_t i = 0; i < trial->autopsy->deaths; i++)
            if (trial->autopsy->death[i].layer == 0)
                check_death(trial, &trial->autopsy->death[i], trained, tally);
        tally->runs++;
    } else if (status != RELUME_DIVERGED) {
        fail_msg("%s, run %zu: %s", trial->kind->name, trial->number, error.message);
    }
    relume_autopsy_destroy(trial->autopsy);
    relume_run_destroy(trial->run);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    /* NOLINTNEXTLINE(cert-env33-c): a path of this test */
    assert_int_equal(system(command), 0);
}

static void test_returns_are_exact(void **state)
{
    const char *asked = getenv("RELUME_REVIVALS");
    size_t wanted = asked ? strtoul(asked, NULL, 10) : 1000;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        static struct trial trial;
        struct tally tally = {0};
        trial = (struct trial){.kind = &kinds[k], .engine = *state};
        for (; tally.foretold < wanted && trial.number < RUNS_MOST; trial.number++)
            follow_run(&trial, &tally);
        print_message("# %s: %zu returns of h1 foretold to the step, %zu of them with the next update, the "
                      "furthest %llu updates off; %zu units never, %zu not yet; %zu runs\n",
                      kinds[k].name, tally.foretold, tally.soon, (unsigned long long)tally.latest,
                      tally.never, tally.open, tally.runs);
        assert_true(tally.foretold >= wanted);
        assert_true(tally.foretold - tally.soon > wanted / 4); /* not only what any guess would hit */
    }
}

static int begin(void **state)
{
    struct stat memory;
    bool there = stat("/dev/shm", &memory) == 0 && access("/dev/shm", W_OK) == 0;
    (void)snprintf(root, sizeof root, "%s/relume-revival-XXXXXX", there ? "/dev/shm" : "/tmp");
    return mkdtemp(root) ? world_begin(state) : -1;
}

static int end(void **state)
{
    return world_end(state) == 0 ? rmdir(root) : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_returns_are_exact),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
