#!/usr/bin/python3
"""The benchmark of injected deaths: deaths of a dozen kinds are brought about on purpose, and what the autopsy says of
them is held against what was done: deaths.py PROGRAM SCHEMA [SEEDS]

Truth is known three ways. Steps: a twin of each run holds a census after every update. Causes: by construction.
Prognoses: a second twin trains on, ten times as long, with a census after every update. Beside it stand the rules that
others have published, on the same runs. docs/deaths.md tells the table. TAP; exit 77 where NumPy is missing."""
import collections
import json
import pathlib
import sqlite3
import subprocess
import sys
import tempfile

try:
    import numpy
except ImportError:
    print("1..0 # SKIP python3-numpy is not installed")
    sys.exit(0)
try:
    import jsonschema
except ImportError:
    jsonschema = None
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
import tensors

LONGER = 10
MEMORY = "/dev/shm" if pathlib.Path("/dev/shm").is_dir() else None  # runs flush a lot, and a disk takes its time
OPTIMIZERS = ["sgd", "momentum", "adam"]


class Case:
    """One run to be: data, options, and what must be said of it."""

    def __init__(self, x, y, hidden, epochs, batch, options, model=None, judge=None):
        self.x, self.y, self.hidden, self.epochs, self.batch = x, y, hidden, epochs, batch
        self.options, self.model, self.judge = options, model, judge


def labels(rng, samples):
    return ["ab"[int(v)] for v in rng.integers(0, 2, samples)]


def he(rng, widths):
    names = [f"h{i + 1}" for i in range(len(widths) - 2)] + ["out"]
    model = {}
    for name, fan, units in zip(names, widths, widths[1:]):
        model[f"{name}.weight"] = (rng.normal(size=(units, fan)) * (2 / fan) ** 0.5).astype(numpy.float32)
        model[f"{name}.bias"] = numpy.zeros(units, numpy.float32)
    return model


def model_of(**arrays):
    return {name.replace("_", "."): numpy.array(value, numpy.float32) for name, value in arrays.items()}


# ---- the kinds: each returns a Case; judge(death) is None where a death was not injected, else whether it is told right ----


def bad_bias(rng, optimizer):
    model = he(rng, [6, 12, 2])
    model["h1.bias"][:4] = -50
    judge = lambda d: d["causes"] == ["bias"] if d["unit"] in ("h1.0", "h1.1", "h1.2", "h1.3") else None
    return Case(rng.normal(size=(40, 6)), labels(rng, 40), "12", 2, 10, ["--lr", "0.01"], model, judge)


def uncentred(rng, optimizer):
    judge = lambda d: d["causes"] == ["uncentred inputs"] if d["kind"] == "born dead" and d["unit"].startswith("h1") else None
    return Case(rng.normal(size=(40, 6)) + 4, labels(rng, 40), "24", 2, 10, ["--lr", "0.001"], None, judge)


def depth(rng, optimizer):
    judge = lambda d: "depth" in d["causes"] if d["kind"] == "born dead" and not d["unit"].startswith("h1") else None
    return Case(rng.normal(size=(40, 6)), labels(rng, 40), "12,12,12,12,12,12", 2, 10, ["--lr", "0.001"], None, judge)


def spike(rng, optimizer):
    step, high = int(rng.integers(3, 9)), 2.0 if optimizer == "adam" else 20.0
    schedule = f"1:0.001,{step}:{high},{step + 1}:0.001"

    def judge(d):
        if d["step"] != step or not d["unit"].startswith("h1"):
            return None
        low, high_end = d["lethal_lr"]
        spared = 0.001 < low <= high and (high_end is None or high_end >= high) and d["largest_safe_lr"] < high
        own = d["causes"] == ["gradient"] if optimizer == "sgd" else set(d["causes"]) <= {"gradient", "momentum"}
        return spared and d["learning_rate"] == high and own

    return Case(rng.normal(size=(60, 6)) + 1.5, labels(rng, 60), "16", 3, 12, ["--schedule", schedule], None, judge)


def outlier(rng, optimizer):
    x = rng.normal(size=(60, 6)) + 1.5
    sample = int(rng.integers(12, 60))
    x[sample] = numpy.abs(x[sample]) * 300
    step = sample // 12 + 1

    def judge(d):
        if d["step"] != step or not d["unit"].startswith("h1"):
            return None
        return d["pushers"][0]["sample"] == sample and d["outlier"] and d["causes"] == ["gradient"]

    return Case(x, labels(rng, 60), "16", 1, 12, ["--lr", "0.05", "--no-shuffle"], None, judge)


def bias_only(rng, optimizer):
    model = he(rng, [6, 12, 2])
    model["h1.bias"][:] = 0.05
    model["out.weight"][:] = rng.choice([-3, 3], size=(2, 12))

    def judge(d):
        change = d["change"]
        if d["kind"] != "killed":
            return None
        return abs(change["own_bias"]) > 0.99 * abs(change["own_bias"] + change["own_weights"]) and d["causes"] == ["gradient"]

    return Case(rng.normal(size=(40, 6)) * 1e-4, labels(rng, 40), "12", 2, 10, ["--lr", "0.1"], model, judge)


def momentum_carry(rng, optimizer):
    """Two batches: the first pushes the unit down and nearly out, the second never opens it."""
    w, v = rng.uniform(0.9, 1.1), rng.uniform(0.9, 1.1)
    model = model_of(h1_weight=[[w]], h1_bias=[0], out_weight=[[v]], out_bias=[0])
    x = numpy.concatenate([numpy.ones(4), -numpy.ones(4)]).reshape(8, 1)
    judge = lambda d: d["step"] == 2 and d["causes"] == ["momentum"]
    lr = rng.uniform(0.17, 0.2)
    return Case(x, [0.0] * 8, "1", 1, 4, ["--lr", f"{lr:.4f}", "--no-shuffle"], model, judge)


def decay_revival(rng, optimizer):
    bias = rng.uniform(0.1, 0.4)
    model = he(rng, [4, 8, 2])
    model["h1.weight"][0] = -1
    model["h1.bias"][0] = bias
    judge = lambda d: d["prognosis"]["verdict"] == "coasting" and bool(d["prognosis"]["revives_at"]) if d["unit"] == "h1.0" else None
    x = rng.uniform(0.2, 1, size=(40, 4))
    return Case(x, labels(rng, 40), "8", 2, 20, ["--lr", "0.2", "--weight-decay", "0.2"], model, judge)


def from_below(rng, optimizer):
    """h1.0 is driven down by way of h2.1; h2.0 lives on what h1.0 gives and hardly moves itself."""
    model = model_of(
        h1_weight=[[1.0]], h1_bias=[0], h2_weight=[[1.0], [1.0]], h2_bias=[-0.05, 0.0], out_weight=[[1e-7, 3.0]], out_bias=[0]
    )
    x = rng.uniform(0.5, 1, size=(8, 1))
    judge = lambda d: d["causes"] == ["below"] and abs(d["change"]["below"]) > 0.3 if d["unit"] == "h2.0" else None
    return Case(x, [0.0] * 8, "1,2", 1, 8, ["--lr", f"{rng.uniform(0.2, 0.6):.3f}"], model, judge)


def whole_layer(rng, optimizer):
    model = he(rng, [4, 8, 1])
    model["h1.weight"] = numpy.abs(model["h1.weight"])
    model["out.weight"] = numpy.abs(model["out.weight"]) + 0.1
    judge = lambda d: d["step"] == 1 and d["layer_deaths"] == 8 and d["causes"] == ["gradient"] and d["prognosis"]["never"]
    return Case(rng.uniform(0.2, 1, size=(20, 4)), [-50.0] * 20, "8", 2, 20, ["--lr", "1"], model, judge)


def adam_coasting(rng, optimizer):
    judge = lambda d: bool(d["prognosis"]["because"]) if d["unit"].startswith("h1") and d["prognosis"]["verdict"] == "coasting" else None
    return Case(rng.normal(size=(24, 3)) + 1.5, labels(rng, 24), "48", 2, 6, ["--lr", "0.3"], None, judge)


def slow_drift(rng, optimizer):
    model = model_of(h1_weight=[[1.0]], h1_bias=[1.0], out_weight=[[10.0]], out_bias=[0])
    x = rng.uniform(0.9, 1.1, size=(16, 1))
    lr = {"sgd": 2e-5, "momentum": 3e-6, "adam": 2e-2}[optimizer]
    judge = lambda d: bool(d["drift"]) and d["drift"]["from"] == 0
    return Case(x, [-10.0] * 16, "1", 300, 16, ["--lr", str(lr), "--census", "final", "--checkpoint", "100"], model, judge)


KINDS = [
    ("bad bias", bad_bias, ["sgd", "adam"]),
    ("uncentred inputs", uncentred, OPTIMIZERS),
    ("depth", depth, OPTIMIZERS),
    ("rate spike", spike, OPTIMIZERS),
    ("outlier sample", outlier, ["sgd", "momentum"]),
    ("bias alone", bias_only, ["sgd"]),
    ("momentum carry", momentum_carry, ["momentum"]),
    ("decay revival", decay_revival, ["sgd"]),
    ("from below", from_below, ["sgd"]),
    ("whole layer", whole_layer, ["sgd", "momentum"]),
    ("Adam coasting", adam_coasting, ["adam"]),
    ("slow drift", slow_drift, OPTIMIZERS),
]


# ---- running ----


def run(program, arguments, folder):
    done = subprocess.run([program, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"relume {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def train(program, folder, case, optimizer, seed, name, extra, longer=1):
    arguments = ["train", "data.csv", "--target", "y", "-o", name, "--hidden", case.hidden, "--batch", str(case.batch)]
    arguments += ["--optimizer", optimizer, "--seed", str(seed), "--progress", "off", "--threads", "1", *case.options]
    arguments += ["--init-from", "model.safetensors"] if case.model else []
    run(program, arguments + ["--epochs", str(case.epochs * longer), *extra], folder)


def write_data(folder, case):
    with open(folder / "data.csv", "w", encoding="ascii") as file:
        file.write(",".join(f"f{k}" for k in range(case.x.shape[1])) + ",y\n")
        for row, y in zip(case.x, case.y):
            file.write(",".join(f"{v:.9g}" for v in row) + f",{y}\n")
    if case.model:
        tensors.write(folder / "model.safetensors", case.model)


def events(folder, name):
    """{unit: [(kind, step), ...]} of a run with a census after every update."""
    lives = collections.defaultdict(list)
    with sqlite3.connect(folder / name / "history.sqlite") as base:
        for unit, kind, step, exact in base.execute("SELECT name, kind, step, exact FROM unit_event ORDER BY id"):
            assert exact
            lives[unit].append((kind, step))
    base.close()
    return lives


def silent_units(folder, name, samples):
    with sqlite3.connect(folder / name / "history.sqlite") as base:
        rows = base.execute(
            "SELECT layer.name || '.' || unit, silent FROM census_unit JOIN layer USING (layer) WHERE step = (SELECT max(step) FROM census)"
        ).fetchall()
    base.close()
    return {unit for unit, silent in rows if silent >= samples}


def prognosis_holds(death, lives, steps):
    prognosis = death["prognosis"]
    returns = [step for kind, step in lives[death["unit"]] if kind == "revived" and step > prognosis["as_of"]]
    if prognosis["never"]:
        return not returns
    if prognosis["revives_at"]:
        return (returns or [steps + 1])[0] == min(prognosis["revives_at"], steps + 1)
    if prognosis["looked_to"]:
        return not returns or returns[0] > prognosis["looked_to"]
    return True  # revivable: it claims nothing of when


# ---- the rules of others ----


def rules(program, folder, samples, name):
    """What published rules say of the run's end: sets of units, or of layers all of whose units are flagged."""
    account = json.loads(run(program, ["census", name, "data.csv", "--target", "y", "--units", "--json"], folder))
    units = account["units"]
    label = lambda u: f"{u['layer']}.{u['unit']}"
    layers = collections.defaultdict(list)
    for unit in units:
        layers[unit["layer"]].append(unit)
    flagged = collections.defaultdict(set)
    for members in layers.values():
        mean = sum(u["mean_activation"] for u in members) / len(members)
        rate = sum(u["firing_rate"] for u in members) / len(members)
        idle = [u for u in members if u["firing_rate"] < 0.01]
        silent = [u for u in members if u["active"] == 0]
        if 2 * len(idle) > len(members):
            flagged["SageMaker DeadRelu"] |= {label(u) for u in members}
        if rate <= 0.3:
            flagged["DeepDiagnosis"] |= {label(u) for u in members}
        if len(silent) >= 0.7 * len(members):
            flagged["AutoTrainer"] |= {label(u) for u in members}
        for tau in (0.025, 0.1):
            flagged[f"ReDo {tau}"] |= {label(u) for u in members if mean == 0 or u["mean_activation"] <= tau * mean}
    flagged["silent for an epoch"] = silent_units(folder, name, samples)
    return {label(u) for u in units if u["active"] == 0}, flagged


# ---- scoring ----


class Score:
    def __init__(self):
        self.runs = self.deaths = self.steps = self.injected = self.told = self.foretold = self.open = 0
        self.rule = collections.defaultdict(lambda: [0, 0, 0])  # right, missed, wrong


def look_at(program, schema, kind, optimizer, seed, score):
    rng = numpy.random.default_rng([seed, sum(map(ord, kind[0]))])
    case = kind[1](rng, optimizer)
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        folder = pathlib.Path(name)
        write_data(folder, case)
        train(program, folder, case, optimizer, seed, "run", [])
        train(program, folder, case, optimizer, seed, "twin", ["--census", "1"])
        longer = 2 if case.epochs > 100 else LONGER
        train(program, folder, case, optimizer, seed, "long", ["--census", "1"], longer)
        steps = case.epochs * longer * -(-len(case.x) // case.batch)
        found = json.loads(run(program, ["autopsy", "run", "--json", "--episodes"], folder))
        if jsonschema:
            jsonschema.validate(found, schema)
        lives, later = events(folder, "twin"), events(folder, "long")
        score.runs += 1
        for death in found["deaths"]:
            score.deaths += 1
            score.steps += (death["kind"], death["step"]) in lives[death["unit"]]
            verdict = case.judge(death)
            score.injected += verdict is not None
            score.told += verdict is True
            score.foretold += prognosis_holds(death, later, steps)
            score.open += death["prognosis"]["verdict"] == "revivable"
        dead, flagged = rules(program, folder, len(case.x), "run")
        assert dead == {d["unit"] for d in found["deaths"]}
        for rule, units in flagged.items():
            tally = score.rule[rule]
            tally[0] += len(units & dead)
            tally[1] += len(dead - units)
            tally[2] += len(units - dead)


def main():
    program, schema = str(pathlib.Path(sys.argv[1]).resolve()), json.loads(pathlib.Path(sys.argv[2]).read_text("utf-8"))
    seeds = int(sys.argv[3]) if len(sys.argv) > 3 else 4
    print(f"1..{len(KINDS)}")
    if jsonschema is None:
        print("# python3-jsonschema is not installed: the schema is not checked")
    print("# | kind | runs | deaths | step exact | injected | cause told | prognosis true | of these revivable |")
    failed, total = False, collections.defaultdict(lambda: [0, 0, 0])
    for number, kind in enumerate(KINDS, 1):
        score = Score()
        for optimizer in kind[2]:
            for seed in range(seeds):
                look_at(program, schema, kind, optimizer, seed, score)
        good = score.injected > 0 and score.steps == score.deaths and score.told == score.injected and score.foretold == score.deaths
        failed |= not good
        print(
            f"# | {kind[0]} | {score.runs} | {score.deaths} | {score.steps} | {score.injected} | {score.told} "
            f"| {score.foretold} | {score.open} |"
        )
        print(f"{'ok' if good else 'not ok'} {number} - {kind[0]}")
        for rule, tally in score.rule.items():
            total[rule] = [a + b for a, b in zip(total[rule], tally)]
    for rule, (right, missed, wrong) in total.items():
        print(f"# | {rule} | {right} | {missed} | {wrong} |")
    sys.exit(failed)


if __name__ == "__main__":
    main()
