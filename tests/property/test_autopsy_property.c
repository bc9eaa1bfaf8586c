/* The autopsy against the truth. Small networks of four hidden layers are trained as runs under every
 * optimizer; then the same training is done again step by step, every unit is counted by a census after every
 * single update, and all that the autopsy said must hold against that: steps, counts, margins, splits,
 * causes, lethal rates, prognoses.
 *
 * Causes are checked by brute force: the update of one unit is made again from its definition
 * (kernels/args.inc) with a part left out, put into the network, and a census is held. Prognoses are checked
 * by training on, ten times as long.
 *
 * RELUME_AUTOPSY_RUNS asks for more runs than the default. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "autopsy/moment.h"
#include "base/rng.h"
#include "relume/relume.h"
#include "train/optimizer.h"

#define SEED 11
#define SAMPLES 40
#define FEATURES 6
#define WIDTH 10
#define HIDDEN 4
#define BATCH 8
#define EPOCHS 6
#define PER_EPOCH ((SAMPLES + BATCH - 1) / BATCH)
#define STEPS ((uint64_t)EPOCHS * PER_EPOCH)
#define LONGER 11

static char root[64];

struct life {
    uint64_t active[STEPS + 1];
    float margin[STEPS + 1];
};

struct trial {
    relume_engine *engine;
    relume_run *run;
    relume_autopsy *autopsy;
    relume_network *network, *before;
    relume_trainer *trainer;
    relume_census *census, *census_before;
    struct rlm_moment moment;
    relume_trainer_options training;
    struct life life[HIDDEN][WIDTH];
    uint8_t returned[HIDDEN][WIDTH]; /* alive at some step after the run's end */
    uint64_t returned_at[HIDDEN][WIDTH];
};

static struct {
    size_t runs, diverged, records, by_layer[HIDDEN], born, episodes, starts, each, together, drift, outlier,
        lethal, rates;
    size_t verdict[4], revivals_foretold, never, causes[7];
    double worst; /* |error| / rounding of the split */
} seen;

static double draw(size_t run, uint64_t index)
{
    struct rlm_rng rng = {SEED, RLM_RNG_TEST, run};
    return rlm_rng_normal(&rng, index);
}

/* ---- a run ---- */

/* A .npy file of bytes [rows, columns]; one column: [rows]. */
static void write_bytes(const char *path, const uint8_t *value, size_t rows, size_t columns)
{
    char header[119], shape[32];
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    (void)snprintf(shape, sizeof shape, columns == 1 ? "(%zu,)" : "(%zu, %zu)", rows, columns);
    (void)snprintf(header, sizeof header, "{'descr': '|u1', 'fortran_order': False, 'shape': %s, }", shape);
    fprintf(file, "\x93NUMPY%c%c%c%c%-117s\n", 1, 0, 118, 0, header);
    assert_int_equal(fwrite(value, columns, rows, file), rows);
    assert_int_equal(fclose(file), 0);
}

/* The same as bytes, which the autopsy bounds by whole numbers where the CPU can: some dark, many of them 0.
 */
static void write_byte_data(const char *path, const char *labels, size_t run)
{
    uint8_t x[SAMPLES][FEATURES], y[SAMPLES];
    for (size_t s = 0; s < SAMPLES; s++) {
        for (size_t k = 0; k < FEATURES; k++) {
            double value = 60.0 + (double)(run % 3) * 40.0 + 70.0 * draw(run, s * FEATURES + k);
            x[s][k] = (uint8_t)fmax(0.0, fmin(255.0, value));
        }
        y[s] = draw(run, 5000 + s) > 0.0;
    }
    write_bytes(path, &x[0][0], SAMPLES, FEATURES);
    write_bytes(labels, y, SAMPLES, 1);
}

static void write_data(const char *path, size_t run)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    double offset = (double)(run % 3) * 0.7;
    for (size_t k = 0; k < FEATURES; k++)
        fprintf(file, "f%zu,", k);
    fprintf(file, "y\n");
    for (size_t s = 0; s < SAMPLES; s++) {
        double scale = s == 3 && run % 7 == 0 ? 20.0 : 1.0; /* an outlier, sometimes */
        for (size_t k = 0; k < FEATURES; k++)
            fprintf(file, "%.9g,", (double)(float)(scale * (draw(run, s * FEATURES + k) + offset)));
        fprintf(file, "%s\n", draw(run, 5000 + s) > 0 ? "a" : "b");
    }
    assert_int_equal(fclose(file), 0);
}

static void set_training(struct trial *trial, size_t run)
{
    relume_trainer_options *training = &trial->training;
    relume_trainer_options_default(training);
    training->optimizer = (relume_optimizer)(run % RELUME_OPTIMIZER_COUNT);
    bool adam = training->optimizer == RELUME_ADAM || training->optimizer == RELUME_ADAMW;
    size_t draw_of = run / RELUME_OPTIMIZER_COUNT;
    training->learning_rate = (adam ? 0.01 : 0.1) * pow(2.0, (double)(draw_of % 6));
    training->epochs = EPOCHS;
    training->batch_size = BATCH;
    training->seed = run;
    training->dense = run % 3 == 0 ? 0 : -1; /* the networks are so small that skipping would seldom pay */
    training->beta2 = draw_of % 2 ? 0.999 : 0.95;
    if (draw_of % 3 == 1)
        training->weight_decay = 0.03;
    training->decay_bias = draw_of % 6 == 1;
    if (draw_of % 4 == 2)
        training->clip_norm = 0.5;
    training->warmup = draw_of % 5 == 4 ? 3 : 0;
}

static relume_status make_run(struct trial *trial, size_t run, const char *folder, relume_error *error)
{
    static const size_t widths[HIDDEN] = {WIDTH, WIDTH, WIDTH, WIDTH};
    static const relume_init inits[] = {RELUME_INIT_HE_NORMAL, RELUME_INIT_PYTORCH,
                                        RELUME_INIT_XAVIER_UNIFORM};
    bool bytes = run / RELUME_OPTIMIZER_COUNT % 2;
    char data[160], labels[160], path[160];
    (void)snprintf(data, sizeof data, "%s/data.%s", folder, bytes ? "npy" : "csv");
    (void)snprintf(labels, sizeof labels, "%s/labels.npy", folder);
    (void)snprintf(path, sizeof path, "%s/run", folder);
    set_training(trial, run);
    relume_run_options options;
    relume_run_options_default(&options);
    options.path = path;
    options.data = data;
    if (bytes) {
        write_byte_data(data, labels, run);
        options.data_options.labels = labels;
    } else {
        write_data(data, run);
        options.data_options.target = "y";
    }
    options.hidden = widths;
    options.hidden_layers = HIDDEN;
    options.init = inits[run / 3 % 3];
    options.trainer = trial->training;
    if (run % 2) {
        options.census =
            (relume_interval){.kind = RELUME_EVERY_STEPS, .steps = 1 + run % 13 * (1 + run % 4 / 2)};
        options.checkpoint = (relume_interval){.kind = RELUME_EVERY_STEPS, .steps = 4 + run % 11};
    }
    relume_run *made = NULL;
    relume_status status = relume_run_train(trial->engine, &options, &made, error);
    relume_run_destroy(made);
    if (status == RELUME_OK)
        assert_ok(relume_run_open(trial->engine, path, &trial->run, error), *error);
    return status;
}

/* The same start, and a training that goes on longer. */
static void make_second(struct trial *trial, const char *folder)
{
    char path[200];
    relume_error error = {0};
    (void)snprintf(path, sizeof path, "%s/run/checkpoints/step-0.safetensors", folder);
    assert_ok(relume_network_load(trial->engine, path, &trial->network, &error), error);
    assert_ok(relume_network_load(trial->engine, path, &trial->before, &error), error);
    relume_trainer_options longer = trial->training;
    longer.epochs = (uint64_t)EPOCHS * LONGER;
    const relume_dataset *dataset = relume_run_get_dataset(trial->run);
    assert_ok(relume_trainer_create(trial->network, dataset, &longer, &trial->trainer, &error), error);
    assert_ok(relume_census_create(trial->network, dataset, RELUME_SPLIT_TRAIN, NULL, &trial->census, &error),
              error);
    assert_ok(
        relume_census_create(trial->before, dataset, RELUME_SPLIT_TRAIN, NULL, &trial->census_before, &error),
        error);
    assert_ok(rlm_moment_init(&trial->moment, &trial->training, trial->trainer, trial->before, trial->network,
                              dataset, &error),
              error);
}

static void free_second(struct trial *trial)
{
    rlm_moment_deinit(&trial->moment);
    relume_census_destroy(trial->census);
    relume_census_destroy(trial->census_before);
    relume_trainer_destroy(trial->trainer);
    relume_network_destroy(trial->network);
    relume_network_destroy(trial->before);
    relume_autopsy_destroy(trial->autopsy);
    relume_run_destroy(trial->run);
}

/* ---- the update of one unit, from its definition ---- */

struct rows {
    float before[WIDTH + 1], after[WIDTH + 1], gradient[WIDTH + 1], s1[WIDTH + 1], s2[WIDTH + 1];
};

/* One parameter after the update at `rate`, with g, s1 or the decay set to 0; the second moment is always
 * that of the whole update. */
static float update_one(const struct trial *trial, const struct rows *rows, size_t i, size_t features,
                        unsigned without, double rate)
{
    struct rlm_update u = rlm_optimizer_update(&trial->training, rate, trial->moment.step, i == features);
    float w = rows->before[i], g = rows->gradient[i], s1 = rows->s1[i], s2 = rows->s2[i];
    bool adam = u.kind == RLM_UPDATE_ADAM || u.kind == RLM_UPDATE_ADAMW;
    if (adam) {
        float whole = u.kind == RLM_UPDATE_ADAM && u.decay != 0 ? fmaf(u.decay, w, g) : g;
        s2 = fmaf(u.beta2, s2, u.one_minus_beta2 * whole * whole);
    }
    if (without & RELUME_CAUSE_GRADIENT)
        g = 0;
    if (without & RELUME_CAUSE_MOMENTUM)
        s1 = 0;
    float decay = without & RELUME_CAUSE_DECAY ? 0 : u.decay;
    if (decay != 0 && u.kind != RLM_UPDATE_ADAMW)
        g = fmaf(decay, w, g);
    if (u.kind == RLM_UPDATE_SGD)
        return fmaf(-u.learning_rate, g, w);
    if (!adam) {
        s1 = fmaf(u.momentum, s1, g);
        return fmaf(-u.learning_rate, u.kind == RLM_UPDATE_NESTEROV ? fmaf(u.momentum, s1, g) : s1, w);
    }
    s1 = fmaf(u.beta1, s1, u.one_minus_beta1 * g);
    if (u.kind == RLM_UPDATE_ADAMW && decay != 0)
        w *= u.shrink;
    return fmaf(-u.step_size, s1 / fmaf(sqrtf(s2), u.root_correction, u.epsilon), w);
}

/* Puts `made` in the unit's place in a network, counts, and puts back what was there. What the unit says to
 * the layer above is silenced meanwhile, so that a huge rate does not overflow there. */
static bool lives_in(relume_network *network, relume_census *census, const relume_death *death,
                     const float *made)
{
    struct rlm_layer *layer = &network->layers[death->layer];
    struct rlm_layer *above = layer + 1;
    float *row = layer->weight + death->unit * layer->stride, kept[WIDTH], bias = layer->bias[death->unit];
    float said[WIDTH];
    for (size_t n = 0; n < above->out_features; n++) {
        said[n] = above->weight[n * above->stride + death->unit];
        above->weight[n * above->stride + death->unit] = 0;
    }
    memcpy(kept, row, layer->in_features * sizeof *row);
    memcpy(row, made, layer->in_features * sizeof *row);
    layer->bias[death->unit] = made[layer->in_features];
    assert_int_equal(relume_census_count(census, NULL), RELUME_OK);
    bool lives = relume_census_get_layer(census, death->layer).unit[death->unit].active > 0;
    memcpy(row, kept, layer->in_features * sizeof *row);
    layer->bias[death->unit] = bias;
    for (size_t n = 0; n < above->out_features; n++)
        above->weight[n * above->stride + death->unit] = said[n];
    return lives;
}

static bool lives_without(struct trial *trial, const relume_death *death, const struct rows *rows,
                          unsigned without, double rate)
{
    float made[WIDTH + 1];
    size_t features = trial->network->layers[death->layer].in_features;
    for (size_t i = 0; i <= features; i++)
        made[i] = update_one(trial, rows, i, features, without, rate);
    if (without & RELUME_CAUSE_BELOW)
        return lives_in(trial->before, trial->census_before, death, made);
    return lives_in(trial->network, trial->census, death, made);
}

/* ---- what must hold of one death ---- */

static void check_split(const relume_death *death)
{
    double whole = (double)death->after - (double)death->before;
    double own = death->own_weights + death->own_bias;
    double error = fabs(own + death->below - whole);
    double own_error = fabs(death->gradient + death->momentum + death->decay - own);
    assert_true(error <= death->rounding);
    assert_true(own_error <= death->rounding);
    seen.worst = fmax(seen.worst, fmax(error, own_error) / death->rounding);
}

static void check_causes(struct trial *trial, const relume_death *death, const struct rows *rows)
{
    unsigned each = 0;
    for (unsigned part = 1; part <= RELUME_CAUSE_BELOW; part <<= 1)
        if (!(part == RELUME_CAUSE_BELOW && death->layer == 0) &&
            lives_without(trial, death, rows, part, death->learning_rate))
            each |= part;
    if (each != 0) {
        assert_int_equal(death->causes, each);
        assert_false(death->overdetermined);
        seen.each++;
    } else {
        assert_true(death->overdetermined);
        assert_true(death->causes != 0);
        unsigned all = RELUME_CAUSE_GRADIENT | RELUME_CAUSE_MOMENTUM | RELUME_CAUSE_DECAY, together = 0;
        if (death->layer > 0)
            all |= RELUME_CAUSE_BELOW;
        for (int size = 2; size <= 4 && together == 0; size++)
            for (unsigned set = 1; set <= all; set++)
                if ((set & ~all) == 0 && __builtin_popcount(set) == size &&
                    lives_without(trial, death, rows, set, death->learning_rate))
                    together |= set;
        assert_int_equal(death->causes, together);
        seen.together++;
    }
    for (size_t i = 0; i < 7; i++)
        seen.causes[i] += death->causes >> i & 1;
}

/* Rates at the ends, just outside, and here and there. */
static void check_lethal(struct trial *trial, const relume_death *death, const struct rows *rows)
{
    float low = death->lethal_low, high = death->lethal_high;
    float rates[] = {low,
                     nextafterf(low, 0.0f),
                     high,
                     nextafterf(high, INFINITY),
                     death->largest_safe_rate,
                     low * 0.5f,
                     low * 1.5f,
                     (float)death->learning_rate,
                     high * 2.0f,
                     low * 0.99f};
    assert_true(death->lethal);
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        if (!isfinite(rates[i]) || rates[i] < 0.0f || rates[i] > 1e6f)
            continue;
        bool lethal = rates[i] >= low && rates[i] <= high;
        bool near = i < 5;
        /* between the ends the verdict may change where rounding is as wide as the interval: only there */
        bool lives = lives_without(trial, death, rows, 0, (double)rates[i]);
        if (near || (rates[i] > low * 1.001f && rates[i] < high * 0.999f) || rates[i] < low * 0.999f)
            assert_int_equal(lives, !lethal);
        seen.rates++;
    }
    seen.lethal++;
}

/* ‖Δ‖ / ‖w‖ of a unit of the layer, the bias among them. */
static long double ratio_of(const struct trial *trial, size_t layer, size_t unit)
{
    const struct rlm_layer *before = &trial->before->layers[layer], *after = &trial->network->layers[layer];
    long double moved = 0, size = 0;
    for (size_t k = 0; k <= before->in_features; k++) {
        bool last = k == before->in_features;
        long double was = last ? before->bias[unit] : before->weight[unit * before->stride + k];
        long double is = last ? after->bias[unit] : after->weight[unit * after->stride + k];
        moved += (is - was) * (is - was);
        size += was * was;
    }
    return sqrtl(moved / size);
}

/* The percentile counts the units that were moved less; the unit itself is none of them. Sums of at most
 * WIDTH + 1 squares in double leave open only what is closer than 1e-14. */
static void check_size(const struct trial *trial, const relume_death *death)
{
    long double own = ratio_of(trial, death->layer, death->unit);
    double surely = 0, maybe = 0;
    assert_true(fabsl((long double)death->update_ratio - own) <= 1e-14L * own);
    for (size_t u = 0; u < WIDTH; u++) {
        long double other = ratio_of(trial, death->layer, u);
        surely += u != death->unit && other < own * (1 - 1e-14L);
        maybe += u != death->unit && other <= own * (1 + 1e-14L);
    }
    assert_true(death->update_percentile >= 100.0 * surely / WIDTH - 1e-9);
    assert_true(death->update_percentile <= 100.0 * maybe / WIDTH + 1e-9);
}

static void read_rows(const struct trial *trial, const relume_death *death, struct rows *rows)
{
    memset(rows, 0, sizeof *rows);
    struct rlm_unit_rows view = {rows->before, rows->after, rows->gradient, rows->s1, rows->s2};
    rlm_moment_get(&trial->moment, death->layer, death->unit, &view);
}

static void check_killed(struct trial *trial, const relume_death *death)
{
    const struct life *life = &trial->life[death->layer][death->unit];
    struct rows rows;
    assert_true(life->active[death->step - 1] > 0);
    assert_int_equal(life->active[death->step], 0);
    assert_int_equal(death->fired_before, life->active[death->step - 1]);
    assert_true(death->margin_before == life->margin[death->step - 1]);
    assert_true(death->margin_after == life->margin[death->step]);
    assert_true(death->after == death->margin_after);
    read_rows(trial, death, &rows);
    check_split(death);
    check_size(trial, death);
    check_causes(trial, death, &rows);
    check_lethal(trial, death, &rows);
    seen.drift += death->drift != 0;
    seen.outlier += death->outlier != 0;
}

/* ---- the second training ---- */

static void note(struct trial *trial, uint64_t step)
{
    assert_int_equal(relume_census_count(trial->census, NULL), RELUME_OK);
    for (size_t l = 0; l < HIDDEN; l++)
        for (size_t u = 0; u < WIDTH; u++) {
            relume_unit_account account = relume_census_get_layer(trial->census, l).unit[u];
            if (step <= STEPS) {
                trial->life[l][u].active[step] = account.active;
                trial->life[l][u].margin[step] = account.margin;
            } else if (account.active > 0 && !trial->returned[l][u]) {
                trial->returned[l][u] = 1;
                trial->returned_at[l][u] = step;
            }
        }
}

static void check_step(struct trial *trial, uint64_t step)
{
    for (size_t i = 0; i < trial->autopsy->deaths; i++) {
        const relume_death *death = &trial->autopsy->death[i];
        if (death->kind == RELUME_KILLED && death->step == step)
            check_killed(trial, death);
    }
}

static uint64_t train_again(struct trial *trial)
{
    note(trial, 0);
    for (uint64_t step = 1; step <= STEPS; step++) {
        relume_error error;
        rlm_moment_keep(&trial->moment);
        assert_ok(rlm_moment_dissect(&trial->moment, &error), error);
        assert_int_equal(relume_trainer_step(trial->trainer, NULL), RELUME_OK);
        note(trial, step);
        check_step(trial, step);
    }
    for (uint64_t step = STEPS + 1; step <= STEPS * LONGER; step++) {
        if (relume_trainer_step(trial->trainer, NULL) != RELUME_OK ||
            relume_census_count(trial->census, NULL) != RELUME_OK)
            return step - 1; /* diverged later: nothing more can be said */
        note(trial, step);
    }
    return STEPS * LONGER;
}

/* ---- episodes and prognoses ---- */

static void check_episodes(const struct trial *trial, const relume_death *death)
{
    const struct life *life = &trial->life[death->layer][death->unit];
    size_t at = 0;
    bool among = false;
    for (uint64_t step = 0; step <= STEPS; step++) {
        bool dead = life->active[step] == 0, was = step > 0 && life->active[step - 1] == 0;
        if (dead && !was) {
            assert_true(at < death->episodes);
            assert_int_equal(death->episode[at].from, step);
            among = among || step == death->step;
            seen.starts++;
        } else if (!dead && was) {
            assert_int_equal(death->episode[at++].to, step);
        }
    }
    if (life->active[STEPS] == 0)
        assert_int_equal(death->episode[at++].to, 0);
    assert_int_equal(at, death->episodes);
    assert_true(among);
    seen.episodes += death->episodes;
}

static void check_prognosis(const struct trial *trial, const relume_death *death, uint64_t trained)
{
    const relume_prognosis *p = &death->prognosis;
    size_t l = death->layer, u = death->unit;
    if (death->returned != 0) {
        assert_false(p->never);
        return;
    }
    assert_int_equal(p->as_of, STEPS);
    assert_true(p->because[0] != '\0');
    seen.verdict[p->verdict]++;
    bool returned = trial->returned[l][u] != 0;
    if (p->never && returned)
        fail_msg("%s: h%zu.%zu returned at %llu, said never: %s", relume_verdict_name(p->verdict), l + 1, u,
                 (unsigned long long)trial->returned_at[l][u], p->because);
    seen.never += p->never != 0;
    if (p->verdict != RELUME_COASTING)
        return;
    if (p->revives_at != 0 && p->revives_at <= trained) {
        assert_true(returned);
        assert_int_equal(trial->returned_at[l][u], p->revives_at);
        seen.revivals_foretold++;
    }
    if (p->revives_at == 0 && !p->never && returned)
        assert_true(trial->returned_at[l][u] > p->looked_to);
}

static void check_all(struct trial *trial, uint64_t trained)
{
    size_t dead = 0;
    for (size_t i = 0; i < trial->autopsy->deaths; i++) {
        const relume_death *death = &trial->autopsy->death[i];
        check_episodes(trial, death);
        check_prognosis(trial, death, trained);
        seen.records++;
        seen.by_layer[death->layer]++;
        dead += death->returned == 0;
        if (death->kind == RELUME_BORN_DEAD) {
            assert_int_equal(trial->life[death->layer][death->unit].active[0], 0);
            assert_true(death->causes >= RELUME_CAUSE_BIAS);
            for (size_t c = 4; c < 7; c++)
                seen.causes[c] += death->causes >> c & 1;
            seen.born++;
        }
    }
    size_t truth = 0;
    for (size_t l = 0; l < HIDDEN; l++)
        for (size_t u = 0; u < WIDTH; u++)
            truth += trial->life[l][u].active[STEPS] == 0;
    assert_int_equal(dead, truth);
}

static void follow_run(struct trial *trial, size_t run)
{
    char folder[96], command[160];
    relume_error error = {0};
    (void)snprintf(folder, sizeof folder, "%s/%zu", root, run);
    assert_int_equal(mkdir(folder, 0700), 0);
    memset(trial->returned, 0, sizeof trial->returned);
    trial->run = NULL;
    if (make_run(trial, run, folder, &error) == RELUME_OK) {
        relume_autopsy_options options;
        relume_autopsy_options_default(&options);
        options.all = options.episodes = 1;
        trial->autopsy = NULL;
        if (relume_autopsy_hold(trial->run, &options, &trial->autopsy, &error) != RELUME_OK)
            fail_msg("run %zu: %s", run, error.message);
        assert_ok(relume_run_load_dataset(trial->run, &error), error);
        make_second(trial, folder);
        check_all(trial, train_again(trial));
        free_second(trial);
        seen.runs++;
    } else {
        assert_int_equal(error.status, RELUME_DIVERGED);
        seen.diverged++;
    }
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    /* NOLINTNEXTLINE(cert-env33-c): a path of this test */
    assert_int_equal(system(command), 0);
}

static void tell(void)
{
    print_message(
        "# seed %d: %zu runs, %zu more diverged; %zu deaths of the ledger (h1 to h4: %zu %zu %zu %zu), %zu "
        "of them at birth\n",
        SEED, seen.runs, seen.diverged, seen.records, seen.by_layer[0], seen.by_layer[1], seen.by_layer[2],
        seen.by_layer[3], seen.born);
    print_message(
        "# %zu times a part was necessary alone, %zu times only together; gradient %zu, momentum %zu, decay "
        "%zu, below %zu; born: bias %zu, uncentred %zu, chance %zu\n",
        seen.each, seen.together, seen.causes[0], seen.causes[1], seen.causes[2], seen.causes[3],
        seen.causes[4], seen.causes[5], seen.causes[6]);
    print_message(
        "# largest error of a split: %.3f of its bound; %zu lethal intervals, %zu rates tried; drift %zu, "
        "outlier %zu\n",
        seen.worst, seen.lethal, seen.rates, seen.drift, seen.outlier);
    print_message(
        "# at the end: frozen %zu, coasting %zu, revivable %zu, structural %zu; %zu never, %zu returns "
        "foretold to the step\n",
        seen.verdict[0], seen.verdict[1], seen.verdict[2], seen.verdict[3], seen.never,
        seen.revivals_foretold);
}

static void test_against_truth(void **state)
{
    const char *asked = getenv("RELUME_AUTOPSY_RUNS");
    size_t runs = asked ? strtoul(asked, NULL, 10) : 600;
    struct trial *trial = calloc(1, sizeof *trial);
    relume_error error = {0};
    (void)state;
    assert_non_null(trial);
    relume_engine_options options;
    relume_engine_options_default(&options);
    options.threads = 1;
    assert_ok(relume_engine_create(&options, &trial->engine, &error), error);
    for (size_t run = 0; run < runs; run++)
        follow_run(trial, run);
    relume_engine_destroy(trial->engine);
    free(trial);
    tell();
    assert_true(seen.records > 10 * runs);
    if (!asked)
        assert_true(seen.records >= 10000 && seen.lethal >= 10000);
}

static int begin(void **state)
{
    (void)state;
    struct stat memory;
    bool there = stat("/dev/shm", &memory) == 0 && access("/dev/shm", W_OK) == 0;
    (void)snprintf(root, sizeof root, "%s/relume-autopsy-XXXXXX", there ? "/dev/shm" : "/tmp");
    return mkdtemp(root) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    return rmdir(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_truth),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
