/* relume inspect FILE: what a model, a run directory or data holds. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "columns.h"
#include "inspect.h"

/* Models */

static json_t *floats_json(struct cli_json *document, const float *value, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        cli_json_add(document, array, cli_json_float(value[i]));
    return array;
}

static json_t *scaling_json(struct cli_json *document, relume_scaling scaling, size_t features)
{
    json_t *object = json_object();
    size_t count = scaling.uniform ? 1 : features;
    cli_json_set(document, object, "uniform", json_boolean(scaling.uniform));
    cli_json_set(document, object, "offset", floats_json(document, scaling.offset, count));
    cli_json_set(document, object, "divisor", floats_json(document, scaling.divisor, count));
    return object;
}

static json_t *layer_json(struct cli_json *document, const relume_layer *layer)
{
    json_t *object = json_object();
    cli_json_set(document, object, "layer", cli_json_text(layer->name));
    cli_json_set(document, object, "name", cli_json_text(layer->foreign_name));
    cli_json_set(document, object, "in_features", cli_json_count(layer->in_features));
    cli_json_set(document, object, "out_features", cli_json_count(layer->out_features));
    cli_json_set(document, object, "relu", json_boolean(layer->relu));
    return object;
}

static json_t *model_json(struct cli_json *document, const relume_network *network)
{
    json_t *object = json_object(), *layers = json_array(), *classes = json_array();
    const char *name;
    for (size_t i = 0; i < relume_network_get_layers(network); i++) {
        relume_layer layer = relume_network_get_layer(network, i);
        cli_json_add(document, layers, layer_json(document, &layer));
    }
    for (size_t i = 0; (name = relume_network_get_class_name(network, i)) != NULL; i++)
        cli_json_add(document, classes, cli_json_text(name));
    cli_json_set(document, object, "in_features", cli_json_count(relume_network_get_in_features(network)));
    cli_json_set(document, object, "out_features", cli_json_count(relume_network_get_out_features(network)));
    cli_json_set(document, object, "parameters", cli_json_count(relume_network_get_parameters(network)));
    cli_json_set(document, object, "loss", cli_json_text(relume_loss_name(relume_network_get_loss(network))));
    cli_json_set(document, object, "classes", classes);
    cli_json_set(document, object, "scaling",
                 relume_network_has_scaling(network)
                     ? scaling_json(document, relume_network_get_scaling(network),
                                    relume_network_get_in_features(network))
                     : json_null());
    cli_json_set(document, object, "layers", layers);
    return object;
}

static void print_scaling(relume_scaling scaling)
{
    if (scaling.uniform)
        printf("scaling     (raw - %g) / %g, every feature\n", (double)*scaling.offset,
               (double)*scaling.divisor);
    else
        printf("scaling     (raw - offset) / divisor, a feature each; the first: (raw - %g) / %g\n",
               (double)*scaling.offset, (double)*scaling.divisor);
}

/* "classes     10: 0, 1, 2, …" */
static void print_classes(const struct cli_term *term, size_t count,
                          const char *(*name_at)(const void *, size_t), const void *source)
{
    enum { SHOWN = 12 };
    printf("classes     %zu:", count);
    for (size_t i = 0; i < count && i < SHOWN; i++) {
        fputs(i ? ", " : " ", stdout);
        const char *name = name_at(source, i);
        cli_put_text(term, name ? name : "?");
    }
    puts(count > SHOWN ? ", ..." : "");
}

static const char *network_class(const void *network, size_t label)
{
    return relume_network_get_class_name(network, label);
}

static const char *dataset_class(const void *dataset, size_t label)
{
    return relume_dataset_get_class_name(dataset, label);
}

static bool print_layers(const struct cli_term *term, const relume_network *network)
{
    struct cli_columns table;
    bool ok = cli_columns_init(&table, "layer|>in|>out|>parameters|activation");
    for (size_t i = 0; ok && i < relume_network_get_layers(network); i++) {
        relume_layer layer = relume_network_get_layer(network, i);
        char label[160], number[32];
        ok = cli_columns_row(&table);
        if (!ok)
            break;
        cli_layer_label(layer.name, layer.foreign_name, label, sizeof label);
        cli_columns_set(&table, 0, CLI_PLAIN, "%s", label);
        cli_columns_set(&table, 1, CLI_PLAIN, "%s", cli_grouped(layer.in_features, number));
        cli_columns_set(&table, 2, CLI_PLAIN, "%s", cli_grouped(layer.out_features, number));
        cli_columns_set(&table, 3, CLI_PLAIN, "%s",
                        cli_grouped(layer.out_features * (layer.in_features + 1), number));
        cli_columns_set(&table, 4, CLI_PLAIN, "%s", layer.relu ? "relu" : "none");
    }
    if (ok)
        cli_columns_print(&table, term);
    cli_columns_deinit(&table);
    return ok;
}

static bool print_model(const struct cli_term *term, const relume_network *network)
{
    char number[32];
    size_t classes = 0;
    while (relume_network_get_class_name(network, classes))
        classes++;
    printf("parameters  %s\n", cli_grouped(relume_network_get_parameters(network), number));
    printf("loss        %s\n", relume_loss_name(relume_network_get_loss(network)));
    if (classes > 0)
        print_classes(term, classes, network_class, network);
    if (relume_network_has_scaling(network))
        print_scaling(relume_network_get_scaling(network));
    else
        puts("scaling     none stated: that of the data it meets");
    putchar('\n');
    return print_layers(term, network);
}

/* Data */

static const char *task_name(relume_task task)
{
    return task == RELUME_CLASSIFICATION ? "classification"
           : task == RELUME_REGRESSION   ? "regression"
                                         : "unlabelled";
}

static json_t *data_json(struct cli_json *document, const relume_dataset *dataset)
{
    json_t *object = json_object(), *classes = json_array();
    char fingerprint[24];
    size_t rows, columns;
    const char *name;
    relume_dataset_get_image(dataset, &rows, &columns);
    snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, relume_dataset_get_fingerprint(dataset));
    for (size_t i = 0; (name = relume_dataset_get_class_name(dataset, i)) != NULL; i++)
        cli_json_add(document, classes, cli_json_text(name));
    cli_json_set(document, object, "name", cli_json_text(relume_dataset_get_name(dataset)));
    cli_json_set(document, object, "task", cli_json_text(task_name(relume_dataset_get_task(dataset))));
    cli_json_set(document, object, "features", cli_json_count(relume_dataset_get_features(dataset)));
    cli_json_set(document, object, "outputs", cli_json_count(relume_dataset_get_outputs(dataset)));
    cli_json_set(document, object, "train_samples",
                 cli_json_count(relume_dataset_get_samples(dataset, RELUME_SPLIT_TRAIN)));
    cli_json_set(document, object, "test_samples",
                 cli_json_count(relume_dataset_get_samples(dataset, RELUME_SPLIT_TEST)));
    cli_json_set(document, object, "image_rows", cli_json_count(rows));
    cli_json_set(document, object, "image_columns", cli_json_count(columns));
    cli_json_set(document, object, "classes", classes);
    cli_json_set(
        document, object, "scaling",
        scaling_json(document, relume_dataset_get_scaling(dataset), relume_dataset_get_features(dataset)));
    cli_json_set(document, object, "fingerprint", cli_json_text(fingerprint));
    return object;
}

static void print_data(const struct cli_term *term, const relume_dataset *dataset)
{
    char train[32], test[32];
    size_t rows, columns;
    relume_dataset_get_image(dataset, &rows, &columns);
    fputs("name        ", stdout);
    cli_put_text(term, relume_dataset_get_name(dataset));
    printf("\ntask        %s\n", task_name(relume_dataset_get_task(dataset)));
    printf("samples     %s train, %s test\n",
           cli_grouped(relume_dataset_get_samples(dataset, RELUME_SPLIT_TRAIN), train),
           cli_grouped(relume_dataset_get_samples(dataset, RELUME_SPLIT_TEST), test));
    printf("features    %zu", relume_dataset_get_features(dataset));
    if (rows > 0)
        printf(", images of %zu x %zu", rows, columns);
    puts(relume_dataset_is_streamed(dataset) ? ", read from their file as they are used" : "");
    if (relume_dataset_get_task(dataset) == RELUME_CLASSIFICATION)
        print_classes(term, relume_dataset_get_outputs(dataset), dataset_class, dataset);
    else
        printf("outputs     %zu\n", relume_dataset_get_outputs(dataset));
    print_scaling(relume_dataset_get_scaling(dataset));
    printf("fingerprint %016" PRIx64 "\n", relume_dataset_get_fingerprint(dataset));
}

/* Runs */

/* The steps of a run's checkpoints, ascending. */
struct checkpoints {
    uint64_t *step;
    size_t count, capacity;
};

static bool add_checkpoint(struct checkpoints *found, uint64_t step)
{
    if (found->count == found->capacity) {
        size_t capacity = found->capacity ? 2 * found->capacity : 64;
        uint64_t *grown = realloc(found->step, capacity * sizeof *grown);
        if (!grown)
            return false;
        found->step = grown;
        found->capacity = capacity;
    }
    found->step[found->count++] = step;
    return true;
}

static int compare_steps(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Reads "step-N.safetensors". */
static bool checkpoint_step(const char *name, uint64_t *step)
{
    char digits[24];
    size_t length = strspn(strncmp(name, "step-", 5) == 0 ? name + 5 : "", "0123456789");
    if (length == 0 || length >= sizeof digits || strcmp(name + 5 + length, ".safetensors") != 0)
        return false;
    memcpy(digits, name + 5, length);
    digits[length] = 0;
    return cli_read_whole(digits, step);
}

/* A run without the folder has no checkpoints. */
static relume_status list_checkpoints(const char *run, struct checkpoints *found, relume_error *error)
{
    char path[4096];
    *found = (struct checkpoints){0};
    snprintf(path, sizeof path, "%s/checkpoints", run);
    DIR *folder = opendir(path);
    struct dirent *entry;
    uint64_t step;
    bool ok = folder || errno != ENOMEM;
    while (folder && ok && (entry = readdir(folder)) != NULL)
        ok = !checkpoint_step(entry->d_name, &step) || add_checkpoint(found, step);
    if (folder)
        closedir(folder);
    if (!ok)
        return cli_error(error, RELUME_NO_MEMORY, "cannot allocate memory for the list of checkpoints");
    if (found->count > 0)
        qsort(found->step, found->count, sizeof *found->step, compare_steps);
    return RELUME_OK;
}

static json_t *score_json(struct cli_json *document, relume_score score)
{
    json_t *object = json_object();
    cli_json_set(document, object, "loss", cli_json_double(score.loss));
    cli_json_set(document, object, "accuracy", cli_json_double(score.accuracy));
    return object;
}

static json_t *settings_json(struct cli_json *document, const relume_run_options *options)
{
    json_t *object = json_object();
    const relume_trainer_options *trainer = &options->trainer;
    cli_json_set(document, object, "data", cli_json_text(options->data));
    cli_json_set(document, object, "holdout", cli_json_double(options->data_options.holdout));
    cli_json_set(document, object, "optimizer", cli_json_text(relume_optimizer_name(trainer->optimizer)));
    cli_json_set(document, object, "learning_rate", cli_json_double(trainer->learning_rate));
    cli_json_set(document, object, "momentum", cli_json_double(trainer->momentum));
    cli_json_set(document, object, "weight_decay", cli_json_double(trainer->weight_decay));
    cli_json_set(document, object, "schedule", cli_json_text(relume_schedule_name(trainer->schedule)));
    cli_json_set(document, object, "epochs", cli_json_count(trainer->epochs));
    cli_json_set(document, object, "batch_size", cli_json_count(trainer->batch_size));
    cli_json_set(document, object, "init", cli_json_text(relume_init_name(options->init)));
    cli_json_set(document, object, "seed", cli_json_count(trainer->seed));
    return object;
}

static json_t *run_json(struct cli_json *document, const relume_run *run,
                        const struct checkpoints *checkpoints)
{
    const relume_run_result *result = relume_run_get_result(run);
    json_t *object = json_object(), *steps = json_array();
    for (size_t i = 0; i < checkpoints->count; i++)
        cli_json_add(document, steps, cli_json_count(checkpoints->step[i]));
    cli_json_set(document, object, "finished", json_boolean(result->finished));
    cli_json_set(document, object, "diverged", json_boolean(result->diverged));
    cli_json_set(document, object, "epochs", cli_json_count(result->epochs));
    cli_json_set(document, object, "steps", cli_json_count(result->steps));
    cli_json_set(document, object, "train", score_json(document, result->train));
    cli_json_set(document, object, "test", score_json(document, result->test));
    cli_json_set(document, object, "settings", settings_json(document, relume_run_get_options(run)));
    cli_json_set(document, object, "checkpoints", steps);
    cli_json_set(document, object, "layers", cli_layers_json(document, relume_run_get_census(run)));
    cli_json_set(document, object, "ledger", cli_ledger_json(document, run));
    return object;
}

static void print_run_settings(const struct cli_term *term, const relume_run_options *options)
{
    const relume_trainer_options *trainer = &options->trainer;
    fputs("data        ", stdout);
    cli_put_text(term, options->data ? options->data : "?");
    if (options->data_options.holdout > 0)
        printf(", holdout %g", options->data_options.holdout);
    printf("\ntraining    %s, lr %g, schedule %s, %llu %s, batch %zu, init %s, seed %llu\n",
           relume_optimizer_name(trainer->optimizer), trainer->learning_rate,
           relume_schedule_name(trainer->schedule), (unsigned long long)trainer->epochs,
           cli_agree(trainer->epochs, "epoch", "epochs"), trainer->batch_size,
           relume_init_name(options->init), (unsigned long long)trainer->seed);
}

/* Nothing for a run that has no final weights yet. */
static void print_scores(const relume_run_result *result)
{
    if (!isfinite(result->train.loss))
        return;
    if (isfinite(result->train.accuracy))
        printf("accuracy    train %.4f", result->train.accuracy);
    else
        printf("loss        train %.6g", result->train.loss);
    if (isfinite(result->test.loss))
        printf(", test %.6g", isfinite(result->test.accuracy) ? result->test.accuracy : result->test.loss);
    putchar('\n');
}

static bool print_run(const struct cli_term *term, const relume_run *run,
                      const struct checkpoints *checkpoints)
{
    const relume_run_result *result = relume_run_get_result(run);
    const relume_run_options *options = relume_run_get_options(run);
    printf("state       %s: %llu %s, %llu %s done\n",
           result->finished   ? "finished"
           : result->diverged ? "diverged"
                              : "not finished",
           (unsigned long long)result->epochs, cli_agree(result->epochs, "epoch", "epochs"),
           (unsigned long long)result->steps, cli_agree(result->steps, "step", "steps"));
    print_run_settings(term, options);
    print_scores(result);
    fputs("ledger      ", stdout);
    cli_print_ledger(run);
    printf("checkpoints %zu", checkpoints->count);
    if (checkpoints->count > 0)
        printf(", from step-%llu to step-%llu", (unsigned long long)checkpoints->step[0],
               (unsigned long long)checkpoints->step[checkpoints->count - 1]);
    puts("\n");
    return cli_print_run_table(term, run);
}

/* What FILE turned out to be; one of them is not NULL. */
struct subject {
    const char *kind;
    relume_run *run;
    relume_network *network;
    relume_dataset *dataset;
};

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static relume_status open_subject(const struct cli_program *program, relume_engine *engine,
                                  struct subject *subject, relume_error *error)
{
    const char *path = program->args->positional[0];
    relume_dataset_options options;
    if (relume_run_exists(path)) {
        subject->kind = "run";
        return relume_run_open(engine, path, &subject->run, error);
    }
    if (ends_with(path, ".safetensors") || ends_with(path, ".onnx")) {
        subject->kind = "model";
        return relume_network_load(engine, path, &subject->network, error);
    }
    subject->kind = "data";
    cli_data_options(program->args, &options);
    options.need_targets = 0;
    relume_status status = relume_dataset_load(engine, path, &options, &subject->dataset, error);
    return status == RELUME_NOT_FOUND && strcmp(error->file, path) == 0 ? cli_refuse_folder(path, error)
                                                                        : status;
}

static relume_status print_json(const struct cli_program *program, const struct subject *subject,
                                const struct checkpoints *checkpoints, relume_error *error)
{
    struct cli_json document;
    const relume_network *network = subject->run ? relume_run_get_network(subject->run) : subject->network;
    cli_json_init(&document, "relume.inspect/1");
    cli_json_set(&document, document.root, "file", cli_json_text(program->args->positional[0]));
    cli_json_set(&document, document.root, "kind", cli_json_text(subject->kind));
    if (subject->run)
        cli_json_set(&document, document.root, "run", run_json(&document, subject->run, checkpoints));
    if (network)
        cli_json_set(&document, document.root, "model", model_json(&document, network));
    if (subject->dataset)
        cli_json_set(&document, document.root, "data", data_json(&document, subject->dataset));
    relume_status status = cli_json_print(&document, error);
    cli_json_deinit(&document);
    return status;
}

static relume_status print_text(const struct cli_program *program, const struct subject *subject,
                                const struct checkpoints *checkpoints, relume_error *error)
{
    const struct cli_term *out = &program->out;
    bool ok = true;
    printf("%-11s ", subject->kind);
    cli_put_text(out, program->args->positional[0]);
    putchar('\n');
    if (subject->run)
        ok = print_run(out, subject->run, checkpoints);
    else if (subject->network)
        ok = print_model(out, subject->network);
    else
        print_data(out, subject->dataset);
    return ok ? RELUME_OK : cli_error(error, RELUME_NO_MEMORY, "cannot allocate memory for the table");
}

int cmd_inspect(struct cli_program *program)
{
    relume_engine *engine = NULL;
    struct subject subject = {0};
    struct checkpoints checkpoints = {0};
    relume_error error = {0};
    relume_status status = cli_engine(program, &engine, &error);
    if (status == RELUME_OK)
        status = open_subject(program, engine, &subject, &error);
    if (status == RELUME_OK && subject.run)
        status = list_checkpoints(program->args->positional[0], &checkpoints, &error);
    if (status == RELUME_OK)
        status = cli_given(program->args, "json") ? print_json(program, &subject, &checkpoints, &error)
                                                  : print_text(program, &subject, &checkpoints, &error);
    free(checkpoints.step);
    relume_run_destroy(subject.run);
    relume_network_destroy(subject.network);
    relume_dataset_destroy(subject.dataset);
    relume_engine_destroy(engine);
    return status == RELUME_OK ? 0 : cli_fail(program, &error);
}
