/* relume bench [WHAT]: how fast this machine trains and counts, with what is needed to repeat it. */
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "json.h"
#include "program.h"

enum { NOISE_SAMPLES = 8192, NOISE_FEATURES = 784, NOISE_CLASSES = 10 };
enum { TRAIN = 1, CENSUS = 2, KERNELS = 4 };

struct bench {
    const struct cli_program *program;
    unsigned parts; /* of TRAIN, CENSUS, KERNELS */
    relume_engine *engine;
    relume_dataset *dataset;
    relume_network *network;
    struct cli_widths hidden;
    relume_trainer_options trainer;
    relume_bench_options options;
    relume_bench_result train, census;
    relume_bench_shape shape;
    relume_bench_kernel kernel[RELUME_BENCH_KERNELS];
};

/* The parts a word names; 0: it names none. */
static unsigned parts_of(const char *word)
{
    static const struct {
        const char *word;
        unsigned parts;
    } known[] = {
        {"all", TRAIN | CENSUS | KERNELS}, {"train", TRAIN}, {"census", CENSUS}, {"kernels", KERNELS}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!word || strcmp(word, known[i].word) == 0)
            return known[i].parts;
    return 0;
}

static void set_options(struct bench *bench)
{
    const struct cli_args *args = bench->program->args;
    relume_trainer_options *trainer = &bench->trainer;
    (void)cli_read_widths(cli_text(args, "hidden"), &bench->hidden);
    relume_trainer_options_default(trainer);
    trainer->batch_size = (size_t)cli_whole(args, "batch");
    trainer->optimizer = (relume_optimizer)cli_choice(args, "optimizer");
    bool adam = trainer->optimizer == RELUME_ADAM || trainer->optimizer == RELUME_ADAMW;
    trainer->learning_rate = cli_given(args, "lr") ? cli_number(args, "lr") : adam ? 0.001 : 0.1;
    trainer->dense = cli_given(args, "dense");
    relume_bench_options_default(&bench->options);
    bench->options.seconds = cli_number(args, "seconds");
    bench->options.repeats = (size_t)cli_whole(args, "repeats");
    bench->options.ledger_off = cli_given(args, "no-ledger");
}

/* Drawn images, the same on every machine: half of the pixels 0, the others from 1 to 255, ten classes. */
static relume_status make_noise(struct bench *bench, relume_error *error)
{
    size_t pixels = (size_t)NOISE_SAMPLES * NOISE_FEATURES;
    unsigned char *x = malloc(pixels);
    uint32_t *labels = malloc(NOISE_SAMPLES * sizeof *labels), state = 1;
    relume_status status = RELUME_OK;
    if (!x || !labels) {
        status = cli_error(error, RELUME_NO_MEMORY, "cannot allocate memory for the drawn images");
    } else {
        for (size_t i = 0; i < pixels; i++) {
            state = state * 1664525u + 1013904223u;
            x[i] = state >> 31 ? (unsigned char)(1 + (state >> 16) % 255) : 0;
        }
        for (size_t i = 0; i < NOISE_SAMPLES; i++)
            labels[i] = (uint32_t)(i % NOISE_CLASSES);
        relume_matrix matrix = {.samples = NOISE_SAMPLES,
                                .features = NOISE_FEATURES,
                                .element = RELUME_U8,
                                .x = x,
                                .labels = labels,
                                .classes = NOISE_CLASSES};
        status = relume_dataset_create(bench->engine, "drawn images", &matrix, NULL, &bench->dataset, error);
    }
    free(x);
    free(labels);
    return status;
}

static relume_status make_network(struct bench *bench, relume_error *error)
{
    relume_network_options options;
    relume_network_options_default(&options);
    options.in_features = relume_dataset_get_features(bench->dataset);
    options.hidden_layers = bench->hidden.count;
    options.hidden = bench->hidden.unit;
    options.out_features = relume_dataset_get_outputs(bench->dataset);
    options.dataset = bench->dataset;
    if (relume_dataset_get_task(bench->dataset) == RELUME_REGRESSION)
        options.loss = RELUME_LOSS_MSE;
    bench->shape =
        (relume_bench_shape){bench->trainer.batch_size, options.in_features, bench->hidden.unit[0]};
    return relume_network_create(bench->engine, &options, &bench->network, error);
}

static relume_status prepare(struct bench *bench, relume_error *error)
{
    const char *data = cli_text(bench->program->args, "data");
    relume_status status = cli_engine(bench->program, &bench->engine, error);
    if (status == RELUME_OK && data)
        status = relume_dataset_load(bench->engine, data, NULL, &bench->dataset, error);
    else if (status == RELUME_OK)
        status = make_noise(bench, error);
    return status == RELUME_OK ? make_network(bench, error) : status;
}

static relume_status measure(struct bench *bench, relume_error *error)
{
    relume_status status = RELUME_OK;
    if (bench->parts & TRAIN)
        status = relume_bench_train(bench->network, bench->dataset, &bench->trainer, &bench->options,
                                    &bench->train, error);
    if (status == RELUME_OK && bench->parts & CENSUS)
        status = relume_bench_census(bench->network, bench->dataset, &bench->options, &bench->census, error);
    if (status == RELUME_OK && bench->parts & KERNELS)
        status = relume_bench_kernels(bench->engine, &bench->shape, &bench->options, bench->kernel, error);
    return status;
}

/* ---- JSON ---- */

static json_t *network_json(struct cli_json *document, const struct bench *bench)
{
    json_t *widths = json_array();
    cli_json_add(document, widths, cli_json_count(relume_dataset_get_features(bench->dataset)));
    for (size_t i = 0; i < bench->hidden.count; i++)
        cli_json_add(document, widths, cli_json_count(bench->hidden.unit[i]));
    cli_json_add(document, widths, cli_json_count(relume_dataset_get_outputs(bench->dataset)));
    return widths;
}

static json_t *data_json(struct cli_json *document, const struct bench *bench)
{
    json_t *data = json_object();
    cli_json_set(document, data, "name", cli_json_text(relume_dataset_get_name(bench->dataset)));
    cli_json_set(document, data, "samples",
                 cli_json_count(relume_dataset_get_samples(bench->dataset, RELUME_SPLIT_TRAIN)));
    cli_json_set(document, data, "features", cli_json_count(relume_dataset_get_features(bench->dataset)));
    return data;
}

static json_t *figure_json(struct cli_json *document, const relume_bench_figure *figure)
{
    json_t *spread = json_array();
    cli_json_add(document, spread, cli_json_double(figure->least));
    cli_json_add(document, spread, cli_json_double(figure->most));
    return spread;
}

static json_t *result_json(struct cli_json *document, const relume_bench_result *result)
{
    json_t *list = json_array(), *object = json_object();
    cli_json_set(document, object, "samples_per_second", cli_json_double(result->samples_per_second.median));
    cli_json_set(document, object, "spread", figure_json(document, &result->samples_per_second));
    cli_json_set(document, object, "gflops", cli_json_double(result->gflops.median));
    cli_json_set(document, object, "peak_gflops", cli_json_double(result->peak_gflops.median));
    cli_json_set(document, object, "peak_share", cli_json_double(result->peak_share));
    cli_json_set(document, object, "rounds", cli_json_count(result->steps));
    cli_json_add(document, list, object);
    return list;
}

static json_t *kernels_json(struct cli_json *document, const struct bench *bench)
{
    json_t *list = json_array();
    for (size_t i = 0; i < RELUME_BENCH_KERNELS; i++) {
        const relume_bench_kernel *kernel = &bench->kernel[i];
        json_t *object = json_object();
        cli_json_set(document, object, "kernel", cli_json_text(kernel->name));
        cli_json_set(document, object, "in_features", cli_json_count(bench->shape.in_features));
        cli_json_set(document, object, "out_features", cli_json_count(bench->shape.out_features));
        cli_json_set(document, object, "seconds", cli_json_double(kernel->seconds.median));
        cli_json_set(document, object, "spread", figure_json(document, &kernel->seconds));
        cli_json_set(document, object, "gflops", cli_json_double(kernel->gflops));
        cli_json_set(document, object, "peak_share", cli_json_double(kernel->peak_share));
        cli_json_add(document, list, object);
    }
    return list;
}

static relume_status print_json(const struct bench *bench, relume_error *error)
{
    struct cli_json document;
    const relume_trainer_options *trainer = &bench->trainer;
    cli_json_init(&document, "relume.bench/1");
    json_t *root = document.root;
    cli_json_set(&document, root, "kernel", cli_json_text(relume_engine_get_kernel(bench->engine)));
    cli_json_set(&document, root, "kernel_reason",
                 cli_json_text(relume_engine_get_kernel_reason(bench->engine)));
    cli_json_set(&document, root, "threads", cli_json_count(relume_engine_get_threads(bench->engine)));
    cli_json_set(&document, root, "threads_reason",
                 cli_json_text(relume_engine_get_threads_reason(bench->engine)));
    cli_json_set(&document, root, "dataset", data_json(&document, bench));
    cli_json_set(&document, root, "network", network_json(&document, bench));
    cli_json_set(&document, root, "batch_size", cli_json_count(trainer->batch_size));
    cli_json_set(&document, root, "optimizer", cli_json_text(relume_optimizer_name(trainer->optimizer)));
    cli_json_set(&document, root, "learning_rate", cli_json_double(trainer->learning_rate));
    cli_json_set(&document, root, "dense", json_boolean(trainer->dense));
    cli_json_set(&document, root, "ledger", json_boolean(!bench->options.ledger_off));
    cli_json_set(&document, root, "seconds", cli_json_double(bench->options.seconds));
    cli_json_set(&document, root, "repeats", cli_json_count(bench->options.repeats));
    if (bench->parts & TRAIN)
        cli_json_set(&document, root, "train", result_json(&document, &bench->train));
    if (bench->parts & CENSUS)
        cli_json_set(&document, root, "census", result_json(&document, &bench->census));
    if (bench->parts & KERNELS)
        cli_json_set(&document, root, "kernels", kernels_json(&document, bench));
    relume_status status = cli_json_print(&document, error);
    cli_json_deinit(&document);
    return status;
}

/* ---- tables ---- */

static bool result_row(struct cli_columns *table, const char *what, const relume_bench_result *result)
{
    char median[32], least[32], most[32];
    if (!cli_columns_row(table))
        return false;
    cli_columns_set(table, 0, CLI_PLAIN, "%s", what);
    cli_columns_set(table, 1, CLI_BOLD, "%s/s",
                    cli_grouped((unsigned long long)result->samples_per_second.median, median));
    cli_columns_set(table, 2, CLI_DIM, "%s to %s",
                    cli_grouped((unsigned long long)result->samples_per_second.least, least),
                    cli_grouped((unsigned long long)result->samples_per_second.most, most));
    cli_columns_set(table, 3, CLI_PLAIN, "%.1f", result->gflops.median);
    cli_columns_set(table, 4, CLI_PLAIN, "%.1f %%", 100 * result->peak_share);
    return true;
}

static bool kernel_row(struct cli_columns *table, const relume_bench_kernel *kernel)
{
    if (!cli_columns_row(table))
        return false;
    cli_columns_set(table, 0, CLI_PLAIN, "%s", kernel->name);
    cli_columns_set(table, 1, CLI_BOLD, "%.1f us", kernel->seconds.median * 1e6);
    cli_columns_set(table, 2, CLI_DIM, "%.1f to %.1f", kernel->seconds.least * 1e6,
                    kernel->seconds.most * 1e6);
    cli_columns_set(table, 3, CLI_PLAIN, "%.1f", kernel->gflops);
    cli_columns_set(table, 4, CLI_PLAIN, "%.1f %%", 100 * kernel->peak_share);
    return true;
}

static bool fill_table(struct cli_columns *table, const struct bench *bench)
{
    bool ok = true;
    if (bench->parts & TRAIN)
        ok = result_row(table, "train, samples", &bench->train);
    if (bench->parts & CENSUS)
        ok = ok && result_row(table, "census, samples", &bench->census);
    for (size_t i = 0; bench->parts & KERNELS && i < RELUME_BENCH_KERNELS; i++)
        ok = ok && kernel_row(table, &bench->kernel[i]);
    return ok;
}

/* What the figures are of: everything that is needed to repeat them. */
static void print_setting(const struct bench *bench)
{
    const struct cli_term *out = &bench->program->out;
    printf("CPU level %s (%s)\n", relume_engine_get_kernel(bench->engine),
           relume_engine_get_kernel_reason(bench->engine));
    printf("threads %zu (%s); the kernels run on one\n", relume_engine_get_threads(bench->engine),
           relume_engine_get_threads_reason(bench->engine));
    printf("net %zu", relume_dataset_get_features(bench->dataset));
    for (size_t i = 0; i < bench->hidden.count; i++)
        printf("-%zu", bench->hidden.unit[i]);
    printf("-%zu, batch %zu, %s, rate %g%s%s, on ", relume_dataset_get_outputs(bench->dataset),
           bench->trainer.batch_size, relume_optimizer_name(bench->trainer.optimizer),
           bench->trainer.learning_rate, bench->trainer.dense ? ", dense" : "",
           bench->options.ledger_off ? ", no ledger" : "");
    cli_put_text(out, relume_dataset_get_name(bench->dataset));
    printf("; medians of %zu %s of %.3g s in all\n\n", bench->options.repeats,
           cli_agree(bench->options.repeats, "piece", "pieces"), bench->options.seconds);
}

static relume_status print_table(const struct bench *bench, relume_error *error)
{
    struct cli_columns table;
    print_setting(bench);
    bool ok = cli_columns_init(&table, "|>median|>least to most|>GFLOP/s|>of peak");
    ok = ok && fill_table(&table, bench);
    if (ok)
        cli_columns_print(&table, &bench->program->out);
    cli_columns_deinit(&table);
    return ok ? RELUME_OK : cli_error(error, RELUME_NO_MEMORY, "cannot allocate memory for the table");
}

int cmd_bench(struct cli_program *program)
{
    struct bench bench = {.program = program, .parts = parts_of(program->args->positional[0])};
    relume_error error = {0};
    char message[160];
    if (bench.parts == 0) {
        snprintf(message, sizeof message, "WHAT is \"%.40s\"; expected train, census, kernels or all",
                 program->args->positional[0]);
        return cli_misuse(&program->err, "bench", message);
    }
    set_options(&bench);
    relume_status status = prepare(&bench, &error);
    if (status == RELUME_OK)
        status = measure(&bench, &error);
    if (status == RELUME_OK)
        status = cli_given(program->args, "json") ? print_json(&bench, &error) : print_table(&bench, &error);
    relume_network_destroy(bench.network);
    relume_dataset_destroy(bench.dataset);
    relume_engine_destroy(bench.engine);
    return status == RELUME_OK ? relume_status_exit(RELUME_OK) : cli_fail(program, &error);
}
