/* Reads networks: relume's own files, and PyTorch-style state dicts, whose layers are put in order first. The
 * shapes of every tensor are compared before anything is allocated for them. */
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "formats/text.h"
#include "network/load.h"
#include "network/network_io.h"

static relume_status parts_allocate(struct rlm_load *load, size_t count, relume_error *error)
{
    load->parts = rlm_alloc_zero(&load->engine->allocator, count, sizeof *load->parts);
    if (!load->parts)
        return rlm_error_memory(error, count * sizeof *load->parts, "a model's list of layers");
    return RELUME_OK;
}

/* ---- relume's own ---- */

static relume_status own_part(struct rlm_load *load, size_t index, size_t count, relume_error *error)
{
    struct rlm_part *part = &load->parts[index];
    char tensor[sizeof part->name + 8];
    if (index + 1 < count)
        (void)snprintf(part->name, sizeof part->name, "h%zu", index + 1);
    else
        (void)snprintf(part->name, sizeof part->name, "out");
    (void)snprintf(tensor, sizeof tensor, "%s.weight", part->name);
    part->weight = rlm_safetensors_find(load->file, tensor);
    if (part->weight) {
        (void)snprintf(tensor, sizeof tensor, "%s.bias", part->name);
        part->bias = rlm_safetensors_find(load->file, tensor);
    }
    if (part->weight && part->bias)
        return RELUME_OK;
    return rlm_refuse_file(error, RELUME_BAD_DATA, load->path,
                           "tensor \"%s\" is missing, which the architecture in its metadata asks for",
                           tensor);
}

/* The layers the architecture names; that their shapes agree with it is checked as for foreign ones, by the
 * chain. */
static relume_status own_parts(struct rlm_load *load, relume_error *error)
{
    json_t *widths;
    RLM_TRY(rlm_load_array(load, "architecture", &widths, error));
    size_t size = json_array_size(widths);
    json_decref(widths);
    if (size < 2 || size - 1 > rlm_safetensors_count(load->file))
        return rlm_load_refuse_metadata(load, "architecture",
                                        "a list of widths such as [784, 512, 10], one tensor a layer", error);
    RLM_TRY(parts_allocate(load, size - 1, error));
    load->count = size - 1;
    for (size_t i = 0; i < load->count; i++)
        RLM_TRY(own_part(load, i, load->count, error));
    return RELUME_OK;
}

static relume_status own_widths_check(const struct rlm_load *load, relume_error *error)
{
    json_t *widths;
    RLM_TRY(rlm_load_array(load, "architecture", &widths, error));
    bool equal = json_array_size(widths) == load->count + 1;
    for (size_t i = 0; equal && i <= load->count; i++) {
        const struct rlm_tensor *weight = load->parts[i == 0 ? 0 : i - 1].weight;
        json_t *width = json_array_get(widths, i);
        equal = json_is_integer(width) && json_integer_value(width) > 0 &&
                (uint64_t)json_integer_value(width) == weight->shape[i == 0 ? 1 : 0];
    }
    json_decref(widths);
    return equal ? RELUME_OK
                 : rlm_load_refuse_metadata(load, "architecture", "the widths of its weights", error);
}

/* ---- foreign ---- */

static bool name_ends(const char *name, const char *end)
{
    size_t length = strlen(name), tail = strlen(end);
    return length > tail && strcmp(name + length - tail, end) == 0;
}

/* Runs of digits compare as numbers, everything else by bytes: fc2 before fc10. */
static int names_compare(const char *a, const char *b)
{
    while (*a && *b) {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            size_t digits_a, digits_b;
            a += strspn(a, "0");
            b += strspn(b, "0");
            digits_a = strspn(a, "0123456789");
            digits_b = strspn(b, "0123456789");
            if (digits_a != digits_b)
                return digits_a < digits_b ? -1 : 1;
            int order = strncmp(a, b, digits_a);
            if (order != 0)
                return order;
            a += digits_a;
            b += digits_b;
        } else if (*a != *b) {
            return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
        } else {
            a++;
            b++;
        }
    }
    return *a ? 1 : *b ? -1 : 0;
}

static int parts_compare(const void *a, const void *b)
{
    const struct rlm_part *left = a, *right = b;
    int order = names_compare(left->name, right->name);
    return order != 0 ? order : strcmp(left->name, right->name); /* fc01 and fc1 */
}

static bool is_scaling(const char *name)
{
    return strcmp(name, "input.offset") == 0 || strcmp(name, "input.divisor") == 0;
}

/* Takes a weight in; a bias is fetched by its weight, and must have one. */
static relume_status foreign_tensor(struct rlm_load *load, const struct rlm_tensor *tensor,
                                    relume_error *error)
{
    static const char *const expected =
        "a float matrix NAME.weight [N, K] or its NAME.bias [N]: relume reads "
        "networks of fully connected layers only";
    struct rlm_part *part = &load->parts[load->count];
    char other[sizeof part->name + 8];
    size_t length = strlen(tensor->name);
    if (is_scaling(tensor->name))
        return RELUME_OK;
    if (length >= sizeof part->name || !rlm_dtype_is_float(tensor->dtype))
        return rlm_load_refuse_tensor(load, tensor, expected, error);
    if (name_ends(tensor->name, ".bias")) {
        (void)snprintf(other, sizeof other, "%.*s.weight", (int)(length - strlen(".bias")), tensor->name);
        return rlm_safetensors_find(load->file, other)
                   ? RELUME_OK
                   : rlm_load_refuse_tensor(load, tensor, expected, error);
    }
    if (!name_ends(tensor->name, ".weight") || tensor->rank != 2)
        return rlm_load_refuse_tensor(load, tensor, expected, error);
    (void)snprintf(part->name, sizeof part->name, "%.*s", (int)(length - strlen(".weight")), tensor->name);
    (void)snprintf(other, sizeof other, "%s.bias", part->name);
    part->weight = tensor;
    part->bias = rlm_safetensors_find(load->file, other);
    load->count++;
    return RELUME_OK;
}

static bool parts_chain(const struct rlm_part *parts, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (parts[i].weight->shape[1] != parts[i - 1].weight->shape[0])
            return false;
    return true;
}

static void parts_swap(struct rlm_part *a, struct rlm_part *b)
{
    struct rlm_part held = *a;
    *a = *b;
    *b = held;
}

/* Puts parts in an order in which they chain, going by shapes from `first`: each time the first that fits by
 * name. */
static bool parts_chain_from(struct rlm_part *parts, size_t count, size_t first)
{
    parts_swap(&parts[0], &parts[first]);
    for (size_t i = 1; i < count; i++) {
        size_t next = i;
        while (next < count && parts[next].weight->shape[1] != parts[i - 1].weight->shape[0])
            next++;
        if (next == count)
            return false;
        parts_swap(&parts[i], &parts[next]);
    }
    return true;
}

/* Trying shapes takes the cube of the number of layers: with more than these, names alone decide. */
#define SHAPES_MOST 100

/* By the numbers in the names where that chains, else by shapes; where neither does, by names, for
 * parts_check to refuse. */
static void parts_order(struct rlm_load *load)
{
    qsort(load->parts, load->count, sizeof *load->parts, parts_compare);
    bool chained = load->count > SHAPES_MOST || parts_chain(load->parts, load->count);
    for (size_t first = 0; !chained && first < load->count; first++) {
        chained = parts_chain_from(load->parts, load->count, first);
        if (!chained)
            qsort(load->parts, load->count, sizeof *load->parts, parts_compare);
    }
}

static relume_status foreign_parts(struct rlm_load *load, relume_error *error)
{
    size_t tensors = rlm_safetensors_count(load->file);
    RLM_TRY(parts_allocate(load, tensors + 1, error));
    for (size_t i = 0; i < tensors; i++)
        RLM_TRY(foreign_tensor(load, rlm_safetensors_get(load->file, i), error));
    if (load->count == 0)
        return rlm_refuse_file(error, RELUME_BAD_DATA, load->path,
                               "it has no tensor NAME.weight [N, K], so there is no layer to read");
    parts_order(load);
    return RELUME_OK;
}

/* ---- what both go through ---- */

static relume_status parts_check(const struct rlm_load *load, relume_error *error)
{
    for (size_t i = 0; i < load->count; i++) {
        const struct rlm_part *part = &load->parts[i];
        const struct rlm_tensor *weight = part->weight, *bias = part->bias;
        if (weight->rank != 2 || weight->count == 0 || !rlm_dtype_is_float(weight->dtype))
            return rlm_load_refuse_tensor(load, weight,
                                          "a float matrix [N, K] with at least one row and column", error);
        if (bias &&
            (bias->rank != 1 || bias->shape[0] != weight->shape[0] || !rlm_dtype_is_float(bias->dtype)))
            return rlm_load_refuse_tensor(load, bias, "a float vector as long as its weight has rows", error);
        if (i > 0 && weight->shape[1] != part[-1].weight->shape[0]) {
            char name[80], before[80];
            rlm_error_at_item(error, weight->name);
            return rlm_refuse_file(error, RELUME_BAD_DATA, load->path,
                                   "the layers do not chain: %s gives %zu features, %s takes %zu",
                                   rlm_quote(before, part[-1].name), part[-1].weight->shape[0],
                                   rlm_quote(name, part->name), weight->shape[1]);
        }
    }
    return RELUME_OK;
}

static relume_status layers_read(const struct rlm_load *load, relume_network *network, relume_error *error)
{
    for (size_t l = 0; l < load->count; l++) {
        struct rlm_layer *layer = &network->layers[l];
        const struct rlm_part *part = &load->parts[l];
        RLM_TRY(rlm_load_values(load, part->weight, layer->weight, layer->stride, error));
        if (part->bias)
            RLM_TRY(rlm_load_values(load, part->bias, layer->bias, layer->out_features, error));
        if (strcmp(part->name, layer->name) == 0)
            continue;
        layer->foreign_name = rlm_strdup(&load->engine->allocator, part->name);
        if (!layer->foreign_name)
            return rlm_error_memory(error, sizeof part->name, "a layer's name");
    }
    return RELUME_OK;
}

/* ---- loading ---- */

static relume_status network_read(const struct rlm_load *load, bool own, relume_network *network,
                                  relume_error *error)
{
    RLM_TRY(layers_read(load, network, error));
    return rlm_load_metadata(load, own, network, error);
}

static relume_status network_build(const struct rlm_load *load, bool own, relume_network **network,
                                   relume_error *error)
{
    size_t *widths = rlm_alloc(&load->engine->allocator, load->count + 1, sizeof *widths);
    if (!widths)
        return rlm_error_memory(error, (load->count + 1) * sizeof *widths, "the network's widths");
    widths[0] = load->parts[0].weight->shape[1];
    for (size_t l = 0; l < load->count; l++)
        widths[l + 1] = load->parts[l].weight->shape[0];
    relume_network *made = NULL;
    relume_status status = rlm_network_alloc(load->engine, widths, load->count, &made, error);
    rlm_free(widths);
    if (status == RELUME_OK)
        status = network_read(load, own, made, error);
    if (status != RELUME_OK) {
        relume_network_destroy(made);
        return status;
    }
    *network = made;
    return RELUME_OK;
}

relume_status rlm_network_load_from(relume_engine *engine, const struct rlm_safetensors *file,
                                    const char *path, relume_network **network, relume_error *error)
{
    struct rlm_load load = {.engine = engine, .file = file, .path = path};
    bool own = rlm_safetensors_metadata(file, "relume") != NULL;
    relume_status status = own ? own_parts(&load, error) : foreign_parts(&load, error);
    if (status == RELUME_OK)
        status = parts_check(&load, error);
    if (status == RELUME_OK && own)
        status = own_widths_check(&load, error);
    if (status == RELUME_OK)
        status = network_build(&load, own, network, error);
    rlm_free(load.parts);
    return status;
}

relume_status relume_network_load(relume_engine *engine, const char *path, relume_network **network,
                                  relume_error *error)
{
    rlm_error_clear(error);
    struct rlm_safetensors *file = NULL;
    RLM_TRY(rlm_safetensors_open(&engine->allocator, path, &file, error));
    relume_status status = rlm_network_load_from(engine, file, path, network, error);
    rlm_safetensors_close(file);
    return status;
}
