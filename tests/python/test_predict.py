"""Logits against NumPy in float64: every sample within the error that a chain of K float32 multiply-adds can have.

Each layer's sum of K products is off by at most K * 2**-24 times the sum of their absolute values, plus what its inputs
were already off by; the bound is carried through the layers, so nothing is left to a guessed tolerance.
"""
import sys
import tempfile

import numpy

import nets


def logits_and_bound(layers, x):
    names = [name[:-7] for name in layers if name.endswith(".weight")]
    z, off = x.astype(numpy.float64), numpy.zeros(x.shape)
    for name in names:
        weight, bias = (layers[name + kind].astype(numpy.float64) for kind in (".weight", ".bias"))
        size = (numpy.abs(z) + off) @ numpy.abs(weight).T + numpy.abs(bias)
        p = z @ weight.T + bias
        off = off @ numpy.abs(weight).T + (weight.shape[1] + 2) * 2.0**-24 * size
        z = p if name == "out" else numpy.maximum(p, 0)
    return z, off


def main(program):
    seed = 7
    random = numpy.random.default_rng(seed)
    print(f"seed {seed}")
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        probe = nets.Probe(program, folder)
        for widths in ([3, 2], [20, 30, 4], [784, 64, 48, 10], [1, 100, 1], [40, 17, 33, 15, 31, 6]):
            layers = nets.network(random, widths)
            x, _ = nets.data(random, "mse", 300, widths[0], widths[-1])
            found = probe.run("predict", layers, x, None, "softmax")["logits"]
            expected, bound = logits_and_bound(layers, x)
            worst = max(worst, (numpy.abs(found - expected) / bound).max())
    print(f"largest difference over its bound: {worst:.3g}")
    return 0 if worst <= 1 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
