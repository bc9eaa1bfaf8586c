/* A stateful target: an input is a story of training, counting, saving, resuming and doing harm. It is lived
 * twice at once, on the reference kernels with one thread and on the best ones with one or two, and after
 * every sentence both sides must be equal to the byte. The second side is thrown away and put back from a
 * checkpoint now and then. */
#include <math.h>
#include <unistd.h>

#include "base/rng.h"
#include "census/ledger.h"
#include "fuzz.h"
#include "relume/census.h"
#include "relume/trainer.h"
#include "run/checkpoint.h"
#include "train/trainer.h"

enum { SAMPLES_MOST = 40, FEATURES_MOST = 6, OUTPUTS_MOST = 3, LAYERS_MOST = 3, UNITS_MOST = 20 };
enum { SENTENCES_MOST = 60 };

struct side {
    relume_engine *engine; /* kept from story to story */
    relume_dataset *dataset;
    relume_network *network;
    relume_trainer *trainer;
    relume_census *census;
    struct rlm_ledger ledger;
};

struct story {
    const uint8_t *at, *end;
    relume_network_options network;
    relume_trainer_options trainer;
    size_t hidden[LAYERS_MOST], samples, dead[LAYERS_MOST];
    bool classes;
    relume_engine *engine[2]; /* of each side */
    struct side side[2];
};

static relume_engine *engines[3];
static char path[64], other_path[72];

static unsigned next(struct story *story, unsigned most)
{
    return story->at < story->end ? *story->at++ % (most + 1) : 0;
}

static void make_engines(void)
{
    for (size_t i = 0; i < 3; i++) {
        relume_engine_options options;
        relume_engine_options_default(&options);
        options.threads = i < 2 ? 1 : 2;
        options.cpu = i == 0 ? "ref" : NULL;
        FUZZ_MUST(relume_engine_create(&options, &engines[i], NULL) == RELUME_OK);
    }
    (void)snprintf(path, sizeof path, "%s/relume-fuzz-%ld",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (long)getpid());
    (void)snprintf(other_path, sizeof other_path, "%s-2", path);
}

/* ---- how a story begins ---- */

static void choose(struct story *story)
{
    static const double rates[] = {0.1, 0, 1e-3, 1, 30, 1e20}, decays[] = {0, 0.01, 0.5};
    relume_network_options_default(&story->network);
    relume_trainer_options_default(&story->trainer);
    relume_network_options *network = &story->network;
    relume_trainer_options *trainer = &story->trainer;
    story->engine[0] = engines[0];
    story->engine[1] = engines[next(story, 15) == 1 ? 2 : 1]; /* waking a thread is what takes time here */
    story->samples = 1 + next(story, SAMPLES_MOST - 1);
    network->in_features = 1 + next(story, FEATURES_MOST - 1);
    network->out_features = 1 + next(story, OUTPUTS_MOST - 1);
    network->hidden_layers = next(story, LAYERS_MOST);
    network->hidden = story->hidden;
    for (size_t i = 0; i < network->hidden_layers; i++)
        story->hidden[i] = 1 + next(story, UNITS_MOST - 1);
    network->loss = (relume_loss)next(story, RELUME_LOSS_COUNT - 1);
    network->init = (relume_init)next(story, RELUME_INIT_COUNT - 1);
    network->seed = next(story, 255);
    trainer->dense = network->seed % 2 ? 0 : -1; /* in nets so small skipping would seldom pay */
    story->classes = network->loss == RELUME_LOSS_SOFTMAX;
    trainer->optimizer = (relume_optimizer)next(story, RELUME_OPTIMIZER_COUNT - 1);
    trainer->learning_rate = rates[next(story, 5)];
    trainer->weight_decay = decays[next(story, 2)];
    trainer->schedule = (relume_schedule)next(story, RELUME_SCHEDULE_COSINE);
    trainer->batch_size = 1 + next(story, SAMPLES_MOST);
    trainer->clip_norm = next(story, 1) ? 0.5 : 0;
    trainer->warmup = next(story, 5);
    trainer->epochs = 1 + next(story, 9);
    trainer->no_shuffle = (int)next(story, 1);
}

/* Rows in order, or from the last to the first. */
static relume_dataset *make_data(const struct story *story, relume_engine *engine, bool backwards)
{
    float x[SAMPLES_MOST * FEATURES_MOST], targets[SAMPLES_MOST * OUTPUTS_MOST];
    uint32_t labels[SAMPLES_MOST];
    size_t features = story->network.in_features, outputs = story->network.out_features;
    struct rlm_rng rng = {story->network.seed, RLM_RNG_TEST, 0};
    for (size_t s = 0; s < story->samples; s++) {
        size_t row = backwards ? story->samples - 1 - s : s;
        for (size_t f = 0; f < features; f++)
            x[row * features + f] = (float)(rlm_rng_normal(&rng, s * features + f) + 0.5);
        labels[row] = (uint32_t)(s % outputs);
        for (size_t o = 0; o < outputs; o++)
            targets[row * outputs + o] = (float)((s + o) % 2);
    }
    relume_matrix matrix = {.samples = story->samples,
                            .features = features,
                            .element = RELUME_F32,
                            .x = x,
                            .labels = story->classes ? labels : NULL,
                            .classes = outputs,
                            .targets = story->classes ? NULL : targets,
                            .outputs = outputs};
    relume_dataset *dataset = NULL;
    FUZZ_MUST(relume_dataset_create(engine, "story", &matrix, NULL, &dataset, NULL) == RELUME_OK);
    return dataset;
}

static void begin_side(const struct story *story, struct side *side, relume_engine *engine, uint64_t seed)
{
    relume_network_options network = story->network;
    network.seed = seed;
    network.dataset = side->dataset = make_data(story, engine, false);
    side->engine = engine;
    FUZZ_MUST(relume_network_create(engine, &network, &side->network, NULL) == RELUME_OK);
    FUZZ_MUST(relume_trainer_create(side->network, side->dataset, &story->trainer, &side->trainer, NULL) ==
              RELUME_OK);
    FUZZ_MUST(relume_census_create(side->network, side->dataset, RELUME_SPLIT_TRAIN, NULL, &side->census,
                                   NULL) == RELUME_OK);
    FUZZ_MUST(rlm_ledger_init(&side->ledger, side->network, false, NULL) == RELUME_OK);
    struct rlm_observer observer = rlm_ledger_observer(&side->ledger);
    rlm_trainer_observe(side->trainer, &observer);
}

static void end_side(struct side *side)
{
    rlm_ledger_deinit(&side->ledger);
    relume_census_destroy(side->census);
    relume_trainer_destroy(side->trainer);
    relume_network_destroy(side->network);
    relume_dataset_destroy(side->dataset);
    *side = (struct side){0};
}

/* ---- what must hold ---- */

static void check_same_networks(const relume_network *a, const relume_network *b)
{
    FUZZ_MUST(relume_network_get_layers(a) == relume_network_get_layers(b));
    for (size_t l = 0; l < relume_network_get_layers(a); l++) {
        relume_layer left = relume_network_get_layer(a, l), right = relume_network_get_layer(b, l);
        FUZZ_MUST(left.in_features == right.in_features && left.out_features == right.out_features);
        FUZZ_MUST(memcmp(left.weight, right.weight, left.out_features * left.weight_stride * sizeof(float)) ==
                  0);
        FUZZ_MUST(memcmp(left.bias, right.bias, left.out_features * sizeof(float)) == 0);
    }
}

static void check_same(const struct story *story)
{
    const struct side *a = &story->side[0], *b = &story->side[1];
    struct rlm_trainer_state left = rlm_trainer_get_state(a->trainer),
                             right = rlm_trainer_get_state(b->trainer);
    check_same_networks(a->network, b->network);
    FUZZ_MUST(left.step == right.step && left.epoch_correct == right.epoch_correct);
    FUZZ_MUST(left.epoch_loss == right.epoch_loss || (isnan(left.epoch_loss) && isnan(right.epoch_loss)));
    for (size_t l = 0; l < a->ledger.layers; l++) {
        size_t bytes = a->ledger.layer[l].units * sizeof(uint64_t);
        FUZZ_MUST(memcmp(a->ledger.layer[l].last_step, b->ledger.layer[l].last_step, bytes) == 0);
        FUZZ_MUST(memcmp(a->ledger.layer[l].first_step, b->ledger.layer[l].first_step, bytes) == 0);
        FUZZ_MUST(memcmp(a->ledger.layer[l].last_sample, b->ledger.layer[l].last_sample, bytes) == 0);
    }
}

static void check_unit(const relume_unit_account *unit, uint64_t samples)
{
    FUZZ_MUST(unit->active <= samples && (unit->active > 0) == (unit->margin > 0));
    FUZZ_MUST(unit->firing_rate == (double)unit->active / (double)samples);
    FUZZ_MUST((unit->state == RELUME_DEAD) == (unit->active == 0));
    FUZZ_MUST((unit->state == RELUME_ALWAYS_ON) == (unit->active == samples));
    FUZZ_MUST(unit->active > 0 ? unit->mean_activation > 0 : unit->mean_activation == 0);
}

static void check_census(const struct story *story, const relume_census *census)
{
    size_t dead = 0;
    for (size_t l = 0; l < relume_census_get_layers(census); l++) {
        relume_layer_account layer = relume_census_get_layer(census, l);
        size_t silent = 0;
        for (size_t u = 0; u < layer.units; u++) {
            check_unit(&layer.unit[u], story->samples);
            silent += layer.unit[u].active == 0;
        }
        FUZZ_MUST(layer.dead == silent);
        dead += silent;
    }
    FUZZ_MUST(relume_census_get_dead(census) == dead);
}

/* The same counts and margins in both; everything else too unless the samples came in another order. */
static void check_same_census(const relume_census *a, const relume_census *b, bool reordered)
{
    for (size_t l = 0; l < relume_census_get_layers(a); l++) {
        relume_layer_account left = relume_census_get_layer(a, l), right = relume_census_get_layer(b, l);
        for (size_t u = 0; u < left.units; u++) {
            FUZZ_MUST(left.unit[u].active == right.unit[u].active);
            FUZZ_MUST(left.unit[u].margin == right.unit[u].margin);
            FUZZ_MUST(reordered || left.unit[u].mean_activation == right.unit[u].mean_activation);
        }
    }
    double loss = relume_census_get_loss(a), other = relume_census_get_loss(b);
    FUZZ_MUST(reordered || loss == other || (isnan(loss) && isnan(other)));
}

/* ---- sentences ---- */

static void tell_step(struct story *story)
{
    relume_error error[2] = {{0}, {0}};
    relume_status status[2];
    for (size_t i = 0; i < 2; i++)
        status[i] = relume_trainer_step(story->side[i].trainer, &error[i]);
    FUZZ_MUST(status[0] == status[1] && strcmp(error[0].message, error[1].message) == 0);
    FUZZ_MUST(status[0] == RELUME_OK || status[0] == RELUME_DIVERGED || status[0] == RELUME_USAGE);
}

static bool count(struct story *story)
{
    relume_status status = relume_census_count(story->side[0].census, NULL);
    FUZZ_MUST(relume_census_count(story->side[1].census, NULL) == status);
    FUZZ_MUST(status == RELUME_OK || status == RELUME_DIVERGED);
    if (status != RELUME_OK)
        return false;
    check_census(story, story->side[0].census);
    check_same_census(story->side[0].census, story->side[1].census, false);
    return true;
}

/* Counts, and enters it in both ledgers. */
static void tell_census(struct story *story)
{
    if (!count(story))
        return;
    const struct rlm_ledger *left = &story->side[0].ledger, *right = &story->side[1].ledger;
    for (size_t i = 0; i < 2; i++) {
        struct side *side = &story->side[i];
        rlm_ledger_enter(&side->ledger, side->census, rlm_trainer_get_state(side->trainer).step);
    }
    FUZZ_MUST(left->event_count == right->event_count);
    for (size_t i = 0; i < left->event_count; i++) {
        const relume_event *event = &left->event[i], *twin = &right->event[i];
        FUZZ_MUST(event->layer == twin->layer && event->unit == twin->unit && event->kind == twin->kind);
        FUZZ_MUST(event->step == twin->step && event->after_step <= event->step);
        story->dead[event->layer] += event->kind == RELUME_REVIVED ? (size_t)-1 : 1;
    }
    for (size_t l = 0; l < left->layers; l++) {
        relume_layer_account layer = relume_census_get_layer(story->side[0].census, l);
        FUZZ_MUST(story->dead[l] == layer.dead);
        for (size_t u = 0; u < layer.units; u++)
            FUZZ_MUST(left->layer[l].dead[u] == (layer.unit[u].active == 0));
    }
}

/* Neither the size of the batches nor the order of the samples changes an account. */
static void tell_recount(struct story *story)
{
    const struct side *side = &story->side[0];
    relume_census *census[2] = {NULL, NULL};
    relume_dataset *backwards = make_data(story, side->engine, true);
    relume_census_options options;
    relume_census_options_default(&options);
    options.batch_size = 1 + next(story, SAMPLES_MOST);
    FUZZ_MUST(relume_census_create(side->network, side->dataset, RELUME_SPLIT_TRAIN, &options, &census[0],
                                   NULL) == RELUME_OK);
    FUZZ_MUST(relume_census_create(side->network, backwards, RELUME_SPLIT_TRAIN, NULL, &census[1], NULL) ==
              RELUME_OK);
    if (count(story)) {
        FUZZ_MUST(relume_census_count(census[0], NULL) == RELUME_OK);
        FUZZ_MUST(relume_census_count(census[1], NULL) == RELUME_OK);
        check_same_census(side->census, census[0], false);
        check_same_census(side->census, census[1], true);
    }
    relume_census_destroy(census[0]);
    relume_census_destroy(census[1]);
    relume_dataset_destroy(backwards);
}

/* The second side ends, and a new one goes on from a checkpoint of the first. */
static void tell_resume(struct story *story)
{
    struct side *first = &story->side[0], *second = &story->side[1];
    struct rlm_checkpoint saved = {first->network, first->trainer, &first->ledger, NULL};
    relume_status status = rlm_checkpoint_save(&saved, path, NULL);
    FUZZ_MUST(status == RELUME_OK || status == RELUME_DIVERGED);
    if (status != RELUME_OK)
        return;
    end_side(second);
    begin_side(story, second, story->engine[1], story->network.seed + 1);
    struct rlm_checkpoint loaded = {second->network, second->trainer, &second->ledger, NULL};
    FUZZ_MUST(rlm_checkpoint_load(&loaded, path, NULL) == RELUME_OK);
}

static void tell_save(struct story *story)
{
    relume_network *loaded = NULL;
    relume_status status = relume_network_save(story->side[0].network, other_path, NULL);
    FUZZ_MUST(status == RELUME_OK || status == RELUME_DIVERGED);
    if (status != RELUME_OK)
        return;
    FUZZ_MUST(relume_network_load(engines[1], other_path, &loaded, NULL) == RELUME_OK);
    check_same_networks(story->side[0].network, loaded);
    relume_network_destroy(loaded);
}

/* A bias far below, or above, 0. */
static void tell_harm(struct story *story)
{
    size_t layers = relume_network_get_layers(story->side[0].network);
    size_t at = next(story, (unsigned)layers - 1), unit = next(story, UNITS_MOST - 1);
    float bias = next(story, 1) ? -1000.0f : 1000.0f;
    for (size_t i = 0; i < 2; i++) {
        relume_layer layer = relume_network_get_layer(story->side[i].network, at);
        layer.bias[unit % layer.out_features] = bias;
        relume_trainer_parameters_changed(story->side[i].trainer);
    }
}

static void tell(struct story *story)
{
    switch (next(story, 7)) {
    case 0:
    case 1:
    case 2:
        tell_step(story);
        break;
    case 3:
        tell_census(story);
        break;
    case 4:
        tell_recount(story);
        break;
    case 5:
        tell_resume(story);
        break;
    case 6:
        tell_save(story);
        break;
    default:
        tell_harm(story);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct story story = {.at = data, .end = data + size};
    if (!engines[0])
        make_engines();
    choose(&story);
    for (size_t i = 0; i < 2; i++)
        begin_side(&story, &story.side[i], story.engine[i], story.network.seed);
    check_same(&story);
    for (size_t i = 0; i < SENTENCES_MOST && story.at < story.end; i++) {
        tell(&story);
        check_same(&story);
    }
    for (size_t i = 0; i < 2; i++)
        end_side(&story.side[i]);
    (void)unlink(path);
    (void)unlink(other_path);
    return 0;
}
