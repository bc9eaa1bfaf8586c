/* Gathering the facts of a run: who it is, how it stands, its layers. The long tables are gathered in
 * gather_*.c. */
#include "report/facts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "census/census.h"
#include "data/dataset.h"
#include "network/network.h"
#include "report/gather.h"
#include "report/words.h"
#include "run/run.h"

static relume_status keep_text(struct rlm_facts *facts, char **to, const char *text, relume_error *error)
{
    if (!text)
        return RELUME_OK;
    return rlm_facts_print(facts, to, error, "%s", text);
}

/* ---- how the run stands ---- */

static relume_status gather_standing(struct rlm_gather *gather, relume_error *error)
{
    struct rlm_facts *facts = gather->facts;
    struct rlm_ending ending;
    RLM_TRY(rlm_history_get_ending(&gather->history, &ending, error));
    const relume_run_result *result = relume_run_get_result(gather->run);
    bool finished = strcmp(ending.status, "finished") == 0;
    facts->state = finished ? "finished" : strcmp(ending.status, "diverged") == 0 ? "diverged" : "unfinished";
    facts->step = result->steps;
    facts->epoch = result->epochs;
    facts->model_step = finished ? ending.model_step : result->steps;
    facts->best_epoch = result->best_epoch;
    facts->train = result->train;
    facts->test = result->test;
    facts->samples = ending.samples;
    facts->total = result->total;
    facts->features = relume_network_get_in_features(gather->network);
    facts->out_features = relume_network_get_out_features(gather->network);
    if (strcmp(facts->state, "diverged") != 0)
        return RELUME_OK;
    struct sqlite3_stmt *row = NULL;
    bool there = false;
    RLM_TRY(rlm_sql_prepare(&gather->history.sql, "SELECT message FROM run", &row, error));
    relume_status status = rlm_sql_next(&gather->history.sql, row, &there, error);
    if (status == RELUME_OK && there)
        status = keep_text(facts, &facts->trouble, rlm_sql_column_text(row, 0), error);
    rlm_sql_finish(row);
    return status;
}

static relume_status gather_settings(struct rlm_gather *gather, relume_error *error)
{
    struct rlm_facts *facts = gather->facts;
    const struct rlm_settings *settings = &gather->run->settings;
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, facts->setting, settings->count, "a report's settings", error));
    for (size_t i = 0; i < settings->count; i++) {
        if (!settings->setting[i].value || !*settings->setting[i].value ||
            strcmp(settings->setting[i].key, "data_fingerprint") == 0)
            continue;
        struct rlm_facts_text *to = &facts->setting[facts->settings];
        RLM_TRY(keep_text(facts, &to->key, settings->setting[i].key, error));
        RLM_TRY(keep_text(facts, &to->value, settings->setting[i].value, error));
        facts->settings++;
    }
    const relume_trainer_options *trainer = &relume_run_get_options(gather->run)->trainer;
    facts->optimizer = trainer->optimizer;
    facts->first_layer_frozen = trainer->optimizer == RELUME_SGD && trainer->weight_decay == 0;
    return RELUME_OK;
}

/* ---- data ---- */

/* Data that cannot be had are no failure of a report; memory is. */
static relume_status gather_dataset(struct rlm_gather *gather, relume_error *error)
{
    struct rlm_facts *facts = gather->facts;
    relume_error why = {0};
    RLM_TRY(keep_text(facts, &facts->dataset, relume_run_get_options(gather->run)->data, error));
    if (facts->live)
        return keep_text(
            facts, &facts->dataset_trouble,
            "a page that follows training reads its history only; a report of the finished run has "
            "them",
            error);
    relume_status status = relume_run_load_dataset(gather->run, &why);
    if (status == RELUME_NO_MEMORY)
        return rlm_error_set(error, status, "%s", why.message);
    gather->dataset = status == RELUME_OK ? relume_run_get_dataset(gather->run) : NULL;
    if (!gather->dataset)
        return keep_text(facts, &facts->dataset_trouble, why.message, error);
    relume_dataset_get_image(gather->dataset, &facts->image_rows, &facts->image_columns);
    return RELUME_OK;
}

static relume_status gather_classes(struct rlm_gather *gather, relume_error *error)
{
    struct rlm_facts *facts = gather->facts;
    const relume_network *network = gather->network;
    facts->regression = isnan(facts->train.accuracy);
    if (!relume_network_get_class_name(network, 0))
        return RELUME_OK;
    facts->classes = facts->out_features;
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, facts->class_name, facts->classes, "a report's classes", error));
    for (size_t c = 0; c < facts->classes; c++)
        RLM_TRY(keep_text(facts, &facts->class_name[c], relume_network_get_class_name(network, c), error));
    return RELUME_OK;
}

/* ---- layers ---- */

static relume_status pack_account(struct rlm_facts *facts, struct rlm_facts_layer *layer, relume_error *error)
{
    uint32_t *active;
    float *margin, *mean;
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, active, layer->units, "a report's units", error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, margin, layer->units, "a report's units", error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, mean, layer->units, "a report's units", error));
    for (size_t u = 0; u < layer->units; u++) {
        active[u] = (uint32_t)layer->unit[u].active;
        margin[u] = layer->unit[u].margin;
        mean[u] = (float)layer->unit[u].mean_activation;
    }
    RLM_TRY(rlm_pack_u32(&facts->bag, active, layer->units, &layer->active, error));
    RLM_TRY(rlm_pack_f32(&facts->bag, margin, layer->units, &layer->margin, error));
    return rlm_pack_f32(&facts->bag, mean, layer->units, &layer->mean_activation, error);
}

static relume_status gather_layer(struct rlm_gather *gather, const relume_census *census, size_t l,
                                  relume_error *error)
{
    struct rlm_facts *facts = gather->facts;
    struct rlm_facts_layer *to = &facts->layer[l];
    relume_layer_account account = relume_census_get_layer(census, l);
    to->account = account;
    to->units = account.units;
    to->in_features = relume_network_get_layer(gather->network, l).in_features;
    RLM_TRY(keep_text(facts, &to->name, account.name, error));
    RLM_TRY(keep_text(facts, &to->foreign_name, account.foreign_name, error));
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, to->unit, account.units, "a report's units", error));
    memcpy(to->unit, account.unit, account.units * sizeof *to->unit);
    to->account.name = to->name;
    to->account.foreign_name = to->foreign_name;
    to->account.unit = to->unit;
    to->ledger = relume_run_get_layer(gather->run, l);
    facts->hidden_units += account.units;
    facts->dead += account.dead;
    return pack_account(facts, to, error);
}

/* Removing a dead unit takes its row, its bias and its column in the next layer away. */
static void count_parameters(struct rlm_facts *facts, const relume_network *network)
{
    facts->parameters = relume_network_get_parameters(network);
    size_t in = facts->features;
    for (size_t l = 0; l < facts->layers; l++) {
        size_t out = facts->layer[l].units - facts->layer[l].account.dead;
        facts->parameters_without_dead += (in + 1) * out;
        in = out;
    }
    facts->parameters_without_dead += (in + 1) * facts->out_features;
}

/* A run that was stopped between two censuses: its units are counted now. */
static relume_status count_now(struct rlm_gather *gather, relume_error *error)
{
    relume_census_options options;
    relume_census_options_default(&options);
    options.nearly_dead = relume_run_get_options(gather->run)->nearly_dead;
    if (!gather->dataset)
        return rlm_error_set(error, RELUME_NOT_FOUND,
                             "%s holds no census of the weights after %llu step%s, and: %s",
                             gather->facts->run, (unsigned long long)gather->facts->model_step,
                             rlm_words_plural(gather->facts->model_step), gather->facts->dataset_trouble);
    RLM_TRY(relume_census_create(gather->network, gather->dataset, RELUME_SPLIT_TRAIN, &options,
                                 &gather->census, error));
    return rlm_census_count(gather->census, gather->stop, error);
}

static relume_status gather_layers(struct rlm_gather *gather, relume_error *error)
{
    struct rlm_facts *facts = gather->facts;
    const relume_census *census = relume_run_get_census(gather->run);
    if (!census) {
        RLM_TRY(count_now(gather, error));
        census = gather->census;
    }
    facts->layers = relume_census_get_layers(census);
    RLM_TRY(RLM_BAG_TAKE(&facts->bag, facts->layer, facts->layers, "a report's layers", error));
    for (size_t l = 0; l < facts->layers; l++)
        RLM_TRY(gather_layer(gather, census, l, error));
    if (!isfinite(facts->train.loss)) {
        facts->train.loss = relume_census_get_loss(census);
        facts->train.accuracy = relume_census_get_accuracy(census);
    }
    count_parameters(facts, gather->network);
    return RELUME_OK;
}

/* Mute units are a matter of weights, which in a live report are of another moment than the census. */
static relume_status gather_mute(struct rlm_gather *gather, relume_error *error)
{
    struct rlm_facts *facts = gather->facts;
    struct rlm_sql *sql = &gather->history.sql;
    struct sqlite3_stmt *row = NULL;
    bool there = true;
    RLM_TRY(rlm_sql_prepare(sql, "SELECT layer, mute FROM census_layer WHERE step = ?1", &row, error));
    relume_status status = rlm_sql_bind(sql, row, error, "u", facts->model_step);
    while (status == RELUME_OK && (status = rlm_sql_next(sql, row, &there, error)) == RELUME_OK && there) {
        uint64_t layer = rlm_sql_column_u64(row, 0);
        if (layer > 0 && layer <= facts->layers)
            facts->layer[layer - 1].account.mute = (size_t)rlm_sql_column_u64(row, 1);
    }
    rlm_sql_finish(row);
    return status;
}

/* ---- all of it ---- */

static relume_status gather_all(struct rlm_gather *gather, const struct rlm_wish *wish, relume_error *error)
{
    const struct rlm_facts *facts = gather->facts;
    RLM_TRY(gather_standing(gather, error));
    RLM_TRY(gather_settings(gather, error));
    RLM_TRY(gather_dataset(gather, error));
    RLM_TRY(gather_layers(gather, error));
    if (facts->live)
        RLM_TRY(gather_mute(gather, error));
    RLM_TRY(gather_classes(gather, error));
    RLM_TRY(rlm_gather_epochs(gather, error));
    RLM_TRY(rlm_gather_map(gather, error));
    RLM_TRY(rlm_gather_events(gather, error));
    if (gather->dataset)
        RLM_TRY(rlm_gather_units(gather, error));
    RLM_TRY(rlm_gather_autopsy(gather, wish->options, error));
    RLM_TRY(rlm_gather_sweep(gather, error));
    RLM_TRY(rlm_gather_forecast(gather, error));
    return rlm_verdict_reach(gather->facts, error);
}

/* A run in which nothing was counted: its units are counted now, and the history is read as that says. */
static relume_status open_history(struct rlm_gather *gather, relume_error *error)
{
    relume_error why = {0};
    relume_status status =
        gather->facts->live ? RELUME_OK : relume_run_count(gather->run, gather->stop, &why);
    if (status != RELUME_OK)
        return rlm_error_set(error, status, "%s holds no census, so its units have to be counted, and: %s",
                             gather->run->paths.folder, why.message);
    gather->counted = gather->run->history.sql.handle != NULL;
    if (!gather->counted)
        return rlm_history_open(&gather->history, gather->run->paths.history, false, error);
    gather->history = gather->run->history;
    return RELUME_OK;
}

relume_status rlm_facts_gather(relume_engine *engine, const char *path, const struct rlm_wish *wish,
                               struct rlm_facts *facts, relume_error *error)
{
    struct rlm_gather gather = {.facts = facts, .stop = wish->options ? wish->options->stop : NULL};
    gather.history.sql.stop = gather.stop;
    *facts = (struct rlm_facts){
        .bag.allocator = &engine->allocator, .live = wish->live, .first_step = wish->first_step};
    RLM_TRY(rlm_run_open(engine, path, wish->live, gather.stop, &gather.run, error));
    gather.network = relume_run_get_network(gather.run);
    relume_status status = keep_text(facts, &facts->run, path, error);
    if (status == RELUME_OK)
        status = open_history(&gather, error);
    if (status == RELUME_OK)
        status = gather_all(&gather, wish, error);
    if (!gather.counted)
        rlm_history_close(&gather.history);
    relume_census_destroy(gather.census);
    relume_run_destroy(gather.run);
    if (status != RELUME_OK)
        rlm_facts_deinit(facts);
    return status;
}

void rlm_facts_deinit(struct rlm_facts *facts)
{
    rlm_bag_deinit(&facts->bag);
    *facts = (struct rlm_facts){0};
}
