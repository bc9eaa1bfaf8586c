/* relume predict MODEL DATA: a class, or numbers, for each sample; on stdout, or in a .npy or .csv file. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "account.h"
#include "output.h"

/* The outputs of all samples, as logits and then as what is asked for. */
struct predictions {
    const struct cli_program *program;
    const relume_network *network;
    relume_dataset *dataset;
    size_t samples, outputs;
    float *value;          /* [samples, outputs]: logits, probabilities, or a regression's outputs */
    bool classes;          /* a class a sample: softmax, or one output through a sigmoid */
    bool on_terminal;      /* where the rows go */
    relume_error unscored; /* why there is no score although there are targets */
};

static const float *row_of(const struct predictions *predictions, size_t sample)
{
    return predictions->value + sample * predictions->outputs;
}

static size_t largest(const float *row, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (row[i] > row[best])
            best = i;
    return best;
}

/* In double, from the largest logit downwards, so that nothing overflows. */
static void softmax(float *row, size_t count)
{
    double top = (double)row[largest(row, count)], sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += exp((double)row[i] - top);
    for (size_t i = 0; i < count; i++)
        row[i] = (float)(exp((double)row[i] - top) / sum);
}

static void sigmoid(float *row, size_t count)
{
    for (size_t i = 0; i < count; i++)
        row[i] = (float)(1 / (1 + exp(-(double)row[i])));
}

static void to_probabilities(struct predictions *predictions)
{
    relume_loss loss = relume_network_get_loss(predictions->network);
    for (size_t i = 0; i < predictions->samples; i++) {
        float *row = predictions->value + i * predictions->outputs;
        if (loss == RELUME_LOSS_SOFTMAX)
            softmax(row, predictions->outputs);
        else if (loss == RELUME_LOSS_BCE)
            sigmoid(row, predictions->outputs);
    }
}

static relume_status predict(struct predictions *predictions, relume_error *error)
{
    const struct cli_args *args = predictions->program->args;
    relume_split split = cli_split(args);
    predictions->samples = relume_dataset_get_samples(predictions->dataset, split);
    predictions->outputs = relume_network_get_out_features(predictions->network);
    predictions->classes = relume_network_get_loss(predictions->network) == RELUME_LOSS_SOFTMAX;
    if (predictions->samples == 0)
        return cli_error(error, RELUME_NOT_FOUND,
                         "%s has no %s split; expected --split all, or --test or --holdout",
                         args->positional[1], cli_text(args, "split"));
    if (cli_given(args, "probabilities") && relume_network_get_loss(predictions->network) == RELUME_LOSS_MSE)
        return cli_error(error, RELUME_USAGE,
                         "--probabilities wants a model of classes, found a regression (mse)");
    if (predictions->samples <= SIZE_MAX / sizeof(float) / predictions->outputs)
        predictions->value = malloc(predictions->samples * predictions->outputs * sizeof(float));
    if (!predictions->value)
        return cli_error(error, RELUME_NO_MEMORY, "cannot allocate memory for %zu predictions",
                         predictions->samples);
    relume_status status =
        relume_network_predict(predictions->network, predictions->dataset, split, predictions->value, error);
    if (status == RELUME_OK)
        to_probabilities(predictions);
    return status;
}

/* A class's name as the model or the data has it, else its number. */
static const char *class_name(const struct predictions *predictions, size_t label, char *number, size_t size)
{
    const char *name = relume_network_get_class_name(predictions->network, label);
    snprintf(number, size, "%zu", label);
    return name ? name : number;
}

/* A name as one CSV field: quoted where it has to be. On a terminal it is only shown, and cannot drive it. */
static void put_field(const struct predictions *predictions, FILE *stream, const char *name)
{
    if (predictions->on_terminal) {
        struct cli_term term = predictions->program->out;
        term.stream = stream;
        cli_put_text(&term, name);
        return;
    }
    if (!name[strcspn(name, ",\"\r\n")]) {
        fputs(name, stream);
        return;
    }
    fputc('"', stream);
    for (; *name; name++) {
        if (*name == '"')
            fputc('"', stream);
        fputc(*name, stream);
    }
    fputc('"', stream);
}

static bool numbers_wanted(const struct predictions *predictions)
{
    return !predictions->classes || cli_given(predictions->program->args, "probabilities");
}

static void write_csv(const struct predictions *predictions, FILE *stream)
{
    char number[32];
    bool numbers = numbers_wanted(predictions), header = numbers && predictions->classes;
    if (header)
        fputs("class", stream);
    for (size_t i = 0; header && i < predictions->outputs; i++) {
        fputc(',', stream);
        put_field(predictions, stream, class_name(predictions, i, number, sizeof number));
    }
    if (header)
        fputc('\n', stream);
    for (size_t i = 0; i < predictions->samples; i++) {
        const float *row = row_of(predictions, i);
        if (predictions->classes)
            put_field(predictions, stream,
                      class_name(predictions, largest(row, predictions->outputs), number, sizeof number));
        for (size_t k = 0; numbers && k < predictions->outputs; k++)
            fprintf(stream, "%s%.9g", k > 0 || predictions->classes ? "," : "", (double)row[k]);
        fputc('\n', stream);
    }
}

/* Little-endian whatever the machine. */
static void put_bytes(FILE *stream, uint64_t bits, int count)
{
    for (int i = 0; i < count; i++)
        fputc((int)(bits >> (8 * i) & 0xff), stream);
}

static void write_npy(const struct predictions *predictions, FILE *stream)
{
    if (!numbers_wanted(predictions)) {
        cli_npy_header(stream, "<i8", predictions->samples, 0);
        for (size_t i = 0; i < predictions->samples; i++)
            put_bytes(stream, largest(row_of(predictions, i), predictions->outputs), 8);
        return;
    }
    cli_npy_header(stream, "<f4", predictions->samples, predictions->outputs);
    for (size_t i = 0; predictions->value && i < predictions->samples * predictions->outputs; i++) {
        uint32_t bits;
        memcpy(&bits, &predictions->value[i], sizeof bits);
        put_bytes(stream, bits, 4);
    }
}

static json_t *numbers_json(struct cli_json *document, const struct predictions *predictions)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < predictions->samples; i++) {
        json_t *row = json_array();
        for (size_t k = 0; k < predictions->outputs; k++)
            cli_json_add(document, row, cli_json_float(row_of(predictions, i)[k]));
        cli_json_add(document, rows, row);
    }
    return rows;
}

static json_t *classes_json(struct cli_json *document, const struct predictions *predictions)
{
    char number[32];
    json_t *rows = json_array();
    for (size_t i = 0; i < predictions->samples; i++) {
        size_t label = largest(row_of(predictions, i), predictions->outputs);
        cli_json_add(document, rows, cli_json_text(class_name(predictions, label, number, sizeof number)));
    }
    return rows;
}

static json_t *class_names_json(struct cli_json *document, const struct predictions *predictions)
{
    char number[32];
    json_t *names = json_array();
    for (size_t i = 0; i < predictions->outputs; i++)
        cli_json_add(document, names, cli_json_text(class_name(predictions, i, number, sizeof number)));
    return names;
}

static relume_status print_json(const struct predictions *predictions, relume_score score,
                                relume_error *error)
{
    const struct cli_args *args = predictions->program->args;
    struct cli_json document;
    cli_json_init(&document, "relume.predict/1");
    json_t *root = document.root;
    cli_json_set(&document, root, "model", cli_json_text(args->positional[0]));
    cli_json_set(&document, root, "dataset",
                 cli_dataset_json(&document, predictions->dataset, cli_text(args, "split")));
    cli_json_set(&document, root, "loss",
                 cli_json_text(relume_loss_name(relume_network_get_loss(predictions->network))));
    cli_json_set(&document, root, "accuracy", cli_json_double(score.accuracy));
    cli_json_set(&document, root, "mean_loss", cli_json_double(score.loss));
    if (predictions->classes)
        cli_json_set(&document, root, "classes", class_names_json(&document, predictions));
    cli_json_set(&document, root, "predictions",
                 predictions->classes ? classes_json(&document, predictions)
                                      : numbers_json(&document, predictions));
    if (predictions->classes && numbers_wanted(predictions))
        cli_json_set(&document, root, "probabilities", numbers_json(&document, predictions));
    relume_status status = cli_json_print(&document, error);
    cli_json_deinit(&document);
    return status;
}

enum format { FORMAT_CSV, FORMAT_NPY };

/* What the name of --output asks for. */
static relume_status choose_format(const char *path, enum format *format, relume_error *error)
{
    const char *dot = path ? strrchr(path, '.') : NULL;
    bool device = path && strncmp(path, "/dev/", 5) == 0; /* which has no name to go by */
    *format = dot && strcmp(dot, ".npy") == 0 ? FORMAT_NPY : FORMAT_CSV;
    if (!path || *format == FORMAT_NPY || (dot && strcmp(dot, ".csv") == 0) || device)
        return RELUME_OK;
    return cli_error(error, RELUME_USAGE, "--output wants a file named *.npy or *.csv, found \"%s\"", path);
}

static relume_status write_predictions(struct predictions *predictions, const char *path, enum format format,
                                       relume_error *error)
{
    struct cli_output output;
    relume_status status = cli_output_open(&output, path, error);
    if (status != RELUME_OK)
        return status;
    predictions->on_terminal = isatty(fileno(output.stream)) == 1;
    if (format == FORMAT_NPY)
        write_npy(predictions, output.stream);
    else
        write_csv(predictions, output.stream);
    return cli_output_close(&output, error);
}

/* With targets at hand, how good the predictions are; NaN without, or where they do not fit the loss. */
static relume_status score_of(struct predictions *predictions, relume_score *score, relume_error *error)
{
    relume_error why = {0};
    *score = (relume_score){NAN, NAN};
    if (relume_dataset_get_task(predictions->dataset) == RELUME_UNLABELLED)
        return RELUME_OK;
    relume_status status = relume_network_number_labels(predictions->network, predictions->dataset, &why);
    if (status == RELUME_OK)
        status = relume_network_evaluate(predictions->network, predictions->dataset,
                                         cli_split(predictions->program->args), score, &why);
    if (status == RELUME_NO_MEMORY)
        *error = why;
    else
        predictions->unscored = why;
    return status == RELUME_NO_MEMORY ? status : RELUME_OK;
}

static void tell_score(const struct predictions *predictions, relume_score score)
{
    FILE *stream = predictions->program->err.stream;
    const char *samples = cli_agree(predictions->samples, "sample", "samples");
    if (isfinite(score.accuracy))
        fprintf(stream, "%zu %s: accuracy %.4f, loss %.4f\n", predictions->samples, samples, score.accuracy,
                score.loss);
    else if (isfinite(score.loss))
        fprintf(stream, "%zu %s: loss %.6g\n", predictions->samples, samples, score.loss);
    else if (predictions->unscored.status != RELUME_OK) {
        fprintf(stream, "%zu %s, not compared with their targets: ", predictions->samples, samples);
        cli_put_text(&predictions->program->err, predictions->unscored.message);
        fputc('\n', stream);
    } else
        fprintf(stream, "%zu %s, without labels to compare with\n", predictions->samples, samples);
}

static relume_status deliver(struct predictions *predictions, enum format format, relume_error *error)
{
    const char *path = cli_text(predictions->program->args, "output");
    bool json = cli_given(predictions->program->args, "json");
    relume_status status = predict(predictions, error);
    if (status != RELUME_OK)
        return status;
    relume_score score;
    status = score_of(predictions, &score, error);
    if (status == RELUME_OK && (path || !json))
        status = write_predictions(predictions, path, format, error);
    if (status == RELUME_OK && json)
        status = print_json(predictions, score, error);
    if (status == RELUME_OK)
        tell_score(predictions, score);
    return status;
}

int cmd_predict(struct cli_program *program)
{
    relume_engine *engine = NULL;
    relume_network *network = NULL;
    relume_dataset *dataset = NULL;
    relume_error error = {0};
    struct predictions predictions = {.program = program};
    enum format format;
    relume_status status = choose_format(cli_text(program->args, "output"), &format, &error);
    if (status == RELUME_OK)
        status = cli_engine(program, &engine, &error);
    if (status == RELUME_OK)
        status = cli_open_model_and_data(program, engine, &network, &dataset, &error);
    predictions.network = network;
    predictions.dataset = dataset;
    if (status == RELUME_OK)
        status = deliver(&predictions, format, &error);
    free(predictions.value);
    relume_dataset_destroy(dataset);
    relume_network_destroy(network);
    relume_engine_destroy(engine);
    return status == RELUME_OK ? 0 : cli_fail(program, &error);
}
