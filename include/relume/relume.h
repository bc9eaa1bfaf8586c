/* relume: train fully connected ReLU networks, and keep an exact account of every unit's life.
 *
 * This is the one header most programs include. The others follow the direction in which data flows:
 *
 *     status.h    what went wrong, where, and what was expected
 *     engine.h    the machine a computation runs on: CPU level, threads, allocator
 *     dataset.h   samples and targets, their splits and their scaling
 *     network.h   layers, weights, predictions
 *     trainer.h   loss, optimizer, schedule; one step, one epoch
 *     census.h    the exact count of every unit over a whole split, and the ledger of births and deaths
 *     run.h       the run directory: train with checkpoints and history, resume, load again
 *     autopsy.h   when, by which update and why each unit died, and whether it returns
 *     report.h    every unit's life, as a page, as JSON, in a terminal
 *     forecast.h  before training: units born dead, and a safe learning rate
 *     sweep.h     deaths and accuracy against the learning rate
 *     explain.h   one unit on one sample, forward and backward, with its own numbers
 *     gradcheck.h the gradient against differences of the loss
 *     bench.h     samples per second beside the machine's peak
 *
 * The words are those of docs/definitions.md. Objects are made by `_create` or `_load`, freed by `_destroy`
 * (NULL is allowed), and are used from one thread at a time unless a comment says otherwise. Nothing here
 * prints, exits or keeps global state. */
#ifndef RELUME_RELUME_H
#define RELUME_RELUME_H

#include "relume/autopsy.h"
#include "relume/bench.h"
#include "relume/census.h"
#include "relume/dataset.h"
#include "relume/engine.h"
#include "relume/explain.h"
#include "relume/forecast.h"
#include "relume/gradcheck.h"
#include "relume/network.h"
#include "relume/report.h"
#include "relume/run.h"
#include "relume/status.h"
#include "relume/sweep.h"
#include "relume/trainer.h"
#include "relume/version.h"

#endif
