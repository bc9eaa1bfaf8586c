"""What the autopsy says of every death, against the same trainings done again in NumPy (runs.py): written from docs/definitions.md
and docs/autopsy.md, without the program's code.

Of each unit killed: the update, counts and margins, the sample nearest the gate, the split of the change into own weights, own
bias, layers below, and into gradient, momentum and decay; the causes, by leaving each part out of the update and counting again,
and together where none is necessary alone; the ends of the lethal learning rates and rates around them; how large the update was
beside those of the layer's other units; the samples that pushed, the median they are compared with, and whether the unit had
lived without the strongest; drift. Of each unit dead at the end: its distance to life.

    test_autopsy.py PROGRAM [RUNS [SEED]]
"""
import collections
import itertools
import json
import math
import os
import subprocess
import sys
import tempfile

import numpy

import arithmetic
import runs

F = numpy.float32
PARTS = ("gradient", "momentum", "decay")


def activations(x, weight, bias):
    return arithmetic.forward(x, weight[None], numpy.array([bias], F))[:, 0]


class Killed:
    """One unit and the update that killed it; `x` and `x_after`: what the layer is fed over D before the update and after it."""

    def __init__(self, s, layer, unit, now, after, fed, fed_after):
        self.s, self.layer, self.unit, self.now = s, layer, unit, now
        self.x, self.x_after = fed[layer], fed_after[layer]
        self.w, self.b = (tensor[unit] for tensor in now.layers[layer])
        self.w_after, self.b_after = (tensor[unit] for tensor in after.layers[layer])

    def update(self, rate, without=(), grads=None):
        """Weights and bias; with other gradients the second moment is theirs, too."""
        made = []
        for j in range(2):
            w, s1, s2, kept = (state[self.layer][j][self.unit] for state in (self.now.layers, self.now.s1, self.now.s2, self.now.s2_after))
            g = self.now.grads[self.layer][j][self.unit] if grads is None else grads[j]
            made.append(self.now.optimizer.update(w, g, s1, s2, rate, self.now.step, j == 1, without, kept if grads is None else None)[0])
        return made

    def lives(self, rate=None, without=(), grads=None):
        x = self.x if "below" in without else self.x_after
        return bool((activations(x, *self.update(self.now.rate if rate is None else rate, without, grads)) > 0).any())

    def factors(self, j):
        """What gradient, carried state and parameter are multiplied with to give their parts of the change."""
        s, rate = self.s, self.now.rate
        decay = s.decay if j == 0 or s.decay_bias else 0.0
        if s.optimizer in ("sgd", "momentum", "nesterov"):
            mu = 0.0 if s.optimizer == "sgd" else s.momentum
            more, carry = (1 + mu, mu * mu) if s.optimizer == "nesterov" else (1, mu)
            return -rate * more, -rate * carry, -rate * more * decay
        step = self.now.step
        s2 = self.now.s2_after[self.layer][j][self.unit].astype(float)
        size = rate / (1 - 0.9**step) / (numpy.sqrt(s2) / math.sqrt(1 - 0.999**step) + 1e-8)
        # AdamW's factor is rounded to float32 as a whole, so next to 1 the decay in it is a coarse number
        own = -size * (1 - 0.9) * decay if s.optimizer == "adam" else float(F(1 - rate * decay)) - 1
        return -size * (1 - 0.9), -size * 0.9, own

    def split(self, sample):
        """own_weights, own_bias, below, gradient, momentum, decay at a sample, and of what size the terms are."""
        x, x_after = self.x[sample].astype(float), self.x_after[sample].astype(float)
        w, w_after, b, b_after = (numpy.asarray(value, float) for value in (self.w, self.w_after, self.b, self.b_after))
        told = {"own_weights": (w_after - w) @ x, "own_bias": b_after - b, "below": w_after @ (x_after - x)}
        sizes = dict.fromkeys(told, numpy.abs(w) @ numpy.abs(x) + numpy.abs(w_after) @ (numpy.abs(x) + numpy.abs(x_after)) + abs(b) + abs(b_after))
        for part, name, state in zip(range(3), PARTS, (self.now.grads, self.now.s1, self.now.layers)):
            of_w, of_b = (self.factors(j)[part] * state[self.layer][j][self.unit].astype(float) for j in range(2))
            if self.s.optimizer == "sgd" and name == "momentum":
                of_w, of_b = 0 * of_w, 0.0
            told[name], sizes[name] = of_w @ x + of_b, numpy.abs(of_w) @ numpy.abs(x) + abs(of_b)
        return told, sizes


def check_split(told, killed, sample, change):
    expected, sizes = killed.split(sample)
    for name, value in expected.items():
        # rates and betas are float32 in the program: up to four of them, half a unit in the last place each; the first three
        # are differences of floats, which double holds well
        room = 4 * 2.0**-24 if name in PARTS else 2.0**-40
        told(abs(change[name] - value) <= room * sizes[name] + 1e-300, name, change[name], value)
    p = activations(killed.x, killed.w, killed.b)[sample], activations(killed.x_after, killed.w_after, killed.b_after)[sample]
    own = change["own_weights"] + change["own_bias"]
    told(abs(own + change["below"] - (float(p[1]) - float(p[0]))) <= change["rounding"], "the whole change", change, p)
    told(abs(sum(change[name] for name in PARTS) - own) <= change["rounding"], "the own change", change, own)


def check_causes(told, killed, death):
    parts = PARTS + (("below",) if killed.layer else ())
    causes = {part for part in parts if killed.lives(without=(part,))}
    together, size = not causes, 2
    while not causes and size <= len(parts):
        causes = set().union(*(some for some in itertools.combinations(parts, size) if killed.lives(without=some)))
        size += 1
    told(set(death["causes"]) == causes and death["overdetermined"] == together, "causes", death["causes"], causes)


def check_lethal(told, killed, death):
    told(death["lethal_lr"] is not None, "no lethal rate", None, killed.now.rate)
    if death["lethal_lr"] is None:
        return
    low, high = (F(numpy.inf if end is None else end) for end in death["lethal_lr"])
    told(not killed.lives(float(low)), "the lowest lethal rate", low, "dead")
    if low > 0:
        before = numpy.nextafter(low, F(0))
        told(killed.lives(float(before)) and F(death["largest_safe_lr"]) == before, "the largest safe rate", death["largest_safe_lr"], before)
    if numpy.isfinite(high):
        told(not killed.lives(float(high)) and killed.lives(float(numpy.nextafter(high, F(numpy.inf)))), "the highest lethal rate", high, "dead")
    for share in (0.0, 0.3, 0.7, 1.0):  # well inside, well outside
        inside = float(low) + share * (min(float(high), 1e6) - float(low))
        told(not low <= F(inside) <= high or not killed.lives(inside), "a rate inside", inside, (low, high))
        outside = [float(low) * 0.999 * share] * bool(low > 0) + [float(high) * (1.001 + share)] * bool(high < 1e6)
        told(all(killed.lives(rate) for rate in outside), "a rate outside", outside, (low, high))


def check_size(told, killed, after, death):
    ratios = []
    for unit in range(killed.s.hidden[killed.layer]):
        was, now = (numpy.append(*(tensor[unit] for tensor in state.layers[killed.layer])).astype(float) for state in (killed.now, after))
        moved, size = numpy.linalg.norm(now - was), numpy.linalg.norm(was)
        ratios.append(0.0 if moved == 0 else moved / size if size > 0 else numpy.inf)
    own = ratios[killed.unit]
    less, maybe = (100 * sum(other < own * limit for u, other in enumerate(ratios) if u != killed.unit) / len(ratios)
                   for limit in (1 - 1e-12, 1 + 1e-12))
    told(abs(death["update_ratio"] - own) <= 1e-12 * own, "update_ratio", death["update_ratio"], own)
    told(less - 1e-9 <= death["update_percentile"] <= maybe + 1e-9, "update_percentile", death["update_percentile"], less)


def check_batch(told, killed, sample, death):
    now, s, l, u = killed.now, killed.s, killed.layer, killed.unit
    told(abs(death["gradient_norm"] - now.norm) <= 1e-12 * now.norm, "gradient_norm", death["gradient_norm"], now.norm)
    mean = now.losses.astype(float).mean()
    told(abs(death["batch_loss"] - mean) <= 1e-12 * abs(mean), "batch_loss", death["batch_loss"], mean)
    _, dlogits = arithmetic.loss(s.loss, now.pre[-1], runs.split(s)[1][now.rows])
    dz = dlogits
    for above in range(len(s.hidden), l, -1):
        dz = arithmetic.below(dz, now.layers[above][0], now.pre[above - 1] > 0)
    dz, x = dz[:, [u]], now.fed[l]
    per_weight, per_bias = (killed.factors(j)[0] for j in range(2))
    at = killed.x[sample].astype(float)
    push = dz[:, 0].astype(float) * float(now.scale) * ((per_weight * at * x).sum(1) + per_bias)
    length = numpy.sqrt((x.astype(float) ** 2).sum(1))
    median, largest, pushers = numpy.median(length), numpy.abs(push).max(), death["pushers"]
    told(len(pushers) == min(3, numpy.count_nonzero(push)), "pushers", len(pushers), push)
    for pusher, expected in zip(pushers, sorted(numpy.abs(push), reverse=True)):
        place = now.rows.tolist().index(pusher["sample"])
        told(abs(pusher["push"] - push[place]) <= 1e-6 * largest and abs(abs(pusher["push"]) - expected) <= 1e-6 * largest,
             "push", pusher, push)
        ratio = length[place] / median if median > 0 else None
        told(pusher["norm_ratio"] == ratio or abs(pusher["norm_ratio"] - ratio) <= 1e-12 * ratio, "norm_ratio", pusher, ratio)
    if pushers:
        others = now.rows != pushers[0]["sample"]
        dweight, dbias = arithmetic.backward(dz[others], x[others])
        decisive = killed.lives(grads=[dweight[0] * now.scale, dbias[0] * now.scale] if now.scale != 1 else [dweight[0], dbias[0]])
        told(pushers[0]["decisive"] == decisive, "decisive", pushers[0], decisive)
        told(death["outlier"] == bool(decisive and pushers[0]["norm_ratio"] and pushers[0]["norm_ratio"] > 3), "outlier", death["outlier"], pushers[0])


def check_drift(told, s, step, layer, unit, states, death):
    per_epoch = -(-len(runs.split(s)[0]) // s.batch)
    every = int(s.census) if s.census.isdigit() else per_epoch if s.census == "epoch" else 10**9
    expected = None
    if step >= 10:
        begin = (step - 10) // every * every
        before, last, now = (states[k][1][layer][:, unit] for k in (begin, step - 1, step))
        if before.max() > 0 and 10 * (float(last.max()) - float(now.max())) < float(before.max()) - float(now.max()):
            expected = {"from": begin, "to": step, "margin": before.max(), "fired": int((before > 0).sum())}
    found = death["drift"] and {**death["drift"], "margin": F(death["drift"]["margin"])}
    told(found == expected, "drift", found, expected)


def check_death(told, s, death, states):
    layer, unit = (int(part) for part in death["unit"][1:].split("."))
    layer, step = layer - 1, death["step"]
    p_after = states[step][1][layer][:, unit]
    sample = int(p_after.argmax())
    told(F(death["margin_after"]) == p_after.max() and death["sample"] == sample and p_after.max() <= 0, "after", death["margin_after"], p_after)
    if death["returned"] is None and not (states[-1][1][layer][:, unit] > 0).any():
        p, x = states[-1][1][layer][:, unit].astype(float), states[-1][2][layer].astype(float)
        nearest = (-p / numpy.sqrt((x**2).sum(1) + 1)).min()
        told(death["prognosis"]["margin"] == -p.max(), "the distance of the bias", death["prognosis"], -p.max())
        told(abs(death["prognosis"]["distance"] - nearest) <= 1e-12 * abs(nearest), "distance", death["prognosis"], nearest)
    if death["kind"] == "born dead":
        told(step == 0, "step", step, 0)
        return
    p = states[step - 1][1][layer][:, unit]
    told(death["fired_before"] == (p > 0).sum() > 0 and F(death["margin_before"]) == p.max(), "before", death["fired_before"], p)
    now = states[step - 1][0]
    told(death["epoch"] == now.epoch and abs(death["learning_rate"] - now.rate) <= 1e-15 * now.rate, "rate", death["learning_rate"], now.rate)
    killed = Killed(s, layer, unit, now, states[step][0], states[step - 1][2], states[step][2])
    check_split(told, killed, sample, death["change"])
    check_causes(told, killed, death)
    check_lethal(told, killed, death)
    check_size(told, killed, states[step][0], death)
    check_batch(told, killed, sample, death)
    check_drift(told, s, step, layer, unit, states, death)


def check_run(program, folder, s, seen):
    """What is wrong with the autopsy of a finished run, in words."""
    wrong = []
    done = subprocess.run([program, "autopsy", "run", "--all", "--json"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        return [done.stderr.decode()]
    deaths = json.loads(done.stdout)["deaths"]
    x, y, _ = runs.split(s)
    states = [(state, *arithmetic.run(state.layers, x)) for state in runs.follow(s, runs.layers_of(runs.checkpoint(folder, 0), s), x, y)]
    for death in deaths:
        def told(holds, what, found, expected, death=death):
            if not holds:
                wrong.append(f"{death['unit']} at step {death['step']}: {what}: {found}, expected {expected}")

        check_death(told, s, death, states)
        seen[death["kind"]] += 1
        seen.update(death["causes"] if death["kind"] == "killed" else [])
        seen["drift"] += death["drift"] is not None
    if s.census == "1":
        alive = [[(p > 0).any(0) for p in state[1][:-1]] for state in states]
        expected = {(f"h{l + 1}.{u}", t) for t, now in enumerate(alive) for l, units in enumerate(now) for u in numpy.flatnonzero(~units)
                    if t == 0 or alive[t - 1][l][u]}
        wrong += [f"death {death}" for death in expected ^ {(death["unit"], death["step"]) for death in deaths}]
    return wrong


def main(program, count, seed):
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    random, faults, seen = numpy.random.default_rng(seed), 0, collections.Counter()
    for _ in range(count):
        with tempfile.TemporaryDirectory(dir=memory) as folder, numpy.errstate(all="ignore"):
            s = runs.draw(random)
            status, said = runs.train(program, folder, s)
            wrong = check_run(program, folder, s, seen) if status == 0 else [said] * (status != 6)
            if wrong:
                faults += 1
                print("\n  ".join([s.command, *wrong[:8]]))
    print(f"seed {seed}: {count} trainings; {dict(seen)}; {faults} autopsies differ")
    return 0 if faults == 0 and seen["killed"] > count and seen["gradient"] and seen["momentum"] and seen["below"] else 1


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1]), *(int(value) for value in (sys.argv[2:] + ["40", "5"][len(sys.argv) - 2 :]))))
