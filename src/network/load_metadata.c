/* The second half of reading a network: values and metadata. See load.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "formats/json.h"
#include "formats/text.h"
#include "network/load.h"

relume_status rlm_load_refuse_tensor(const struct rlm_load *load, const struct rlm_tensor *tensor,
                                     const char *expected, relume_error *error)
{
    char shape[96], name[80];
    rlm_error_clear(error);
    rlm_error_at_file(error, load->path);
    rlm_error_at_item(error, tensor->name);
    return rlm_error_set(error, RELUME_BAD_DATA, "%s: tensor %s is %s %s, expected %s", load->path,
                         rlm_quote(name, tensor->name), rlm_dtype_name(tensor->dtype),
                         rlm_tensor_shape_text(tensor, shape, sizeof shape), expected);
}

relume_status rlm_load_refuse_metadata(const struct rlm_load *load, const char *key, const char *expected,
                                       relume_error *error)
{
    char value[80];
    const char *found = rlm_safetensors_metadata(load->file, key);
    rlm_error_clear(error);
    if (!found)
        return rlm_refuse_file(error, RELUME_BAD_DATA, load->path, "its metadata lack %s, expected %s", key,
                               expected);
    return rlm_refuse_file(error, RELUME_BAD_DATA, load->path, "its metadata have %s = %s, expected %s", key,
                           rlm_quote(value, found), expected);
}

/* A tree of JSON takes up to fifty bytes for each byte of its text, so a list is judged by its commas before
 * it becomes one. The longest there is names classes, 65,536 at most, which may have commas in them. */
#define COMMAS_MOST ((size_t)1 << 18)

static bool is_short(const char *text)
{
    size_t commas = 0;
    for (; *text && commas <= COMMAS_MOST; text++)
        commas += *text == ',';
    return commas <= COMMAS_MOST;
}

relume_status rlm_load_array(const struct rlm_load *load, const char *key, json_t **array,
                             relume_error *error)
{
    const char *text = rlm_safetensors_metadata(load->file, key);
    json_t *value = NULL;
    json_error_t trouble;
    *array = NULL;
    if (text && is_short(text) && rlm_json_parse(text, strlen(text), &value, &trouble) == RELUME_NO_MEMORY)
        return rlm_error_memory(error, strlen(text), key);
    if (json_is_array(value))
        *array = value;
    else
        json_decref(value);
    return RELUME_OK;
}

static relume_status values_refuse(const struct rlm_load *load, const struct rlm_tensor *tensor, size_t row,
                                   size_t column, double value, relume_error *error)
{
    char name[80];
    rlm_error_clear(error);
    rlm_error_at_file(error, load->path);
    rlm_error_at_item(error, tensor->name);
    if (error)
        error->column = column + 1;
    return rlm_error_set(error, RELUME_BAD_DATA,
                         "%s: tensor %s has %g at row %zu, column %zu (from 0), expected a finite number",
                         load->path, rlm_quote(name, tensor->name), value, row, column);
}

/* Reads rows × columns floats into a matrix with `stride` and refuses the first that is not finite. */
relume_status rlm_load_values(const struct rlm_load *load, const struct rlm_tensor *tensor, float *to,
                              size_t stride, relume_error *error)
{
    size_t columns = tensor->shape[tensor->rank - 1], rows = tensor->count / columns;
    RLM_TRY(rlm_safetensors_read_f32(load->file, tensor, to, stride, error));
    for (size_t row = 0; row < rows; row++)
        for (size_t column = 0; column < columns; column++)
            if (!isfinite(to[row * stride + column]))
                return values_refuse(load, tensor, row, column, (double)to[row * stride + column], error);
    return RELUME_OK;
}

static relume_status scaling_set(const struct rlm_load *load, relume_network *network,
                                 const relume_scaling *scaling, relume_error *error)
{
    size_t count = scaling->uniform ? 1 : network->layers[0].in_features;
    for (size_t i = 0; i < count; i++)
        if (!isfinite(scaling->offset[i]) || !isfinite(scaling->divisor[i]) || scaling->divisor[i] == 0.0f)
            return rlm_refuse_file(
                error, RELUME_BAD_DATA, load->path,
                "the scaling of input feature %zu is (x - %g) / %g, expected finite numbers "
                "and a divisor other than 0",
                i, (double)scaling->offset[i], (double)scaling->divisor[i]);
    return rlm_network_set_scaling(network, scaling, error);
}

static relume_status scaling_read_features(const struct rlm_load *load, relume_network *network,
                                           relume_error *error)
{
    const struct rlm_tensor *tensors[2] = {rlm_safetensors_find(load->file, "input.offset"),
                                           rlm_safetensors_find(load->file, "input.divisor")};
    size_t features = network->layers[0].in_features;
    for (int i = 0; i < 2; i++) {
        if (!tensors[i])
            return rlm_refuse_file(error, RELUME_BAD_DATA, load->path,
                                   "a scaling for each feature needs both input.offset and input.divisor");
        if (tensors[i]->rank != 1 || tensors[i]->shape[0] != features ||
            !rlm_dtype_is_float(tensors[i]->dtype))
            return rlm_load_refuse_tensor(load, tensors[i],
                                          "a float vector with an entry for each input feature", error);
    }
    float *values = rlm_alloc(&load->engine->allocator, features, 2 * sizeof *values);
    if (!values)
        return rlm_error_memory(error, features * 2 * sizeof *values, "the input's scaling");
    relume_status status = rlm_load_values(load, tensors[0], values, features, error);
    if (status == RELUME_OK)
        status = rlm_load_values(load, tensors[1], values + features, features, error);
    if (status == RELUME_OK)
        status = scaling_set(load, network, &(relume_scaling){0, values, values + features}, error);
    rlm_free(values);
    return status;
}

static relume_status scaling_read(const struct rlm_load *load, relume_network *network, relume_error *error)
{
    if (rlm_safetensors_find(load->file, "input.offset") || rlm_safetensors_find(load->file, "input.divisor"))
        return scaling_read_features(load, network, error);
    if (!rlm_safetensors_metadata(load->file, "scaling") || !rlm_safetensors_metadata(load->file, "relume")) {
        network->scaling_unstated = true;
        return RELUME_OK;
    }
    json_t *numbers;
    RLM_TRY(rlm_load_array(load, "scaling", &numbers, error));
    bool valid = json_array_size(numbers) == 2 && json_is_number(json_array_get(numbers, 0)) &&
                 json_is_number(json_array_get(numbers, 1));
    float offset = valid ? (float)json_number_value(json_array_get(numbers, 0)) : 0.0f;
    float divisor = valid ? (float)json_number_value(json_array_get(numbers, 1)) : 1.0f;
    json_decref(numbers);
    if (!valid)
        return rlm_load_refuse_metadata(
            load, "scaling", "two numbers such as [0, 255], or per-feature with its tensors", error);
    return scaling_set(load, network, &(relume_scaling){1, &offset, &divisor}, error);
}

static relume_status choices_read(const struct rlm_load *load, relume_network *network, relume_error *error)
{
    const char *loss = rlm_safetensors_metadata(load->file, "loss");
    const char *init = rlm_safetensors_metadata(load->file, "init");
    relume_loss found_loss = loss ? rlm_loss_find(loss) : network->loss;
    relume_init found_init = init ? rlm_init_find(init) : network->init;
    if (found_loss == RELUME_LOSS_COUNT)
        return rlm_load_refuse_metadata(load, "loss", "softmax, mse or bce", error);
    if (found_init == RELUME_INIT_COUNT)
        return rlm_load_refuse_metadata(load, "init", "the name of one of relume's initial distributions",
                                        error);
    network->loss = found_loss;
    network->init = found_init;
    return RELUME_OK;
}

static relume_status image_read(const struct rlm_load *load, relume_network *network, relume_error *error)
{
    if (!rlm_safetensors_metadata(load->file, "image"))
        return RELUME_OK;
    json_t *sizes;
    RLM_TRY(rlm_load_array(load, "image", &sizes, error));
    json_int_t rows = json_integer_value(json_array_get(sizes, 0));
    json_int_t columns = json_integer_value(json_array_get(sizes, 1));
    bool pair = json_array_size(sizes) == 2;
    size_t pixels = 0;
    json_decref(sizes);
    if (!pair || rows <= 0 || columns <= 0 || !rlm_size_multiply((size_t)rows, (size_t)columns, &pixels) ||
        pixels != network->layers[0].in_features)
        return rlm_load_refuse_metadata(load, "image",
                                        "two sizes whose product is the number of input features", error);
    network->image_rows = (size_t)rows;
    network->image_columns = (size_t)columns;
    return RELUME_OK;
}

/* The texts of a JSON array of texts, as pointers into it. BAD_DATA when some entry is none, or NO_MEMORY. */
static relume_status texts_of(const struct rlm_load *load, const char *key, const json_t *array,
                              const char ***texts, relume_error *error)
{
    size_t count = json_array_size(array);
    const char **found = rlm_alloc(&load->engine->allocator, count, sizeof *found);
    if (!found)
        return rlm_error_memory(error, count * sizeof *found, "names");
    for (size_t i = 0; i < count; i++) {
        found[i] = json_string_value(json_array_get(array, i));
        if (!found[i]) {
            rlm_free(found);
            return rlm_load_refuse_metadata(load, key, "a list of texts", error);
        }
    }
    *texts = found;
    return RELUME_OK;
}

static relume_status classes_set(const struct rlm_load *load, relume_network *network, const json_t *array,
                                 relume_error *error)
{
    const char **names = NULL;
    if (!array || json_array_size(array) > relume_network_get_out_features(network))
        return rlm_load_refuse_metadata(load, "classes",
                                        "a list of texts, at most as many as there are outputs", error);
    RLM_TRY(texts_of(load, "classes", array, &names, error));
    relume_status status = rlm_network_set_class_names(network, names, json_array_size(array), error);
    rlm_free(names);
    return status;
}

static relume_status classes_read(const struct rlm_load *load, relume_network *network, relume_error *error)
{
    if (!rlm_safetensors_metadata(load->file, "classes"))
        return RELUME_OK;
    json_t *array;
    RLM_TRY(rlm_load_array(load, "classes", &array, error));
    relume_status status = classes_set(load, network, array, error);
    json_decref(array);
    return status;
}

static relume_status foreign_set(const struct rlm_load *load, relume_network *network, const json_t *array,
                                 relume_error *error)
{
    const char **names = NULL;
    if (json_array_size(array) != load->count)
        return rlm_load_refuse_metadata(load, "foreign", "a list of texts, one a layer", error);
    RLM_TRY(texts_of(load, "foreign", array, &names, error));
    relume_status status = RELUME_OK;
    for (size_t l = 0; status == RELUME_OK && l < load->count; l++) {
        network->layers[l].foreign_name = rlm_strdup(&load->engine->allocator, names[l]);
        if (!network->layers[l].foreign_name)
            status = rlm_error_memory(error, strlen(names[l]) + 1, "a layer's name");
    }
    rlm_free(names);
    return status;
}

static relume_status foreign_read(const struct rlm_load *load, relume_network *network, relume_error *error)
{
    if (!rlm_safetensors_metadata(load->file, "foreign"))
        return RELUME_OK;
    json_t *array;
    RLM_TRY(rlm_load_array(load, "foreign", &array, error));
    relume_status status = foreign_set(load, network, array, error);
    json_decref(array);
    return status;
}

relume_status rlm_load_metadata(const struct rlm_load *load, bool own, relume_network *network,
                                relume_error *error)
{
    RLM_TRY(scaling_read(load, network, error));
    if (!own)
        return RELUME_OK;
    RLM_TRY(choices_read(load, network, error));
    RLM_TRY(image_read(load, network, error));
    RLM_TRY(classes_read(load, network, error));
    return foreign_read(load, network, error);
}
