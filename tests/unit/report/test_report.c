/* Reports of real runs: what they say is what the run's own interface says, counted again here where that is
 * possible. */
#include "../run/run_world.h"
#include "country.h"

#include <jansson.h>
#include <math.h>
#include <zlib.h>

#include "relume/forecast.h"
#include "report/facts.h"

static relume_engine *engine;

static int setup(void **state)
{
    engine = world_engine(NULL, 2, NULL);
    return run_setup(state);
}

static int teardown(void **state)
{
    relume_engine_destroy(engine);
    return run_teardown(state);
}

/* A rate at which units die and return. */
static relume_run_options dying_options(const char *path)
{
    relume_run_options options = run_options(path);
    options.trainer.optimizer = RELUME_SGD;
    options.trainer.learning_rate = 2;
    options.trainer.seed = 1;
    options.trainer.epochs = 8;
    options.trainer.batch_size = 100;
    return options;
}

static const char *dying_run(char path[128])
{
    run_path(path, "dying");
    if (!relume_run_exists(path)) {
        relume_run_options options = dying_options(path);
        run_train(engine, &options, RELUME_OK);
    }
    return path;
}

static const relume_report_options whole_options = {.autopsy = RELUME_REPORT_AUTOPSY_ALWAYS};
static const struct rlm_wish whole_wish = {.options = &whole_options};

static relume_report *report_of(const char *path)
{
    relume_report *report = NULL;
    relume_error error = {0};
    assert_ok(relume_report_create(engine, path, NULL, &report, &error), error);
    return report;
}

/* The JSON, freed by the caller. */
static json_t *json_of(relume_report *report)
{
    relume_error error = {0};
    json_error_t trouble;
    const char *text;
    size_t length;
    assert_ok(relume_report_print(report, RELUME_REPORT_JSON, 0, &text, &length, &error), error);
    assert_int_equal(strlen(text), length);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &trouble);
    if (!json)
        fail_msg("%s at %d", trouble.text, trouble.position);
    return json;
}

/* A value by path: "ledger.deaths", "layers.0.dead". */
static json_t *at(json_t *json, const char *path)
{
    char key[64];
    while (json && *path) {
        size_t length = strcspn(path, ".");
        (void)snprintf(key, sizeof key, "%.*s", (int)length, path);
        json = json_is_array(json) ? json_array_get(json, (size_t)strtoul(key, NULL, 10))
                                   : json_object_get(json, key);
        path += length + (path[length] == '.');
    }
    assert_non_null(json);
    return json;
}

static long long whole(json_t *json, const char *path)
{
    assert_true(json_is_integer(at(json, path)));
    return json_integer_value(at(json, path));
}

/* ---- the numbers ---- */

static void check_layer(json_t *json, const relume_run *run, size_t l)
{
    char path[48];
    relume_layer_account account = relume_census_get_layer(relume_run_get_census(run), l);
    relume_run_layer ledger = relume_run_get_layer(run, l);
    (void)snprintf(path, sizeof path, "layers.%zu", l);
    json_t *layer = at(json, path);
    assert_string_equal(json_string_value(at(layer, "layer")), account.name);
    assert_int_equal(whole(layer, "units"), account.units);
    assert_int_equal(whole(layer, "dead"), account.dead);
    assert_int_equal(whole(layer, "nearly_dead"), account.nearly_dead);
    assert_int_equal(whole(layer, "always_on"), account.always_on);
    assert_int_equal(whole(layer, "born_dead"), ledger.born_dead);
    assert_int_equal(whole(layer, "deaths"), ledger.deaths);
    assert_int_equal(whole(layer, "revivals"), ledger.revivals);
    assert_int_equal(whole(layer, "active.count"), account.units);
    double share[16];
    size_t epochs = relume_run_get_dead_share(run, l, share, 16);
    assert_int_equal(json_array_size(at(layer, "dead_by_epoch")), epochs);
    for (size_t e = 0; e < epochs; e++) {
        (void)snprintf(path, sizeof path, "dead_by_epoch.%zu", e);
        assert_true((double)whole(layer, path) / (double)account.units == share[e]);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    char path[128];
    relume_run *run = NULL;
    relume_error error = {0};
    relume_report *report = report_of(dying_run(path));
    json_t *json = json_of(report);
    assert_ok(relume_run_open(engine, path, &run, &error), error);
    const relume_run_result *result = relume_run_get_result(run);
    assert_string_equal(json_string_value(at(json, "schema")), "relume.report/1");
    assert_string_equal(json_string_value(at(json, "state")), "finished");
    assert_int_equal(whole(json, "complete_to.step"), result->steps);
    assert_true(json_real_value(at(json, "score.test.accuracy")) == result->test.accuracy);
    assert_true(json_real_value(at(json, "score.train.loss")) == result->train.loss);
    assert_true(result->total.deaths > 0 && result->total.revivals > 0); /* else this test shows little */
    assert_int_equal(whole(json, "ledger.deaths"), result->total.deaths);
    assert_int_equal(whole(json, "ledger.dead_at_end"), result->total.dead_at_end);
    assert_int_equal(whole(json, "dead"), relume_census_get_dead(relume_run_get_census(run)));
    assert_int_equal(json_array_size(at(json, "epochs.epoch")), 9);
    assert_true(json_is_null(at(json, "epochs.learning_rate.0")));
    assert_true(json_is_string(at(json, "settings.optimizer")));
    for (size_t l = 0; l < 2; l++)
        check_layer(json, run, l);
    relume_run_destroy(run);
    json_decref(json);
    relume_report_destroy(report);
}

/* Stretches of steps add up to the ledger, and each unit's events lead to its state at the end. */
static void test_events(void **state)
{
    (void)state;
    char path[128];
    struct rlm_facts facts;
    relume_error error = {0};
    assert_ok(rlm_facts_gather(engine, dying_run(path), &whole_wish, &facts, &error), error);
    uint64_t deaths = 0, revivals = 0;
    for (size_t i = 0; i < facts.steps.count; i++) {
        deaths += facts.steps.deaths[i];
        revivals += facts.steps.revivals[i];
    }
    assert_int_equal(deaths, facts.total.deaths);
    assert_int_equal(revivals, facts.total.revivals);
    assert_int_equal(facts.events.kept, facts.events.count);
    bool dead[2][12] = {{false}};
    for (size_t i = 0; i < facts.events.count; i++)
        dead[facts.event[i].layer][facts.event[i].unit] = facts.event[i].kind != RELUME_REVIVED;
    for (size_t l = 0; l < 2; l++)
        for (size_t u = 0; u < facts.layer[l].units; u++)
            assert_int_equal(dead[l][u], facts.layer[l].unit[u].active == 0);
    assert_true(facts.map.exact);
    assert_int_equal(facts.map.count, 9);
    assert_int_equal(facts.epochs.dead[8], facts.dead);
    rlm_facts_deinit(&facts);
}

static const unsigned char *unbase64(const char *text, size_t *size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char *bytes = malloc(strlen(text) + 1);
    uint32_t bits = 0;
    int held = 0;
    *size = 0;
    for (; *text && *text != '='; text++) {
        bits = bits << 6 | (uint32_t)(strchr(digits, *text) - digits);
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes[(*size)++] = (unsigned char)(bits >> held);
        }
    }
    return bytes;
}

static void *unpacked(json_t *json, const char *path, size_t size)
{
    size_t packed;
    json_t *array = at(json, path);
    const unsigned char *bytes = unbase64(json_string_value(at(array, "zlib")), &packed);
    unsigned char *to = malloc(size + 1);
    uLongf length = (uLongf)size;
    assert_int_equal(uncompress(to, &length, bytes, (uLong)packed), Z_OK);
    assert_int_equal(length, size);
    free((void *)bytes);
    return to;
}

/* Each unit's histogram has every sample once, and as many above 0 as the census counted; its first sample is
 * the margin. */
static void test_units(void **state)
{
    (void)state;
    char path[128];
    struct rlm_facts facts;
    relume_error error = {0};
    relume_report *report = report_of(dying_run(path));
    json_t *json = json_of(report);
    assert_ok(rlm_facts_gather(engine, path, &whole_wish, &facts, &error), error);
    size_t units = facts.hidden_units, i = 0;
    assert_int_equal(whole(json, "units.count"), units);
    uint32_t *histogram = unpacked(json, "units.histogram", units * RLM_BINS * 4);
    float *p = unpacked(json, "units.top.p", units * 6 * 4),
          *width = unpacked(json, "units.width", units * 4);
    for (size_t l = 0; l < 2; l++)
        for (size_t u = 0; u < facts.layer[l].units; u++, i++) {
            uint64_t all = 0, open = 0;
            for (size_t b = 0; b < RLM_BINS; b++) {
                all += histogram[i * RLM_BINS + b];
                open += b >= RLM_BINS / 2 ? histogram[i * RLM_BINS + b] : 0;
            }
            assert_int_equal(all, facts.samples);
            assert_int_equal(open, facts.layer[l].unit[u].active);
            assert_true(p[i * 6] == facts.layer[l].unit[u].margin);
            assert_true(fabsf(p[i * 6]) <= width[i] * RLM_BINS / 2);
            for (size_t k = 1; k < 6; k++)
                assert_true(p[i * 6 + k] <= p[i * 6 + k - 1]);
        }
    free(histogram);
    free(p);
    free(width);
    rlm_facts_deinit(&facts);
    json_decref(json);
    relume_report_destroy(report);
}

/* ---- why they died ---- */

/* The autopsy in the report is the autopsy. */
static void test_autopsy(void **state)
{
    (void)state;
    char path[128], key[64], unit[64];
    relume_error error = {0};
    relume_run *run = NULL;
    relume_autopsy *found = NULL;
    relume_report *report = report_of(dying_run(path));
    json_t *json = json_of(report);
    assert_ok(relume_run_open(engine, path, &run, &error), error);
    assert_ok(relume_autopsy_hold(run, NULL, &found, &error), error);
    assert_true(found->deaths > 3); /* else this test shows little */
    assert_int_equal(whole(json, "dead"), found->deaths);
    assert_int_equal(json_array_size(at(json, "autopsy")), found->deaths);
    for (size_t i = 0; i < found->deaths; i++) {
        const relume_death *death = &found->death[i];
        json_t *told = NULL;
        (void)snprintf(unit, sizeof unit, "h%zu.%zu", death->layer + 1, death->unit);
        for (size_t k = 0; k < found->deaths && !told; k++) {
            (void)snprintf(key, sizeof key, "autopsy.%zu", k);
            json_t *one = at(json, key);
            told = strcmp(json_string_value(at(one, "unit")), unit) == 0 ? one : NULL;
        }
        assert_non_null(told);
        assert_int_equal(whole(told, "step"), death->step);
        assert_true((float)json_number_value(at(told, "margin_after")) == death->margin_after);
        assert_string_equal(json_string_value(at(told, "prognosis.because")), death->prognosis.because);
        if (death->lethal)
            assert_true((float)json_number_value(at(told, "lethal_lr.0")) == death->lethal_low);
    }
    relume_autopsy_destroy(found);
    relume_run_destroy(run);
    json_decref(json);
    relume_report_destroy(report);
}

/* Each way to die counts its deaths, and the verdict names the most frequent. */
static void test_ways(void **state)
{
    (void)state;
    char path[128];
    struct rlm_facts facts;
    relume_error error = {0};
    assert_ok(rlm_facts_gather(engine, dying_run(path), &whole_wish, &facts, &error), error);
    const struct rlm_facts_autopsy *autopsy = &facts.autopsy;
    uint64_t deaths = 0, told = 0;
    bool cause = false;
    assert_true(autopsy->held && !autopsy->left_out && autopsy->kept == facts.dead);
    for (size_t g = 0; g < autopsy->ways; g++) {
        deaths += autopsy->way[g].deaths;
        told += autopsy->way[g].never + autopsy->way[g].returns + autopsy->way[g].open;
        assert_true(g == 0 || autopsy->way[g].deaths <= autopsy->way[g - 1].deaths);
    }
    assert_int_equal(deaths, facts.dead);
    assert_int_equal(told, facts.dead);
    for (size_t i = 0; i < facts.verdict.points; i++)
        cause = cause || strcmp(facts.verdict.point[i].about, "cause") == 0;
    assert_true(cause);
    size_t spared = 0, killed = 0;
    for (size_t i = 0; i < autopsy->deaths; i++) {
        const relume_death *death = &autopsy->death[i];
        killed += death->kind == RELUME_KILLED;
        spared += death->kind == RELUME_KILLED && death->lethal &&
                  (double)death->largest_safe_rate >= autopsy->spared_at;
    }
    assert_true(killed > 0 && 2 * spared >= killed);
    rlm_facts_deinit(&facts);
}

/* Where there is no time, or no wish, the report says so and stands. */
static void test_no_autopsy(void **state)
{
    (void)state;
    char path[128];
    relume_error error = {0};
    relume_report_options options;
    relume_report_options_default(&options);
    dying_run(path);
    for (int none = 0; none < 2; none++) {
        relume_report *report = NULL;
        options.autopsy = none ? RELUME_REPORT_AUTOPSY_NEVER : RELUME_REPORT_AUTOPSY_SHORT;
        options.autopsy_seconds = 0;
        assert_ok(relume_report_create(engine, path, &options, &report, &error), error);
        json_t *json = json_of(report);
        assert_true(json_is_null(at(json, "autopsy")));
        assert_non_null(strstr(json_string_value(at(json, "autopsy_account.left_out")), "relume autopsy"));
        assert_true(whole(json, "dead") > 0);
        json_decref(json);
        relume_report_destroy(report);
    }
    static volatile int stop = 2;
    options.stop = &stop;
    for (int none = 0; none < 2; none++) {
        relume_report *report = NULL;
        options.autopsy = none ? RELUME_REPORT_AUTOPSY_NEVER : RELUME_REPORT_AUTOPSY_ALWAYS;
        assert_status(relume_report_create(engine, path, &options, &report, &error), RELUME_INTERRUPTED);
        assert_null(report);
    }
}

/* ---- beside the run ---- */

/* Runs in the same folder that differ in the rate alone are put beside each other, by rate; others are not.
 */
static void test_sweep(void **state)
{
    (void)state;
    char path[128], folder[128];
    static const double rates[] = {0.5, 2, 0.02};
    assert_int_equal(mkdir(run_path(folder, "rates"), 0777), 0);
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(path, sizeof path, "%.100s/%c", folder, (char)('a' + i));
        relume_run_options options = dying_options(path);
        options.trainer.epochs = 3;
        options.trainer.seed = i == 3 ? 7 : 1;
        options.trainer.learning_rate = i == 3 ? 0.1 : rates[i];
        run_train(engine, &options, RELUME_OK);
    }
    (void)snprintf(path, sizeof path, "%.100s/b", folder);
    relume_report *report = report_of(path);
    json_t *json = json_of(report);
    assert_int_equal(json_array_size(at(json, "sweep.rows")), 3);
    assert_string_equal(json_string_value(at(json, "sweep.rows.0.run")), "c");
    assert_string_equal(json_string_value(at(json, "sweep.rows.1.run")), "a");
    assert_true(json_number_value(at(json, "sweep.rows.2.learning_rate")) == 2);
    assert_true(json_is_true(at(json, "sweep.rows.2.own")) && json_is_false(at(json, "sweep.rows.0.own")));
    assert_int_equal(whole(json, "sweep.rows.2.dead"), whole(json, "dead"));
    assert_int_equal(whole(json, "sweep.rows.2.deaths"), whole(json, "ledger.deaths"));
    assert_true(json_number_value(at(json, "sweep.rows.2.accuracy")) ==
                json_number_value(at(json, "score.test.accuracy")));
    json_decref(json);
    relume_report_destroy(report);
}

/* The report for a terminal, freed by the caller. */
static char *text_of(relume_report *report)
{
    relume_error error = {0};
    const char *text;
    size_t length;
    assert_ok(relume_report_print(report, RELUME_REPORT_TEXT, 0, &text, &length, &error), error);
    return strdup(text);
}

/* A host program may have a decimal comma: rates are read, and numbers printed, as ever. */
static void test_sweep_in_a_locale(void **state)
{
    (void)state;
    char path[128], root[128], places[128];
    assert_int_equal(mkdir(run_path(root, "comma"), 0777), 0);
    assert_int_equal(mkdir(run_path(places, "locales"), 0777), 0);
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%.100s/%c", root, (char)('a' + i));
        relume_run_options options = dying_options(path);
        options.trainer.epochs = 1;
        options.trainer.learning_rate = i == 0 ? 0.25 : 2;
        run_train(engine, &options, RELUME_OK);
    }
    if (!locale_enter(places, "de_DE", "UTF-8"))
        skip_because("localedef or the source of de_DE is missing (package locales)");
    assert_int_equal(*localeconv()->decimal_point, ',');
    relume_report *report = report_of(path);
    char *there = text_of(report);
    locale_leave();
    char *here = text_of(report);
    assert_string_equal(there, here);
    free(there);
    free(here);
    json_t *json = json_of(report);
    assert_int_equal(json_array_size(at(json, "sweep.rows")), 2);
    assert_true(json_number_value(at(json, "sweep.rows.0.learning_rate")) == 0.25);
    json_decref(json);
    relume_report_destroy(report);
}

/* A forecast stays with the run it is of, and with no other. */
static void test_forecast(void **state)
{
    (void)state;
    char path[128];
    relume_error error = {0};
    relume_forecast_layer layer[2] = {{.name = "h1", .units = 12, .expected = 0.01, .measured = 0.02},
                                      {.name = "h2", .units = 9, .expected = 0.03, .measured = 0.25}};
    relume_forecast forecast = {.seeds = 5, .layers = 2, .layer = layer};
    relume_safe_rate rate = {.safe = 0.125, .lethal = 0.5};
    dying_run(path);
    relume_report *report = report_of(path);
    json_t *json = json_of(report);
    assert_true(json_is_null(at(json, "forecast")));
    json_decref(json);
    relume_report_destroy(report);
    assert_ok(relume_forecast_keep(engine, path, &forecast, NULL, 20, &error), error);
    assert_ok(relume_forecast_keep(engine, path, &forecast, &rate, 20, &error), error);
    report = report_of(path);
    json = json_of(report);
    assert_int_equal(json_array_size(at(json, "forecast.layers")), 2);
    assert_true(json_number_value(at(json, "forecast.layers.1.born_dead_fraction")) == 0.25);
    assert_true(json_number_value(at(json, "forecast.safe_learning_rate")) == 0.125);
    json_decref(json);
    relume_report_destroy(report);
    forecast.layers = 1;
    assert_status(relume_forecast_keep(engine, path, &forecast, NULL, 20, &error), RELUME_MISMATCH);
    assert_status(relume_forecast_keep(engine, run_path(path, "none"), &forecast, NULL, 20, &error),
                  RELUME_NOT_FOUND);
}

/* ---- the printers ---- */

/* Columns of a line of UTF-8, of characters one column wide. */
static size_t columns(const char *line, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += ((unsigned char)line[i] & 0xc0) != 0x80;
    return count;
}

static void test_text(void **state)
{
    (void)state;
    char path[128];
    relume_error error = {0};
    relume_report *report = report_of(dying_run(path));
    for (size_t width = 40; width <= 120; width += 10)
        for (int format = RELUME_REPORT_TEXT; format <= RELUME_REPORT_ASCII; format++) {
            const char *text;
            size_t length;
            assert_ok(
                relume_report_print(report, (relume_report_format)format, width, &text, &length, &error),
                error);
            assert_non_null(strstr(text, "dead"));
            for (const char *line = text; *line;) {
                size_t bytes = strcspn(line, "\n");
                if (width >= 80)
                    assert_true(columns(line, bytes) <= width);
                for (size_t i = 0; i < bytes; i++)
                    assert_true((unsigned char)line[i] >= 0x20 &&
                                (format == RELUME_REPORT_TEXT || !(line[i] & 0x80)));
                line += bytes + (line[bytes] == '\n');
            }
        }
    relume_report_destroy(report);
}

static void test_html(void **state)
{
    (void)state;
    char path[128];
    relume_error error = {0};
    const char *text;
    size_t length;
    relume_report *report = report_of(dying_run(path));
    if (!relume_report_has_page()) {
        assert_status(relume_report_print(report, RELUME_REPORT_HTML, 0, &text, &length, &error),
                      RELUME_NOT_FOUND);
        assert_non_null(strstr(error.message, "node"));
        relume_report_destroy(report);
        return;
    }
    assert_ok(relume_report_print(report, RELUME_REPORT_HTML, 0, &text, &length, &error), error);
    assert_memory_equal(text, "<!doctype html>", 15);
    assert_string_equal(text + length - 8, "</html>\n");
    assert_non_null(strstr(text, "connect-src 'none'"));
    assert_null(strstr(text, "@FACTS@"));
    const char *facts = strstr(text, "id=\"facts\">");
    assert_non_null(facts);
    json_t *json = json_loads(facts + 11, JSON_DISABLE_EOF_CHECK, NULL);
    assert_non_null(json);
    json_decref(json);
    relume_report_destroy(report);
}

/* ---- runs that are not whole ---- */

static int stop_now;

static void stop_later(void *user, const relume_run_news *news)
{
    (void)user;
    stop_now = news->progress.step == 30 ? 15 : 0;
}

static void test_unfinished(void **state)
{
    (void)state;
    char path[128];
    relume_run_options options = dying_options(run_path(path, "stopped"));
    options.news = stop_later;
    options.stop = &stop_now;
    run_train(engine, &options, RELUME_INTERRUPTED);
    relume_report *report = report_of(path);
    json_t *json = json_of(report);
    assert_string_equal(json_string_value(at(json, "state")), "unfinished");
    assert_in_range(whole(json, "complete_to.step"), 30, 31); /* at the next look after the step */
    assert_int_equal(whole(json, "layers.0.active.count"), 12);
    json_decref(json);
    relume_report_destroy(report);
}

static void test_missing(void **state)
{
    (void)state;
    char path[128];
    relume_error error = {0};
    relume_report *report = NULL;
    assert_status(relume_report_create(engine, run_path(path, "nowhere"), NULL, &report, &error),
                  RELUME_NOT_FOUND);
    assert_null(report);
    assert_non_null(strstr(error.message, "nowhere"));
}

/* Without its data a run has a report all the same: it says why there is less in it. */
static void test_without_data(void **state)
{
    (void)state;
    char path[128], command[400];
    sqlite3 *database;
    (void)snprintf(command, sizeof command, "cp -r '%s' '%s-moved'", dying_run(path), path);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): the path is the test's own */
    (void)snprintf(command, sizeof command, "%s-moved/history.sqlite", path);
    assert_int_equal(sqlite3_open(command, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database,
                                  "UPDATE setting SET value = '/nowhere/</script>.npz' WHERE key = 'data'",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
    (void)snprintf(command, sizeof command, "%s-moved", path);
    relume_report *report = report_of(command);
    json_t *json = json_of(report);
    assert_true(json_is_null(at(json, "units")));
    assert_non_null(strstr(json_string_value(at(json, "dataset.trouble")), "/nowhere/</script>.npz"));
    assert_true(whole(json, "dead") > 0);
    json_decref(json);
    relume_report_destroy(report);
}

/* Each allocation in turn is refused: the report fails cleanly, nothing is leaked, and the engine still
 * works. */
static void test_no_memory(void **state)
{
    (void)state;
    char path[128];
    struct world_memory memory = {0};
    dying_run(path);
    relume_engine *poor = world_engine(NULL, 1, &memory);
    size_t held = memory.held, before = memory.calls;
    relume_report *report = NULL;
    relume_error error = {0};
    assert_ok(relume_report_create(poor, path, NULL, &report, &error), error);
    relume_report_destroy(report);
    size_t calls = memory.calls - before;
    assert_int_equal(memory.held, held);
    for (size_t call = 1; call <= calls; call += 1 + calls / check_rounds(150, 40)) {
        memory.refuse_from = memory.calls + call;
        report = NULL;
        relume_status status = relume_report_create(poor, path, NULL, &report, &error);
        memory.refuse_from = 0;
        if (status == RELUME_OK)
            relume_report_destroy(report);
        else
            assert_null(report);
        assert_int_equal(memory.held, held);
    }
    relume_engine_destroy(poor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),   cmocka_unit_test(test_events),
        cmocka_unit_test(test_units),     cmocka_unit_test(test_autopsy),
        cmocka_unit_test(test_ways),      cmocka_unit_test(test_no_autopsy),
        cmocka_unit_test(test_sweep),     cmocka_unit_test(test_sweep_in_a_locale),
        cmocka_unit_test(test_forecast),  cmocka_unit_test(test_text),
        cmocka_unit_test(test_html),      cmocka_unit_test(test_unfinished),
        cmocka_unit_test(test_missing),   cmocka_unit_test(test_without_data),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
