/* See settings.h. One table says which field has which key and kind; printing and reading follow it. Numbers
 * are written so that they read back as the same bits, and with a point whatever the program's locale is. */
#include "run/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/c_locale.h"
#include "base/error.h"
#include "base/strbuf.h"

/* How a field's value is written as text and read back. */
enum kind { TEXT, U64, SIZE, FLAG, NUMBER, INIT, LOSS, OPTIMIZER, SCHEDULE, INTERVAL, WIDTHS, POINTS };

struct field {
    const char *key;
    enum kind kind;
    size_t offset;
    bool free; /* may differ between a run and its resumption: the fingerprint decides */
};

#define OF(member) offsetof(relume_run_options, member)

static const struct field fields[] = {
    {"data", TEXT, OF(data), true},
    {"labels", TEXT, OF(data_options.labels), true},
    {"target", TEXT, OF(data_options.target), true},
    {"x_key", TEXT, OF(data_options.x_key), true},
    {"y_key", TEXT, OF(data_options.y_key), true},
    {"test", TEXT, OF(data_options.test), true},
    {"holdout", NUMBER, OF(data_options.holdout), false},
    {"data_seed", U64, OF(data_options.seed), false},
    {"standardize", FLAG, OF(data_options.standardize), false}, /* the last of DATA_FIELDS */
    {"hidden", WIDTHS, OF(hidden), false},
    {"init", INIT, OF(init), false},
    {"init_from", TEXT, OF(init_from), false},
    {"loss", LOSS, OF(loss), false},
    {"epochs", U64, OF(trainer.epochs), false},
    {"batch_size", SIZE, OF(trainer.batch_size), false},
    {"optimizer", OPTIMIZER, OF(trainer.optimizer), false},
    {"learning_rate", NUMBER, OF(trainer.learning_rate), false},
    {"momentum", NUMBER, OF(trainer.momentum), false},
    {"beta1", NUMBER, OF(trainer.beta1), false},
    {"beta2", NUMBER, OF(trainer.beta2), false},
    {"epsilon", NUMBER, OF(trainer.epsilon), false},
    {"weight_decay", NUMBER, OF(trainer.weight_decay), false},
    {"decay_bias", FLAG, OF(trainer.decay_bias), false},
    {"schedule", SCHEDULE, OF(trainer.schedule), false},
    {"points", POINTS, OF(trainer.points), false},
    {"warmup", U64, OF(trainer.warmup), false},
    {"clip_norm", NUMBER, OF(trainer.clip_norm), false},
    {"no_shuffle", FLAG, OF(trainer.no_shuffle), false},
    {"seed", U64, OF(trainer.seed), false},
    {"census", INTERVAL, OF(census), false},
    {"checkpoint", INTERVAL, OF(checkpoint), false},
    {"early_stop", U64, OF(early_stop), false},
    {"nearly_dead", NUMBER, OF(nearly_dead), false},
    {"ledger_off", FLAG, OF(ledger_off), false},
};
#define FIELDS (sizeof fields / sizeof *fields)
#define DATA_FIELDS 9 /* those that say how the data are read */

/* ---- the list ---- */

void rlm_settings_deinit(struct rlm_settings *settings)
{
    for (size_t i = 0; i < settings->count; i++) {
        rlm_free(settings->setting[i].key);
        rlm_free(settings->setting[i].value);
    }
    rlm_free(settings->setting);
    rlm_free(settings->hidden);
    rlm_free(settings->points);
    *settings = (struct rlm_settings){.allocator = settings->allocator};
}

static bool grow(struct rlm_settings *settings)
{
    if (settings->count < settings->capacity)
        return true;
    size_t capacity = settings->capacity == 0 ? FIELDS + 4 : 2 * settings->capacity;
    struct rlm_setting *larger =
        rlm_realloc(settings->allocator, settings->setting, capacity, sizeof *larger);
    if (!larger)
        return false;
    settings->setting = larger;
    settings->capacity = capacity;
    return true;
}

relume_status rlm_settings_add(struct rlm_settings *settings, const char *key, const char *value,
                               relume_error *error)
{
    struct rlm_setting made = {0};
    if (grow(settings) && (made.key = rlm_strdup(settings->allocator, key)) != NULL &&
        (!value || (made.value = rlm_strdup(settings->allocator, value)) != NULL)) {
        settings->setting[settings->count++] = made;
        return RELUME_OK;
    }
    rlm_free(made.key);
    return rlm_error_memory(error, strlen(key) + (value ? strlen(value) : 0), "a setting");
}

const char *rlm_settings_get(const struct rlm_settings *settings, const char *key)
{
    for (size_t i = 0; i < settings->count; i++)
        if (strcmp(settings->setting[i].key, key) == 0)
            return settings->setting[i].value;
    return NULL;
}

/* ---- options to texts ---- */

/* The shortest of 15 to 17 digits that reads back as the same number. */
static void print_number(struct rlm_strbuf *text, double value)
{
    char digits[40];
    for (int precision = 15; precision <= 17; precision++) {
        (void)snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    rlm_strbuf_print(text, "%s", digits);
}

static void print_interval(struct rlm_strbuf *text, const relume_interval *interval)
{
    if (interval->kind == RELUME_EVERY_STEPS)
        rlm_strbuf_print(text, "%" PRIu64, interval->steps);
    else
        rlm_strbuf_print(text, "%s",
                         interval->kind == RELUME_OFF     ? "off"
                         : interval->kind == RELUME_FINAL ? "final"
                                                          : "epoch");
}

static void print_widths(struct rlm_strbuf *text, const relume_run_options *options)
{
    rlm_strbuf_print(text, "%s", "");
    for (size_t l = 0; l < options->hidden_layers; l++)
        rlm_strbuf_print(text, "%s%zu", l > 0 ? "," : "", options->hidden[l]);
}

static void print_points(struct rlm_strbuf *text, const relume_trainer_options *options)
{
    rlm_strbuf_print(text, "%s", "");
    for (size_t i = 0; i < options->point_count; i++) {
        rlm_strbuf_print(text, "%s%" PRIu64 ":", i > 0 ? "," : "", options->points[i].step);
        print_number(text, options->points[i].learning_rate);
    }
}

static void print_field(struct rlm_strbuf *text, const struct field *field, const relume_run_options *options)
{
    const void *at = (const char *)options + field->offset;
    switch (field->kind) {
    case TEXT:
        rlm_strbuf_print(text, "%s", *(const char *const *)at);
        break;
    case U64:
        rlm_strbuf_print(text, "%" PRIu64, *(const uint64_t *)at);
        break;
    case SIZE:
        rlm_strbuf_print(text, "%zu", *(const size_t *)at);
        break;
    case FLAG:
        rlm_strbuf_print(text, "%d", *(const int *)at != 0);
        break;
    case NUMBER:
        print_number(text, *(const double *)at);
        break;
    case INIT:
        rlm_strbuf_print(text, "%s", relume_init_name(options->init));
        break;
    case LOSS:
        rlm_strbuf_print(text, "%s", relume_loss_name((relume_loss)options->loss));
        break;
    case OPTIMIZER:
        rlm_strbuf_print(text, "%s", relume_optimizer_name(options->trainer.optimizer));
        break;
    case SCHEDULE:
        rlm_strbuf_print(text, "%s", relume_schedule_name(options->trainer.schedule));
        break;
    case INTERVAL:
        print_interval(text, at);
        break;
    case WIDTHS:
        print_widths(text, options);
        break;
    case POINTS:
        print_points(text, &options->trainer);
        break;
    }
}

static relume_status gather_field(struct rlm_settings *settings, const struct field *field,
                                  const relume_run_options *options, relume_error *error)
{
    if (field->kind == TEXT && !*(const char *const *)(const void *)((const char *)options + field->offset))
        return rlm_settings_add(settings, field->key, NULL, error);
    struct rlm_strbuf text = {.allocator = settings->allocator};
    print_field(&text, field, options);
    relume_status status = text.failed
                               ? rlm_error_memory(error, text.length, "a setting")
                               : rlm_settings_add(settings, field->key, text.text ? text.text : "", error);
    rlm_strbuf_deinit(&text);
    return status;
}

relume_status rlm_settings_gather(struct rlm_settings *settings, const relume_run_options *options,
                                  const relume_dataset *dataset, relume_error *error)
{
    char fingerprint[24];
    (void)snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, relume_dataset_get_fingerprint(dataset));
    struct rlm_c_locale scope = {0};
    RLM_TRY(rlm_c_locale_enter(&scope, error));
    relume_status status = RELUME_OK;
    for (size_t i = 0; status == RELUME_OK && i < FIELDS; i++)
        status = gather_field(settings, &fields[i], options, error);
    rlm_c_locale_leave(&scope);
    if (status == RELUME_OK)
        status = rlm_settings_add(settings, "data_fingerprint", fingerprint, error);
    return status;
}

/* ---- comparing ---- */

static bool equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static const char *shown(const char *value)
{
    return value ? (*value ? value : "empty") : "not given";
}

static relume_status compare_fields(const struct rlm_settings *was, const struct rlm_settings *now,
                                    size_t begin, size_t end, const char *path, relume_error *error)
{
    for (size_t i = begin; i < end; i++) {
        const char *before = rlm_settings_get(was, fields[i].key);
        const char *after = rlm_settings_get(now, fields[i].key);
        if (fields[i].free || equal(before, after))
            continue;
        rlm_error_at_item(error, fields[i].key);
        return rlm_error_set(error, RELUME_MISMATCH,
                             "%s: %s was %s, now %s; a run is resumed with its own settings", path,
                             fields[i].key, shown(before), shown(after));
    }
    return RELUME_OK;
}

static relume_status compare_data(const struct rlm_settings *was, const struct rlm_settings *now,
                                  const char *path, relume_error *error)
{
    const char *key = "data_fingerprint";
    const char *before = rlm_settings_get(was, key), *after = rlm_settings_get(now, key);
    if (equal(before, after))
        return RELUME_OK;
    rlm_error_at_item(error, "data");
    return rlm_error_set(
        error, RELUME_MISMATCH,
        "%s: the data are not those this run was trained on: %s has fingerprint %s, it was %s of %s", path,
        shown(rlm_settings_get(now, "data")), shown(after), shown(before),
        shown(rlm_settings_get(was, "data")));
}

/* Another holdout changes the fingerprint, and other data may change the loss: so how data are read comes
 * first, then the data, then the rest. */
relume_status rlm_settings_compare(const struct rlm_settings *was, const struct rlm_settings *now,
                                   const char *path, relume_error *error)
{
    rlm_error_clear(error);
    rlm_error_at_file(error, path);
    RLM_TRY(compare_fields(was, now, 0, DATA_FIELDS, path, error));
    RLM_TRY(compare_data(was, now, path, error));
    return compare_fields(was, now, DATA_FIELDS, FIELDS, path, error);
}

const char *rlm_settings_place(size_t index)
{
    for (size_t i = 0; i < FIELDS; i++)
        if (fields[i].free && index-- == 0)
            return fields[i].key;
    return NULL;
}

/* ---- texts to options ---- */

static bool read_u64(const char **at, uint64_t *value)
{
    if (**at < '0' || **at > '9')
        return false;
    char *end;
    errno = 0;
    unsigned long long read = strtoull(*at, &end, 10);
    *at = end;
    *value = read;
    return errno == 0;
}

static bool read_number(const char **at, double *value)
{
    char *end;
    *value = strtod(*at, &end);
    bool some = end != *at;
    *at = end;
    return some;
}

static bool read_interval(const char **at, relume_interval *interval)
{
    uint64_t steps = 0;
    if (strcmp(*at, "epoch") == 0 || strcmp(*at, "final") == 0 || strcmp(*at, "off") == 0) {
        *interval = (relume_interval){.kind = **at == 'e'   ? RELUME_EVERY_EPOCH
                                              : **at == 'f' ? RELUME_FINAL
                                                            : RELUME_OFF};
        *at += strlen(*at);
        return true;
    }
    bool good = read_u64(at, &steps);
    *interval = (relume_interval){.kind = RELUME_EVERY_STEPS, .steps = steps};
    return good;
}

static size_t count_items(const char *text)
{
    size_t items = *text != '\0';
    for (; *text; text++)
        items += *text == ',';
    return items;
}

static bool read_widths(struct rlm_settings *settings, const char **at, relume_run_options *options)
{
    size_t count = count_items(*at);
    settings->hidden = rlm_alloc(settings->allocator, count, sizeof *settings->hidden);
    bool good = settings->hidden != NULL;
    for (size_t i = 0; good && i < count; i++) {
        uint64_t width = 0;
        good = (i == 0 || *(*at)++ == ',') && read_u64(at, &width) && width <= SIZE_MAX;
        settings->hidden[i] = (size_t)width;
    }
    options->hidden = settings->hidden;
    options->hidden_layers = count;
    return good;
}

static bool read_points(struct rlm_settings *settings, const char **at, relume_trainer_options *options)
{
    size_t count = count_items(*at);
    settings->points = rlm_alloc(settings->allocator, count, sizeof *settings->points);
    bool good = settings->points != NULL;
    for (size_t i = 0; good && i < count; i++)
        good = (i == 0 || *(*at)++ == ',') && read_u64(at, &settings->points[i].step) && *(*at)++ == ':' &&
               read_number(at, &settings->points[i].learning_rate);
    options->points = settings->points;
    options->point_count = count;
    return good;
}

/* The number of a name among `count`; −1 for none. Moves *at to the end. */
static int read_choice(const char **at, const char *(*name)(int), int count)
{
    const char *text = *at;
    *at += strlen(text);
    for (int i = 0; i < count; i++)
        if (strcmp(text, name(i)) == 0)
            return i;
    return -1;
}

static const char *init_name(int i)
{
    return relume_init_name((relume_init)i);
}

static const char *loss_name(int i)
{
    return relume_loss_name((relume_loss)i);
}

static const char *optimizer_name(int i)
{
    return relume_optimizer_name((relume_optimizer)i);
}

static const char *schedule_name(int i)
{
    return relume_schedule_name((relume_schedule)i);
}

static bool read_named(const char **at, enum kind kind, relume_run_options *options)
{
    int choice;
    switch (kind) {
    case INIT:
        choice = read_choice(at, init_name, RELUME_INIT_COUNT);
        options->init = (relume_init)choice;
        break;
    case LOSS:
        choice = read_choice(at, loss_name, RELUME_LOSS_COUNT);
        options->loss = choice;
        break;
    case OPTIMIZER:
        choice = read_choice(at, optimizer_name, RELUME_OPTIMIZER_COUNT);
        options->trainer.optimizer = (relume_optimizer)choice;
        break;
    default:
        choice = read_choice(at, schedule_name, RELUME_SCHEDULE_COUNT);
        options->trainer.schedule = (relume_schedule)choice;
    }
    return choice >= 0;
}

/* Reads all of `text` into the field. */
static bool read_field(struct rlm_settings *settings, const struct field *field, const char *text,
                       relume_run_options *options)
{
    void *to = (char *)options + field->offset;
    const char *at = text;
    uint64_t number = 0;
    bool good;
    switch (field->kind) {
    case TEXT:
        *(const char **)to = text;
        return true;
    case U64:
        good = read_u64(&at, to);
        break;
    case SIZE:
        good = read_u64(&at, &number) && number <= SIZE_MAX;
        *(size_t *)to = (size_t)number;
        break;
    case FLAG:
        good = read_u64(&at, &number) && number <= 1;
        *(int *)to = (int)number;
        break;
    case NUMBER:
        good = read_number(&at, to);
        break;
    case INTERVAL:
        good = read_interval(&at, to);
        break;
    case WIDTHS:
        good = read_widths(settings, &at, options);
        break;
    case POINTS:
        good = read_points(settings, &at, &options->trainer);
        break;
    default:
        good = read_named(&at, field->kind, options);
    }
    return good && *at == '\0';
}

/* What it means that a field could not be read. */
static relume_status refuse_field(const struct rlm_settings *settings, const struct field *field,
                                  const char *value, relume_error *error)
{
    bool refused =
        (field->kind == WIDTHS && !settings->hidden) || (field->kind == POINTS && !settings->points);
    if (refused)
        return rlm_error_memory(error, strlen(value), "the list of a setting");
    rlm_error_at_item(error, field->key);
    return rlm_error_set(error, RELUME_BAD_FORMAT, "the setting %s is \"%s\", which cannot be read",
                         field->key, value);
}

relume_status rlm_settings_apply(struct rlm_settings *settings, relume_run_options *options,
                                 relume_error *error)
{
    struct rlm_c_locale scope = {0};
    RLM_TRY(rlm_c_locale_enter(&scope, error));
    relume_status status = RELUME_OK;
    for (size_t i = 0; status == RELUME_OK && i < FIELDS; i++) {
        const char *value = rlm_settings_get(settings, fields[i].key);
        if (!value || read_field(settings, &fields[i], value, options))
            continue;
        status = refuse_field(settings, &fields[i], value, error);
    }
    rlm_c_locale_leave(&scope);
    return status;
}
