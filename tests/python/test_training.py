"""Trainings done again in NumPy, one rounding after another: after every update all weights, biases and optimizer states are equal
numbers, and the history tells what follows from them.

Random small networks of one to four hidden layers: all optimizers, losses, schedules and inits, decay, clipping, warm-up, holdout,
short last batches, batches of one, inputs of -0 and of denormal squares. Of the history: every census by unit (active count,
margin, mean activation, how long silent) and by layer, the epochs' losses and accuracies, and the ledger: with a census after
every update it is the list of all deaths and returns, and with fewer the brackets that censuses and batches prove
(docs/census.md).

    test_training.py PROGRAM [RUNS [SEED]]
"""
import os
import sqlite3
import sys
import tempfile

import numpy

import arithmetic
import runs

STATES = {"sgd": (), "momentum": ("velocity",), "nesterov": ("velocity",), "adam": ("m", "v"), "adamw": ("m", "v")}


def check_state(found, state, s):
    wrong = []
    for l, name in enumerate(runs.names(s)):
        for j, tensor in enumerate((".weight", ".bias")):
            if not (found[name + tensor] == state.layers[l][j]).all():
                wrong.append(f"step {state.step - 1}: {name}{tensor}")
            for slot, kept in zip(STATES[s.optimizer], (state.s1, state.s2)):
                if not (found[f"{name}{tensor}.{slot}"] == kept[l][j]).all():
                    wrong.append(f"step {state.step - 1}: {name}{tensor}.{slot}")
    return wrong


class Account:
    """What a census finds, and what batches tell meanwhile."""

    def __init__(self, s, x):
        self.s, self.x, self.trained, self.alive, self.fired = s, x, 0, [], []
        self.last_step = [numpy.zeros(units, int) for units in s.hidden]
        self.last_sample = [numpy.zeros(units, int) for units in s.hidden]

    def batch(self, state):
        self.fired.append([])
        for l in range(len(self.s.hidden)):
            gate = state.pre[l] > 0
            fired = gate.any(0)
            self.fired[-1].append(fired)
            self.last_step[l][fired] = state.step
            self.last_sample[l][fired] = self.trained + len(gate) - gate[::-1].argmax(0)[fired]
        self.trained += len(state.rows)

    def count(self, layers):
        """Rows of census_unit and census_layer, and the logits."""
        pre, fed = arithmetic.run(layers, self.x)
        samples, units, by_layer = len(self.x), {}, {}
        self.alive.append([(p > 0).any(0) for p in pre[:-1]])
        for l in range(len(self.s.hidden)):
            active, margin = (pre[l] > 0).sum(0), pre[l].max(0) + runs.F(0)
            lanes = numpy.zeros((16, len(active)))
            for b in range(samples):
                lanes[b % 16] += fed[l + 1][b]
            total = numpy.zeros(len(active))
            for lane in lanes:
                total = total + lane
            mean, silent = total / samples, self.trained - self.last_sample[l]
            for u in range(len(active)):
                units[l + 1, u] = (int(active[u]), float(margin[u]), float(mean[u]), int(silent[u]), int(self.last_step[l][u]))
            share, rate = mean / mean.mean() if mean.any() else mean, active / samples
            mute = (active > 0) & (layers[l + 1][0] == 0).all(0)
            by_layer[l + 1] = (int((active == 0).sum()), int(((active > 0) & (rate < 0.01)).sum()), int((active == samples).sum()),
                               int(mute.sum()), *(int((share <= tau).sum()) for tau in (0, 0.025, 0.1)), rate.mean(),
                               int((silent >= samples).sum()))
        return units, by_layer, pre[-1]


def expected_events(s, account, counted, plain):
    """The ledger, by docs/census.md."""
    told = set()
    for l, width in enumerate(s.hidden):
        for u in range(width):
            lives = [bool(alive[l][u]) for alive in account.alive]
            if not lives[0]:
                told.add((l + 1, u, "born dead", 0, 0))
            for a, b in zip(counted, counted[1:]):
                fired = [step for step in range(a + 1, b + 1) if account.fired[step - 1][l][u]]
                if not lives[b] and (lives[a] or fired):  # it lived before the update of the step in which it fired last
                    after = fired[-1] - 1 if fired else a
                    told.add((l + 1, u, "killed", after, after + 1 if plain and l == 0 and fired else b))
                if not lives[a] and (lives[b] or fired):
                    told.add((l + 1, u, "revived", a, fired[0] - 1 if fired else b))
    return told


def near(found, expected):
    return (found is None) == (expected is None) and (found is None or abs(found - expected) <= 1e-12 * max(1, abs(expected)))


def check_census(database, step, told, s, y, labels):
    units, by_layer, logits = told
    wrong = []
    for *key, active, margin, mean, silent, last in database.execute(
            "SELECT layer, unit, active, margin, mean_activation, silent, last_step FROM census_unit WHERE step = ?", (step,)):
        if units.pop(tuple(key)) != (active, margin, mean, silent, last):
            wrong.append(f"census_unit {step} {key}")
    for _, layer, *row in database.execute("SELECT * FROM census_layer WHERE step = ?", (step,)):
        if not all(map(near, row, by_layer.pop(layer))):
            wrong.append(f"census_layer {step} {layer}: {row}")
    losses, _ = arithmetic.loss(s.loss, logits, y)
    (row,) = database.execute("SELECT loss, accuracy FROM census WHERE step = ?", (step,))
    if not near(row[0], sum(map(float, losses)) / len(y)) or not near(row[1], accuracy(logits, labels)):
        wrong.append(f"census {step}: {row}")
    return wrong + [f"census {step}: no row"] * bool(units or by_layer)


def accuracy(logits, labels):
    return None if labels is None else float((logits.argmax(1) == labels).mean())


def check_epochs(database, epochs):
    wrong = []
    for epoch, step, rate, loss, right in database.execute("SELECT epoch, step, learning_rate, loss, accuracy FROM epoch WHERE epoch > 0"):
        losses, hits, last_step, last_rate = epochs[epoch]
        hit = None if hits[0] is None else sum(hits) / len(losses)
        if step != last_step or not near(rate, last_rate) or not near(loss, sum(losses) / len(losses)) or not near(right, hit):
            wrong.append(f"epoch {epoch}")
    return wrong


def check_run(folder, s, seen):
    """What is wrong with the run, in words."""
    x, y, labels = runs.split(s)
    database = sqlite3.connect(os.path.join(folder, "run/history.sqlite"))
    counted = [step for (step,) in database.execute("SELECT step FROM census ORDER BY step")]
    account, wrong, epochs, step = Account(s, x), [], {}, 0
    for state in runs.follow(s, runs.layers_of(runs.checkpoint(folder, 0), s), x, y):
        step = state.step - 1
        found = runs.checkpoint(folder, step)
        if found is None:  # these weights overflow over the whole split
            break
        wrong += check_state(found, state, s)
        told = account.count(state.layers)
        wrong += check_census(database, step, told, s, y, labels) if step in counted else []
        if wrong or state.grads is None:
            break
        account.batch(state)
        losses, hits, *_ = epochs.get(state.epoch, ([], []))
        hit = [None] if labels is None else (state.pre[-1].argmax(1) == labels[state.rows]).tolist()
        epochs[state.epoch] = (losses + state.losses.tolist(), hits + hit, state.step, state.rate)
    seen["steps"] += step
    (status,) = database.execute("SELECT status FROM run").fetchone()
    seen["diverged"] += status == "diverged"
    if wrong or status == "diverged":
        return wrong
    plain = s.decay == 0 and (s.optimizer == "sgd" or s.optimizer in ("momentum", "nesterov") and s.momentum == 0)
    events = set(database.execute("SELECT layer, unit, kind, after_step, step FROM event"))
    seen["events"] += len(events)
    steps = s.epochs * -(-len(x) // s.batch)
    due = {0, steps} | {k for k in range(steps) if s.census.isdigit() and k % int(s.census) == 0}
    due |= {k * steps // s.epochs for k in range(s.epochs)} if s.census == "epoch" else set()
    wrong += [f"censuses at {counted}"] * (set(counted) != due or step != steps)
    wrong += [f"event {event}" for event in events ^ expected_events(s, account, counted, plain)]
    return wrong + check_epochs(database, epochs)


def main(program, count, seed):
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    random, faults, seen = numpy.random.default_rng(seed), 0, dict.fromkeys(("steps", "events", "diverged"), 0)
    for _ in range(count):
        with tempfile.TemporaryDirectory(dir=memory) as folder, numpy.errstate(all="ignore"):
            s = runs.draw(random)
            status, said = runs.train(program, folder, s)
            wrong = check_run(folder, s, seen) if status in (0, 6) else [said]
            if wrong:
                faults += 1
                print("\n  ".join([s.command, *wrong[:8]]))
    print(f"seed {seed}: {count} trainings, {seen['diverged']} of them diverged; {seen['steps']} updates equal, {seen['events']} "
          f"events of ledgers; {faults} trainings differ")
    return 0 if faults == 0 and seen["steps"] > 5 * count and seen["events"] > 3 * count else 1


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1]), *(int(value) for value in (sys.argv[2:] + ["40", "2"][len(sys.argv) - 2 :]))))
