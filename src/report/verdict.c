/* The verdict: what a good doctor would say of a run, from the facts alone. Accuracy stands beside the
 * deaths, because they may be harmless; what one run cannot tell is not claimed. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "report/verdict_autopsy.h"
#include "report/words.h"

/* A fall of accuracy by more than this after its best epoch is worth saying; less is the noise between
 * epochs. */
#define FALL 0.01

static int by_value(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

/* Steps of the lasting deaths, in ascending order; a unit without an event counts as born dead. */
static relume_status summarise(struct rlm_facts *facts, struct rlm_deaths_sum *sum, relume_error *error)
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
    *sum = (struct rlm_deaths_sum){.silent_layer = facts->layers};
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

static uint64_t epoch_of(const struct rlm_facts *facts, uint64_t step)
{
    const struct rlm_facts_epochs *e = &facts->epochs;
    for (size_t i = 0; i < e->count; i++)
        if (e->step[i] >= step)
            return e->epoch[i];
    return e->count > 0 ? e->epoch[e->count - 1] + 1 : 1;
}

/* ---- the sentences ---- */

static relume_status say_silent(struct rlm_facts *facts, const struct rlm_facts_layer *layer,
                                relume_error *error)
{
    struct rlm_words w = {.next = 0};
    char **to = &facts->verdict.headline;
    if (layer->units == 1)
        return rlm_facts_print(facts, to, error,
                               "The only unit of %s is dead: nothing passes through the network.",
                               layer->name);
    return rlm_facts_print(facts, to, error,
                           "All %s units of %s are dead: nothing passes through the network.",
                           rlm_words_number(&w, layer->units), layer->name);
}

static relume_status say_headline(struct rlm_facts *facts, const struct rlm_deaths_sum *sum,
                                  relume_error *error)
{
    struct rlm_words w = {.next = 0};
    char **to = &facts->verdict.headline;
    if (strcmp(facts->state, "diverged") == 0)
        return rlm_facts_print(facts, to, error, "Training diverged after %s step%s.",
                               rlm_words_number(&w, facts->step), rlm_words_plural(facts->step));
    if (facts->hidden_units == 0)
        return rlm_facts_print(facts, to, error, "This network has no hidden units.");
    if (sum->silent_layer < facts->layers)
        return say_silent(facts, &facts->layer[sum->silent_layer], error);
    if (facts->dead == 0)
        return facts->hidden_units == 1 ? rlm_facts_print(facts, to, error, "The only hidden unit is alive.")
                                        : rlm_facts_print(facts, to, error, "All %s hidden units are alive.",
                                                          rlm_words_number(&w, facts->hidden_units));
    size_t worst = facts->layer[sum->worst].account.dead;
    const char *verb = facts->dead == 1 ? "is" : "are";
    if (facts->layers > 1 && facts->dead > 1 && 10 * worst >= 6 * facts->dead)
        return rlm_facts_print(facts, to, error, "%s of %s hidden units %s dead, %s of them in %s.",
                               rlm_words_number(&w, facts->dead), rlm_words_number(&w, facts->hidden_units),
                               verb, worst == facts->dead ? "all" : "most", facts->layer[sum->worst].name);
    return rlm_facts_print(facts, to, error, "%s of %s hidden unit%s %s dead.",
                           rlm_words_number(&w, facts->dead), rlm_words_number(&w, facts->hidden_units),
                           rlm_words_plural(facts->hidden_units), verb);
}

static relume_status say_accuracy(struct rlm_facts *facts, relume_error *error)
{
    struct rlm_words w = {.next = 0};
    bool tested = isfinite(facts->test.loss);
    const char *epochs = rlm_words_number(&w, facts->epoch), *s = rlm_words_plural(facts->epoch);
    if (facts->regression)
        return tested ? RLM_SAY(facts, "accuracy", error,
                                "The test loss is %s after %s epoch%s; the training loss %s.",
                                rlm_words_loss(&w, facts->test.loss), epochs, s,
                                rlm_words_loss(&w, facts->train.loss))
                      : RLM_SAY(facts, "accuracy", error,
                                "The training loss is %s after %s epoch%s; there is no test split.",
                                rlm_words_loss(&w, facts->train.loss), epochs, s);
    return tested ? RLM_SAY(facts, "accuracy", error,
                            "Test accuracy is %s after %s epoch%s; training accuracy %s.",
                            rlm_words_percent(&w, facts->test.accuracy), epochs, s,
                            rlm_words_percent(&w, facts->train.accuracy))
                  : RLM_SAY(facts, "accuracy", error,
                            "Training accuracy is %s after %s epoch%s; there is no test split.",
                            rlm_words_percent(&w, facts->train.accuracy), epochs, s);
}

static relume_status say_since(struct rlm_facts *facts, const struct rlm_deaths_sum *sum, relume_error *error)
{
    struct rlm_words w = {.next = 0};
    if (sum->killed == 0)
        return RLM_SAY(facts, "since", error, "%s born dead: no sample opened %s at the first weights.",
                       sum->born == 1 ? "It was" : "They were", sum->born == 1 ? "it" : "them");
    char *born = NULL;
    RLM_TRY(sum->born > 0 ? rlm_facts_print(facts, &born, error, "%s %s born dead. ",
                                            rlm_words_number(&w, sum->born), sum->born == 1 ? "was" : "were")
                          : rlm_facts_print(facts, &born, error, "%s", ""));
    if (sum->killed == 1)
        return RLM_SAY(facts, "since", error, "%sOne was killed at step %s, in epoch %s.", born,
                       rlm_words_number(&w, sum->last), rlm_words_number(&w, epoch_of(facts, sum->last)));
    return RLM_SAY(facts, "since", error,
                   "%sHalf of the %s killed had died by step %s, in epoch %s; the last at step %s.", born,
                   rlm_words_number(&w, sum->killed), rlm_words_number(&w, sum->median),
                   rlm_words_number(&w, epoch_of(facts, sum->median)), rlm_words_number(&w, sum->last));
}

static relume_status say_return(struct rlm_facts *facts, const struct rlm_deaths_sum *sum,
                                relume_error *error)
{
    struct rlm_words w = {.next = 0};
    size_t deeper = facts->dead - sum->first_layer;
    if (facts->first_layer_frozen && sum->first_layer > 0) {
        const char *others = deeper == 0 ? ""
                             : deeper == 1
                                 ? " The one in a deeper layer can, as long as the layers below it move."
                                 : " Those in deeper layers can, as long as the layers below them move.";
        return RLM_SAY(
            facts, "return", error,
            "%s%s in h1 cannot, on these data: under plain SGD without weight decay a dead unit of "
            "the first layer has "
            "gradient 0.%s",
            sum->first_layer == 1 ? "The one" : "The ",
            sum->first_layer == 1 ? "" : rlm_words_number(&w, sum->first_layer), others);
    }
    if (facts->total.revivals > 0)
        return RLM_SAY(facts, "return", error, "Some do: there were %s revival%s in this run.",
                       rlm_words_number(&w, facts->total.revivals), rlm_words_plural(facts->total.revivals));
    return RLM_SAY(facts, "return", error,
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
    struct rlm_words w = {.next = 0};
    uint64_t dead = facts->epochs.dead[best];
    facts->verdict.tone = "harm";
    return RLM_SAY(
        facts, "harm", error,
        "Perhaps: accuracy fell from %s after epoch %s, with %s dead, to %s now. One run cannot say "
        "which caused which.",
        rlm_words_percent(&w, then), rlm_words_number(&w, facts->epochs.epoch[best]),
        rlm_words_number(&w, dead), rlm_words_percent(&w, now));
}

static relume_status say_harm(struct rlm_facts *facts, const struct rlm_deaths_sum *sum, relume_error *error)
{
    bool tested = isfinite(facts->test.accuracy);
    const double *accuracy = tested ? facts->epochs.test_accuracy : facts->epochs.train_accuracy;
    double now = tested ? facts->test.accuracy : facts->train.accuracy;
    struct rlm_words w = {.next = 0};
    if (sum->silent_layer < facts->layers) {
        facts->verdict.tone = "harm";
        return RLM_SAY(facts, "harm", error, "Yes: the output no longer depends on the input.");
    }
    size_t best = best_epoch(facts, accuracy);
    if (best < facts->epochs.count && isfinite(now) && accuracy[best] > now + FALL)
        return say_fall(facts, best, accuracy[best], now, error);
    const struct rlm_facts_layer *worst = &facts->layer[sum->worst];
    if (2 * worst->account.dead > worst->units) {
        facts->verdict.tone = "harm";
        return RLM_SAY(facts, "harm", error,
                       "%s of %s does nothing, so the network that learns is a smaller one than you chose. "
                       "Accuracy has not fallen since; "
                       "what these units would have added, one run cannot tell.",
                       rlm_words_percent(&w, (double)worst->account.dead / (double)worst->units),
                       worst->name);
    }
    if (facts->regression)
        return RLM_SAY(facts, "harm", error,
                       "One run cannot tell: compare the loss with that of a run in which fewer died.");
    return RLM_SAY(facts, "harm", error,
                   "Not measurably: accuracy is within 1\u00a0%% of its best with these units dead.");
}

static relume_status say_advice(struct rlm_facts *facts, const struct rlm_deaths_sum *sum,
                                relume_error *error)
{
    if (sum->born >= sum->killed)
        return RLM_SAY(
            facts, "advice", error,
            "Centre the inputs (--standardize), or start from other weights: uncentred inputs are the "
            "usual reason that "
            "units are born dead.");
    if (5 * sum->median <= facts->step)
        return RLM_SAY(
            facts, "advice", error,
            "They died early. A warm-up (--warmup), or a lower learning rate, would spare most of them.");
    return RLM_SAY(facts, "advice", error,
                   "A lower learning rate, or a gradient clipped (--clip-norm), would spare most of them.");
}

/* What the best of the runs beside this one came to, where it is better by more than the noise; else "". */
static relume_status better_words(struct rlm_facts *facts, char **text, relume_error *error)
{
    const struct rlm_facts_sweep *sweep = &facts->sweep;
    struct rlm_words w = {.next = 0};
    double now = facts->sweep.rows > 0 ? relume_sweep_row_accuracy(&sweep->row[sweep->own]) : (double)NAN;
    const relume_sweep_row *best =
        sweep->rows > 0 && sweep->cliff.best != SIZE_MAX ? &sweep->row[sweep->cliff.best] : NULL;
    if (!best || !(relume_sweep_row_accuracy(best) > now + FALL))
        return rlm_facts_print(facts, text, error, "%s", "");
    return rlm_facts_print(facts, text, error,
                           "The run beside it with a learning rate of %s came to an accuracy of %s, with %s "
                           "dead. ",
                           rlm_words_rate(&w, best->learning_rate),
                           rlm_words_percent(&w, relume_sweep_row_accuracy(best)),
                           rlm_words_number(&w, best->total.dead_at_end));
}

static relume_status say_gain(struct rlm_facts *facts, relume_error *error)
{
    struct rlm_words w = {.next = 0};
    size_t saved = facts->parameters - facts->parameters_without_dead;
    char *better = NULL;
    RLM_TRY(better_words(facts, &better, error));
    return RLM_SAY(facts, "gain", error,
                   "%sLiving units in their place. Or, left dead, a smaller model: removing them changes no "
                   "output on these data and saves %s of %s parameters (%s).",
                   better, rlm_words_number(&w, saved), rlm_words_number(&w, facts->parameters),
                   rlm_words_percent(&w, (double)saved / (double)facts->parameters));
}

static relume_status say_diverged(struct rlm_facts *facts, relume_error *error)
{
    facts->verdict.tone = "diverged";
    RLM_TRY(RLM_SAY(facts, "cause", error, "%s.",
                    facts->trouble ? facts->trouble : "A number stopped being finite"));
    RLM_TRY(
        RLM_SAY(facts, "advice", error,
                "Lower the learning rate, or clip the gradient (--clip-norm). What follows is of the last "
                "good state."));
    return say_accuracy(facts, error);
}

relume_status rlm_verdict_reach(struct rlm_facts *facts, relume_error *error)
{
    struct rlm_deaths_sum sum;
    RLM_TRY(summarise(facts, &sum, error));
    facts->verdict = (struct rlm_facts_verdict){.tone = facts->dead ? "harmless" : "well"};
    RLM_TRY(say_headline(facts, &sum, error));
    if (strcmp(facts->state, "diverged") == 0)
        return say_diverged(facts, error);
    RLM_TRY(say_accuracy(facts, error));
    if (facts->dead == 0)
        return RLM_SAY(facts, "advice", error, "Nothing needs to be done.");
    bool held = facts->autopsy.held;
    RLM_TRY(say_since(facts, &sum, error));
    if (held)
        RLM_TRY(rlm_verdict_cause(facts, error));
    else if (!facts->live && facts->autopsy.left_out)
        RLM_TRY(RLM_SAY(facts, "cause", error, "Not known here: %s.", facts->autopsy.left_out));
    RLM_TRY(held ? rlm_verdict_prognosis(facts, error) : say_return(facts, &sum, error));
    RLM_TRY(say_harm(facts, &sum, error));
    RLM_TRY(held ? rlm_verdict_remedy(facts, &sum, error) : say_advice(facts, &sum, error));
    return say_gain(facts, error);
}
