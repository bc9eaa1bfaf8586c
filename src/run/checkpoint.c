/* See checkpoint.h. Tensors are named in one place, `list_tensors`, for writing and for reading. */
#include "run/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "formats/safetensors.h"
#include "network/network_io.h"

#define NAME_ROOM 48

/* Every tensor of a checkpoint, the network's own included, with memory for the names. */
struct tensors {
    struct rlm_safetensors_item *item;
    char (*name)[NAME_ROOM];
    size_t count, capacity;
};

/* Names a tensor "first.second" or "first.second.third", and lists it: a matrix, or with rows 0 a row of
 * `columns`. */
static struct rlm_safetensors_item *add(struct tensors *tensors, const char *first, const char *second,
                                        const char *third)
{
    char *name = tensors->name[tensors->count];
    (void)snprintf(name, NAME_ROOM, "%s.%s%s%s", first, second, third ? "." : "", third ? third : "");
    struct rlm_safetensors_item *item = &tensors->item[tensors->count++];
    *item = (struct rlm_safetensors_item){.name = name};
    return item;
}

/* A layer's pair of weight and bias, or what the optimizer keeps beside them. */
static void add_parameters(struct tensors *tensors, const struct rlm_layer *layer, const char *suffix,
                           const float *weight, const float *bias)
{
    struct rlm_safetensors_item *item = add(tensors, layer->name, "weight", suffix);
    item->dtype = RLM_F32;
    item->rank = 2;
    item->shape[0] = layer->out_features;
    item->shape[1] = layer->in_features;
    item->stride = layer->stride;
    item->data = weight;
    item = add(tensors, layer->name, "bias", suffix);
    item->dtype = RLM_F32;
    item->rank = 1;
    item->shape[0] = layer->out_features;
    item->data = bias;
}

static void add_counters(struct tensors *tensors, const char *layer, const char *what, size_t units,
                         enum rlm_dtype dtype, const void *data)
{
    struct rlm_safetensors_item *item = add(tensors, "ledger", layer, what);
    item->dtype = dtype;
    item->rank = 1;
    item->shape[0] = units;
    item->data = data;
}

static void add_network(struct tensors *tensors, const relume_network *network)
{
    for (size_t l = 0; l < network->layer_count; l++)
        add_parameters(tensors, &network->layers[l], NULL, network->layers[l].weight,
                       network->layers[l].bias);
}

static void add_slots(struct tensors *tensors, const relume_network *network, const relume_trainer *trainer)
{
    for (size_t l = 0; l < network->layer_count; l++)
        for (size_t s = 0; s < rlm_trainer_slots(trainer); s++) {
            struct rlm_slot slot = rlm_trainer_get_slot(trainer, l, s);
            add_parameters(tensors, &network->layers[l], slot.suffix, slot.weight, slot.bias);
        }
}

static void add_ledger(struct tensors *tensors, const relume_network *network,
                       const struct rlm_ledger *ledger)
{
    for (size_t l = 0; l < ledger->layers; l++) {
        const struct rlm_ledger_layer *layer = &ledger->layer[l];
        const char *name = network->layers[l].name;
        add_counters(tensors, name, "last_step", layer->units, RLM_I64, layer->last_step);
        add_counters(tensors, name, "first_step", layer->units, RLM_I64, layer->first_step);
        add_counters(tensors, name, "last_sample", layer->units, RLM_I64, layer->last_sample);
        add_counters(tensors, name, "dead", layer->units, RLM_U8, layer->dead);
    }
}

static void tensors_deinit(struct tensors *tensors)
{
    rlm_free(tensors->item);
    rlm_free(tensors->name);
}

/* Lists what `checkpoint` has beside the network, and with `own` the network's tensors too. */
static relume_status list_tensors(struct tensors *tensors, const struct rlm_checkpoint *checkpoint, bool own,
                                  relume_error *error)
{
    const relume_network *network = checkpoint->network;
    const relume_allocator *allocator = &network->engine->allocator;
    *tensors = (struct tensors){.capacity = network->layer_count * (2 + 2 * 2 + 4)};
    tensors->item = rlm_alloc(allocator, tensors->capacity, sizeof *tensors->item);
    tensors->name = rlm_alloc(allocator, tensors->capacity, sizeof *tensors->name);
    if (!tensors->item || !tensors->name) {
        tensors_deinit(tensors);
        return rlm_error_memory(error, tensors->capacity * (sizeof *tensors->item + NAME_ROOM),
                                "a checkpoint's tensors");
    }
    if (own)
        add_network(tensors, network);
    if (checkpoint->trainer)
        add_slots(tensors, network, checkpoint->trainer);
    if (checkpoint->ledger)
        add_ledger(tensors, network, checkpoint->ledger);
    return RELUME_OK;
}

/* ---- scalars ---- */

enum scalar {
    STEP,
    EPOCH_LOSS,
    EPOCH_CORRECT,
    EPOCH_SAMPLES,
    LEDGER_SAMPLES,
    LEDGER_CENSUS_STEP,
    LEDGER_COUNTED,
    SCALARS
};

/* epoch_loss is a double, written as the number of its bits. */
static const char *const scalar_keys[SCALARS] = {
    "relume.step",           "relume.epoch_loss_bits",    "relume.epoch_correct",  "relume.epoch_samples",
    "relume.ledger_samples", "relume.ledger_census_step", "relume.ledger_counted",
};

static void get_scalars(const struct rlm_checkpoint *checkpoint, uint64_t value[SCALARS])
{
    struct rlm_trainer_state state = rlm_trainer_get_state(checkpoint->trainer);
    value[STEP] = state.step;
    memcpy(&value[EPOCH_LOSS], &state.epoch_loss, sizeof state.epoch_loss);
    value[EPOCH_CORRECT] = state.epoch_correct;
    value[EPOCH_SAMPLES] = state.epoch_samples;
    if (!checkpoint->ledger)
        return;
    value[LEDGER_SAMPLES] = checkpoint->ledger->samples;
    value[LEDGER_CENSUS_STEP] = checkpoint->ledger->census_step;
    value[LEDGER_COUNTED] = checkpoint->ledger->counted;
}

static relume_status set_scalars(const struct rlm_checkpoint *checkpoint, const uint64_t value[SCALARS],
                                 relume_error *error)
{
    struct rlm_trainer_state state = {
        .step = value[STEP], .epoch_correct = value[EPOCH_CORRECT], .epoch_samples = value[EPOCH_SAMPLES]};
    memcpy(&state.epoch_loss, &value[EPOCH_LOSS], sizeof state.epoch_loss);
    if (checkpoint->trainer)
        RLM_TRY(rlm_trainer_set_state(checkpoint->trainer, &state, error));
    if (!checkpoint->ledger)
        return RELUME_OK;
    checkpoint->ledger->samples = value[LEDGER_SAMPLES];
    checkpoint->ledger->census_step = value[LEDGER_CENSUS_STEP];
    checkpoint->ledger->counted = value[LEDGER_COUNTED] != 0;
    return RELUME_OK;
}

/* ---- the last update's ratios ---- */

/* One number a layer, the bits of a double, between spaces; there only where the last update ended an epoch.
 */
static const char stride_key[] = "relume.update_ratio_bits";

static relume_status write_stride(const struct rlm_checkpoint *checkpoint, char **text, relume_error *error)
{
    const struct rlm_stride *stride = checkpoint->stride;
    size_t room, used = 0;
    *text = NULL;
    if (!stride || !stride->known)
        return RELUME_OK;
    room = stride->layers * 21 + 1;
    *text = rlm_alloc(&checkpoint->network->engine->allocator, room, 1);
    if (!*text)
        return rlm_error_memory(error, room, "a checkpoint's metadata");
    for (size_t l = 0; l < stride->layers; l++) {
        uint64_t bits;
        memcpy(&bits, &stride->ratio[l], sizeof bits);
        used += (size_t)snprintf(*text + used, room - used, "%s%" PRIu64, l > 0 ? " " : "", bits);
    }
    return RELUME_OK;
}

/* False when `text` is not one number a layer. */
static bool read_stride(struct rlm_stride *stride, const char *text)
{
    for (size_t l = 0; l < stride->layers; l++) {
        size_t digits = strspn(text, "0123456789");
        if (digits == 0 || digits > 20 || text[digits] != (l + 1 < stride->layers ? ' ' : '\0'))
            return false;
        uint64_t bits = strtoull(text, NULL, 10);
        memcpy(&stride->ratio[l], &bits, sizeof bits);
        text += digits + 1;
    }
    return true;
}

static size_t scalars_of(const struct rlm_checkpoint *checkpoint)
{
    return checkpoint->ledger ? SCALARS : LEDGER_SAMPLES;
}

relume_status rlm_checkpoint_save(const struct rlm_checkpoint *checkpoint, const char *path,
                                  relume_error *error)
{
    struct tensors tensors;
    uint64_t value[SCALARS] = {0};
    char text[SCALARS][24], *stride;
    struct rlm_safetensors_pair pairs[SCALARS + 1];
    rlm_trainer_settle(checkpoint->trainer);
    get_scalars(checkpoint, value);
    for (size_t i = 0; i < SCALARS; i++) {
        (void)snprintf(text[i], sizeof text[i], "%" PRIu64, value[i]);
        pairs[i] = (struct rlm_safetensors_pair){scalar_keys[i], text[i]};
    }
    RLM_TRY(write_stride(checkpoint, &stride, error));
    relume_status status = list_tensors(&tensors, checkpoint, false, error);
    if (status == RELUME_OK) {
        size_t count = scalars_of(checkpoint);
        if (stride)
            pairs[count++] = (struct rlm_safetensors_pair){stride_key, stride};
        struct rlm_network_extra extra = {tensors.item, tensors.count, pairs, count};
        status = rlm_network_save_with(checkpoint->network, path, &extra, error);
        tensors_deinit(&tensors);
    }
    rlm_free(stride);
    return status;
}

/* ---- loading ---- */

static relume_status refuse(const char *path, relume_status status, const char *item, const char *what,
                            relume_error *error)
{
    rlm_error_clear(error);
    rlm_error_at_file(error, path);
    rlm_error_at_item(error, item);
    return rlm_error_set(error, status, "%s: %s %s", path, item, what);
}

/* Whether the tensor in the file has the kind and shape of `item`. */
static bool fits(const struct rlm_tensor *tensor, const struct rlm_safetensors_item *item)
{
    bool same = tensor->dtype == item->dtype && tensor->rank == item->rank;
    for (size_t i = 0; same && i < item->rank; i++)
        same = tensor->shape[i] == item->shape[i];
    return same;
}

static relume_status read_tensor(const struct rlm_safetensors *file, const char *path,
                                 const struct rlm_safetensors_item *item, relume_error *error)
{
    const struct rlm_tensor *tensor = rlm_safetensors_find(file, item->name);
    if (!tensor)
        return refuse(path, RELUME_BAD_FORMAT, item->name, "is missing", error);
    if (!fits(tensor, item))
        return refuse(path, RELUME_MISMATCH, item->name, "has not the kind and shape this run needs", error);
    void *to = (void *)item->data; /* the memory listed is the caller's own, to be filled */
    if (item->dtype == RLM_F32)
        return rlm_safetensors_read_f32(file, tensor, to, item->stride, error);
    return rlm_safetensors_read(file, tensor, to, error);
}

static relume_status read_scalars(const struct rlm_safetensors *file, const char *path, size_t count,
                                  uint64_t value[SCALARS], relume_error *error)
{
    for (size_t i = 0; i < count; i++) {
        const char *text = rlm_safetensors_metadata(file, scalar_keys[i]);
        size_t digits = text ? strspn(text, "0123456789") : 0;
        if (digits == 0 || digits > 20 || text[digits] != '\0')
            return refuse(path, RELUME_BAD_FORMAT, scalar_keys[i], "is no number", error);
        value[i] = strtoull(text, NULL, 10);
    }
    return RELUME_OK;
}

relume_status rlm_checkpoint_load_from(const struct rlm_checkpoint *checkpoint,
                                       const struct rlm_safetensors *file, const char *path,
                                       relume_error *error)
{
    uint64_t value[SCALARS] = {0};
    struct tensors tensors;
    bool scalars = checkpoint->trainer || checkpoint->ledger;
    if (scalars)
        RLM_TRY(read_scalars(file, path, scalars_of(checkpoint), value, error));
    RLM_TRY(list_tensors(&tensors, checkpoint, true, error));
    relume_status status = RELUME_OK;
    for (size_t i = 0; status == RELUME_OK && i < tensors.count; i++)
        status = read_tensor(file, path, &tensors.item[i], error);
    tensors_deinit(&tensors);
    if (status == RELUME_OK && scalars)
        status = set_scalars(checkpoint, value, error);
    const char *stride = checkpoint->stride ? rlm_safetensors_metadata(file, stride_key) : NULL;
    if (checkpoint->stride)
        checkpoint->stride->known = stride && read_stride(checkpoint->stride, stride);
    if (status == RELUME_OK && stride && !checkpoint->stride->known)
        return refuse(path, RELUME_BAD_FORMAT, stride_key, "is not one number a layer", error);
    return status;
}

relume_status rlm_checkpoint_load(const struct rlm_checkpoint *checkpoint, const char *path,
                                  relume_error *error)
{
    struct rlm_safetensors *file;
    rlm_error_clear(error);
    RLM_TRY(rlm_safetensors_open(&checkpoint->network->engine->allocator, path, &file, error));
    relume_status status = rlm_checkpoint_load_from(checkpoint, file, path, error);
    rlm_safetensors_close(file);
    return status;
}
