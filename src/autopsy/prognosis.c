/* See prognosis.h.
 *
 * A dead unit's gradient is exactly 0: its gate is shut for every sample that can be in a batch. So its own
 * parameters move by what the optimizer carries and by weight decay alone, which the kernels repeat exactly.
 * In the first hidden layer the inputs are D itself, and that decides it. In a deeper layer the inputs may
 * move, unless nothing below gets a gradient, or no input could help. */
#include "autopsy/prognosis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "autopsy/coast.h"
#include "base/checked.h"

#define HORIZON 10            /* times the training's length that a unit is followed */
#define HORIZON_LEAST 500     /* steps */
#define HORIZON_WORK 400e6    /* samples · features · stretches: where it would take long, less far */
#define STRUCTURAL_STEPS 4000 /* followed until the optimizer's state has no effect any more */

/* What is known of one unit. */
struct patient {
    const struct rlm_standing *standing;
    relume_death *death;
    float *variant, *s1, *s2; /* all features, aligned */
    float *zeros;
    size_t features;
    const struct rlm_layer *layer;
};

/* The unit's parameters and optimizer state as they are. */
static void patient_read(const struct patient *patient)
{
    const struct rlm_layer *layer = patient->layer;
    relume_death *death = patient->death;
    size_t features = patient->features, at = death->unit * layer->stride;
    memcpy(patient->variant, layer->weight + at, features * sizeof *patient->variant);
    patient->variant[features] = layer->bias[death->unit];
    rlm_trainer_settle(patient->standing->trainer);
    for (size_t s = 0; s < rlm_trainer_slots(patient->standing->trainer); s++) {
        struct rlm_slot slot = rlm_trainer_get_slot(patient->standing->trainer, death->layer, s);
        float *to = s == 0 ? patient->s1 : patient->s2;
        memcpy(to, slot.weight + at, features * sizeof *to);
        to[features] = slot.bias[death->unit];
    }
}

static bool is_plain(const relume_trainer_options *o)
{
    bool carries = o->optimizer == RELUME_ADAM || o->optimizer == RELUME_ADAMW ||
                   (o->optimizer != RELUME_SGD && o->momentum != 0.0);
    return !carries;
}

/* Whether decay under plain SGD scales by a factor between 0 and 1 at every rate of the schedule: a larger
 * one would turn signs around. float32 rounds rate and decay, hence the room. */
static bool decays_gently(const relume_trainer_options *o)
{
    return o->weight_decay * rlm_schedule_largest(o) < 1.0 - 0x1p-20;
}

static const char *optimizer_words(const relume_trainer_options *o)
{
    if (is_plain(o))
        return o->weight_decay == 0.0 ? "plain SGD without weight decay" : "SGD with weight decay";
    switch (o->optimizer) {
    case RELUME_MOMENTUM:
        return o->weight_decay == 0.0 ? "momentum" : "momentum with weight decay";
    case RELUME_NESTEROV:
        return o->weight_decay == 0.0 ? "Nesterov momentum" : "Nesterov momentum with weight decay";
    case RELUME_ADAM:
        return o->weight_decay == 0.0 ? "Adam" : "Adam with weight decay";
    default:
        return o->weight_decay == 0.0 ? "AdamW without weight decay" : "AdamW";
    }
}

#define BECAUSE(p, ...) (void)snprintf((p)->because, sizeof(p)->because, __VA_ARGS__)

static struct rlm_coast coast_of(const struct patient *patient, const struct rlm_inputs *inputs)
{
    relume_progress progress = relume_trainer_get_progress(patient->standing->trainer);
    size_t slots = rlm_trainer_slots(patient->standing->trainer);
    return (struct rlm_coast){.inputs = inputs,
                              .options = patient->standing->options,
                              .step = progress.step,
                              .steps = progress.steps,
                              .variant = patient->variant,
                              .s1 = slots > 0 ? patient->s1 : NULL,
                              .s2 = slots > 1 ? patient->s2 : NULL};
}

/* ---- the first hidden layer ---- */

/* Whether nothing moves the unit any more: one step without gradient changes no parameter, and none will. */
static bool is_at_rest(const struct patient *patient, const struct rlm_inputs *inputs)
{
    float *kept = patient->zeros + rlm_variant_stride(patient->features);
    memcpy(kept, patient->variant, (patient->features + 1) * sizeof *kept);
    struct rlm_coast coast = coast_of(patient, inputs);
    rlm_coast_step(&coast, patient->zeros);
    return memcmp(kept, patient->variant, (patient->features + 1) * sizeof *kept) == 0 &&
           rlm_coast_settled(&coast);
}

static uint64_t horizon(const struct rlm_coast *coast)
{
    double stretches = HORIZON_WORK / ((double)coast->inputs->samples * (double)coast->inputs->features);
    double steps = fmin((double)HORIZON * (double)(coast->steps + 100), stretches * (RLM_BENCH_ROWS - 2));
    return coast->step + (uint64_t)fmax(steps, HORIZON_LEAST);
}

/* Decay under plain SGD: on weights and bias p is only scaled; on weights alone p goes to the bias, from
 * below or not at all when that is not above 0. */
static bool decays_in_peace(const struct patient *patient)
{
    const relume_trainer_options *o = patient->standing->options;
    return is_plain(o) && decays_gently(o) && (o->decay_bias || patient->variant[patient->features] <= 0.0f);
}

static void follow(const struct patient *patient, const struct rlm_inputs *inputs, struct rlm_bench *bench)
{
    relume_prognosis *p = &patient->death->prognosis;
    const char *words = optimizer_words(patient->standing->options), *data = patient->standing->data;
    struct rlm_coast coast = coast_of(patient, inputs);
    struct rlm_turn turn = {0};
    struct rlm_course course = {.turn = &turn, .turn_capacity = 1};
    rlm_variants_fit(&bench->variants, inputs);
    rlm_coast_scan(&coast, false, horizon(&coast), true, bench, &course);
    p->verdict = RELUME_COASTING;
    if (course.turn_count > 0) {
        p->revives_at = turn.step;
        BECAUSE(p,
                "%s still moves this unit of h1 without a gradient: followed step by step over %.80s, some "
                "sample opens it again after update %llu",
                words, data, (unsigned long long)turn.step);
    } else if (course.settled) {
        p->never = 1;
        BECAUSE(p,
                "%s still moves this unit of h1 without a gradient: followed step by step until nothing "
                "moves any "
                "more (update %llu), no sample of %.80s opens it on the way",
                words, (unsigned long long)course.step, data);
    } else if (decays_in_peace(patient)) {
        p->never = 1;
        BECAUSE(p,
                "%s draws this unit of h1 towards 0 without a gradient, and but for rounding never across "
                "the gate on %.80s: %s",
                words, data,
                patient->standing->options->decay_bias ? "weights and bias shrink alike"
                                                       : "its bias is not above 0");
    } else {
        p->looked_to = course.step;
        BECAUSE(p,
                "%s still moves this unit of h1 without a gradient: followed up to update %llu, no sample of "
                "%.80s "
                "opens it; beyond that nothing is proved",
                words, (unsigned long long)course.step, data);
    }
}

static void judge_first(const struct patient *patient, const struct rlm_inputs *inputs,
                        struct rlm_bench *bench)
{
    relume_prognosis *p = &patient->death->prognosis;
    const relume_trainer_options *o = patient->standing->options;
    p->verdict = RELUME_FROZEN;
    p->never = 1;
    if (is_plain(o) && o->weight_decay == 0.0) {
        BECAUSE(p,
                "h1 is fed by the data themselves, and under %s a unit that no sample of %.80s opens has a "
                "gradient "
                "of exactly 0: nothing moves it",
                optimizer_words(o), patient->standing->data);
        return;
    }
    if (is_at_rest(patient, inputs)) {
        BECAUSE(p,
                "h1 is fed by the data themselves, no sample of %.80s opens this unit, and what %s still "
                "carries is "
                "too little to move any of its weights",
                patient->standing->data, optimizer_words(o));
        return;
    }
    patient_read(patient);
    p->never = 0;
    follow(patient, inputs, bench);
}

/* ---- deeper layers ---- */

static bool none_above_zero(const struct patient *patient)
{
    for (size_t i = 0; i <= patient->features; i++)
        if (patient->variant[i] > 0.0f)
            return false;
    return true;
}

/* No parameter above 0, now or at any step the optimizer's state still makes. */
static bool is_structural(const struct patient *patient, relume_engine *engine)
{
    const relume_trainer_options *o = patient->standing->options;
    if (!none_above_zero(patient))
        return false;
    if (is_plain(o)) /* decay keeps the sign */
        return decays_gently(o);
    struct rlm_inputs shape = {.engine = engine, .features = patient->features};
    struct rlm_coast coast = coast_of(patient, &shape);
    float *kept = patient->zeros + rlm_variant_stride(patient->features);
    for (int i = 0; i < STRUCTURAL_STEPS; i++) {
        memcpy(kept, patient->variant, (patient->features + 1) * sizeof *kept);
        rlm_coast_step(&coast, patient->zeros);
        if (!none_above_zero(patient))
            return false;
        if (memcmp(kept, patient->variant, (patient->features + 1) * sizeof *kept) == 0 &&
            rlm_coast_settled(&coast))
            return true;
    }
    return false;
}

static void judge_deeper(const struct patient *patient, relume_engine *engine)
{
    relume_prognosis *p = &patient->death->prognosis;
    const relume_trainer_options *o = patient->standing->options;
    unsigned long long layer = patient->death->layer + 1;
    const char *data = patient->standing->data;
    if (patient->death->layer < patient->standing->still && is_plain(o) && o->weight_decay == 0.0) {
        p->verdict = RELUME_FROZEN;
        p->never = 1;
        BECAUSE(p,
                "a whole hidden layer is dead on %.80s: under %s no gradient passes it, and what it hands on "
                "is 0, "
                "so nothing that feeds this unit of h%llu moves, nor does the unit itself",
                data, optimizer_words(o), layer);
    } else if (is_structural(patient, engine)) {
        p->verdict = RELUME_STRUCTURAL;
        p->never = 1;
        BECAUSE(p,
                "no weight and no bias of this unit of h%llu is above 0, its inputs come from ReLUs, and %s "
                "will not "
                "change that: it is dead on any data, whatever the layers below do",
                layer, optimizer_words(o));
    } else {
        p->verdict = RELUME_REVIVABLE;
        BECAUSE(p,
                "its inputs come from h%llu, which can move: the layers below may open it again on %.80s, "
                "though its "
                "own gradient is 0 until then (%s)",
                layer - 1, data, optimizer_words(o));
    }
}

/* ---- the whole ---- */

static void judge(struct rlm_causes *causes, struct rlm_strata *strata, const struct rlm_standing *standing,
                  relume_death *death)
{
    const relume_network *network = strata->network[RLM_AFTER];
    const struct rlm_layer *layer = &network->layers[death->layer];
    size_t features = layer->in_features;
    float *whole = causes->whole;
    struct patient patient = {.standing = standing,
                              .death = death,
                              .variant = whole,
                              .s1 = whole + causes->stride,
                              .s2 = whole + 2 * causes->stride,
                              .zeros = whole + 3 * causes->stride,
                              .features = features,
                              .layer = layer};
    memset(whole, 0, 5 * causes->stride * sizeof *whole);
    patient_read(&patient);
    if (death->layer == 0)
        judge_first(&patient, rlm_strata_get(strata, 0, RLM_AFTER), &causes->bench);
    else
        judge_deeper(&patient, network->engine);
}

struct measure_region {
    const struct rlm_inputs *inputs;
    const struct rlm_variants *variants;
    relume_death *const *deaths;
};

static void measure_one(void *context, size_t task, size_t thread)
{
    (void)thread;
    const struct measure_region *region = context;
    struct rlm_distance distance = rlm_distance_find(region->inputs, region->variants, task);
    region->deaths[task]->prognosis.margin = distance.margin;
    region->deaths[task]->prognosis.distance = distance.parameters;
}

static void measure(struct rlm_causes *causes, struct rlm_strata *strata, relume_death *const *deaths,
                    size_t count)
{
    size_t layer = deaths[0]->layer;
    const struct rlm_inputs *inputs = rlm_strata_get(strata, layer, RLM_AFTER);
    const struct rlm_layer *shape = &strata->network[RLM_AFTER]->layers[layer];
    rlm_variants_fit(&causes->now, inputs);
    for (size_t i = 0; i < count; i++) {
        rlm_strata_gather(strata, layer, shape->weight + deaths[i]->unit * shape->stride,
                          shape->bias[deaths[i]->unit], causes->variant);
        rlm_variants_put(&causes->now, i, causes->variant);
    }
    rlm_variants_count(&causes->now, count, inputs);
    struct measure_region region = {inputs, &causes->now, deaths};
    rlm_pool_run(inputs->engine->pool, measure_one, &region, count);
}

void rlm_prognosis_find(struct rlm_causes *causes, struct rlm_strata *strata,
                        const struct rlm_standing *standing, relume_death *const *deaths, size_t count)
{
    for (size_t done = 0; done < count; done += causes->now.capacity)
        measure(causes, strata, deaths + done, rlm_size_min(causes->now.capacity, count - done));
    uint64_t step = relume_trainer_get_progress(standing->trainer).step;
    for (size_t i = 0; i < count; i++) {
        deaths[i]->prognosis.as_of = step;
        judge(causes, strata, standing, deaths[i]);
    }
}
