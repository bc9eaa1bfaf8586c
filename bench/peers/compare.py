#!/usr/bin/env python3
"""Full training steps of relume, or its censuses, against its peers, pair by pair on the same images: one table of ratios.

    bench/peers/compare.py --relume build/relume --nets a,b --threads 1,2 --pairs 5
    bench/peers/compare.py --work census --nets a --threads 1

Each pair runs relume and then the peer, so a machine that drifts drifts for both; a ratio is the median over the pairs,
with the least and the greatest behind it. Above 1 relume is faster. The peers are the scripts beside this one: forward, softmax
cross-entropy, backward, plain SGD, float32, on Fashion-MNIST's training images; for a census, a forward pass over all of
them that counts how often each unit fires. Debian packages: dataset-fashion-mnist
python3-torch python3-numpy python3-sklearn libdnnl-dev libfann-dev zlib1g-dev g++. A peer that is not installed is left out,
and named. --python FILE (may be repeated) adds the scripts that need a newer interpreter with torch or jax from PyPI.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
NETS = {
    "a": ("784,512,512,10", 128),
    "b": ("784,128,10", 32),
    "c": ("784,2048,2048,2048,10", 256),
    "d": ("64,32,10", 16),
}
SYSTEM_PYTHON = "/usr/bin/python3"


def script(python, name, *more):
    return [python, os.path.join(HERE, name), *more]


def environment(threads, blas=None):
    """No tuning for another machine, and thread pools that do not spin against each other."""
    env = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    env.update(OMP_WAIT_POLICY="passive", OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
    if blas:
        env["OPENBLAS_CORETYPE"] = blas
    return env


PRODUCT = """
import numpy, time
a = numpy.ones((1024, 1024), numpy.float32)
a @ a
begin = time.perf_counter()
for _ in range(10):
    a @ a
print(time.perf_counter() - begin)
"""


def best_blas():
    """The kernels with which OpenBLAS is fastest here, None for its own choice: a release older than the CPU falls back
    to those of the first 64-bit CPUs, several times slower than what it has."""
    taken = {}
    for blas in (None, "Haswell", "SkylakeX", "Cooperlake", "Zen"):
        told = [subprocess.run([SYSTEM_PYTHON, "-c", PRODUCT], capture_output=True, text=True, env=environment(1, blas))
                for _ in range(3)]
        times = [float(one.stdout) for one in told if one.returncode == 0 and one.stdout]
        if times:
            taken[blas] = min(times)
    best = min(taken, key=taken.get, default=None)
    if None in taken and taken[None] <= 1.05 * taken[best]:
        return None
    if best:
        print(f"# OpenBLAS is told OPENBLAS_CORETYPE={best}: {taken[None] / taken[best]:.1f} times as fast as by its own choice")
    return best


def build(folder, command, source, libraries):
    """Compiles a C or C++ peer; None, with the reason on stderr, when that fails."""
    program = os.path.join(folder, os.path.splitext(source)[0])
    told = subprocess.run(
        [command, "-O3", "-march=native", "-fopenmp", os.path.join(HERE, source), "-o", program, *libraries],
        capture_output=True, text=True,
    )
    if told.returncode:
        print(f"left out: {source} does not compile here: {told.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return [program]


def peers(folder, pythons):
    found = {
        "pytorch": script(SYSTEM_PYTHON, "torch_train.py"),
        "numpy": script(SYSTEM_PYTHON, "numpy_train.py"),
        "scikit-learn": script(SYSTEM_PYTHON, "sklearn_train.py"),
        "onednn": build(folder, "g++", "onednn_train.cpp", ["-ldnnl", "-lz"]),
        "fann": build(folder, "gcc", "fann_train.c", ["-lfann", "-lz", "-lm"]),
    }
    for python in pythons:
        tag = os.path.basename(os.path.dirname(os.path.dirname(os.path.abspath(python))))
        found[f"pytorch ({tag})"] = script(python, "torch_train.py")
        found[f"torch.compile ({tag})"] = script(python, "torch_train.py", "--compile")
        found[f"jax ({tag})"] = script(python, "jax_train.py")
    return {name: command for name, command in found.items() if command}


def census_peers():
    return {
        "pytorch, hooks": script(SYSTEM_PYTHON, "torch_census.py"),
        "numpy": script(SYSTEM_PYTHON, "numpy_census.py"),
    }


def run_peer(command, layers, batch, threads, seconds, blas):
    arguments = ["--layers", layers, "--batch", str(batch), "--threads", str(threads)]
    if not re.search("sklearn|census", " ".join(command)):
        arguments += ["--seconds", str(seconds)]
    told = subprocess.run(command + arguments, capture_output=True, text=True, env=environment(threads, blas))
    rate = re.search(r"samples_per_s=(\d+)", told.stdout)
    if told.returncode or not rate:
        lines = told.stderr.strip().splitlines() or ["no figure printed"]
        raise RuntimeError(lines[-1])
    return float(rate.group(1))


def small_images(folder):
    """The peers' 8 x 8 means, as a file for relume."""
    import numpy

    import peerlib

    x, y = peerlib.fashion(64)
    path = os.path.join(folder, "means.npz")
    numpy.savez(path, x=x, y=y)
    return path


def run_relume(program, work, layers, batch, threads, seconds, more, small):
    inputs, *hidden = layers.split(",")[:-1]
    data = small if inputs == "64" else "fashion-mnist"
    command = [program, "bench", work, "--data", data, "--hidden", ",".join(hidden), "--batch", str(batch),
               "--threads", str(threads), "--seconds", str(seconds), "--json", *more]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(told.stdout)[work][0]
    return result["samples_per_second"], result["peak_share"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--relume", default="build/relume")
    parser.add_argument("--work", choices=("train", "census"), default="train")
    parser.add_argument("--nets", default="a,b,c,d")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--peers", help="only these, with commas (default: all that are here)")
    parser.add_argument("--python", action="append", default=[], help="interpreter of an environment with newer torch or jax")
    parser.add_argument("--option", action="append", default=[], help="one more argument for relume bench")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        all_peers = peers(folder, a.python) if a.work == "train" else census_peers()
        blas, small = best_blas(), small_images(folder)
        chosen = a.peers.split(",") if a.peers else list(all_peers)
        print(f"{'net':4}{'threads':>8}  {'peer':26}{'relume/s':>12}{'peer/s':>12}{'of peak':>9}   ratio (least .. greatest)")
        for net in a.nets.split(","):
            layers, batch = NETS[net]
            for threads in map(int, a.threads.split(",")):
                for name in chosen:
                    if name not in all_peers or (threads > 1 and name == "fann"):
                        continue
                    ours, theirs, share = [], [], []
                    try:
                        for _ in range(a.pairs):
                            rate, peak = run_relume(a.relume, a.work, layers, batch, threads, a.seconds, a.option, small)
                            ours.append(rate)
                            share.append(peak)
                            theirs.append(run_peer(all_peers[name], layers, batch, threads, a.seconds, blas))
                    except RuntimeError as error:
                        print(f"left out: {name}: {error}", file=sys.stderr)
                        continue
                    ratios = sorted(x / y for x, y in zip(ours, theirs))
                    print(
                        f"{net:4}{threads:>8}  {name:26}{statistics.median(ours):>12.0f}{statistics.median(theirs):>12.0f}"
                        f"{statistics.median(share):>9.2f}   {statistics.median(ratios):.2f} ({ratios[0]:.2f} .. {ratios[-1]:.2f})",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
