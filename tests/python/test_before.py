"""forecast, sweep, explain and train --warn through the program: numbers against NumPy, JSON against the schemas, 80 columns.

    test_before.py PROBE PROGRAM: PROBE is not used; all tests here are called alike"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np

PROGRAM = str(pathlib.Path(sys.argv[2]).resolve())
DOCS = pathlib.Path(__file__).parents[2] / "docs"
faults = 0


def check(holds, what):
    global faults
    if not holds:
        faults += 1
        print("FAILED:", what)


def relume(*arguments, expect=0, **environment):
    env = dict(os.environ, COLUMNS="80", NO_COLOR="1", **environment)
    done = subprocess.run([PROGRAM, *map(str, arguments)], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    check(done.returncode == expect, f"{arguments}: exit {done.returncode}, expected {expect}: {done.stderr.decode()[-300:]}")
    return done.stdout.decode("utf-8", "strict"), done.stderr.decode()


def document(name, *arguments, expect=0):
    text = relume(*arguments, "--json", expect=expect)[0]
    found = json.loads(text, parse_constant=lambda word: check(False, f"{word} is no JSON"))
    try:
        import jsonschema
    except ImportError:
        print("# python3-jsonschema is not installed: schemas not checked")
        return found
    schema = json.loads((DOCS / f"schemas/{name}-1.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    for error in jsonschema.Draft7Validator(schema).iter_errors(found):
        check(False, f"{name}: {'/'.join(map(str, error.path))}: {error.message[:200]}")
    check(list(found) == list(schema["properties"]), f"{name}: fields in another order than the schema's")
    return found


def looks_right(arguments, what):
    """No line beyond 80 columns, none with blanks at its end; plain ASCII in the C locale, no control characters anywhere."""
    for locale in ("C.UTF-8", "C"):
        text = relume(*arguments, LC_ALL=locale)[0]
        for line in text.splitlines():
            check(len(line) <= 80, f"{what}, {locale}: {len(line)} columns: {line}")
            check(line == line.rstrip(), f"{what}, {locale}: blanks at the end of: {line}")
            check("\x1b" not in line, f"{what}: an escape sequence with NO_COLOR")
        check(locale != "C" or text.isascii(), f"{what}: not ASCII in the C locale")


# ---- explain: every number again, from the file of weights ----

def tensors(path):
    raw = pathlib.Path(path).read_bytes()
    end = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:end])
    return {name: np.frombuffer(raw[end + at["data_offsets"][0]:end + at["data_offsets"][1]], "<f4").reshape(at["shape"])
            for name, at in header.items() if name != "__metadata__"}


def fma(a, b, c):
    """float32 fused multiply-add, exactly: a·b is exact in double; the double sum is rounded to odd (its error from TwoSum
    tells whether it is exact), and 53 bits are enough for the second rounding to be innocuous."""
    product, c = float(a) * float(b), float(c)
    total = product + c
    back = total - product
    error = (product - (total - back)) + (c - back)
    if error != 0 and np.float64(total).view(np.int64) & 1 == 0:
        total = float(np.nextafter(total, np.inf if error > 0 else -np.inf))
    return np.float32(total)


def chain(a, b):
    total = np.float32(0)
    for left, right in zip(a, b):
        total = fma(left, right, total)
    return total


def test_explain(folder):
    run = folder / "run"
    relume("train", "digits", "--holdout", "0.2", "--hidden", "24,16", "--optimizer", "sgd", "--lr", "0.3", "--epochs", "4", "-o", run)
    weights = tensors(run / "model.safetensors")
    layers = ["h1", "h2", "out"]
    # what each layer is fed on sample 5, chain by chain, begins with the x that explain shows for h1
    x = [np.float32(document("explain", "explain", run, "h1.0", "--sample", 5)["x"])]
    for name in layers[:-1]:
        p = [chain(x[-1], row) + b for row, b in zip(weights[name + ".weight"], weights[name + ".bias"])]
        x.append(np.maximum(np.float32(p), 0))
    seen = set()
    for depth, name in enumerate(layers):
        for unit in range(0, len(weights[name + ".bias"]), 3):
            e = document("explain", "explain", run, f"{name}.{unit}", "--sample", 5, "--lr", "0.25")
            w, b = weights[name + ".weight"][unit], weights[name + ".bias"][unit]
            here = f"{name}.{unit}"
            check(np.array_equal(np.float32(e["x"]), x[depth]), f"{here}: x")
            check(np.array_equal(np.float32(e["w"]), w) and np.float32(e["b"]) == b, f"{here}: w, b")
            p = chain(x[depth], w) + b
            check(np.float32(e["p"]) == p, f"{here}: p is {e['p']}, the chain gives {p}")
            last = name == "out"
            gate = last or p > 0
            check(np.float32(e["z"]) == (p if gate else 0) and e["gate_open"] == gate, f"{here}: gate")
            if last:
                q = np.exp(np.float64(e["logits"]) - max(e["logits"]))
                dz = (q / q.sum())[unit] - (unit == e["sample"]["label_index"])
                # float32 softmax: a few roundings of relative 2^-24 on numbers up to 1
                check(abs(e["dz"] - dz) <= 16 * 2.0 ** -24, f"{here}: dz {e['dz']} against {dz}")
            else:
                column = weights[layers[depth + 1] + ".weight"][:, unit]
                check(np.array_equal(np.float32(e["above_w"]), column), f"{here}: outgoing weights")
                check(np.float32(e["dz"]) == chain(np.float32(e["above_dp"]), column), f"{here}: dz")
            dp = np.float32(e["dz"]) if gate else np.float32(0)
            dw = dp * x[depth]
            check(np.float32(e["dp"]) == dp and np.array_equal(np.float32(e["dw"]), dw) and np.float32(e["db"]) == dp, f"{here}: dW row")
            after = [fma(np.float32(-0.25), g, v) for g, v in zip(dw, w)]
            check(np.float32(e["p_after"]) == chain(x[depth], after) + fma(np.float32(-0.25), dp, b), f"{here}: p after")
            seen.add((name, bool(gate)))
    check(seen >= {("h1", True), ("h1", False), ("h2", True), ("h2", False)}, f"both sides of the gates: {seen}")
    check_choice(run)
    check_paste(folder, run)
    for unit in ([], ["h2"], ["out.3"]):
        looks_right(["explain", run, *unit], f"explain {unit}")


def check_choice(run):
    """The unit chosen is dead by the census, the sample the nearest to its gate; and the text proves what it says."""
    e = document("explain", "explain", run)
    layer, unit = e["unit"].split(".")
    dataset = ["digits", "--holdout", "0.2"]
    census = json.loads(relume("census", run, *dataset, "--units", "--json")[0])["units"]
    dead = [u for u in census if u["state"] == "dead"]
    check(dead, "the run has dead units")
    best = max(dead, key=lambda u: u["margin"])
    check((layer, int(unit)) == (best["layer"], best["unit"]), f"chosen {e['unit']}, the census says {best}")
    check(e["over_split"]["active"] == 0 and e["over_split"]["dead"] and e["p"] == e["over_split"]["margin"] == best["margin"], "the nearest sample")
    check(set(e["dw"]) == {0.0} and e["db"] == 0 and not e["gate_open"], "a dead unit's row is zeros")
    text = relume("explain", run, next(f"{u['layer']}.{u['unit']}" for u in dead if u["layer"] == "h1"))[0]
    check("it stays dead on this data" in text and "row of 64 zeros" in text, "the proof for a dead unit of h1")
    alive = next(u for u in census if u["state"] == "alive" and u["layer"] == "h1")
    e = document("explain", "explain", run, f"h1.{alive['unit']}")
    check(e["gate_open"] and e["over_split"]["active"] == alive["active"], "a living unit gets a sample that fires it")


def check_paste(folder, run):
    """The lines of NumPy run as they stand, and print equal numbers."""
    for unit in ("h1.5", "h2.2", "out.1"):
        text = relume("explain", run, unit)[0]
        shell = re.search(r"^  relume (explain .*) >explain.json$", text, re.M).group(1)
        (folder / "explain.json").write_text(subprocess.run([PROGRAM, *shell.split()], stdout=subprocess.PIPE, check=True).stdout.decode())
        lines = text[text.index("import json"):]
        said = subprocess.run([sys.executable, "-c", lines], cwd=folder, stdout=subprocess.PIPE, check=True).stdout.decode().split()
        # float32 sums of at most 64 terms of size 1 in another order: 64 * 2^-24 a sum, some room for the softmax
        check(abs(float(said[0]) - float(said[1])) < 1e-5 and abs(float(said[2]) - float(said[3])) < 1e-5 and float(said[4]) < 1e-5,
              f"{unit}: the pasted lines say {said}")


def test_explain_refuses(folder):
    run = folder / "run"
    for arguments, status, words in (((run, "h9.0"), 3, "no unit h9.0"), ((run, "h1.24"), 3, "h1.0 to h1.23"),
                                     ((run, "h1.0", "--sample", "9999"), 3, "sample 9999"),
                                     ((run / "model.safetensors", "h1.0"), 2, "--data"),
                                     ((run, "h1.0", "--holdout", "0.1"), 2, "--holdout")):
        check(words in relume("explain", *arguments, expect=status)[1], f"explain {arguments}: {words}")
    a = document("explain", "explain", run, "h1.3", "--sample", 7, "--lr", "1")
    b = document("explain", "explain", run / "model.safetensors", "h1.3", "--sample", 7, "--lr", "1", "--data", "digits", "--holdout", "0.2")
    check({**a, "model": b["model"]} == b, "a run and its model explain alike")


# ---- sweep: the same as the trainings one by one ----

def test_sweep(folder):
    common = ["digits", "--holdout", "0.2", "--hidden", "16,8", "--epochs", "2", "--batch", "64", "--census", "7"]
    swept = document("sweep", "sweep", *common, "--lr", "0.01,1,3,1e30", "--optimizers", "sgd,adam", "--inits", "he-normal,pytorch")
    check([len(swept["runs"]), len(swept["cliffs"])] == [16, 4], "four rates, four groups")
    check(any(r["diverged"] for r in swept["runs"]), "some rate diverges")
    for i, r in enumerate(swept["runs"]):
        path = folder / f"single-{i}"
        arguments = ["train", *common, "--lr", r["learning_rate"], "--optimizer", r["optimizer"], "--init", r["init"], "-o", path]
        if r["diverged"]:
            relume(*arguments, expect=6)
            check(r["test"]["accuracy"] is None, "no accuracy after divergence")
            continue
        single = json.loads(relume(*arguments, "--json")[0])
        for key in ("epochs", "steps", "train", "test", "ledger"):
            check(single[key] == r[key], f"sweep row {i}: {key} {r[key]}, a run alone {single[key]}")
        check([l["dead"] for l in single["layers"]] == [l["dead_at_end"] for l in r["layers"]], f"sweep row {i}: dead by layer")
    kept = document("sweep", "sweep", *common, "--lr", "0.01,3", "-o", folder / "kept")
    again = document("sweep", "sweep", *common, "--lr", "0.01,3", "-o", folder / "kept")
    memory = document("sweep", "sweep", *common, "--lr", "0.01,3")
    for a, b, c in zip(kept["runs"], again["runs"], memory["runs"]):
        for one in (a, b, c):
            del one["seconds"]
        check(a == b, "the same command again finds the runs finished")
        check((folder / "kept" / a["run"] / "model.safetensors").exists(), "runs are kept")
        check({**a, "run": None} == c, "kept and in memory count alike")
    check([r["learning_rate"] for r in document("sweep", "sweep", *common, "--lr", "0.001..10", "--points", "5")["runs"]]
          == [0.001, 0.01, 0.1, 1, 10], "rates are spread over the powers of ten")
    looks_right(["sweep", *common, "--lr", "0.01..10", "--points", "20", "--optimizers", "sgd,adam"], "sweep")
    for arguments, words in ((("--lr", "1..0.1"), "LOW..HIGH"), (("--lr", "0.1,zero"), "zero"), (("--inits", "he"), "none of"), (("--lr", "0.1,,1"), '""')):
        check(words in relume("sweep", *common, *arguments, expect=2)[1], f"sweep {arguments}")


def test_sweep_stops():
    child = subprocess.Popen([PROGRAM, "sweep", "digits", "--hidden", "64", "--lr", "0.001..10", "--points", "200", "--epochs", "200", "--json"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stderr.readline()  # the first training is done
    child.send_signal(2)
    out, _ = child.communicate(timeout=60)
    found = json.loads(out)
    check(child.returncode == 130 and 1 <= len(found["runs"]) < found["planned"] == 200, f"Ctrl-C: exit {child.returncode}")


# ---- forecast: closed forms where they hold, an independent Monte Carlo elsewhere ----

def save(path, x):
    np.savez(path, X=np.float32(x), y=np.arange(len(x)) % 2)


def monte_carlo(x, hidden, draw, seeds, rng):
    """Shares born dead by layer, a row a network."""
    shares = []
    for _ in range(seeds):
        z, row = x, []
        for units in hidden:
            w, b = draw(rng, units, z.shape[1])
            p = z @ w.T + b
            row.append((p <= 0).all(0).mean())
            z = np.maximum(p, 0)
        shares.append(row)
    return np.array(shares)


def test_forecast(folder):
    n = 9
    save(folder / "half.npz", np.hstack([np.ones((n, 1)), np.eye(n)]))  # equal norms, every cosine one half
    f = document("forecast", "forecast", folder / "half.npz", "--hidden", "400", "--seeds", "60", "--steps", "0")
    layer = f["forecast"]["layers"][0]
    # the integral is good to 1e-12 and the moments are exact but for double rounding
    check(abs(layer["expected"] - 1 / (n + 1)) < 1e-11, f"cosine one half: {layer['expected']} against 1/{n + 1}")
    check(f["learning_rate"] is None, "--steps 0 looks for no rate")
    # 24,000 independent units: five deviations of a binomial share
    check(abs(layer["measured"] - 0.1) <= 5 * np.sqrt(0.1 * 0.9 / 24000), f"cosine one half, measured: {layer['measured']}")

    save(folder / "one.npz", [[0.3, -1.0, 2.0]])
    f = document("forecast", "forecast", folder / "one.npz", "--hidden", "2,3,1", "--seeds", "4000", "--steps", "0")["forecast"]
    truth = 1 - (1 - 2.0 ** -2) * (1 - 2.0 ** -3) * (1 - 2.0 ** -1)
    check(abs(f["network_dead_at_a_point"] - truth) < 1e-15, "Lu et al.")
    check(abs(f["networks_dead"] / 4000 - truth) <= 5 * np.sqrt(truth * (1 - truth) / 4000), f"Lu et al., measured: {f['networks_dead']}")

    rng = np.random.default_rng(5)
    cloud = rng.normal(0, 1, (150, 12)) + rng.normal(0, 2, 12)
    save(folder / "cloud.npz", cloud)
    x = np.float32(cloud).astype(float)
    he = lambda r, m, k: (r.normal(0, np.sqrt(2 / k), (m, k)), 0)
    uniform = lambda r, m, k: (r.uniform(-1, 1, (m, k)) * np.sqrt(6 / k), 0)
    torch = lambda r, m, k: (r.uniform(-1, 1, (m, k)) / np.sqrt(k), r.uniform(-1, 1, m) / np.sqrt(k))
    for init, draw in (("he-normal", he), ("he-uniform", uniform), ("pytorch", torch)):
        f = document("forecast", "forecast", folder / "cloud.npz", "--hidden", "40,30", "--init", init, "--seeds", "200", "--steps", "0")["forecast"]
        gamma = np.linalg.norm(x.mean(0)) / np.sqrt(((x - x.mean(0)) ** 2).sum(1).mean())
        check(abs(f["gamma"] - gamma) < 1e-6 * gamma, f"gamma {f['gamma']} against {gamma}")
        other = monte_carlo(x, [40, 30], draw, 200, rng)
        for k, layer in enumerate(f["layers"]):
            # both means have a standard error from the spread between networks; the seeds are fixed
            error = np.hypot(layer["standard_error"], other[:, k].std(ddof=1) / np.sqrt(200))
            check(abs(layer["measured"] - other[:, k].mean()) <= 5 * error, f"{init} h{k + 1}: {layer['measured']} against {other[:, k].mean()} +- {error}")
            check(layer["measured"] > 0.01, f"{init} h{k + 1}: something is born dead, else nothing was tested")
    wide = document("forecast", "forecast", folder / "cloud.npz", "--hidden", "8", "--standardize", "--seeds", "2", "--steps", "0")["forecast"]
    check(wide["gamma"] < 1e-6 and wide["standardize"], "standardized inputs are centred")


def test_forecast_rate(folder):
    """The rate found kills nobody in so many steps, the lethal one kills the unit named at the step named: by plain training."""
    common = ["digits", "--hidden", "20,12", "--optimizer", "sgd", "--batch", "64", "--seed", "3"]
    rate = document("forecast", "forecast", *common, "--seeds", "1", "--steps", "15")["learning_rate"]
    check(rate["safe"] > 0 and rate["safe"] < rate["lethal"] <= 1.05 * rate["safe"], f"safe and lethal: {rate}")
    for name, lr in (("safe", rate["safe"]), ("lethal", rate["lethal"])):
        relume("train", *common, "--lr", repr(lr), "--epochs", "1", "--census", "1", "-o", folder / name)
    import sqlite3
    events = {name: sqlite3.connect(folder / name / "history.sqlite").execute(
        "SELECT layer, unit, step FROM event WHERE kind = 'killed' ORDER BY step").fetchall() for name in ("safe", "lethal")}
    check(all(step > 15 for _, _, step in events["safe"]), f"a death at the safe rate: {events['safe'][:3]}")
    first = events["lethal"][0][2]
    check(first == rate["step"] <= 15, f"the first death is of step {first}, forecast {rate['step']}")
    looks_right(["forecast", *common, "--seeds", "3"], "forecast")


# ---- train --warn ----

def test_warn(folder):
    common = ["train", "digits", "--hidden", "64,64", "--optimizer", "sgd", "--lr", "1", "--census", "20", "--epochs", "4"]
    quiet = relume(*common, "-o", folder / "quiet")[1]
    check("died" not in quiet, "no warning without --warn")
    told = relume(*common, "--warn", "-o", folder / "told")[1]
    warnings = re.findall(r"^warning: (\d+) units? died (?:at step \d+|in steps \d+ to \d+), learning rate 1; (\d+) of 128 are dead after step (\d+)$", told, re.M)
    check([int(step) for *_, step in warnings][:2] == [20, 40], f"a warning a census: {warnings}")
    check(re.search(r"h1\.\d+ \(step \d+\)", told), "a unit of h1 under plain SGD is told with its step")
    limit = ["--warn", "--fail-if-dead", "10%"]
    told = relume(*common, *limit, "-o", folder / "limited", expect=1)[1]
    check("ended early after step 21" in told and "check failed: 31 of 128" in told, f"stopped at the limit: {told[-400:]}")
    ended = document("train", *common, *limit, "-o", folder / "json", expect=1)
    check((ended["ended"], ended["steps"], ended["ledger"]["dead_at_end"]) == ("too many dead units", 21, 31), f"{ended}")
    check(sum(layer["dead"] for layer in ended["layers"]) == 31, "the layers are those of the census that ended it")
    check(not (folder / "limited/model.safetensors").exists(), "an unfinished run has no final model")
    relume(*common, "--resume", "-o", folder / "limited")
    same = (folder / "limited/model.safetensors").read_bytes() == (folder / "quiet/model.safetensors").read_bytes()
    check(same, "resumed after the limit: the bytes of a run never stopped")


def test_forecast_of_run(folder):
    """A run's forecast is that of its own options, and stays with it; its report shows it and the run's siblings."""
    options = ["--hidden", "20,12", "--holdout", "0.2", "--standardize", "--init", "pytorch", "--batch", "100", "--optimizer", "adam", "--seed", "4",
               "--warmup", "3", "--clip-norm", "2.5", "--weight-decay", "0.01", "--decay-bias"]
    few = ["--seeds", "4", "--steps", "4"]
    runs = folder / "runs"
    relume("sweep", "digits", *options, "--lr", "0.01,0.3", "--epochs", "2", "-o", runs)
    run = runs / "lr-0.3"
    of_run = document("forecast", "forecast", run, *few)
    of_data = document("forecast", "forecast", "digits", *options, *few)
    check(of_run == of_data, "the forecast of a run is that of its options")
    report = json.loads(relume("report", run, "--json")[0])
    kept = report["forecast"]
    layers = of_run["forecast"]["layers"]
    check([l["born_dead_fraction"] for l in kept["layers"]] == [l["measured"] for l in layers], "shares measured, as kept")
    check([l["expected"] for l in kept["layers"]] == [l["expected"] for l in layers], "shares expected, as kept")
    check([l["owed_to"] for l in kept["layers"]] == [l["owed_to"] for l in layers], "what is to blame, as kept")
    rate = of_run["learning_rate"]
    check((kept["safe_learning_rate"], kept["lethal_learning_rate"], kept["steps"]) == (rate["safe"], rate["lethal"], 4), "the rate, as kept")
    sweep = document("sweep", "sweep", "digits", *options, "--lr", "0.01,0.3", "--epochs", "2", "-o", runs)
    for row, told in zip(report["sweep"]["rows"], sweep["runs"]):
        same = ["learning_rate", "epochs", "steps", "diverged", "train", "test", "hidden_units"]
        check(row["run"] == told["run"] and [row[key] for key in same] == [told[key] for key in same], f"a row of the sweep: {row} and {told}")
        check([row[key] for key in ("born_dead", "deaths", "revivals", "dead")] == list(told["ledger"].values()), f"counts of the sweep: {row} and {told}")
    check(report["sweep"]["best_lr"] == sweep["cliffs"][0]["best_lr"], "the best rate")
    refused = relume("forecast", run, "--batch", "5", expect=2)[1]
    check("--batch" in refused and "its own settings" in refused, f"an option of the run's own: {refused}")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        test_explain(folder)
        test_explain_refuses(folder)
        test_sweep(folder)
        test_sweep_stops()
        test_forecast(folder)
        test_forecast_rate(folder)
        test_forecast_of_run(folder)
        test_warn(folder)
    print(f"{faults} faults")
    return 1 if faults else 0


sys.exit(main())
