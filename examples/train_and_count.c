/* Trains a small network on the built-in digits and counts every unit: the library in one page.
 *
 *     cc -std=c17 train_and_count.c $(pkg-config --cflags --libs relume) -o train_and_count &&
 * ./train_and_count */
#include <relume/relume.h>
#include <stdio.h>

static relume_status train_and_count(relume_engine *engine, relume_dataset **data, relume_network **network,
                                     relume_trainer **trainer, relume_census **census, relume_error *error)
{
    const size_t hidden[] = {64, 64};
    relume_network_options shape;
    relume_trainer_options training;
    relume_status status = relume_dataset_load(engine, "digits", NULL, data, error);
    if (status != RELUME_OK)
        return status;
    relume_network_options_default(&shape);
    shape.in_features = relume_dataset_get_features(*data);
    shape.out_features = relume_dataset_get_outputs(*data);
    shape.hidden = hidden;
    shape.hidden_layers = 2;
    shape.dataset = *data; /* takes scaling and class names along, so that a saved model is enough */
    relume_trainer_options_default(&training);
    training.optimizer = RELUME_ADAM;
    training.learning_rate = 0.03; /* thirty times Adam's customary rate */
    status = relume_network_create(engine, &shape, network, error);
    if (status == RELUME_OK)
        status = relume_trainer_create(*network, *data, &training, trainer, error);
    if (status == RELUME_OK)
        status = relume_census_create(*network, *data, RELUME_SPLIT_TRAIN, NULL, census, error);
    for (int epoch = 0; status == RELUME_OK && epoch < 10; epoch++)
        status = relume_trainer_epoch(*trainer, error);
    return status == RELUME_OK ? relume_census_count(*census, error) : status;
}

int main(void)
{
    relume_engine *engine = NULL;
    relume_dataset *data = NULL;
    relume_network *network = NULL;
    relume_trainer *trainer = NULL;
    relume_census *census = NULL;
    relume_error error;
    relume_status status = relume_engine_create(NULL, &engine, &error);
    if (status == RELUME_OK)
        status = train_and_count(engine, &data, &network, &trainer, &census, &error);
    if (status != RELUME_OK)
        fprintf(stderr, "%s\n", error.message);
    for (size_t i = 0; status == RELUME_OK && i < relume_census_get_layers(census); i++) {
        relume_layer_account layer = relume_census_get_layer(census, i);
        printf("%s: %zu of %zu units dead, mean firing rate %.1f %%\n", layer.name, layer.dead, layer.units,
               100 * layer.mean_firing_rate);
    }
    relume_census_destroy(census); /* each before what it was made with */
    relume_trainer_destroy(trainer);
    relume_network_destroy(network);
    relume_dataset_destroy(data);
    relume_engine_destroy(engine);
    return relume_status_exit(status);
}
