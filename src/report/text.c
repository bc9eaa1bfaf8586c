/* The facts for a terminal: the verdict, a strip for each curve, a table of layers, the units that died last.
 * Plain text in UTF-8; no line is longer than the width, and names from outside cannot move the cursor or
 * turn the text around. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/print.h"
#include "report/words.h"
#include "report/writer.h"

#define STRIP 32 /* cells of a strip, at most */

struct sheet {
    struct rlm_strbuf *buffer;
    size_t width;
};

/* ---- text of a known width ---- */

static bool faceless(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x61c ||
           (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2060 && point <= 0x206f) || point == 0xfeff;
}

static void put_point(struct rlm_strbuf *buffer, uint32_t point)
{
    char bytes[4];
    size_t length = 0;
    if (point < 0x80)
        bytes[length++] = (char)point;
    else if (point < 0x800)
        bytes[length++] = (char)(0xc0 | point >> 6);
    else if (point < 0x10000)
        bytes[length++] = (char)(0xe0 | point >> 12);
    else
        bytes[length++] = (char)(0xf0 | point >> 18);
    for (int shift = point < 0x80 ? -6 : point < 0x800 ? 0 : point < 0x10000 ? 6 : 12; shift >= 0; shift -= 6)
        bytes[length++] = (char)(0x80 | (point >> shift & 0x3f));
    rlm_strbuf_append(buffer, bytes, length);
}

/* At most `room` characters of a text; what cannot be seen becomes U+FFFD. Returns the characters put. */
static size_t put_clipped(struct rlm_strbuf *buffer, const char *text, size_t room)
{
    size_t put = 0;
    uint32_t point;
    while (put < room && (point = rlm_utf8_next(&text)) != 0) {
        bool last = put + 1 == room && *text;
        put_point(buffer, last ? 0x2026 : faceless(point) ? 0xfffd : point);
        put++;
    }
    return put;
}

static void put_spaces(struct rlm_strbuf *buffer, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rlm_strbuf_append(buffer, " ", 1);
}

/* Characters up to the next space or end, and whether it was the end. */
static size_t word_length(const char *text, const char **end)
{
    size_t length = 0;
    const char *at = text;
    while (*at && *at != ' ') {
        (void)rlm_utf8_next(&at);
        length++;
    }
    *end = at;
    return length;
}

/* A paragraph, its lines indented; the first line begins at column `indent` already. */
static void put_wrapped(const struct sheet *sheet, const char *text, size_t indent)
{
    size_t column = indent;
    while (*text) {
        const char *end;
        size_t length = word_length(text, &end);
        if (column > indent && column + 1 + length > sheet->width) {
            rlm_strbuf_append(sheet->buffer, "\n", 1);
            put_spaces(sheet->buffer, indent);
            column = indent;
        } else if (column > indent) {
            rlm_strbuf_append(sheet->buffer, " ", 1);
            column++;
        }
        size_t room = sheet->width - column;
        char word[256];
        size_t bytes = (size_t)(end - text) < sizeof word - 1 ? (size_t)(end - text) : sizeof word - 1;
        memcpy(word, text, bytes);
        word[bytes] = '\0';
        column += put_clipped(sheet->buffer, word, room);
        text = *end ? end + 1 : end;
    }
    rlm_strbuf_append(sheet->buffer, "\n", 1);
}

/* ---- strips ---- */

/* `count` values as at most STRIP cells between `low` and `high`; a cell is the mean of the values it stands
 * for, a space has none. */
static void put_strip(const struct sheet *sheet, const double *value, size_t count, double low, double high)
{
    static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    size_t cells = count < STRIP ? count : STRIP;
    for (size_t c = 0; c < cells; c++) {
        size_t from = c * count / cells, to = (c + 1) * count / cells, known = 0;
        double sum = 0;
        for (size_t i = from; i < to; i++)
            if (isfinite(value[i])) {
                sum += value[i];
                known++;
            }
        double level = known > 0 && high > low ? (sum / (double)known - low) / (high - low) : 0;
        int bar = (int)(level * 7.999);
        const char *cell = known == 0 ? " " : bars[bar < 0 ? 0 : bar > 7 ? 7 : bar];
        rlm_strbuf_append(sheet->buffer, cell, strlen(cell));
    }
    put_spaces(sheet->buffer, STRIP - cells);
}

static void range_of(const double *value, size_t count, double *low, double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (size_t i = 0; i < count; i++)
        if (isfinite(value[i])) {
            *low = fmin(*low, value[i]);
            *high = fmax(*high, value[i]);
        }
}

/* First and last known value; false when none is. */
static bool ends_of(const double *value, size_t count, double *first, double *last)
{
    bool known = false;
    for (size_t i = 0; i < count; i++)
        if (isfinite(value[i])) {
            if (!known)
                *first = value[i];
            *last = value[i];
            known = true;
        }
    return known;
}

/* One curve: its name, its strip, first and last value. */
static void put_curve(const struct sheet *sheet, const char *name, const double *value, size_t count,
                      double low, bool percent)
{
    double first = NAN, last = NAN, lowest, high;
    if (!ends_of(value, count, &first, &last))
        return;
    range_of(value, count, &lowest, &high);
    rlm_strbuf_print(sheet->buffer, "%-15s", name);
    put_strip(sheet, value, count, fmin(low, lowest), high);
    if (percent)
        rlm_strbuf_print(sheet->buffer, "  %.1f\u00a0%% → %.1f\u00a0%%\n", 100 * first, 100 * last);
    else
        rlm_strbuf_print(sheet->buffer, "  %.4g → %.4g\n", first, last);
}

static void put_layer_curve(const struct sheet *sheet, const struct rlm_facts *facts,
                            const struct rlm_facts_layer *layer)
{
    char name[24];
    double share[STRIP] = {0};
    size_t count = facts->epochs.count, cells = count < STRIP ? count : STRIP;
    if (!layer->dead_by_epoch || count == 0)
        return;
    for (size_t c = 0; c < cells; c++) {
        size_t last = (c + 1) * count / cells - 1; /* the last epoch that the cell stands for */
        share[c] = (double)layer->dead_by_epoch[last] / (double)layer->units;
    }
    (void)snprintf(name, sizeof name, "dead in %.12s", layer->name);
    rlm_strbuf_print(sheet->buffer, "%-15s", name);
    put_strip(sheet, share, cells, 0, 1);
    rlm_strbuf_print(sheet->buffer, "  %llu → %llu of %zu\n", (unsigned long long)layer->dead_by_epoch[0],
                     (unsigned long long)layer->dead_by_epoch[count - 1], layer->units);
}

/* log10 of how far the last update of each epoch moved the weights, beside their length. */
static void put_ratio_curves(const struct sheet *sheet, const struct rlm_facts *facts)
{
    char name[32];
    for (size_t l = 0; facts->ratios && l < facts->layers; l++) {
        (void)snprintf(name, sizeof name, "log10 dw/w %.4s", facts->layer[l].name);
        put_curve(sheet, name, facts->layer[l].ratio_by_epoch, facts->epochs.count, INFINITY, false);
    }
    if (facts->ratios)
        put_curve(sheet, "log10 dw/w out", facts->out_ratio, facts->epochs.count, INFINITY, false);
}

/* Events in STRIP stretches of the run. */
static void put_event_curve(const struct sheet *sheet, const char *name, const struct rlm_facts *facts,
                            const uint64_t *number)
{
    double value[STRIP] = {0}, high = 0;
    unsigned long long total = 0;
    size_t count = facts->steps.count, cells = count < STRIP ? count : STRIP;
    for (size_t i = 0; i < count; i++) {
        value[i * cells / count] += (double)number[i];
        total += number[i];
    }
    for (size_t c = 0; c < cells; c++)
        high = fmax(high, value[c]);
    if (total == 0)
        return;
    rlm_strbuf_print(sheet->buffer, "%-15s", name);
    put_strip(sheet, value, cells, 0, high);
    rlm_strbuf_print(sheet->buffer, "  %llu over %llu step%s\n", total, (unsigned long long)facts->step,
                     rlm_words_plural(facts->step));
}

static void put_curves(const struct sheet *sheet, const struct rlm_facts *facts)
{
    const struct rlm_facts_epochs *e = &facts->epochs;
    double first, last;
    bool tested = ends_of(e->test_loss, e->count, &first, &last);
    rlm_strbuf_print(sheet->buffer, "\n");
    put_curve(sheet, "train loss", e->train_loss, e->count, INFINITY, false);
    if (tested)
        put_curve(sheet, "test loss", e->test_loss, e->count, INFINITY, false);
    put_curve(sheet, "train accuracy", e->train_accuracy, e->count, 0, true);
    put_curve(sheet, "test accuracy", e->test_accuracy, e->count, 0, true);
    put_curve(sheet, "learning rate", e->learning_rate, e->count, 0, false);
    put_ratio_curves(sheet, facts);
    for (size_t l = 0; l < facts->layers; l++)
        put_layer_curve(sheet, facts, &facts->layer[l]);
    put_event_curve(sheet, "deaths", facts, facts->steps.deaths);
    put_event_curve(sheet, "revivals", facts, facts->steps.revivals);
}

/* ---- the rest ---- */

static void put_head(const struct sheet *sheet, const struct rlm_facts *facts)
{
    char progress[96];
    (void)snprintf(progress, sizeof progress, "complete to step %llu, epoch %llu%s%s",
                   (unsigned long long)facts->step, (unsigned long long)facts->epoch,
                   strcmp(facts->state, "finished") == 0 ? "" : ", ",
                   strcmp(facts->state, "finished") == 0 ? "" : facts->state);
    size_t length = strlen(progress);
    size_t room = sheet->width > length + 12 ? sheet->width - length - 2 : 10;
    size_t put = put_clipped(sheet->buffer, facts->run, room);
    if (put + 2 + length <= sheet->width)
        put_spaces(sheet->buffer, sheet->width - put - length);
    else
        rlm_strbuf_append(sheet->buffer, "\n", 1);
    put_wrapped(sheet, progress, 0);
    rlm_strbuf_append(sheet->buffer, "\n", 1);
}

static void put_verdict(const struct sheet *sheet, const struct rlm_facts *facts)
{
    static const char *const topics[][2] = {{"accuracy", "accuracy"},   {"since", "since when"},
                                            {"cause", "why"},           {"return", "can return"},
                                            {"harm", "does it matter"}, {"advice", "what to do"},
                                            {"gain", "what it brings"}};
    put_wrapped(sheet, facts->verdict.headline, 0);
    rlm_strbuf_append(sheet->buffer, "\n", 1);
    for (size_t i = 0; i < facts->verdict.points; i++) {
        const struct rlm_facts_point *point = &facts->verdict.point[i];
        const char *topic = point->about;
        for (size_t t = 0; t < sizeof topics / sizeof *topics; t++)
            if (strcmp(topics[t][0], point->about) == 0)
                topic = topics[t][1];
        rlm_strbuf_print(sheet->buffer, "%-15s", topic);
        put_wrapped(sheet, point->text, 15);
    }
}

static void put_layers(const struct sheet *sheet, const struct rlm_facts *facts)
{
    rlm_strbuf_print(sheet->buffer, "\n%-8s%7s%7s%13s%11s%11s%9s%10s\n", "layer", "units", "dead",
                     "nearly dead", "always on", "born dead", "killed", "revived");
    for (size_t l = 0; l < facts->layers; l++) {
        const struct rlm_facts_layer *layer = &facts->layer[l];
        rlm_strbuf_print(sheet->buffer, "%-8.8s%7zu%7zu%13zu%11zu%11llu%9llu%10llu\n", layer->name,
                         layer->units, layer->account.dead, layer->account.nearly_dead,
                         layer->account.always_on, (unsigned long long)layer->ledger.born_dead,
                         (unsigned long long)layer->ledger.deaths,
                         (unsigned long long)layer->ledger.revivals);
    }
}

/* The same for a terminal too narrow for the table. */
static void put_layers_narrow(const struct sheet *sheet, const struct rlm_facts *facts)
{
    rlm_strbuf_print(sheet->buffer, "\n%-8s%9s%9s%12s\n", "layer", "units", "dead", "always on");
    for (size_t l = 0; l < facts->layers; l++)
        rlm_strbuf_print(sheet->buffer, "%-8.8s%9zu%9zu%12zu\n", facts->layer[l].name, facts->layer[l].units,
                         facts->layer[l].account.dead, facts->layer[l].account.always_on);
}

/* "born dead: depth", "gradient and below": the words of relume autopsy. */
static void way_words(const struct rlm_facts_way *way, char *text, size_t size)
{
    const char *between = way->overdetermined ? " or " : " and ", *before = "";
    size_t used = (size_t)snprintf(text, size, "%s", way->kind == RELUME_BORN_DEAD ? "born dead: " : "");
    for (unsigned cause = 1; cause <= RELUME_CAUSE_CHANCE && used < size; cause <<= 1) {
        if (!(way->causes & cause))
            continue;
        const char *name = cause == RELUME_CAUSE_UNCENTRED && way->layer > 0
                               ? "depth"
                               : relume_cause_name((relume_cause)cause);
        used += (size_t)snprintf(text + used, size - used, "%s%s", before, name);
        before = between;
    }
}

/* What they died of, as far as the width goes: the columns of prognosis give way first. */
static void put_ways(const struct sheet *sheet, const struct rlm_facts *facts)
{
    char words[128];
    bool wide = sheet->width >= 76;
    size_t room = wide ? 27 : sheet->width - 17;
    if (facts->autopsy.ways == 0)
        return;
    rlm_strbuf_print(sheet->buffer, "\n%-8s%-*s%8s", "layer", (int)room, "necessary to kill", "deaths");
    if (wide)
        rlm_strbuf_print(sheet->buffer, "%11s%11s%11s", "first step", "last step", "no return");
    rlm_strbuf_append(sheet->buffer, "\n", 1);
    for (size_t g = 0; g < facts->autopsy.ways; g++) {
        const struct rlm_facts_way *way = &facts->autopsy.way[g];
        way_words(way, words, sizeof words);
        rlm_strbuf_print(sheet->buffer, "%-8.8s", facts->layer[way->layer].name);
        put_spaces(sheet->buffer, room - put_clipped(sheet->buffer, words, room));
        rlm_strbuf_print(sheet->buffer, "%8llu", (unsigned long long)way->deaths);
        if (wide)
            rlm_strbuf_print(sheet->buffer, "%11llu%11llu%11llu", (unsigned long long)way->first_step,
                             (unsigned long long)way->last_step, (unsigned long long)way->never);
        rlm_strbuf_append(sheet->buffer, "\n", 1);
    }
}

/* A row for each learning rate, this run marked. */
static void put_sweep(const struct sheet *sheet, const struct rlm_facts *facts)
{
    const struct rlm_facts_sweep *sweep = &facts->sweep;
    if (sweep->rows == 0)
        return;
    rlm_strbuf_print(sheet->buffer, "\n  %-13s%9s%7s%8s\n", "learning rate", "accuracy", "dead", "deaths");
    for (size_t i = 0; i < sweep->rows; i++) {
        const relume_sweep_row *row = &sweep->row[i];
        double accuracy = relume_sweep_row_accuracy(row);
        rlm_strbuf_print(sheet->buffer, "%s %-13.6g", i == sweep->own ? ">" : " ", row->learning_rate);
        if (row->diverged)
            rlm_strbuf_print(sheet->buffer, "%9s", "diverged");
        else if (isfinite(accuracy))
            rlm_strbuf_print(sheet->buffer, "%7.1f\u00a0%%", 100 * accuracy);
        else
            rlm_strbuf_print(sheet->buffer, "%9s", "-");
        rlm_strbuf_print(sheet->buffer, "%7llu%8llu\n", (unsigned long long)row->total.dead_at_end,
                         (unsigned long long)row->total.deaths);
    }
    put_wrapped(sheet, sweep->says, 0);
}

/* Born dead as foretold and as found, and the rate that was expected to kill nobody at first. */
static void put_forecast(const struct sheet *sheet, const struct rlm_facts *facts)
{
    const struct rlm_facts_forecast *forecast = &facts->forecast;
    if (forecast->seeds == 0)
        return;
    rlm_strbuf_print(sheet->buffer, "\n%-8s%19s%8s\n", "layer", "born dead: foretold", "found");
    for (size_t l = 0; l < forecast->layers; l++)
        rlm_strbuf_print(sheet->buffer, "%-8.8s%17.1f\u00a0%%%6.1f\u00a0%%\n", facts->layer[l].name,
                         100 * forecast->layer[l].measured,
                         100 * (double)facts->layer[l].ledger.born_dead / (double)facts->layer[l].units);
    if (isfinite(forecast->safe))
        rlm_strbuf_print(sheet->buffer, "safe in the first %llu step%s: a rate up to %.3g\n",
                         (unsigned long long)forecast->steps, rlm_words_plural(forecast->steps),
                         forecast->safe);
}

/* The text in place without characters beyond ASCII; each becomes one, so widths stay. */
static void make_ascii(struct rlm_strbuf *buffer)
{
    if (buffer->failed || !buffer->text)
        return;
    const char *from = buffer->text;
    char *to = buffer->text;
    uint32_t point;
    while ((point = rlm_utf8_next(&from)) != 0) {
        if (point >= 0x2581 && point <= 0x2588)
            *to++ = (char)('1' + (point - 0x2581));
        else
            *to++ = point < 0x80      ? (char)point
                    : point == 0x2192 ? '>'
                    : point == 0x2026 ? '~'
                    : point == 0xa0   ? ' '
                                      : '?';
    }
    *to = '\0';
    buffer->length = (size_t)(to - buffer->text);
}

void rlm_report_text(const struct rlm_facts *facts, size_t width, bool ascii, struct rlm_strbuf *buffer)
{
    const struct sheet sheet = {buffer, width};
    put_head(&sheet, facts);
    put_verdict(&sheet, facts);
    put_curves(&sheet, facts);
    if (width >= 76)
        put_layers(&sheet, facts);
    else
        put_layers_narrow(&sheet, facts);
    put_ways(&sheet, facts);
    put_sweep(&sheet, facts);
    put_forecast(&sheet, facts);
    if (facts->dataset_trouble) {
        rlm_strbuf_append(buffer, "\n", 1);
        put_wrapped(&sheet, "The data were not looked at:", 0);
        put_wrapped(&sheet, facts->dataset_trouble, 0);
    }
    if (ascii)
        make_ascii(buffer);
}
