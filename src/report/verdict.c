/* The verdict: what a good doctor would say of a run, from the facts alone. Accuracy stands beside the
 * deaths, because they may be harmless; what one run cannot tell is not claimed. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "report/gather.h"

/* A fall of accuracy by more than this after its best epoch is worth saying; less is the noise between
 * epochs. */
#define FALL 0.01

/* What the deaths that last have in common. */
struct summary {
    size_t born;           /* of the dead: dead from the start, without a return */
    size_t killed;         /* of the dead: killed */
    uint64_t median, last; /* steps of the killed ones' deaths */
    size_t worst;          /* the layer with the most dead */
    size_t silent_layer;   /* a layer without a living unit; layers: none */
    size_t first_layer;    /* dead in h1 */
};

static int by_value(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

/* Steps of the lasting deaths, in ascending order; a unit without an event counts as born dead. */
static relume_status summarise(struct rlm_facts *facts, struct summary *sum, relume_error *error)
{
    uint64_t **died;
    uint64_t *step;
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, died, facts->layers, "a verdict", error));
    for (size_t l = 0; l < facts->layers; l++)
        RLM_TRY(RLM_BAG_TAKE(&facts->bag, died[l], facts->layer[l].units, "a verdict", error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, step, facts->dead, "a verdict", error));
    for (size_t i = 0; i < facts->events.count; i++)
        died[facts->event[i].layer][facts->event[i].unit] =
            facts->event[i].kind == RELUME_KILLED ? facts->event[i].step : 0;
    *sum = (struct summary){.silent_layer = facts->layers};
    for (size_t l = 0; l < facts->layers; l++) {
        const relume_layer_account *account = &facts->layer[l].account;
        if (account->dead > facts->layer[sum->worst].account.dead)
            sum->worst = l;
        if (account->dead == account->units && sum->silent_layer == facts->layers)
            sum->silent_layer = l;
        for (size_t u = 0; u < account->units; u++)
            if (facts->layer[l].unit[u].active == 0 && died[l][u] > 0)
                step[sum->killed++] = died[l][u];
    }
    sum->first_layer = facts->layers > 0 ? facts->layer[0].account.dead : 0;
    sum->born = facts->dead - sum->killed;
    qsort(step, sum->killed, sizeof *step, by_value);
    if (sum->killed > 0) {
        sum->median = step[(sum->killed - 1) / 2];
        sum->last = step[sum->killed - 1];
    }
    return RELUME_OK;
}

/* ---- words ---- */

/* 1,234,567 in one of a few buffers used in turn. */
struct words {
    char text[8][32];
    size_t next;
};

static const char *number(struct words *words, uint64_t value)
{
    char *text = words->text[words->next++ % 8] + 31;
    *text = '\0';
    for (int digits = 0; digits == 0 || value > 0; digits++, value /= 10) {
        if (digits > 0 && digits % 3 == 0)
            *--text = ',';
        *--text = (char)('0' + value % 10);
    }
    return text;
}

static const char *plural(uint64_t value)
{
    return value == 1 ? "" : "s";
}

/* Decimals are printed as whole parts, so that no locale changes them: 0.856 is 85.6 %, its sign not to be
 * parted. */
static const char *percent(struct words *words, double share)
{
    char *text = words->text[words->next++ % 8];
    long tenths = lround(share * 1000);
    (void)snprintf(text, 32, "%ld.%ld\u00a0%%", tenths / 10, labs(tenths % 10));
    return text;
}

static uint64_t epoch_of(const struct rlm_facts *facts, uint64_t step)
{
    const struct rlm_facts_epochs *e = &facts->epochs;
    for (size_t i = 0; i < e->count; i++)
        if (e->step[i] >= step)
            return e->epoch[i];
    return e->count > 0 ? e->epoch[e->count - 1] + 1 : 1;
}

static char **add_point(struct rlm_facts *facts, const char *about)
{
    struct rlm_facts_point *point = &facts->verdict.point[facts->verdict.points++];
    point->about = about;
    return &point->text;
}

#define SAY(facts, about, error, ...) rlm_facts_print(facts, add_point(facts, about), error, __VA_ARGS__)

/* ---- the sentences ---- */

static relume_status say_headline(struct rlm_facts *facts, const struct summary *sum, relume_error *error)
{
    struct words w = {.next = 0};
    char **to = &facts->verdict.headline;
    if (strcmp(facts->state, "diverged") == 0)
        return rlm_facts_print(facts, to, error, "Training diverged after %s step%s.",
                               number(&w, facts->step), plural(facts->step));
    if (facts->hidden_units == 0)
        return rlm_facts_print(facts, to, error, "This network has no hidden units.");
    if (sum->silent_layer < facts->layers)
        return rlm_facts_print(
            facts, to, error, "All %s units of %s are dead: nothing passes through the network.",
            number(&w, facts->layer[sum->silent_layer].units), facts->layer[sum->silent_layer].name);
    if (facts->dead == 0)
        return rlm_facts_print(facts, to, error, "All %s hidden units are alive.",
                               number(&w, facts->hidden_units));
    size_t worst = facts->layer[sum->worst].account.dead;
    const char *verb = facts->dead == 1 ? "is" : "are";
    if (facts->layers > 1 && facts->dead > 1 && 10 * worst >= 6 * facts->dead)
        return rlm_facts_print(facts, to, error, "%s of %s hidden units %s dead, %s of them in %s.",
                               number(&w, facts->dead), number(&w, facts->hidden_units), verb,
                               worst == facts->dead ? "all" : "most", facts->layer[sum->worst].name);
    return rlm_facts_print(facts, to, error, "%s of %s hidden units %s dead.", number(&w, facts->dead),
                           number(&w, facts->hidden_units), verb);
}

/* A loss with three digits after the point. */
static const char *loss_words(struct words *words, double loss)
{
    char *text = words->text[words->next++ % 8];
    if (!isfinite(loss) || fabs(loss) >= 1e6)
        return "not a finite number";
    long long thousandths = llround(fabs(loss) * 1000);
    (void)snprintf(text, 32, "%s%lld.%03lld", loss < 0 ? "−" : "", thousandths / 1000, thousandths % 1000);
    return text;
}

static relume_status say_accuracy(struct rlm_facts *facts, relume_error *error)
{
    struct words w = {.next = 0};
    bool tested = isfinite(facts->test.loss);
    const char *epochs = number(&w, facts->epoch), *s = plural(facts->epoch);
    if (facts->regression)
        return tested ? SAY(facts, "accuracy", error,
                            "The test loss is %s after %s epoch%s; the training loss %s.",
                            loss_words(&w, facts->test.loss), epochs, s, loss_words(&w, facts->train.loss))
                      : SAY(facts, "accuracy", error,
                            "The training loss is %s after %s epoch%s; there is no test split.",
                            loss_words(&w, facts->train.loss), epochs, s);
    return tested
               ? SAY(facts, "accuracy", error, "Test accuracy is %s after %s epoch%s; training accuracy %s.",
                     percent(&w, facts->test.accuracy), epochs, s, percent(&w, facts->train.accuracy))
               : SAY(facts, "accuracy", error,
                     "Training accuracy is %s after %s epoch%s; there is no test split.",
                     percent(&w, facts->train.accuracy), epochs, s);
}

static relume_status say_since(struct rlm_facts *facts, const struct summary *sum, relume_error *error)
{
    struct words w = {.next = 0};
    if (sum->killed == 0)
        return SAY(facts, "since", error, "%s born dead: no sample opened %s at the first weights.",
                   sum->born == 1 ? "It was" : "They were", sum->born == 1 ? "it" : "them");
    char *born = NULL;
    RLM_TRY(sum->born > 0 ? rlm_facts_print(facts, &born, error, "%s %s born dead. ", number(&w, sum->born),
                                            sum->born == 1 ? "was" : "were")
                          : rlm_facts_print(facts, &born, error, "%s", ""));
    if (sum->killed == 1)
        return SAY(facts, "since", error, "%sOne was killed at step %s, in epoch %s.", born,
                   number(&w, sum->last), number(&w, epoch_of(facts, sum->last)));
    return SAY(facts, "since", error,
               "%sHalf of the %s killed had died by step %s, in epoch %s; the last at step %s.", born,
               number(&w, sum->killed), number(&w, sum->median), number(&w, epoch_of(facts, sum->median)),
               number(&w, sum->last));
}

static relume_status say_return(struct rlm_facts *facts, const struct summary *sum, relume_error *error)
{
    struct words w = {.next = 0};
    size_t deeper = facts->dead - sum->first_layer;
    if (facts->first_layer_frozen && sum->first_layer > 0) {
        const char *others = deeper == 0 ? ""
                             : deeper == 1
                                 ? " The one in a deeper layer can, as long as the layers below it move."
                                 : " Those in deeper layers can, as long as the layers below them move.";
        return SAY(facts, "return", error,
                   "%s%s in h1 cannot, on these data: under plain SGD without weight decay a dead unit of "
                   "the first layer has "
                   "gradient 0.%s",
                   sum->first_layer == 1 ? "The one" : "The ",
                   sum->first_layer == 1 ? "" : number(&w, sum->first_layer), others);
    }
    if (facts->total.revivals > 0)
        return SAY(facts, "return", error, "Some do: there were %s revival%s in this run.",
                   number(&w, facts->total.revivals), plural(facts->total.revivals));
    return SAY(facts, "return", error,
               "None has in this run. The autopsy of a unit says whether it still moves.");
}

/* The epoch with the best accuracy on the split that is judged, as an index into epochs; count: none. */
static size_t best_epoch(const struct rlm_facts *facts, const double *accuracy)
{
    size_t best = facts->epochs.count;
    for (size_t i = 0; i < facts->epochs.count; i++)
        if (isfinite(accuracy[i]) && (best == facts->epochs.count || accuracy[i] > accuracy[best]))
            best = i;
    return best;
}

static relume_status say_fall(struct rlm_facts *facts, size_t best, double then, double now,
                              relume_error *error)
{
    struct words w = {.next = 0};
    uint64_t dead = facts->epochs.dead[best];
    facts->verdict.tone = "harm";
    return SAY(facts, "harm", error,
               "Perhaps: accuracy fell from %s after epoch %s, with %s dead, to %s now. One run cannot say "
               "which caused which.",
               percent(&w, then), number(&w, facts->epochs.epoch[best]), number(&w, dead), percent(&w, now));
}

static relume_status say_harm(struct rlm_facts *facts, const struct summary *sum, relume_error *error)
{
    bool tested = isfinite(facts->test.accuracy);
    const double *accuracy = tested ? facts->epochs.test_accuracy : facts->epochs.train_accuracy;
    double now = tested ? facts->test.accuracy : facts->train.accuracy;
    struct words w = {.next = 0};
    if (sum->silent_layer < facts->layers) {
        facts->verdict.tone = "harm";
        return SAY(facts, "harm", error, "Yes: the output no longer depends on the input.");
    }
    size_t best = best_epoch(facts, accuracy);
    if (best < facts->epochs.count && isfinite(now) && accuracy[best] > now + FALL)
        return say_fall(facts, best, accuracy[best], now, error);
    const struct rlm_facts_layer *worst = &facts->layer[sum->worst];
    if (2 * worst->account.dead > worst->units) {
        facts->verdict.tone = "harm";
        return SAY(facts, "harm", error,
                   "%s of %s does nothing, so the network that learns is a smaller one than you chose. "
                   "Accuracy has not fallen since; "
                   "what these units would have added, one run cannot tell.",
                   percent(&w, (double)worst->account.dead / (double)worst->units), worst->name);
    }
    if (facts->regression)
        return SAY(facts, "harm", error,
                   "One run cannot tell: compare the loss with that of a run in which fewer died.");
    return SAY(facts, "harm", error,
               "Not measurably: accuracy is within 1\u00a0%% of its best with these units dead.");
}

static relume_status say_advice(struct rlm_facts *facts, const struct summary *sum, relume_error *error)
{
    if (sum->born >= sum->killed)
        return SAY(facts, "advice", error,
                   "Centre the inputs (--standardize), or start from other weights: uncentred inputs are the "
                   "usual reason that "
                   "units are born dead.");
    if (5 * sum->median <= facts->step)
        return SAY(
            facts, "advice", error,
            "They died early. A warm-up (--warmup), or a lower learning rate, would spare most of them.");
    return SAY(facts, "advice", error,
               "A lower learning rate, or a gradient clipped (--clip-norm), would spare most of them.");
}

static relume_status say_gain(struct rlm_facts *facts, relume_error *error)
{
    struct words w = {.next = 0};
    size_t saved = facts->parameters - facts->parameters_without_dead;
    return SAY(facts, "gain", error,
               "Living units in their place. Or, left dead, a smaller model: removing them changes no output "
               "on these data and "
               "saves %s of %s parameters (%s).",
               number(&w, saved), number(&w, facts->parameters),
               percent(&w, (double)saved / (double)facts->parameters));
}

static relume_status say_diverged(struct rlm_facts *facts, relume_error *error)
{
    facts->verdict.tone = "diverged";
    RLM_TRY(
        SAY(facts, "cause", error, "%s.", facts->trouble ? facts->trouble : "A number stopped being finite"));
    RLM_TRY(SAY(facts, "advice", error,
                "Lower the learning rate, or clip the gradient (--clip-norm). What follows is of the last "
                "good state."));
    return say_accuracy(facts, error);
}

relume_status rlm_verdict_reach(struct rlm_facts *facts, relume_error *error)
{
    struct summary sum;
    RLM_TRY(summarise(facts, &sum, error));
    facts->verdict = (struct rlm_facts_verdict){.tone = facts->dead ? "harmless" : "well"};
    RLM_TRY(say_headline(facts, &sum, error));
    if (strcmp(facts->state, "diverged") == 0)
        return say_diverged(facts, error);
    RLM_TRY(say_accuracy(facts, error));
    if (facts->dead == 0)
        return SAY(facts, "advice", error, "Nothing needs to be done.");
    RLM_TRY(say_since(facts, &sum, error));
    RLM_TRY(say_return(facts, &sum, error));
    RLM_TRY(say_harm(facts, &sum, error));
    RLM_TRY(say_advice(facts, &sum, error));
    return say_gain(facts, error);
}
