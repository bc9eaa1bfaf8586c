#!/usr/bin/python3
"""Facts for the page without the engine: a few small networks trained in NumPy on scikit-learn's digits, and large made-up ones.

    sample.py healthy|dying|hostile|large [-o FILE]

It writes the document that `relume report RUN --json` prints (docs/schemas/report-1.json). The page's tests use it for what a real
run does not give in a second: names that attack the page, and 100,000 units over 200 epochs. Everything is drawn from
fixed seeds. It is no part of the program."""
import argparse
import base64
import json
import sys
import zlib

import numpy as np

HOSTILE = '</script><img src=x onerror="document.title=1">\u202egnp.\u2066'
KINDS = {"born dead": 0, "killed": 1, "revived": 2}


def packed(kind, values):
    """An array as the schema's `packed`: little-endian, zlib, base64."""
    numpy_kind = {"u8": "u1", "i8": "i1", "u16": "<u2", "u32": "<u4", "f32": "<f4"}[kind]
    values = np.ascontiguousarray(values).ravel().astype(numpy_kind)
    return {"type": kind, "count": int(values.size), "zlib": base64.b64encode(zlib.compress(values.tobytes(), 6)).decode()}


def codes(active, samples):
    """Firing rates in a byte: 0 dead and 255 always on are exact, the others are 1 + round(253 · rate)."""
    rate = np.rint(1 + 253 * (active / samples)).astype(int).clip(1, 254)
    return np.where(active == 0, 0, np.where(active == samples, 255, rate))


class Net:
    def __init__(self, widths, rng):
        self.w = [rng.normal(0, np.sqrt(2 / k), (n, k)) for k, n in zip(widths, widths[1:])]
        self.b = [np.zeros(n) for n in widths[1:]]

    def forward(self, x):
        zs, ps = [x], []
        for i, (w, b) in enumerate(zip(self.w, self.b)):
            p = zs[-1] @ w.T + b
            ps.append(p)
            zs.append(p if i + 1 == len(self.w) else np.maximum(p, 0))
        return zs, ps

    def score(self, x, y):
        logits = self.forward(x)[1][-1]
        logits = logits - logits.max(1, keepdims=True)
        loss = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(y)), y]
        return {"loss": float(loss.mean()), "accuracy": float((logits.argmax(1) == y).mean())}

    def step(self, x, y, lr):
        zs, ps = self.forward(x)
        e = np.exp(ps[-1] - ps[-1].max(1, keepdims=True))
        d = e / e.sum(1, keepdims=True)
        d[np.arange(len(y)), y] -= 1
        d /= len(y)
        ratio = []
        for i in reversed(range(len(self.w))):
            dw, db = d.T @ zs[i], d.sum(0)
            if i:
                d = (d @ self.w[i]) * (ps[i - 1] > 0)
            ratio.insert(0, float(np.log10(lr * np.linalg.norm(dw) / np.linalg.norm(self.w[i]) + 1e-12)))
            self.w[i] -= lr * dw
            self.b[i] -= lr * db
        return ratio


def trained(lr, widths, epochs, seed=3):
    """Trains, counts after every step, and returns the document."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    x, y = digits.data[order] / 16, digits.target[order]
    test_x, test_y, x, y = x[:359], y[:359], x[359:], y[359:]
    rng = np.random.default_rng(seed)
    net = Net([64, *widths, 10], rng)
    layers = len(widths)
    actives, margins, events, epoch_rows, ratios = [], [], [], [], []

    def count():
        ps = net.forward(x)[1][:-1]
        return [(p > 0).sum(0) for p in ps], [p.max(0) for p in ps]

    def end_epoch(epoch, step):
        a, m = count()
        actives.append(a)
        margins.append(m)
        train, test = net.score(x, y), net.score(test_x, test_y)
        epoch_rows.append((epoch, step, lr, train["loss"], train["accuracy"], test["loss"], test["accuracy"],
                           int(sum((k == 0).sum() for k in a))))

    end_epoch(0, 0)
    before = [a == 0 for a in actives[0]]
    for layer in range(layers):
        events += [(layer, int(u), "born dead", 0, 0) for u in np.flatnonzero(before[layer])]
    step = 0
    for epoch in range(1, epochs + 1):
        shuffled = rng.permutation(len(y))
        for at in range(0, len(y), 64):
            rows = shuffled[at:at + 64]
            ratio = net.step(x[rows], y[rows], lr)
            step += 1
            now = [a == 0 for a in count()[0]]
            for layer in range(layers):
                for u in np.flatnonzero(now[layer] != before[layer]):
                    events.append((layer, int(u), "killed" if now[layer][u] else "revived", step - 1, step))
            before = now
        ratios.append((step, ratio))
        end_epoch(epoch, step)
    return document(net, x, y, widths, lr, actives, margins, events, epoch_rows, ratios, step)


def document(net, x, y, widths, lr, actives, margins, events, rows, ratios, steps):
    samples, hidden = len(y), int(sum(widths))
    dead = int(sum((a == 0).sum() for a in actives[-1]))
    columns = list(zip(*rows))
    names = ["epoch", "step", "learning_rate", "train_loss", "train_accuracy", "test_loss", "test_accuracy", "dead"]
    layers = []
    for i, n in enumerate(widths):
        active = actives[-1][i]
        mine = [e for e in events if e[0] == i]
        layers.append({
            "layer": f"h{i + 1}", "name": f"h{i + 1}", "units": n, "dead": int((active == 0).sum()),
            "nearly_dead": int(((active > 0) & (active < 0.01 * samples)).sum()),
            "always_on": int((active == samples).sum()), "mute": 0,
            "mean_firing_rate": float((active / samples).mean()),
            **{key: sum(e[2] == kind for e in mine)
               for key, kind in [("born_dead", "born dead"), ("deaths", "killed"), ("revivals", "revived")]},
            "dead_by_epoch": [int((a[i] == 0).sum()) for a in actives],
            "update_ratio": {"step": [s for s, _ in ratios], "log10": [r[i] for _, r in ratios]},
            "active": packed("u32", active), "margin": packed("f32", margins[-1][i]),
            "mean_activation": packed("f32", np.maximum(net.forward(x)[1][i], 0).mean(0)),
        })
    width = max(1, -(-steps // 200))
    bins = [[0, 0] for _ in range(-(-steps // width))]
    for _, _, kind, _, at in events:
        if at:
            bins[(at - 1) // width][kind == "revived"] += 1
    return {
        "schema": "relume.report/1", "relume": "0.1.0", "run": "run", "state": "finished",
        "complete_to": {"epoch": rows[-1][0], "step": steps}, "model_step": steps, "best_epoch": 0,
        "dataset": {"name": "digits", "split": "train", "samples": samples, "features": 64, "image": [8, 8],
                    "classes": [str(k) for k in range(10)], "columns": None, "trouble": None},
        "network": {"widths": [64, *widths, 10], "parameters": int(sum(w.size for w in net.w) + sum(b.size for b in net.b)),
                    "parameters_without_dead": 1000},
        "settings": {"optimizer": "sgd", "learning_rate": str(lr), "batch_size": "64", "init": "he-normal", "seed": "3"},
        "score": {"train": {"loss": rows[-1][3], "accuracy": rows[-1][4]}, "test": {"loss": rows[-1][5], "accuracy": rows[-1][6]}},
        "ledger": {"born_dead": sum(e[2] == "born dead" for e in events), "deaths": sum(e[2] == "killed" for e in events),
                   "revivals": sum(e[2] == "revived" for e in events), "dead_at_end": dead},
        "hidden_units": hidden, "dead": dead, "dead_fraction": dead / hidden,
        "verdict": verdict(dead, hidden, rows),
        "epochs": {name: list(column) for name, column in zip(names, columns)},
        "steps": {"width": width, "step": [1 + i * width for i in range(len(bins))],
                  "deaths": [b[0] for b in bins], "revivals": [b[1] for b in bins]},
        "layers": layers,
        "output_layer": {"units": 10, "update_ratio": {"step": [s for s, _ in ratios], "log10": [r[-1] for _, r in ratios]}},
        "map": {"encoding": "counts", "of": len(rows), "step": [r[1] for r in rows], "epoch": [r[0] for r in rows],
                "accuracy": [r[4] for r in rows], "layers": [packed("u32", [a[i] for a in actives]) for i in range(len(widths))],
                "margins": [packed("f32", [m[i] for m in margins]) for i in range(len(widths))]},
        "events": {"count": len(events), "kept": len(events), "exact": len(events), "layer": packed("u8", [e[0] for e in events]),
                   "unit": packed("u32", [e[1] for e in events]), "kind": packed("u8", [KINDS[e[2]] for e in events]),
                   "after_step": packed("u32", [e[3] for e in events]), "step": packed("u32", [e[4] for e in events])},
        **details(net, x, y, widths),
        **autopsy(events, widths, margins, lr), "sweep": sweep(lr), "forecast": None,
    }


def details(net, x, y, widths, bins=64, k=6):
    ps = net.forward(x)[1]
    layer, unit, width, counts, bias, norm, top, top_p = [], [], [], [], [], [], [], []
    for i, n in enumerate(widths):
        for u in range(n):
            p = ps[i][:, u]
            order = np.argsort(-p, kind="stable")[:k]
            w = 2.0 ** np.ceil(np.log2(np.abs(p).max() + 1e-30)) / (bins // 2)
            layer.append(i), unit.append(u), width.append(w)
            counts.append(np.bincount((np.ceil(p / w).astype(int) - 1 + bins // 2).clip(0, bins - 1), minlength=bins))
            bias.append(net.b[i][u]), norm.append(np.linalg.norm(net.w[i][u]))
            top.append(order), top_p.append(p[order])
    used = np.unique(np.array(top))
    w = net.w[0]
    scale = np.abs(w).max(1)
    return {
        "units": {"of": len(unit), "count": len(unit), "layer": packed("u8", layer), "unit": packed("u32", unit),
                  "bins": bins, "width": packed("f32", width), "histogram": packed("u32", counts),
                  "bias": packed("f32", bias), "weight_norm": packed("f32", norm),
                  "top": {"each": k, "sample": packed("u32", top), "p": packed("f32", top_p)},
                  "weights": {"columns": 64, "rows": len(w), "scale": packed("f32", scale),
                              "value": packed("i8", np.rint(127 * w / scale[:, None]))}},
        "samples": {"count": len(used), "index": packed("u32", used), "label": packed("u32", y[used]),
                    "image": packed("u8", np.rint(x[used] * 255))},
    }


def autopsy(events, widths, margins, lr):
    """Made-up causes of death in the form of relume.autopsy/1, and what they have in common."""
    last = {}
    for layer, u, kind, after, step in events:
        last[layer, u] = (kind, step)
    deaths, ways = [], {}
    for (layer, u), (kind, step) in sorted(last.items()):
        if kind == "revived":
            continue
        margin = float(margins[-1][layer][u])
        own = -abs(margin) * 1.4
        killed = kind == "killed"
        causes = (["gradient"] if layer == 0 else ["gradient", "below"]) if killed else ["uncentred inputs" if layer == 0 else "depth"]
        deaths.append({
            "unit": f"h{layer + 1}.{u}", "kind": kind, "step": step, "epoch": 1 + step // 23, "returned": None, "learning_rate": lr,
            "fired_before": 211 if killed else None, "margin_before": 0.31 if killed else None, "margin_after": margin, "sample": 17,
            "change": {"own_weights": own, "own_bias": own / 9, "below": 0.02 * layer, "gradient": own * 10 / 9, "momentum": 0.0,
                       "decay": 0.0, "rounding": 1e-6} if killed else None,
            "causes": causes, "overdetermined": False, "layer_deaths": 2, "bias": -0.02, "input_gamma": 1.7 if not killed else None,
            "update_ratio": 0.21 if killed else None, "update_percentile": 99.8 if killed else None,
            "run_percentile": 99.1 if killed else None, "largest_safe_lr": lr * 0.37 if killed else None,
            "lethal_lr": [lr * 0.37, lr * 4.2] if killed else None, "batch_loss": 0.7 if killed else None,
            "gradient_norm": 1.9 if killed else None,
            "pushers": [{"sample": 3, "push": own / 3, "norm_ratio": 1.4, "decisive": True}] if killed else [], "outlier": False, "drift": None,
            "prognosis": {"verdict": "frozen" if layer == 0 else "revivable", "revives_at": None, "never": layer == 0,
                          "looked_to": None, "as_of": step, "margin": -margin, "distance": 0.1,
                          "because": "h1 is fed by the data alone, and plain SGD moves nothing without a gradient"
                          if layer == 0 else "the layers below still move, so its inputs can change"},
        })
        way = ways.setdefault((layer, kind), {
            "layer": f"h{layer + 1}", "kind": kind, "causes": causes, "overdetermined": False, "deaths": 0, "first_step": step,
            "last_step": step, "never": 0, "returns": 0, "open": 0})
        way["deaths"] += 1
        way["last_step"] = max(way["last_step"], step)
        way["first_step"] = min(way["first_step"], step)
        way["never" if layer == 0 else "open"] += 1
    account = {"left_out": None, "deaths": len(deaths), "kept": len(deaths), "steps_repeated": 300, "starved": 0, "outliers": 0,
               "half_spared_at_lr": lr * 0.37, "causes": sorted(ways.values(), key=lambda way: -way["deaths"])}
    return {"autopsy": deaths, "autopsy_account": account}


def sweep(lr):
    """Made-up outcomes at other rates."""
    rates = [lr / 9, lr / 3, lr, 3 * lr]
    rows = [{"run": f"lr-{rate:.3g}", "own": rate == lr, "learning_rate": rate, "epochs": 12, "steps": 276, "diverged": i == 3,
             "train": {"loss": 0.2, "accuracy": 0.9}, "test": {"loss": 0.2 if i < 3 else None, "accuracy": 0.95 - 0.1 * i if i < 3 else None},
             "accuracy": 0.95 - 0.1 * i if i < 3 else None, "hidden_units": 192, "born_dead": 0, "deaths": 20 * i, "revivals": i,
             "dead": 18 * i, "dead_fraction": 18 * i / 192} for i, rate in enumerate(rates)]
    return {"rows": rows, "largest_lr_without_deaths": rates[0], "first_lr_with_deaths": rates[1], "first_lr_with_a_tenth_dead": rates[2],
            "best_lr": rates[0], "fall_lr": rates[2], "first_lr_diverged": rates[3], "says": f"Up to a rate of {rates[0]:.3g} no unit was killed."}


def verdict(dead, hidden, rows):
    if dead == 0:
        return {"tone": "well", "headline": f"All {hidden} hidden units are alive.",
                "points": [{"about": "accuracy", "text": f"Test accuracy is {rows[-1][6]:.1%} after epoch {rows[-1][0]}."},
                           {"about": "advice", "text": "Nothing needs to be done."}]}
    return {"tone": "harm" if dead > hidden / 2 else "harmless", "headline": f"{dead} of {hidden} hidden units are dead.",
            "points": [{"about": "accuracy", "text": f"Test accuracy is {rows[-1][6]:.1%} after epoch {rows[-1][0]}."},
                       {"about": "since", "text": "Half of them had died by step 9, in the first epoch."},
                       {"about": "cause", "text": "The main cause is the gradient step itself: at this learning rate one update carried them across."},
                       {"about": "return", "text": "Those in h1 are frozen: plain SGD cannot bring them back on these data."},
                       {"about": "advice", "text": "Train again with a learning rate of 0.37 or less."},
                       {"about": "gain", "text": "Half of the killed units would have lived through their fatal step at that rate."}]}


def hostile():
    facts = trained(2.5, [40, 24], 6)
    facts["run"] = HOSTILE + "/run"
    facts["dataset"].update(name=HOSTILE, classes=[HOSTILE + str(k) for k in range(10)], columns=[HOSTILE] * 64, image=None)
    facts["settings"]["data"] = HOSTILE
    facts["layers"][0]["name"] = HOSTILE
    facts["verdict"]["headline"] = HOSTILE
    return facts


def large(units=100_000, epochs=200, kept=17):
    """A network no one trains here, in the form a real report has at this size: rates in a byte, some epochs left out."""
    rng = np.random.default_rng(1)
    facts = trained(1.0, [32, 32], 3)
    samples = facts["dataset"]["samples"]
    half = units // 2
    index = np.unique(np.linspace(0, epochs, kept).round().astype(int))
    layers, fields = [], []
    for i in range(2):
        base = rng.beta(1.2, 2, half) * samples
        dies = np.where(rng.random(half) < 0.3, rng.integers(1, epochs, half), epochs + 1)
        field = [np.where(e >= dies, 0, np.clip(base * (1 + 0.05 * rng.normal(size=half)), 1, samples).astype(int)) for e in index]
        fields.append(packed("u8", [codes(f, samples) for f in field]))
        layers.append(dict(facts["layers"][i], units=half, dead=int((field[-1] == 0).sum()), update_ratio=None,
                           dead_by_epoch=[int((dies <= e).sum()) for e in range(epochs + 1)], active=packed("u32", field[-1]),
                           margin=packed("f32", np.where(field[-1] == 0, -1, 1) * rng.random(half)),
                           mean_activation=packed("f32", rng.random(half))))
    rows = [(e, e * 23, 1.0, 2 / (1 + e), 1 - 0.5 / (1 + e), 2.1 / (1 + e), 0.97 - 0.5 / (1 + e),
             sum(l["dead_by_epoch"][e] for l in layers)) for e in range(epochs + 1)]
    facts["epochs"] = {k: list(c) for k, c in zip(facts["epochs"], zip(*rows))}
    dead = sum(l["dead"] for l in layers)
    facts.update(layers=layers, hidden_units=units, dead=dead, dead_fraction=dead / units, complete_to={"epoch": epochs, "step": epochs * 23},
                 map={"encoding": "rates", "of": epochs + 1, "step": (index * 23).tolist(), "epoch": index.tolist(),
                      "accuracy": [rows[e][4] for e in index], "layers": fields, "margins": [None, None]})
    facts["network"]["widths"] = [64, half, half, 10]
    return facts


SAMPLES = {"healthy": lambda: trained(0.1, [96, 96], 12), "dying": lambda: trained(0.9, [96, 96], 12),
           "hostile": hostile, "large": large}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("which", choices=SAMPLES)
    parser.add_argument("-o", "--output")
    arguments = parser.parse_args()
    text = json.dumps(SAMPLES[arguments.which](), allow_nan=False)
    text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    with open(arguments.output, "w") if arguments.output else sys.stdout as file:
        file.write(text + "\n")
