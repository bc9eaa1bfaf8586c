"""Initial weights from NumPy's Philox: the same draws, computed independently of the C code.

Element i of layer l is made of block (index i, group l) of the key (seed, purpose 1). NumPy counts its counter up before
each block, so a generator set to (i - 1, l) yields that block. The normals go through NumPy's log and cos, which may
differ from relume's in the last place of a double; after rounding to float32 that is at most one unit in the last place.
"""
import subprocess
import sys
import tempfile

import numpy

import tensors


def blocks(seed, purpose, group, count):
    words = []
    for index in range(count):
        counter = (index - 1) % 2**256 if index else (2**64 - 1) | ((group - 1) % 2**192) << 64
        counter = counter if index == 0 else (index - 1) | group << 64
        bits = numpy.random.Philox(key=seed | purpose << 64, counter=counter)
        words.append(bits.random_raw(4))
    return numpy.array(words, dtype=numpy.uint64)


def uniform(words):
    return (words >> numpy.uint64(11)).astype(numpy.float64) * 2.0**-53


def weights(init, seed, layer, rows, columns):
    words = blocks(seed, 1, layer, rows * columns)
    n, m = columns, rows
    deviation = {"he-normal": 2 / n, "xavier-normal": 2 / (n + m), "lecun-normal": 1 / n}
    limit = {"he-uniform": 6 / n, "xavier-uniform": 6 / (n + m), "pytorch": 1 / n}
    if init in limit:
        values = (2 * uniform(words[:, 0]) - 1) * limit[init] ** 0.5
    else:
        normal = numpy.sqrt(-2 * numpy.log(1 - uniform(words[:, 0]))) * numpy.cos(2 * numpy.pi * uniform(words[:, 1]))
        values = normal * deviation.get(init, 1.0) ** 0.5
    values = values.reshape(rows, columns)
    if init == "orthogonal":
        q, r = numpy.linalg.qr(values.T if rows <= columns else values)
        q = q * numpy.sign(numpy.diag(r))  # Gram-Schmidt keeps the direction of each vector
        values = 2**0.5 * (q.T if rows <= columns else q)
    return values


def main(program):
    worst = 0.0
    inits = ["he-normal", "he-uniform", "xavier-normal", "xavier-uniform", "lecun-normal", "pytorch", "orthogonal"]
    with tempfile.TemporaryDirectory() as folder:
        for init in inits:
            path = folder + "/model.safetensors"
            subprocess.run([program, "init", init, "42", "5,7,2", path], check=True)
            found = tensors.read(path)
            for layer, (name, rows, columns) in enumerate([("h1", 7, 5), ("out", 2, 7)]):
                expected = weights(init, 42, layer, rows, columns)
                # one unit in the last place of a float32 of size up to 4, and for orthogonal some more for QR's own rounding
                worst = max(worst, numpy.abs(found[name + ".weight"] - expected).max())
    print(f"largest difference over {len(inits)} inits: {worst:.3g}")
    return 0 if worst <= 2.0**-22 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
