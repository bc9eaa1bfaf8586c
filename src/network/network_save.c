/* Writes networks. See network_io.h for what a file holds. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "network/network_io.h"
#include "relume/version.h"

#define NAME_ROOM 32 /* "h99999.weight" */
#define PAIRS_MOST 8

struct save {
    const relume_network *network;
    struct rlm_safetensors_item *items;
    struct rlm_safetensors_pair *pairs;
    size_t item_count, pair_count;
    char (*names)[NAME_ROOM];
    struct rlm_strbuf texts[PAIRS_MOST]; /* of pairs */
    size_t text_count;
};

static void item_add(struct save *save, const char *layer, const char *kind, struct rlm_safetensors_item item)
{
    char *name = save->names[save->item_count];
    (void)snprintf(name, NAME_ROOM, "%s.%s", layer, kind);
    item.name = name;
    item.dtype = RLM_F32;
    save->items[save->item_count++] = item;
}

static void items_fill(struct save *save)
{
    const relume_network *network = save->network;
    for (size_t l = 0; l < network->layer_count; l++) {
        const struct rlm_layer *layer = &network->layers[l];
        item_add(save, layer->name, "weight",
                 (struct rlm_safetensors_item){.rank = 2,
                                               .shape = {layer->out_features, layer->in_features},
                                               .data = layer->weight,
                                               .stride = layer->stride});
        item_add(
            save, layer->name, "bias",
            (struct rlm_safetensors_item){.rank = 1, .shape = {layer->out_features}, .data = layer->bias});
    }
    if (network->scaling.uniform || network->scaling_unstated)
        return;
    struct rlm_safetensors_item item = {.rank = 1, .shape = {network->layers[0].in_features}};
    item.data = network->scaling.offset;
    item_add(save, "input", "offset", item);
    item.data = network->scaling.divisor;
    item_add(save, "input", "divisor", item);
}

/* ---- metadata ---- */

static void pair_add(struct save *save, const char *key, const char *value)
{
    save->pairs[save->pair_count++] = (struct rlm_safetensors_pair){key, value};
}

/* A buffer for the text of a pair; its text is taken once it is complete. */
static struct rlm_strbuf *text_begin(struct save *save)
{
    struct rlm_strbuf *text = &save->texts[save->text_count++];
    text->allocator = &save->network->engine->allocator;
    return text;
}

/* Appends a JSON value and lets go of it. jansson writes numbers with a point whatever the locale. */
static void text_json(struct rlm_strbuf *text, json_t *value)
{
    /* nine digits name every float32 */
    char *written = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)) : NULL;
    if (written)
        rlm_strbuf_append(text, written, strlen(written));
    else
        text->failed = true;
    free(written);
    json_decref(value);
}

static void pair_add_architecture(struct save *save)
{
    struct rlm_strbuf *text = text_begin(save);
    rlm_strbuf_print(text, "[%zu", save->network->layers[0].in_features);
    for (size_t l = 0; l < save->network->layer_count; l++)
        rlm_strbuf_print(text, ", %zu", save->network->layers[l].out_features);
    rlm_strbuf_print(text, "]");
    pair_add(save, "architecture", text->text);
}

static void pair_add_scaling(struct save *save)
{
    const relume_scaling *scaling = &save->network->scaling;
    if (save->network->scaling_unstated)
        return;
    struct rlm_strbuf *text = text_begin(save);
    if (scaling->uniform)
        text_json(text, json_pack("[f, f]", (double)scaling->offset[0], (double)scaling->divisor[0]));
    else
        rlm_strbuf_print(text, "per-feature");
    pair_add(save, "scaling", text->text);
}

static void pair_add_classes(struct save *save)
{
    if (save->network->class_count == 0)
        return;
    struct rlm_strbuf *text = text_begin(save);
    for (size_t i = 0; i < save->network->class_count; i++) {
        rlm_strbuf_print(text, i == 0 ? "[" : ", ");
        text_json(text, json_string(save->network->class_names[i]));
    }
    rlm_strbuf_print(text, "]");
    pair_add(save, "classes", text->text);
}

static void pair_add_foreign(struct save *save)
{
    const relume_network *network = save->network;
    bool any = false;
    for (size_t l = 0; l < network->layer_count; l++)
        any = any || network->layers[l].foreign_name;
    if (!any)
        return;
    struct rlm_strbuf *text = text_begin(save);
    for (size_t l = 0; l < network->layer_count; l++) {
        const struct rlm_layer *layer = &network->layers[l];
        rlm_strbuf_print(text, l == 0 ? "[" : ", ");
        text_json(text, json_string(layer->foreign_name ? layer->foreign_name : layer->name));
    }
    rlm_strbuf_print(text, "]");
    pair_add(save, "foreign", text->text);
}

static void pairs_fill(struct save *save)
{
    const relume_network *network = save->network;
    pair_add(save, "relume", relume_version());
    pair_add_architecture(save);
    pair_add(save, "loss", relume_loss_name(network->loss));
    pair_add(save, "init", relume_init_name(network->init));
    pair_add_scaling(save);
    pair_add_classes(save);
    if (network->image_rows > 0) {
        struct rlm_strbuf *text = text_begin(save);
        rlm_strbuf_print(text, "[%zu, %zu]", network->image_rows, network->image_columns);
        pair_add(save, "image", text->text);
    }
    pair_add_foreign(save);
}

/* ---- saving ---- */

static bool save_allocate(struct save *save, size_t items, size_t pairs)
{
    const relume_allocator *allocator = &save->network->engine->allocator;
    save->items = rlm_alloc_zero(allocator, items, sizeof *save->items);
    save->names = rlm_alloc_zero(allocator, items, NAME_ROOM);
    save->pairs = rlm_alloc_zero(allocator, pairs, sizeof *save->pairs);
    return save->items && save->names && save->pairs;
}

static void save_deinit(struct save *save)
{
    for (size_t i = 0; i < save->text_count; i++)
        rlm_strbuf_deinit(&save->texts[i]);
    rlm_free(save->items);
    rlm_free(save->names);
    rlm_free(save->pairs);
}

static relume_status save_fill(struct save *save, const struct rlm_network_extra *extra, relume_error *error)
{
    size_t items = 2 * save->network->layer_count + 2 + extra->item_count,
           pairs = PAIRS_MOST + extra->pair_count;
    if (!save_allocate(save, items, pairs))
        return rlm_error_memory(error, items * sizeof *save->items, "a model's list of tensors");
    items_fill(save);
    pairs_fill(save);
    for (size_t i = 0; i < save->text_count; i++)
        if (save->texts[i].failed)
            return rlm_error_set(error, RELUME_NO_MEMORY, "cannot allocate a model's metadata");
    if (extra->item_count > 0)
        memcpy(save->items + save->item_count, extra->items, extra->item_count * sizeof *extra->items);
    if (extra->pair_count > 0)
        memcpy(save->pairs + save->pair_count, extra->pairs, extra->pair_count * sizeof *extra->pairs);
    save->item_count += extra->item_count;
    save->pair_count += extra->pair_count;
    return RELUME_OK;
}

relume_status rlm_network_save_with(const relume_network *network, const char *path,
                                    const struct rlm_network_extra *extra, relume_error *error)
{
    static const struct rlm_network_extra nothing = {0};
    RLM_TRY(rlm_network_check_finite(network, error));
    struct save save = {.network = network};
    relume_status status = save_fill(&save, extra ? extra : &nothing, error);
    if (status == RELUME_OK)
        status = rlm_safetensors_write(&network->engine->allocator, path, save.items, save.item_count,
                                       save.pairs, save.pair_count, error);
    save_deinit(&save);
    return status;
}

relume_status relume_network_save(const relume_network *network, const char *path, relume_error *error)
{
    rlm_error_clear(error);
    return rlm_network_save_with(network, path, NULL, error);
}
