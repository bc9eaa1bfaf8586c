/* Rows of the table that the commands which train share: train, forecast and sweep. training.h reads them.
 * For table_*.c only. */
#ifndef CLI_TRAINING_ROWS_H
#define CLI_TRAINING_ROWS_H

#include "table_rows.h"

#define STANDARDIZE_ROW                                                                                      \
    {                                                                                                        \
        .name = "standardize",                                                                               \
        .help = "scale each feature to mean 0 and deviation 1 over the training split"                       \
    }
#define HIDDEN_ROW                                                                                           \
    {                                                                                                        \
        .name = "hidden", .kind = CLI_WIDTHS, .value = "N,N,...", .fallback = "512,512",                     \
        .help = "units of each hidden layer, in the order data meets them"                                   \
    }
#define INIT_ROW                                                                                             \
    {                                                                                                        \
        .name = "init", .kind = CLI_CHOICE, .value = "HOW", .fallback = "he-normal",                         \
        .choices = "he-normal|he-uniform|xavier-normal|xavier-uniform|lecun-normal|pytorch|orthogonal",      \
        .help = "how the first weights are drawn"                                                            \
    }
#define LOSS_ROW                                                                                             \
    {                                                                                                        \
        .name = "loss", .kind = CLI_CHOICE, .value = "LOSS", .fallback = "auto",                             \
        .choices = "auto|softmax|mse|bce",                                                                   \
        .help = "what is minimised; auto takes softmax for labels and mse for float targets"                 \
    }
#define BATCH_ROW                                                                                            \
    {                                                                                                        \
        .name = "batch", .kind = CLI_WHOLE, .value = "N", .fallback = "128", .low = 1, .high = 16777216,     \
        .help = "samples a step"                                                                             \
    }
#define OPTIMIZER_ROW                                                                                        \
    {                                                                                                        \
        .name = "optimizer", .kind = CLI_CHOICE, .value = "HOW", .fallback = "momentum",                     \
        .choices = "sgd|momentum|nesterov|adam|adamw", .help = "how gradients become updates"                \
    }
/* How a gradient becomes a step, beyond optimizer and rate. */
#define STEP_ROWS                                                                                            \
    {.name = "momentum",                                                                                     \
     .kind = CLI_NUMBER,                                                                                     \
     .value = "X",                                                                                           \
     .fallback = "0.9",                                                                                      \
     .low = 0,                                                                                               \
     .high = 1,                                                                                              \
     .below = true,                                                                                          \
     .help = "share of the last update carried on, with momentum and nesterov"},                             \
        {.name = "weight-decay",                                                                             \
         .kind = CLI_NUMBER,                                                                                 \
         .value = "X",                                                                                       \
         .fallback = "0",                                                                                    \
         .low = 0,                                                                                           \
         .help = "pull of the weights towards 0"},                                                           \
        {.name = "decay-bias", .help = "let weight decay pull on biases too"},                               \
        {.name = "schedule",                                                                                 \
         .kind = CLI_SCHEDULE,                                                                               \
         .value = "HOW",                                                                                     \
         .choices = "constant|step|cosine",                                                                  \
         .help = "the rate over time: constant, step (a tenth after half and after three quarters), cosine " \
                 "(down to 0), or a list STEP:RATE,STEP:RATE,... of rates, each from its step on; constant " \
                 "where a rate is given, and cosine with train's own default rate"},                         \
        {.name = "warmup",                                                                                   \
         .kind = CLI_WHOLE,                                                                                  \
         .value = "STEPS",                                                                                   \
         .fallback = "0",                                                                                    \
         .help = "steps over which the rate rises from 0"},                                                  \
    {                                                                                                        \
        .name = "clip-norm", .kind = CLI_NUMBER, .value = "X", .low = 0, .above = true,                      \
        .help = "scale a gradient down to this 2-norm when it is longer"                                     \
    }
/* What the seed decides. */
#define ORDER_ROWS                                                                                           \
    {.name = "no-shuffle", .help = "take the samples in the order they come in"},                            \
    {                                                                                                        \
        .name = "seed", .kind = CLI_WHOLE, .high = BIGGEST_SEED, .value = "N", .fallback = "0",              \
        .help = "decides the first weights, the order of samples and the holdout"                            \
    }

#endif
