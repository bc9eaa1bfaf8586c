#!/usr/bin/env python3
"""The kernels layer by layer: the table of docs/performance.md, in Markdown.

    bench/kernels.py [--relume build/relume] [--seconds 0.2] [--rounds 3]

Each row is one `relume bench kernels` on a layer of that shape, one thread, with the multiply-add peak measured in the same run;
rounds go over all layers in turn and the median of a layer's shares is given. These are the dense tiles: sums over listed terms
depend on how many gates are closed, and show in whole steps (bench/shapes.py).
"""
import argparse
import json
import math
import pathlib
import statistics
import struct
import subprocess
import tempfile
import zipfile

LAYERS = [(128, 784, 512), (128, 512, 512), (128, 512, 10), (32, 784, 128), (32, 128, 10), (256, 784, 2048), (256, 2048, 2048),
          (16, 64, 32)]
KERNELS = ("forward", "backward_weights", "backward_input")


def npy(shape):
    """Bytes of that shape, 0 and 1 in turn."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes((0, 1)) * (math.prod(shape) // 2)


def samples(folder, features):
    """An .npz of 256 samples of that width: the kernels draw their own numbers, but take their width from the data."""
    path = pathlib.Path(folder, f"{features}.npz")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", npy((256, features)))
        archive.writestr("y.npy", npy((256,)))
    return str(path)


def shares(a, folder, batch, features, units):
    command = [a.relume, "bench", "kernels", "--data", samples(folder, features), "--hidden", str(units), "--batch", str(batch),
               "--threads", "1", "--seconds", str(a.seconds), "--json"]
    result = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return {one["kernel"]: one["peak_share"] for one in result["kernels"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--relume", default="build/relume")
    parser.add_argument("--seconds", type=float, default=0.2)
    parser.add_argument("--rounds", type=int, default=3)
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rounds = [[shares(a, folder, *layer) for layer in LAYERS] for _ in range(a.rounds)]
    print("| batch, layer | forward | dW with SGD | dX |\n|---|---|---|---|")
    for i, (batch, features, units) in enumerate(LAYERS):
        medians = (statistics.median(one[i][kernel] for one in rounds) for kernel in KERNELS)
        print(f"| {batch}, {features} to {units} | " + " | ".join(f"{share:.2f}" for share in medians) + " |")


if __name__ == "__main__":
    main()
