/* The lesson of relume explain: formula first, then the numbers, in the order of the two lines
 *
 *     z  = np.maximum(0, np.dot(W, x))
 *     dW = np.outer(z > 0, x)
 *
 * Sums are the engine's own; sorted terms are for reading, and say so. */
#include "explain.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"

enum { TERMS = 6, MOST_WIDTH = 80 };

/* ---- words ---- */

static size_t width_of(const struct explain *explain)
{
    size_t width = explain->program->out.width;
    return width < MOST_WIDTH ? width : MOST_WIDTH;
}

/* A paragraph, two spaces in. */
__attribute__((format(printf, 2, 3))) static void say(const struct explain *explain, const char *format, ...)
{
    char text[1024];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(text, sizeof text, format, list);
    va_end(list);
    fputs("  ", stdout);
    cli_put_wrapped(&explain->program->out, text, 2, 2, width_of(explain));
}

static void head(const struct explain *explain, const char *number, const char *text)
{
    putchar('\n');
    cli_style(&explain->program->out, CLI_BOLD);
    printf("%s %s", number, text);
    cli_style(&explain->program->out, CLI_PLAIN);
    fputs("\n\n", stdout);
}

static const char *row_name(const struct explain *explain, char text[32])
{
    (void)snprintf(text, 32, "W[%zu]", explain->unit);
    return text;
}

/* What the unit is fed, at place k: x[k] of the data, or an activation of the layer below. */
static void input_name(const struct explain *explain, size_t k, char text[48])
{
    if (explain->layer == 0)
        (void)snprintf(text, 48, "x[%zu]", k);
    else
        explain_unit_name(explain, explain->layer - 1, k, text);
}

/* A unit of the layer above. */
static void above_name(const struct explain *explain, size_t m, char text[48])
{
    explain_unit_name(explain, explain->layer + 1, m, text);
}

static const char *class_of(const struct explain *explain, size_t label)
{
    const char *name = relume_dataset_get_class_name(explain->dataset, label);
    return name ? name : "?";
}

static bool has_classes(const struct explain *explain)
{
    return explain->it.label != SIZE_MAX;
}

/* ---- the opening ---- */

static void open_lesson(const struct explain *explain)
{
    const struct cli_term *out = &explain->program->out;
    char name[48];
    explain_unit_name(explain, explain->layer, explain->unit, name);
    cli_style(out, CLI_BOLD);
    printf("%s on %s sample %zu of ", name, explain->split == RELUME_SPLIT_TEST ? "test" : "training",
           explain->it.sample);
    cli_put_text(out, relume_dataset_get_name(explain->dataset));
    cli_style(out, CLI_PLAIN);
    putchar('\n');
    if (explain->unit_because)
        say(explain, "The unit was chosen: %s.", explain->unit_because);
    if (explain->sample_because)
        say(explain, "The sample was chosen: %s.", explain->sample_because);
    if (has_classes(explain))
        say(explain, "Its label is \"%s\"; the network says \"%s\"; its loss is %.6g.",
            class_of(explain, explain->it.label), class_of(explain, explain->it.predicted),
            (double)explain->it.loss);
    else
        say(explain, "Its loss is %.6g.", (double)explain->it.loss);
    fputs("\n  The two lines of a ReLU layer, one row of W a unit:\n\n", stdout);
    fputs("      z  = np.maximum(0, np.dot(W, x))   # forward\n", stdout);
    fputs("      dW = np.outer(z > 0, x)            # backward, the layer's own part\n\n", stdout);
    say(explain,
        "With a bias b, and with the gradient dz = dL/dz that arrives from above, one unit with its row w "
        "has");
    fputs("\n      p = w.x + b      z = p if p > 0 else 0      dp = dz if p > 0 else 0\n"
          "      dw = dp * x      db = dp                    w <- w - lr * dw\n",
          stdout);
}

/* ---- 1: forward ---- */

static float *terms_of(const struct explain *explain)
{
    const relume_explanation *it = &explain->it;
    float *term = malloc(it->inputs * sizeof *term);
    for (size_t k = 0; term && k < it->inputs; k++)
        term[k] = it->weight[k] * it->x[k];
    return term;
}

static void set_numbers(struct cli_columns *table, double a, double b, double c)
{
    cli_columns_set(table, 2, CLI_PLAIN, "%.5g", a);
    cli_columns_set(table, 3, CLI_PLAIN, "%.5g", b);
    cli_columns_set(table, 4, CLI_PLAIN, "%.5g", c);
}

static bool set_sum(struct cli_columns *table, enum cli_style style, const char *name, double value)
{
    if (!cli_columns_row(table))
        return false;
    cli_columns_set(table, 1, style, "%s", name);
    cli_columns_set(table, 4, style, "%.5g", value);
    return true;
}

/* A sum to be shown: its terms, the two factors of each, and what each comes from. */
struct shown_sum {
    size_t count;
    const float *a, *b, *term; /* [count] */
    void (*name)(const struct explain *explain, size_t place, char text[48]);
};

/* Rows of the largest terms, one for the rest. */
static bool set_largest(struct cli_columns *table, const struct explain *explain, const struct shown_sum *sum)
{
    size_t place[TERMS], count = explain_largest(sum->term, sum->count, TERMS, place), others = 0;
    double rest = 0;
    char name[48];
    for (size_t k = 0; k < sum->count; k++) {
        rest += (double)sum->term[k];
        others += sum->term[k] != 0.0f;
    }
    for (size_t i = 0; i < count; i++) {
        size_t k = place[i];
        if (!cli_columns_row(table))
            return false;
        sum->name(explain, k, name);
        cli_columns_set(table, 1, CLI_PLAIN, "%s", name);
        set_numbers(table, (double)sum->a[k], (double)sum->b[k], (double)sum->term[k]);
        rest -= (double)sum->term[k];
        others -= sum->term[k] != 0.0f;
    }
    (void)snprintf(name, sizeof name, "%zu more", others);
    return others == 0 || set_sum(table, CLI_PLAIN, name, rest);
}

static bool set_terms(struct cli_columns *table, const struct explain *explain, const float *term)
{
    const relume_explanation *it = &explain->it;
    struct shown_sum sum = {it->inputs, it->weight, it->x, term, input_name};
    return set_largest(table, explain, &sum) && set_sum(table, CLI_PLAIN, "bias b", (double)it->bias) &&
           set_sum(table, CLI_BOLD, "p", (double)it->preactivation);
}

static bool print_terms(const struct explain *explain, const float *term)
{
    struct cli_columns table;
    bool ok = cli_columns_init(&table, "|input|>w|>x|>w * x") && set_terms(&table, explain, term);
    if (ok)
        cli_columns_print(&table, &explain->program->out);
    cli_columns_deinit(&table);
    return ok;
}

static void print_gate(const struct explain *explain)
{
    const relume_explanation *it = &explain->it;
    bool last = explain->layer + 1 == relume_network_get_layers(explain->network);
    char active[32], samples[32];
    printf("\n      p = %.9g\n\n", (double)it->preactivation);
    say(explain,
        "This is the engine's own p, to the bit: one chain of fused multiply-adds over k = 0 to %zu from 0, "
        "the bias added last. The table is sorted for reading.",
        it->inputs - 1);
    if (last) {
        say(explain, "The last layer has no ReLU and so no gate: p is the output as it is.");
        return;
    }
    if (it->open)
        say(explain, "The gate: p > 0, so it is open and z = p.");
    else
        say(explain, "The gate: p is not above 0, so it is shut and z = 0.");
    say(explain, "Over the training split %s of %s %s %s it; the largest p is %.6g.",
        cli_grouped(explain->whole.active, active), cli_grouped(explain->whole.samples, samples),
        cli_agree(explain->whole.samples, "sample", "samples"),
        cli_agree(explain->whole.active, "opens", "open"), (double)explain->whole.margin);
}

static bool print_forward(const struct explain *explain)
{
    float *term = terms_of(explain);
    size_t nonzero = 0;
    char row[32];
    if (!term)
        return false;
    head(explain, "1", "Forward: p = w.x + b, z = max(0, p)");
    if (explain->pixels)
        explain_draw(&explain->program->out, explain->pixels, explain->layer == 0 ? term : NULL,
                     explain->rows, explain->columns);
    for (size_t k = 0; k < explain->it.inputs; k++)
        nonzero += explain->it.x[k] != 0.0f;
    say(explain,
        "w is %s, the unit's row. Of its %zu %s%s, those that are not 0 count: %zu. The largest "
        "terms first:",
        row_name(explain, row), explain->it.inputs, cli_agree(explain->it.inputs, "input", "inputs"),
        explain->layer == 0 ? "" : ", the z of the layer below", nonzero);
    putchar('\n');
    bool ok = print_terms(explain, term);
    free(term);
    if (ok)
        print_gate(explain);
    return ok;
}

/* ---- 2: what arrives from above ---- */

/* The softmax of the logits at `label`. */
static double probability(const relume_explanation *it, size_t label)
{
    double sum = 0;
    for (size_t n = 0; n < it->outputs; n++)
        sum += exp((double)it->logits[n] - (double)it->logits[label]);
    return 1 / sum;
}

/* How the gradient begins, at the outputs. */
static void say_loss(const struct explain *explain)
{
    const relume_explanation *it = &explain->it;
    if (relume_network_get_loss(explain->network) == RELUME_LOSS_SOFTMAX && has_classes(explain)) {
        say(explain,
            "The loss is -log of the label's probability (softmax), so at the outputs dp is the probability, "
            "minus 1 at the label. \"%s\" has the probability %.4g.",
            class_of(explain, it->label), probability(it, it->label));
        return;
    }
    say(explain, "The loss is %s, and its derivative at the outputs is where the gradient begins.",
        relume_network_get_loss(explain->network) == RELUME_LOSS_BCE ? "binary cross-entropy"
                                                                     : "the squared error");
}

static bool set_above(struct cli_columns *table, const struct explain *explain, const float *term)
{
    const relume_explanation *it = &explain->it;
    struct shown_sum sum = {it->above, it->above_dz, it->above_weight, term, above_name};
    return set_largest(table, explain, &sum) && set_sum(table, CLI_BOLD, "dz", (double)it->upstream);
}

static bool print_above(const struct explain *explain)
{
    const relume_explanation *it = &explain->it;
    const char *above = relume_network_get_layer(explain->network, explain->layer + 1).name;
    struct cli_columns table;
    float *term = malloc(it->above * sizeof *term);
    bool ok = term != NULL;
    for (size_t m = 0; ok && m < it->above; m++)
        term[m] = it->above_dz[m] * it->above_weight[m];
    say(explain,
        "The unit's z goes into every unit of %s with one weight each, a column of %s's W. Each sends back "
        "its own dp times that weight%s:",
        above, above,
        explain->layer + 2 < relume_network_get_layers(explain->network) ? "; one whose gate is shut sends 0"
                                                                         : "");
    putchar('\n');
    ok = ok && cli_columns_init(&table, "|from|>its dp|>weight|>dp * weight");
    if (ok) {
        ok = set_above(&table, explain, term);
        if (ok)
            cli_columns_print(&table, &explain->program->out);
        cli_columns_deinit(&table);
    }
    free(term);
    return ok;
}

static bool print_upstream(const struct explain *explain)
{
    const relume_explanation *it = &explain->it;
    bool last = explain->layer + 1 == relume_network_get_layers(explain->network);
    head(explain, "2", "Backward: the gradient that arrives, dz = dL/dz");
    say_loss(explain);
    if (!last && !print_above(explain))
        return false;
    printf("\n      dz = %.9g\n\n", (double)it->upstream);
    if (last)
        say(explain, "There is no gate here: dp = dz.");
    else if (it->open)
        say(explain, "The gate is open, so all of it passes: dp = dz = %.6g.", (double)it->dz);
    else
        say(explain, "The gate is shut, so nothing of it passes: dp = 0. It had asked p to %s.",
            it->upstream > 0.0f   ? "fall"
            : it->upstream < 0.0f ? "rise"
                                  : "stay");
    return true;
}

/* ---- 3: the row of dW, and the update ---- */

static float after(const struct explain *explain, size_t k)
{
    return fmaf(-(float)explain->learning_rate, explain->it.dweight[k], explain->it.weight[k]);
}

static bool set_update(struct cli_columns *table, const struct explain *explain)
{
    const relume_explanation *it = &explain->it;
    size_t place[TERMS], count = explain_largest(it->dweight, it->inputs, TERMS, place);
    char name[48];
    for (size_t i = 0; i < count + 1; i++) {
        bool bias = i == count;
        size_t k = bias ? 0 : place[i];
        if (!cli_columns_row(table))
            return false;
        input_name(explain, k, name);
        cli_columns_set(table, 1, CLI_PLAIN, "%s", bias ? "bias b" : name);
        if (!bias)
            cli_columns_set(table, 2, CLI_PLAIN, "%.5g", (double)it->x[k]);
        cli_columns_set(table, 3, CLI_PLAIN, "%.5g", (double)(bias ? it->dbias : it->dweight[k]));
        cli_columns_set(table, 4, CLI_PLAIN, "%.6g", (double)(bias ? it->bias : it->weight[k]));
        cli_columns_set(
            table, 5, CLI_PLAIN, "%.6g",
            (double)(bias ? fmaf(-(float)explain->learning_rate, it->dbias, it->bias) : after(explain, k)));
    }
    return true;
}

static double square_of(const float *x, size_t count)
{
    double sum = 0;
    for (size_t k = 0; k < count; k++)
        sum += (double)x[k] * (double)x[k];
    return sum;
}

/* What the update does to p of this very sample. */
static void say_effect(const struct explain *explain)
{
    const relume_explanation *it = &explain->it;
    double square = square_of(it->x, it->inputs);
    float p = relume_explanation_step(it, explain->learning_rate);
    bool last = explain->layer + 1 == relume_network_get_layers(explain->network);
    printf("\n      p after = %.9g\n\n", (double)p);
    say(explain,
        "With its inputs held, the update moves p of this sample by -lr * dp * (|x|^2 + 1) = -%.4g * %.4g * "
        "%.4g = %.4g.",
        explain->learning_rate, (double)it->dz, square + 1,
        -explain->learning_rate * (double)it->dz * (square + 1));
    if (last)
        return;
    if (p > 0.0f)
        say(explain, "The gate stays open for this sample: it can push the unit again.");
    else
        say(explain, "The gate is shut now for this sample. What is left of its push: dp = 0, and the unit's "
                     "row of dW "
                     "is all zeros. If that happens for every sample, the unit is dead.");
    if (it->dz > 0.0f)
        say(explain,
            "For this sample alone, a learning rate above p / (dp * (|x|^2 + 1)) = %.4g shuts the gate in "
            "one step.",
            (double)it->preactivation / ((double)it->dz * (square + 1)));
}

static bool print_update(const struct explain *explain)
{
    const relume_explanation *it = &explain->it;
    struct cli_columns table;
    char text[64], row[32];
    (void)snprintf(text, sizeof text, "The unit's row of dW: d%s = dp * x", row_name(explain, row));
    head(explain, "3", text);
    if (!it->open) {
        say(explain,
            "dp is 0, so d%s is a row of %zu %s and db is 0. Whatever the learning rate, this sample "
            "leaves w and b as they are.",
            row, it->inputs, cli_agree(it->inputs, "zero", "zeros"));
        return true;
    }
    say(explain,
        "One number, dp, times the input. Where x is 0 the weight does not move. Then w <- w - lr * "
        "dw with lr = %g (plain SGD, this sample as the whole batch; a batch averages its samples' "
        "rows):",
        explain->learning_rate);
    putchar('\n');
    bool ok = cli_columns_init(&table, "|input|>x|>dw = dp * x|>w before|>w after");
    if (ok) {
        ok = set_update(&table, explain);
        if (ok)
            cli_columns_print(&table, &explain->program->out);
        cli_columns_deinit(&table);
    }
    if (ok)
        say_effect(explain);
    return ok;
}

/* ---- 4: whether it stays ---- */

static void say_first_layer(const struct explain *explain)
{
    char samples[32];
    say(explain,
        "Under plain SGD without weight decay it stays dead on this data, and here is why. The update is the "
        "average of dp * x over a batch. For every one of the %s samples p is not above 0, so dp = 0 and its "
        "row is zeros; an average of zeros is zero, and w and b do not move. The unit is in the first layer, "
        "so its inputs are the data, which do not move either: after the step every p is what it was. The "
        "same holds for the next step, and for all that follow.",
        cli_grouped(explain->whole.samples, samples));
    if (!explain->run)
        return;
    if (explain_is_plain(explain)) {
        say(explain, "This run is such a one. Only other data can open the gate again.");
        return;
    }
    const relume_trainer_options *trainer = &relume_run_get_options(explain->run)->trainer;
    say(explain,
        "This run trains with %s%s, which moves weights without a gradient: what was stored from earlier "
        "steps, or decay, can carry the unit back over its gate or further away.",
        relume_optimizer_name(trainer->optimizer), trainer->weight_decay > 0 ? " and weight decay" : "");
}

static void say_deeper(const struct explain *explain)
{
    const char *below = relume_network_get_layer(explain->network, explain->layer - 1).name;
    if (explain_is_structural(explain)) {
        say(explain,
            "Its inputs are z of %s, which are 0 or more, and none of its weights nor its bias is above 0: "
            "p cannot be above 0 whatever %s does. With no gradient and nothing stored in the optimizer it "
            "stays dead.",
            below, below);
        return;
    }
    say(explain,
        "No gradient reaches w and b: dp is 0 for every sample. But its inputs are made by %s, which learns "
        "on through the units that live. When those inputs change, p changes with them, and the gate may "
        "open "
        "again: a death in a deeper layer is often not for good.",
        below);
}

static void print_why(const struct explain *explain)
{
    bool last = explain->layer + 1 == relume_network_get_layers(explain->network);
    char active[32];
    if (last || explain->it.open)
        return;
    if (explain->whole.active > 0) {
        head(explain, "4", "The unit is not dead");
        say(explain, "%s other %s w and b. Leave --sample out to see %s.",
            cli_grouped(explain->whole.active, active),
            cli_agree(explain->whole.active, "sample opens its gate, and moves",
                      "samples open its gate, and each of those moves"),
            cli_agree(explain->whole.active, "it", "one"));
        return;
    }
    head(explain, "4", "Why it is dead, and whether it stays so");
    say(explain,
        "No sample of the training split opens the gate; the nearest is %.6g below it. For each of them the "
        "row of dW is zeros, as above.",
        (double)fabsf(explain->whole.margin));
    if (explain->layer == 0)
        say_first_layer(explain);
    else
        say_deeper(explain);
}

/* ---- the lines to paste ---- */

static void print_command(const struct explain *explain)
{
    const struct cli_term *out = &explain->program->out;
    const struct cli_args *args = explain->program->args;
    char name[48];
    explain_unit_name(explain, explain->layer, explain->unit, name);
    fputs("  relume explain ", stdout);
    cli_put_quoted(out, args->positional[0]);
    printf(" %s --sample %zu", name, explain->it.sample);
    if (explain->split == RELUME_SPLIT_TEST)
        fputs(" --split test", stdout);
    if (cli_given(args, "lr"))
        printf(" --lr %s", cli_text(args, "lr"));
    if (cli_given(args, "data")) {
        fputs(" --data ", stdout);
        cli_put_quoted(out, cli_text(args, "data"));
        cli_put_data_options(out, args);
    }
    fputs(" --json >explain.json\n\n", stdout);
}

/* A string of Python. */
static void put_python(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar((unsigned char)*text < 0x20 ? '?' : *text);
    }
    putchar('"');
}

static void put_tensor(const struct explain *explain, const char *variable, size_t layer, const char *what)
{
    char name[300];
    (void)snprintf(name, sizeof name, "%.256s.%s",
                   relume_network_get_layer(explain->network, layer).foreign_name, what);
    printf("%s = tensor(", variable);
    put_python(name);
    fputs(")\n", stdout);
}

/* The last layer: no gate, and dz follows from the loss. */
static void print_python_last(const struct explain *explain)
{
    fputs("z = np.dot(W, x) + b                     # no ReLU in the last layer\n", stdout);
    if (relume_network_get_loss(explain->network) == RELUME_LOSS_SOFTMAX && has_classes(explain))
        fputs("dz = np.exp(z - z.max())\n"
              "dz /= dz.sum()                           # softmax\n"
              "dz[e[\"sample\"][\"label_index\"]] -= 1\n",
              stdout);
    else
        fputs("dz = np.zeros_like(z)\n"
              "dz[int(e[\"unit\"].split(\".\")[1])] = e[\"dz\"] # the derivative of the loss\n",
              stdout);
    fputs("dW = np.outer(dz, x)                     # backward\n", stdout);
}

/* Not indented, and without a block: so that it can be pasted into a plain Python prompt. */
static void print_python(const struct explain *explain)
{
    bool last = explain->layer + 1 == relume_network_get_layers(explain->network);
    size_t unit = explain->unit;
    fputs("import json, numpy as np\ne = json.load(open(\"explain.json\"))\nraw = open(", stdout);
    put_python(explain->model_file);
    fputs(", \"rb\").read()\n"
          "end = 8 + int.from_bytes(raw[:8], \"little\")\n"
          "at = json.loads(raw[8:end])\n"
          "part = lambda name: [end + at[name][\"data_offsets\"][i] for i in (0, 1)]\n"
          "values = lambda name: np.frombuffer(raw[slice(*part(name))], \"<f4\")\n"
          "tensor = lambda name: values(name).reshape(at[name][\"shape\"])\n",
          stdout);
    put_tensor(explain, "W", explain->layer, "weight");
    put_tensor(explain, "b", explain->layer, "bias");
    if (!last)
        put_tensor(explain, "W_above", explain->layer + 1, "weight");
    fputs("x = np.float32(e[\"x\"])\n", stdout);
    if (last)
        print_python_last(explain);
    else
        fputs("z = np.maximum(0, np.dot(W, x) + b)      # forward\n"
              "dz = np.dot(np.float32(e[\"above_dp\"]), W_above)\n"
              "dW = np.outer(dz * (z > 0), x)           # backward\n",
              stdout);
    printf("print(z[%zu], e[\"z\"])\nprint(dz[%zu], e[\"dz\"])\n", unit, unit);
    printf("print(abs(dW[%zu] - np.float32(e[\"dw\"])).max())\n", unit);
}

static void print_check(const struct explain *explain)
{
    bool four = !explain->it.open;
    head(explain, four ? "5" : "4", "Check it yourself: NumPy from the file of weights");
    say(explain, "All numbers as JSON first, in the shell:");
    putchar('\n');
    print_command(explain);
    say(explain, "Then, in Python. NumPy adds in another order, so the last digits may differ:");
    putchar('\n');
    print_python(explain);
}

relume_status explain_print_text(const struct explain *explain, relume_error *error)
{
    open_lesson(explain);
    if (!print_forward(explain) || !print_upstream(explain) || !print_update(explain))
        return cli_error(error, RELUME_NO_MEMORY, "cannot allocate memory for the tables");
    print_why(explain);
    print_check(explain);
    return RELUME_OK;
}
