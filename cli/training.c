/* See training.h. */
#include "training.h"

double cli_usual_rate(relume_optimizer optimizer)
{
    return optimizer == RELUME_ADAM || optimizer == RELUME_ADAMW ? 0.001
           : optimizer == RELUME_SGD                             ? 0.1
                                                                 : 0.05;
}

relume_interval cli_interval_option(const struct cli_args *args, const char *name)
{
    struct cli_interval read = {0};
    (void)cli_read_interval(cli_text(args, name), cli_option_find(args->command, name, 0)->choices, &read);
    relume_interval interval = {.steps = read.steps};
    interval.kind = read.kind == CLI_EVERY_EPOCH ? RELUME_EVERY_EPOCH
                    : read.kind == CLI_FINAL     ? RELUME_FINAL
                    : read.kind == CLI_OFF       ? RELUME_OFF
                                                 : RELUME_EVERY_STEPS;
    return interval;
}

static void read_schedule(struct cli_training *training, const struct cli_args *args)
{
    relume_trainer_options *trainer = &training->trainer;
    struct cli_schedule *schedule = &training->schedule;
    if (!cli_given(args, "schedule"))
        return; /* the library's: constant */
    (void)cli_read_schedule(cli_text(args, "schedule"),
                            cli_option_find(args->command, "schedule", 0)->choices, schedule);
    trainer->schedule = (relume_schedule)schedule->choice; /* the table's order is the library's: tested */
    if (schedule->count == 0)
        return;
    for (size_t i = 0; i < schedule->count; i++)
        training->point[i] = (relume_schedule_point){schedule->point[i].step, schedule->point[i].rate};
    trainer->schedule = RELUME_SCHEDULE_POINTS;
    trainer->points = training->point;
    trainer->point_count = schedule->count;
}

void cli_training_read(struct cli_training *training, const struct cli_args *args)
{
    relume_trainer_options *trainer = &training->trainer;
    relume_trainer_options_default(trainer);
    trainer->batch_size = (size_t)cli_whole(args, "batch");
    trainer->optimizer = (relume_optimizer)cli_choice(args, "optimizer");
    trainer->learning_rate = cli_usual_rate(trainer->optimizer);
    trainer->momentum = cli_number(args, "momentum");
    trainer->weight_decay = cli_number(args, "weight-decay");
    trainer->decay_bias = cli_given(args, "decay-bias");
    trainer->warmup = cli_whole(args, "warmup");
    trainer->clip_norm = cli_number(args, "clip-norm");
    trainer->no_shuffle = cli_given(args, "no-shuffle");
    trainer->seed = cli_whole(args, "seed");
    read_schedule(training, args);
    (void)cli_read_widths(cli_text(args, "hidden"), &training->widths);
}

void cli_network_options(const struct cli_training *training, const struct cli_args *args,
                         const relume_dataset *dataset, relume_network_options *options)
{
    relume_network_options_default(options);
    int loss = (int)cli_choice(args, "loss") - 1; /* auto is -1 */
    if (loss < 0)
        loss = relume_dataset_get_task(dataset) == RELUME_REGRESSION ? RELUME_LOSS_MSE : RELUME_LOSS_SOFTMAX;
    options->in_features = relume_dataset_get_features(dataset);
    options->hidden_layers = training->widths.count;
    options->hidden = training->widths.unit;
    options->out_features = relume_dataset_get_outputs(dataset);
    options->loss = (relume_loss)loss;
    options->init = (relume_init)cli_choice(args, "init");
    options->seed = cli_whole(args, "seed");
    options->dataset = dataset;
}
