"""Small random trainings through the program, done again in NumPy update by update (arithmetic.py), for the tests that hold what
the program writes against that."""
import os
import subprocess
import types

import numpy

import arithmetic
import tensors

F = numpy.float32
INITS = ["he-normal", "he-uniform", "xavier-normal", "xavier-uniform", "lecun-normal", "pytorch", "orthogonal"]


def draw(random):
    """Settings and data of one training."""
    s = types.SimpleNamespace(points=(), seed=int(random.integers(1 << 30)))
    samples, features = int(random.integers(3, 40)), int(random.integers(1, 20))
    s.hidden = [int(units) for units in random.integers(1, 12, random.integers(1, 5))]
    s.loss = str(random.choice(["softmax", "mse", "bce"]))
    s.x = (random.standard_normal((samples, features)) * (random.random((samples, features)) > 0.3)).astype(F)
    s.x += F(random.integers(0, 3))
    if random.random() < 0.2:
        s.x[random.random(s.x.shape) < 0.2] = -0.0
    if random.random() < 0.1:
        s.x *= F(1e-20)
    outputs = int(random.integers(2, min(6, samples) + 1))
    s.classes = s.loss == "softmax" or random.random() < 0.3
    if s.classes:
        s.y = numpy.concatenate([numpy.arange(outputs), random.integers(0, outputs, samples - outputs)])
    else:
        s.y = (random.random((samples, outputs)) if s.loss == "bce" else random.standard_normal((samples, outputs))).astype(F)
    s.optimizer = str(random.choice(["sgd", "momentum", "nesterov", "adam", "adamw"]))
    s.rate = float(10 ** (random.uniform(-4, -0.5) if s.optimizer.startswith("adam") else random.uniform(-3, 1)))
    s.momentum, s.decay = float(random.choice([0.9, 0.5, 0.0])), float(random.choice([0, 0, 0.01, 0.3]))
    s.decay_bias, s.shuffle, s.dense = (bool(random.random() < share) for share in (0.5, 0.6, 0.3))
    s.clip, s.warmup = float(random.choice([0, 0, 0.5, 0.01])), int(random.choice([0, 0, 3, 50]))
    s.schedule = str(random.choice(["constant", "step", "cosine", "points"]))
    if s.schedule == "points":
        s.points = ((2, s.rate * 2), (5, s.rate / 3))
    s.batch, s.epochs = int(random.choice([1, 2, 3, 7, 16, 200])), int(random.integers(1, 4))
    s.init, s.holdout = str(random.choice(INITS)), float(random.choice([0, 0, 0.2, 0.34]))
    s.census = str(random.choice(["1", "1", "4", "epoch", "final"]))
    return s


def train(program, folder, s):
    """Trains into folder/run with a checkpoint after every update; gives back the exit status and what was said."""
    numpy.savez(os.path.join(folder, "data.npz"), X=s.x, y=s.y)
    schedule = ",".join(f"{step}:{rate!r}" for step, rate in s.points) or s.schedule
    options = {"hidden": ",".join(map(str, s.hidden)), "epochs": s.epochs, "batch": s.batch, "optimizer": s.optimizer, "lr": s.rate,
               "momentum": s.momentum, "weight-decay": s.decay, "warmup": s.warmup, "schedule": schedule, "init": s.init,
               "loss": s.loss, "seed": s.seed, "census": s.census, "checkpoint": 1, "progress": "off", "threads": 1}
    options.update({"clip-norm": s.clip} if s.clip else {}, **({"holdout": s.holdout} if s.holdout else {}))
    flags = [("--decay-bias", s.decay_bias), ("--no-shuffle", not s.shuffle), ("--dense", s.dense)]
    command = [program, "train", "data.npz", "-o", "run", *(f"--{name}={value}" for name, value in options.items()),
               *(flag for flag, on in flags if on)]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    s.command = " ".join(command[1:])
    return done.returncode, done.stderr.decode()


def checkpoint(folder, step):
    path = os.path.join(folder, f"run/checkpoints/step-{step}.safetensors")
    return tensors.read(path) if os.path.exists(path) else None


def names(s):
    return [f"h{i + 1}" for i in range(len(s.hidden))] + ["out"]


def layers_of(found, s):
    return [(found[name + ".weight"].copy(), found[name + ".bias"].copy()) for name in names(s)]


def split(s):
    """The training samples, as relume works with them: features, targets, labels (None: there are no classes)."""
    rows = arithmetic.holdout(s.seed, len(s.x), s.holdout)[0] if s.holdout else numpy.arange(len(s.x))
    y, classes = s.y, int(s.y.max()) + 1 if s.classes else 0
    if s.classes and s.loss != "softmax":
        y = (s.y[:, None] == numpy.arange(classes)).astype(F)
    return s.x[rows], y[rows], s.y[rows] if s.classes else None


def follow(s, layers, x, y):
    """Yields a state before every update, what went into it, and last the state at the end (with no gradient). Ends before an
    update whose batch gives what is not finite."""
    optimizer = arithmetic.Optimizer(s.optimizer, s.momentum, s.decay, s.decay_bias)
    s1, s2 = ([tuple(numpy.zeros_like(tensor) for tensor in layer) for layer in layers] for _ in range(2))
    per_epoch, step = -(-len(x) // s.batch), 0
    for epoch in range(s.epochs):
        order = arithmetic.epoch_order(s.seed, epoch, len(x)) if s.shuffle else numpy.arange(len(x))
        for begin in range(0, len(x), s.batch):
            rows, step = order[begin : begin + s.batch], step + 1
            pre, fed = arithmetic.run(layers, x[rows])
            losses, dlogits = arithmetic.loss(s.loss, pre[-1], y[rows])
            if not all(numpy.isfinite(p).all() for p in [*pre, losses]):
                return
            raw = arithmetic.gradients(layers, pre, fed, dlogits)
            length = arithmetic.norm(raw)
            clipped = bool(s.clip) and length > s.clip
            scale = F(s.clip / length) if clipped else F(1)
            grads = [tuple(g * scale for g in layer) for layer in raw] if clipped else raw
            rate = arithmetic.rate_at(s.schedule, s.rate, step, s.epochs * per_epoch, s.warmup, s.points)
            after = [[optimizer.update(w, g, a, b, rate, step, j == 1) for j, (w, g, a, b) in enumerate(zip(*parts))]
                     for parts in zip(layers, grads, s1, s2)]
            now = types.SimpleNamespace(step=step, epoch=epoch + 1, rows=rows, rate=rate, layers=layers, s1=s1, s2=s2, grads=grads,
                                        scale=scale, norm=length, losses=losses, pre=pre, fed=fed, optimizer=optimizer)
            layers, s1, s2 = ([tuple(tensor[i] for tensor in layer) for layer in after] for i in range(3))
            now.s2_after = s2
            yield now
    yield types.SimpleNamespace(step=step + 1, layers=layers, s1=s1, s2=s2, grads=None)
