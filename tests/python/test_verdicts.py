"""Verdicts of permanence where one would be false: small networks made by hand, whose dead unit does return when the same
training goes on, and units whose last count is older than their run. Each is trained for two updates and asked about, then trained for longer with a census after every update.

    test_verdicts.py PROGRAM
"""
import json
import os
import sqlite3
import subprocess
import sys
import tempfile

import numpy

import tensors

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
PROGRAM = os.path.abspath(sys.argv[1])


def floats(*values):
    return numpy.array(values, numpy.float32)


# h1 is dead as a whole and hands on 0, so what h2 says is its bias alone; that learns, and with it moves what feeds h3.0.
ABOVE_A_DEAD_LAYER = {
    "h1.weight": floats([-1]), "h1.bias": floats(-1), "h2.weight": floats([1]), "h2.bias": floats(1),
    "h3.weight": floats([-1], [1]), "h3.bias": floats(0.9, 0), "out.weight": floats([1, 1]), "out.bias": floats(0),
}
# h2 is dead as a whole: no gradient gets to it, and h3.1 right above is fed zeros.
AT_A_DEAD_LAYER = {
    "h1.weight": floats([1], [-1]), "h1.bias": floats(0, 0), "h2.weight": floats([-1, 1]), "h2.bias": floats(-1),
    "h3.weight": floats([1], [1]), "h3.bias": floats(1, -1), "out.weight": floats([1, 1]), "out.bias": floats(0),
}
# No weight and no bias of h2.0 is above 0, but decay times the schedule's third rate is 1.5 and turns their signs around.
TURNED_BY_DECAY = {
    "h1.weight": floats([1]), "h1.bias": floats(1), "h2.weight": floats([-1], [1]), "h2.bias": floats(-0.9, 0),
    "out.weight": floats([1, 1]), "out.bias": floats(0),
}
PLAIN = ["--lr", "0.01"]
DECAY = ["--lr", "0.01", "--schedule", "2:0.01,3:15", "--weight-decay", "0.1", "--decay-bias", "--clip-norm", "1e-9"]
CASES = [  # layers, options, unit, verdict, whether it returns
    (ABOVE_A_DEAD_LAYER, PLAIN, "h3.0", "revivable", True),
    (AT_A_DEAD_LAYER, PLAIN, "h3.1", "frozen", False),
    (AT_A_DEAD_LAYER, PLAIN, "h2.0", "frozen", False),
    (TURNED_BY_DECAY, DECAY, "h2.0", "revivable", True),
    (TURNED_BY_DECAY, DECAY[:2], "h2.0", "structural", False),
]


def relume(folder, *arguments, status=0):
    done = subprocess.run([PROGRAM, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode != status:
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr.decode()}")
    return done.stdout


def train(folder, run, epochs, options, status=0):
    relume(folder, "train", "data.npz", "-o", run, "--init-from", "start.safetensors", "--optimizer", "sgd", "--loss", "mse",
           "--epochs", str(epochs), "--batch", "4", "--census", "1", "--progress", "off", *options, status=status)


def write(folder, layers):
    tensors.write(os.path.join(folder, "start.safetensors"), layers)
    numpy.savez(os.path.join(folder, "data.npz"), X=numpy.ones((4, 1), numpy.float32), y=numpy.zeros((4, 1), numpy.float32))


def check_unfinished():
    """Runs that diverge and were counted at their start alone. Units are told as that count knows them: h3.0 is
    dead there, and at some of the later steps it is alive."""
    faults = 0
    for step in range(6, 14):
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
            write(folder, ABOVE_A_DEAD_LAYER)
            train(folder, "run", 100, ["--lr", "0.01", "--schedule", f"{step}:1e38", "--census", "1000"], status=6)
            found = json.loads(relume(folder, "autopsy", "run", "--json"))
            deaths = {death["unit"]: death["prognosis"] for death in found["deaths"]}
            margin = deaths["h3.0"]["margin"]
            faults += found["as_of"] != 0 or deaths["h3.0"]["verdict"] != "revivable" or not abs(margin - 0.1) < 1e-7
    print(f"eight runs that end between counts: {faults} faults")
    return faults


def check(layers, options, unit, verdict, returns):
    """Faults of one case."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        write(folder, layers)
        train(folder, "short", 2, options)
        train(folder, "long", 100, options)
        deaths = {death["unit"]: death for death in json.loads(relume(folder, "autopsy", "short", "--json"))["deaths"]}
        found = deaths[unit]["prognosis"]["verdict"]
        events = sqlite3.connect(os.path.join(folder, "long/history.sqlite")).execute(
            "SELECT count(*) FROM unit_event WHERE name = ? AND kind = 'revived'", (unit,))
        (revivals,) = events.fetchone()
        print(f"{unit}: {found}; returned {revivals} times in 100 updates")
        return (found != verdict) + ((revivals > 0) != returns)


if __name__ == "__main__":
    sys.exit(1 if sum(check(*case) for case in CASES) + check_unfinished() else 0)
