/* The sentences of a verdict that rest on the autopsy: of what the units died, whether they return, and what
 * would have spared them. Their words for causes and prognoses are those of docs/autopsy.md. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "report/verdict_autopsy.h"
#include "report/words.h"

/* A way to die, whatever the layer; `depth` sets a deeper layer's inputs apart from the data's. */
struct manner {
    relume_event_kind kind;
    unsigned causes;
    int overdetermined;
    bool depth;
    uint64_t deaths;
};

static struct manner manner_of(const struct rlm_facts_way *way)
{
    return (struct manner){.kind = way->kind,
                           .causes = way->causes,
                           .overdetermined = way->overdetermined,
                           .depth = (way->causes & RELUME_CAUSE_UNCENTRED) && way->layer > 0};
}

static bool is_same(const struct manner *a, const struct manner *b)
{
    return a->kind == b->kind && a->causes == b->causes && a->overdetermined == b->overdetermined &&
           a->depth == b->depth;
}

/* The most frequent one, over all layers. */
static struct manner main_manner(const struct rlm_facts_autopsy *autopsy)
{
    struct manner most = {.deaths = 0};
    for (size_t g = 0; g < autopsy->ways; g++) {
        struct manner one = manner_of(&autopsy->way[g]);
        for (size_t i = 0; i < autopsy->ways; i++) {
            struct manner other = manner_of(&autopsy->way[i]);
            one.deaths += is_same(&one, &other) ? autopsy->way[i].deaths : 0;
        }
        if (one.deaths > most.deaths)
            most = one;
    }
    return most;
}

/* ---- causes ---- */

static const char *part_words(const struct rlm_facts *facts, unsigned cause)
{
    bool adam = facts->optimizer == RELUME_ADAM || facts->optimizer == RELUME_ADAMW;
    switch (cause) {
    case RELUME_CAUSE_GRADIENT:
        return "one batch's gradient";
    case RELUME_CAUSE_MOMENTUM:
        return adam ? "what Adam's moments carried over" : "what momentum carried over";
    case RELUME_CAUSE_DECAY:
        return "weight decay";
    default:
        return "a move of the layers below";
    }
}

/* "a, b and c" of the parts of an update; returns how many. */
static int list_parts(const struct rlm_facts *facts, unsigned causes, const char *last, char *text,
                      size_t size)
{
    int count = __builtin_popcount(causes & (2 * RELUME_CAUSE_BELOW - 1)), at = 0;
    size_t used = 0;
    text[0] = '\0';
    for (unsigned cause = 1; cause <= RELUME_CAUSE_BELOW && used < size; cause <<= 1)
        if (causes & cause) {
            const char *between = at == 0 ? "" : at + 1 == count ? last : ", ";
            used += (size_t)snprintf(text + used, size - used, "%s%s", between, part_words(facts, cause));
            at++;
        }
    return count;
}

/* Why those that were born dead were. */
static void birth_words(const struct manner *manner, char *text, size_t size)
{
    const char *why =
        manner->causes & RELUME_CAUSE_BIAS
            ? "of a negative bias: with a bias of 0 some sample would have opened them"
        : manner->depth ? "of depth: what ReLUs pass on is never negative, so all samples point the same way"
        : manner->causes & RELUME_CAUSE_UNCENTRED
            ? "of uncentred inputs: with their mean taken off some sample would have opened them"
            : "by chance: neither a bias nor a shared mean explains it";
    (void)snprintf(text, size, "born dead %s", why);
}

static void killing_words(const struct rlm_facts *facts, const struct manner *manner, bool one, char *text,
                          size_t size)
{
    char parts[200];
    const char *they = one ? "it" : "they";
    int count =
        list_parts(facts, manner->causes, manner->overdetermined ? " or " : " and ", parts, sizeof parts);
    if (manner->overdetermined)
        (void)snprintf(text, size, "killed by %s: any one part of the update left out, the rest still killed",
                       parts);
    else
        (void)snprintf(text, size, "killed by %s: without %s %s would have lived", parts,
                       count == 1   ? "that"
                       : count == 2 ? "either"
                                    : "any of these",
                       they);
}

/* Deaths over many steps, and those that a single sample decided. */
static relume_status say_more(struct rlm_facts *facts, char **more, relume_error *error)
{
    struct rlm_words w = {.next = 0};
    uint64_t starved = facts->autopsy.starved, outliers = facts->autopsy.outliers;
    char drift[120] = "", sample[120] = "";
    if (starved > 0)
        (void)snprintf(drift, sizeof drift, " %s starved over many updates, with no single one to blame.",
                       rlm_words_number(&w, starved));
    if (outliers > 0)
        (void)snprintf(sample, sizeof sample, " In %s death%s a single outlier in the batch decided.",
                       rlm_words_number(&w, outliers), rlm_words_plural(outliers));
    return rlm_facts_print(facts, more, error, "%s%s", drift, sample);
}

relume_status rlm_verdict_cause(struct rlm_facts *facts, relume_error *error)
{
    struct rlm_words w = {.next = 0};
    struct manner manner = main_manner(&facts->autopsy);
    uint64_t all = facts->autopsy.deaths;
    bool one = manner.deaths == 1;
    char words[400], *more = NULL;
    if (manner.kind == RELUME_BORN_DEAD)
        birth_words(&manner, words, sizeof words);
    else
        killing_words(facts, &manner, one, words, sizeof words);
    RLM_TRY(say_more(facts, &more, error));
    if (all == 1)
        return RLM_SAY(facts, "cause", error, "It was %s.%s", words, more);
    if (manner.deaths == all)
        return RLM_SAY(facts, "cause", error, "All were %s.%s", words, more);
    return RLM_SAY(facts, "cause", error, "%s of the %s %s %s.%s", rlm_words_number(&w, manner.deaths),
                   rlm_words_number(&w, all), one ? "was" : "were", words, more);
}

/* ---- the prognosis ---- */

relume_status rlm_verdict_prognosis(struct rlm_facts *facts, relume_error *error)
{
    struct rlm_words w = {.next = 0};
    uint64_t never = 0, returns = 0, open = 0, all = facts->autopsy.deaths;
    for (size_t g = 0; g < facts->autopsy.ways; g++) {
        never += facts->autopsy.way[g].never;
        returns += facts->autopsy.way[g].returns;
        open += facts->autopsy.way[g].open;
    }
    if (never == all)
        return RLM_SAY(facts, "return", error, "%s, on these data: proved.",
                       all == 1 ? "It never will" : "None ever will");
    char frozen[120] = "", coasting[120] = "", rest[120] = "";
    if (never > 0)
        (void)snprintf(frozen, sizeof frozen, "%s never will, on these data: proved. ",
                       rlm_words_number(&w, never));
    if (returns > 0)
        (void)snprintf(coasting, sizeof coasting,
                       "%s will when training goes on, by what the optimizer carries. ",
                       rlm_words_number(&w, returns));
    if (open > 0)
        (void)snprintf(rest, sizeof rest, "%s may: what moves %s inputs can still bring %s back.",
                       open == all ? (all == 1 ? "It" : "All") : rlm_words_number(&w, open),
                       open == 1 ? "its" : "their", open == 1 ? "it" : "them");
    return RLM_SAY(facts, "return", error, "%s%s%s", frozen, coasting, rest);
}

/* ---- what to do ---- */

/* What would have kept those alive that were killed. */
static relume_status advise_rate(struct rlm_facts *facts, const struct rlm_deaths_sum *sum,
                                 const struct manner *manner, relume_error *error)
{
    struct rlm_words w = {.next = 0};
    const char *early =
        5 * sum->median <= facts->step ? " They died early: a warm-up (--warmup) may do as much." : "";
    if (!isfinite(facts->autopsy.spared_at))
        return RLM_SAY(
            facts, "advice", error,
            "A lower learning rate throughout, or a gradient clipped (--clip-norm): no rate of the "
            "last update alone would have spared half of them, their inputs had moved.%s",
            early);
    const char *decay = manner->causes == RELUME_CAUSE_DECAY
                            ? " Or less weight decay (--weight-decay), which alone was necessary."
                            : "";
    const char *rate = rlm_words_rate(&w, facts->autopsy.spared_at);
    if (sum->killed == 1)
        return RLM_SAY(facts, "advice", error,
                       "Train at a learning rate of %s or less: it would have lived through that update.%s%s",
                       rate, decay, early);
    return RLM_SAY(
        facts, "advice", error,
        "Train at a learning rate of %s or less: half of the killed would have lived through their "
        "last update.%s%s",
        rate, decay, early);
}

relume_status rlm_verdict_remedy(struct rlm_facts *facts, const struct rlm_deaths_sum *sum,
                                 relume_error *error)
{
    struct manner manner = main_manner(&facts->autopsy);
    if (manner.kind != RELUME_BORN_DEAD)
        return advise_rate(facts, sum, &manner, error);
    if (manner.causes & RELUME_CAUSE_BIAS)
        return RLM_SAY(facts, "advice", error, "Start with biases of 0, as every --init but pytorch does.");
    if (manner.depth)
        return RLM_SAY(
            facts, "advice", error,
            "Start from other weights (--init orthogonal, another --seed): relume forecast tells how "
            "many each would cost.");
    if (manner.causes & RELUME_CAUSE_UNCENTRED)
        return RLM_SAY(facts, "advice", error,
                       "Centre the inputs (--standardize); relume forecast tells how many that would spare.");
    return RLM_SAY(facts, "advice", error, "Start from other weights (--seed), or with wider layers.");
}
