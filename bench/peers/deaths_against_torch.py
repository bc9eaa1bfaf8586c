#!/usr/bin/python3
"""Dead units and test accuracy of the same network trained by PyTorch and by relume, over several seeds.

    bench/peers/deaths_against_torch.py --relume build/relume --seeds 5

Fashion-MNIST, 784-512-512-10, He-normal weights, zero biases, batch 128, 3 epochs, each optimizer and rate of the list below.
The two draw different weights and orders, so the comparison is one of distributions: each row gives the least, the
median and the greatest over the seeds. Needs Debian's python3-torch and dataset-fashion-mnist; about 10 s a PyTorch run.
"""
import argparse
import gzip
import json
import os
import shutil
import statistics
import subprocess
import tempfile

SETTINGS = [
    ("sgd", 0.1),
    ("sgd", 0.5),
    ("momentum", 0.1),
    ("adam", 0.001),
    ("adam", 0.01),
    ("adam", 0.03),
]
HIDDEN = (512, 512)
EPOCHS, BATCH = 3, 128
DATA = os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist")


def read_idx(name, offset):
    import numpy as np

    with gzip.open(os.path.join(DATA, name)) as file:
        return np.frombuffer(file.read(), np.uint8, offset=offset)


def load(part):
    import torch

    x = read_idx(f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    y = read_idx(f"{part}-labels-idx1-ubyte.gz", 8)
    return torch.from_numpy(x.astype("float32") / 255), torch.from_numpy(y.astype("int64"))


def train_torch(optimizer, rate, seed, train, test):
    """Dead units by hidden layer over the whole training set, and test accuracy, after EPOCHS epochs."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    widths = (784, *HIDDEN)
    hidden = [nn.Linear(a, b) for a, b in zip(widths, HIDDEN)]
    last = nn.Linear(HIDDEN[-1], 10)
    for layer in (*hidden, last):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)
    parameters = [p for layer in (*hidden, last) for p in layer.parameters()]
    make = {
        "sgd": lambda: torch.optim.SGD(parameters, rate),
        "momentum": lambda: torch.optim.SGD(parameters, rate, momentum=0.9),
        "adam": lambda: torch.optim.Adam(parameters, rate),
    }[optimizer]
    update = make()
    x, y = train
    for _ in range(EPOCHS):
        order = torch.randperm(len(x))
        for i in range(0, len(x), BATCH):
            pick = order[i : i + BATCH]
            z = x[pick]
            for layer in hidden:
                z = torch.relu(layer(z))
            loss = nn.functional.cross_entropy(last(z), y[pick])
            update.zero_grad(set_to_none=True)
            loss.backward()
            update.step()
    with torch.no_grad():
        dead, z = [], x
        for layer in hidden:
            z = torch.relu(layer(z))
            dead.append(int(((z > 0).sum(0) == 0).sum()))
        z = test[0]
        for layer in hidden:
            z = torch.relu(layer(z))
        accuracy = float((last(z).argmax(1) == test[1]).double().mean())
    return dead, accuracy


def train_relume(program, optimizer, rate, seed):
    folder = tempfile.mkdtemp(prefix="relume-peer-")
    try:
        command = [program, "train", "fashion-mnist", "-o", os.path.join(folder, "run"), "--json", "--progress", "off"]
        command += ["--hidden", ",".join(map(str, HIDDEN)), "--epochs", str(EPOCHS), "--batch", str(BATCH)]
        command += ["--optimizer", optimizer, "--lr", str(rate), "--seed", str(seed), "--census", "final"]
        command += ["--schedule", "constant", "--init", "he-normal", "--checkpoint", "epoch"]
        told = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        result = json.loads(told.stdout)
        return [layer["dead"] for layer in result["layers"]], result["test"]["accuracy"]
    finally:
        shutil.rmtree(folder)


def spread(values, form):
    values = sorted(values)
    return "/".join(form.format(v) for v in (values[0], statistics.median(values), values[-1]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--relume", default="build/relume", help="the program to compare (default: build/relume)")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", choices=("torch", "relume"), help="run just one of the two")
    arguments = parser.parse_args()
    peers = {}
    if arguments.only != "relume":
        train, test = load("train"), load("t10k")
        peers["torch"] = lambda o, r, s: train_torch(o, r, s, train, test)
    if arguments.only != "torch":
        peers["relume"] = lambda o, r, s: train_relume(arguments.relume, o, r, s)
    print(f"{'optimizer':10}{'rate':>7}  {'who':8}{'dead h1':>14}{'dead h2':>14}{'accuracy':>20}   (least/median/greatest)")
    for optimizer, rate in SETTINGS:
        for who, run in peers.items():
            runs = [run(optimizer, rate, seed) for seed in range(arguments.seeds)]
            h1, h2 = (spread([dead[k] for dead, _ in runs], "{:.0f}") for k in range(2))
            accuracy = spread([a for _, a in runs], "{:.3f}")
            print(f"{optimizer:10}{rate:>7g}  {who:8}{h1:>14}{h2:>14}{accuracy:>20}", flush=True)


if __name__ == "__main__":
    main()
