"""The census against a brute-force count in NumPy, over 10,000 random small networks: no differences where the float
computation could not have gone either way.

Half of the networks hold small whole numbers, whose sums are exact in float32 and float64 alike: there counts, margins and
means must be equal, at pre-activations of exactly 0 too. For the others NumPy computes in float64 and carries a bound of what
float32 may differ by: a chain of K fused multiply-adds and an addition rounds each term at most K + 1 times, which changes
the sum by at most gamma(K + 1) times the sum of the terms' sizes (Higham, Accuracy and Stability, section 3.1), and what the
inputs were off by is multiplied by |w|. A gate is certain where |p| is above that bound. A unit whose gates are all certain
must have the very same count; any unit must lie between the gates that are surely open and those that may be.

    test_census.py PROBE_CENSUS
"""
import os
import subprocess
import sys
import tempfile

import numpy

NETS, SEED = 10000, 2026
ROW = numpy.dtype([("active", "u8"), ("mean", "f8"), ("margin", "f4"), ("state", "u4")])
DEAD, ALWAYS_ON = 0, 3
UNIT_ROUNDOFF = 2.0**-24


def draw(random, whole):
    """Weights, biases and data of one network."""
    widths = random.integers(1, 25, random.integers(3, 6))
    samples = random.integers(1, 90)

    def values(*shape):
        if whole:
            return random.integers(-2, 3, shape).astype(numpy.float32)
        return (random.standard_normal(shape) * (random.random(shape) > 0.1)).astype(numpy.float32)

    layers = []
    for columns, rows in zip(widths, widths[1:]):
        shift = numpy.float32(random.integers(-4, 2))  # towards death
        layers.append((values(rows, columns), values(rows) + shift))
    offset = numpy.float32(random.integers(0, 3))  # inputs off the middle make units live and die together
    return layers, values(samples, widths[0]) + offset


def gamma(roundings):
    return roundings * UNIT_ROUNDOFF / (1 - roundings * UNIT_ROUNDOFF)


def brute_force(layers, x, whole):
    """p and its bound for each hidden layer, [samples, units]."""
    z, off = x.astype(numpy.float64), numpy.zeros(x.shape)
    for weight, bias in layers[:-1]:
        size = numpy.abs(weight.astype(numpy.float64))
        p = z @ weight.T.astype(numpy.float64) + bias
        if not whole:
            terms = (numpy.abs(z) + off) @ size.T + numpy.abs(bias)
            # float64's own sum, in any order, is off by 2**-29 of what float32's is; the last term is for tiny results
            off = off @ size.T + gamma(weight.shape[1] + 1) * (1 + 2.0**-20) * terms + weight.shape[1] * 2.0**-149
        else:
            off = numpy.zeros(p.shape)
        yield p, off
        z = numpy.maximum(p, 0)


def compare(rows, p, off, seen):
    """Differences between the account of a layer's units and the brute force."""
    samples = len(p)
    surely, maybe = (p > off).sum(0), (p > -off).sum(0)
    certain = surely == maybe
    active = rows["active"].astype(numpy.int64)
    margin, margin_off = p.max(0), off.max(0)
    mean, mean_off = numpy.maximum(p, 0).mean(0), off.mean(0)
    clear = numpy.abs(margin) > margin_off  # whether it is dead or not cannot depend on rounding
    wrong = (active < surely) | (active > maybe)
    wrong |= certain & (active != surely)
    wrong |= clear & ((rows["state"] == DEAD) != (margin <= 0))
    wrong |= (rows["state"] == DEAD) != (active == 0)
    wrong |= (rows["state"] == ALWAYS_ON) != (active == samples)
    wrong |= numpy.abs(rows["margin"] - margin) > margin_off
    # up to `samples` + 16 additions and a division, in float64
    wrong |= numpy.abs(rows["mean"] - mean) > mean_off + (samples + 20) * 2.0**-53 * (mean + mean_off)
    seen["units"] += len(rows)
    seen["certain"] += int(certain.sum())
    seen["clear"] += int(clear.sum())
    seen["dead"] += int((active == 0).sum())
    seen["zero"] += int((margin == 0).sum())
    return int(wrong.sum())


def main(program):
    random = numpy.random.default_rng(SEED)
    nets = [draw(random, net % 2 == 0) for net in range(NETS)]
    with tempfile.TemporaryDirectory() as folder:
        points, result = os.path.join(folder, "nets"), os.path.join(folder, "rows")
        with open(points, "wb") as file:
            for layers, x in nets:
                widths = [x.shape[1], *(len(bias) for _, bias in layers)]
                numpy.array([len(layers), *widths, len(x)], numpy.uint32).tofile(file)
                for weight, bias in layers:
                    weight.tofile(file)
                    bias.tofile(file)
                x.tofile(file)
        subprocess.run([program, points, result], check=True)
        rows = numpy.fromfile(result, ROW)
    seen = dict.fromkeys(("units", "certain", "clear", "dead", "zero"), 0)
    wrong = at = 0
    for net, (layers, x) in enumerate(nets):
        for p, off in brute_force(layers, x, net % 2 == 0):
            differences = compare(rows[at : at + p.shape[1]], p, off, seen)
            at += p.shape[1]
            wrong += differences
            if differences and wrong < 20:
                print(f"seed {SEED}, network {net}: {differences} units differ")
    print(f"{NETS} networks, {seen['units']} units, {seen['dead']} dead, {seen['zero']} with a margin of exactly 0; all gates "
          f"certain in {seen['certain']}, life or death in {seen['clear'] + seen['zero']}: {wrong} differences")
    enough = seen["dead"] > NETS and seen["zero"] > 100 and seen["certain"] > 0.99 * seen["units"]
    return 0 if wrong == 0 and at == len(rows) and enough else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
